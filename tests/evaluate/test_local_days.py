"""A local day begins at the first moment of its date, in every time zone and around every change of its clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

from monitor.evaluate.calendar import Calendar
from monitor.values import DAY_MS

QUARTER_MS = 900_000
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
