"""What the labels of some hours say of a metric, as charts take it: a number, of how many events, and its variance.

A metric that is a share of events is counted, so that its tails are right for few of them. Others are means, or nearly
so: of n events they have a variance that goes with 1/n, on a scale on which they are about normal. For sizes of errors
and losses, whose tails are long, that is ``log(1 + x / typical)``: a logarithm above what is typical, a plain number
below it, where a loss of a millionth and one of a thousandth both say that all went well; their variance is that of
the way from one standard error below to one above. It is ``2 asin √x`` for what
lies between 0 and 1 and is no mean of sizes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from detectors.performance.interval import Z
from detectors.performance.metric import Question
from detectors.performance.metrics import METRICS
from detectors.performance.sums import WEIGHT_BITS, Quantity, Sums

__all__ = [
    "CHARTED",
    "FEWEST",
    "NEGATIVE",
    "POSITIVE",
    "Form",
    "Measured",
    "Scale",
    "count_classes",
    "count_share",
    "form_of",
    "measure",
]

Form = Literal["share", "angle", "size", "rest", "correlation", "plain"]
"""How a metric is followed: by counts of how many, between 0 and 1, as a size, as what a size lacks of 1, between −1
and 1, or as it is."""

TP, FP, FN, TN = range(4)
_SHARES: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "accuracy": ((TP, TN), (TP, FP, FN, TN)),
    "precision": ((TP,), (TP, FP)),
    "recall": ((TP,), (TP, FN)),
    "specificity": ((TN,), (TN, FP)),
}
"""Of binary predictions: which outcomes are counted, out of which."""

_FORMS: Mapping[str, Form] = {
    "balanced_accuracy": "angle",
    "f_beta": "angle",
    "roc_auc": "angle",
    "pr_auc": "angle",
    "precision": "angle",
    "recall": "angle",
    "mcc": "correlation",
    "log_loss": "size",
    "brier": "size",
    "bias": "plain",
    "mae": "size",
    "rmse": "size",
    "mape": "size",
    "smape": "size",
    "pinball": "size",
    "interval_coverage": "angle",
    "interval_width": "size",
    "r2": "rest",
    "ndcg": "angle",
    "mrr": "angle",
    "value_per_event": "plain",
}

POSITIVE, NEGATIVE = "positive", "negative"
"""The two classes of binary labels."""

CHARTED = frozenset({*_SHARES, *_FORMS})
"""Metrics that can be followed from hour to hour. Not so what is no number (``confusion``), what says how many events
there were (``value_total``), and what is larger the fewer there are (``ece``)."""

FEWEST: Mapping[str, int] = {"roc_auc": 100, "pr_auc": 100, "r2": 100, "mcc": 50, "f_beta": 50, "balanced_accuracy": 50}
"""Labels that are needed at once to say something, where that is not `FEWEST_EVENTS`."""

FEWEST_EVENTS = 30

ROOM = 1e-9
"""What lies between 0 and 1 is kept this far from both, and sizes from 0."""

_BETWEEN_0_AND_1, _SIZES = ("share", "angle"), ("size", "rest")
"""Forms that are followed by their arc sines, and by their logarithms."""


class Measured(NamedTuple):
    """A metric of some events.

    Attributes
    ----------
    value : float
        In its own units.
    variance : float
        That one event contributes, in the square of these units: the value of n of them has this, divided by n.
    events : float
    """

    value: float
    variance: float
    events: float


class Scale(NamedTuple):
    """Where a metric is followed: its form, and what is 0 and 1 there, as the first labels have it.

    Examples
    --------
    >>> scale = Scale.of("size", Measured(4.0, variance=16.0, events=200))
    >>> scale.at(4.0), round(scale.value(scale.at(9.0)), 9), round(scale.variance(Measured(4.0, 16.0, 30)), 2)
    (0.0, 9.0, 1.0)
    """

    form: Form
    center: float = 0.0
    spread: float = 1.0
    typical: float = 1.0

    @classmethod
    def of(cls, form: Form, measured: Measured, smallest: float = 0.0) -> Scale:
        """Return the scale on which a value is 0, and one event of those that it is of has a variance of 1.

        Parameters
        ----------
        form : Form
        measured : Measured
        smallest : float
            What an event's standard deviation is at least.
        """
        about = cls(form, typical=max(cls(form)._size_of(measured.value), ROOM))
        return about._replace(center=about.at(measured.value), spread=max(about.variance(measured) ** 0.5, smallest))

    def at(self, value: float) -> float:
        """Return where a value lies."""
        return (self._to(value) - self.center) / self.spread

    def value(self, at: float) -> float:
        """Return the value that lies there."""
        return self._from(self.center + at * self.spread)

    def variance(self, measured: Measured) -> float:
        """Return the variance that one event contributes there."""
        if self.form not in _SIZES:
            return measured.variance * (self._slope(measured.value) / self.spread) ** 2
        # Where one error makes up a loss, a slope says far too little of how far below it chance may be.
        error = math.sqrt(measured.variance / measured.events)
        low, high = self._to(measured.value - error), self._to(measured.value + error)
        return ((high - low) / (2 * self.spread)) ** 2 * measured.events

    def _size_of(self, value: float) -> float:
        """Return the size that is followed: of R², what it lacks of 1."""
        if self.form not in _SIZES:
            return 1.0
        return value if self.form == "size" else 1 - value

    def _to(self, value: float) -> float:
        if self.form in _BETWEEN_0_AND_1:
            return 2 * math.asin(math.sqrt(min(max(value, 0.0), 1.0)))
        if self.form in _SIZES:
            size = math.log1p(max(self._size_of(value), 0.0) / self.typical)
            return size if self.form == "size" else -size
        return math.atanh(min(max(value, ROOM - 1), 1 - ROOM)) if self.form == "correlation" else value

    def _from(self, at: float) -> float:
        if self.form in _BETWEEN_0_AND_1:
            return math.sin(min(max(at, 0.0), math.pi) / 2) ** 2
        if self.form in _SIZES:
            size = self.typical * max(math.expm1(min(at if self.form == "size" else -at, 700.0)), 0.0)
            return size if self.form == "size" else 1 - size
        return math.tanh(at) if self.form == "correlation" else at

    def _slope(self, value: float) -> float:
        if self.form in _BETWEEN_0_AND_1:
            return 1 / math.sqrt(max(value * (1 - value), ROOM))
        return 1 / max(1 - value * value, ROOM) if self.form == "correlation" else 1.0


def form_of(name: str, kind: str) -> Form:
    """Return how a metric of a kind of scheme is followed.

    Examples
    --------
    >>> form_of("recall", "binary"), form_of("recall", "multiclass"), form_of("mae", "regression")
    ('share', 'angle', 'size')
    """
    return "share" if name == "accuracy" or (kind == "binary" and name in _SHARES) else _FORMS[name]


def count_share(sums: Sums, name: str, kind: str) -> tuple[float, float]:
    """Return how many events a share has, and out of how many: of weighted ones, as many as have the same variance.

    Parameters
    ----------
    sums : Sums
    name : str
        Of a metric whose form is ``share``.
    kind : str

    Returns
    -------
    float, float
        Both 0 where there is nothing to count.
    """
    if kind == "multiclass":
        total, hits = sums.weight(Quantity.WEIGHT), sums.weight(Quantity.AGREED)
        squares = float(sums.exact(Quantity.WEIGHT_2)) if total else 0.0
    else:
        of_hits, of_all = _SHARES[name]
        weights = {outcome: sums.weight(Quantity.OUTCOMES, outcome) for outcome in of_all}
        total, hits = sum(weights.values()), sum(weights[outcome] for outcome in of_hits)
        squares = sum(float(sums.exact(Quantity.TP_2 + outcome)) for outcome in of_all)
    if not total:
        return 0.0, 0.0
    events = total * total / squares
    return hits / total * events, events


def count_classes(sums: Sums) -> dict[str, float]:
    """Return how many labels say each class: of weighted ones, as many as have the same variance.

    Empty where labels say none, and where there are too many classes to tell.

    Examples
    --------
    >>> from detectors.performance import Multiclass
    >>> count_classes(Multiclass().fold(["a", "b", "b"], ["a", "a", "b"]))
    {'a': 2.0, 'b': 1.0}
    """
    if sums.scheme.startswith("multiclass:") and sums.pairs:
        weights: dict[str, float] = {}
        for (true, _), weight in sorted(sums.pairs.items()):
            weights[true] = weights.get(true, 0.0) + weight / (1 << WEIGHT_BITS)
        # Squares are summed of all classes together.
        by_weight = sums.weight(Quantity.WEIGHT) / float(sums.exact(Quantity.WEIGHT_2))
        return {true: weight * by_weight for true, weight in weights.items()}
    if not sums.scheme.startswith("binary:"):
        return {}
    counts = {POSITIVE: _independent(sums, TP, FN), NEGATIVE: _independent(sums, TN, FP)}
    return {name: count for name, count in counts.items() if count}


def _independent(sums: Sums, *outcomes: int) -> float:
    """Return how many events of some outcomes count as independent by weight (Kish, 1965)."""
    total = sum(sums.weight(Quantity.OUTCOMES, outcome) for outcome in outcomes)
    squares = sum(float(sums.exact(Quantity.TP_2 + outcome)) for outcome in outcomes)
    return total * total / squares if total else 0.0


def measure(sums: Sums, name: str, question: Question) -> Measured | None:
    """Return a metric that is no count, of some events; None if they are too few to say how far chance goes.

    Parameters
    ----------
    sums : Sums
    name : str
    question : Question
        `min_labels` does not matter.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.performance import Regression
    >>> sums = Regression().fold(np.arange(40.0), np.arange(40.0) + np.tile([1.0, 3.0], 20))
    >>> measure(sums, "mae", Question("regression"))
    Measured(value=2.0, variance=1.0, events=40.0)
    """
    metric = METRICS[name]
    events = float(metric.events(sums)) if sums.labels else 0.0
    if events < FEWEST.get(name, FEWEST_EVENTS):
        return None
    estimate = metric.estimate(sums, question)
    value = estimate.value
    if math.isnan(value):
        return None
    if math.isnan(estimate.low):
        # Of means it is known that chance plays no part where all events are alike; of curves nothing is.
        return Measured(value, 0.0, events) if name not in FEWEST else None
    error = (estimate.high - estimate.low) / (2 * Z) if math.isnan(estimate.error) else estimate.error
    return Measured(value, error * error * events, events)
