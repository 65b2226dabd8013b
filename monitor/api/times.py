"""Times as people write them in parameters, and as Alertmanager writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

from pydantic import BeforeValidator

from monitor.errors import InputError
from monitor.values import parse_duration
from sinks.receivers.times import EPOCH, OUTSIDE, lies_within, moment

__all__ = ["PostedTime", "ms_of", "parse_range", "parse_time", "rfc3339"]

# A `+` in a query string that was not quoted arrives as a space.
_UNQUOTED_OFFSET = re.compile(r" (\d\d:?\d\d)$")
ALLOWED = "ISO 8601 (UTC without an offset), ms since the epoch, `now`, or relative to now such as -1h"


def _as_text(value: object) -> str:
    """Say in words what is wrong with a value that is neither a text nor a whole number, or far too long a one."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError(f"this is not a time; allowed is {ALLOWED}")
    if not lies_within(int(value)):
        raise ValueError(f"this is too far away: {OUTSIDE}")
    return str(int(value))


PostedTime = Annotated[str | int, BeforeValidator(_as_text)]
"""A time in a body, for :func:`parse_time`."""


def parse_time(text: str, now_ms: int) -> int:
    """Return a time in ms since the epoch.

    Parameters
    ----------
    text : str
        ISO 8601 (without an offset it is UTC), whole ms since the epoch, ``now``, or a duration with a sign: ``-1h``.
    now_ms : int
        What relative times are relative to.

    Raises
    ------
    InputError
        If it is none of these, or outside the years 1 to 9999.

    Examples
    --------
    >>> parse_time("2024-01-01", 0), parse_time("2024-01-01T01:00:00+01:00", 0), parse_time("-1m30s", 100_000)
    (1704067200000, 1704067200000, 10000)
    """
    at_ms = _read(text.strip(), now_ms)
    if not lies_within(at_ms):
        raise InputError(f"{text.strip()!r} is too far away: {OUTSIDE}")
    return at_ms


def _read(text: str, now_ms: int) -> int:
    if re.fullmatch(r"\d{1,18}", text):
        return int(text)
    if text == "now":
        return now_ms
    if text[:1] in {"-", "+"}:
        return now_ms + _shift_ms(text)
    try:
        time = datetime.fromisoformat(_UNQUOTED_OFFSET.sub(r"+\1", text))
    except ValueError as error:
        raise InputError(f"{text!r} is not a time; allowed is {ALLOWED}") from error
    return ms_of(time if time.tzinfo else time.replace(tzinfo=UTC))


def parse_range(from_: str | None, to: str | None, now_ms: int) -> tuple[int | None, int | None]:
    """Return the two ends of a span of time, ``[from, to)``, each None where it is open.

    Raises
    ------
    InputError
        If an end is no time, or nothing lies between them.
    """
    from_ms = None if from_ is None else parse_time(from_, now_ms)
    to_ms = None if to is None else parse_time(to, now_ms)
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise InputError(f"`from` ({from_}) must be before `to` ({to})")
    return from_ms, to_ms


def _shift_ms(text: str) -> int:
    try:
        shift_ms = parse_duration(text[1:])
    except (ValueError, OverflowError) as error:
        raise InputError(f"{text!r} is not a time: {error}; allowed is {ALLOWED}") from error
    return shift_ms if text[0] == "+" else -shift_ms


def ms_of(at: datetime) -> int:
    """Return a time in ms since the epoch."""
    return (at - EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=1_000)
def rfc3339(at_ms: int) -> str:
    """Return a time as text. Of thousands of alerts many have the same.

    Examples
    --------
    >>> rfc3339(1_700_000_000_500)
    '2023-11-14T22:13:20.500Z'
    """
    return f"{moment(at_ms).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
