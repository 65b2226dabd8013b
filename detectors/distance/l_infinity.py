"""L-infinity: the largest difference of the share of a single cell."""

from __future__ import annotations

import math

from detectors.distance.contract import EFFECT, GROUPED, KNOWN, P_X, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import sizes
from detectors.kernel import inlined


@inlined
def l_infinity(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute ``max(|p - q|)`` over cells.

    The p-value is an upper bound, Boole's: the sum over cells of the probability that their share alone differs by as
    much. A difference of shares is a sum of steps of at most ``b = max(1/n, 1/m)`` with the variance v that the pooled
    share gives it. The exponent of its tail is at least ``(v / b²) ((1 + u) log(1 + u) - u)`` with ``u = b d / v``
    (Bennett, JASA 57, 1962), and the probability is taken to be that of a normal variable whose tail has this exponent:
    for many observations the test of two proportions, for few the tail of a Poisson variable, which is heavier.

    The effect is the distance.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("l_infinity", [[50, 30, 20]], [[50, 20, 30]])
    >>> result.statistic.round(3).tolist(), result.p_value.round(3).tolist()
    ([0.1], [0.405])
    """
    n, m, cells = sizes(reference, current)
    largest = 0.0
    for g in range(reference.size):
        largest = max(largest, abs(reference[g] / n - current[g] / m))
    chance = 1.0 if cells == 1 else 0.0
    step = 1 / min(n, m)
    for g in range(reference.size):
        both = reference[g] + current[g]
        variance = both / (n + m) * ((n + m - both) / (n + m)) * (1 / n + 1 / m)
        if variance > 0:
            u = step * largest / variance
            exponent = variance / (step * step) * ((1 + u) * math.log1p(u) - u)
            chance += math.erfc(math.sqrt(max(exponent, 0.0)))
    answer[STATISTIC] = largest
    answer[EFFECT] = largest
    answer[P_X] = min(chance, 1.0)


L_INFINITY = Distance(
    "l_infinity",
    "Largest change of the share of one cell.",
    l_infinity,
    reads=GROUPED,
    p_value=KNOWN,
    # A tenth of the traffic is elsewhere, as for KS and total variation.
    default_min_effect=0.1,
    largest_effect=1.0,
    spelling="L-infinity",
)
