"""Metrics of how well scores order events, whatever the threshold: areas under curves, from counts in cells."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from detectors.performance.interval import Interval, Z, of_logit, wilson
from detectors.performance.metric import Estimate, Question, nothing
from detectors.performance.sums import WEIGHT_BITS, Quantity, Sums

__all__ = ["pr_auc", "roc_auc"]

Floats = npt.NDArray[np.float64]

ONE_CLASS = "all events are of one class"

FEW = 30
"""Of one class: of so few the spread of their scores says too little, and DeLong's interval is too narrow."""

FEWEST_POSITIVES = 15
"""With which average precision has an interval."""


def roc_auc(sums: Sums, question: Question) -> Estimate:
    """``P(score of a positive > of a negative) + P(equal) / 2``, with DeLong's variance (Biometrics 44, 1988).

    Scores of one cell count as equal, so at most half the share of pairs within cells is missed or added. Where all
    pairs are in order the variance is 0, and the interval is that of Newcombe's method 5 (Stat. Med. 25, 2006); of few
    events of a class it is the wider of the two.
    """
    positive, negative = _by_cell(sums)
    p, n = positive.sum(), negative.sum()
    if not p or not n:
        return nothing(ONE_CLASS)
    beaten = (np.cumsum(negative) - negative / 2) / n
    beaten_by = 1 - (np.cumsum(positive) - positive / 2) / p
    value = float(positive @ beaten / p)
    of_positive, of_negative = _counts(sums)
    variance = float(positive @ (beaten - value) ** 2 / p) / max(of_positive - 1, 1)
    variance += float(negative @ (beaten_by - value) ** 2 / n) / max(of_negative - 1, 1)
    interior = 1e-12 < value < 1 - 1e-12 and variance > 0
    limits = of_logit(value, variance) if interior else (value, value)
    if not interior or min(of_positive, of_negative) < FEW:
        low, high = _newcombe(value, of_positive, of_negative)
        limits = min(low, limits[0]), max(high, limits[1])
    return Estimate(value, *limits, bound=float(positive @ negative / (2 * p * n)))


def pr_auc(sums: Sums, question: Question) -> Estimate:
    """Average precision: ``sum of precision * increase of recall``.

    The interval is the delta method's, on the scale of log-odds as Boyd, Eng & Page (ECML 2013) advise.
    Within a cell the order is not known: the value lies between that of all negatives before the positives, and that of
    all behind them.
    """
    positive, negative = (part[::-1] for part in _by_cell(sums))
    p, n = float(positive.sum()), float(negative.sum())
    if not p or not n:
        return nothing(ONE_CLASS)
    tp, fp = np.cumsum(positive), np.cumsum(negative)
    filled = positive > 0
    own, tp, fp, mixed = positive[filled], tp[filled], fp[filled], negative[filled]
    value = float(own @ (tp / (tp + fp)) / p)
    best = float(own @ (tp / (tp + fp - mixed)) / p)
    # Positives one after the other, behind all negatives of the cell and ever smaller: an integral.
    growth = np.divide(tp + fp, tp + fp - own, out=np.ones_like(own), where=fp > 0)
    worst = float((own - fp * np.log(growth)).sum() / p)
    bound = max(best - value, value - worst)
    if (count := _counts(sums)[0]) < FEWEST_POSITIVES:
        reason = f"{count:.0f} positive labels, and an interval needs {FEWEST_POSITIVES}"
        return Estimate(value, bound=bound, reason=reason)
    variance = _variance_of_precision(sums, positive, negative, value)
    # All positives before all negatives: as if precision were a share of the positives.
    limits = of_logit(value, variance) if value < 1 - 1e-12 else wilson(1.0, count)
    return Estimate(value, *limits, bound=bound)


def _variance_of_precision(sums: Sums, positive: Floats, negative: Floats, value: float) -> float:
    """The variance of average precision: squares of what each event does to it, from the highest cell down."""
    p, tp, fp = positive.sum(), np.cumsum(positive), np.cumsum(negative)
    all_above = tp + fp
    # What a positive or a negative in a cell does to the precision of all cells below.
    gains = np.cumsum((positive / p * fp / all_above**2)[::-1])[::-1]
    losses = np.cumsum((positive / p * tp / all_above**2)[::-1])[::-1]
    of_positive = (tp / all_above - value) / p + gains
    counts = _counts(sums)
    variance = float(positive @ of_positive**2 * p) / counts[0]
    return variance + float(negative @ losses**2 * negative.sum()) / counts[1]


def _by_cell(sums: Sums) -> tuple[Floats, Floats]:
    """Weights of positives and of negatives in the cells that hold any, ascending."""
    of_positive, of_negative = sums.cells(Quantity.POSITIVE_CELLS), sums.cells(Quantity.NEGATIVE_CELLS)
    places = np.union1d(of_positive[0], of_negative[0])
    return _spread(places, *of_positive), _spread(places, *of_negative)


def _spread(places: npt.NDArray[np.int64], filled: npt.NDArray[np.int64], weights: npt.NDArray[np.int64]) -> Floats:
    out = np.zeros(len(places))
    out[np.searchsorted(places, filled)] = weights / float(1 << WEIGHT_BITS)
    return out


def _counts(sums: Sums) -> tuple[float, float]:
    """How many positives and negatives count as independent."""
    squares = [float(sums.exact(Quantity.TP_2 + outcome)) for outcome in range(4)]
    weights = [sums.weight(Quantity.OUTCOMES, outcome) for outcome in range(4)]
    tp, fp, fn, tn = range(4)
    positives, negatives = ((weights[a] + weights[b]) ** 2 / (squares[a] + squares[b]) for a, b in ((tp, fn), (fp, tn)))
    return positives, negatives


def _newcombe(value: float, positives: float, negatives: float) -> Interval:
    """The areas whose own variance (Hanley & McNeil, Radiology 143, 1982) makes ``value`` just not surprising."""

    def distance(area: float) -> float:
        mean = (positives + negatives) / 2 - 1
        spread = 1 + mean * (1 - area) / (2 - area) + mean * area / (1 + area)
        return abs(value - area) - Z * math.sqrt(area * (1 - area) * spread / (positives * negatives))

    return _root(distance, 0.0, value), _root(distance, 1.0, value)


def _root(distance: Callable[[float], float], outside: float, inside: float) -> float:
    if distance(outside) <= 0:
        return outside
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if distance(middle) > 0 else (outside, middle)
    return inside
