"""The time of an event, in whichever unit the producer writes it.

A stated unit is taken as it is. ``auto`` takes the unit of numbers from the magnitude of the partition's first
number that leaves no doubt, and keeps it from then on, so that a single odd number later cannot be read in another
unit than its neighbours. Numbers below 1e8 (1973 in seconds, and the zero of an unset field) leave doubt: until the
unit is settled they are seconds, and they do not settle it. ISO 8601 texts need no unit and are read as such.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from monitor.decoders import iso8601
from monitor.decoders.values import Cell
from monitor.packed import Packed, Texts

__all__ = ["BOUND_MS", "EventTimes"]

BOUND_MS = 7_258_118_400_000
"""2200-01-01: event times lie in [0, BOUND_MS)."""

_DOUBT = 1e8
_MAGNITUDES = ((1e11, "s"), (1e14, "ms"), (1e17, "us"))
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
    """Reads one model's event times and keeps the unit that each partition has settled on.

    Parameters
    ----------
    unit : str
        ``auto``, ``s``, ``ms``, ``us``, ``ns`` or ``iso``.

    Examples
    --------
    >>> times = EventTimes("auto")
    >>> times.read(0, [1_700_000_000, 1_700_000_000.5, "2023-11-14T22:13:21Z", None])
    (array([1700000000000, 1700000000500, 1700000001000,             0]), {3: 'no_event_time'})
    >>> times.units
    {0: 's'}
    """

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.units: dict[int, str] = {}

    def read(self, partition: int, values: Read) -> tuple[NDArray[np.int64], dict[int, str]]:
        """Return times, and the reason for each that cannot be used.

        Parameters
        ----------
        partition : int
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
        if self.unit != "auto":
            return self._read(values, self.unit)
        if partition in self.units:
            return self._read(values, self.units[partition])
        values = values.tolist() if isinstance(values, np.ndarray) else values
        # What stands before the settling number is read as if it had come in a call of its own.
        start = self._settle(partition, values)
        unsettled, wrong = self._read(values[:start], "s")
        settled, wrong_after = self._read(values[start:], self.units.get(partition, "s"))
        wrong |= {start + index: reason for index, reason in wrong_after.items()}
        return np.concatenate((unsettled, settled)), wrong

    def _read(self, values: Values, unit: str) -> tuple[NDArray[np.int64], dict[int, str]]:
        fast = _column(values, unit)
        if fast is not None:
            return fast, {}
        values = values.tolist() if isinstance(values, np.ndarray) else values
        result = np.zeros(len(values), dtype=np.int64)
        wrong: dict[int, str] = {}
        for index, value in enumerate(values):
            event_ms, reason = self._one(value, unit)
            if reason:
                wrong[index] = reason
            else:
                result[index] = event_ms
        return result, wrong

    def restore(self, units: Mapping[int, str]) -> None:
        """Set the units of partitions, as :attr:`units` gave them."""
        self.units.update(units)

    def _settle(self, partition: int, values: Sequence[object]) -> int:
        """Look for the number that settles the unit; return its index, or how many values there are."""
        for index, value in enumerate(values):
            x = _as_number(value, least_digits=9)
            if x is None or not abs(x) >= _DOUBT:
                continue
            unit = next((name for limit, name in _MAGNITUDES if x < limit), "ns")
            if not _bounded(x, unit)[1]:
                self.units[partition] = unit
                return index
        return len(values)

    def _one(self, value: object, unit: str) -> tuple[int, str]:
        if value is None or value == "":
            return 0, "no_event_time"
        if unit != "iso":
            x = _as_number(value, least_digits=9 if self.unit == "auto" else 1)
            if x is not None:
                return _bounded(x, unit)
        if isinstance(value, str) and self.unit in {"auto", "iso"}:
            return _iso(value)
        return 0, _UNREADABLE


def _as_number(value: object, least_digits: int) -> int | float | None:
    """A number, also one that is written as a text, as encoders of 64-bit integers do."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) >= least_digits and _INTEGER.fullmatch(value):
        return int(value)
    return value.fraction() if isinstance(value, Cell) else None


def _bounded(x: int | float, unit: str) -> tuple[int, str]:
    if isinstance(x, int):
        factor, divisor = _PER_MS[unit]
        event_ms = x * factor // divisor
    else:
        # 1.001 s is 1.000999… in binary: rounding to the µs first restores what the producer meant.
        microseconds = x * _MICROSECONDS[unit]
        if not 0 <= microseconds < BOUND_MS * 1e3:
            return 0, _OUTSIDE
        event_ms = round(microseconds) // 1_000
    return (event_ms, "") if 0 <= event_ms < BOUND_MS else (0, _OUTSIDE)


def _iso(value: str) -> tuple[int, str]:
    try:
        moment = datetime.fromisoformat(value)
        since = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        return 0, _UNREADABLE
    event_ms = since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000
    return (event_ms, "") if 0 <= event_ms < BOUND_MS else (0, _OUTSIDE)


def _column(values: Values, unit: str) -> NDArray[np.int64] | None:
    """All times at once, where they are plain numbers within bounds; None where anything needs a closer look."""
    if unit == "iso" or not len(values):
        return None
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
    if numbers.min() < 0 or numbers.max() >= BOUND_MS // factor * divisor:
        return None
    return numbers * factor // divisor


def _fractional(values: Sequence[object], unit: str) -> NDArray[np.int64] | None:
    numbers = np.array(values, dtype=np.float64)
    if not (numbers.min() >= 0 and numbers.max() < _PRODUCT_IS_FINITE):
        return None
    microseconds = numbers * _MICROSECONDS[unit]
    if not microseconds.max() < BOUND_MS * 1e3 - 1:
        return None
    return np.rint(microseconds).astype(np.int64) // 1_000
