"""Confidence-based estimation where the model says how probable each of several classes is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.estimate import calibrate_classes
from monitor.config.performance import PerformancePlan
from monitor.errors import InputError
from monitor.estimators.artefact import Input, knots_of
from monitor.estimators.labelled import LabelledEvents

__all__ = ["fitted_classes", "with_probabilities"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NAMED = 5
"""Classes in a message."""


def with_probabilities(events: LabelledEvents, plan: PerformancePlan) -> LabelledEvents:
    """Return the events of which there is the probability of each class, the predicted one among them.

    Raises
    ------
    InputError
        If the model does not say where the probabilities are, one of them is not in the file, or labels name a class
        that has none.
    """
    if not plan.probabilities:
        message = "cbpe of several classes needs the probability of each: name them in `performance.probabilities`"
        raise InputError(f"{message}, or use mpp")
    for signal in (plan.prediction, *plan.probabilities.values()):
        if signal in events.left_out:
            raise InputError(f"{signal} is {events.left_out[signal]}, and cbpe looks at it")
    scores, predicted = _inputs(events, plan)
    is_usable = (predicted >= 0) & ((scores >= 0) & (scores <= 1)).all(axis=1)
    rows = np.flatnonzero(is_usable).tolist()
    truth = [events.truth[i] for i in rows]
    if others := Counter(name for name in truth if name not in plan.probabilities):
        names = ", ".join(repr(name) for name, _ in others.most_common(NAMED))
        raise InputError(
            f"{others.total():,} labels say a class that has no probability ({names}): add it to "
            "`performance.probabilities`, or leave such events out"
        )
    numeric = {signal: events.numeric[signal][rows] for signal in plan.probabilities.values()}
    category = {plan.prediction: [events.category[plan.prediction][i] for i in rows]}
    return replace(events, outcome=events.outcome[rows], numeric=numeric, category=category, truth=truth)


def fitted_classes(
    events: LabelledEvents, plan: PerformancePlan, blocks: Sequence[Integers]
) -> tuple[dict[str, Any], Floats]:
    """Return the artefact's own parts, and estimates of each block by what was calibrated on the others."""
    scores, predicted = _inputs(events, plan)
    columns = _columns(plan)
    truth = np.array([columns[name] for name in events.truth if name is not None], dtype=np.int64)
    everything = np.concatenate(blocks)
    estimates = np.empty(len(events))
    for block in blocks:
        others = np.setdiff1d(everything, block)
        estimates[block] = calibrate_classes(scores[others], truth[others]).confidence(scores[block], predicted[block])
    final = calibrate_classes(scores, truth)
    numbers = {name: float(column) for name, column in columns.items()}
    inputs = (*(Input(signal) for signal in plan.probabilities.values()), Input(plan.prediction, numbers))
    return {"inputs": inputs, "calibrations": tuple(knots_of(each) for each in final.of_classes)}, estimates


def _columns(plan: PerformancePlan) -> dict[str, int]:
    return {name: column for column, name in enumerate(plan.probabilities)}


def _inputs(events: LabelledEvents, plan: PerformancePlan) -> tuple[Floats, Integers]:
    """Return the probabilities, and the column of that of the predicted class: -1 where it has none."""
    columns = _columns(plan)
    scores = np.stack([events.numeric[signal] for signal in plan.probabilities.values()], axis=1)
    predicted = [-1 if name is None else columns.get(name, -1) for name in events.category[plan.prediction]]
    return scores, np.array(predicted, dtype=np.int64)
