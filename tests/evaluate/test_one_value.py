"""What follows the clock has one value in each window, and soon another one: that it changes is no news."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.evaluate.one_value import ONE_VALUE, OneValue
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, replayed_lines, rows

DAYS, PER_HOUR = 24, 30
Value = Callable[[int], str]


def weekday(at_ms: int) -> str:
    return ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[(at_ms // DAY_MS + 3) % 7]


def part(at_ms: int) -> str:
    return ("night", "morning", "noon", "evening")[at_ms % DAY_MS // (6 * HOUR_MS)]


def broken_by_hours(at_ms: int) -> str:
    """One value, and `unknown` for two hours of each second day from the second week on."""
    day, hour = (at_ms - START_MS) // DAY_MS, at_ms % DAY_MS // HOUR_MS
    return "unknown" if day >= 7 and day % 2 and hour in (10, 11) else "web"


def replayed(
    folder: Path, value: Value, *, window: str = "1h", days: int = DAYS, per_hour: int = PER_HOUR,
    missing_from_ms: int = START_MS + DAYS * DAY_MS,
) -> Store:  # fmt: skip
    events = []
    for start_ms in range(START_MS, START_MS + days * DAY_MS, HOUR_MS):
        for number in range(per_hour):
            at_ms = start_ms + number * HOUR_MS // per_hour
            known = {} if at_ms >= missing_from_ms else {"x": value(at_ms)}
            events.append(json.dumps({"id": f"{start_ms}-{number}", "ts": at_ms, **known}).encode())
    detect = {"false_alarms": "1 per 7d", "pane": window, "defaults": {"window": window}}
    schema = {"id": "id", "features": {"x": {"type": "category"}}}
    store, _ = replayed_lines(folder, events, configured(detect=detect, schema=schema, segments=[]))
    return store


def firing(store: Store) -> list[dict[str, Any]]:
    return [row for row in rows(store, "alerts") if row["sequence"] == 0]


@pytest.mark.parametrize("value", [weekday, part])
def test_what_follows_the_clock_is_told_in_its_first_days_at_most(tmp_path: Path, value: Value) -> None:
    """A day of the week had seven alerts in three weeks, and a part of the day four in as many days."""
    store = replayed(tmp_path, value)
    assert len(firing(store)) <= 2
    assert all(row["at_ms"] <= START_MS + 3 * DAY_MS for row in firing(store))
    newest = [row for row in rows(store, "scores") if row["signal"] == "feature:x" and row["detector"] == "change"][-1]
    assert (newest["status"], newest["detail"]) == ("no_data", ONE_VALUE)


def test_an_alert_of_it_is_over_after_three_days_of_which_nothing_is_said(tmp_path: Path) -> None:
    """It stood for weeks, and was updated with each window that no event came in."""
    transitions = rows(replayed(tmp_path, part, window="5m", days=7, per_hour=84), "alerts")
    states = {row["alert_id"]: (row["state"], row["at_ms"]) for row in transitions}
    assert states
    for state, at_ms in states.values():
        assert state == "resolved"
        assert at_ms <= START_MS + 5 * DAY_MS


def test_its_values_that_are_missing_are_found(tmp_path: Path) -> None:
    from_ms = START_MS + 20 * DAY_MS
    found = [row for row in firing(replayed(tmp_path, weekday, missing_from_ms=from_ms)) if row["at_ms"] > from_ms]
    assert [row["at_ms"] for row in found] == [from_ms + HOUR_MS]
    assert "missing 0 % → 100 %" in found[0]["title"]


def test_what_has_another_value_only_while_it_is_broken_is_told_each_time(tmp_path: Path) -> None:
    assert len(firing(replayed(tmp_path, broken_by_hours))) == 9


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.booleans()), min_size=1, max_size=60),
    st.integers(0, 60),
)
def test_windows_may_be_cut_anywhere_and_a_checkpoint_lie_between(
    windows: list[tuple[int, int, bool]], at: int
) -> None:
    names = ["a", "b", "c", "d"]
    counts = np.zeros((len(windows), 4), dtype=np.int64)
    for t, (value, n, is_mixed) in enumerate(windows):
        counts[t, value] = n
        counts[t, (value + 1) % 4] += n // 2 * is_mixed
    ends_ms, n = np.arange(1, len(windows) + 1) * HOUR_MS, counts.sum(axis=1)
    at_once = OneValue().take(ends_ms, counts, n, names)
    first = OneValue()
    former = first.take(ends_ms[:at], counts[:at], n[:at], names)
    second = OneValue.restored(json.loads(json.dumps(first.snapshot())))
    later = second.take(ends_ms[at:], counts[at:][:, ::-1], n[at:], names[::-1])
    assert at_once.tolist() == [*former.tolist(), *later.tolist()]


def test_few_values_are_one_by_chance() -> None:
    counts = np.eye(4, dtype=np.int64)[np.arange(200) % 4] * 4
    is_one = OneValue().take(np.arange(200) * HOUR_MS, counts, counts.sum(axis=1), ["a", "b", "c", "d"])
    assert not is_one.any()
