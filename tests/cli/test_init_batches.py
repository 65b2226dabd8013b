"""Windows that have a batch in each, where events come once or twice a week: `leeway init`, and `leeway check`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from monitor.check import load
from tests.cli.console import Console

DAY_MS, WEEK_MS = 86_400_000, 7 * 86_400_000
MONDAY_MS = 1_767_571_200_000
"""2026-01-05, at midnight UTC."""


def batches(folder: Path, weekdays: Iterable[int], weeks: int = 8, size: int = 120, at_ms: int = 7_200_000) -> Path:
    """A file with a batch on each of these days of the week, 0 being Monday."""
    draw, file = random.Random(7), folder / "events.jsonl"
    starts_ms = [MONDAY_MS + week * WEEK_MS + weekday * DAY_MS + at_ms for week in range(weeks) for weekday in weekdays]
    rows = [
        {"id": f"{start_ms}-{i}", "ts": start_ms + i * 1_000, "amount": round(draw.gauss(20, 3), 2)}
        for start_ms in starts_ms
        for i in range(size)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def drafted(leeway: Console, folder: Path, events: Path) -> tuple[Any, dict[str, Any]]:
    """What is drafted: how windows are cut, and all that is said of it."""
    answer = leeway("init", "fraud", "--from", events, "-o", folder / "fraud.yaml", "--force", "--json")
    assert answer.code == 0, answer.err
    return load(folder / "fraud.yaml").models["fraud"].spec, json.loads(answer.out)


def test_events_of_a_weekly_batch_get_windows_of_a_week(leeway: Console, tmp_path: Path) -> None:
    spec, answer = drafted(leeway, tmp_path, batches(tmp_path, [0]))
    assert (spec.detect.defaults.window, spec.detect.defaults.offset) == (WEEK_MS, 0)
    assert spec.alerts.resolve_after == WEEK_MS
    assert (answer["events_per_window"], answer["batches"]["days_with_events"]) == (120, 8)
    assert "events come on 8 of 50 days: windows are of 7d, so that each has a batch" in answer["notes"]
    assert "120 events in a usual window that has any; events come on 8 of 50 days" in (
        (tmp_path / "fraud.yaml").read_text()
    )


@pytest.mark.parametrize(
    ("weekdays", "at_ms"), [([3], 0), ([2], DAY_MS - 60_000), ([1, 3], 7_200_000)], ids=["begins", "spans", "twice"]
)
def test_no_batch_comes_where_a_week_ends(leeway: Console, tmp_path: Path, weekdays: list[int], at_ms: int) -> None:
    events = batches(tmp_path, weekdays, at_ms=at_ms)
    spec, answer = drafted(leeway, tmp_path, events)
    defaults = spec.detect.defaults
    assert defaults.window == WEEK_MS
    assert defaults.offset % DAY_MS == 0
    times = [json.loads(line)["ts"] for line in events.read_text().splitlines()]
    into_week = [(time - defaults.offset) % WEEK_MS for time in times]
    assert DAY_MS / 2 <= min(into_week) <= max(into_week) <= WEEK_MS - DAY_MS / 2
    assert answer["events_per_window"] == 120 * len(weekdays)


@pytest.mark.parametrize("weekdays", [range(7), range(5), [0, 2, 4]], ids=["each day", "weekdays", "three days"])
def test_events_of_most_days_get_windows_of_a_day_as_before(
    leeway: Console, tmp_path: Path, weekdays: Iterable[int]
) -> None:
    spec, answer = drafted(leeway, tmp_path, batches(tmp_path, weekdays))
    assert (spec.detect.defaults.window, answer["batches"]) == (DAY_MS, None)
    assert "that has any" not in (tmp_path / "fraud.yaml").read_text()


@pytest.mark.parametrize("shape", [{"weeks": 2}, {"size": 5}], ids=["two batches", "a trickle"])
def test_what_may_be_chance_shows_no_batches(leeway: Console, tmp_path: Path, shape: dict[str, int]) -> None:
    spec, answer = drafted(leeway, tmp_path, batches(tmp_path, [0], **shape))
    assert (spec.detect.defaults.window, answer["batches"]) == (DAY_MS, None)


def test_batches_further_apart_than_a_week_are_said(leeway: Console, tmp_path: Path) -> None:
    lines = batches(tmp_path, [0], weeks=24).read_text().splitlines()
    monthly = [line for i, line in enumerate(lines) if i // 120 % 4 == 0]
    (tmp_path / "monthly.jsonl").write_text("\n".join(monthly))
    spec, answer = drafted(leeway, tmp_path, tmp_path / "monthly.jsonl")
    assert (spec.detect.defaults.window, answer["events_per_window"]) == (DAY_MS, 120)
    assert (
        "events come on 6 of 141 days, and not every week: most windows of a day have none; set a `window` as long as "
        "batches are apart"
    ) in answer["notes"]


def test_a_check_says_which_window_has_a_batch_in_each(leeway: Console, tmp_path: Path) -> None:
    weekly, daily = batches(tmp_path, [0]), tmp_path / "daily.yaml"
    assert leeway("init", "fraud", "--from", weekly, "-o", tmp_path / "fraud.yaml").code == 0
    daily.write_text((tmp_path / "fraud.yaml").read_text().replace("window: 7d", "window: 1d"))

    checked = leeway("check", daily, "--events", weekly)

    assert checked.code == 0, checked.err
    assert (
        "caution: fraud: events come on 8 of 50 days: most windows of 1d have none, and say nothing; `window: 7d` has "
        "a batch in each\n"
    ) in checked.out
    (document,) = leeway("check", daily, "--events", weekly, "--json").lines
    assert [each["window_ms"] for each in document["events"]["sparse"]] == [WEEK_MS]
    assert "events come on" not in leeway("check", tmp_path / "fraud.yaml", "--events", weekly).out
    assert "events come on" not in leeway("check", daily, "--events", batches(tmp_path, range(5))).out
