"""Moments of typed formats as the ISO 8601 texts that they are in JSON.

What lies outside the years 1 to 9999 has no such text; it becomes one that nobody takes for a time.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

__all__ = ["day_text", "instant_text", "time_text"]

_EPOCH = datetime(1970, 1, 1)
_EPOCH_DAY = _EPOCH.toordinal()


def instant_text(count: int, per_second: int, zone: str = "Z") -> str:
    """Write a count of units since the epoch, cut off at whole microseconds.

    Examples
    --------
    >>> instant_text(1_700_000_000_500, 1_000), instant_text(10**18, 1_000)
    ('2023-11-14T22:13:20.500000Z', '1000000000000000000/1000 s since 1970')
    """
    seconds, rest = divmod(count, per_second)
    try:
        moment = _EPOCH + timedelta(seconds=seconds, microseconds=rest * 1_000_000 // per_second)
    except OverflowError:
        return f"{count}/{per_second} s since 1970"
    return moment.isoformat() + zone


def day_text(days: int) -> str:
    """Write a count of days since the epoch.

    Examples
    --------
    >>> day_text(19_675), day_text(-(10**9))
    ('2023-11-14', '-1000000000 days since 1970')
    """
    try:
        return date.fromordinal(_EPOCH_DAY + days).isoformat()
    except (ValueError, OverflowError):
        return f"{days} days since 1970"


def time_text(count: int, per_second: int) -> str:
    """Write a time of day.

    Examples
    --------
    >>> time_text(80_000_500, 1_000), time_text(-1, 1_000)
    ('22:13:20.500000', '-1/1000 s since midnight')
    """
    seconds, rest = divmod(count, per_second)
    if not 0 <= seconds < 86_400:
        return f"{count}/{per_second} s since midnight"
    return (_EPOCH + timedelta(seconds=seconds, microseconds=rest * 1_000_000 // per_second)).time().isoformat()
