"""Metrics of probabilities as such: losses, and whether what is said to be likely is."""

from __future__ import annotations

import math

from detectors.performance.cells import BINS
from detectors.performance.interval import of_mean
from detectors.performance.means import count_of, mean_of, spread_around
from detectors.performance.metric import Estimate, Question
from detectors.performance.sums import Quantity, Sums

__all__ = ["brier", "ece", "log_loss"]


def log_loss(sums: Sums, question: Question) -> Estimate:
    """The mean of ``-log(probability of what it was)``, probabilities kept 2**-52 away from 0 and 1."""
    return mean_of(sums, Quantity.LOG_LOSS, Quantity.LOG_LOSS_2)


def brier(sums: Sums, question: Question) -> Estimate:
    """The mean of ``(probability - (1 if positive else 0))**2`` (Brier, Mon. Weather Rev. 78, 1950)."""
    return mean_of(sums, Quantity.SQUARED, Quantity.SQUARED_2)


def ece(sums: Sums, question: Question) -> Estimate:
    """Expected calibration error over ten bins of equal width (Naeini, Cooper & Hauskrecht, AAAI 2015).

    ``sum of w |share of positives - mean score|``, w being a bin's share of events. Chance alone makes it larger than
    0, so the interval begins where it does without what chance adds: with ``gap**2 - variance`` in place of ``gap**2``.
    """
    total, count = sums.weight(Quantity.WEIGHT), count_of(sums)
    rows, error, without_chance = [], 0.0, 0.0
    for index in range(BINS):
        weight = sums.weight(Quantity.BIN_WEIGHT, index)
        if weight:
            score = float(sums.exact(Quantity.BIN_SCORES + index)) / weight
            share = sums.weight(Quantity.BIN_POSITIVE, index) / weight
            chance = share * (1 - share) / (count * weight / total)
            error += weight / total * abs(share - score)
            without_chance += weight / total * math.sqrt(max((share - score) ** 2 - chance, 0.0))
            rows.append({"from_score": index / BINS, "mean_score": score, "positive_share": share, "weight": weight})
    squared = float(sums.exact(Quantity.SQUARED)) / total
    low, _ = of_mean(without_chance, squared, count)
    (_, high), reason = spread_around(error, squared, count)
    low = math.nan if reason else max(low, 0.0)
    return Estimate(error, low, high, reason=reason, detail=rows)
