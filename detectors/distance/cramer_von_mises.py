"""Cramér–von Mises distance: the mean square of the difference of the cumulative shares."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, row_sums
from detectors.distance.limits import cramer_von_mises_sf

# A normal feature that shifts by a quarter of a standard deviation, for which KS is 0.1, has 0.076.
default_min_effect = 0.075


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``n * m / (n + m)`` times the integral of ``(F - G)**2`` over the pooled sample.

    Values in one cell are spread evenly over it: the gap is linear there, and its square is integrated. Without ties
    the result is Anderson's T (Ann. Math. Stat. 33, 1962) less ``1 / (6 (n + m))``, and has a mean of exactly 1/6 when
    nothing changed. Ties make it smaller: what is left is the mean of the limiting process given its values at the
    ends of cells, whose weights are all smaller, so that p-values are conservative. (Mid-ranks put into the formula
    for samples without ties, as SciPy does, give equal windows a large statistic where n and m differ.)

    The p-value is that of the limit, after the statistic's variance is made that of the limit (Anderson's equation 8).
    The effect is the root of the integral with both sides weighing the same, at most ``sqrt(1/3)``.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> result = distance([[5, 5, 0]], [[0, 5, 5]])
    >>> result.statistic.round(4).tolist(), result.effect.round(4).tolist()
    ([0.8333], [0.4082])
    """
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    gap = pair.gaps()
    square = (gap[:, :-1] ** 2 + gap[:, :-1] * gap[:, 1:] + gap[:, 1:] ** 2) / 3
    n, m = np.maximum(pair.n, 1), np.maximum(pair.m, 1)
    statistic = pair.blank(n * m / (n + m) ** 2 * row_sums(square * (pair.reference + pair.current)))
    effect = pair.blank(np.sqrt(row_sums(square * (p + q) / 2)))
    return Comparison(statistic, cramer_von_mises_sf(standardised(statistic, n, m)), effect)


def standardised(statistic: Floats, n: Floats, m: Floats) -> Floats:
    """Return the statistic with the limit's variance of 1/45; its mean of 1/6 it has.

    One observation on either side has no variance, and shows nothing.
    """
    both = n + m
    variance = (both + 1) * (4 * n * m * both - 3 * (n * n + m * m) - 2 * n * m) / (180 * both**2 * n * m)
    scale = np.sqrt(np.divide(1 / 45, variance, out=np.zeros_like(variance), where=variance > 0))
    return np.asarray(1 / 6 + (statistic - 1 / 6) * scale)
