"""Clocks that people put forward or back while those of a configuration's time zone stay: everything comes an hour off.

What is usual at an hour is learned by the hours of `detect.time_zone`. Where the people whose traffic it is have summer
time and that zone has none, what they do moves by an hour twice a year, in all signals with a season. Such alarms are
right, and are told; :class:`ClockChanges` knows when to say what may be behind them.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from detectors.change.expectation import expected_over
from monitor.alerts.verdict import ClockChange
from monitor.values import DAY_MS

__all__ = ["HOUR_MS", "clock_changes", "moved_by_hours"]

Floats = NDArray[np.float64]

REGIONS = {"Europe": "Europe/Berlin", "North America": "America/New_York", "Australia": "Australia/Sydney"}
"""Where most clocks change at once, and a zone that has these changes."""

DAYS = 14
"""For how long after a change of clocks it is thought of: after these, what comes an hour off has been learned."""

HOUR_MS = 3_600_000


@lru_cache(maxsize=1024)
def clock_changes(time_zone: str, hour: int) -> tuple[ClockChange, ...]:
    """Return the changes of clocks within two weeks that a time zone does not go along with, or that only it has.

    Parameters
    ----------
    time_zone : str
    hour : int
        Hours since the epoch; the end of the two weeks.

    Returns
    -------
    tuple of ClockChange
        One for each number of hours.

    Examples
    --------
    >>> [change.said for change in clock_changes("UTC", 475_546)]  # 2024-04-01 10:00 UTC
    ['in Europe on 2024-03-31']
    >>> [(change.said, change.hours) for change in clock_changes("Europe/Rome", 475_546)]
    [('in Europe/Rome on 2024-03-31', -1.0)]
    """
    at_ms, ours = hour * HOUR_MS, ZoneInfo(time_zone)
    own_hours = _hours_moved(ours, at_ms)
    by_hours: dict[float, list[str]] = {}
    for region, name in REGIONS.items():
        zone = ZoneInfo(name)
        if (theirs := _hours_moved(zone, at_ms)) and theirs != own_hours:
            by_hours.setdefault(theirs - own_hours, []).append(f"in {region} on {_moved_on(zone, at_ms)}")
    if own_hours:
        by_hours.setdefault(-own_hours, []).append(f"in {time_zone} on {_moved_on(ours, at_ms)}")
    return tuple(ClockChange(" and ".join(places), hours, time_zone) for hours, places in sorted(by_hours.items()))


def _hours_moved(zone: ZoneInfo, at_ms: int) -> float:
    """Return by how many hours a zone's clocks have been put forward within the two weeks before a time."""
    return (_offset(zone, at_ms) - _offset(zone, at_ms - DAYS * DAY_MS)) / timedelta(hours=1)


def _moved_on(zone: ZoneInfo, at_ms: int) -> date:
    """Return the local day on which a zone's clocks were put to what they are."""
    now = _offset(zone, at_ms)
    hours = next(hours for hours in range(DAYS * 24 + 1) if _offset(zone, at_ms - hours * HOUR_MS) != now)
    return datetime.fromtimestamp(at_ms / 1000 - (hours - 1) * 3600, zone).date()


def _offset(zone: ZoneInfo, at_ms: int) -> timedelta:
    offset = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def moved_by_hours(expected: Floats, rows: Floats, row: int, times: Floats, hours: float) -> float:
    """Return by how much what is expected at some times of the day would differ if it came so many hours later.

    Parameters
    ----------
    expected : float64 array [R, H]
    rows : float64 array [R, ROW]
    row : int
    times : float64 array [T]
        In [0, 1).
    hours : float

    Returns
    -------
    float
        The mean over the times, in the units of expectations; NaN where nothing is expected.
    """
    as_usual, moved = np.empty((1, len(times))), np.empty((1, len(times)))
    chosen = np.array([row])
    expected_over(expected, rows, chosen, times, as_usual)
    expected_over(expected, rows, chosen, (times + hours / 24) % 1.0, moved)
    return math.fsum((moved - as_usual)[0]) / len(times)
