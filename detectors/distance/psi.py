"""Population stability index: the symmetric Kullback–Leibler divergence between shares of cells."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, row_sums
from detectors.distance.tail import chi2_sf

# The customary limits are 0.1 (some change) and 0.25 (large change): Siddiqi, "Credit Risk Scorecards", 2006.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``sum((p - q) * log(p / q))`` over the cells that are occupied on either side.

    Half an observation is added to each occupied cell on both sides, which is Jeffreys' prior for shares: an empty
    cell then counts by how surprising its emptiness is, instead of as infinity or as an arbitrary small number.

    The p-value takes the index as ``(1/n + 1/m)`` times a chi-squared variable with one degree of freedom less than
    occupied cells (Yurdakul, "Statistical properties of population stability index", 2018, theorem 3.1).
    The effect is the index.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> result = distance([[50, 50]], [[50, 50]])
    >>> float(result.statistic[0]), float(result.p_value[0])
    (0.0, 1.0)
    """
    pair = Pair.of(reference, current)
    p, q, cells = pair.smoothed_shares()
    index = pair.blank(row_sums((p - q) * np.log(p / q)))
    return Comparison(index, chi2_sf(index / pair.sampling_variance(), cells - 1), index)
