"""A local day begins at the first moment of its date, in every time zone and around every change of its clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from monitor.evaluate.calendar import Calendar
from monitor.values import DAY_MS

QUARTER_MS, HOUR_MS = 900_000, 3_600_000
FROM_MS, TO_MS = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000 for year in (2020, 2031))
STEP_MS = 3 * DAY_MS


def local(at_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ms // 1_000, zone)


def changes(zone: ZoneInfo) -> Iterator[tuple[int, timedelta | None, timedelta | None]]:
    """Yield when a zone's offset changes, to the quarter of an hour, and what it was and becomes."""
    for at_ms in range(FROM_MS, TO_MS, STEP_MS):
        low_ms, high_ms = at_ms, at_ms + STEP_MS
        former, later = local(low_ms, zone).utcoffset(), local(high_ms, zone).utcoffset()
        if former == later:
            continue
        while high_ms - low_ms > QUARTER_MS:
            middle_ms = (low_ms + high_ms) // 2 // QUARTER_MS * QUARTER_MS
            is_former = local(middle_ms, zone).utcoffset() == former
            low_ms, high_ms = (middle_ms, high_ms) if is_former else (low_ms, middle_ms)
        yield high_ms, former, later


def test_the_day_of_a_window_begins_at_the_first_moment_of_its_date() -> None:
    wrong, alike = [], set()
    for name in files("tzdata").joinpath("zones").read_text().split():
        zone = ZoneInfo(name)
        calendar = Calendar(name, (), QUARTER_MS)
        for change in changes(zone):
            if change in alike:
                continue
            alike.add(change)
            times = range(change[0] - 5 * DAY_MS // 2, change[0] + 5 * DAY_MS // 2, QUARTER_MS)
            dates = [local(at_ms, zone).date() for at_ms in times]
            starts: dict[date, int] = {}
            for at_ms, day in zip(times, dates, strict=True):
                starts.setdefault(day, at_ms)
            wrong += [
                (name, local(at_ms, zone).isoformat())
                for at_ms, day in zip(times, dates, strict=True)
                if day != dates[0] and calendar.day_start(at_ms + QUARTER_MS) != starts[day]
            ]
    assert len(alike) > 500
    assert wrong == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu"])
@pytest.mark.parametrize("hours", [0.25, 1, 6])
def test_days_before_one_begin_when_they_did(zone: str, hours: float) -> None:
    """An hour was lost or gained where clocks changed since: also where that is at midnight, as in Santiago."""
    step_ms = round(hours * HOUR_MS)
    calendar = Calendar(zone, (), step_ms)
    ends = range(FROM_MS + step_ms, FROM_MS + 366 * DAY_MS, step_ms)
    starts = {calendar.moment(end_ms).day: calendar.day_start(end_ms) for end_ms in ends}
    newest = {calendar.moment(end_ms).day: end_ms for end_ms in ends}
    days = sorted(starts)
    assert all(
        calendar.day_start(newest[day], before) == starts[day - before] for day in days[40:] for before in (0, 1, 2, 40)
    )


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Helsinki",
        "Europe/Dublin",
        "America/New_York",
        "America/Denver",
        "Asia/Kolkata",
        "Pacific/Chatham",
        "UTC",
    ],
)
@pytest.mark.parametrize("hours", [2, 3, 4, 6, 8, 12, 24])
@pytest.mark.parametrize("offset_hours", [0.0, 0.5, 16.0])
def test_clocks_that_change_move_no_long_window(zone: str, hours: int, offset_hours: float) -> None:
    """For weeks after a change windows of six hours in Helsinki were compared with those of six hours later."""
    step_ms, start_ms = hours * HOUR_MS, int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000
    offset_ms = round(offset_hours * HOUR_MS) % step_ms
    calendar = Calendar(zone, (), step_ms, offset_ms)
    ends = range(start_ms + offset_ms + step_ms, start_ms + offset_ms + 360 * DAY_MS, step_ms)
    moments = [calendar.moment(end_ms) for end_ms in ends]
    per_day = 24 // hours
    slots = [int(moment.time_of_day * per_day) for moment in moments]
    assert len({(number % per_day, slot) for number, slot in enumerate(slots)}) == per_day
    assert {(moment.time_of_day * per_day) % 1 for moment in moments} == {0.5}
    by_day = Counter(moment.day for moment in moments)
    assert {by_day[day] for day in sorted(by_day)[1:-1]} == {per_day}
    starts = {moment.day: calendar.day_start(end_ms) for moment, end_ms in zip(moments, ends, strict=True)}
    assert {later - start for start, later in pairwise(starts.values())} == {DAY_MS}


@pytest.mark.parametrize(("zone", "offset_ms"), [("Asia/Kolkata", 0), ("Asia/Kathmandu", 0), ("UTC", HOUR_MS // 2)])
def test_an_hour_is_in_the_middle_of_one_of_the_day(zone: str, offset_ms: int) -> None:
    """It lay on the edge of two: what is expected of it was the mean of both, which is biased where these differ."""
    calendar = Calendar(zone, (), HOUR_MS, offset_ms)
    times = [calendar.moment(number * HOUR_MS + offset_ms).time_of_day * 24 for number in range(24)]
    assert sorted(times) == pytest.approx([hour + 0.5 for hour in range(24)])
