"""Rollouts: a candidate version beside its champion, and whether it may stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.resources.contract import LengthMs, Question, Row, TimeMs, described

__all__ = ["ComparedMetric", "CoursePoint", "KnownRollout", "RolloutDetail", "Rollouts"]

Verdict = Literal["promote", "hold", "rollback"]


@dataclass(frozen=True, kw_only=True)
class KnownRollout(Row):
    """A rollout."""

    table = (
        "verdict",
        "state",
        "model",
        "candidate",
        "champion",
        ("since", "from_ms"),
        ("until", "until_ms"),
        ("by", "created_by"),
        "reason",
        "id",
    )

    id: str
    model: str
    candidate: str = described("the version that may stay or has to go")
    champion: str = described("the version that it is compared with")
    verdict: Verdict = described("`hold` as long as there is no other; a verdict stays")
    state: Literal["waiting", "running", "decided", "over", "stopped"] = described(
        "`waiting` for the next window; `over`: the time has passed without a verdict"
    )
    metrics: list[str] = described("signals by which versions are compared")
    level: float = described("how often a verdict may be wrong")
    lasts_ms: LengthMs = described("for how long versions are compared, in event time")
    from_ms: TimeMs | None = described("event time from which versions are compared; null while it waits")
    last_ms: TimeMs | None = described("up to which event time they are; that of the verdict, once there is one")
    until_ms: TimeMs | None = described("event time at which it is over without a verdict")
    created_by: str
    reason: str
    created_ms: TimeMs
    stopped_by: str = described("who stopped it; empty if nobody did")
    stop_reason: str = described("why")
    stopped_ms: TimeMs | None = described("when it was, by the clock")


@dataclass(frozen=True, kw_only=True)
class CoursePoint(Row):
    """What was known of a metric after one of its spans."""

    end_ms: TimeMs = described("end of the span, in event time")
    difference: float = described("candidate minus champion, over all spans up to this one")
    low: float | None = described("what the difference is not below; null while nothing can be concluded")
    high: float | None = described("what it is not above")
    champion_n: int = described("observations up to this span, where both versions had some")
    candidate_n: int = described("the candidate's")


@dataclass(frozen=True, kw_only=True)
class ComparedMetric(Row):
    """What is known of one metric."""

    table = ("verdict", ("evidence", "words"))

    signal: str
    better: Literal["higher", "lower", "same"] = described("`same`: the candidate must not differ either way")
    max_loss: float = described("by how much the candidate may be worse, in the signal's units; of a rate, a share")
    verdict: Verdict = described("of this metric alone")
    champion_mean: float | None = described("over the spans that are compared; of a rate, a share")
    candidate_mean: float | None = described("in the same spans, with the same weights")
    difference: float | None = described("candidate minus champion, in the same spans of time")
    low: float | None = described("what the difference is not below, at any time; null while nothing can be concluded")
    high: float | None = described("what it is not above")
    champion_n: int = described("observations in spans in which both versions had some")
    candidate_n: int = described("the candidate's")
    strata: int = described("such spans")
    method: Literal["exact", "asymptotic"] = described("whether bounds hold at any number of observations")
    words: str = described("the same for people")
    course: list[CoursePoint] = described("how it came to that, in the order of time; empty unless `points` asks")


@dataclass(frozen=True, kw_only=True)
class RolloutDetail(KnownRollout):
    """A rollout with its evidence."""

    compared: list[ComparedMetric] = described("what is known, metric by metric")
    promote_level: float = described("how often the bound may be wrong that each metric needs for `promote`")
    rollback_level: float = described("how often each bound may that is enough for `rollback`: the level, shared")
    assumes: list[str] = described("what has to hold for that")


@dataclass(frozen=True, kw_only=True)
class Rollouts(Question):
    """Candidate versions beside their champions, the latest first."""

    path = "/v1/rollouts"
    answer = KnownRollout

    model: str | None = None
    candidate: str | None = described("only of this version", default=None)
    limit: int | None = None
