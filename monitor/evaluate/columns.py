"""Which cells, or names, the columns of a series' counts stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.chart.legend import SUMS
from detectors.sketch import CategoryLayout, CategorySummary, JointLayout, NumericSummary, VectorSummary
from detectors.sketch.category_summary import name_hash
from monitor.watch import Layout, Summary

__all__ = ["Columns", "keys_of", "sums_of"]

Integers = NDArray[np.int64]


class Columns:
    """The columns of a series' counts, in ascending order.

    Fixed layouts have a column for every cell, those of vectors one for every sum. Universal ones and categories have
    one for each cell or name that occurs: in the baseline or in a window at hand. A column more makes no difference to
    any result.

    Parameters
    ----------
    layout : Layout
    keys : iterable of int, or of str
        Cells or names; nothing for a fixed layout, which has all of its own.
    """

    def __init__(self, layout: Layout, keys: Iterable[Any] = ()) -> None:
        self.layout = layout
        self.is_category = isinstance(layout, CategoryLayout)
        self.fixed = isinstance(layout, JointLayout) or (
            not isinstance(layout, CategoryLayout) and layout.kind != "universal"
        )
        self.positions = np.empty(0)
        self.hashes = np.empty(0, dtype=np.uint64)
        self.known = np.empty(0, dtype=np.bool_)
        self.by_hash = np.empty(0, dtype=np.int64)
        self.names: list[str] = []
        self.cells = np.empty(0, dtype=np.int64)
        if isinstance(layout, CategoryLayout):
            self.names = sorted(set(keys))
            self._hash(layout)
        elif isinstance(layout, JointLayout):
            self.cells = np.arange(layout.size, dtype=np.int64)
        else:
            cells = np.arange(layout.cells) if self.fixed else np.unique(np.fromiter(keys, np.int64))
            self.cells = cells.astype(np.int64)
            self.positions = layout.midpoint(self.cells)
        self._place: dict[str, int] | None = None

    def _hash(self, layout: CategoryLayout) -> None:
        self.hashes = np.array([name_hash(name) for name in self.names], dtype=np.uint64)
        self.known = np.array([name in layout.known_set for name in self.names], dtype=np.bool_)
        # Names are ascending, and the sort is stable: the name decides between equal hashes.
        self.by_hash = np.argsort(self.hashes, kind="stable").astype(np.int64)

    def __len__(self) -> int:
        return len(self.names) if self.is_category else len(self.cells)

    def places(self, keys: Any) -> Integers:
        """The columns of cells, int64[K], or of names, -1 for those without one."""
        if not self.is_category:
            return _found(self.cells, keys)
        if self._place is None:
            self._place = {name: column for column, name in enumerate(self.names)}
        return np.array([self._place.get(name, -1) for name in keys], dtype=np.int64)

    def lacks(self, keys: Any) -> bool:
        """Whether one of ``keys`` (distinct cells, or names) has no column."""
        if self.fixed:
            return False
        if self.is_category:
            return bool((self.places(keys) < 0).any())
        return not bool(np.isin(keys, self.cells).all())

    def moved_from(self, old: Columns, counts: Integers) -> Integers:
        """Counts [rows, columns before] in these columns; what has no column here must be zero."""
        out = np.zeros((len(counts), len(self)), dtype=np.int64)
        places = self.places(old.names if self.is_category else old.cells)
        moved = places >= 0
        out[:, places[moved]] = counts[:, moved]
        return out

    def occupied(self, counts: Integers) -> Any:
        """The keys of columns in which some row of counts [rows, columns] is not zero."""
        columns = np.flatnonzero(counts.any(axis=0))
        return [self.names[column] for column in columns.tolist()] if self.is_category else self.cells[columns]

    def counts_of(self, summary: Summary) -> Integers:
        """The counts of a summary, all of whose cells or names have a column."""
        out = np.zeros(len(self), dtype=np.int64)
        if isinstance(summary, CategorySummary):
            out[self.places(summary.names)] = summary.counts
        elif isinstance(summary, VectorSummary):
            out[:] = summary.sums
        else:
            out[self.places(summary.cells)] = summary.counts
        return out

    def summary_of(self, counts: Integers, sums: Integers, extremes: NDArray[np.float64]) -> Summary:
        """The summary that counts [columns] and sums stand for; its moments are zero."""
        n, missing, invalid, out_of_range, other = sums.tolist()
        if isinstance(self.layout, JointLayout):
            return VectorSummary(n, missing, invalid, counts.copy())
        columns = np.flatnonzero(counts)
        if isinstance(self.layout, CategoryLayout):
            names = tuple(self.names[column] for column in columns.tolist())
            return CategorySummary(n, missing, invalid, names, counts[columns], other, self.layout)
        cells = self.cells[columns].astype(np.int32)
        low, high = extremes.tolist()
        return NumericSummary(n, missing, invalid, out_of_range, cells, counts[columns], 0, 0, low, high)


def sums_of(summary: Summary) -> Integers:
    """The sums of a summary, int64[SUMS]."""
    out = np.zeros(SUMS, dtype=np.int64)
    out[:3] = summary.n, summary.missing, summary.invalid
    if isinstance(summary, CategorySummary):
        out[4] = summary.other
    elif isinstance(summary, NumericSummary):
        out[3] = summary.out_of_range
    return out


def keys_of(summary: Summary) -> Any:
    """The cells or names of a summary; nothing for vectors, whose columns are fixed."""
    if isinstance(summary, VectorSummary):
        return ()
    return summary.names if isinstance(summary, CategorySummary) else summary.cells


def _found(cells: Integers, searched: Any) -> Integers:
    """The places of ``wanted`` in ascending ``cells``, -1 for those that are not there."""
    if not len(cells):
        return np.full(len(searched), -1, dtype=np.int64)
    places = np.minimum(np.searchsorted(cells, searched), len(cells) - 1)
    return np.where(cells[places] == searched, places, -1).astype(np.int64)
