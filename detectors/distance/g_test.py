"""The G-test of homogeneity: the likelihood ratio for both sides having the same shares."""

from __future__ import annotations

import math

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, relative_entropy, row_sums
from detectors.distance.jensen_shannon import divergence
from detectors.distance.tail import chi2_sf

# That of Jensen–Shannon, whose distance the effect is.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``2 * sum(observed * log(observed / expected))`` of the 2 × cells table (Wilks, 1935).

    The p-value is that of the chi-squared limit with one degree of freedom less than occupied cells, after the
    statistic was divided by Williams' correction (Biometrika 63, 1976), which makes its mean that of the limit for
    small samples. With few expected observations in a cell it is still less careful than Pearson's.

    The statistic is ``2 (n + m)`` times the entropy that is lost by mixing both sides; with both weighing the same that
    loss is the Jensen–Shannon divergence, and its root in bits is the effect.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> result = distance([[10, 20]], [[20, 10]])
    >>> result.statistic.round(3).tolist(), result.p_value.round(4).tolist()
    ([6.796], [0.01])
    """
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    total, both = np.maximum(pair.n + pair.m, 1), pair.reference + pair.current
    pooled = both / total[:, None]
    g = pair.blank(2 * np.maximum(pair.n * relative_entropy(p, pooled) + pair.m * relative_entropy(q, pooled), 0.0))
    df = pair.occupied.sum(axis=1) - 1
    spread = row_sums(np.divide(1.0, pooled, out=np.zeros_like(pooled), where=both > 0))
    correction = 1 + (total * pair.sampling_variance() - 1) * (spread - 1) / (6 * total * np.maximum(df, 1))
    effect = pair.blank(np.minimum(np.sqrt(divergence(p, q) / math.log(2)), 1.0))
    return Comparison(g, chi2_sf(g / correction, df), effect)
