"""Anderson–Darling distance: the difference of the cumulative shares, weighed up in the tails."""

from __future__ import annotations

import math

from detectors.distance.contract import ANDERSONS, CUMULATIVE, EFFECT, P_X, STATISTIC, Distance, Floats, Integers
from detectors.kernel import inlined, kernel

THIN = 1 / 256
"""Cells with a smaller part of the mass on a side of them are integrated by Simpson's rule, to eleven digits."""


@inlined
def anderson_darling(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute the two-sample statistic for ties, ``A²akN`` (Scholz and Stephens, JASA 82, 1987, equation 7).

    It is the sum over pooled observations of the squared difference of mid-ranks over its variance; its mean is 1 when
    nothing changed. (SciPy reports it less 1, in units of its standard deviation.)

    With few distinct values it spreads more than the limit that is tabulated for it: of two values it is chi-squared
    with one degree of freedom, whose far tail is the root of the limit's. The p-value is therefore that of the limit at
    ``n * m / (n + m)`` times the integral of ``(F - G)**2 / (H (1 - H))`` over H, the pooled share, F - G being linear
    within a cell. Without ties both are the same up to terms of log(n + m) / (n + m); with ties it is the mean of the
    limiting process given its values at the ends of cells, which makes it conservative.

    The effect is the root of that integral with both sides weighing the same: the typical difference, in units of the
    standard deviation that the share of a single observation has there; at most 1.25.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("anderson_darling", [[5, 5, 0]], [[0, 5, 5]])
    >>> result.statistic.round(4).tolist(), result.effect.round(4).tolist()
    ([7.9167], [0.9224])
    """
    n = reference[reference.size - 1]
    m = current[current.size - 1]
    both = n + m
    mid_rank = 0.0
    pooled = 0.0
    even = 0.0
    for k in range(reference.size - 1):
        a = reference[k + 1] - reference[k]
        b = current[k + 1] - current[k]
        if a == 0 and b == 0:
            continue
        low = reference[k] / n - current[k] / m
        high = reference[k + 1] / n - current[k + 1] / m
        share = (a + b) / both
        below = (reference[k] + current[k]) / both
        above = (both - reference[k + 1] - current[k + 1]) / both
        weight = (below + share / 2) * (above + share / 2) - share / 4
        if weight > 0:
            mid_rank += share * ((low + high) / 2) ** 2 / weight
        pooled += _half(low, high, share, below) + _half(high, low, share, above)
        share = (a / n + b / m) / 2
        below = (reference[k] / n + current[k] / m) / 2
        above = ((n - reference[k + 1]) / n + (m - current[k + 1]) / m) / 2
        even += _half(low, high, share, below) + _half(high, low, share, above)
    weight = float(n) * float(m) / float(both)
    answer[STATISTIC] = (both - 1) * (weight / both) * mid_rank
    answer[EFFECT] = math.sqrt(max(even, 0.0))
    answer[P_X] = weight * pooled


@kernel
def _half(near: float, far: float, share: float, low: float) -> float:
    """Return the integral of ``g**2 / u`` for u from low to low + share, g going straight from near to far.

    With ``g = c + d u`` and ``high = low + share`` it is ``c**2 log(high / low) + 2 c d share + d**2 (high**2 - low**2)
    / 2``. Where low and high are close to each other, these would cancel.
    """
    rise = far - near
    if low > 0 and low * THIN > share:
        middle = low + share / 2
        return share * (near * near / low + (near + far) ** 2 / middle + far * far / (low + share)) / 6
    away = low / share
    at_0 = near - rise * away
    log = math.log((low + share) / low) if low > 0 else 0.0
    return at_0 * at_0 * log + rise * (2 * at_0 + rise * (away + 0.5))


ANDERSON_DARLING = Distance(
    "anderson_darling",
    "Anderson–Darling: the gap, weighed up in the tails.",
    anderson_darling,
    reads=CUMULATIVE,
    p_value=ANDERSONS,
    # A normal feature that shifts by a quarter of a standard deviation, for which KS is 0.1, has 0.173.
    default_min_effect=0.17,
    largest_effect=1.243,
    spelling="Anderson–Darling",
)
