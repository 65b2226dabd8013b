"""How good predictions are by estimators, before their labels come, and how near that was."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from monitor.resources.contract import Moment, Question, Row, TimeMs, described
from monitor.resources.performance import share

__all__ = ["EstimatedQuality", "Estimates"]


@dataclass(frozen=True, kw_only=True)
class EstimatedQuality(Row):
    """What an estimator says of the predictions of `[from_ms, to_ms)`, beside what is known of them by now."""

    table = (
        ("from", "from_ms"),
        "signal",
        "kind",
        "segment",
        "estimate",
        "low",
        "high",
        "realised",
        ("of predictions", lambda row: share(row["coverage"])),
        "off_by",
        "usually_off_by",
        ("muted since", "muted_since_ms"),
    )

    model: str
    signal: str = described("`estimated:NAME`")
    kind: Literal["cbpe", "mpp", "dle"] = described("a calibrated score, or a secondary model of classes or of numbers")
    metric: Literal["accuracy", "mae"] = described("what is estimated: the share that is right, or the mean error")
    version: str | None = described("null is all versions together")
    segment: str = described("empty is all traffic")
    from_ms: TimeMs
    to_ms: TimeMs
    events: int = described("that were estimated")
    missing: int = described("events of which there is no estimate, such as those without a score")
    estimate: float | None = described("the mean of their estimates; null where there is none")
    low: float | None = described(
        "between which 95 in 100 realised values lie if each estimate is right: what chance alone does; null of numbers"
    )
    high: float | None
    realised: float | None = described("of those that have a label by now; null without one")
    labels: int = described("events that the realised value is made of")
    coverage: float | None = described("the share of predictions that have a label")
    off_by: float | None = described("how far the estimate is from the realised value")
    usually_off_by: float = described("how far it was on events with labels that it was not fitted on, chunk by chunk")
    may_be_off_by: float = described("an estimator that is further off for longer than chance explains is muted")
    muted_since_ms: TimeMs | None = described(
        "end of the first window in which the signal does not alarm, as its estimator has lost its fidelity; null "
        "where it alarms"
    )
    muted_because: str = described("what was realised, and what was estimated; empty where it alarms")
    covariate_shift: bool = described("whether it sees that other kinds of events come more often: it does")
    concept_drift: bool = described("whether it sees that the same event has another outcome than it had: it does not")
    unseen_regions: bool = described("whether it knows events of a kind that it was not fitted on: it does not")


@dataclass(frozen=True)
class Estimates(Question):
    """How good predictions are by the model's estimators, before their labels come, the oldest first.

    Spans are of the time of predictions, in whole hours. Without ``from`` it is the week up to ``to``. Of a model
    without estimators there is none.
    """

    path = "/v1/estimates"
    by = None
    answer = EstimatedQuality
    is_paged = False
    verb = "Show how good predictions are by estimators, before their labels come."

    model: str
    _: KW_ONLY
    version: str | None = described("absent is all versions together", default=None)
    segment: str = described("such as `country=DE`; empty is all traffic", default="")
    from_: Moment | None = None
    to: Moment | None = None
    step: str = described("a row for each span of this length, whole hours such as `1h`", default="1d")
