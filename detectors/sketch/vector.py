"""Additive summaries of vectors, such as embeddings or several features of one event: integer sums, whatever is summed.

A layout says what: `detectors.sketch.fourier` random Fourier features, `detectors.sketch.moments` products of pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detectors.kernel import inlined

__all__ = ["VectorFold", "VectorLayout", "VectorSummary", "sum_vectors"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

N, MISSING, INVALID, COUNTS = range(4)

LARGEST_Q = float(1 << 26)
FRACTION_BITS = 16
"""Coordinates are limited to 1,024 scales from their location, as those of `detectors.sketch.numeric` are."""


class VectorLayout(Protocol):
    """What of a vector is summed."""

    @property
    def dimension(self) -> int:
        """How many coordinates a vector has."""
        ...

    @property
    def size(self) -> int:
        """How many sums there are."""
        ...

    def add(self, rows: Integers, x: Floats, counts: Integers, sums: Integers) -> None:
        """Add vectors ``x``, float64[n, dimension], to the rows of ``counts`` and ``sums`` that ``rows`` says."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        ...


@dataclass(slots=True, eq=False)
class VectorSummary:
    """The additive summary of vectors over any set of events.

    All of it is integers: adding summaries in any order or grouping gives the same bits as folding all events at once.

    Parameters
    ----------
    n
        Number of vectors whose coordinates are all finite; the others add nothing to the sums.
    missing, invalid
        Number of vectors with a missing coordinate (NaN), and of those with an infinite one.
    sums
        int64[size]: what the layout says.

    Examples
    --------
    >>> one = VectorSummary(1, 0, 0, np.array([5, 7]))
    >>> (one + one).sums.tolist()
    [10, 14]
    """

    n: int
    missing: int
    invalid: int
    sums: Integers

    @property
    def total(self) -> int:
        """Number of events, whatever their vector."""
        return self.n + self.missing + self.invalid

    def __add__(self, other: VectorSummary) -> VectorSummary:
        if not isinstance(other, VectorSummary):
            return NotImplemented
        return sum_vectors((self, other))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VectorSummary):
            return NotImplemented
        counts = (self.n, self.missing, self.invalid) == (other.n, other.missing, other.invalid)
        return counts and np.array_equal(self.sums, other.sums)

    __hash__ = None  # type: ignore[assignment]


def sum_vectors(summaries: Sequence[VectorSummary]) -> VectorSummary:
    """Add summaries of one layout; exact, in any order.

    Raises
    ------
    ValueError
        If there is none, or they have different numbers of sums.
    """
    if len({summary.sums.size for summary in summaries}) != 1:
        raise ValueError("only summaries of one layout can be added, at least one of them")
    return VectorSummary(
        n=sum(summary.n for summary in summaries),
        missing=sum(summary.missing for summary in summaries),
        invalid=sum(summary.invalid for summary in summaries),
        sums=np.sum([summary.sums for summary in summaries], axis=0),
    )


