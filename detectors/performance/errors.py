"""Metrics of numbers: how far predictions are from what it was."""

from __future__ import annotations

import math
from fractions import Fraction

from detectors.performance.interval import Z, wilson
from detectors.performance.means import count_of, mean_of, spread_around
from detectors.performance.metric import Estimate, Question, nothing
from detectors.performance.sums import WEIGHT_BITS, Quantity, Sums

__all__ = ["bias", "interval_coverage", "interval_width", "mae", "mape", "pinball", "r2", "rmse", "smape"]

NO_QUANTILE = "it is not said which quantile predictions are to be (`quantile`)"
NO_INTERVALS = "no event says between what its number is to be (`interval`)"

LARGEST_RATIO = 2**200
"""Of squared errors to the spread of true values: its square, and what is made of it, still is a float."""


def bias(sums: Sums, question: Question) -> Estimate:
    """The mean of ``prediction - true``; the normal interval."""
    return mean_of(sums, Quantity.E, Quantity.E_2)


def mae(sums: Sums, question: Question) -> Estimate:
    """The mean of ``|prediction - true|``; the normal interval."""
    return mean_of(sums, Quantity.ABS_E, Quantity.E_2)


def rmse(sums: Sums, question: Question) -> Estimate:
    """The root of the mean of ``(prediction - true)**2``; the root of the normal interval of the mean."""
    total = sums.weight(Quantity.WEIGHT)
    mean, square = (float(sums.exact(quantity)) / total for quantity in (Quantity.E_2, Quantity.E_4))
    (low, high), reason = spread_around(mean, square, count_of(sums))
    return Estimate(math.sqrt(mean), math.sqrt(low if low > 0 or reason else 0.0), math.sqrt(high), reason=reason)


def mape(sums: Sums, question: Question) -> Estimate:
    """The mean of ``|prediction - true| / |true|`` over events of which the truth is not 0, as a share of 1."""
    weight = sums.weight(Quantity.SHARE_WEIGHT)
    return mean_of(sums, Quantity.SHARE, Quantity.SHARE_2, weight) if weight else nothing("all true values are 0")


def smape(sums: Sums, question: Question) -> Estimate:
    """The mean of ``2 |prediction - true| / (|prediction| + |true|)``, from 0 to 2; 0 where both are 0."""
    return mean_of(sums, Quantity.SYMMETRIC, Quantity.SYMMETRIC_2)


def pinball(sums: Sums, question: Question) -> Estimate:
    """The mean of ``max(q (true - prediction), (q - 1) (true - prediction))``; the normal interval."""
    weight = sums.weight(Quantity.PINBALL_WEIGHT)
    return mean_of(sums, Quantity.PINBALL, Quantity.PINBALL_2, weight) if weight else nothing(NO_QUANTILE)


def interval_coverage(sums: Sums, question: Question) -> Estimate:
    """The share of intervals that hold the true value; Wilson's interval."""
    weight = sums.weight(Quantity.INTERVAL_WEIGHT)
    if not weight:
        return nothing(NO_INTERVALS)
    share = sums.weight(Quantity.COVERED) / weight
    return Estimate(share, *wilson(share, count_of(sums) * weight / sums.weight(Quantity.WEIGHT)))


def interval_width(sums: Sums, question: Question) -> Estimate:
    """The mean width of intervals; the normal interval."""
    weight = sums.weight(Quantity.INTERVAL_WEIGHT)
    return mean_of(sums, Quantity.WIDTH, Quantity.WIDTH_2, weight) if weight else nothing(NO_INTERVALS)


def r2(sums: Sums, question: Question) -> Estimate:
    """``1 - mean of e**2 / variance of true values``; the interval is the delta method's.

    A truth that spreads little for its size leaves no digits for the fourth moments, and so no interval.
    """
    total = Fraction(sums.fixed(Quantity.WEIGHT), 1 << WEIGHT_BITS)
    y, y2, y3, y4, e2, e4, e2y, e2y2 = (
        sums.exact(quantity) / total
        for quantity in (
            Quantity.Y,
            Quantity.Y_2,
            Quantity.Y_3,
            Quantity.Y_4,
            Quantity.E_2,
            Quantity.E_4,
            Quantity.E_2_Y,
            Quantity.E_2_Y_2,
        )
    )
    spread = y2 - y * y
    if spread <= y2 / (1 << 100):
        return nothing("true values do not vary")
    ratio = e2 / spread
    if ratio > LARGEST_RATIO or e4 > LARGEST_RATIO**2 * spread * spread:
        return nothing("true values spread too little for such errors")
    fourth = y4 - 4 * y3 * y + 6 * y2 * y * y - 3 * y**4
    crossed = e2y2 - 2 * y * e2y + y * y * e2
    # Of the ratio's influence on one event, (e**2 - ratio * (y - mean)**2) / spread.
    variance = float((e4 - 2 * ratio * crossed + ratio * ratio * fourth) / (spread * spread)) / count_of(sums)
    value = float(1 - ratio)
    if y4 / (1 << 46) > spread * spread or variance < 0:
        return Estimate(value, reason="true values spread too little for their size")
    return Estimate(value, value - Z * math.sqrt(variance), value + Z * math.sqrt(variance))
