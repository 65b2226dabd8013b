"""Fold batches of numbers into additive summaries, many features and many rows at a time.

A row is whatever the caller keeps apart: one pane of one version of one segment. Rows are reused once taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel
from detectors.sketch.edges import BLOCK, search
from detectors.sketch.layout import (
    KINDS,
    NumericLayout,
    quantile_layout,
    share_layout,
    universal_layout,
    usual_layout,
)
from detectors.sketch.octaves import NO_PAGE, Pages, emit, free_pages, put_pages, read_page
from detectors.sketch.summary import FRACTION_BITS, NumericSummary, sum_summaries
from detectors.sketch.universal import FIRST, LARGEST_ID, MAGNITUDE, MANTISSA_BITS, OCTAVES, SHIFT, SLOTS

__all__ = [
    "NumericFold",
    "NumericLayout",
    "NumericSummary",
    "quantile_layout",
    "share_layout",
    "sum_summaries",
    "universal_layout",
    "usual_layout",
]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

UNIVERSAL = KINDS.index("universal")
# Columns of the integer sums of one row and feature.
N, MISSING, INVALID, OUT_OF_RANGE, SUM_Q, SUM_Q2, ZEROS, SUMS = range(8)
# Columns of what the kernels know of a feature, whole numbers and floats.
KIND, FIRST_EDGE, EDGES, PLACE = range(4)
LOW, HIGH, LOCATION, SCALE = range(4)
LARGEST_Q = float(1 << 26)


class NumericFold:
    """Counts and integer sums of F numeric features in many rows, folded from columns.

    For all layouts but universal ones the cells of a row lie side by side in one matrix. For those each
    octave that a row has met owns a page of 64 counters. Both are invisible: what comes out is a function of the
    multiset of folded values alone.

    Parameters
    ----------
    layouts
        One layout per feature.

    Examples
    --------
    >>> layout = share_layout()
    >>> fold = NumericFold([layout])
    >>> fold.ensure(2)
    >>> fold.fold(np.array([0, 1, 0]), np.array([[0.1, 0.6, np.nan]]))
    >>> summary, = fold.take(0)
    >>> summary.n, summary.missing, layout.cell_low(summary.cells).tolist()
    (1, 1, [0.09375])
    """

    def __init__(self, layouts: Sequence[NumericLayout]) -> None:
        self.layouts = tuple(layouts)
        self._edges = np.concatenate([np.empty(0), *(layout.edges for layout in self.layouts)])
        self._integers, self._real = _describe(self.layouts)
        kinds = self._integers[:, KIND]
        self._universal = int((kinds == UNIVERSAL).sum())
        self._dense_cells = sum(layout.cells for layout in self.layouts if layout.kind != "universal")
        self._sums = np.zeros((0, self._features, SUMS), dtype=np.int64)
        self._extremes = _no_extremes(0, self._features)
        self._dense = np.zeros((0, self._dense_cells), dtype=np.int64)
        self._octaves = np.full((0, self._universal, 2 * OCTAVES), NO_PAGE, dtype=np.int32)
        self._pages = Pages()
        self._block = np.zeros(BLOCK, dtype=np.int64)

    @property
    def _features(self) -> int:
        return len(self.layouts)

    @property
    def rows(self) -> int:
        """How many rows there is room for."""
        return self._sums.shape[0]

    def ensure(self, rows: int) -> None:
        """Make room for rows 0 … `rows` - 1; new rows are empty."""
        if rows <= self.rows:
            return
        extra = max(rows, 2 * self.rows) - self.rows
        self._sums = _grown(self._sums, extra, 0)
        self._extremes = np.concatenate((self._extremes, _no_extremes(extra, self._features)))
        self._dense = _grown(self._dense, extra, 0)
        self._octaves = _grown(self._octaves, extra, NO_PAGE)

    def fold(self, rows: Integers, x: Floats) -> None:
        """Count a batch. It may be cut and ordered anyhow without changing a bit of any summary.

        Parameters
        ----------
        rows
            int64[n]: the row that each event belongs to.
        x
            float64[F, n]: the values; NaN is a missing value, an infinity an invalid one.

        Raises
        ------
        ValueError
            If the shapes do not fit, or a row is not within what `ensure` made room for.
        """
        rows = np.ascontiguousarray(rows, dtype=np.int64)
        x = np.ascontiguousarray(x, dtype=np.float64)
        if rows.ndim != 1 or x.shape != (self._features, rows.size):
            raise ValueError(f"expected x of shape ({self._features}, {rows.size}), not {x.shape}")
        if rows.size == 0 or self._features == 0:
            return
        if rows.min() < 0 or rows.max() >= self.rows:
            raise ValueError(f"rows lie between {rows.min()} and {rows.max()}, room is for {self.rows}")
        progress, pages = np.zeros(2, dtype=np.int64), self._pages
        # Values too large for the fixed point are limited by the kernel; without the jit, NumPy would warn of them.
        with np.errstate(over="ignore"):
            while _fold(
                rows, x, x.view(np.int64), progress, self._integers, self._real, self._edges, self._sums,
                self._extremes, self._dense, self._octaves, pages.counters, pages.free, pages.free_count, self._block,
            ):  # fmt: skip
                pages.add()

    def peek(self, row: int) -> list[NumericSummary]:
        """Return the summary of each feature in a row, which stays as it is."""
        cells, counts, ends = self._sparse(row)
        cuts = [0, *ends.tolist()]
        sums = self._sums[row].tolist()
        extremes = self._extremes[row].tolist()
        return [
            NumericSummary(
                n=of_feature[N],
                missing=of_feature[MISSING],
                invalid=of_feature[INVALID],
                out_of_range=of_feature[OUT_OF_RANGE],
                cells=cells[start:stop],
                counts=counts[start:stop],
                sum_q=of_feature[SUM_Q],
                sum_q2=of_feature[SUM_Q2],
                min=low,
                max=high,
            )
            for of_feature, (low, high), (start, stop) in zip(sums, extremes, pairwise(cuts), strict=True)
        ]

    def take(self, row: int) -> list[NumericSummary]:
        """Return the summary of each feature in a row, and empty the row for its next use."""
        summaries = self.peek(row)
        self._clear(row)
        return summaries

    def snapshot(self, rows: Sequence[int]) -> dict[str, Array]:
        """Return the content of some rows as arrays that do not depend on how it came about.

        Returns
        -------
        ``sums`` int64[rows, F, 7], ``extremes`` float64[rows, F, 2], and the occupied cells of all rows and
        features, one after another: ``ends`` int64[rows, F], ``cells`` int32[k], ``counts`` int64[k].
        """
        parts = [self._sparse(row) for row in rows]
        lengths = np.array([part[0].size for part in parts], dtype=np.int64)
        starts = np.cumsum(lengths) - lengths
        ends = [part[2] + start for part, start in zip(parts, starts, strict=True)]
        index = np.asarray(rows, dtype=np.int64)
        return {
            "sums": self._sums[index],
            "extremes": self._extremes[index],
            "ends": np.array(ends, dtype=np.int64).reshape(len(parts), self._features),
            "cells": np.concatenate([np.empty(0, dtype=np.int32), *(part[0] for part in parts)]),
            "counts": np.concatenate([np.empty(0, dtype=np.int64), *(part[1] for part in parts)]),
        }

    def restore(self, rows: Sequence[int], snapshot: Mapping[str, Array]) -> None:
        """Put a snapshot into rows, the first of it into the first of them; what they held is dropped.

        Raises
        ------
        ValueError
            If the snapshot has another number of rows or features, or there is no room for a row.
        """
        if snapshot["sums"].shape != (len(rows), self._features, SUMS):
            raise ValueError(f"a snapshot of shape {snapshot['sums'].shape} does not fit {len(rows)} rows")
        if rows and not 0 <= min(rows) <= max(rows) < self.rows:
            raise ValueError(f"rows lie between {min(rows)} and {max(rows)}, room is for {self.rows}")
        start = 0
        for slot, row in enumerate(rows):
            self._clear(row)
            for f, stop in enumerate(snapshot["ends"][slot].tolist()):
                self._put(row, f, snapshot["cells"][start:stop], snapshot["counts"][start:stop])
                start = stop
            self._sums[row] = snapshot["sums"][slot]
            self._extremes[row] = snapshot["extremes"][slot]

    def _sparse(self, row: int) -> tuple[npt.NDArray[np.int32], Integers, Integers]:
        octaves = self._octaves[row]
        room = self._dense_cells + self._universal + SLOTS * int(np.count_nonzero(octaves != NO_PAGE))
        ends = np.zeros(self._features, dtype=np.int64)
        cells, counts = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int64)
        size = _occupied(
            self._integers, self._sums[row], self._dense[row], octaves, self._pages.counters, ends, cells, counts
        )
        return cells[:size].copy(), counts[:size].copy(), ends

    def _put(self, row: int, feature: int, cells: npt.NDArray[np.int32], counts: Integers) -> None:
        slot = int(self._integers[feature, PLACE])
        if self._integers[feature, KIND] != UNIVERSAL:
            self._dense[row, slot + cells.astype(np.int64)] = counts
            return
        while self._pages.free_count[0] < 2 * OCTAVES:
            self._pages.add()
        put_pages(
            cells, counts, self._octaves[row, slot], self._pages.counters, self._pages.free, self._pages.free_count
        )

    def _clear(self, row: int) -> None:
        self._sums[row] = 0
        self._extremes[row] = _no_extremes(1, self._features)[0]
        self._dense[row] = 0
        free_pages(self._octaves[row], self._pages.counters, self._pages.free, self._pages.free_count)


def _describe(layouts: Sequence[NumericLayout]) -> tuple[Integers, Floats]:
    """Return what the kernels need to know of each feature; PLACE is its first cell or its octave table."""
    integers = np.zeros((len(layouts), 4), dtype=np.int64)
    real = np.zeros((len(layouts), 4), dtype=np.float64)
    edge = cell = universal = 0
    for f, layout in enumerate(layouts):
        sparse = layout.kind == "universal"
        integers[f] = (KINDS.index(layout.kind), edge, layout.edges.size, universal if sparse else cell)
        real[f] = (layout.low, layout.high, layout.location, layout.scale)
        edge += layout.edges.size
        universal += sparse
        cell += 0 if sparse else layout.cells
    return integers, real


def _grown(array: Array, extra: int, value: int) -> Array:
    return np.concatenate((array, np.full((extra, *array.shape[1:]), value, dtype=array.dtype)))


def _no_extremes(rows: int, features: int) -> Floats:
    return np.tile(np.array([np.inf, -np.inf]), (rows, features, 1))


@kernel
def _fold(
    rows: Integers, x: Floats, bits: Integers, progress: Integers, integers: Integers, real: Floats, edges: Floats,
    sums: Integers, extremes: Floats, dense: Integers, octaves: Array, pages: Integers, free: Array,
    free_count: Integers, block: Integers,
) -> bool:  # fmt: skip
    """Fold from ``progress`` (feature, event) on; return True when it stopped for want of a free page."""
    for f in range(progress[0], x.shape[0]):
        if integers[f, KIND] == UNIVERSAL:
            slot = integers[f, PLACE]
            done = _fold_universal(
                rows, x[f], bits[f], progress[1], f, real[f], sums, extremes, octaves[:, slot], pages, free,
                free_count,
            )  # fmt: skip
            if done < x.shape[1]:
                progress[0] = f
                progress[1] = done
                return True
        else:
            _fold_dense(rows, x[f], f, integers[f], real[f], edges, sums, extremes, dense, block)
        progress[1] = 0
    return False


@kernel
def _fold_dense(
    rows: Integers, x: Floats, f: int, integers: Integers, real: Floats, edges: Floats, sums: Integers,
    extremes: Floats, dense: Integers, block: Integers,
) -> None:  # fmt: skip
    first = integers[FIRST_EDGE]
    count = integers[EDGES]
    location = real[LOCATION]
    scale = real[SCALE]
    for start in range(0, x.size, BLOCK):
        search(edges, first, count, x, start, block)
        for i in range(start, min(start + BLOCK, x.size)):
            value = x[i]
            row = rows[i]
            if not abs(value) < np.inf:
                sums[row, f, MISSING if np.isnan(value) else INVALID] += 1
                continue
            dense[row, integers[PLACE] + block[i - start]] += 1
            scaled = (value - location) / scale * (1 << FRACTION_BITS)
            q = int(np.rint(min(max(scaled, -LARGEST_Q), LARGEST_Q)))
            sums[row, f, SUM_Q] += q
            sums[row, f, SUM_Q2] += (q * q) >> FRACTION_BITS
            _count(row, f, value, real, sums, extremes)


@kernel
def _fold_universal(
    rows: Integers, x: Floats, bits: Integers, start: int, f: int, real: Floats, sums: Integers,
    extremes: Floats, octaves: Array, pages: Integers, free: Array, free_count: Integers,
) -> int:  # fmt: skip
    """Fold from event `start` on; return the event at which no page was free, or the number of events."""
    for i in range(start, x.size):
        value = x[i]
        row = rows[i]
        if not abs(value) < np.inf:
            sums[row, f, MISSING if np.isnan(value) else INVALID] += 1
            continue
        magnitude = bits[i] & MAGNITUDE
        if magnitude == 0:
            sums[row, f, ZEROS] += 1
        else:
            cell = min(max((magnitude >> SHIFT) - FIRST, 0), LARGEST_ID - 1)
            octave = (cell >> MANTISSA_BITS) + OCTAVES * (value < 0)
            page = octaves[row, octave]
            if page == NO_PAGE:
                if free_count[0] == 0:
                    return i
                free_count[0] -= 1
                page = free[free_count[0]]
                octaves[row, octave] = page
            pages[page, cell & (SLOTS - 1)] += 1
        _count(row, f, value, real, sums, extremes)
    return x.size


@kernel
def _count(row: int, f: int, value: float, real: Floats, sums: Integers, extremes: Floats) -> None:
    """Count a finite value where its cell does not matter."""
    sums[row, f, N] += 1
    sums[row, f, OUT_OF_RANGE] += (value < real[LOW]) | (value > real[HIGH])
    # Which of -0.0 and 0.0 is the smaller would depend on the order of events; the sum of both is 0.0.
    extremes[row, f, 0] = min(extremes[row, f, 0], value + 0.0)
    extremes[row, f, 1] = max(extremes[row, f, 1], value + 0.0)


@kernel
def _occupied(
    integers: Integers, sums: Integers, dense: Integers, octaves: Array, pages: Integers, ends: Integers,
    cells: Array, counts: Integers,
) -> int:  # fmt: skip
    """Write the occupied cells of one row, features one after another; return how many there are."""
    size = 0
    for f in range(integers.shape[0]):
        slot = integers[f, PLACE]
        if integers[f, KIND] == UNIVERSAL:
            # From the most negative octave to zero, then from zero to the largest.
            for octave in range(OCTAVES - 1, -1, -1):
                size = read_page(octaves[slot, OCTAVES + octave], octave, -1, pages, size, cells, counts)
            size = emit(0, sums[f, ZEROS], size, cells, counts)
            for octave in range(OCTAVES):
                size = read_page(octaves[slot, octave], octave, 1, pages, size, cells, counts)
        else:
            for cell in range(integers[f, EDGES] + 1):
                size = emit(cell, dense[slot + cell], size, cells, counts)
        ends[f] = size
    return size
