"""How good a model is, by its labels: metrics with their confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from monitor.resources.contract import LengthMs, Moment, Question, Row, TimeMs, described

__all__ = ["MAX_ROWS", "MetricDetail", "MetricEstimate", "Performance", "share"]

MAX_ROWS = 20_000
"""Most estimates in one answer, with the rows of their tables and curves."""


def share(value: float | None) -> str:
    """Write a share for people."""
    return "" if value is None or math.isnan(value) else f"{value:.1%}"


def _interval(row: Mapping[str, Any]) -> str:
    return "" if row["low"] is None or math.isnan(row["low"]) else f"{row['low']:.4g} to {row['high']:.4g}"


def _of_predictions(row: Mapping[str, Any]) -> str:
    """How many of the predictions the metric is made of: it stands beside ``labels``."""
    return share(row["labels"] / row["predictions"] if row["predictions"] else None)


def _why_not(row: Mapping[str, Any]) -> str:
    """Why there is no value, and how many events with a label are in none."""
    unusable = f"{row['unusable']:,} unusable" if row["unusable"] else ""
    return "; ".join(filter(None, (row["reason"], unusable)))


@dataclass(frozen=True, kw_only=True)
class MetricDetail(Row):
    """A cell of the table of classes, or a bin of the curve of probabilities; what it is not is null."""

    true: str | None = described("the class that it was")
    predicted: str | None = described("the class that was predicted")
    from_score: float | None = described("where the bin of scores begins")
    mean_score: float | None = described("of the bin: how many were to be positive")
    positive_share: float | None = described("how many of the bin were positive")
    weight: float = described("how many events, by their weights")


@dataclass(frozen=True, kw_only=True)
class MetricEstimate(Row):
    """One metric of the predictions of `[from_ms, to_ms)` that have a label."""

    table = (
        ("from", "from_ms"),
        "metric",
        "version",
        "segment",
        "value",
        ("95 % interval", _interval),
        "labels",
        ("of predictions", _of_predictions),
        ("why not", _why_not),
    )

    model: str
    metric: str = described("such as `recall`, `skill:NAME` or `gain:NAME`")
    version: str | None = described("null is all versions together")
    segment: str = described("empty is all traffic")
    from_ms: TimeMs
    to_ms: TimeMs
    age: str = described("by when labels were known: `1d` after the hour of the prediction, or `newest`")
    value: float | None = described("null where there is none, and `reason` says why")
    low: float | None = described("of the 95 % confidence interval")
    high: float | None = described("its upper end")
    bound: float = described("how far the value may be from that of the single events, as scores are counted in cells")
    better: Literal["higher", "lower", "zero", ""] = described(
        "which values are good; empty of tables, and of `interval_coverage`"
    )
    currency: str | None = described("what it is worth in")
    labels: int = described("events that the metric is made of")
    predictions: int = described("of this time, with a label or without")
    coverage: float | None = described("the share of predictions that have a label")
    unusable: int = described("events with a label that could not be compared, such as without a prediction")
    delay_median_ms: LengthMs | None = described(
        "within which half of the predictions have their label; null where that is not known yet"
    )
    too_good: bool = described(
        "whether it is better than in the week before a prediction began to alarm as `stuck` or `fallback`, which it "
        "does meanwhile: the better number is the symptom"
    )
    alert_id: str | None = described("the alert about that; else null")
    verdict: Literal["better", "no_better", "worse", "unknown"] | None = described(
        "of `skill:NAME`: what the interval says of the model beside what costs nothing; `no_better` where it holds 0"
    )
    baseline: str | None = described("of `skill:NAME`: what the model is compared with, in words")
    loss: Literal["brier", "error", "squared", "value"] | None = described(
        "of `skill:NAME`: what an event costs; of `gain:NAME` it is `value`, what it is worth with the other sign"
    )
    model_loss: float | None = described("of `skill:NAME`: what it costs by the model, on average")
    baseline_loss: float | None = described("of `skill:NAME`: what the same events cost by the naive answer")
    reason: str = described("why there is no value, or no interval, or why it is too good, or no better than nothing")
    detail: list[MetricDetail] = described("what is behind metrics that are a table or have a curve")


@dataclass(frozen=True)
class Performance(Question):
    """How good a model is, by its labels, the oldest first.

    Spans are of the time of predictions, in whole hours. Without ``from`` it is the week up to ``to``.
    """

    path = "/v1/performance"
    answer = MetricEstimate
    is_paged = False
    verb = "Show how good a model is, by its labels."

    model: str
    _: KW_ONLY
    metrics: Sequence[str] | None = described(
        "only these; may be repeated; absent are those of the configuration", default=None, wire="metric"
    )
    version: str | None = described("absent is all versions together", default=None)
    segment: str = described("such as `country=DE`; empty is all traffic", default="")
    by: Literal["version", "segment"] | None = described("each of them by itself", default=None)
    from_: Moment | None = None
    to: Moment | None = None
    step: str | None = described("an estimate for each span of this length, whole hours such as `1d`", default=None)
    age: str = described(
        "`newest`, or one of `judge_at`, such as `1d`: what was known by then, which never changes again",
        default="newest",
    )
