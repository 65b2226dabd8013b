"""What a distance is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

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
    """

    name: str
    compare: Compare
    default_min_effect: float
    ordered: bool
    p_values: bool

    def __call__(self, reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
        """Compare each row of `current` with the same row of `reference`.

        Parameters
        ----------
        reference, current
            int64 or float64 [series, cells], counts; columns that are zero on both sides make no difference.
        positions
            float64[cells] or [series, cells], ascending where counts are: where the cells lie. Used by
            `wasserstein` alone, which takes the cell's number without it.

        Raises
        ------
        ValueError
            If the shapes differ or are not matrices, or a count is negative or not finite.
        """
        return self.compare(reference, current, positions)


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

    def blank(self, values: Floats) -> Floats:
        """Return `values` [series] with NaN for series that are empty on a side."""
        return np.where(self.filled, values, np.nan)

    def sampling_variance(self) -> Floats:
        """Return 1/n + 1/m [series], by which sampling alone inflates squared relative differences of shares."""
        one = np.float64(1)
        return 1 / np.maximum(self.n, one) + 1 / np.maximum(self.m, one)
