"""Wasserstein distance: how far the mass has to be moved on average, in units of the feature."""

from __future__ import annotations

import math

from detectors.distance.contract import EFFECT, LOCATED, NO_TEST, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import sizes
from detectors.kernel import inlined


@inlined
def wasserstein(reference: Integers, current: Integers, positions: Floats, extremes: Floats, answer: Floats) -> None:
    """Compute ``integral(|F - G|)``, each cell's mass being at its position (Vallender, Theory Prob. Appl. 18, 1974).

    There is no p-value: the distribution of the distance under no change depends on the feature's own distribution.
    The effect is the distance in standard deviations of the baseline; where those are zero it is 0 or infinite.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("wasserstein", [[5, 5, 0]], [[0, 5, 5]], [0.0, 1.0, 3.0])
    >>> result.statistic.tolist(), result.effect.tolist()
    ([1.5], [3.0])
    """
    n, m, _ = sizes(reference, current)
    moved = 0.0
    gap = 0.0
    mean = 0.0
    previous = 0.0
    started = False
    for k in range(reference.size):
        if reference[k] > 0 or current[k] > 0:
            at = positions[k]
            if started:
                moved += abs(gap) * (at - previous)
            started = True
            previous = at
            p = reference[k] / n
            gap += p - current[k] / m
            mean += p * at
    variance = 0.0
    for k in range(reference.size):
        if reference[k] > 0:
            variance += reference[k] / n * (positions[k] - mean) ** 2
    answer[STATISTIC] = moved
    if variance > 0:
        answer[EFFECT] = moved / math.sqrt(variance)
    else:
        answer[EFFECT] = math.inf if moved > 0 else 0.0


WASSERSTEIN = Distance(
    "wasserstein",
    "Wasserstein-1: how far the mass has moved.",
    wasserstein,
    reads=LOCATED,
    p_value=NO_TEST,
    # A tenth of a standard deviation: half of what Cohen (1988) calls a small difference of means.
    default_min_effect=0.1,
    spelling="Wasserstein",
)
