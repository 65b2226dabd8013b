"""Anderson–Darling distance: the difference of the cumulative shares, weighed up in the tails."""

from __future__ import annotations

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair, row_sums
from detectors.distance.limits import anderson_darling_sf

# A normal feature that shifts by a quarter of a standard deviation, for which KS is 0.1, has 0.173.
default_min_effect = 0.17

THIN = 1 / 256
"""Cells with a smaller part of the mass on a side of them are integrated by Simpson's rule, to eleven digits."""


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
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

    See `detectors.distance.comparison.Distance` for the parameters.

    Examples
    --------
    >>> result = distance([[5, 5, 0]], [[0, 5, 5]])
    >>> result.statistic.round(4).tolist(), result.effect.round(4).tolist()
    ([7.9167], [0.9224])
    """
    pair = Pair.of(reference, current)
    n, m = np.maximum(pair.n, 1), np.maximum(pair.m, 1)
    gap = pair.gaps()
    p, q = pair.shares()
    even, pooled = (p + q) / 2, (pair.reference + pair.current) / (n + m)[:, None]
    below, above = _knots(pooled)
    statistic = (n + m - 1) * n * m / (n + m) ** 2 * _mid_rank(gap, pooled, below, above)
    for_limit = n * m / (n + m) * _integral(gap, pooled, below, above)
    effect = pair.blank(np.sqrt(np.maximum(_integral(gap, even, *_knots(even)), 0.0)))
    return Comparison(pair.blank(statistic), anderson_darling_sf(pair.blank(for_limit)), effect)


def _knots(shares: Floats) -> tuple[Floats, Floats]:
    """Return what lies below and above the ends of cells, [series, cells + 1], both of them to all digits."""
    nothing = np.zeros((len(shares), 1))
    below = np.cumsum(shares, axis=1)
    above = np.cumsum(shares[:, ::-1], axis=1)[:, ::-1]
    return np.hstack((nothing, below)), np.hstack((above, nothing))


def _mid_rank(gap: Floats, share: Floats, below: Floats, above: Floats) -> Floats:
    """Return the sum over cells of ``share * d**2 / (c (1 - c) - share / 4)``, d and c being those of mid-ranks."""
    weight = (below[:, :-1] + below[:, 1:]) * (above[:, :-1] + above[:, 1:]) / 4 - share / 4
    middle = (gap[:, :-1] + gap[:, 1:]) / 2
    return np.asarray(
        row_sums(np.divide(share * middle**2, weight, out=np.zeros_like(share), where=(share > 0) & (weight > 0)))
    )


def _integral(gap: Floats, share: Floats, below: Floats, above: Floats) -> Floats:
    """Return the integral of ``gap**2 / (h (1 - h))`` over h, that is of ``gap**2 / h`` and of ``gap**2 / (1 - h)``."""
    from_left = _half(gap[:, :-1], gap[:, 1:], share, below[:, :-1], below[:, 1:])
    from_right = _half(gap[:, 1:], gap[:, :-1], share, above[:, 1:], above[:, :-1])
    return row_sums(from_left + from_right)


def _half(near: Floats, far: Floats, share: Floats, low: Floats, high: Floats) -> Floats:
    """Return the integral of ``g**2 / u`` for u from low to high, g going straight from near to far, [series, cells].

    With ``g = c + d u`` it is ``c**2 log(high / low) + 2 c d (high - low) + d**2 (high**2 - low**2) / 2``. Where the
    ends are close to each other, these would cancel.
    """
    occupied, rise = share > 0, far - near
    away = np.divide(low, share, out=np.zeros_like(share), where=occupied)
    at_0 = near - rise * away
    log = np.log(np.divide(high, low, out=np.ones_like(share), where=low > 0))
    exact = at_0**2 * log + rise * (2 * at_0 + rise * (away + 0.5))
    middle = low + share / 2
    ends = [np.divide(g**2, u, out=np.zeros_like(u), where=u > 0) for g, u in ((near, low), (far, high))]
    between = np.divide((near + far) ** 2, middle, out=np.zeros_like(share), where=middle > 0)
    simpson = share * (ends[0] + between + ends[1]) / 6
    return np.where(occupied, np.where(away * THIN > 1, simpson, exact), 0.0)
