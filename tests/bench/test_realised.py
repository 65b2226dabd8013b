"""What is printed as equal to another program's metrics has been compared with them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from bench.estimates.realised import distances
from bench.estimates.tasks import Task
from detectors.performance import Multiclass, Regression, Scheme

CHUNKS = list(np.arange(300).reshape(3, 100))
SCHEMES: dict[str, Scheme] = {"multiclass": Multiclass(None, False), "regression": Regression(False)}


def drawn(kind: str) -> Task:
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, 300)
    truth[CHUNKS[2]] = np.minimum(truth[CHUNKS[2]], 1)
    said = np.where(random.random(300) < 0.7, truth, random.integers(0, 2, 300)).astype(np.float64)
    none = np.empty(0, dtype=np.int64)
    return Task("drawn", kind, np.empty((300, 0)), truth, said, none, none, np.empty((300, 0)))


@pytest.mark.parametrize("off_by", [0.0, 0.25])
def test_metrics_are_as_far_from_others_as_they_are(off_by: float) -> None:
    task = drawn("multiclass")
    theirs = {
        "accuracy": [metrics.accuracy_score(task.truth[chunk], task.predicted[chunk]) for chunk in CHUNKS],
        "f1": [
            metrics.f1_score(task.truth[chunk], task.predicted[chunk], average="macro") - off_by for chunk in CHUNKS
        ],
    }
    assert distances(task, SCHEMES["multiclass"], CHUNKS, theirs) == pytest.approx({"accuracy": 0.0, "f1": off_by})


def test_what_means_something_else_there_is_not_compared() -> None:
    lacking = CHUNKS[2:]  # a class does not occur
    assert distances(drawn("multiclass"), SCHEMES["multiclass"], lacking, {"f1": [0.0]}) == {}
    assert distances(drawn("regression"), SCHEMES["regression"], lacking, {"mape": [1e15]}) == {}
