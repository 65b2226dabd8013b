"""The time of an event, in whichever unit the producer writes it.

Numbers are times from 2000 to 2200. So a number is a time in one unit at most: ``auto`` takes it, of each number by
itself, and a number that is a time only in another unit than the stated one is refused, with that unit. ISO 8601 texts
need no unit, are read as such, and go back to 1970, the first moment of which is an unset field that became 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from monitor.decoders import iso8601
from monitor.decoders.values import Cell, display
from monitor.packed import Packed, Texts

__all__ = ["BOUND_MS", "EARLIEST_MS", "EventTimes"]

EARLIEST_MS, BOUND_MS = 946_684_800_000, 7_258_118_400_000
"""2000-01-01 and 2200-01-01: numbers lie from the one up to the other."""

_PER_MS = {"s": (1_000, 1), "ms": (1, 1), "us": (1, 1_000), "ns": (1, 1_000_000)}
_MICROSECONDS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
_PRODUCT_IS_FINITE = 1e300
_INTEGER = re.compile(r"-?[0-9]{1,30}")
Values = Sequence[object] | NDArray[np.int64]
Read = Values | Packed
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNREADABLE = "event_time_unreadable"
_OUTSIDE = "event_time_out_of_bounds"


class EventTimes:
    """Reads event times.

    Parameters
    ----------
    unit : str
        ``auto``, ``s``, ``ms``, ``us``, ``ns`` or ``iso``.

    Examples
    --------
    >>> times = EventTimes("auto")
    >>> times.read([1_700_000_000, 1_700_000_000_500, "2023-11-14T22:13:21Z", None])
    (array([1700000000000, 1700000000500, 1700000001000,             0]), {3: 'no_event_time'})
    """

    def __init__(self, unit: str) -> None:
        self.unit = unit

    def read(self, values: Read) -> tuple[NDArray[np.int64], dict[int, str]]:
        """Return times, and the reason for each that cannot be used.

        Parameters
        ----------
        values : sequence of n JSON values, int64 array [n], or Packed texts [n]

        Returns
        -------
        event_ms : int64 array [n]
            Fractions of a ms are cut off; 0 where there is a reason.
        wrong : dict of int to str
            Index to reason.
        """
        if isinstance(values, Packed):
            times = iso8601.times(values) if self.unit in {"auto", "iso"} else None
            if times is not None and (not len(times) or times.max() < BOUND_MS):
                return times, {}
            values = Texts(values).tolist()
        times = _column(values, self.unit)
        if times is not None:
            return times, {}
        values = values.tolist() if isinstance(values, np.ndarray) else values
        result = np.zeros(len(values), dtype=np.int64)
        wrong: dict[int, str] = {}
        for index, value in enumerate(values):
            event_ms, reason = self._one(value)
            if reason:
                wrong[index] = reason
            else:
                result[index] = event_ms
        return result, wrong

    def detail(self, value: object, reason: str) -> str:
        """Return what to say of a value that was refused: of a number, which time it is, and in which unit it is one.

        Examples
        --------
        >>> EventTimes("ms").detail(1_790_000_000, "event_time_out_of_bounds")
        '1790000000 in ms is 1970-01-21; in s it is 2026-09-21: is `unit: s` meant?'
        >>> EventTimes("s").detail(0, "event_time_out_of_bounds")
        '0 in s is 1970-01-01: numbers are times from 2000 to 2200'
        >>> EventTimes("auto").detail(1_000, "event_time_out_of_bounds")
        '1000 is in no unit a time from 2000 to 2200'
        """
        x = self._number(value) if reason == _OUTSIDE else None
        if x is None:
            return display(value)
        if self.unit == "auto":
            return f"{display(value)} is in no unit a time from 2000 to 2200"
        event_ms, unit = _unbounded(x, self.unit), _unit_of(x)
        date = "no time" if event_ms is None else _date(event_ms)
        if unit is None:
            return f"{display(value)} in {self.unit} is {date}: numbers are times from 2000 to 2200"
        other = _date(_bounded(x, unit)[0])
        return f"{display(value)} in {self.unit} is {date}; in {unit} it is {other}: is `unit: {unit}` meant?"

    def _one(self, value: object) -> tuple[int, str]:
        if value is None or value == "":
            return 0, "no_event_time"
        x = self._number(value)
        if x is not None:
            unit = _unit_of(x) if self.unit == "auto" else self.unit
            return (0, _OUTSIDE) if unit is None else _bounded(x, unit)
        if isinstance(value, str) and self.unit in {"auto", "iso"}:
            return _iso(value)
        return 0, _UNREADABLE

    def _number(self, value: object) -> int | float | None:
        return None if self.unit == "iso" else _as_number(value, least_digits=9 if self.unit == "auto" else 1)


def _as_number(value: object, least_digits: int) -> int | float | None:
    """A number, also one that is written as a text, as encoders of 64-bit integers do."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) >= least_digits and _INTEGER.fullmatch(value):
        return int(value)
    return value.fraction() if isinstance(value, Cell) else None


