"""L-infinity: the largest difference of the share of a single cell."""

from __future__ import annotations

import math

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair
from detectors.distance.tail import normal_sf

# A tenth of the traffic is elsewhere, as for KS and total variation.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``max(|p - q|)`` over cells.

    The p-value is an upper bound, Boole's: the sum over cells of the probability that their share alone differs by as
    much, ``2 * (1 - Phi(d / sd))`` with the pooled share's standard deviation, as in the test of two proportions. Only
    cells with a large share contribute, for which the normal distribution fits. The effect is the distance.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> result = distance([[50, 30, 20]], [[50, 20, 30]])
    >>> result.statistic.round(3).tolist(), result.p_value.round(3).tolist()
    ([0.1], [0.362])
    """
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    largest = pair.blank(np.abs(p - q).max(axis=1, initial=0.0))
    pooled = (pair.reference + pair.current) / np.maximum(pair.n + pair.m, 1)[:, None]
    rest = np.maximum((pair.n + pair.m)[:, None] - pair.reference - pair.current, 0.0)
    rest /= np.maximum(pair.n + pair.m, 1)[:, None]
    sd = np.sqrt(pooled * rest * pair.sampling_variance()[:, None])
    z = np.divide(largest[:, None], sd, out=np.full_like(sd, math.inf), where=sd > 0)
    # A cell that holds everything on both sides cannot differ: without a change its probability is not 0 but 1.
    alone = ((pair.occupied.sum(axis=1) == 1) & pair.filled).astype(np.float64)
    return Comparison(largest, np.minimum(pair.blank((2 * normal_sf(z)).sum(axis=1) + alone), 1.0), largest)
