"""The values that a number has had of late, from which its coordinates are renewed once it has left them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.chart.legend import N
from detectors.sketch import NumericLayout, NumericSummary
from monitor.evaluate.baselines import Counted
from monitor.evaluate.columns import Columns, keys_of
from monitor.evaluate.windows import Windows
from monitor.panes.codec import pack_summary, unpack_summary
from monitor.values import DAY_MS

__all__ = ["NewerValues"]

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
        self._columns = Columns(layout)
        self._values = Counted.nothing(len(self._columns))

    def add(self, windows: Windows, columns: Columns) -> None:
        """Take in windows."""
        if self._since_day is None or not len(windows.ends_ms):
            return
        places = self._columns.places(columns.cells)
        if (places < 0).any():
            former, self._columns = self._columns, Columns(self._layout, [*self._columns.cells, *columns.cells])
            self._values.counts = self._columns.moved_from(former, self._values.counts[None, :])[0]
            places = self._columns.places(columns.cells)
        self._values.counts[places] += windows.counts.sum(axis=0)
        self._values.sums[N] += windows.sums[:, N].sum()
        extremes = self._values.extremes
        extremes[:] = min(extremes[0], windows.extremes[:, 0].min()), max(extremes[1], windows.extremes[:, 1].max())

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
        summary = self._values.summary(..., self._columns)
        assert isinstance(summary, NumericSummary)
        return summary

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
        self._columns = Columns(self._layout, keys_of(values))
        self._values = Counted.nothing(len(self._columns))
        self._values.put(..., values, self._columns)
