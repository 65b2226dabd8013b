"""The G-test of homogeneity: the likelihood ratio for both sides having the same shares."""

from __future__ import annotations

import math

from detectors.distance.contract import CHI2, EFFECT, GROUPED, P_DF, P_X, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import sizes
from detectors.distance.jensen_shannon import divergence
from detectors.kernel import inlined


@inlined
def g_test(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute ``2 * sum(observed * log(observed / expected))`` of the 2 × cells table (Wilks, 1935).

    The p-value is that of the chi-squared limit with one degree of freedom less than occupied cells, after the
    statistic was divided by Williams' correction (Biometrika 63, 1976), which makes its mean that of the limit for
    small samples. With few expected observations in a cell it is careful.

    The statistic is ``2 (n + m)`` times the entropy that is lost by mixing both sides; with both weighing the same that
    loss is the Jensen–Shannon divergence, and its root in bits is the effect.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("g_test", [[10, 20]], [[20, 10]])
    >>> result.statistic.round(3).tolist(), result.p_value.round(4).tolist()
    ([6.796], [0.01])
    """
    n, m, cells = sizes(reference, current)
    nats = 0.0
    spread = 0.0
    for g in range(reference.size):
        if reference[g] > 0 or current[g] > 0:
            pooled = (reference[g] + current[g]) / (n + m)
            spread += 1 / pooled
            if reference[g] > 0:
                nats += reference[g] * math.log(reference[g] / n / pooled)
            if current[g] > 0:
                nats += current[g] * math.log(current[g] / m / pooled)
    statistic = 2 * max(nats, 0.0)
    total = n + m
    correction = 1 + (total * (1 / n + 1 / m) - 1) * (spread - 1) / (6 * total * max(cells - 1, 1))
    answer[STATISTIC] = statistic
    answer[EFFECT] = min(math.sqrt(divergence(reference, current, n, m, 0.0, cells) / math.log(2.0)), 1.0)
    answer[P_X] = statistic / correction
    answer[P_DF] = cells - 1


G_TEST = Distance(
    "g_test",
    "Likelihood-ratio test of homogeneity.",
    g_test,
    reads=GROUPED,
    p_value=CHI2,
    # That of Jensen–Shannon, whose distance the effect is.
    default_min_effect=0.1,
    largest_effect=1.0,
    spelling="G-test",
)
