"""Metrics of chunks as they turned out to be, by the sums that Leeway keeps, beside those of another program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.estimates.tasks import Task
from detectors.performance import Question, Scheme, Sums, estimates

__all__ = ["distances"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NAMES = {"f1": "f_beta", "average_precision": "pr_auc"}
"""Our names, where they are others."""


def distances(
    task: Task, scheme: Scheme, chunks: Sequence[Integers], theirs: Mapping[str, Sequence[float]]
) -> dict[str, float]:
    """Return how far each metric is from theirs in some chunk at most, beyond its stated bound.

    Of values above 1 it is a share of them. Compared is what means the same: a class that does not occur is no part of
    a mean over classes here, as in scikit-learn, and counts as 0 there; an actual value of 0 has no error in percent.
    """
    question, names = Question(task.kind), [NAMES.get(name, name) for name in theirs]
    apart: dict[str, float] = {}
    for number, chunk in enumerate(chunks):
        answers = estimates(_sums(task, scheme, chunk), names, question)
        for name in theirs:
            if not _means_the_same(task, name, chunk):
                continue
            ours, realised = answers[NAMES.get(name, name)], theirs[name][number]
            beyond = (abs(ours.value - realised) - ours.bound) / max(abs(realised), 1.0)
            apart[name] = max(apart.get(name, 0.0), beyond)
    return apart


def _means_the_same(task: Task, name: str, chunk: Integers) -> bool:
    if name == "mape":
        return bool((task.truth[chunk] != 0).all())
    if task.kind != "multiclass" or name == "accuracy":
        return True
    return bool(np.isin(np.unique(task.truth), (task.truth[chunk], task.predicted[chunk])).all())


def _sums(task: Task, scheme: Scheme, chunk: Integers) -> Sums:
    predicted, truth = task.predicted[chunk], task.truth[chunk]
    if task.kind == "regression":
        return scheme.fold(predicted, truth.astype(np.float64))
    names = truth.astype(np.int64).astype(str).tolist()
    return scheme.fold(predicted if task.kind == "binary" else predicted.astype(np.int64).astype(str).tolist(), names)
