"""Scores of classes become probabilities: scikit-learn is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from detectors.estimate import calibrate_classes

Floats = NDArray[np.float64]


class Said(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose features are its probabilities."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.classes_ = np.arange(classes)

    def fit(self, x: Floats, y: NDArray[np.int64]) -> Said:
        return self

    def predict(self, x: Floats) -> NDArray[np.int64]:
        return np.asarray(x.argmax(axis=1))

    def predict_proba(self, x: Floats) -> Floats:
        return x


def by_scikit_learn(scores: Floats, truth: NDArray[np.int64], more: Floats) -> Floats:
    frozen = FrozenEstimator(Said(scores.shape[1]))
    reference = CalibratedClassifierCV(frozen, method="isotonic").fit(scores, truth)
    return np.asarray(reference.predict_proba(more))


def events(seed: int, count: int, classes: int, sharper: float) -> tuple[Floats, NDArray[np.int64]]:
    """What a model says, and what is true: as often as it says where `sharper` is 1."""
    random = np.random.default_rng(seed)
    likely = random.dirichlet(np.full(classes, 0.7), count)
    truth = (likely.cumsum(axis=1) < random.random(count)[:, None]).sum(axis=1).clip(max=classes - 1)
    said = likely**sharper
    return (said / said.sum(axis=1, keepdims=True)).round(6), truth


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_probabilities_are_those_of_scikit_learn(classes: int) -> None:
    scores, truth = events(1, 4_000, classes, sharper=3.0)
    more, _ = events(2, 1_000, classes, sharper=3.0)
    calibrated = calibrate_classes(scores, truth).probabilities(more)
    assert calibrated == pytest.approx(by_scikit_learn(scores, truth, more), abs=1e-12)
    assert calibrated.sum(axis=1) == pytest.approx(1.0)


def test_what_an_event_means_does_not_depend_on_those_beside_it() -> None:
    fitted, (scores, predicted) = calibrate_classes(*events(3, 2_000, 12, 3.0)), events(4, 50, 12, 3.0)
    together = fitted.confidence(scores, predicted)
    alone = [fitted.confidence(scores[i : i + 1], predicted[i : i + 1])[0] for i in range(len(scores))]
    assert together.tolist() == alone


def test_few_events_make_less_of_scores_that_are_right_already_than_calibrating_each_class() -> None:
    ours, theirs = [], []
    for seed in range(10):
        scores, truth = events(seed, 200, 4, sharper=1.0)
        likely, _ = events(100 + seed, 500, 4, sharper=1.0)
        ours.append(np.abs(calibrate_classes(scores, truth).probabilities(likely) - likely).mean())
        theirs.append(np.abs(by_scikit_learn(scores, truth, likely) - likely).mean())
    assert np.mean(ours) < 0.5 * np.mean(theirs)


def test_classes_are_alike_where_none_was_ever_true_of_such_scores() -> None:
    scores = np.tile([[0.9, 0.1], [0.1, 0.9], [0.1, 0.1]], (50, 1))
    fitted = calibrate_classes(scores, np.tile([0, 1, 2], 50))
    assert fitted.probabilities([[0.9, 0.1], [0.05, 0.05]]).tolist() == [[1.0, 0.0], [0.5, 0.5]]


@pytest.mark.parametrize("score", [np.nan, np.inf, -0.1, 1.5])
def test_without_all_probabilities_there_is_no_confidence(score: float) -> None:
    fitted = calibrate_classes(*events(6, 100, 2, 1.0))
    assert np.isnan(fitted.confidence([[0.5, score], [0.5, 0.5], [0.5, 0.5]], [0, np.nan, 1])).tolist() == [
        True, True, False
    ]  # fmt: skip


def test_scores_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 scores"):
        calibrate_classes(*events(7, 100, 2, 1.0)).probabilities([[0.1, 0.2, 0.7]])
