"""Jensen–Shannon distance: how well the two sides can be told apart from their cells, between 0 and 1."""

from __future__ import annotations

import math

from detectors.distance.contract import CHI2, EFFECT, GROUPED, P_DF, P_X, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import PSEUDO_COUNT, sizes
from detectors.kernel import inlined, kernel


@inlined
def jensen_shannon(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute the square root of the Jensen–Shannon divergence in bits (Endres and Schindelin, IEEE IT 49, 2003).

    Unlike PSI it is bounded, and an empty cell needs no correction. For small changes the divergence in nats is an
    eighth of ``sum((p - q)**2 / p)``, which sampling makes ``(1/n + 1/m)`` times a chi-squared variable with one
    degree of freedom less than occupied cells. That is where the p-value comes from, after half an observation was
    added to each occupied cell on both sides: without it, it is far too small for small windows. The effect is the
    distance.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> compare("jensen_shannon", [[10, 0]], [[0, 10]]).statistic.tolist()
    [1.0]
    """
    n, m, cells = sizes(reference, current)
    root = min(math.sqrt(divergence(reference, current, n, m, 0.0, cells) / math.log(2.0)), 1.0)
    answer[STATISTIC] = root
    answer[EFFECT] = root
    answer[P_X] = 8 * divergence(reference, current, n, m, PSEUDO_COUNT, cells) / (1 / n + 1 / m)
    answer[P_DF] = cells - 1


@kernel
def divergence(reference: Integers, current: Integers, n: int, m: int, pseudo_count: float, cells: int) -> float:
    """Return the Jensen–Shannon divergence in nats, with ``pseudo_count`` more observations in each occupied cell."""
    nats = 0.0
    for g in range(reference.size):
        if reference[g] > 0 or current[g] > 0:
            p = (reference[g] + pseudo_count) / (n + pseudo_count * cells)
            q = (current[g] + pseudo_count) / (m + pseudo_count * cells)
            middle = (p + q) / 2
            if p > 0:
                nats += p * math.log(p / middle) / 2
            if q > 0:
                nats += q * math.log(q / middle) / 2
    return max(nats, 0.0)


JENSEN_SHANNON = Distance(
    "jensen_shannon",
    "Jensen–Shannon distance, base 2, from 0 to 1.",
    jensen_shannon,
    reads=GROUPED,
    p_value=CHI2,
    # For small changes the square is PSI / (8 log 2), so that 0.13 matches PSI's 0.1; 0.1 is the round number that
    # other monitoring tools start from.
    default_min_effect=0.1,
    largest_effect=1.0,
    aliases=("js",),
    spelling="Jensen–Shannon",
)
