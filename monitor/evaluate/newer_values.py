"""What a signal has had of late, from which its coordinates are renewed once its values have left them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from detectors.chart.legend import OTHER, SUMS, N
from detectors.sketch import CategoryLayout, CategorySummary, NumericLayout, NumericSummary
from monitor.evaluate.baselines import Counted, add_up
from monitor.evaluate.columns import Columns, keys_of
from monitor.evaluate.windows import Windows
from monitor.panes.codec import pack_summary, unpack_summary
from monitor.values import DAY_MS

__all__ = ["Newer", "NewerNames", "NewerValues"]

LOOKS, LOOKS_AT_NAMES = (1, 7, 28), (1, 7)
"""Whole days after which coordinates are looked at: the first of them that is more than they come from, or the last."""


class Newer(ABC):
    """What a signal has had since its coordinates were last looked at.

    Parameters
    ----------
    looks : tuple of int
        Days after which that is.

    Attributes
    ----------
    from_ms : int or None
        End of the first window that the coordinates are from, until they were looked at.
    """

    def __init__(self, looks: tuple[int, ...]) -> None:
        self._looks = looks
        self.from_ms: int | None = None
        # The day from which on all of them are here, and that of the next look.
        self._since_day: int | None = None
        self._due_day = 0

    def add(self, windows: Windows, columns: Columns) -> None:
        """Take in windows."""
        if self._since_day is not None and len(windows.ends_ms):
            self._add(windows, columns)

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
            self._since_day, self._due_day = day, self._due(day, span_ms / DAY_MS)
        return day >= self._due_day

    def after_a_look(self, day: int) -> Self:
        """Return those from a day on."""
        assert self._since_day is not None
        after = self._nothing()
        after._since_day, after._due_day = day, self._due(day, day - self._since_day)
        return after

    def _due(self, day: int, days: float) -> int:
        return day + next((d for d in self._looks if d > days), self._looks[-1])

    @abstractmethod
    def _add(self, windows: Windows, columns: Columns) -> None: ...

    @abstractmethod
    def _nothing(self) -> Self: ...

    @property
    @abstractmethod
    def summary(self) -> NumericSummary | CategorySummary:
        """All of them."""

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


class NewerValues(Newer):
    """The values that a number has had.

    Parameters
    ----------
    layout : NumericLayout
    """

    def __init__(self, layout: NumericLayout) -> None:
        super().__init__(LOOKS)
        self._layout = layout
        self._columns = Columns(layout)
        self._values = Counted.nothing(len(self._columns))

    def _add(self, windows: Windows, columns: Columns) -> None:
        places = self._columns.places(columns.cells)
        if (places < 0).any():
            former, self._columns = self._columns, Columns(self._layout, [*self._columns.cells, *columns.cells])
            self._values.counts = self._columns.moved_from(former, self._values.counts[None, :])[0]
            places = self._columns.places(columns.cells)
        self._values.counts[places] += windows.counts.sum(axis=0)
        self._values.sums[N] += windows.sums[:, N].sum()
        extremes = self._values.extremes
        extremes[:] = min(extremes[0], windows.extremes[:, 0].min()), max(extremes[1], windows.extremes[:, 1].max())

    def _nothing(self) -> NewerValues:
        return NewerValues(self._layout)

    @property
    def summary(self) -> NumericSummary:
        """All of them."""
        summary = self._values.summary(..., self._columns)
        assert isinstance(summary, NumericSummary)
        return summary

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        super().restore(state)
        values = unpack_summary(state["values"], self._layout)
        self._columns = Columns(self._layout, keys_of(values))
        self._values = Counted.nothing(len(self._columns))
        self._values.put(..., values, self._columns)


class NewerNames(Newer):
    """The names that a category has had, as many as its summaries hold.

    Parameters
    ----------
    layout : CategoryLayout
    """

    def __init__(self, layout: CategoryLayout) -> None:
        super().__init__(LOOKS_AT_NAMES)
        self._layout = layout
        self._names = CategorySummary(0, 0, 0, (), np.zeros(0, dtype=np.int64), 0, layout)

    def _add(self, windows: Windows, columns: Columns) -> None:
        sums = np.zeros(SUMS, dtype=np.int64)
        sums[[N, OTHER]] = windows.sums[:, [N, OTHER]].sum(axis=0)
        added = columns.summary_of(windows.counts.sum(axis=0), sums, np.empty(2))
        names = add_up([self._names, added])
        assert isinstance(names, CategorySummary)
        self._names = names

    def _nothing(self) -> NewerNames:
        return NewerNames(self._layout)

    @property
    def summary(self) -> CategorySummary:
        """All of them."""
        return self._names

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        super().restore(state)
        names = unpack_summary(state["values"], self._layout)
        assert isinstance(names, CategorySummary)
        self._names = names
