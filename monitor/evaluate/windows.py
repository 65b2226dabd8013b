"""Windows as sums of panes: all windows of one series at once, in matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.chart.baseline import cut_windows
from detectors.chart.legend import SUMS
from detectors.sketch import CategoryLayout, FindingLayout
from detectors.sketch.stack import mark, slide, stack
from monitor.evaluate.columns import Columns
from monitor.panes.reading import Piece, Ragged, SeriesPanes
from monitor.watch import Watch
from sinks.store.contract import StoreError

__all__ = ["Blocks", "Windows", "distinct_keys", "first_window_end"]

Integers = NDArray[np.int64]
_NONE = np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class Windows:
    """Windows of one series, those without any pane left out.

    Attributes
    ----------
    ends_ms : int64 array [T]
        Ascending.
    counts : int64 array [T, K]
        In the columns of the series' baseline.
    sums : int64 array [T, SUMS]
    extremes : float64 array [T, 2]
    """

    ends_ms: Integers
    counts: Integers
    sums: Integers
    extremes: NDArray[np.float64]

    def since(self, first: int) -> Windows:
        """Return those from window ``first`` on."""
        return Windows(self.ends_ms[first:], self.counts[first:], self.sums[first:], self.extremes[first:])


def first_window_end(watch: Watch, first_pane_ms: int) -> int:
    """The end of the first window that lies wholly behind ``first_pane_ms``."""
    defaults = watch.model.spec.detect.defaults
    step, offset = defaults.step_ms, defaults.offset
    return -(-(first_pane_ms - offset) // step) * step + offset + defaults.window


class Blocks:
    """How panes become windows: a block is what lies between the starts of two windows.

    Parameters
    ----------
    watch : Watch
    ends_ms : range
        Ends of windows, one step apart.
    parts : int or None
        Blocks that make a window; as many as the configuration says if None.
    """

    def __init__(self, watch: Watch, ends_ms: range, parts: int | None = None) -> None:
        defaults = watch.model.spec.detect.defaults
        self._step_ms, self._offset_ms = defaults.step_ms, defaults.offset
        self._ends_ms = np.arange(ends_ms.start, ends_ms.stop, ends_ms.step, dtype=np.int64)
        # Windows that overlap share blocks: panes are added up once, and blocks to windows afterwards.
        self._parts = parts or defaults.window // defaults.step_ms
        self._first = (ends_ms[0] - defaults.offset) // self._step_ms - self._parts
        self._count = len(ends_ms) - 1 + self._parts

    def windows(self, panes: SeriesPanes, columns: Columns) -> Windows:
        """Add the panes of one series up to windows.

        Parameters
        ----------
        panes : SeriesPanes
        columns : Columns
            With one for each cell or name that occurs in them.

        Raises
        ------
        StoreError
            If a pane holds a cell that its layout does not have.
        """
        counts, sums = np.zeros((self._count, len(columns)), dtype=np.int64), self._zeros(SUMS)
        extremes, present = np.tile([np.inf, -np.inf], (self._count, 1)), np.zeros(self._count, dtype=np.int64)
        for piece, rows in panes:
            inside, blocks = self._placed(piece, rows)
            keys, column_of, lowest = _keys(piece, columns)
            bad = stack(
                inside, blocks, piece.sums, piece.extremes, keys.values, keys.starts, piece.counts.values,
                piece.counts.starts, column_of, lowest, counts, sums, extremes, present,
            )  # fmt: skip
            if bad >= 0:
                raise StoreError(f"a pane of {piece.starts_ms[bad]} ms holds a cell that its layout does not have")
        if self._parts > 1:
            counts, sums, extremes, present = self._slid(counts, sums, extremes, present)
        if isinstance(columns.layout, CategoryLayout) and len(columns) > columns.layout.sample:
            cut_windows(columns.layout.sample, columns.known, columns.by_hash, counts, sums)
        if present.all():
            return Windows(self._ends_ms, counts, sums, extremes)
        occupied = np.flatnonzero(present)
        return Windows(self._ends_ms[occupied], counts[occupied], sums[occupied], extremes[occupied])

    def findings(self, panes: SeriesPanes, layout: FindingLayout) -> tuple[Integers, Integers]:
        """Return which windows have findings counted, and the counts, int64[T, names of the layout]."""
        columns = Columns(CategoryLayout(layout.names, sample=len(layout.names)), layout.names)
        windows = self.windows(panes, columns)
        return np.searchsorted(self._ends_ms, windows.ends_ms), windows.counts

    def events(self, panes: SeriesPanes) -> tuple[Integers, int]:
        """How many events each window has, int64[T], and the first window with a row; T if there is none."""
        per_block, present = np.zeros(self._count, dtype=np.int64), np.zeros(self._count, dtype=np.int64)
        for piece, rows in panes:
            inside, blocks = self._placed(piece, rows)
            np.add.at(per_block, blocks, piece.n[inside])
            np.add.at(present, blocks, 1)
        ones = np.ones(self._parts, dtype=np.int64)
        occupied = np.flatnonzero(np.convolve(present, ones, "valid"))
        return np.convolve(per_block, ones, "valid"), int(occupied[0]) if len(occupied) else len(self._ends_ms)

    @property
    def ends_ms(self) -> Integers:
        """The ends of the windows, int64[T]."""
        return self._ends_ms

    def _placed(self, piece: Piece, rows: Integers) -> tuple[Integers, Integers]:
        blocks = (piece.starts_ms[rows] - self._offset_ms) // self._step_ms - self._first
        inside = (blocks >= 0) & (blocks < self._count)
        return rows[inside], blocks[inside]

    def inside(self, panes: SeriesPanes) -> SeriesPanes:
        """Those of some panes that belong to one of the windows."""
        placed = [(piece, self._placed(piece, rows)[0]) for piece, rows in panes]
        return [(piece, rows) for piece, rows in placed if len(rows)]

    def _zeros(self, width: int) -> Integers:
        return np.zeros((self._count, width), dtype=np.int64)

    def _slid(
        self, counts: Integers, sums: Integers, extremes: NDArray[np.float64], panes: Integers
    ) -> tuple[Integers, Integers, NDArray[np.float64], Integers]:
        windows = len(self._ends_ms)
        out = np.zeros((windows, counts.shape[1]), dtype=np.int64), np.zeros((windows, SUMS), dtype=np.int64)
        reach, present = np.tile([np.inf, -np.inf], (windows, 1)), np.zeros(windows, dtype=np.int64)
        slide(self._parts, counts, sums, extremes, panes, *out, reach, present)
        return *out, reach, present


def distinct_keys(panes: SeriesPanes, columns: Columns) -> list[str] | Integers:
    """The cells or names that occur in some panes; nothing for a fixed layout."""
    if columns.fixed:
        return _NONE
    if columns.is_category:
        return sorted({piece.distinct_names[code] for piece, rows in panes for code in _occurring(piece.names, rows)})
    return np.array(sorted({cell for piece, rows in panes for cell in _occurring(piece.cells, rows)}), dtype=np.int64)


def _occurring(keys: Ragged, rows: Integers) -> list[int]:
    if not len(keys.values):
        return []
    lowest, highest = int(keys.values.min()), int(keys.values.max())
    seen = np.zeros(highest - lowest + 1, dtype=np.bool_)
    mark(rows, keys.values, keys.starts, lowest, seen)
    columns: list[int] = (np.flatnonzero(seen) + lowest).tolist()
    return columns


def _keys(piece: Piece, columns: Columns) -> tuple[Ragged, Integers, int]:
    """The keys of all rows, and the column of each key from the lowest on."""
    if columns.fixed:
        return piece.cells, _NONE, 0
    if columns.is_category:
        return piece.names, columns.places(piece.distinct_names), 0
    lowest = int(columns.cells[0]) if len(columns) else 0
    column_of = np.full((int(columns.cells[-1]) - lowest + 1) if len(columns) else 1, -1, dtype=np.int64)
    column_of[columns.cells - lowest] = np.arange(len(columns))
    return piece.cells, column_of, lowest
