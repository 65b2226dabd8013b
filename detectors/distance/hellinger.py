"""Hellinger distance: the angle between the roots of the shares, between 0 and 1."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, row_sums
from detectors.distance.tail import chi2_sf

# For small changes eight times the square is PSI, so that 0.112 matches PSI's 0.1.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``sqrt(sum((sqrt(p) - sqrt(q))**2) / 2)`` (Hellinger, J. reine angew. Math. 136, 1909).

    It is bounded, and needs no correction for empty cells. ``8 / (1/n + 1/m)`` times its square is the statistic of
    Freeman and Tukey (Ann. Math. Stat. 21, 1950) for two samples, and has a chi-squared limit with one degree of
    freedom less than occupied cells. Where few observations are expected in a cell, the roots of zero and one are too
    far apart for it: the p-value is taken after half an observation was added to each occupied cell on both sides, as
    that of PSI is. The effect is the distance.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> distance([[10, 0]], [[0, 10]]).statistic.tolist()
    [1.0]
    """
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    root = pair.blank(np.minimum(np.sqrt(_square(p, q)), 1.0))
    p, q, cells = pair.smoothed_shares()
    return Comparison(root, chi2_sf(pair.blank(8 * _square(p, q)) / pair.sampling_variance(), cells - 1), root)


def _square(p: Floats, q: Floats) -> Floats:
    return row_sums((np.sqrt(p) - np.sqrt(q)) ** 2) / 2
