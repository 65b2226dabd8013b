"""Whether a model gives one answer where it gave many: what a service does that falls back to a default.

Metrics may look better for it: of an unbalanced question, the answer that is most often right is right more often than
a model that sometimes gives the other. So it is no question of how good the answers are, but of how alike they are.

What they are compared with is the reference of the prediction: its data set, or its first windows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.chart.legend import N
from detectors.sketch import CategoryLayout, NumericLayout, NumericSummary
from monitor.alerts.verdict import Failure
from monitor.evaluate.columns import Columns, keys_of
from monitor.evaluate.windows import Windows
from monitor.watch import Summary

__all__ = ["Answers", "Described", "clumping_of", "counts_at", "equal_pairs", "is_narrow", "roundest"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Cells = NDArray[np.int32]

OTHERS_LEFT = 0.1
"""Of the share that all other answers had: with less, one is nearly the only one."""

SPIKE, TIMES = 0.08, 5.0
"""Share of the values of a window, and how many times what it was, from which on a single number is one too many."""

AROUND = (-4, -3, -2, -1, 1, 2, 3, 4)
"""The cells that one is compared with, to see whether it stands out."""

SURE = 8.0
"""Nats of evidence against chance, over the windows in a row in which it is so, from which on an answer is named."""

HALF = 0.5
"""Share that an answer may have got because others are given: what is the only one is compared with no less."""

NARROW = 0.1
"""Standard deviations of the reference that a cell may be wide, for two values in it to be taken for one."""

NARROW_SHARE = 0.01
"""The width of a cell of a share, for the same."""

BESIDE, CHANCES = 0.05, 2.0
"""Of what one cell has gained, the share that those beside it may have, and how many standard deviations more."""

LONGEST = 40
"""Characters of an answer that are named."""


@dataclass(frozen=True)
class Described:
    """What answers are compared with.

    Attributes
    ----------
    summary : Summary
    spread : float
        The robust standard deviation of numbers.
    """

    summary: Summary
    spread: float


class Answers:
    """The most frequent answer of windows, and for how long it has been too frequent.

    The first value of the windows in a row names the answer, and is no evidence of it: whatever is answered, some cell
    is the most frequent one. Where windows have few values, as where they have one, a cell is no answer either: those
    of which all values are one number go on with the same number only.

    Parameters
    ----------
    layout : NumericLayout or CategoryLayout
        Of the prediction.
    """

    def __init__(self, layout: NumericLayout | CategoryLayout) -> None:
        self._layout = layout
        self._answer: str | int | None = None
        self._number: float | None = None
        self._evidence = 0.0

    def failures(self, windows: Windows, columns: Columns, reference: Described) -> Iterator[tuple[int, Failure]]:
        """Yield the windows, in order, in which one answer stands for too many, and which.

        Parameters
        ----------
        windows : Windows
        columns : Columns
            Of their counts.
        reference : Described
        """
        n = windows.sums[:, N]
        if not len(columns) or not reference.summary.n:
            return
        top = windows.counts.argmax(axis=1)
        current = windows.counts[np.arange(len(n)), top] / np.maximum(n, 1)
        usual = self._shares(reference.summary, columns)[top]
        too_frequent = (n > 0) & self._is_one(windows, columns, reference, top) & self._is_too_frequent(usual, current)
        for t in range(len(n)):
            if not too_frequent[t]:
                self._answer, self._number, self._evidence = None, None, 0.0
                continue
            values = int(n[t])
            self._add(windows.extremes[t], columns, int(top[t]), values, round(current[t] * values), float(usual[t]))
            if self._evidence >= SURE:
                value, is_exact = self._named(windows.extremes[t], columns, int(top[t]))
                yield t, Failure("stuck", value, float(usual[t]), float(current[t]), is_exact)

    def _shares(self, reference: Summary, columns: Columns) -> Floats:
        """Return the share that each column has in the reference; of what it lacks, that of half a value."""
        keys = columns.names if columns.is_category else columns.cells.tolist()
        both = Columns(self._layout, [*keys, *keys_of(reference)])
        places = both.places(columns.names) if columns.is_category else np.searchsorted(both.cells, columns.cells)
        return np.asarray((both.counts_of(reference)[places] + 0.5) / (reference.n + 1))

    def _is_too_frequent(self, usual: Floats, current: Floats) -> NDArray[np.bool_]:
        only = 1 - current <= OTHERS_LEFT * (1 - usual)
        if isinstance(self._layout, CategoryLayout):
            return only
        # That the share of a name grows is ordinary; that one number of many takes a part of all is not.
        return only | ((current >= SPIKE) & (current >= TIMES * usual))

    def _is_one(self, windows: Windows, columns: Columns, reference: Described, top: Integers) -> NDArray[np.bool_]:
        """Return whether what the column ``top`` counts may be taken for one answer: a wide cell holds many."""
        if isinstance(self._layout, CategoryLayout):
            return np.ones(len(top), dtype=np.bool_)
        low, high = (bound[top] for bound in self._layout.bounds(columns.cells))
        constant = windows.extremes[:, 0] == windows.extremes[:, 1]
        own_cell = np.nextafter(low, np.inf) >= high
        narrow = is_narrow(self._layout, columns.cells, reference.spread)[top]
        crowded = self._is_crowded(windows, columns, reference.summary, top)
        alone = ~crowded & self._stands_out(windows, columns, top) & ~self._is_at_an_end(windows, columns.cells[top])
        return np.asarray(constant | own_cell | (narrow & alone))

    def _stands_out(self, windows: Windows, columns: Columns, top: Integers) -> NDArray[np.bool_]:
        """Return whether ``top`` has many times what the cells around it have now.

        Where a whole distribution has moved, each of its new cells is one that used to be empty: of few values one of
        them has three or four by chance.
        """
        cells, counts = columns.cells[top], windows.counts
        around = sum(counts_at(columns.cells, counts, cells + step) for step in AROUND) / len(AROUND)
        return np.asarray(counts[np.arange(len(top)), top] >= TIMES * (around + 1))

    def _is_crowded(self, windows: Windows, columns: Columns, reference: Summary, top: Integers) -> NDArray[np.bool_]:
        """Return whether the cells beside ``top`` have gained, too: many values have come near it, and not one."""
        assert isinstance(reference, NumericSummary)
        n, cells = windows.sums[:, N], columns.cells[top]

        def gained(step: int) -> tuple[Floats, Floats]:
            usual = n * counts_at(reference.cells, reference.counts[None, :], cells + step) / reference.n
            return counts_at(columns.cells, windows.counts, cells + step) - usual, usual

        (below, usual_below), (above, usual_above) = gained(-1), gained(1)
        chance = CHANCES * np.sqrt(np.maximum(usual_below + usual_above, 1.0))
        return np.asarray(below + above > BESIDE * gained(0)[0] + chance)

    def _is_at_an_end(self, windows: Windows, cells: Integers) -> NDArray[np.bool_]:
        """Return whether cells hold the smallest or largest value of windows: many that are extreme pile up there.

        Not if that is the roundest number of the cell: a model comes near 0 and 1, and a default is 0 or 1.
        """
        assert isinstance(self._layout, NumericLayout)
        extremes = np.where(windows.sums[:, [N]] > 0, windows.extremes, 0.0)
        at_end = self._layout.ids(extremes) == cells[:, None]
        for t in np.flatnonzero(at_end.any(axis=1)):
            round_number = self._roundest(int(cells[t]))
            at_end[t] &= extremes[t] != round_number
        return np.asarray(at_end.any(axis=1))

    def _roundest(self, cell: int) -> float:
        """Return the number of a cell that has the fewest digits."""
        assert isinstance(self._layout, NumericLayout)
        low, high = (float(bound[0]) for bound in self._layout.bounds([cell]))
        # Of negative numbers such a cell is the mirror image, and has its upper end.
        is_mirrored = self._layout.kind == "universal" and high < 0
        return -roundest(-high, -low) if is_mirrored else roundest(low, high)

    def _add(self, extremes: Floats, columns: Columns, column: int, n: int, equal: int, usual: float) -> None:
        """Take a window of ``n`` values, ``equal`` of them in ``column``, for evidence that this is the answer."""
        answer = columns.names[column] if columns.is_category else int(columns.cells[column])
        number = float(extremes[0]) if not columns.is_category and extremes[0] == extremes[1] else None
        is_another = number is not None and self._number is not None and number != self._number
        if answer != self._answer or is_another:
            self._answer, self._number, self._evidence = answer, None, 0.0
            n, equal = n - 1, equal - 1
        if number is not None:
            self._number = number
        # An answer that was rare may be an ordinary one of a distribution that has moved.
        chance = max(usual, HALF) if n - equal <= OTHERS_LEFT * (1 - usual) * n else usual
        if equal > chance * n:
            self._evidence += n * _surprise(chance, equal / n)

    def _named(self, extremes: Floats, columns: Columns, column: int) -> tuple[str, bool]:
        """Return what an answer is called, and whether that is exact."""
        if columns.is_category:
            return repr(columns.names[column][:LONGEST]), True
        assert isinstance(self._layout, NumericLayout)
        low, high = (float(bound[0]) for bound in self._layout.bounds(columns.cells[[column]]))
        if extremes[0] == extremes[1]:
            return f"{extremes[0]:.6g}", True
        return f"{self._roundest(int(columns.cells[column])):.6g}", math.nextafter(low, math.inf) >= high

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"answer": self._answer, "number": self._number, "evidence": self._evidence}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from a snapshot; earlier checkpoints have none, or evidence that was chance in part."""
        if state is not None and "number" in state:
            self._answer, self._number, self._evidence = state["answer"], state["number"], state["evidence"]


