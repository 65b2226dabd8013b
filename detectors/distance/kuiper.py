"""Kuiper's distance: how far the cumulative shares lie apart in both directions together."""

from __future__ import annotations

import math

from detectors.distance.contract import CUMULATIVE, EFFECT, KUIPERS, P_X, STATISTIC, Distance, Floats, Integers
from detectors.kernel import inlined


@inlined
def kuiper(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute ``max(F - G) + max(G - F)`` (Kuiper, Proc. Kon. Ned. Akad. Wet. A 63, 1960).

    Unlike KS it is as sensitive to a change of spread as to a shift, and it does not depend on where a circle (hours
    of the day, angles) is cut open. The p-value is that of the limit at ``sqrt(n * m / (n + m)) * V``, which is
    conservative for few observations and for ties. The effect is the distance.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> compare("kuiper", [[1, 2, 1]], [[2, 0, 2]]).statistic.tolist()
    [0.5]
    """
    n = reference[reference.size - 1]
    m = current[current.size - 1]
    up = 0.0
    down = 0.0
    for k in range(reference.size):
        gap = reference[k] / n - current[k] / m
        up = max(up, gap)
        down = max(down, -gap)
    answer[STATISTIC] = up + down
    answer[EFFECT] = up + down
    answer[P_X] = (up + down) / math.sqrt(1 / n + 1 / m)


KUIPER = Distance(
    "kuiper",
    "Kuiper: largest gap upwards plus largest gap downwards.",
    kuiper,
    reads=CUMULATIVE,
    p_value=KUIPERS,
    # That of KS, which is the larger of the two parts.
    default_min_effect=0.1,
    largest_effect=1.0,
    spelling="Kuiper",
)
