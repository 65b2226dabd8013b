"""Pearson's chi-squared test of homogeneity: do both sides have the same shares of cells?"""

from __future__ import annotations

import math

from detectors.distance.contract import EFFECT, GROUPED, PEARSON, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import sizes
from detectors.distance.homogeneity import refer
from detectors.kernel import inlined


@inlined
def chi_squared(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute Pearson's statistic of the 2 × cells table, without Yates' correction.

    The p-value is that of a gamma distribution with the exact mean, variance and skewness of the statistic: in large
    samples chi-squared, with one degree of freedom less than occupied cells (`detectors.distance.homogeneity`).

    The effect is Cramér's V of the table in which both sides weigh the same, ``sqrt(sum((p - q)**2 / (p + q)) / 2)``,
    between 0 and 1. The V of the raw table would shrink as the baseline grows, though nothing else changed.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("chi_squared", [[10, 20]], [[20, 10]])
    >>> result.statistic.round(3).tolist(), result.effect.round(3).tolist()
    ([6.667], [0.333])
    """
    n, m, cells = sizes(reference, current)
    against_pooled = 0.0
    against_both = 0.0
    inverses = 0.0
    squares = 0.0
    for g in range(reference.size):
        if reference[g] > 0 or current[g] > 0:
            p = reference[g] / n
            q = current[g] / m
            square = (p - q) * (p - q)
            inverse = 1 / (reference[g] + current[g])
            inverses += inverse
            squares += inverse * inverse
            against_pooled += square / (reference[g] + current[g])
            against_both += square / (p + q)
    statistic = against_pooled * (n + m) / (1 / n + 1 / m)
    answer[STATISTIC] = statistic
    answer[EFFECT] = math.sqrt(against_both / 2)
    refer(statistic, float(n), float(m), cells, inverses, squares, answer)


CHI_SQUARED = Distance(
    "chi_squared",
    "Chi-squared test of homogeneity.",
    chi_squared,
    reads=GROUPED,
    p_value=PEARSON,
    # What Cohen ("Statistical Power Analysis", 1988) calls a small effect.
    default_min_effect=0.1,
)
