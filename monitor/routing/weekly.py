"""Hours of the week as people say them, such as ``mon-fri 22:00-06:00``: intervals in a short form."""

from __future__ import annotations

import re
from itertools import groupby
from zoneinfo import ZoneInfo

from monitor.routing.interval_spec import minute_of, zone_of
from monitor.routing.intervals import Interval, Range

__all__ = ["weekly"]

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_EVERY_DAY = "day"
_TIMES = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)")
_MIDNIGHT = 24 * 60


def weekly(text: str, location: str) -> list[Interval]:
    """Return the intervals of some hours on some days of the week.

    Parameters
    ----------
    text : str
        Days, hours, or both: ``mon-fri``, ``sat,sun``, ``day`` for all of them; ``09:00-17:00``. Hours that end before
        they begin go on into the next day.
    location : str
        A time zone, such as ``Europe/Berlin``.

    Raises
    ------
    ValueError
        It is none of these.

    Examples
    --------
    >>> from monitor.routing.interval_spec import in_words
    >>> in_words(weekly("mon-fri 22:00-06:00", "Europe/Berlin"))
    'monday:friday 22:00-24:00 Europe/Berlin; tuesday:saturday 00:00-06:00 Europe/Berlin'
    >>> in_words(weekly("sat-mon", "UTC")), in_words(weekly("day 03:00-04:00", "UTC"))
    ('sunday:monday,saturday UTC', '03:00-04:00 UTC')
    """
    words = text.lower().split()
    hours = _TIMES.fullmatch(words[-1]) if words else None
    named = words[:-1] if hours else words
    if len(named) > 1 or not words:
        raise ValueError(f"expected days, hours or both, such as 'mon-fri 22:00-06:00', got {text!r}")
    days, zone = _days(named[0] if named else _EVERY_DAY), zone_of(location)
    if hours is None:
        return [_interval(days, None, zone)]
    start, end = map(minute_of, hours.groups())
    if start < end:
        return [_interval(days, (start, end), zone)]
    intervals = [_interval(days, (start, _MIDNIGHT), zone)]
    if end:
        intervals.append(_interval({(day + 1) % 7 for day in days}, (0, end), zone))
    return intervals


def _interval(days: set[int], hours: Range | None, zone: ZoneInfo) -> Interval:
    return Interval(hours and [hours], None if len(days) == len(_DAYS) else _ranges(days), zone=zone)


def _days(text: str) -> set[int]:
    if text == _EVERY_DAY:
        return set(range(len(_DAYS)))
    days: set[int] = set()
    for part in text.split(","):
        first, *rest = (_day(name) for name in part.split("-", 1))
        length = (rest[0] - first) % 7 if rest else 0
        days |= {(first + day) % 7 for day in range(length + 1)}
    return days


def _day(name: str) -> int:
    short = name[:3]
    if short not in _DAYS or name not in (short, _LONG[short]):
        raise ValueError(f"{name!r} is no day of the week: expected one of {', '.join(_DAYS)}, or day for all of them")
    return _DAYS.index(short)


_LONG = {name[:3]: name for name in ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")}


def _ranges(days: set[int]) -> list[Range]:
    """Days that follow each other, as ranges."""
    groups = groupby(enumerate(sorted(days)), key=lambda pair: pair[1] - pair[0])
    spans = [[day for _, day in group] for _, group in groups]
    return [(span[0], span[-1]) for span in spans]
