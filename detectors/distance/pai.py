"""Population accuracy index: how much less sure a model is of the window than of its baseline."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, row_sums
from detectors.distance.tail import normal_sf

# The upper of the customary limits, 1.1 (some deterioration) and 1.5 (large): Taplin and Hunt, 2019. It takes a mean
# that moves by a standard deviation, or a spread that grows by 1.4; heavy tails reach the lower one by chance.
default_min_effect = 0.5

SMALLEST_SPREAD = 1e-14
"""Below it all values are equally far from the mean, up to rounding."""

FEWEST = 2.0
"""Degrees of freedom with which the ratio of two variances says something."""


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``(1 + mean((z - mean(x))**2) / var(x)) / 2``, x being the baseline and z the window.

    It is the mean variance of the predictions of a linear regression on this feature, fitted on the baseline, over the
    window's values as a ratio to that over the baseline's own (Taplin and Hunt, "The Population Accuracy Index: A New
    Measure of Population Stability for Model Monitoring", Risks 7, 2019, for one numeric variable): 1 if nothing
    changed, above it if values moved away from where the model was fitted. A window closer to the baseline's mean has
    less than 1, which is no reason for an alarm: the effect is what is above 1, and infinite where a constant moves.

    The p-value is that of an index at least as large. With k the kurtosis of both sides together about the baseline's
    mean, n and m values say as much about their variance as ``2 n / (k - 1)`` and ``2 m / (k - 1)`` normal ones do; the
    ratio of both variances is taken to follow the F distribution with these degrees of freedom, by Paulson's
    approximation (Ann. Math. Stat. 13, 1942). Where a side has less than two, the p-value is 1.

    See `detectors.distance.comparison.Distance` for the parameters. Positions may be anything in columns that are
    zero on both sides.

    Raises
    ------
    ValueError
        If positions do not fit, or are not ascending and finite where counts are.

    Examples
    --------
    >>> result = distance([[5, 5, 0]], [[0, 5, 5]], np.array([0.0, 1.0, 3.0]))
    >>> result.statistic.tolist(), result.effect.tolist()
    ([7.0], [6.0])
    """
    pair = Pair.of(reference, current)
    places = pair.places(positions)
    places = places - places[:, :1]  # a mean far from zero would lose the digits of its distances
    p, q = pair.shares()
    away = (places - row_sums(p * places)[:, None]) ** 2
    variance, seen = row_sums(p * away), row_sums(q * away)
    ratio = np.where(seen > 0, np.inf, 1.0)
    np.divide(seen, variance, out=ratio, where=variance > 0)
    pooled = (pair.reference + pair.current) / np.maximum(pair.n + pair.m, 1)[:, None]
    mean = row_sums(pooled * away)[:, None]
    relative = np.divide(away - mean, mean, out=np.zeros_like(away), where=mean > 0)
    spread = np.maximum(row_sums(pooled * relative**2), SMALLEST_SPREAD)
    index = (1 + ratio) / 2
    # A baseline's own variance is that much too small, and that of one value says nothing.
    unbiased = np.multiply(ratio, (pair.n - 1) / (pair.n + 1), out=np.zeros_like(ratio), where=pair.n > 1)
    p_value = _f_sf(unbiased, 2 * pair.m / spread, 2 * pair.n / spread)
    return Comparison(pair.blank(index), pair.blank(p_value), pair.blank(np.maximum(index - 1, 0.0)))


def _f_sf(ratio: Floats, m: Floats, n: Floats) -> Floats:
    """Return P(F > ratio) for m and n degrees of freedom; 1 where either are fewer than :data:`FEWEST`."""
    root = np.cbrt(np.maximum(ratio, 0.0))
    a, b = (2 / (9 * np.maximum(df, FEWEST)) for df in (m, n))
    # Of an infinite ratio what counts is where the quotient goes to.
    finite = np.isfinite(root)
    root = np.where(finite, root, 1.0)
    z = np.where(finite, ((1 - b) * root - (1 - a)) / np.sqrt(b * root**2 + a), (1 - b) / np.sqrt(b))
    return np.where((m >= FEWEST) & (n >= FEWEST), normal_sf(z), 1.0)
