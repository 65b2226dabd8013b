"""Where people put their clocks forward and a time zone does not, alarms say what may be behind them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from monitor.alerts.verdict import ClockChange, Facts
from monitor.evaluate.calendar import Calendar
from tests.monitor.streams import DAY_MS, HOUR_MS, configured, replayed_lines, rows

FROM_MS = int(datetime(2024, 3, 6, tzinfo=UTC).timestamp()) * 1_000
CHANGE_MS = int(datetime(2024, 3, 31, 1, tzinfo=UTC).timestamp()) * 1_000
"""When clocks go forward in Berlin."""

PER_HOUR, DAYS = 60, 27

Course = Callable[[int], float]
"""Returns the typical value of an hour, by its start."""


def by_the_clock_of(zone: str) -> Course:
    def course(at_ms: int) -> float:
        local = datetime.fromtimestamp(at_ms / 1_000, ZoneInfo(zone))
        return 2.0 * float(np.sin(2 * np.pi * (local.hour - 9) / 24))

    return course


def moved(at_ms: int) -> float:
    return by_the_clock_of("UTC")(at_ms) + 3.0 * (at_ms >= CHANGE_MS)


def alarmed(folder: Path, course: Course, time_zone: str, **options: Any) -> list[tuple[int, str]]:
    """When alerts fired, and what was said of the number."""
    rng, lines = np.random.default_rng(1), []
    for start_ms in range(FROM_MS, FROM_MS + DAYS * DAY_MS, HOUR_MS):
        for number, value in enumerate((course(start_ms) + rng.normal(size=PER_HOUR)).tolist()):
            event = {"id": f"{start_ms}/{number}", "ts": start_ms + number * HOUR_MS // PER_HOUR, "x": value}
            lines.append(json.dumps(event).encode())
    detect = {"pane": "1h", "defaults": {"window": "1h"}, "false_alarms": "1 per 30d", "time_zone": time_zone}
    schema = {"id": "id", "features": {"x": {"type": "numeric"}}}
    configuration = configured(detect=detect, schema=schema, segments=[])
    store, _ = replayed_lines(folder, lines, configuration, **options)
    fired = [alert for alert in rows(store, "alerts") if alert["state"] == "firing"]
    assert all(row["detail"] for row in rows(store, "scores") if row["status"] == "drift")
    return [
        (alert["at_ms"], entry["reason"])
        for alert in fired
        for entry in json.loads(alert["signals"])
        if entry["signal"] == "feature:x"
    ]


def test_alarms_after_clocks_went_forward_say_that_it_is_as_it_was_an_hour_later(tmp_path: Path) -> None:
    reasons = alarmed(tmp_path, by_the_clock_of("Europe/Berlin"), "UTC")
    assert [at_ms for at_ms, _ in reasons if at_ms <= CHANGE_MS] == []
    assert reasons
    sentence = (
        "much as it used to be an hour later: clocks changed in Europe on 2024-03-31, and `detect.time_zone` is UTC; "
        "if that is it, name the zone of those whose traffic it is"
    )
    assert all(sentence in reason for _, reason in reasons)


def test_where_the_time_zone_has_the_change_nothing_alarms(tmp_path: Path) -> None:
    assert alarmed(tmp_path, by_the_clock_of("Europe/Berlin"), "Europe/Berlin") == []


def test_where_only_the_time_zone_has_it_that_is_said_too(tmp_path: Path) -> None:
    reasons = alarmed(tmp_path, by_the_clock_of("Asia/Tokyo"), "Europe/Berlin")
    assert "an hour earlier: clocks changed in Europe/Berlin on 2024-03-31" in reasons[0][1]


def test_what_moves_otherwise_in_these_weeks_has_nothing_to_do_with_clocks(tmp_path: Path) -> None:
    (at_ms, reason), *_ = alarmed(tmp_path, moved, "UTC")
    assert at_ms == CHANGE_MS + HOUR_MS
    assert "clocks" not in reason


@pytest.mark.parametrize(
    ("time_zone", "at", "hours", "said"),
    [
        ("UTC", "2024-03-12", [1.0], "in North America on 2024-03-10"),
        ("UTC", "2024-03-31T00:59", [], ""),
        ("UTC", "2024-11-05", [-1.0], "in Europe on 2024-10-27 and in North America on 2024-11-03"),
        ("UTC", "2024-04-08", [-1.0, 1.0], "in Australia on 2024-04-07"),
        ("Europe/London", "2024-03-12", [1.0], "in North America on 2024-03-10"),
        ("Europe/London", "2024-04-02", [-1.0], "in Europe/London on 2024-03-31"),
        ("America/New_York", "2024-04-02", [1.0], "in Europe on 2024-03-31"),
        ("UTC", "2024-06-01", [], ""),
    ],
)
def test_the_two_weeks_after_a_change_of_clocks_know_of_it(
    time_zone: str, at: str, hours: list[float], said: str
) -> None:
    end_ms = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * 1_000
    changes = Calendar(time_zone, (), HOUR_MS).clock_changes(end_ms)
    assert [change.hours for change in changes] == hours
    assert [change.said for change in changes[:1]] == ([said] if said else [])


def test_windows_of_several_hours_tell_no_hour_from_the_next() -> None:
    assert Calendar("UTC", (), 2 * HOUR_MS).clock_changes(CHANGE_MS + DAY_MS) == ()


def test_a_checkpoint_keeps_it() -> None:
    facts = Facts(clock_change=ClockChange("in Europe on 2024-03-31", 1.0, "UTC"))
    assert Facts.from_json(json.loads(json.dumps(facts._asdict()))) == facts
