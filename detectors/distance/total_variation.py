"""Total variation: the share of the observations that would have to change their cell."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, row_sums
from detectors.distance.tail import chi2_sf

# A tenth of the traffic is elsewhere, as for KS, which is never larger.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``sum(|p - q|) / 2``, the largest difference of the probability of any set of cells.

    Its distribution has no closed form, but Cauchy and Schwarz give ``(sum |p - q|)**2 <= sum((p - q)**2 / s)`` for
    pooled shares s: four squared distances are no larger than Pearson's chi-squared times ``1/n + 1/m``. The p-value
    is the tail of that, an upper bound: exact for two equal cells, and for B equal ones as if about 2/π of the evidence
    were there. The effect is the distance.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> result = distance([[50, 50]], [[80, 20]])
    >>> result.statistic.round(3).tolist(), result.p_value.round(6).tolist()
    ([0.3], [2.2e-05])
    """
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    moved = pair.blank(np.minimum(row_sums(np.abs(p - q)) / 2, 1.0))
    p_value = chi2_sf(4 * moved**2 / pair.sampling_variance(), pair.occupied.sum(axis=1) - 1)
    return Comparison(moved, p_value, moved)
