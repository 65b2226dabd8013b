"""Where a window lies in the week of the people whose traffic it is: local days, times of day, weekends, holidays."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from monitor.alerts.verdict import ClockChange
from monitor.evaluate.clock_changes import HOUR_MS, clock_changes

__all__ = ["Calendar", "Moment"]


class Moment(NamedTuple):
    """A place in the week.

    Attributes
    ----------
    day : int
        Number of the local day; of windows longer than a day, the number of the window.
    time_of_day : float
        In [0, 1).
    weekend : bool
        Whether the day is a Saturday, a Sunday or a holiday.
    """

    day: int
    time_of_day: float
    weekend: bool


class Calendar:
    """The days of a time zone.

    Parameters
    ----------
    time_zone : str
        Such as ``Europe/Berlin``.
    holidays : collection of date
        Days that are like a weekend.
    step_ms : int
        Length of what is placed; beyond a day it is its own day, without a weekend.
    offset_ms : int
        By which the grid of windows is shifted.

    Examples
    --------
    >>> calendar = Calendar("Europe/Berlin", (), 3_600_000)
    >>> calendar.moment(1_767_222_000_000)  # an hour that ended at midnight, 2026-01-01 in Berlin
    Moment(day=20453, time_of_day=0.9791666666666666, weekend=False)
    """

    def __init__(self, time_zone: str, holidays: Collection[date], step_ms: int, offset_ms: int = 0) -> None:
        self._zone, self._holidays = ZoneInfo(time_zone), frozenset(holidays)
        self._step_ms, self._offset_ms = step_ms, offset_ms

    def moment(self, end_ms: int) -> Moment:
        """Where a window lies that ends at ``end_ms``: its middle counts.

        Windows of two hours or more go by standard time all year. Summer time would move some of them by a whole
        window, or into another day, though what they hold is nearly what it was.
        """
        if self._step_ms > _DAY_MS:
            return Moment(end_ms // self._step_ms, 0.5, weekend=False)
        local = self._middle(end_ms)
        today = local.date()
        weekend = today.weekday() >= 5 or today in self._holidays
        return Moment(today.toordinal() - _EPOCH, self._time_of_day(local), weekend)

    def day_start(self, end_ms: int, days_before: int = 0) -> int:
        """When the day began in which a window lies that ends at ``end_ms``, or the one so many days before it."""
        if self._step_ms > _DAY_MS:
            return end_ms - self._step_ms - days_before * _DAY_MS
        local = self._middle(end_ms)
        if self._step_ms >= _STANDARD_MS:
            return round(end_ms - self._step_ms / 2 - _since_midnight_ms(local)) - days_before * _DAY_MS
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0) - timedelta(days=days_before)
        return round(midnight.timestamp() * 1000)

    def _time_of_day(self, local: datetime) -> float:
        """Return where in its day a window lies: in the middle of one of the equal parts that a day has of it.

        Where the clock is half an hour off those of others, or an offset shifts windows, they lie between two parts.
        """
        at_ms = _since_midnight_ms(local)
        if _DAY_MS % self._step_ms:
            return at_ms / _DAY_MS
        return (at_ms // self._step_ms + 0.5) * self._step_ms / _DAY_MS

    def day_begins_between(self, end_ms: int, next_end_ms: int) -> bool:
        """Whether two windows, by their ends, lie in different days."""
        return self.moment(end_ms).day != self.moment(next_end_ms).day

    def clock_changes(self, end_ms: int) -> tuple[ClockChange, ...]:
        """Return the changes of clocks that may lie behind what moved in a window, if windows tell hours apart."""
        return clock_changes(self._zone.key, end_ms // HOUR_MS) if self._step_ms <= HOUR_MS else ()

    def _middle(self, end_ms: int) -> datetime:
        """The middle of a window, in local time; of a long one, in standard time."""
        local = datetime.fromtimestamp((end_ms - self._step_ms / 2) / 1000, self._zone)
        saving = local.dst()
        return local - saving if saving and self._step_ms >= _STANDARD_MS else local

    def first_end(self, at_ms: int) -> int:
        """Return the end of the first window that begins at a time or later."""
        return -(-(at_ms - self._offset_ms) // self._step_ms) * self._step_ms + self._offset_ms + self._step_ms

    def days_from(self, at_ms: int) -> tuple[int, int]:
        """Return the day in which a time lies, and the first one all windows of which begin then or later."""
        end_ms = self.first_end(at_ms)
        day, former_day = self.moment(end_ms).day, self.moment(end_ms - self._step_ms).day
        is_inside = end_ms - self._step_ms > at_ms
        return former_day if is_inside else day, day + (day == former_day)


def _since_midnight_ms(local: datetime) -> float:
    since = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return since / timedelta(milliseconds=1)


_EPOCH = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
_STANDARD_MS = 7_200_000
"""Length of windows from which on they go by standard time."""