def counts_at(cells: Integers | Cells, counts: NDArray[Any], row_cells: Integers) -> Floats:
    """Return the counts of one cell in each row, float64[T]: 0 of one that is not among ``cells``."""
    column = np.minimum(np.searchsorted(cells, row_cells), len(cells) - 1)
    rows = np.arange(len(row_cells)) % len(counts)
    return np.where(cells[column] == row_cells, counts[rows, column], 0).astype(np.float64)


def is_narrow(layout: NumericLayout, cells: Integers | Cells, spread: float) -> NDArray[np.bool_]:
    """Return whether two values of a cell may be taken for one, bool[K].

    Parameters
    ----------
    layout : NumericLayout
    cells : integer array [K]
    spread : float
        The standard deviation of the values.
    """
    low, high = layout.bounds(cells)
    widest = NARROW * spread
    if layout.kind == "share":
        widest = max(widest, NARROW_SHARE)
    return np.asarray(high - low <= widest)


def equal_pairs(counts: Integers, n: Integers, clumping: float) -> tuple[Floats, Floats]:
    """Return how many pairs of the values of each window are equal, and out of how many, float64[T] twice.

    Of n values n(n − 1)/2 pairs are equal with probability Σp², whatever n is: the inverse of the effective number of
    different values (Simpson 1949). Where all are alike frequent, pairs are equal independently of each other, two
    by two; else a frequent value makes many pairs at once. They count for as many pairs as would vary as much
    without that.

    Parameters
    ----------
    counts : int64 array [T, K]
        Of columns whose values are equal.
    n : int64 array [T]
        All values.
    clumping : float
        As `clumping_of` returns it.

    Examples
    --------
    >>> equal, pairs = equal_pairs(np.array([[2, 3]]), np.array([6]), clumping=0.0)
    >>> equal.tolist(), pairs.tolist()
    ([4.0], [15.0])
    """
    clumps = 1 + np.maximum(n - 2, 0) * clumping
    return (counts * (counts - 1)).sum(axis=1) / 2 / clumps, n * (n - 1) / 2 / clumps