class VectorFold:
    """Sums of vectors in many rows, folded from batches.

    Parameters
    ----------
    layout : VectorLayout

    Examples
    --------
    >>> from detectors.sketch.moments import MomentsLayout
    >>> fold = VectorFold(MomentsLayout.plain(2))
    >>> fold.ensure(1)
    >>> fold.fold(np.array([0, 0]), np.array([[1.0, 2.0], [3.0, np.nan]]))
    >>> summary = fold.take(0)
    >>> summary.n, summary.missing
    (1, 1)
    """

    def __init__(self, layout: VectorLayout) -> None:
        self.layout = layout
        self._counts = np.zeros((0, COUNTS), dtype=np.int64)
        self._sums = np.zeros((0, layout.size), dtype=np.int64)

    @property
    def rows(self) -> int:
        """How many rows there is room for."""
        return len(self._counts)

    def ensure(self, rows: int) -> None:
        """Make room for rows 0 … `rows` - 1; new rows are empty."""
        if rows <= self.rows:
            return
        extra = max(rows, 2 * self.rows) - self.rows
        self._counts = np.concatenate((self._counts, np.zeros((extra, COUNTS), dtype=np.int64)))
        self._sums = np.concatenate((self._sums, np.zeros((extra, self.layout.size), dtype=np.int64)))

    def fold(self, rows: Integers, x: Floats) -> None:
        """Add a batch. It may be cut and ordered anyhow without changing a bit of any summary.

        Parameters
        ----------
        rows
            int64[n]: the row that each event belongs to.
        x
            float64[n, dimension]; a vector with NaN is missing, one with an infinite coordinate invalid.

        Raises
        ------
        ValueError
            If the shapes do not fit, or a row is not within what `ensure` made room for.
        """
        rows = np.ascontiguousarray(rows, dtype=np.int64)
        x = np.ascontiguousarray(x, dtype=np.float64)
        if rows.ndim != 1 or x.shape != (rows.size, self.layout.dimension):
            raise ValueError(f"expected x of shape ({rows.size}, {self.layout.dimension}), not {x.shape}")
        if rows.size == 0:
            return
        if rows.min() < 0 or rows.max() >= self.rows:
            raise ValueError(f"rows lie between {rows.min()} and {rows.max()}, room is for {self.rows}")
        # Coordinates too large for the fixed point are limited; without the jit, NumPy would warn of them.
        with np.errstate(over="ignore"):
            self.layout.add(rows, x, self._counts, self._sums)

    def peek(self, row: int) -> VectorSummary:
        """Return the summary of a row, which stays as it is."""
        n, missing, invalid = self._counts[row].tolist()
        return VectorSummary(n, missing, invalid, self._sums[row].copy())

    def take(self, row: int) -> VectorSummary:
        """Return the summary of a row, and empty the row for its next use."""
        summary = self.peek(row)
        self._counts[row] = 0
        self._sums[row] = 0
        return summary

    def snapshot(self, rows: Sequence[int]) -> dict[str, Integers]:
        """Return the content of some rows: ``counts`` int64[rows, 3] and ``sums`` int64[rows, size]."""
        index = np.asarray(rows, dtype=np.int64)
        return {"counts": self._counts[index], "sums": self._sums[index]}

    def restore(self, rows: Sequence[int], snapshot: Mapping[str, Integers]) -> None:
        """Put a snapshot into rows, the first of it into the first of them; what they held is dropped.

        Raises
        ------
        ValueError
            If the snapshot has another number of rows or of sums.
        """
        if snapshot["sums"].shape != (len(rows), self.layout.size):
            raise ValueError(f"a snapshot of shape {snapshot['sums'].shape} does not fit {len(rows)} rows")
        index = np.asarray(rows, dtype=np.int64)
        self._counts[index] = snapshot["counts"]
        self._sums[index] = snapshot["sums"]


def scaling(dimension: int, location: npt.ArrayLike, scale: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Check where coordinates lie and how far they spread, and return both as float64[dimension].

    Raises
    ------
    ValueError
        If they are not finite, a scale is not positive, or there are no coordinates.
    """
    if dimension < 1:
        raise ValueError(f"a vector has at least one coordinate, not {dimension}")
    shape = (dimension,)
    places = np.ascontiguousarray(np.broadcast_to(np.asarray(location, dtype=np.float64), shape))
    spreads = np.ascontiguousarray(np.broadcast_to(np.asarray(scale, dtype=np.float64), shape))
    if not (np.isfinite(places).all() and np.isfinite(spreads).all() and (spreads > 0).all()):
        raise ValueError("locations must be finite, and scales finite and positive")
    return places, spreads


def middle_and_spread(values: Floats) -> tuple[Floats, Floats]:
    """Return the median of each column, and its interquartile range in normal units; 1 where that is 0.

    Parameters
    ----------
    values
        float64[n, dimension], all finite.

    Raises
    ------
    ValueError
        If there is no vector.
    """
    if len(values) == 0:
        raise ValueError("a layout needs at least one vector without missing or infinite coordinates")
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    spread = (high - low) / 1.349
    deviation = values.std(axis=0)
    return middle, np.where(spread > 0, spread, np.where(deviation > 0, deviation, 1.0))


def finite(values: npt.ArrayLike) -> Floats:
    """Return the vectors, float64[n, dimension], all of whose coordinates are finite."""
    flat = np.asarray(values, dtype=np.float64)
    if flat.ndim != 2:
        raise ValueError(f"expected vectors as a matrix [n, dimension], not an array of shape {flat.shape}")
    return np.ascontiguousarray(flat[np.isfinite(flat).all(axis=1)])


@inlined
def counted(row: int, x: Floats, counts: Integers) -> bool:
    """Count a vector; return whether it is to be summed."""
    missing = False
    invalid = False
    for k in range(x.size):
        missing |= np.isnan(x[k])
        invalid |= np.isinf(x[k])
    if invalid:
        counts[row, INVALID] += 1
    elif missing:
        counts[row, MISSING] += 1
    else:
        counts[row, N] += 1
    return not (invalid or missing)
