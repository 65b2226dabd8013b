"""What is told of a metric with a few labels an hour is what a person counts in them."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import numpy as np
import pytest

from monitor.api.detectable import smallest_shifts
from monitor.evaluate.expectations import read_day
from monitor.watch import compile_watch
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, rows
from tests.performance.test_alarms import SPEC, ended
from tests.performance.test_performance import as_bytes

DAYS, DROP_MS = 15, START_MS + 11 * DAY_MS
PREDICTIONS, POSITIVE, RECALL, DROPPED = 8, 0.4, 0.75, 0.4
"""Predictions an hour, how many of them are positive, and how many of these are found, before and after."""


class Positives(NamedTuple):
    """When each positive event was, and whether it was found."""

    at_ms: Any
    is_found: Any

    def recall(self, from_ms: float, to_ms: float) -> float:
        """Count how many of a span were found."""
        inside = (self.at_ms >= from_ms) & (self.at_ms < to_ms)
        return float(self.is_found[inside].mean())


@pytest.fixture(scope="module")
def few() -> tuple[Store, Positives]:
    rng = np.random.default_rng(5)
    predictions, labels, positives = list[dict[str, Any]](), list[dict[str, Any]](), list[tuple[int, bool]]()
    for number in range(DAYS * 24 * PREDICTIONS):
        at_ms = START_MS + number * HOUR_MS // PREDICTIONS
        is_positive = rng.random() < POSITIVE
        says_so = rng.random() < ((RECALL if at_ms < DROP_MS else DROPPED) if is_positive else 0.1)
        score = 0.9 if says_so else 0.1
        predictions.append({"id": f"p{number}", "at": at_ms, "version": "1", "country": "FR", "score": score})
        labels.append({"id": f"p{number}", "at": at_ms + 60_000, "bad": bool(is_positive)})
        if is_positive:
            positives.append((at_ms, bool(says_so)))
    changed = {**SPEC, "segments": [], "performance": {**SPEC["performance"], "metrics": ["recall"]}}
    watch = compile_watch(configured("m", **changed), "m")
    store = ended(watch, {("scores", 0): as_bytes(predictions), ("truth", 0): as_bytes(labels)})
    return store, Positives(*(np.array(each) for each in zip(*positives, strict=True)))


def test_alerts_say_of_few_labels_what_is_counted(few: tuple[Store, Positives]) -> None:
    store, positives = few
    (firing, *_) = [alert for alert in rows(store, "performance_alerts") if "recall" in alert["title"]]
    (signal,) = json.loads(firing["signals"])
    told = re.search(r"recall (\S+) % → (\S+) %, which is worse", firing["title"])
    assert told is not None, firing["title"]
    usual, current = (float(share) / 100 for share in told.groups())
    assert usual == pytest.approx(positives.recall(START_MS, DROP_MS), abs=0.015)
    # Since about when it began, as the alert says.
    assert current == pytest.approx(positives.recall(signal["onset_ms"], signal["last_ms"]), abs=0.005)


def test_what_is_usual_and_what_can_be_found_of_few_labels_are_shares_of_all_of_them(
    few: tuple[Store, Positives],
) -> None:
    store, positives = few
    mornings = [
        row
        for row in rows(store, "expectations")
        if row["signal"] == "performance:recall" and row["from_ms"] <= DROP_MS
    ]
    key = ("m", "performance:recall", "", "1")
    (recall,) = smallest_shifts({key: read_day(mornings[-1])})[key]
    assert recall["usual"] == pytest.approx(positives.recall(START_MS, DROP_MS), abs=0.03)
    # A week finds no less than a day.
    assert 0.2 < recall["day_low"] < recall["week_low"] < recall["usual"]