def _unbounded(x: int | float, unit: str) -> int | None:
    """Return a number in ms; None where it is none that is finite."""
    if isinstance(x, int):
        factor, divisor = _PER_MS[unit]
        return x * factor // divisor
    # 1.001 s is 1.000999… in binary: rounding to the µs first restores what the producer meant.
    microseconds = x * _MICROSECONDS[unit]
    return round(microseconds) // 1_000 if math.isfinite(microseconds) else None


def _bounded(x: int | float, unit: str) -> tuple[int, str]:
    event_ms = _unbounded(x, unit)
    return (event_ms, "") if event_ms is not None and EARLIEST_MS <= event_ms < BOUND_MS else (0, _OUTSIDE)


def _unit_of(x: int | float) -> str | None:
    """Return the one unit in which a number is a time, if there is any."""
    return next((unit for unit in _PER_MS if not _bounded(x, unit)[1]), None)


def _date(event_ms: int) -> str:
    if event_ms < 0:
        return "before 1970"
    return "after 2199" if event_ms >= BOUND_MS else f"{_EPOCH + timedelta(milliseconds=event_ms):%Y-%m-%d}"


def _iso(value: str) -> tuple[int, str]:
    try:
        moment = datetime.fromisoformat(value)
        since = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        return 0, _UNREADABLE
    event_ms = since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000
    return (event_ms, "") if 0 < event_ms < BOUND_MS else (0, _OUTSIDE)


def _column(values: Values, unit: str) -> NDArray[np.int64] | None:
    """All times at once, where they are plain numbers within bounds; None where anything needs a closer look."""
    if unit == "iso" or not len(values):
        return None
    if unit == "auto":
        first = _as_number(values.item(0) if isinstance(values, np.ndarray) else values[0], least_digits=9)
        inferred = None if first is None else _unit_of(first)
        return None if inferred is None else _column(values, inferred)
    if isinstance(values, np.ndarray):
        return _whole(values, unit)
    kinds = set(map(type, values))
    if len(kinds) != 1:
        return None
    if kinds == {int}:
        return _whole(values, unit)
    return _fractional(values, unit) if kinds == {float} else None


def _whole(values: Values, unit: str) -> NDArray[np.int64] | None:
    factor, divisor = _PER_MS[unit]
    try:
        numbers = np.array(values, dtype=np.int64)
    except OverflowError:
        return None
    if numbers.min() < EARLIEST_MS // factor * divisor or numbers.max() >= BOUND_MS // factor * divisor:
        return None
    return numbers * factor // divisor


def _fractional(values: Sequence[object], unit: str) -> NDArray[np.int64] | None:
    numbers = np.array(values, dtype=np.float64)
    if not (numbers.min() >= 0 and numbers.max() < _PRODUCT_IS_FINITE):
        return None
    microseconds = numbers * _MICROSECONDS[unit]
    if not (microseconds.min() >= EARLIEST_MS * 1e3 and microseconds.max() < BOUND_MS * 1e3 - 1):
        return None
    return np.rint(microseconds).astype(np.int64) // 1_000
