"""Energy distance: how much farther apart observations of different sides are than those of one."""

from __future__ import annotations

import math

from detectors.distance.contract import CHI2, EFFECT, LOCATED, P_DF, P_X, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import sizes
from detectors.kernel import inlined

BOUND_HOLDS_FROM = 1.5367
"""The ratio whose bound is 0.215, the largest level for which the bound is proved."""


@inlined
def energy(reference: Integers, current: Integers, positions: Floats, extremes: Floats, answer: Floats) -> None:
    """Compute the root of ``2 E|X - Y| - E|X - X'| - E|Y - Y'|``, which is ``2 * integral((F - G)**2)``.

    Each cell's mass is at its position (Székely and Rizzo, J. Stat. Plan. Inference 143, 2013, which also has the
    reasons for the following). The distribution under no change is a quadratic form that depends on the feature;
    of any such form ``Q`` holds ``P(Q > x E Q) <= 2 (1 - Phi(sqrt(x)))`` wherever that is at most 0.215 (Székely and
    Bakirov, 2003). The p-value is this upper bound, with E Q being the mean distance of two pooled observations, and 1
    where the bound says nothing. It needs no continuity: ties do no harm.

    The effect is the root of the squared distance over ``2 E|X - Y|``, between 0 and 1.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("energy", [[5, 5, 0]], [[0, 5, 5]], [0.0, 1.0, 3.0])
    >>> result.statistic.round(4).tolist(), result.effect.round(4).tolist()
    ([1.2247], [0.7071])
    """
    n, m, _ = sizes(reference, current)
    square = 0.0
    usual = 0.0
    between = 0.0
    reference_so_far = 0
    current_so_far = 0
    previous = 0.0
    for k in range(reference.size):
        if reference[k] > 0 or current[k] > 0:
            if reference_so_far > 0 or current_so_far > 0:
                step = positions[k] - previous
                f = reference_so_far / n
                g = current_so_far / m
                pooled = (reference_so_far + current_so_far) / (n + m)
                square += 2 * (f - g) ** 2 * step
                usual += 2 * pooled * (1 - pooled) * step
                between += 2 * (f * (1 - g) + g * (1 - f)) * step
            previous = positions[k]
            reference_so_far += reference[k]
            current_so_far += current[k]
    ratio = square / (1 / n + 1 / m) / usual if usual > 0 else 0.0
    answer[STATISTIC] = math.sqrt(square)
    answer[EFFECT] = min(math.sqrt(square / between), 1.0) if between > 0 else 0.0
    answer[P_X] = ratio if ratio >= BOUND_HOLDS_FROM else 0.0
    answer[P_DF] = 1


ENERGY = Distance(
    "energy",
    "Energy distance: how far apart values of both sides are.",
    energy,
    reads=LOCATED,
    p_value=CHI2,
    # A shift of a fifth of a standard deviation of a normal feature, which Cohen (1988) calls small.
    default_min_effect=0.1,
    largest_effect=1.0,
    spelling="energy distance",
)
