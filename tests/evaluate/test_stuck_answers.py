"""A model that gives one answer for all: metrics may look better, and that it is named as what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from detectors.sketch import NumericFold, NumericLayout, NumericSummary, universal_layout
from monitor.config import Configuration
from monitor.evaluate.answers import Answers, Described
from monitor.evaluate.columns import Columns, sums_of
from monitor.evaluate.windows import Windows
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, replayed_lines, rows

DAYS, PER_HOUR = 5, 150
BROKEN_MS = START_MS + 4 * DAY_MS + 10 * HOUR_MS

Events = list[dict[str, Any]]
Answer = Callable[[dict[str, Any]], Any]


def watched(prediction: dict[str, Any], **spec: Any) -> Configuration:
    detect = {"false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}}
    schema = {"id": "id", "features": {"country": {"type": "category"}}, "prediction": {"answer": prediction}}
    return configured(detect=detect, schema=schema, segments=spec.pop("segments", []), **spec)


def asked(seed: int = 1) -> Events:
    """One question in ten has the answer yes; the model is right in nine of ten."""
    rng, events = np.random.default_rng(seed), []
    for number in range(DAYS * 24 * PER_HOUR):
        is_right, truth = rng.random() < 0.87, bool(rng.random() < 0.1)
        at_ms = START_MS + number * HOUR_MS // PER_HOUR
        events.append(
            {"id": str(number), "ts": at_ms, "truth": truth, "country": "DE" if number % 4 else "FR",
             "answer": truth if is_right else not truth, "score": round(float(rng.beta(2, 5)), 6)}
        )  # fmt: skip
    return events


def answered(events: Events, answer: Answer, field: str = "answer") -> Events:
    """From some time on something else answers in the model's place; ``None`` leaves it to the model."""
    return [
        event | {"answer": event[field] if event["ts"] < BROKEN_MS or (said := answer(event)) is None else said}
        for event in events
    ]


def replay_of(folder: Path, events: Events, configuration: Configuration) -> Store:
    return replayed_lines(folder, [json.dumps(event).encode() for event in events], configuration)[0]


def fired(store: Store) -> list[dict[str, Any]]:
    alerts = [alert for alert in rows(store, "alerts") if alert["state"] == "firing"]
    return sorted(alerts, key=lambda alert: int(alert["at_ms"]))


def accuracy(events: Events, *, broken: bool) -> float:
    return float(np.mean([e["answer"] == e["truth"] for e in events if (e["ts"] >= BROKEN_MS) == broken]))


def test_a_constant_that_raises_accuracy_is_named_within_two_windows(tmp_path: Path) -> None:
    events = answered(asked(), lambda _: False)
    assert accuracy(events, broken=True) > accuracy(events, broken=False) + 0.01

    [alert] = fired(replay_of(tmp_path, events, watched({"type": "category"})))
    assert BROKEN_MS < alert["at_ms"] <= BROKEN_MS + 2 * HOUR_MS
    assert alert["title"].startswith("loans: prediction:answer is stuck at 'false' (")
    assert " % → 100 % of its answers)" in alert["title"]
    [moved] = json.loads(alert["signals"])
    assert (moved["failure"], moved["answer"], moved["answer_after"]) == ("stuck", "'false'", 1.0)
    assert 0.75 < moved["answer_before"] < 0.95
    assert "may look better meanwhile: that number is the symptom" in moved["reason"]


def summary_of(layout: NumericLayout, values: Any) -> NumericSummary:
    fold = NumericFold([layout])
    fold.ensure(1)
    fold.fold(np.zeros(len(values), dtype=np.int64), np.array([values]))
    (summary,) = fold.take(0)
    return summary


def test_batches_make_no_difference_to_what_is_named() -> None:
    layout, rng = universal_layout(), np.random.default_rng(2)
    windows_of_scores = [np.append(rng.beta(2, 5, 30), [0.5] * (20 * (t > 3))) for t in range(8)]
    summaries = [summary_of(layout, scores) for scores in windows_of_scores]
    columns = Columns(layout, [cell for summary in summaries for cell in summary.cells.tolist()])
    counts, sums = np.array([columns.counts_of(each) for each in summaries]), np.array([sums_of(s) for s in summaries])
    windows = Windows(np.arange(8), counts, sums, np.array([[each.min, each.max] for each in summaries]))
    reference = Described(summary_of(layout, rng.beta(2, 5, 500)), 0.16)

    whole = dict(Answers(layout).failures(windows, columns, reference))
    assert sorted(whole) == [4, 5, 6, 7]
    assert (whole[4].answer, whole[4].after, whole[4].is_exact) == ("0.5", 0.42, False)

    first, second = Answers(layout), Answers(layout)
    early = Windows(windows.ends_ms[:5], counts[:5], sums[:5], windows.extremes[:5])
    in_parts = dict(first.failures(early, columns, reference))
    second.restore(first.snapshot())
    in_parts |= {5 + t: failure for t, failure in second.failures(windows.since(5), columns, reference)}
    assert in_parts == whole
