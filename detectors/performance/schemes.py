"""What is summed over events of which the truth is known: of probabilities, of classes, of numbers, of rankings."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from detectors.performance.cells import BINS, reliability_bins, score_cells
from detectors.performance.exact import two_product
from detectors.performance.ranked_items import grades_in, items_in, ranks_of
from detectors.performance.sums import WEIGHT_BITS, Count, Quantity, SumBuilder, Sums

__all__ = ["LARGEST_WEIGHT", "Binary", "Multiclass", "Ranking", "Regression", "Scheme"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Names = Sequence[str | None]
Naive = tuple[str, str]
"""A field that answers without a model, and what is lost by an event."""

LARGEST_WEIGHT = 65_536
LARGEST = 2.0**200
"""Numbers beyond are counted apart: their fourth powers would have no sum."""

_LARGEST_SHARE = 2.0**100
_LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


class Scheme(Protocol):
    """What is summed of events with labels."""

    kind: ClassVar[str]

    @property
    def naive(self) -> Naive | None:
        """Which field answers each event without a model, and what is lost by an event."""

    @property
    def id(self) -> str:
        """A text that is the same for schemes whose sums may be added."""

    def fold(
        self,
        prediction: Any,
        label: Any,
        weight: Floats | None = None,
        value: Floats | None = None,
        naive: Any = None,
    ) -> Sums:
        """Sum up events.

        Parameters
        ----------
        prediction, label
            float64[n] with NaN for none, or n names with None for none; which of the two is the scheme's.
        weight : float64[n] or None
            How much each event counts: more than 0, at most 65,536. Without it each counts once.
        value : float64[n] or None
            What each event was worth, NaN where that is not known; read if the scheme takes values from labels.
        naive
            Like ``prediction``: what answers each event without a model; read if the scheme has ``naive``.
        """


@dataclass(frozen=True)
class Binary:
    """Probabilities of a class, and which class it was.

    Parameters
    ----------
    positive : str
        The class whose probability predictions are; all others are negative.
    threshold : float
        A prediction of at least this says ``positive``.
    values : tuple of float or None
        What a true positive, false positive, false negative and true negative are worth.
    has_values : bool
        Whether each event says what it was worth instead.
    naive : tuple of str and str, or None
        Which field answers each event without a model, and what is lost by an event: ``brier`` or ``error``.

    Examples
    --------
    >>> sums = Binary("yes").fold(np.array([0.9, 0.2, np.nan]), ["yes", "no", "no"])
    >>> sums.labels, sums.count(Count.NO_PREDICTION)
    (2, 1)
    """

    positive: str
    threshold: float = 0.5
    values: tuple[float, float, float, float] | None = None
    has_values: bool = False
    naive: Naive | None = None

    kind: ClassVar[str] = "binary"

    @property
    def id(self) -> str:
        return _id("binary", self.positive, self.threshold, self.values, self.has_values, *_named(self.naive))

    def fold(
        self,
        prediction: Floats,
        label: Names,
        weight: Floats | None = None,
        value: Floats | None = None,
        naive: Floats | None = None,
    ) -> Sums:
        """See :meth:`Scheme.fold`."""
        out = SumBuilder(self.id)
        has_label = np.array([name is not None for name in label], dtype=np.bool_)
        outside = ~((prediction >= 0) & (prediction <= 1))
        apart = {Count.NO_PREDICTION: np.isnan(prediction), Count.OUT_OF_RANGE: outside}
        counted, fixed = _counted(out, has_label, apart, weight)
        is_positive = np.array([name == self.positive for name in label], dtype=np.bool_)[counted]
        score = np.ascontiguousarray(prediction[counted])
        outcome = _outcomes(is_positive, score >= self.threshold)
        self._scores(out, score, is_positive, fixed)
        out.weights(Quantity.OUTCOMES, outcome, fixed)
        weights = _as_floats(fixed)
        for index in range(4):
            out.floats(Quantity.TP_2 + index, weights[outcome == index] ** 2)
        _losses(out, score, is_positive, weights)
        worth = None if self.values is None else np.array(self.values)[outcome]
        _add_values(out, value[counted] if self.has_values and value is not None else worth, fixed)
        if self.naive is not None and naive is not None:
            answer = naive[counted]
            model, other = (self._loss(self.naive[1], each, is_positive) for each in (score, answer))
            _add_naive(out, model, other, (answer >= 0) & (answer <= 1), fixed)
        return out.sums()

    def _loss(self, loss: str, probability: Floats, is_positive: Bools) -> Floats:
        squared: Floats = (probability - is_positive) ** 2
        return squared if loss == "brier" else ((probability >= self.threshold) != is_positive).astype(np.float64)

    @staticmethod
    def _scores(out: SumBuilder, score: Floats, is_positive: Bools, fixed: Integers) -> None:
        cells, bins = score_cells(score), reliability_bins(score)
        out.weights(Quantity.POSITIVE_CELLS, cells[is_positive], fixed[is_positive])
        out.weights(Quantity.NEGATIVE_CELLS, cells[~is_positive], fixed[~is_positive])
        out.weights(Quantity.BIN_WEIGHT, bins, fixed)
        out.weights(Quantity.BIN_POSITIVE, bins[is_positive], fixed[is_positive])
        weighted = score * _as_floats(fixed)
        for bin_index in range(BINS):
            out.floats(Quantity.BIN_SCORES + bin_index, weighted[bins == bin_index])


@dataclass(frozen=True)
class Multiclass:
    """Classes that were predicted, and those that it was.

    Parameters
    ----------
    values : dict or None
        What a pair of true and predicted class is worth; pairs that are not named are worth 0.
    has_values : bool
        Whether each event says what it was worth instead.
    naive : tuple of str and str, or None
        Which field answers each event without a model, and ``error``.

    Examples
    --------
    >>> Multiclass().fold(["a", "b"], ["a", "a"]).pairs
    {('a', 'a'): 1048576, ('a', 'b'): 1048576}
    """

    values: Mapping[tuple[str, str], float] | None = None
    has_values: bool = False
    naive: Naive | None = None

    kind: ClassVar[str] = "multiclass"

    @property
    def id(self) -> str:
        values = None if self.values is None else sorted(self.values.items())
        return _id("multiclass", values, self.has_values, *_named(self.naive))

    def fold(
        self,
        prediction: Names,
        label: Names,
        weight: Floats | None = None,
        value: Floats | None = None,
        naive: Names | None = None,
    ) -> Sums:
        """See :meth:`Scheme.fold`."""
        out = SumBuilder(self.id)
        has_label = np.array([name is not None for name in label], dtype=np.bool_)
        apart = {Count.NO_PREDICTION: np.array([name is None for name in prediction], dtype=np.bool_)}
        counted, fixed = _counted(out, has_label, apart, weight)
        pairs = [(str(label[row]), str(prediction[row])) for row in counted.tolist()]
        agreed = np.array([true == predicted for true, predicted in pairs], dtype=np.bool_)
        out.weights(Quantity.AGREED, np.zeros(int(agreed.sum()), dtype=np.int64), fixed[agreed])
        for pair, event_weight in zip(pairs, fixed.tolist(), strict=True):
            out.pair(*pair, event_weight)
        worth = None if self.values is None else np.array([self.values.get(pair, 0.0) for pair in pairs])
        _add_values(out, value[counted] if self.has_values and value is not None else worth, fixed)
        if self.naive is not None and naive is not None:
            answers = [naive[row] for row in counted.tolist()]
            errs = [label[row] != answer for row, answer in zip(counted.tolist(), answers, strict=True)]
            has_answer = np.array([answer is not None for answer in answers], dtype=np.bool_)
            _add_naive(out, (~agreed).astype(np.float64), np.array(errs, dtype=np.float64), has_answer, fixed)
        return out.sums()


@dataclass(frozen=True)
class Regression:
    """Numbers that were predicted, and those that it was.

    Parameters
    ----------
    has_values : bool
        Whether each event says what it was worth.
    naive : tuple of str and str, or None
        Which field answers each event without a model, and ``squared``.
    quantile : float or None
        Which quantile the prediction is to be.
    interval : tuple of str and str, or None
        Which fields say between what the number is to be.

    Examples
    --------
    >>> sums = Regression().fold(np.array([1.0, 2.0, 1e300]), np.array([1.5, 2.0, 0.0]))
    >>> float(sums.exact(Quantity.ABS_E)), sums.count(Count.WILD)
    (0.5, 1)
    """

    has_values: bool = False
    naive: Naive | None = None
    quantile: float | None = None
    interval: tuple[str, str] | None = None

    kind: ClassVar[str] = "regression"

    @property
    def id(self) -> str:
        optional = {"quantile": self.quantile, "interval": self.interval}
        parts = [(name, part) for name, part in optional.items() if part is not None]
        return _id("regression", self.has_values, *_named(self.naive), *parts)

    def fold(
        self,
        prediction: Floats,
        label: Floats,
        weight: Floats | None = None,
        value: Floats | None = None,
        naive: Floats | None = None,
        interval: tuple[Floats, Floats] | None = None,
    ) -> Sums:
        """See :meth:`Scheme.fold`; ``interval`` is what the two fields say, NaN where they say nothing."""
        out = SumBuilder(self.id)
        wild = ~((np.abs(prediction) <= LARGEST) & (np.abs(label) <= LARGEST))
        apart = {Count.NO_PREDICTION: np.isnan(prediction), Count.WILD: wild}
        counted, fixed = _counted(out, ~np.isnan(label), apart, weight)
        y, error = label[counted], prediction[counted] - label[counted]
        weights = _as_floats(fixed)
        _moments(out, y, error, weights)
        _shares(out, y, error, fixed)
        size = np.abs(y) + np.abs(y + error)
        symmetric = np.divide(2 * np.abs(error), size, out=np.zeros_like(size), where=size > 0)
        out.floats(Quantity.SYMMETRIC, weights * symmetric)
        out.floats(Quantity.SYMMETRIC_2, weights * symmetric**2)
        _add_values(out, value[counted] if self.has_values and value is not None else None, fixed)
        if self.naive is not None and naive is not None:
            answer = naive[counted]
            usable = np.abs(answer) <= LARGEST
            _add_naive(out, error**2, (np.where(usable, answer, 0.0) - y) ** 2, usable, fixed)
        if self.quantile is not None:
            _add_pinball(out, self.quantile, error, fixed)
        if self.interval is not None and interval is not None:
            low, high = (end[counted] for end in interval)
            _add_interval(out, y, (low, high), fixed)
        return out.sums()


@dataclass(frozen=True)
class Ranking:
    """Ordered lists of items, and how relevant each item was.

    Predictions are JSON lists of names, the best first; labels are JSON objects, from a name to its grade.

    Parameters
    ----------
    k : int
        So many items of a list count in NDCG.
    has_values : bool
        Whether each event says what it was worth.

    Examples
    --------
    >>> sums = Ranking(k=10).fold(['["a","b"]', '["a"]'], ['{"a":1.0}', "{}"])
    >>> float(sums.exact(Quantity.NDCG)), sums.labels, sums.count(Count.NOTHING_RELEVANT)
    (1.0, 1, 1)
    """

    k: int = 10
    has_values: bool = False

    kind: ClassVar[str] = "ranking"
    naive: ClassVar[Naive | None] = None

    @property
    def id(self) -> str:
        return _id("ranking", self.k, self.has_values)

    def fold(
        self,
        prediction: Names,
        label: Names,
        weight: Floats | None = None,
        value: Floats | None = None,
        naive: None = None,
    ) -> Sums:
        """See :meth:`Scheme.fold`."""
        out = SumBuilder(self.id)
        has_label = np.array([name is not None for name in label], dtype=np.bool_)
        ranks = [self.ranks(items, grades) for items, grades in zip(prediction, label, strict=True)]
        apart = {
            reason: np.array([each is reason for each in ranks], dtype=np.bool_)
            for reason in (Count.NO_PREDICTION, Count.NOTHING_RELEVANT)
        }
        counted, fixed = _counted(out, has_label, apart, weight)
        weights = _as_floats(fixed)
        usable = [each for each in map(ranks.__getitem__, counted.tolist()) if not isinstance(each, Count)]
        ndcg, reciprocal_rank = np.array(usable, dtype=np.float64).reshape(-1, 2).T
        for quantity, values in ((Quantity.NDCG, ndcg), (Quantity.RECIPROCAL_RANK, reciprocal_rank)):
            out.floats(quantity, weights * values)
            out.floats(quantity + 1, weights * values**2)
        _add_values(out, value[counted] if self.has_values and value is not None else None, fixed)
        return out.sums()

    def losses(self, prediction: Names, label: Names) -> Floats:
        """Return what the NDCG of each event lacks of 1; NaN of events that cannot be compared."""
        ranks = (self.ranks(items, grades) for items, grades in zip(prediction, label, strict=True))
        return np.array([math.nan if isinstance(each, Count) else 1 - each[0] for each in ranks], dtype=np.float64)

    def ranks(self, prediction: str | None, label: str | None) -> tuple[float, float] | Count:
        """Return NDCG@k and the reciprocal rank of one event, or as what it is counted instead."""
        items, grades = items_in(prediction), grades_in(label)
        if items is None:
            return Count.NO_PREDICTION
        return ranks_of(items, grades, self.k) if grades else Count.NOTHING_RELEVANT


def _named(naive: Naive | None) -> tuple[Naive, ...]:
    """What is added to ids; those of schemes without it stay as they were."""
    return () if naive is None else (naive,)


def _id(kind: str, *parts: object) -> str:
    return f"{kind}:{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def _counted(
    out: SumBuilder, has_label: Bools, apart: Mapping[Count, Bools], weight: Floats | None
) -> tuple[Integers, Integers]:
    """Return which events are summed and their weights in whole numbers of 2**-20; count the others by reason.

    Events without a label are nobody's: they are not counted at all.
    """
    scaled = np.full(len(has_label), 1.0) if weight is None else np.asarray(weight, dtype=np.float64)
    bad = ~((scaled >= 0.5 / (1 << WEIGHT_BITS)) & (scaled <= LARGEST_WEIGHT))
    remaining = has_label
    for reason, rows in (*apart.items(), (Count.BAD_WEIGHT, bad)):
        out.count(reason, int((remaining & rows).sum()))
        remaining = remaining & ~rows
    counted = np.flatnonzero(remaining)
    # A weight of less than half a unit is none; half a unit would be rounded to an even number, which is 0.
    fixed = np.maximum(np.rint(scaled[counted] * (1 << WEIGHT_BITS)).astype(np.int64), 1)
    out.count(Count.LABELS, len(counted))
    out.weights(Quantity.WEIGHT, np.zeros(len(counted), dtype=np.int64), fixed)
    out.floats(Quantity.WEIGHT_2, _as_floats(fixed) ** 2)
    return counted, fixed


def _as_floats(fixed: Integers) -> Floats:
    return fixed / float(1 << WEIGHT_BITS)


def _outcomes(is_positive: Bools, says_positive: Bools) -> Integers:
    """0 is a true positive, 1 a false one, 2 a false negative, 3 a true one."""
    return np.where(says_positive, np.where(is_positive, 0, 1), np.where(is_positive, 2, 3)).astype(np.int64)


def _losses(out: SumBuilder, score: Floats, is_positive: Bools, weights: Floats) -> None:
    truth = np.clip(np.where(is_positive, score, 1 - score), _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    # NumPy's logarithm may depend on where in an array a number stands.
    loss = -np.fromiter(map(math.log, truth.tolist()), dtype=np.float64, count=len(truth))
    squared = (score - is_positive) ** 2
    for quantity, values in ((Quantity.LOG_LOSS, loss), (Quantity.SQUARED, squared)):
        out.floats(quantity, weights * values)
        out.floats(quantity + 1, weights * values**2)


def _add_values(out: SumBuilder, values: Floats | None, fixed: Integers) -> None:
    if values is None:
        return
    usable = np.abs(values) <= LARGEST
    out.count(Count.WITHOUT_VALUE, int((~usable).sum()))
    weights, worth = fixed[usable], values[usable]
    out.weights(Quantity.VALUE_WEIGHT, np.zeros(len(weights), dtype=np.int64), weights)
    out.floats(Quantity.VALUE, _as_floats(weights) * worth)
    out.floats(Quantity.VALUE_2, _as_floats(weights) * worth**2)


def _add_naive(out: SumBuilder, model: Floats, naive: Floats, has_answer: Bools, fixed: Integers) -> None:
    """Add what the model and a naive answer lose, of events that have one."""
    out.count(Count.ANSWERED, int(has_answer.sum()))
    weights, model, naive = _as_floats(fixed[has_answer]), model[has_answer], naive[has_answer]
    out.floats(Quantity.ANSWERED_WEIGHT, weights)
    out.floats(Quantity.ANSWERED_WEIGHT_2, weights**2)
    out.floats(Quantity.MODEL_LOSS, weights * model)
    out.floats(Quantity.MODEL_LOSS_2, weights * model**2)
    out.floats(Quantity.NAIVE_LOSS, weights * naive)
    out.floats(Quantity.NAIVE_LOSS_2, weights * naive**2)
    out.floats(Quantity.BOTH_LOSSES, weights * model * naive)


def _add_pinball(out: SumBuilder, quantile: float, error: Floats, fixed: Integers) -> None:
    """Add what is lost by a prediction that is to be a quantile: too low a one costs more, the higher the quantile."""
    loss, weights = np.maximum(-quantile * error, (1 - quantile) * error), _as_floats(fixed)
    out.weights(Quantity.PINBALL_WEIGHT, np.zeros(len(fixed), dtype=np.int64), fixed)
    out.floats(Quantity.PINBALL, weights * loss)
    out.floats(Quantity.PINBALL_2, weights * loss**2)


def _add_interval(out: SumBuilder, y: Floats, interval: tuple[Floats, Floats], fixed: Integers) -> None:
    """Add which intervals hold the truth; one whose ends are in the wrong order holds nothing, and has no width."""
    low, high = interval
    usable = (np.abs(low) <= LARGEST) & (np.abs(high) <= LARGEST)
    out.count(Count.NO_INTERVAL, int((~usable).sum()))
    y, low, high, fixed = y[usable], low[usable], high[usable], fixed[usable]
    holds, width, weights = (low <= y) & (y <= high), np.maximum(high - low, 0.0), _as_floats(fixed)
    out.weights(Quantity.INTERVAL_WEIGHT, np.zeros(len(fixed), dtype=np.int64), fixed)
    out.weights(Quantity.COVERED, np.zeros(int(holds.sum()), dtype=np.int64), fixed[holds])
    out.floats(Quantity.WIDTH, weights * width)
    out.floats(Quantity.WIDTH_2, weights * width**2)


def _moments(out: SumBuilder, y: Floats, error: Floats, weights: Floats) -> None:
    weighted, rest = two_product(weights, y)
    # The variance of numbers far from zero is a small difference of large sums.
    out.floats(Quantity.Y, weighted, rest)
    out.floats(Quantity.Y_2, *two_product(weighted, y), rest * y)
    out.floats(Quantity.Y_3, weighted * y * y)
    out.floats(Quantity.Y_4, weighted * y * y * y)
    out.floats(Quantity.E, weights * error)
    out.floats(Quantity.ABS_E, weights * np.abs(error))
    square = error**2
    out.floats(Quantity.E_2, weights * square)
    out.floats(Quantity.E_4, weights * square**2)
    out.floats(Quantity.E_2_Y, square * weighted)
    out.floats(Quantity.E_2_Y_2, square * weighted * y)


def _shares(out: SumBuilder, y: Floats, error: Floats, fixed: Integers) -> None:
    """Errors as shares of what was true; nothing is a share of 0."""
    size = np.abs(y)
    usable = size > np.abs(error) / _LARGEST_SHARE
    share = np.abs(error[usable]) / size[usable]
    out.count(Count.ZERO_ACTUAL, int((~usable).sum()))
    weights = _as_floats(fixed[usable])
    out.weights(Quantity.SHARE_WEIGHT, np.zeros(len(weights), dtype=np.int64), fixed[usable])
    out.floats(Quantity.SHARE, weights * share)
    out.floats(Quantity.SHARE_2, weights * share**2)
