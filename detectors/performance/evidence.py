"""What the labels of some hours say of a metric, as charts take it: a number, of how many events, and its variance.

A metric that is a share of events is counted, so that its tails are right for few of them. Others are means, or nearly
so: of n events they have a variance that goes with 1/n, on a scale on which they are about normal. That is the
logarithm for sizes of errors, whose tails are long, and ``2 asin √x`` for what lies between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from detectors.performance.interval import Z
from detectors.performance.metric import Question
from detectors.performance.metrics import METRICS
from detectors.performance.sums import Quantity, Sums

__all__ = ["CHARTED", "FEWEST", "Form", "Measured", "Scale", "count_share", "form_of", "measure"]

Form = Literal["share", "angle", "logarithm", "plain"]

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
    "mcc": "plain",
    "log_loss": "logarithm",
    "brier": "logarithm",
    "bias": "plain",
    "mae": "logarithm",
    "rmse": "logarithm",
    "mape": "logarithm",
    "smape": "logarithm",
    "pinball": "logarithm",
    "interval_coverage": "angle",
    "interval_width": "logarithm",
    "r2": "plain",
    "value_per_event": "plain",
}

CHARTED = frozenset({*_SHARES, *_FORMS})
"""Metrics that can be followed from hour to hour. Not so what is no number (``confusion``), what says how many events
there were (``value_total``), and what is larger the fewer there are (``ece``)."""

FEWEST: Mapping[str, int] = {"roc_auc": 100, "pr_auc": 100, "r2": 100, "mcc": 50, "f_beta": 50, "balanced_accuracy": 50}
"""Labels that are needed at once to say something, where that is not `FEWEST_EVENTS`."""

FEWEST_EVENTS = 30

ROOM = 1e-9
"""What lies between 0 and 1 is kept this far from both, and sizes from 0."""


class Measured(NamedTuple):
    """A metric of some events.

    Attributes
    ----------
    value : float
        In its own units.
    variance : float
        That one event contributes on the metric's scale: the value of n of them has this, divided by n.
    events : float
    """

    value: float
    variance: float
    events: float


class Scale(NamedTuple):
    """Where a metric is followed: its form, and what is 0 and 1 there, as the first labels have it.

    Examples
    --------
    >>> scale = Scale("logarithm", center=math.log(4.0), spread=0.5)
    >>> scale.at(4.0), round(scale.value(scale.at(9.0)), 9)
    (0.0, 9.0)
    """

    form: Form
    center: float = 0.0
    spread: float = 1.0

    def at(self, value: float) -> float:
        """Return where a value lies."""
        return (_TO[self.form](value) - self.center) / self.spread

    def value(self, at: float) -> float:
        """Return the value that lies there."""
        return _FROM[self.form](self.center + at * self.spread)


def _angle(value: float) -> float:
    return 2 * math.asin(math.sqrt(min(max(value, 0.0), 1.0)))


def _share_of(angle: float) -> float:
    return math.sin(min(max(angle, 0.0), math.pi) / 2) ** 2


_TO: Mapping[Form, Callable[[float], float]] = {
    "share": _angle,
    "angle": _angle,
    "logarithm": lambda value: math.log(max(value, ROOM)),
    "plain": lambda value: value,
}
_FROM: Mapping[Form, Callable[[float], float]] = {
    "share": _share_of,
    "angle": _share_of,
    "logarithm": lambda at: math.exp(min(at, 700.0)),
    "plain": lambda at: at,
}


def form_of(name: str, kind: str) -> Form:
    """Return how a metric of a kind of scheme is followed.

    Examples
    --------
    >>> form_of("recall", "binary"), form_of("recall", "multiclass"), form_of("mae", "regression")
    ('share', 'angle', 'logarithm')
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


def measure(sums: Sums, name: str, question: Question, form: Form) -> Measured | None:
    """Return a metric that is no count, of some events; None if they are too few to say how far chance goes.

    Parameters
    ----------
    sums : Sums
    name : str
    question : Question
        `min_labels` does not matter.
    form : Form
        ``angle``, ``logarithm`` or ``plain``.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.performance import Regression
    >>> sums = Regression().fold(np.arange(40.0), np.arange(40.0) + np.tile([1.0, 3.0], 20))
    >>> measure(sums, "mae", Question("regression"), "logarithm")
    Measured(value=2.0, variance=0.25, events=40.0)
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
    error = (estimate.high - estimate.low) / (2 * Z)
    if form == "angle":
        error /= math.sqrt(max(value * (1 - value), ROOM))
    elif form == "logarithm":
        error /= max(value, ROOM)
    return Measured(value, error * error * events, events)
