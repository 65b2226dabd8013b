"""Energy distance: how much farther apart observations of different sides are than those of one."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, row_sums
from detectors.distance.tail import chi2_sf

# A shift of a fifth of a standard deviation of a normal feature, which Cohen (1988) calls small.
default_min_effect = 0.1

BOUND_HOLDS_FROM = 1.5367
"""The ratio whose bound is 0.215, the largest level for which the bound is proved."""


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute the root of ``2 E|X - Y| - E|X - X'| - E|Y - Y'|``, which is ``2 * integral((F - G)**2)``.

    Each cell's mass is at its position (Székely and Rizzo, J. Stat. Plan. Inference 143, 2013, which also has the
    reasons for the following). The distribution under no change is a quadratic form that depends on the feature;
    of any such form ``Q`` holds ``P(Q > x E Q) <= 2 (1 - Phi(sqrt(x)))`` wherever that is at most 0.215 (Székely and
    Bakirov, 2003). The p-value is this upper bound, with E Q being the mean distance of two pooled observations, and 1
    where the bound says nothing. It needs no continuity: ties do no harm.

    The effect is the root of the squared distance over ``2 E|X - Y|``, between 0 and 1.

    See `detectors.distance.comparison.Distance` for the parameters. Positions may be anything in columns that are
    zero on both sides.

    Raises
    ------
    ValueError
        If positions do not fit, or are not ascending and finite where counts are.

    Examples
    --------
    >>> result = distance([[5, 5, 0]], [[0, 5, 5]], np.array([0.0, 1.0, 3.0]))
    >>> result.statistic.round(4).tolist(), result.effect.round(4).tolist()
    ([1.2247], [0.7071])
    """
    pair = Pair.of(reference, current)
    steps = np.diff(pair.places(positions), axis=1)
    n, m = np.maximum(pair.n, 1), np.maximum(pair.m, 1)
    below = [np.cumsum(side, axis=1)[:, :-1] / size[:, None] for side, size in ((pair.reference, n), (pair.current, m))]
    f, g = below
    pooled = (n[:, None] * f + m[:, None] * g) / (n + m)[:, None]
    square = 2 * row_sums((f - g) ** 2 * steps)
    usual = 2 * row_sums(pooled * (1 - pooled) * steps)
    between = 2 * row_sums((f * (1 - g) + g * (1 - f)) * steps)
    ratio = np.divide(square / pair.sampling_variance(), usual, out=np.zeros_like(usual), where=usual > 0)
    effect = np.sqrt(np.divide(square, between, out=np.zeros_like(between), where=between > 0))
    p_value = np.where(ratio < BOUND_HOLDS_FROM, 1.0, chi2_sf(ratio, 1))
    return Comparison(pair.blank(np.sqrt(square)), pair.blank(p_value), pair.blank(np.minimum(effect, 1.0)))
