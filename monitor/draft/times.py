"""Which values are times, in which unit, and what traffic they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

__all__ = ["Traffic", "has_zone", "read_times", "traffic_of"]

FIRST_YEAR_S, LATER_YEAR_S = 946_684_800, 4_102_444_800
"""2000 and 2100: numbers between them, in their unit, may be times."""

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

LEAST_SHARE = 0.95
"""Of the values of a field that have to be times."""


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
    >>> read_times([3, 4]) is None
    True
    """
    present = [value for value in values if value is not None]
    numbers = [value for value in present if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) >= LEAST_SHARE * len(present) > 0:
        unit = _unit_of(numbers)
        return None if unit is None else (unit, [_of_number(value, UNITS[unit]) for value in values])
    times = [_of_text(value) for value in values]
    readable = sum(time is not None for time in times)
    return ("iso", times) if readable >= LEAST_SHARE * len(present) > 0 else None


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


def _unit_of(numbers: Sequence[float]) -> str | None:
    for unit, factor in UNITS.items():
        fitting = sum(FIRST_YEAR_S * factor <= number < LATER_YEAR_S * factor for number in numbers)
        if fitting >= LEAST_SHARE * len(numbers):
            return unit
    return None


def _of_number(value: Any, per_s: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    time_ms = value * 1_000 // per_s
    return int(time_ms) if FIRST_YEAR_S * 1_000 <= time_ms < LATER_YEAR_S * 1_000 else None


def _of_text(value: Any) -> int | None:
    if not isinstance(value, str) or "-" not in value[4:8]:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    time_ms = int(moment.timestamp() * 1_000)
    return time_ms if 0 <= time_ms < LATER_YEAR_S * 1_000 else None