def clumping_of(counts: Integers | NDArray[np.uint64], n: int) -> float:
    """Return what each value of a window adds to the variance of its equal pairs: 2(Σp³ − (Σp²)²)/(Σp²(1 − Σp²)).

    Parameters
    ----------
    counts : integer array [K]
        Of a reference, of cells whose values are equal.
    n : int
        All values of it.
    """
    c = counts.astype(np.float64)
    two, three = float((c * (c - 1)).sum()), float((c * (c - 1) * (c - 2)).sum())
    if n < 3 or two == 0:
        return 0.0
    equal, thrice = two / (n * (n - 1)), three / (n * (n - 1) * (n - 2))
    return max(2 * (thrice - equal * equal) / (equal * (1 - equal)), 0.0) if equal < 1 else 0.0


def roundest(low: float, high: float) -> float:
    """Return the number within ``[low, high)`` that has the fewest digits: what somebody chose is most often that.

    A cell may hold one number alone, ``low`` and ``high``.

    Examples
    --------
    >>> roundest(0.4951, 0.5027), roundest(-1.0, 1.0), roundest(0.25, 0.2500001), roundest(0.0, 0.0)
    (0.5, 0.0, 0.25, 0.0)
    """
    if low <= 0 < high or low == high == 0:
        return 0.0
    if not math.isfinite(high - low):
        return low if math.isfinite(low) else high
    exponent = math.ceil(math.log10(max(abs(low), abs(high))))
    for digits in range(17):
        step = exponent - digits
        candidate = round(math.ceil(low / 10.0**step) * 10.0**step, max(-step, 0))
        if low <= candidate < high:
            return candidate
    return low


def _surprise(usual: float, current: float) -> float:
    """Return by how many nats a value says that a share is another one: Kullback and Leibler's divergence."""
    rest = (1 - current) * math.log((1 - current) / (1 - usual)) if current < 1 else 0.0
    return current * math.log(current / usual) + rest
