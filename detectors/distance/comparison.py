"""What a distance is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.sketch.vector import VectorLayout

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[Any]


class Comparison(NamedTuple):
    """How far each series is from its baseline.

    Parameters
    ----------
    statistic
        float64[series]: the value that the distance is named for; NaN for a series that is empty on a side.
    p_value
        float64[series]: how probable a statistic at least as large is if nothing changed and observations are
        independent; NaN where the statistic is, and for distances without a test.
    effect
        float64[series]: how large the change is, free of the sample sizes; compare with `default_min_effect`.
    """

    statistic: Floats
    p_value: Floats
    effect: Floats


PSEUDO_COUNT = 0.5
"""What is added to each occupied cell by distances that an empty one would make infinite: Jeffreys' prior."""

Compare = Callable[[Counts, Counts, "Floats | None"], Comparison]


@dataclass(frozen=True)
class Distance:
    """An entry of `detectors.distance.DISTANCES`.

    Parameters
    ----------
    name
        The name in configurations and stored rows.
    compare
        The function.
    default_min_effect
        The smallest effect that is material unless the user says otherwise.
    ordered
        Whether the order of cells matters; such distances do not apply to categories.
    p_values
        Whether there is a test.
    located
        Whether it matters where the cells lie.
    """

    name: str
    compare: Compare
    default_min_effect: float
    ordered: bool
    p_values: bool
    located: bool = False

    def __call__(self, reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
        """Compare each row of `current` with the same row of `reference`.

        Parameters
        ----------
        reference, current
            int64 or float64 [series, cells], counts; columns that are zero on both sides make no difference.
        positions
            float64[cells] or [series, cells], ascending where counts are: where the cells lie. Used by those that
            are `located`, which take the cell's number without it.

        Raises
        ------
        ValueError
            If the shapes differ or are not matrices, or a count is negative or not finite.
        """
        return self.compare(reference, current, positions)


@dataclass(frozen=True)
class VectorDistance:
    """An entry of `detectors.distance.VECTOR_DISTANCES`.

    Parameters
    ----------
    name
        The name of the distance.
    compare
        ``compare(layout, reference, current) -> Comparison``: one summary of each side for each series.
    derive
        ``derive(values) -> layout``, from baseline vectors, float64[n, dimension].
    assume
        ``assume(dimension, location, scale) -> layout``, where there are none.
    default_min_effect
        The smallest effect that is material unless the user says otherwise.
    p_values
        Whether there is a test.
    """

    name: str
    compare: Callable[..., Comparison]
    derive: Callable[..., VectorLayout]
    assume: Callable[..., VectorLayout]
    default_min_effect: float
    p_values: bool


@dataclass(frozen=True)
class Pair:
    """Two count matrices of one shape, checked, with what every distance derives from them."""

    reference: Floats
    current: Floats
    n: Floats
    m: Floats
    filled: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, reference: Counts, current: Counts) -> Pair:
        """Check and convert; raise ValueError as `Distance.__call__` says."""
        r, c = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
        if r.ndim != 2 or r.shape != c.shape:
            raise ValueError(f"expected two matrices of one shape [series, cells], not {r.shape} and {c.shape}")
        for counts in (r, c):
            if not (np.isfinite(counts).all() and (counts >= 0).all()):
                raise ValueError("counts must be finite and not negative")
        n, m = r.sum(axis=1), c.sum(axis=1)
        return cls(r, c, n, m, (n > 0) & (m > 0))

    @property
    def occupied(self) -> npt.NDArray[np.bool_]:
        """Which cells hold something on either side, bool[series, cells]."""
        return (self.reference > 0) | (self.current > 0)

    def shares(self) -> tuple[Floats, Floats]:
        """Return the counts as fractions of their row; zero in a row that is empty."""
        one = np.float64(1)
        return self.reference / np.maximum(self.n, one)[:, None], self.current / np.maximum(self.m, one)[:, None]

    def smoothed_shares(self) -> tuple[Floats, Floats, Floats]:
        """Return the shares with :data:`PSEUDO_COUNT` in each occupied cell, and how many of those a row has.

        Cells that are empty on both sides have a share of 1 on both, whose logarithm is 0.
        """
        occupied = self.occupied
        cells = occupied.sum(axis=1)
        size = np.maximum(PSEUDO_COUNT * cells, PSEUDO_COUNT)
        p = np.where(occupied, (self.reference + PSEUDO_COUNT) / (self.n + size)[:, None], 1.0)
        q = np.where(occupied, (self.current + PSEUDO_COUNT) / (self.m + size)[:, None], 1.0)
        return p, q, cells

    def gaps(self) -> Floats:
        """Return the difference of the cumulative shares before each cell and at the end, [series, cells + 1]."""
        out = np.zeros((self.reference.shape[0], self.reference.shape[1] + 1))
        # Counts are added before they are divided: their sums are exact.
        n, m = (np.maximum(size, 1)[:, None] for size in (self.n, self.m))
        out[:, 1:] = np.cumsum(self.reference, axis=1) / n - np.cumsum(self.current, axis=1) / m
        return out

    def places(self, positions: Floats | None) -> Floats:
        """Return the positions [series, cells]; a column without counts has that of the one before it.

        Raises
        ------
        ValueError
            If they are not ascending and finite where counts are.
        """
        shape = self.reference.shape
        given = np.arange(shape[1]) if positions is None else positions
        given = np.broadcast_to(np.asarray(given, dtype=np.float64), shape)
        occupied = self.occupied
        if not np.isfinite(given[occupied]).all():
            raise ValueError("the positions of occupied cells must be finite")
        filled = np.maximum.accumulate(np.where(occupied, given, -np.inf), axis=1)
        if (filled[occupied] > given[occupied]).any():
            raise ValueError("the positions of occupied cells must be ascending")
        first = np.min(np.where(occupied, given, np.inf), axis=1, initial=np.inf, keepdims=True)
        return np.where(np.isinf(filled), np.where(np.isinf(first), 0.0, first), filled)

    def blank(self, values: Floats) -> Floats:
        """Return `values` [series] with NaN for series that are empty on a side."""
        return np.where(self.filled, values, np.nan)

    def sampling_variance(self) -> Floats:
        """Return 1/n + 1/m [series], by which sampling alone inflates squared relative differences of shares."""
        one = np.float64(1)
        return 1 / np.maximum(self.n, one) + 1 / np.maximum(self.m, one)


def row_sums(values: Floats) -> Floats:
    """Return the sum of each row, one column after the other.

    NumPy's own ``sum`` pairs columns by how many there are. A row that is compared beside wider ones has columns of
    zeros at its end, and must give the same bits as alone.

    Examples
    --------
    >>> row_sums(np.array([[0.1, 0.2, 0.3]])).tolist() == row_sums(np.array([[0.1, 0.2, 0.3, *[0.0] * 20]])).tolist()
    True
    """
    if values.shape[1] == 0:
        return np.zeros(len(values))
    return np.asarray(np.add.accumulate(values, axis=1)[:, -1])


def relative_entropy(p: Floats, q: Floats) -> Floats:
    """Return ``sum(p * log(p / q))`` [series]; a cell without mass in p adds nothing.

    Examples
    --------
    >>> relative_entropy(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])).round(4).tolist()
    [0.6931]
    """
    present = p > 0
    ratio = np.divide(p, q, out=np.ones_like(p), where=present)
    return row_sums(p * np.log(ratio))
