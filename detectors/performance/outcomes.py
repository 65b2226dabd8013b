"""Metrics of which class was said and which it was: shares, F, Matthews' correlation, the table itself.

With weights, as many events count as would have the same variance: ``(sum of w)**2 / (sum of w**2)`` (Kish, 1965).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.performance.interval import Interval, Z, around, expit, of_logit, wilson
from detectors.performance.metric import NO_INTERVAL, Estimate, Question, nothing
from detectors.performance.sums import WEIGHT_BITS, Count, Quantity, Sums

__all__ = [
    "accuracy",
    "balanced_accuracy",
    "confusion",
    "f_beta",
    "matthews",
    "precision",
    "recall",
    "specificity",
]

Floats = npt.NDArray[np.float64]

TP, FP, FN, TN = range(4)
EXTRA = 2.0
"""Events that are added to a table, spread over its cells: one without errors would seem to be sure."""

MOST_CLASSES = 1_000
"""Tables of more classes are not made: they would have a million cells."""

MANY_CLASSES = "more than 1,000 classes, or 10,000 pairs of them: accuracy is all that is worked out"


@dataclass(frozen=True)
class Table:
    """Weights by true class (row) and predicted class (column), and how many events count as independent by weight."""

    classes: tuple[str, ...]
    weights: Floats
    count_by_weight: float

    @property
    def true(self) -> Floats:
        return np.asarray(self.weights.sum(axis=1))

    @property
    def predicted(self) -> Floats:
        return np.asarray(self.weights.sum(axis=0))


def accuracy(sums: Sums, question: Question) -> Estimate:
    """``agreed / all``; Wilson's interval."""
    if question.kind == "binary":
        return _share(sums, (TP, TN), (TP, FP, FN, TN), "")
    total = sums.weight(Quantity.WEIGHT)
    value = sums.weight(Quantity.AGREED) / total
    return Estimate(value, *wilson(value, total * _count_by_weight(sums)))


def precision(sums: Sums, question: Question) -> Estimate:
    """``tp / (tp + fp)``, over classes their plain mean; Wilson's interval, MOVER's of the mean."""
    if question.kind == "binary":
        return _share(sums, (TP,), (TP, FP), "no event was predicted positive")
    return _mean_share(sums, by_predicted=True, all_classes=True)


def recall(sums: Sums, question: Question) -> Estimate:
    """``tp / (tp + fn)``, over classes their plain mean; Wilson's interval, MOVER's of the mean."""
    if question.kind == "binary":
        return _share(sums, (TP,), (TP, FN), "no event was positive")
    return _mean_share(sums, by_predicted=False, all_classes=True)


def specificity(sums: Sums, question: Question) -> Estimate:
    """``tn / (tn + fp)``; Wilson's interval."""
    return _share(sums, (TN,), (TN, FP), "no event was negative")


def balanced_accuracy(sums: Sums, question: Question) -> Estimate:
    """The mean of recall over the classes that occurred; MOVER of Wilson's intervals."""
    if question.kind == "multiclass":
        return _mean_share(sums, by_predicted=False, all_classes=False)
    parts = recall(sums, question), specificity(sums, question)
    values = [part.value for part in parts]
    if any(map(math.isnan, values)):
        present = [value for value in values if not math.isnan(value)]
        return Estimate(present[0], reason="all events are of one class")
    return Estimate(sum(values) / 2, *around(values, [(part.low, part.high) for part in parts], 2))


def f_beta(sums: Sums, question: Question) -> Estimate:
    """``(1 + b²) tp / ((1 + b²) tp + b² fn + fp)``, over classes their plain mean.

    ``F / (1 - F)`` is a ratio of counts, whose logarithm has the variance ``1 / tp + (b⁴ fn + fp) / (b² fn + fp)²``.
    That of the mean over classes follows from a multinomial table by the delta method, on log-odds too.
    """
    table = _table(sums, question)
    if table is None:
        return nothing(MANY_CLASSES)
    if question.kind == "multiclass":
        return _mean_f(table, question.beta)
    value, interval = _f_of_class(table, 0, question.beta)
    if math.isnan(value):
        return nothing("no event was positive, and none was predicted so")
    return Estimate(value, *interval)


def matthews(sums: Sums, question: Question) -> Estimate:
    """Matthews' correlation of true and predicted classes (Gorodkin, Comput. Biol. Chem. 28, 2004).

    The interval is the delta method's for a multinomial table with two events spread over its cells, on Fisher's scale.
    """
    table = _table(sums, question)
    if table is None:
        return nothing(MANY_CLASSES)
    value, _ = _matthews(table.weights / table.weights.sum())
    if math.isnan(value):
        return nothing("all events are of one class, or were predicted so")
    counts = table.weights * table.count_by_weight + EXTRA / table.weights.size
    smoothed, gradient = _matthews(counts / counts.sum())
    spread = Z * math.sqrt(_variance(counts, gradient)) / (1 - smoothed**2)
    low, high = math.tanh(math.atanh(smoothed) - spread), math.tanh(math.atanh(smoothed) + spread)
    return Estimate(value, min(low, value), max(high, value))


def confusion(sums: Sums, question: Question) -> Estimate:
    """The table of true and predicted classes, as weights."""
    table = _table(sums, question)
    if table is None:
        return nothing(MANY_CLASSES)
    rows = [
        {"true": true, "predicted": predicted, "weight": float(table.weights[i, j])}
        for i, true in enumerate(table.classes)
        for j, predicted in enumerate(table.classes)
        if table.weights[i, j]
    ]
    return Estimate(math.nan, detail=rows)


