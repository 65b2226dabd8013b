"""How many predictions have a label, and how long labels take."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from monitor.resources.contract import LengthMs, Moment, Question, Row, TimeMs, described
from monitor.resources.performance import share

__all__ = ["ClassCoverage", "HoldsBack", "LabelCoverage", "Labels", "Said"]


@dataclass(frozen=True, kw_only=True)
class ClassCoverage(Row):
    """The predictions of one class."""

    name: str = described("of the class")
    predictions: int = described("events for which it was predicted")
    labelled: int = described("those of them that have a label")
    coverage: float = described("their share")


@dataclass(frozen=True, kw_only=True)
class HoldsBack(Row):
    """A partition of predictions or labels that hours which are to be judged wait for."""

    topic: str = described("of predictions or labels")
    partition: int
    known_ms: TimeMs | None = described("up to when it is known; null where nothing of it is")


@dataclass(frozen=True, kw_only=True)
class Said(Row):
    """The labels that state a time of the span, by what they do."""

    labels: int = described("of what predictions are compared with")
    corrected: int = described("those that say something else than the one before them of the same event")
    taken_back: int = described("those that take back what was said")
    unmatched: int = described("those of whose event no prediction is stored")


@dataclass(frozen=True, kw_only=True)
class LabelCoverage(Row):
    """The predictions of `[from_ms, to_ms)`, and how many of them have a label by now."""

    table = (
        ("from", "from_ms"),
        "version",
        "segment",
        "predictions",
        "labelled",
        ("coverage", lambda row: share(row["coverage"])),
        ("by predicted class", lambda row: " ".join(f"{c['name']} {share(c['coverage'])}" for c in row["classes"])),
        ("half within", "delay_median_ms"),
        ("nine of ten within", "delay_p90_ms"),
    )

    model: str
    version: str | None = described("null is all versions together")
    segment: str = described("empty is all traffic")
    from_ms: TimeMs
    to_ms: TimeMs
    predictions: int = described("of this time, with a label or without")
    labelled: int = described("those of them that have a label")
    coverage: float | None = described("null where there were no predictions")
    delay_median_ms: LengthMs | None = described(
        "within which half of the predictions have their label, of which those that still wait are a part "
        "(Kaplan-Meier); null where that is not known yet"
    )
    delay_p90_ms: LengthMs | None = described("the same of nine in ten")
    classes: list[ClassCoverage] = described("by predicted class: where they differ much, metrics are of a selection")


@dataclass(frozen=True)
class Labels(Question):
    """How many predictions have a label, the oldest first, and how long labels take.

    Spans are of the time of predictions, in whole hours. Without ``from`` it is the week up to ``to``.
    """

    path = "/v1/labels"
    answer = LabelCoverage
    is_paged = False
    verb = "Show how many predictions have a label, and how long labels take."

    model: str
    _: KW_ONLY
    version: str | None = described("absent is all versions together", default=None)
    segment: str = described("such as `country=DE`; empty is all traffic", default="")
    by: Literal["version", "segment"] | None = described("each of them by itself", default=None)
    from_: Moment | None = None
    to: Moment | None = None
    step: str = described("a row for each span of this length, whole hours such as `1h`", default="1d")
