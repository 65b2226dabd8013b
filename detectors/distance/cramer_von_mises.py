"""Cramér–von Mises distance: the mean square of the difference of the cumulative shares."""

from __future__ import annotations

import math

from detectors.distance.contract import CRAMERS, CUMULATIVE, EFFECT, P_X, STATISTIC, Distance, Floats, Integers
from detectors.kernel import inlined


@inlined
def cramer_von_mises(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute ``n * m / (n + m)`` times the integral of ``(F - G)**2`` over the pooled sample.

    Values in one cell are spread evenly over it: the gap is linear there, and its square is integrated. Without ties
    the result is Anderson's T (Ann. Math. Stat. 33, 1962) less ``1 / (6 (n + m))``, and has a mean of exactly 1/6 when
    nothing changed. Ties make it smaller: what is left is the mean of the limiting process given its values at the
    ends of cells, whose weights are all smaller, so that p-values are conservative. (Mid-ranks put into the formula
    for samples without ties, as SciPy does, give equal windows a large statistic where n and m differ.)

    The p-value is that of the limit, after the statistic's variance is made that of the limit (Anderson's equation 8).
    The effect is the root of the integral with both sides weighing the same, at most ``sqrt(1/3)``.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("cramer_von_mises", [[5, 5, 0]], [[0, 5, 5]])
    >>> result.statistic.round(4).tolist(), result.effect.round(4).tolist()
    ([0.8333], [0.4082])
    """
    n = float(reference[reference.size - 1])
    m = float(current[current.size - 1])
    pooled = 0.0
    even = 0.0
    for k in range(reference.size - 1):
        a = reference[k + 1] - reference[k]
        b = current[k + 1] - current[k]
        if a > 0 or b > 0:
            low = reference[k] / n - current[k] / m
            high = reference[k + 1] / n - current[k + 1] / m
            square = (low * low + low * high + high * high) / 3
            pooled += square * (a + b)
            even += square * (a / n + b / m) / 2
    both = n + m
    statistic = n * m / (both * both) * pooled
    variance = (both + 1) * (4 * n * m * both - 3 * (n * n + m * m) - 2 * n * m) / (180 * both * both * n * m)
    answer[STATISTIC] = statistic
    answer[EFFECT] = math.sqrt(even)
    answer[P_X] = 1 / 6 + (statistic - 1 / 6) * (math.sqrt(1 / 45 / variance) if variance > 0 else 0.0)


CRAMER_VON_MISES = Distance(
    "cramer_von_mises",
    "Cramér–von Mises: mean square of the gap.",
    cramer_von_mises,
    reads=CUMULATIVE,
    p_value=CRAMERS,
    # A normal feature that shifts by a quarter of a standard deviation, for which KS is 0.1, has 0.076.
    default_min_effect=0.075,
    largest_effect=math.sqrt(1 / 3),
    spelling="Cramér–von Mises",
)
