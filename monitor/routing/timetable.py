"""Times that come again: each day, by the clocks of a place, or each hour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

__all__ = ["Digest", "Timetable"]

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Timetable:
    """When something is due.

    Where clocks go forward, a time that there is not is as much later as the clocks go forward; where they go back, the
    first of two equal times counts.

    Parameters
    ----------
    minutes : sequence of int
        Of the day; none: each full hour of UTC.
    zone : tzinfo
        The place whose day it is.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> berlin = Timetable([8 * 60], ZoneInfo("Europe/Berlin"))
    >>> noon_ms = 1_704_106_800_000
    >>> [datetime.fromtimestamp(at_ms / 1000, UTC).hour for at_ms in (berlin.last(noon_ms), berlin.next(noon_ms))]
    [7, 7]
    """

    minutes: Sequence[int] = ()
    zone: tzinfo = UTC

    def last(self, now_ms: int) -> int:
        """Return the newest time that is not after ``now_ms``."""
        return max(at_ms for at_ms in self._around(now_ms) if at_ms <= now_ms)

    def next(self, now_ms: int) -> int:
        """Return the first time after ``now_ms``."""
        return min(at_ms for at_ms in self._around(now_ms) if at_ms > now_ms)

    def _around(self, now_ms: int) -> Iterator[int]:
        if not self.minutes:
            begun_ms = now_ms - now_ms % HOUR_MS
            yield from (begun_ms, begun_ms + HOUR_MS)
        local = datetime.fromtimestamp(now_ms / 1000, self.zone)
        for days in (-1, 0, 1):
            yield from (self._at(local.date() + timedelta(days=days), minute) for minute in self.minutes)

    def _at(self, day: date, minute: int) -> int:
        return int(datetime.combine(day, time(minute // 60, minute % 60), self.zone).timestamp()) * 1000


@dataclass(frozen=True)
class Digest:
    """When summaries are sent.

    Attributes
    ----------
    timetable : Timetable
    send_empty : bool
        Also those in which there is nothing.
    """

    timetable: Timetable
    send_empty: bool = False
