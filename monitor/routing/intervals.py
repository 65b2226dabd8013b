"""Intervals of time that come again, such as office hours: when a route is muted, or active.

As in Alertmanager, an interval holds a time if every kind of range that it names does, and a kind does if one of its
ranges does. Times are UTC unless a location is named. (Alertmanager takes a month in which clocks go forward for a day
shorter than it is; here -1 is its last day.)
"""

from __future__ import annotations

import calendar
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from monitor.values import DAY_MS
from sinks.receivers.times import FIRST_MS, LAST_MS

__all__ = ["Interval", "Range", "any_holds", "span_around"]

QUARTER_MIN = 15
"""Time zones differ from UTC by multiples of this."""

MINUTE_MS = 60_000
LOOKS_AROUND_MS = 400 * DAY_MS

Range = tuple[int, int]
"""First and last, both included."""


@dataclass(frozen=True)
class Interval:
    """One interval.

    Parameters
    ----------
    times : sequence of Range, or None
        Minutes of the day; here the last is not included.
    weekdays : sequence of Range, or None
        0 is Sunday.
    days_of_month : sequence of Range, or None
        Negative ones count from the month's end: -1 is its last day.
    months, years : sequence of Range, or None
    zone : ZoneInfo or None
        UTC if None.

    Examples
    --------
    >>> office = Interval(times=[(9 * 60, 17 * 60)], weekdays=[(1, 5)], zone=ZoneInfo("Europe/Berlin"))
    >>> monday_ms = 1_704_067_200_000
    >>> office.holds(monday_ms), office.holds(monday_ms + 8 * 3_600_000)
    (False, True)
    """

    times: Sequence[Range] | None = None
    weekdays: Sequence[Range] | None = None
    days_of_month: Sequence[Range] | None = None
    months: Sequence[Range] | None = None
    years: Sequence[Range] | None = None
    zone: ZoneInfo | None = None

    def holds(self, at_ms: int) -> bool:
        """Whether a time lies in the interval."""
        # No zone is a day away from UTC: within these bounds every time has a date in each of them.
        at_s = min(max(at_ms, FIRST_MS + DAY_MS), LAST_MS - DAY_MS) // 1000
        at = datetime.fromtimestamp(at_s, self.zone or UTC)
        last_day = calendar.monthrange(at.year, at.month)[1]
        days = None if self.days_of_month is None else [_in_month(span, last_day) for span in self.days_of_month]
        minute = at.hour * 60 + at.minute
        return (
            (self.times is None or any(low <= minute < high for low, high in self.times))
            and _is_in(at.isoweekday() % 7, self.weekdays)
            and _is_in(at.day, days)
            and _is_in(at.month, self.months)
            and _is_in(at.year, self.years)
        )


def _is_in(value: int, ranges: Iterable[Range] | None) -> bool:
    return ranges is None or any(low <= value <= high for low, high in ranges)


def _in_month(span: Range, last_day: int) -> Range:
    low, high = (day if day > 0 else last_day + day + 1 for day in span)
    return low, min(high, last_day)


def any_holds(names: Iterable[str], intervals: Mapping[str, Sequence[Interval]], at_ms: int) -> str | None:
    """Return the first of the named intervals that holds a time, or None."""
    return next((name for name in names if any(interval.holds(at_ms) for interval in intervals[name])), None)


def span_around(intervals: Sequence[Interval], at_ms: int, low_ms: int, high_ms: int) -> Range:
    """Return the beginning and the end of the time around ``at_ms`` in which one of the intervals holds all along.

    What holds for more than 400 days on end is taken to hold as far as anything is looked at: a calendar that always
    holds would be gone through for thousands of years.

    Parameters
    ----------
    intervals : sequence of Interval
        One of them holds ``at_ms``.
    at_ms : int
    low_ms, high_ms : int
        Nothing before and after is looked at.

    Examples
    --------
    >>> night = [Interval(times=[(22 * 60, 24 * 60)]), Interval(times=[(0, 6 * 60)])]
    >>> hour_ms = 3_600_000
    >>> [end_ms // hour_ms for end_ms in span_around(night, 25 * hour_ms, 0, 48 * hour_ms)]
    [22, 30]
    """
    marks = [minute for interval in intervals for span in interval.times or () for minute in span]
    step_ms = math.gcd(QUARTER_MIN, *marks) * MINUTE_MS
    first_ms = at_ms - at_ms % step_ms
    last_ms = first_ms + step_ms
    first_looked_ms, last_looked_ms = max(low_ms, at_ms - LOOKS_AROUND_MS), min(high_ms, at_ms + LOOKS_AROUND_MS)
    while first_ms > first_looked_ms and _holds(intervals, first_ms - step_ms):
        first_ms -= step_ms
    while last_ms < last_looked_ms and _holds(intervals, last_ms):
        last_ms += step_ms
    begins_ms = low_ms if first_ms <= first_looked_ms else first_ms
    return begins_ms, high_ms if last_ms >= last_looked_ms else last_ms


def _holds(intervals: Sequence[Interval], at_ms: int) -> bool:
    return any(interval.holds(at_ms) for interval in intervals)
