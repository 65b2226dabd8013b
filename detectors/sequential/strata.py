"""Sums of what two versions did in the same spans of time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arm", "Floats", "Strata"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Arm:
    """What one version did, stratum by stratum: sums, which add up over partitions and panes.

    Attributes
    ----------
    n, total, squares : float64 array [..., strata]
        Number of observations, their sum, and the sum of their squares. Of rates ``squares`` is not read. Means that
        are far from 0 are better summed about an origin that both versions share.
    """

    n: Floats
    total: Floats
    squares: Floats

    @property
    def mean(self) -> Floats:
        """The mean of each stratum, 0 where there is nothing."""
        return self.total / np.maximum(self.n, 1.0)

    @property
    def variance(self) -> Floats:
        """The unbiased variance within each stratum; of strata with fewer than two observations it says nothing."""
        return np.maximum(self.squares - self.total * self.mean, 0.0) / np.maximum(self.n - 1.0, 1.0)


@dataclass(frozen=True)
class Strata:
    """What a candidate and a champion did in the same strata, in the order of time.

    Examples
    --------
    >>> hours = Strata(
    ...     candidate=Arm(np.array([10.0, 10.0]), np.array([6.0, 2.0]), np.array([6.0, 2.0])),
    ...     champion=Arm(np.array([30.0, 10.0]), np.array([15.0, 1.0]), np.array([15.0, 1.0])),
    ... )
    >>> hours.weight.tolist(), round(hours.difference, 6)
    ([7.5, 5.0], 0.1)
    """

    candidate: Arm
    champion: Arm

    @property
    def swapped(self) -> Strata:
        """The same with the versions exchanged: the difference has the other sign."""
        return Strata(self.champion, self.candidate)

    def first(self, count: int) -> Strata:
        """The first strata of one comparison.

        Parameters
        ----------
        count : int
            How many.
        """
        candidate, champion = (
            Arm(arm.n[:count], arm.total[:count], arm.squares[:count]) for arm in (self.candidate, self.champion)
        )
        return Strata(candidate, champion)

    @cached_property
    def weight(self) -> Floats:
        """What a stratum's difference weighs: its observations as two equal arms would have them, halved.

        ``n m / (n + m)``, the inverse of ``1 / n + 1 / m`` (Mantel and Haenszel 1959).
        """
        n, m = self.candidate.n, self.champion.n
        return n * m / np.maximum(n + m, 1.0)

    @property
    def difference(self) -> float:
        """The weighted mean of the strata's differences, candidate minus champion; NaN if no stratum has both."""
        weight = float(self.weight.sum())
        gaps = self.candidate.mean - self.champion.mean
        return float((self.weight * gaps).sum()) / weight if weight else np.nan
