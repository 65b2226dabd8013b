"""L-infinity: the largest difference of the share of a single cell."""

from __future__ import annotations

import math

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, row_sums
from detectors.distance.tail import normal_sf

# A tenth of the traffic is elsewhere, as for KS and total variation.
default_min_effect = 0.1


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute ``max(|p - q|)`` over cells.

    The p-value is an upper bound, Boole's: the sum over cells of the probability that their share alone differs by as
    much. A difference of shares is a sum of steps of at most ``b = max(1/n, 1/m)`` with the variance v that the pooled
    share gives it. The exponent of its tail is at least ``(v / b²) ((1 + u) log(1 + u) - u)`` with ``u = b d / v``
    (Bennett, JASA 57, 1962), and the probability is taken to be that of a normal variable whose tail has this exponent:
    for many observations the test of two proportions, for few the tail of a Poisson variable, which is heavier.

    The effect is the distance.

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> result = distance([[50, 30, 20]], [[50, 20, 30]])
    >>> result.statistic.round(3).tolist(), result.p_value.round(3).tolist()
    ([0.1], [0.405])
    """
    pair = Pair.of(reference, current)
    p, q = pair.shares()
    largest = pair.blank(np.abs(p - q).max(axis=1, initial=0.0))
    pooled = (pair.reference + pair.current) / np.maximum(pair.n + pair.m, 1)[:, None]
    rest = np.maximum((pair.n + pair.m)[:, None] - pair.reference - pair.current, 0.0)
    rest /= np.maximum(pair.n + pair.m, 1)[:, None]
    variance = pooled * rest * pair.sampling_variance()[:, None]
    z = _root(largest[:, None], variance, 1 / np.maximum(np.minimum(pair.n, pair.m), 1)[:, None])
    # A cell that holds everything on both sides cannot differ: without a change its probability is not 0 but 1.
    alone = ((pair.occupied.sum(axis=1) == 1) & pair.filled).astype(np.float64)
    return Comparison(largest, np.minimum(pair.blank(row_sums(2 * normal_sf(z)) + alone), 1.0), largest)


def _root(away: Floats, variance: Floats, step: Floats) -> Floats:
    """Return the place of a normal variable with Bennett's exponent, [series, cells]; infinite without variance."""
    u = np.divide(step * away, variance, out=np.zeros_like(variance), where=variance > 0)
    exponent = variance / step**2 * ((1 + u) * np.log1p(u) - u)
    return np.where(variance > 0, np.sqrt(2 * np.maximum(exponent, 0.0)), math.inf)
