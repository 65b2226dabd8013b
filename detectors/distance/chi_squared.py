"""Pearson's chi-squared test of homogeneity: do both sides have the same shares of cells?"""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, row_sums
from detectors.distance.tail import chi2_sf

# What Cohen ("Statistical Power Analysis", 1988) calls a small effect.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute Pearson's statistic of the 2 × cells table, without Yates' correction.

    Degrees of freedom are one less than the occupied cells. The test is approximate: group cells so that few have
    less than five expected observations (`detectors.distance.coarse`).

    The effect is Cramér's V of the table in which both sides weigh the same, ``sqrt(sum((p - q)**2 / (p + q)) / 2)``,
    between 0 and 1. The V of the raw table would shrink as the baseline grows, though nothing else changed.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> result = distance([[10, 20]], [[20, 10]])
    >>> result.statistic.round(3).tolist(), result.effect.round(3).tolist()
    ([6.667], [0.333])
    """
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    occupied = pair.occupied
    pooled = (pair.reference + pair.current) / np.maximum(pair.n + pair.m, 1)[:, None]
    statistic = pair.blank(_squares(p, q, pooled) / pair.sampling_variance())
    effect = pair.blank(np.sqrt(_squares(p, q, p + q) / 2))
    return Comparison(statistic, chi2_sf(statistic, occupied.sum(axis=1) - 1), effect)


def _squares(p: Floats, q: Floats, weight: Floats) -> Floats:
    """Return ``sum((p - q)**2 / weight)`` [series]; a cell without weight adds nothing."""
    terms = np.divide((p - q) ** 2, weight, out=np.zeros_like(p), where=weight > 0)
    return row_sums(terms)
