"""Which values are times, in which unit, and what traffic they show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

__all__ = ["Traffic", "has_zone", "is_local_time", "read_times", "traffic_of"]

FIRST_YEAR_S, LATER_YEAR_S = 946_684_800, 4_102_444_800
"""2000 and 2100: numbers between them, in their unit, may be times."""

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

LEAST_SHARE = 0.95
"""Of the values of a field that have to be times."""

_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_LOCAL_TIME = re.compile(
    rf"(\d{{1,2}}([./-])\d{{1,2}}\2\d{{4}}|\d{{1,2}}/\d{{1,2}}/\d{{2}}|\d{{4}}([./])\d{{1,2}}\3\d{{1,2}}"
    rf"|(\w{{3,9}}, ?)?\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}|(\w{{3}} )?{_MONTH} +\d{{1,2}},? .*)\b.*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Traffic:
    """How many events come, and in which order.

    Attributes
    ----------
    events_per_hour : float
    span_ms : int
        From the first to the last of them.
    disorder_ms : int
        How far an event comes behind a later one at most, by the time in it.
    gap_ms : int
        The longest time without an event.
    """

    events_per_hour: float
    span_ms: int
    disorder_ms: int
    gap_ms: int


def read_times(values: Sequence[Any]) -> tuple[str, list[int | None]] | None:
    """Return the unit of times and the times in ms; None if values are no times.

    Examples
    --------
    >>> read_times([1_700_000_000, 1_700_000_060])
    ('s', [1700000000000, 1700000060000])
    >>> read_times(["2023-11-14T22:13:20Z", None])
    ('iso', [1700000000000, None])
    >>> read_times([1_700_000_000, "2023-11-14T22:13:20Z", 1_700_000_000_000])
    ('auto', [1700000000000, 1700000000000, 1700000000000])
    >>> read_times([3, 4]) is None
    True
    """
    readable_from = LEAST_SHARE * sum(value is not None for value in values)
    for unit, read in READERS.items():
        times = [read(value) for value in values]
        if sum(time is not None for time in times) >= readable_from > 0:
            return unit, times
    return None


def has_zone(text: str) -> bool:
    """Whether a text is a time that says how far from UTC it is.

    Examples
    --------
    >>> [has_zone(text) for text in ("2024-01-01T00:00-05:00", "2024-01-01T00:00Z", "2024-01-01T00:00", "2024-01-01")]
    [True, True, False, False]
    """
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def is_local_time(text: str) -> bool:
    """Whether a text is a time, or a day, of another form than ISO 8601.

    Examples
    --------
    >>> texts = ("06.05.2024 07:30", "5/6/24", "Mon, 06 May 2024 07:30:00 GMT", "May 6, 2024", "2024/05/06")
    >>> all(map(is_local_time, texts)), [is_local_time(text) for text in ("1.5", "1.2.10", "2024-05-06")]
    (True, [False, False, False])
    """
    return _LOCAL_TIME.fullmatch(text.strip()) is not None


def traffic_of(times: Sequence[int | None], partitions: Sequence[int]) -> Traffic | None:
    """Return the traffic of events at ``times``; None if it cannot be known.

    Examples
    --------
    >>> traffic_of([0, 60_000, 30_000, 120_000], [0, 0, 0, 0])
    Traffic(events_per_hour=90.0, span_ms=120000, disorder_ms=30000, gap_ms=60000)
    """
    rate, span_ms, disorder_ms, gap_ms = 0.0, 0, 0, 0
    for partition in sorted(set(partitions)):
        own = np.array(
            [time for time, of in zip(times, partitions, strict=True) if of == partition and time is not None],
            dtype=np.int64,
        )
        if len(own) < 2 or own.max() == own.min():
            continue
        newest, ordered = np.maximum.accumulate(own), np.sort(own)
        length_ms = int(ordered[-1] - ordered[0])
        rate += (len(own) - 1) * 3_600_000 / length_ms
        span_ms = max(span_ms, length_ms)
        disorder_ms = max(disorder_ms, int((newest - own).max()))
        gap_ms = max(gap_ms, int(np.diff(ordered).max()))
    return Traffic(rate, span_ms, disorder_ms, gap_ms) if rate else None


def _of_number(value: Any, per_s: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    time_ms = value * 1_000 // per_s
    return int(time_ms) if FIRST_YEAR_S * 1_000 <= time_ms < LATER_YEAR_S * 1_000 else None


def _of_text(value: Any) -> int | None:
    # Of digits alone nobody knows whether they are a date.
    if not isinstance(value, str) or ("-" not in value[4:8] and "T" not in value[8:9]):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    time_ms = int(moment.timestamp() * 1_000)
    return time_ms if 0 <= time_ms < LATER_YEAR_S * 1_000 else None


def _in_any_unit(value: Any) -> int | None:
    return next((time for unit, read in READERS.items() if unit != "auto" and (time := read(value)) is not None), None)


READERS: Mapping[str, Callable[[Any], int | None]] = {
    **{unit: partial(_of_number, per_s=per_s) for unit, per_s in UNITS.items()},
    "iso": _of_text,
    "auto": _in_any_unit,
}
"""How a value is read in each unit; `auto` is what nothing else fits."""
