"""The values that a number has had of late, from which its coordinates are renewed once it has left them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.chart.legend import N
from detectors.sketch import NumericLayout, NumericSummary
from monitor.evaluate.columns import Columns
from monitor.evaluate.windows import Windows
from monitor.panes.codec import pack_summary, unpack_summary
from monitor.values import DAY_MS

__all__ = ["NewerValues"]

Integers = NDArray[np.int64]

LOOKS = 1, 7, 28
"""Whole days after which coordinates are looked at: the first of them that is more than they come from, or the last."""


class NewerValues:
    """What a number has had since its coordinates were last looked at.

    Parameters
    ----------
    layout : NumericLayout

    Attributes
    ----------
    from_ms : int or None
        End of the first window that the coordinates are from, until they were looked at.
    """

    def __init__(self, layout: NumericLayout) -> None:
        self._layout = layout
        self.from_ms: int | None = None
        # The day from which on all of them are here, and that of the next look.
        self._since_day: int | None = None
        self._due_day = 0
        self._clear()

    def _clear(self) -> None:
        self._cells, self._counts = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._n, self._extremes = 0, np.array([np.inf, -np.inf])

    def add(self, windows: Windows, columns: Columns) -> None:
        """Take in windows."""
        if self._since_day is None or not len(windows.ends_ms):
            return
        counts = windows.counts.sum(axis=0)
        places = np.searchsorted(self._cells, columns.cells)
        if not len(self._cells) or (self._cells[np.minimum(places, len(self._cells) - 1)] != columns.cells).any():
            former, self._cells = self._cells, np.union1d(self._cells, columns.cells)
            moved = np.zeros(len(self._cells), dtype=np.int64)
            moved[np.searchsorted(self._cells, former)] = self._counts
            self._counts, places = moved, np.searchsorted(self._cells, columns.cells)
        self._counts[places] += counts
        self._n += int(windows.sums[:, N].sum())
        low, high = float(windows.extremes[:, 0].min()), float(windows.extremes[:, 1].max())
        self._extremes = np.array([min(low, self._extremes[0]), max(high, self._extremes[1])])

    @property
    def look_day(self) -> int:
        """The day on which coordinates are looked at; 0 if that is not known yet."""
        return 0 if self._since_day is None else self._due_day

    def is_time(self, day: int, span_ms: float) -> bool:
        """Return whether coordinates are looked at, as a day begins.

        Parameters
        ----------
        day : int
        span_ms : float
            Of the windows that the first coordinates come from.
        """
        if self._since_day is None:
            self._since_day, self._due_day = day, day + next((d for d in LOOKS if d * DAY_MS > span_ms), LOOKS[-1])
        return day >= self._due_day

    def after_a_look(self, day: int) -> NewerValues:
        """Return those from a day on."""
        assert self._since_day is not None
        after, days = NewerValues(self._layout), day - self._since_day
        after._since_day, after._due_day = day, day + next((d for d in LOOKS if d > days), LOOKS[-1])
        return after

    @property
    def summary(self) -> NumericSummary:
        """All of them."""
        occupied = self._counts > 0
        cells, counts = self._cells[occupied].astype(np.int32), self._counts[occupied]
        low, high = self._extremes.tolist()
        return NumericSummary(self._n, 0, 0, 0, cells, counts, 0, 0, low, high)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "from_ms": self.from_ms,
            "since_day": self._since_day,
            "due_day": self._due_day,
            "values": pack_summary(self.summary),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self.from_ms, self._since_day, self._due_day = state["from_ms"], state["since_day"], state["due_day"]
        values = unpack_summary(state["values"], self._layout)
        assert isinstance(values, NumericSummary)
        self._cells, self._counts = values.cells.astype(np.int64), values.counts.astype(np.int64)
        self._n, self._extremes = values.n, np.array([values.min, values.max])
