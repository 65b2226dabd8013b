"""What a fitted estimator says of events, as they are folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detectors.estimate import Calibration, ClassCalibration, Trees
from detectors.sketch import Coded, NumericLayout, quantile_layout
from monitor.estimators.artefact import Artefact, Input
from monitor.events import Events, Name

__all__ = ["ESTIMATED", "Estimator", "EstimatorColumns", "chance_of_right", "numbers_of", "signal_of"]

Floats = NDArray[np.float64]

ESTIMATED = "estimated:"
"""What the signals of estimates begin with."""


def signal_of(name: str) -> str:
    """Return the signal of the estimates that a configuration calls ``name``.

    Examples
    --------
    >>> signal_of("accuracy")
    'estimated:accuracy'
    """
    return ESTIMATED + name


@dataclass(frozen=True)
class Estimator:
    """A fitted estimator, and the signal that its estimates are.

    Attributes
    ----------
    signal : str
        ``estimated:NAME``.
    artefact : Artefact
    """

    signal: str
    artefact: Artefact

    @property
    def needs(self) -> list[str]:
        """The signals that an event has to carry."""
        return [each.signal for each in self.artefact.inputs] or [self.artefact.prediction]

    @cached_property
    def layout(self) -> NumericLayout:
        """How estimates are laid out in panes: another fit has another layout, so that their panes are never added."""
        high = None if self.artefact.kind == "dle" else 1.0
        return quantile_layout(self.artefact.spread, low=0.0, high=high)

    @cached_property
    def _parts(self) -> tuple[Calibration | None, ClassCalibration | None, Trees | None]:
        return self.artefact.calibrated(), self.artefact.calibrated_classes(), self.artefact.boosted()

    def of_numbers(self, inputs: Floats) -> Floats:
        """Return the estimate of each event.

        Parameters
        ----------
        inputs : float64 array [n, inputs]
            Of ``cbpe`` the score alone, or those of several classes and which one was predicted; NaN is missing.

        Returns
        -------
        float64 array [n]
            The probability that the prediction is right, or by how much it is off; NaN where there is no
            score, or none that is a probability.
        """
        calibration, classes, trees = self._parts
        if classes is not None:
            return classes.confidence(inputs[:, :-1], inputs[:, -1])
        if trees is None:
            assert calibration is not None  # what the artefact's check has seen
            return chance_of_right(calibration.probability(inputs[:, 0]), inputs[:, 0], self.artefact.threshold)
        scores = trees.score(inputs)
        if calibration is None:
            return np.maximum(scores, 0.0)
        return calibration.probability(scores)


def chance_of_right(positive: Floats, scores: Floats, threshold: float | None) -> Floats:
    """Return how probable it is that a prediction is right, of which it is known how probable the positive class is."""
    is_probability = (scores >= 0) & (scores <= 1)
    return np.where(is_probability, np.where(scores >= (threshold or 0.0), positive, 1.0 - positive), np.nan)


class EstimatorColumns:
    """Adds the estimates of some estimators to events, as columns behind the numbers that they carry.

    Parameters
    ----------
    estimators : sequence of Estimator
    numeric, category : sequence of str
        The signals that events carry, in the order of their columns. Who needs others does not estimate.
    """

    def __init__(self, estimators: Sequence[Estimator], numeric: Sequence[str], category: Sequence[str]) -> None:
        self._estimators = [each for each in estimators if {*numeric, *category}.issuperset(each.needs)]
        self._numeric = {signal: row for row, signal in enumerate(numeric)}
        self._category = {signal: row for row, signal in enumerate(category)}

    def added(self, events: Events) -> Events:
        """Return the events with their estimates; as they are where there is nothing to estimate."""
        if not self._estimators:
            return events
        rows = [estimator.of_numbers(self._inputs(estimator, events)) for estimator in self._estimators]
        return replace(events, numeric=np.vstack([events.numeric, *rows]))

    def _inputs(self, estimator: Estimator, events: Events) -> Floats:
        inputs = estimator.artefact.inputs or (Input(estimator.artefact.prediction),)
        columns = [self._column(each, events) for each in inputs]
        return np.stack(columns, axis=1)

    def _column(self, of_input: Input, events: Events) -> Floats:
        if of_input.numbers is not None:
            return numbers_of(events.category[self._category[of_input.signal]], of_input.numbers)
        values = events.numeric[self._numeric[of_input.signal]]
        return np.where(np.isfinite(values), values, np.nan)


def numbers_of(column: Coded[Name] | Coded[str | None], numbers: Mapping[str, float]) -> Floats:
    """Return what stands for each name of a column; NaN for others.

    Examples
    --------
    >>> numbers_of(Coded.of(["DE", None, "FR", "DE"]), {"DE": 0.25}).tolist()
    [0.25, nan, nan, 0.25]
    """
    of_names = [numbers.get(name, np.nan) if isinstance(name, str) else np.nan for name in column.names]
    return np.array(of_names, dtype=np.float64)[column.codes] if len(column) else np.empty(0)
