"""Labelled events, as estimators are fitted on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detectors.performance import Binary, Multiclass, Regression
from monitor.config.performance import PerformancePlan
from monitor.config.schema import FieldSpec, Schema
from monitor.dataset import Dataset
from monitor.estimators.artefact import StoredEvents

__all__ = ["LabelledEvents", "labelled_events", "outcomes", "unfit"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LabelledEvents:
    """Events of which it is known what turned out to be true.

    Attributes
    ----------
    source : str
        The file's name, or that they were stored.
    outcome : float64 array [n]
        1 where the prediction was right and 0 where not; of numbers, how far it was off.
    numeric : dict of str to float64 array [n]
        Features and parts of the prediction, by signal; NaN is missing.
    category : dict of str to list
        Likewise; None is missing.
    left_out : dict of str to str
        Signals that nothing is fitted on, with the reason.
    stored : StoredEvents or None
        Which of the stored events these are.
    truth : sequence of str
        The true class of each event, of several; empty otherwise.
    """

    source: str
    outcome: Floats
    numeric: Mapping[str, Floats]
    category: Mapping[str, list[str | None]]
    left_out: Mapping[str, str] = field(default_factory=dict)
    stored: StoredEvents | None = None
    truth: Sequence[str | None] = ()

    def __len__(self) -> int:
        return len(self.outcome)


def labelled_events(dataset: Dataset, schema: Schema, plan: PerformancePlan) -> LabelledEvents:
    """Return the rows of a data set that have a prediction and a label, in their order.

    Private fields are left out: what is fitted would keep their values.

    Parameters
    ----------
    dataset : Dataset
        Whose paths lead to labels too, by their signals: `Schema.label_paths`.
    schema : Schema
    plan : PerformancePlan

    Raises
    ------
    InputError
        If a column is absent, or holds no numbers where these are needed.
    """
    outcome = _outcome(dataset, plan)
    labelled = np.flatnonzero(np.isfinite(outcome))
    left_out: dict[str, str] = {}
    numeric: dict[str, Floats] = {}
    category: dict[str, list[str | None]] = {}
    for signal, spec in schema.signals().items():
        name = signal.partition(":")[2]
        if reason := unfit(spec) or ("" if dataset.has(name) else "no column of the file"):
            left_out[signal] = reason
        elif spec.type == "numeric":
            values = dataset.numeric(name)[labelled]
            numeric[signal] = np.where(np.isfinite(values), values, np.nan)
        else:
            texts = dataset.text(name)
            category[signal] = [texts[i] for i in labelled.tolist()]
    labels = dataset.text(plan.label) if isinstance(plan.scheme, Multiclass) else []
    truth = [labels[i] for i in labelled.tolist()] if labels else []
    return LabelledEvents(dataset.path.name, outcome[labelled], numeric, category, left_out, truth=truth)


def unfit(spec: FieldSpec) -> str:
    """Return why nothing is fitted on a field; nothing if something may be."""
    if spec.privacy is not None:
        return "private"
    return "a vector" if spec.type == "vector" else ""


def _outcome(dataset: Dataset, plan: PerformancePlan) -> Floats:
    prediction, label = plan.prediction.partition(":")[2], plan.label
    if isinstance(plan.scheme, Regression):
        return outcomes(plan, dataset.numeric(prediction), dataset.numeric(label))
    if isinstance(plan.scheme, Binary):
        return outcomes(plan, dataset.numeric(prediction), dataset.text(label))
    return outcomes(plan, dataset.text(prediction), dataset.text(label))


def outcomes(
    plan: PerformancePlan, predicted: Floats | Sequence[str | None], true: Floats | Sequence[str | None]
) -> Floats:
    """Return what predictions turned out to be worth; NaN where that is not known.

    Parameters
    ----------
    plan : PerformancePlan
    predicted, true : float64 array [n] or sequence of str or None
        What was predicted, a probability, a number or the name of a class; and what was true, a number of numbers.

    Returns
    -------
    float64 array [n]
        1 of right predictions and 0 of others; of numbers, how far they were off.
    """
    if isinstance(plan.scheme, Multiclass):
        pairs = zip(predicted, true, strict=True)
        return np.array([np.nan if None in pair else float(pair[0] == pair[1]) for pair in pairs], dtype=np.float64)
    numbers = np.asarray(predicted, dtype=np.float64)
    if isinstance(plan.scheme, Regression):
        errors = np.abs(numbers - np.asarray(true, dtype=np.float64))
        return np.where(np.isfinite(errors), errors, np.nan)
    assert isinstance(plan.scheme, Binary)
    is_positive = np.array([text == plan.scheme.positive for text in true], dtype=np.bool_)
    is_right = (numbers >= plan.scheme.threshold) == is_positive
    # What is no probability is in no metric either.
    is_known = (numbers >= 0) & (numbers <= 1) & np.array([text is not None for text in true], dtype=np.bool_)
    return np.where(is_known, is_right.astype(np.float64), np.nan)
