"""Kullback–Leibler divergence of the window from its baseline."""

from __future__ import annotations

import math

from detectors.distance.contract import CHI2, EFFECT, GROUPED, P_DF, P_X, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import PSEUDO_COUNT, sizes
from detectors.kernel import inlined


@inlined
def kl(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute ``sum(q * log(q / p))`` in nats, q being the window: KL(window ‖ baseline).

    It is what an observation of the window costs in addition if it is coded as if it came from the baseline (Kullback
    and Leibler, Ann. Math. Stat. 22, 1951). Values that are new weigh heavily and values that vanish hardly at all;
    `psi` adds the other direction.

    Half an observation is added to each occupied cell on both sides, as for PSI, so that an empty cell of the baseline
    counts by how surprising its emptiness is. For small changes ``2 / (1/n + 1/m)`` times the divergence is
    chi-squared with one degree of freedom less than occupied cells. A small baseline that happens to hold too few of
    some cell makes it larger than that: then half of PSI, the mean of both directions, is what the p-value is of. The
    effect is the divergence.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> compare("kl", [[899, 99]], [[499, 499]]).statistic.round(3).tolist()
    [0.513]
    """
    n, m, cells = sizes(reference, current)
    divergence = 0.0
    index = 0.0
    for g in range(reference.size):
        if reference[g] > 0 or current[g] > 0:
            p = (reference[g] + PSEUDO_COUNT) / (n + PSEUDO_COUNT * cells)
            q = (current[g] + PSEUDO_COUNT) / (m + PSEUDO_COUNT * cells)
            log = math.log(q / p)
            divergence += q * log
            index += (q - p) * log
    answer[STATISTIC] = divergence
    answer[EFFECT] = divergence
    answer[P_X] = min(2 * divergence, index) / (1 / n + 1 / m)
    answer[P_DF] = cells - 1


KL = Distance(
    "kl",
    "Kullback–Leibler: window from baseline, in nats.",
    kl,
    reads=GROUPED,
    p_value=CHI2,
    # PSI is the sum of the divergences of both directions: half of its limit.
    default_min_effect=0.05,
)
