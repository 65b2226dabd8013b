"""Hellinger distance: the angle between the roots of the shares, between 0 and 1."""

from __future__ import annotations

import math

from detectors.distance.contract import CHI2, EFFECT, GROUPED, P_DF, P_X, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import PSEUDO_COUNT, sizes
from detectors.kernel import inlined, kernel


@inlined
def hellinger(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute ``sqrt(sum((sqrt(p) - sqrt(q))**2) / 2)`` (Hellinger, J. reine angew. Math. 136, 1909).

    It is bounded, and needs no correction for empty cells. ``8 / (1/n + 1/m)`` times its square is the statistic of
    Freeman and Tukey (Ann. Math. Stat. 21, 1950) for two samples, and has a chi-squared limit with one degree of
    freedom less than occupied cells. Where few observations are expected in a cell, the roots of zero and one are too
    far apart for it: the p-value is taken after half an observation was added to each occupied cell on both sides, as
    that of PSI is. The effect is the distance.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> compare("hellinger", [[10, 0]], [[0, 10]]).statistic.tolist()
    [1.0]
    """
    n, m, cells = sizes(reference, current)
    root = min(math.sqrt(_square(reference, current, n, m, 0.0, cells)), 1.0)
    answer[STATISTIC] = root
    answer[EFFECT] = root
    answer[P_X] = 8 * _square(reference, current, n, m, PSEUDO_COUNT, cells) / (1 / n + 1 / m)
    answer[P_DF] = cells - 1


@kernel
def _square(reference: Integers, current: Integers, n: int, m: int, pseudo_count: float, cells: int) -> float:
    """Return the squared distance, with ``pseudo_count`` more observations in each occupied cell."""
    square = 0.0
    for g in range(reference.size):
        if reference[g] > 0 or current[g] > 0:
            p = (reference[g] + pseudo_count) / (n + pseudo_count * cells)
            q = (current[g] + pseudo_count) / (m + pseudo_count * cells)
            square += (math.sqrt(p) - math.sqrt(q)) ** 2 / 2
    return square


HELLINGER = Distance(
    "hellinger",
    "Hellinger distance, from 0 to 1.",
    hellinger,
    reads=GROUPED,
    p_value=CHI2,
    # For small changes eight times the square is PSI, so that 0.112 matches PSI's 0.1.
    default_min_effect=0.1,
    largest_effect=1.0,
    spelling="Hellinger",
)
