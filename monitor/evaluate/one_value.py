"""Signals that have one value in each window, and soon another one: the day of the week, or the region of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.values import DAY_MS

__all__ = ["ONE_VALUE", "OneValue"]

Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
Value = str | int

ONE_VALUE = (
    "each window has one value, and soon another one, as a day of the week has: shares say nothing of it, and only its "
    "rates of missing, invalid and out-of-range values can alarm"
)

FEWEST_EVENTS = 5
"""Values of a window of which it is asked whether they are one: fewer are by chance."""

NEARLY_ALL = 0.9
"""Share of a window's values that are one, and of windows of which that is so."""

FEWEST_CHANGES, FEWEST_VALUES = 3, 3
"""Changes from one value to another, and values: what is another one while something is broken has two."""

MOST_DAYS = 4.0
"""Days from one change to the next, on average, at most."""

MOST_OFTEN = 0.75
"""Part of these windows that have the most frequent of the values at most."""

MOST_VALUES = 100
"""Values that are told apart."""


class OneValue:
    """Whether a signal has one value in each window, and soon another one.

    What follows a timetable changes as a whole. Charts would take each change for news until they know the timetable,
    and that of weekdays takes weeks.

    Examples
    --------
    >>> by_day = OneValue()
    >>> counts = np.repeat(np.eye(7, dtype=np.int64) * 50, 24, axis=0)
    >>> ends_ms = np.arange(1, 7 * 24 + 1) * 3_600_000
    >>> is_one = by_day.take(ends_ms, counts, counts.sum(axis=1), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
    >>> int(is_one.argmax()) // 24
    3
    """

    def __init__(self) -> None:
        self._windows = self._of_one = self._changes = 0
        self._from_ms: int | None = None
        self._value: Value | None = None
        self._times: dict[Value, int] = {}

    def take(self, ends_ms: Integers, counts: Integers, n: Integers, values: Sequence[str] | Integers) -> Bools:
        """Take windows in their order, and return of each whether that was so of those before it.

        Parameters
        ----------
        ends_ms
            int64[T].
        counts, n
            int64[T, K], int64[T]: how many values of a window lie in each column, and in all.
        values
            What the columns hold, K names or cells.
        """
        is_one = np.zeros(len(n), dtype=np.bool_)
        is_enough = n >= FEWEST_EVENTS
        is_pure = is_enough & (counts.max(axis=1, initial=0) >= NEARLY_ALL * n)
        if not is_pure.any() and self._changes < FEWEST_CHANGES:
            self._windows += int(is_enough.sum())
            return is_one
        for t, end_ms in enumerate(ends_ms.tolist()):
            is_one[t] = self._is_so(end_ms)
            self._windows += int(is_enough[t])
            if is_pure[t]:
                value = values[counts[t].argmax()]
                self._add(value if isinstance(value, str) else int(value), end_ms)
        return is_one

    def _add(self, value: Value, end_ms: int) -> None:
        if self._from_ms is None:
            self._from_ms = end_ms
        self._of_one += 1
        self._changes += self._value is not None and value != self._value
        self._value = value
        if value in self._times or len(self._times) < MOST_VALUES:
            self._times[value] = self._times.get(value, 0) + 1

    def _is_so(self, end_ms: int) -> bool:
        if self._changes < FEWEST_CHANGES or len(self._times) < FEWEST_VALUES or self._from_ms is None:
            return False
        is_soon = end_ms - self._from_ms <= MOST_DAYS * DAY_MS * self._changes
        is_any = max(self._times.values()) <= MOST_OFTEN * self._of_one
        return is_soon and is_any and self._of_one >= NEARLY_ALL * self._windows

    def snapshot(self) -> list[Any]:
        """Return the state as strict JSON."""
        times = [[value, times] for value, times in self._times.items()]
        return [self._windows, self._of_one, self._changes, self._from_ms, self._value, times]

    @classmethod
    def restored(cls, snapshot: Sequence[Any] | None) -> OneValue:
        """Continue from a snapshot; from the beginning where an earlier checkpoint has none."""
        restored = cls()
        if snapshot is not None:
            *counts, restored._from_ms, restored._value, times = snapshot
            restored._windows, restored._of_one, restored._changes = counts
            restored._times = dict(times)
        return restored
