"""Hellinger distance: the angle between the roots of the shares, between 0 and 1."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair
from detectors.distance.tail import chi2_sf

# For small changes eight times the square is PSI, so that 0.112 matches PSI's 0.1.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``sqrt(sum((sqrt(p) - sqrt(q))**2) / 2)`` (Hellinger, J. reine angew. Math. 136, 1909).

    It is bounded, and needs no correction for empty cells. ``8 / (1/n + 1/m)`` times its square is the statistic of
    Freeman and Tukey (Ann. Math. Stat. 21, 1950) for two samples, and has a chi-squared limit with one degree of
    freedom less than occupied cells. The effect is the distance.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> distance([[10, 0]], [[0, 10]]).statistic.tolist()
    [1.0]
    """
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    square = ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1) / 2
    root = pair.blank(np.minimum(np.sqrt(square), 1.0))
    p_value = chi2_sf(pair.blank(8 * square / pair.sampling_variance()), pair.occupied.sum(axis=1) - 1)
    return Comparison(root, p_value, root)
