"""Kolmogorov–Smirnov distance: the largest difference between the two cumulative shares."""

from __future__ import annotations

import math

from detectors.distance.contract import CUMULATIVE, EFFECT, KOLMOGOROV, P_X, STATISTIC, Distance, Floats, Integers
from detectors.kernel import inlined


@inlined
def ks(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute ``max(|F - G|)`` over the upper ends of cells, which must be in ascending order.

    Within a cell the two may differ by more than at its ends, so that the distance of the binned samples is a lower
    bound of that of the samples. The p-value is that of Kolmogorov's limit at ``sqrt(n * m / (n + m)) * D`` (Smirnov,
    Ann. Math. Stat. 19, 1948), which is conservative both for few observations and for ties. The effect is the
    distance.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> compare("ks", [[5, 5, 0]], [[0, 5, 5]]).statistic.tolist()
    [0.5]
    """
    n = reference[reference.size - 1]
    m = current[current.size - 1]
    if n < 2**31 and m < 2**31:
        # Of whole numbers, and divided once.
        furthest = 0
        for k in range(reference.size):
            furthest = max(furthest, abs(reference[k] * m - current[k] * n))
        largest = furthest / (float(n) * float(m))
    else:
        largest = 0.0
        for k in range(reference.size):
            largest = max(largest, abs(reference[k] / n - current[k] / m))
    answer[STATISTIC] = largest
    answer[EFFECT] = largest
    answer[P_X] = largest / math.sqrt(1 / n + 1 / m)


KS = Distance(
    "ks",
    "Kolmogorov–Smirnov: largest gap of the two distributions.",
    ks,
    reads=CUMULATIVE,
    p_value=KOLMOGOROV,
    # A tenth of the traffic on the other side of some value; for normal data a shift of a quarter of a standard
    # deviation.
    default_min_effect=0.1,
    largest_effect=1.0,
)
