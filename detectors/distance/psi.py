"""Population stability index: the symmetric Kullback–Leibler divergence between shares of cells."""

from __future__ import annotations

import math

from detectors.distance.contract import CHI2, EFFECT, GROUPED, P_DF, P_X, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import PSEUDO_COUNT, sizes
from detectors.kernel import inlined


@inlined
def psi(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute ``sum((p - q) * log(p / q))`` over the cells that are occupied on either side.

    Half an observation is added to each occupied cell on both sides, which is Jeffreys' prior for shares: an empty
    cell then counts by how surprising its emptiness is, instead of as infinity or as an arbitrary small number.

    The p-value takes the index as ``(1/n + 1/m)`` times a chi-squared variable with one degree of freedom less than
    occupied cells (Yurdakul, "Statistical properties of population stability index", 2018, theorem 3.1).
    The effect is the index.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("psi", [[50, 50]], [[50, 50]])
    >>> float(result.statistic[0]), float(result.p_value[0])
    (0.0, 1.0)
    """
    n, m, cells = sizes(reference, current)
    index = 0.0
    for g in range(reference.size):
        if reference[g] > 0 or current[g] > 0:
            p = (reference[g] + PSEUDO_COUNT) / (n + PSEUDO_COUNT * cells)
            q = (current[g] + PSEUDO_COUNT) / (m + PSEUDO_COUNT * cells)
            index += (p - q) * math.log(p / q)
    answer[STATISTIC] = index
    answer[EFFECT] = index
    answer[P_X] = index / (1 / n + 1 / m)
    answer[P_DF] = cells - 1


PSI = Distance(
    "psi",
    "Population stability index.",
    psi,
    reads=GROUPED,
    p_value=CHI2,
    # The customary thresholds are 0.1 (some change) and 0.25 (large change): Siddiqi, "Credit Risk Scorecards", 2006.
    default_min_effect=0.1,
)
