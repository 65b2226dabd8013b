"""Intervals of time that come again, such as office hours: when a route is muted, or active.

As in Alertmanager, an interval holds a time if every kind of range that it names does, and a kind does if one of its
ranges does. Times are UTC unless a location is named. (Alertmanager takes a month in which clocks go forward for a day
shorter than it is; here -1 is its last day.)
"""

from __future__ import annotations

import calendar
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from zoneinfo import ZoneInfo

from monitor.values import DAY_MS
from sinks.receivers.times import FIRST_MS, LAST_MS

__all__ = ["Interval", "Range", "any_holds", "span_around"]

QUARTER_MIN = 15
"""Time zones differ from UTC by multiples of this."""

MINUTE_MS = 60_000
DAY_MIN = 24 * 60
LOOKS_AROUND_MS = 400 * DAY_MS

MOST_LOOKS = 5_000
"""At intervals of one calendar: who makes one that begins and ends all the time has nobody wait."""

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

    def local(self, at_ms: int) -> datetime:
        """Return a time by the clocks of the interval's zone."""
        # No zone is a day away from UTC: within these bounds every time has a date in each of them.
        at_s = min(max(at_ms, FIRST_MS + DAY_MS), LAST_MS - DAY_MS) // 1000
        return datetime.fromtimestamp(at_s, self.zone or UTC)

    def holds(self, at_ms: int) -> bool:
        """Whether a time lies in the interval."""
        at = self.local(at_ms)
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

    What holds for more than 400 days on end, or for longer than :data:`MOST_LOOKS` reach, is taken to hold as far as
    anything is looked at: a calendar that always holds would be gone through for thousands of years.

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
    first_looked_ms, last_looked_ms = max(low_ms, at_ms - LOOKS_AROUND_MS), min(high_ms, at_ms + LOOKS_AROUND_MS)
    begins_ms = _changes(intervals, at_ms, first_looked_ms, -1)
    ends_ms = _changes(intervals, at_ms, last_looked_ms, 1)
    return low_ms if begins_ms is None else begins_ms, high_ms if ends_ms is None else ends_ms


def _changes(intervals: Sequence[Interval], at_ms: int, looked_ms: int, direction: int) -> int | None:
    """Return where none of the intervals holds any more, before or after a time; None if nobody looks so far.

    It goes from one minute at which an interval may begin or end to the next. Where clocks change in between, it goes
    in small steps.
    """
    marks = [sorted({0, DAY_MIN, *chain.from_iterable(interval.times or ())}) for interval in intervals]
    step_min = math.gcd(QUARTER_MIN, *chain.from_iterable(marks))
    edge_ms = at_ms - at_ms % (step_min * MINUTE_MS) + (step_min * MINUTE_MS if direction > 0 else 0)
    for _ in range(MOST_LOOKS // len(intervals)):
        if direction * (looked_ms - edge_ms) <= 0:
            break
        # What begins at the edge, or ends there.
        beyond_ms = edge_ms if direction > 0 else edge_ms - step_min * MINUTE_MS
        if not _holds(intervals, beyond_ms):
            return edge_ms
        constant_min = min(map(partial(_constant_min, beyond_ms, direction, step_min), intervals, marks))
        edge_ms += direction * constant_min * MINUTE_MS
    return None


def _constant_min(at_ms: int, direction: int, step_min: int, interval: Interval, marks: Sequence[int]) -> int:
    """Return for how many minutes an interval stays as it is in the step at ``at_ms``, that step included."""
    at = interval.local(at_ms)
    minute = at.hour * 60 + at.minute
    following, preceding = marks[bisect_right(marks, minute)], marks[bisect_right(marks, minute) - 1]
    constant_min = following - minute if direction > 0 else minute - preceding + step_min
    other = interval.local(at_ms + direction * constant_min * MINUTE_MS)
    return constant_min if other.utcoffset() == at.utcoffset() else step_min


def _holds(intervals: Sequence[Interval], at_ms: int) -> bool:
    return any(interval.holds(at_ms) for interval in intervals)
