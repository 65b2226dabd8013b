"""The metrics that there are, and how they are worked out together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from detectors.performance import errors, outcomes, probabilities, ranked_items, ranking, worth
from detectors.performance.metric import ALL_KINDS, CLASSES, Estimate, Metric, Question, nothing
from detectors.performance.sums import Count, Sums

__all__ = ["METRICS", "estimates"]

_BINARY, _NUMBERS, _RANKINGS = ("binary",), ("regression",), ("ranking",)
_WORTH: Mapping[str, Any] = {"needs_value": True, "without": Count.WITHOUT_VALUE}

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "Share of events whose class was said.", CLASSES, outcomes.accuracy),
        Metric("balanced_accuracy", "Mean of recall over classes.", CLASSES, outcomes.balanced_accuracy),
        Metric("precision", "Share of those called positive that are.", CLASSES, outcomes.precision),
        Metric("recall", "Share of the positive that are called so.", CLASSES, outcomes.recall),
        Metric("f_beta", "Precision and recall in one number.", CLASSES, outcomes.f_beta),
        Metric("specificity", "Share of the negative that are called so.", _BINARY, outcomes.specificity),
        Metric("mcc", "Correlation of classes said and true.", CLASSES, outcomes.matthews),
        Metric("roc_auc", "How often a positive scores above a negative.", _BINARY, ranking.roc_auc),
        Metric("pr_auc", "Average precision over all thresholds.", _BINARY, ranking.pr_auc),
        Metric("log_loss", "Mean surprise at what it was.", _BINARY, probabilities.log_loss, "lower"),
        Metric("brier", "Mean squared error of probabilities.", _BINARY, probabilities.brier, "lower"),
        Metric("ece", "How far probabilities are from what happens.", _BINARY, probabilities.ece, "lower"),
        Metric("confusion", "Events by true and predicted class.", CLASSES, outcomes.confusion, ""),
        Metric("bias", "Mean error, with its sign.", _NUMBERS, errors.bias, "zero"),
        Metric("mae", "Mean size of the error.", _NUMBERS, errors.mae, "lower"),
        Metric("rmse", "Root of the mean squared error.", _NUMBERS, errors.rmse, "lower"),
        Metric(
            "mape",
            "Mean error as a share of the true value.",
            _NUMBERS,
            errors.mape,
            "lower",
            without=Count.ZERO_ACTUAL,
        ),
        Metric("smape", "Mean error as a share of both values.", _NUMBERS, errors.smape, "lower"),
        Metric("r2", "Share of the variance that is explained.", _NUMBERS, errors.r2),
        Metric("pinball", "Mean loss of a quantile.", _NUMBERS, errors.pinball, "lower", needs="quantile"),
        Metric(
            "interval_coverage",
            "Share of intervals that hold the true value.",
            _NUMBERS,
            errors.interval_coverage,
            "",
            needs="interval",
            without=Count.NO_INTERVAL,
        ),
        Metric(
            "interval_width",
            "Mean width of intervals.",
            _NUMBERS,
            errors.interval_width,
            "lower",
            needs="interval",
            without=Count.NO_INTERVAL,
        ),
        Metric("ndcg", "How near lists are to the best order of their first k items.", _RANKINGS, ranked_items.ndcg),
        Metric("mrr", "How far up the first relevant item stands.", _RANKINGS, ranked_items.mrr),
        Metric("value_per_event", "What an event is worth.", ALL_KINDS, worth.value_per_event, **_WORTH),
        Metric("value_total", "What all events are worth.", ALL_KINDS, worth.value_total, **_WORTH),
    )
}
"""By name, in the order in which they are shown."""


def estimates(sums: Sums, names: Iterable[str], question: Question) -> dict[str, Estimate]:
    """Work metrics out of sums.

    Parameters
    ----------
    sums : Sums
    names : iterable of str
        Keys of :data:`METRICS` that the question's kind has.
    question : Question

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.performance import Binary
    >>> sums = Binary("yes").fold(np.array([0.9, 0.2, 0.7, 0.1]), ["yes", "no", "no", "no"])
    >>> answer = estimates(sums, ["accuracy", "roc_auc"], Question("binary", min_labels=2))
    >>> answer["accuracy"].value, answer["roc_auc"].value
    (0.75, 1.0)
    """
    return {name: _estimate(sums, METRICS[name], question) for name in names}


def _estimate(sums: Sums, metric: Metric, question: Question) -> Estimate:
    if not sums.labels:
        return nothing("no labels")
    estimate = metric.estimate(sums, question)
    events = metric.events(sums)
    if events < question.min_labels and not math.isnan(estimate.low):
        of_it = "" if events == sums.labels else " of which it can be worked out"
        reason = f"{events:,} labels{of_it}, and an interval needs {question.min_labels:,}"
        return dataclasses.replace(estimate, low=math.nan, high=math.nan, reason=reason)
    return estimate
