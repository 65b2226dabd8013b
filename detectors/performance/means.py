"""Means over events, and their intervals."""

from __future__ import annotations

import sys

from detectors.performance.interval import Interval, Z, of_mean
from detectors.performance.metric import NO_INTERVAL, Estimate
from detectors.performance.sums import Quantity, Sums

__all__ = ["ALIKE", "count_of", "mean_of", "spread_around"]

ALIKE = "all events gave the same, which does not say how far others may differ"

_SHARES = (Quantity.SQUARED, Quantity.NDCG, Quantity.RECIPROCAL_RANK)
_NOT_NEGATIVE = (
    Quantity.LOG_LOSS, Quantity.ABS_E, Quantity.SHARE, Quantity.SYMMETRIC, Quantity.PINBALL, Quantity.WIDTH, *_SHARES,
)  # fmt: skip

_ROUNDING = 4 * sys.float_info.epsilon


def count_of(sums: Sums) -> float:
    """How many events of equal weight would have the same variance (Kish, Survey Sampling, 1965)."""
    return sums.weight(Quantity.WEIGHT) ** 2 / float(sums.exact(Quantity.WEIGHT_2))


def mean_of(sums: Sums, quantity: Quantity, of_squares: Quantity, weight: float | None = None) -> Estimate:
    """Return the mean of a quantity over events of this weight, all of them unless stated, with its normal interval.

    That may reach beyond what a mean can be, if few events decide, and is cut off there.
    """
    total = sums.weight(Quantity.WEIGHT)
    weight = total if weight is None else weight
    mean, square = float(sums.exact(quantity)) / weight, float(sums.exact(of_squares)) / weight
    (low, high), reason = spread_around(mean, square, count_of(sums) * weight / total)
    error = (high - low) / (2 * Z)
    # A limit that is no number stays none.
    low = max(low, 0.0) if quantity in _NOT_NEGATIVE else low
    high = min(high, 1.0) if quantity in _SHARES else high
    return Estimate(mean, low, high, error, reason=reason)


def spread_around(mean: float, mean_of_squares: float, count: float) -> tuple[Interval, str]:
    """Return the normal interval of a mean; without one, why: of events that do not differ it would have no width."""
    if mean_of_squares - mean * mean <= _ROUNDING * mean_of_squares:
        return NO_INTERVAL, ALIKE
    return of_mean(mean, mean_of_squares, count), ""
