"""Rows of what is known of the predictions of an hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.performance import Binary, Multiclass, Ranking, Regression, Sums
from monitor.config.performance import PerformancePlan
from monitor.performance.join import NONE, Joined
from sinks.store.classes import label_classes, predicted_classes
from sinks.store.spans import HOUR_MS

__all__ = ["NOW", "OTHER", "Hour", "rows_of_hour"]

NOW = 0
"""The age of what is known now."""

OTHER = "other"
"""Of binary models: predicted to be anything but the positive class."""

Integers = NDArray[np.int64]
Columns = Mapping[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Hour:
    """Some predictions with what is known of them.

    Attributes
    ----------
    model : str
    hour_ms, age_ms : int
    predicted, labels : mapping
        Columns of the tables ``predicted`` and ``labels``.
    joined : Joined
        Of all rows of ``predicted``.
    rows : int64 array
        Those that are of the hour.
    """

    model: str
    hour_ms: int
    age_ms: int
    predicted: Columns
    labels: Columns
    joined: Joined
    rows: Integers


def rows_of_hour(plan: PerformancePlan, hour: Hour) -> Iterator[Row]:
    """Yield a row of ``performance`` for each version and segment that predictions were known of."""
    known_rows = hour.rows[hour.joined.is_known[hour.rows]]
    for (version, segment), rows in sorted(_groups(hour.predicted, known_rows).items()):
        key = {"model": hour.model, "hour_ms": hour.hour_ms, "age_ms": hour.age_ms}
        yield key | {"version": version, "segment": segment} | _row(plan, hour, np.array(rows, dtype=np.int64))


def _groups(predicted: Columns, rows: Integers) -> dict[tuple[str, str], list[int]]:
    """The rows of each version and segment; the empty segment has all of them."""
    groups: dict[tuple[str, str], list[int]] = {}
    versions, segments = predicted["version"], predicted["segments"]
    for row in rows.tolist():
        for segment in ("", *segments[row]):
            groups.setdefault((versions[row], segment), []).append(row)
    return groups


def _row(plan: PerformancePlan, hour: Hour, rows: Integers) -> Row:
    labelled = rows[hour.joined.label[rows] != NONE]
    classes = Counter(_classes(plan, hour.predicted, rows))
    of_labelled = Counter(_classes(plan, hour.predicted, labelled))
    delays = Counter((hour.joined.delay_ms[labelled] // HOUR_MS).tolist())
    return {
        "predictions": len(rows),
        "labelled": len(labelled),
        "classes": sorted(classes),
        "class_predictions": [classes[name] for name in sorted(classes)],
        "class_labelled": [of_labelled[name] for name in sorted(classes)],
        "delay_hours": sorted(delays),
        "delay_labels": [delays[hours] for hours in sorted(delays)],
        **_sums(plan, hour, labelled).to_row(),
    }


def _sums(plan: PerformancePlan, hour: Hour, labelled: Integers) -> Sums:
    arguments = (
        _predictions(plan, hour.predicted, labelled),
        _labels(plan, hour, labelled),
        hour.joined.numbers[plan.weight][labelled] if plan.weight else None,
        hour.joined.numbers[plan.value][labelled] if plan.value else None,
        _naive(plan, hour.predicted, labelled) if plan.naive_signal else None,
    )
    if isinstance(plan.scheme, Regression) and plan.interval:
        low, high = (np.array(hour.predicted[end], dtype=np.float64)[labelled] for end in ("low", "high"))
        return plan.scheme.fold(*arguments, interval=(low, high))
    return plan.scheme.fold(*arguments)


def _classes(plan: PerformancePlan, predicted: Columns, rows: Integers) -> Sequence[str]:
    """The classes that were predicted; none where predictions are numbers, and of those that could not be read."""
    if isinstance(plan.scheme, Binary):
        scores = predicted["value"][rows]
        says_positive = scores[~np.isnan(scores)] >= plan.scheme.threshold
        return [plan.scheme.positive if positive else OTHER for positive in says_positive.tolist()]
    if not isinstance(plan.scheme, Multiclass):
        return []
    names = predicted_classes(predicted["label"], predicted["value"], rows)
    return [name for name in names if name is not None]


def _predictions(plan: PerformancePlan, predicted: Columns, rows: Integers) -> Any:
    has_names = isinstance(plan.scheme, (Multiclass, Ranking))
    values = predicted["value"]
    return predicted_classes(predicted["label"], values, rows) if has_names else values[rows]


def _naive(plan: PerformancePlan, predicted: Columns, rows: Integers) -> Any:
    """What a field says in place of the model; a class in place of a probability is one that is certain."""
    names = predicted_classes(predicted["naive_label"], predicted["naive_value"], rows)
    if isinstance(plan.scheme, Multiclass):
        return names
    numbers = np.array(predicted["naive_value"], dtype=np.float64)[rows]
    if isinstance(plan.scheme, Binary):
        for row, name in enumerate(names):
            if name is not None:
                numbers[row] = name == plan.scheme.positive
    return numbers


def _labels(plan: PerformancePlan, hour: Hour, rows: Integers) -> Any:
    labels = hour.joined.label[rows]
    values = np.asarray(hour.labels["value"])
    are_numbers = isinstance(plan.scheme, Regression)
    return values[labels] if are_numbers else label_classes(hour.labels["label"], values, labels)