def _share(sums: Sums, hits: tuple[int, ...], of: tuple[int, ...], without: str) -> Estimate:
    weights = [sums.weight(Quantity.OUTCOMES, outcome) for outcome in of]
    total = sum(weights)
    if not total:
        return nothing(without)
    value = sum(sums.weight(Quantity.OUTCOMES, outcome) for outcome in hits) / total
    squares = [float(sums.exact(Quantity.TP_2 + outcome)) for outcome in of]
    if 1e-12 < value < 1 - 1e-12:
        # Hits and misses may have weights of their own.
        spread = sum(s * ((outcome in hits) - value) ** 2 for s, outcome in zip(squares, of, strict=True))
        return Estimate(value, *wilson(value, total * total * value * (1 - value) / spread))
    return Estimate(value, *wilson(value, total * total / sum(squares)))


def _mean_share(sums: Sums, *, by_predicted: bool, all_classes: bool) -> Estimate:
    """The mean over classes of how often they agree; classes without any have 0, or are left out."""
    table = _table(sums, Question("multiclass"))
    if table is None:
        return nothing(MANY_CLASSES)
    sizes, hits = table.predicted if by_predicted else table.true, table.weights.diagonal()
    present = np.flatnonzero(sizes)
    values = [float(hits[k] / sizes[k]) for k in present]
    limits = [wilson(value, float(sizes[k]) * table.count_by_weight) for value, k in zip(values, present, strict=True)]
    parts = len(table.classes) if all_classes else len(values)
    return Estimate(sum(values) / parts, *around(values, limits, parts))


def _count_by_weight(sums: Sums) -> float:
    return sums.weight(Quantity.WEIGHT) / float(sums.exact(Quantity.WEIGHT_2))


def _table(sums: Sums, question: Question) -> Table | None:
    """The table of classes; None if there are too many of them."""
    if question.kind == "binary":
        tp, fp, fn, tn = (sums.weight(Quantity.OUTCOMES, outcome) for outcome in (TP, FP, FN, TN))
        return Table(("positive", "negative"), np.array([[tp, fn], [fp, tn]]), _count_by_weight(sums))
    classes = sorted({name for pair in sums.pairs for name in pair})
    if sums.count(Count.MANY_CLASSES) or len(classes) > MOST_CLASSES:
        return None
    index = {name: row for row, name in enumerate(classes)}
    weights = np.zeros((len(classes), len(classes)))
    for (true, predicted), weight in sums.pairs.items():
        weights[index[true], index[predicted]] = weight / (1 << WEIGHT_BITS)
    return Table(tuple(classes), weights, _count_by_weight(sums))


def _f_of_class(table: Table, index: int, beta: float) -> tuple[float, Interval]:
    tp = float(table.weights[index, index])
    fn, fp = float(table.true[index]) - tp, float(table.predicted[index]) - tp
    square = beta * beta
    errors = square * fn + fp
    if not tp and not errors:
        return math.nan, NO_INTERVAL
    value = (1 + square) * tp / ((1 + square) * tp + errors)
    # Half an event more on each side, where one is empty.
    extra = 0.0 if tp and errors else 0.5
    tp, fn, fp = (count * table.count_by_weight + extra for count in (tp, fn, fp))
    errors = square * fn + fp
    spread = Z * math.sqrt(1 / tp + (square * square * fn + fp) / errors**2)
    log_odds = math.log((1 + square) * tp / errors)
    low, high = expit(log_odds - spread), expit(log_odds + spread)
    return value, (min(low, value), max(high, value))


def _mean_f(table: Table, beta: float) -> Estimate:
    value, _ = _f_of_classes(table.weights, beta)
    counts = table.weights * table.count_by_weight + EXTRA / table.weights.size
    smoothed, gradient = _f_of_classes(counts, beta)
    if smoothed > 1 - 1e-12:
        # There is but one class.
        return Estimate(value, *wilson(1.0, float(counts.sum())))
    low, high = of_logit(smoothed, _variance(counts, gradient * counts.sum()))
    return Estimate(value, min(low, value), max(high, value))


def _f_of_classes(weights: Floats, beta: float) -> tuple[float, Floats]:
    """The mean of F over classes, and its gradient; each of them was said or true at least once."""
    square = beta * beta
    sizes = square * weights.sum(axis=1) + weights.sum(axis=0)
    each = (1 + square) * weights.diagonal() / sizes
    gradient = np.diag((1 + square) / sizes) - square * (each / sizes)[:, None] - (each / sizes)[None, :]
    return float(each.mean()), gradient / len(each)


def _variance(counts: Floats, gradient: Floats) -> float:
    """The variance of a function of the shares of a multinomial table, by its gradient."""
    shares = counts / counts.sum()
    return max(float((shares * gradient**2).sum() - (shares * gradient).sum() ** 2), 0.0) / float(counts.sum())


def _matthews(shares: Floats) -> tuple[float, Floats]:
    """The correlation of a table of shares, and its gradient."""
    true, predicted = shares.sum(axis=1), shares.sum(axis=0)
    of_true, of_predicted = 1 - float(true @ true), 1 - float(predicted @ predicted)
    scale = math.sqrt(max(of_true, 0.0) * max(of_predicted, 0.0))
    if scale < 1e-12:
        return math.nan, np.full_like(shares, math.nan)
    value = (float(shares.diagonal().sum()) - float(true @ predicted)) / scale
    of_numerator = np.eye(len(shares)) - predicted[:, None] - true[None, :]
    return value, of_numerator / scale + value * (true[:, None] / of_true + predicted[None, :] / of_predicted)
