"""Means over events, and their intervals."""

from __future__ import annotations

from detectors.performance.interval import of_mean
from detectors.performance.metric import Estimate
from detectors.performance.sums import Quantity, Sums

__all__ = ["count_of", "mean_of"]


def count_of(sums: Sums) -> float:
    """How many events of equal weight would have the same variance (Kish, Survey Sampling, 1965)."""
    return sums.weight(Quantity.WEIGHT) ** 2 / float(sums.exact(Quantity.WEIGHT_2))


def mean_of(sums: Sums, quantity: Quantity, of_squares: Quantity, weight: float | None = None) -> Estimate:
    """Return the mean of a quantity over events of this weight, all of them unless stated, with its normal interval."""
    total = sums.weight(Quantity.WEIGHT)
    weight = total if weight is None else weight
    mean, square = float(sums.exact(quantity)) / weight, float(sums.exact(of_squares)) / weight
    return Estimate(mean, *of_mean(mean, square, count_of(sums) * weight / total))
