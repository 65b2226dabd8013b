"""`leeway check --events` says which events count in no window for the order in which they come, and what to set."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.console import Console, Said

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
START_MS = 1_767_571_200_000
"""A Monday, 2026-01-05, at midnight UTC."""

MODEL = """\
apiVersion: leeway/v1
kind: Model
metadata: {name: fraud}
spec:
  sources: [{http: fraud, event_time: {path: ts, unit: ms}%s}]
  schema:
    id: id
    features: {amount: {type: numeric}}
  detect:
    pane: 1h
    defaults: {window: 1d, min_samples: 50}
"""


def model_file(folder: Path, settings: str = "") -> Path:
    file = folder / "fraud.yaml"
    file.write_text(MODEL % settings)
    return file


def days(draw: random.Random, count: int = 12, a_day: int = 100) -> Iterator[list[dict[str, Any]]]:
    """Yield the events of each day, in random order."""
    for day in range(count):
        start_ms = START_MS + day * DAY_MS
        yield [
            {"id": f"{day}-{i}", "ts": start_ms + draw.randrange(DAY_MS), "amount": round(draw.gauss(20, 3), 2)}
            for i in range(a_day)
        ]


def written(folder: Path, events: list[dict[str, Any]]) -> Path:
    file = folder / "events.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in events))
    return file


@pytest.fixture
def shuffled(tmp_path: Path) -> Path:
    """A file in which the events of each day are in random order."""
    return written(tmp_path, [event for day in days(random.Random(3)) for event in day])


def counts(answer: Said) -> dict[str, int]:
    """The counts of a summary, by name."""
    rows = (line.split() for line in answer.out.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def test_events_that_count_in_no_window_are_warned_of_with_what_to_set(
    leeway: Console, tmp_path: Path, shuffled: Path
) -> None:
    checked = leeway("check", model_file(tmp_path), "--events", shuffled)
    replayed = counts(leeway("replay", model_file(tmp_path), "--events", shuffled))

    assert checked.code == 0, checked.err
    assert "fine" not in checked.out
    assert {name: counts(checked)[name] for name in ("late", "rejected")} == {
        name: replayed[name] for name in ("late", "rejected")
    }
    lost = replayed["late"] + replayed["rejected"]
    assert lost > 1_000
    assert f"warning: fraud: {lost:,} of 1,200 events of fraud ({100 * lost // 1_200} %) count in no window: " in (
        checked.err
    )
    assert f"{replayed['late']} came `late`, {replayed['rejected']} were rejected as `future`" in checked.err
    assert "Set `allowed_lateness: 1d` and `max_ahead: 1d` of its source: with that all of them count." in checked.err


def test_with_what_it_says_to_set_all_of_them_count(leeway: Console, tmp_path: Path, shuffled: Path) -> None:
    (document,) = leeway("check", model_file(tmp_path), "--events", shuffled, "--json").lines
    (uncounted,) = document["events"]["uncounted"]
    assert uncounted["remaining"] == 0
    settings = f", allowed_lateness: {uncounted['allowed_lateness_ms']}ms, max_ahead: {uncounted['max_ahead_ms']}ms"

    checked = leeway("check", model_file(tmp_path, settings), "--events", shuffled)
    replayed = leeway("replay", model_file(tmp_path, settings), "--events", shuffled)

    assert checked.out.endswith("fine: 1 model\n")
    assert "warning" not in checked.err + replayed.err
    assert (counts(replayed)["late"], counts(replayed)["rejected"]) == (0, 0)


def test_what_is_drafted_from_such_a_file_counts_all_of_them(leeway: Console, tmp_path: Path) -> None:
    shuffled = written(tmp_path, [event for day in days(random.Random(3), a_day=500) for event in day])
    assert leeway("init", "fraud", "--from", shuffled, "-o", tmp_path / "drafted.yaml").code == 0
    checked = leeway("check", tmp_path / "drafted.yaml", "--events", shuffled)
    assert (checked.err, checked.out.endswith("fine: 1 model\n")) == ("", True)


def test_a_batch_that_comes_a_day_late_needs_no_other_max_ahead(leeway: Console, tmp_path: Path) -> None:
    batches = [sorted(day, key=lambda event: event["ts"]) for day in days(random.Random(4))]
    for batch in batches:
        for i, event in enumerate(batch):
            event["ts"] = event["ts"] // DAY_MS * DAY_MS + i * 1_000
    batches[5], batches[6] = batches[6], batches[5]
    events = written(tmp_path, [event for batch in batches for event in batch])
    checked = leeway("check", model_file(tmp_path), "--events", events)
    assert "100 of 1,200 events of fraud (8 %) count in no window: 100 came `late`" in checked.err
    assert "Set `allowed_lateness: 1d` of its source: with that all of them count." in checked.err


def test_where_no_lateness_helps_sorting_is_advised(leeway: Console, tmp_path: Path) -> None:
    draw = random.Random(5)
    events = [event for day in days(draw, count=40, a_day=30) for event in day]
    draw.shuffle(events)
    checked = leeway("check", model_file(tmp_path), "--events", written(tmp_path, events))
    assert "(99 %) count in no window" in checked.err
    assert "Sort them by their time" in checked.err
    assert "Set " not in checked.err


def test_a_few_late_events_are_counted_and_no_reason_to_warn(leeway: Console, tmp_path: Path) -> None:
    events = sorted((event for day in days(random.Random(6)) for event in day), key=lambda event: event["ts"])
    events.insert(900, events.pop(400))
    checked = leeway("check", model_file(tmp_path), "--events", written(tmp_path, events))
    assert counts(checked)["late"] == 1
    assert "warning" not in checked.err
    assert checked.out.endswith("fine: 1 model\n")


def test_a_replay_counts_late_events_once_and_warns_of_many(leeway: Console, tmp_path: Path, shuffled: Path) -> None:
    replayed = leeway("replay", model_file(tmp_path), "--events", shuffled)
    assert replayed.code == 0
    assert [line.split()[0] for line in replayed.out.splitlines() if "late" in line] == ["late"]
    lost = counts(replayed)["late"] + counts(replayed)["rejected"]
    assert f"warning: {lost:,} of 1,200 events count in no window" in replayed.err
