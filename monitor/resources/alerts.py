"""Alerts as they stand, their transitions, and who was notified of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from monitor.resources.contract import Column, LengthMs, Moment, Question, Row, TimeMs, described

__all__ = [
    "STANDING",
    "AcceptedLevel",
    "Acknowledged",
    "AcknowledgedAlert",
    "Alert",
    "AlertDay",
    "AlertDetail",
    "AlertSummary",
    "Alerts",
    "Decision",
    "Moved",
    "Notification",
    "ReceiverDecision",
    "State",
    "Transition",
]

State = Literal["pending", "firing", "updated", "resolved", "cancelled"]
Standing = Literal["pending", "firing", "resolved", "cancelled"]
STANDING: tuple[Standing, ...] = ("pending", "firing", "resolved", "cancelled")
"""What an alert can be: one that was updated is still firing."""


@dataclass(frozen=True, kw_only=True)
class Moved(Row):
    """A signal that moved in an alert."""

    table = (
        "signal",
        "segment",
        "detector",
        "statistic",
        "effect",
        ("limit", "min_effect"),
        ("since", "since_ms"),
        ("because", "reason"),
    )

    version: str
    segment: str
    signal: str
    detector: str
    contrast: str | None = described(
        "what of it moved: `typical value`, `missing` …; empty for a distance; null in alerts of earlier versions"
    )
    failure: Literal["stuck", "fallback", "no_better"] | None = described(
        "`stuck`: one answer of the model stands where it gave many; `fallback`: a default answers more often than it "
        "did; metrics may look better for either; `no_better`: the model is not shown to lose less than what costs "
        "nothing; else null"
    )
    answer: str | None = described("which answer that is, or what answers without a model; else null")
    answer_before: float | None = described("its usual share of all answers, or what it loses a prediction; else null")
    answer_after: float | None = described(
        "its largest share in a window while the signal alarmed, or what the model loses a prediction; else null"
    )
    former_version: str | None = described("the version before, where it began to move with a new one; else null")
    since_ms: TimeMs
    onset_ms: TimeMs | None = described("when it most likely moved; null in alerts of earlier versions")
    last_ms: TimeMs
    statistic: float
    effect: float
    min_effect: float
    peak_effect: float
    peak_detector: str
    peak_at_ms: TimeMs
    surprise: float
    surprise_limit: float
    p_value: float
    n: int
    baseline_n: int
    baseline_from_ms: TimeMs
    baseline_to_ms: TimeMs
    alarmed: bool
    status: str
    times: int | None = described(
        "how often it alarmed so in thirty days, with this time; null in alerts of earlier versions"
    )
    daily_since_ms: TimeMs | None = described(
        "since when it comes each day, or each weekday, three times at least; else null"
    )
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Step(Row):
    model: str
    alert_id: str
    sequence: int
    state: State
    at_ms: TimeMs = described("end of the window that decided it")
    starts_ms: TimeMs
    ends_ms: TimeMs | None = described("null while the alert lives")
    version: str
    segment: str
    severity: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Transition(_Step):
    """One step in the life of an alert."""

    table = (("transition", "sequence"), ("at", "at_ms"), "state", "severity")

    labels: dict[str, str]
    signals: list[dict[str, Any]] = described(
        "what moved: as of its last alarmed window, first what alarms now, strongest first; once it is over, as of its "
        "strongest",
        columns=Moved,
    )


@dataclass(frozen=True, kw_only=True)
class Alert(_Step):
    """An alert as it stands: its last transition."""

    table = (
        "state",
        "severity",
        ("started", "starts_ms"),
        ("ended", "ends_ms"),
        "model",
        ("taken on by", "acknowledged_by"),
        "title",
        ("id", "alert_id"),
    )

    state: Standing
    transition: State = described("the last step; an alert that was `updated` is firing")
    acknowledged_by: str | None = described("who has taken it on as it stands")
    labels: dict[str, str]
    signals: list[dict[str, Any]] = described(
        "what moved: as of its last alarmed window, first what alarms now, strongest first; once it is over, as of its "
        "strongest",
        columns=Moved,
    )


@dataclass(frozen=True, kw_only=True)
class Notification(Row):
    """An attempt to notify a receiver of a transition."""

    table = (
        ("notified at", "at_ms"),
        "receiver",
        "outcome",
        ("tries", "attempts"),
        ("because", "reason"),
        ("transition", "sequence"),
    )

    alert_id: str
    sequence: int
    receiver: str
    outcome: str
    reason: str
    attempts: int
    at_ms: TimeMs


@dataclass(frozen=True, kw_only=True)
class Acknowledged(Row):
    """Who has taken an alert on."""

    created_by: str
    comment: str
    at_ms: TimeMs
    sequence: int = described("the transition that the alert stood at")
    holds: bool = described("false once the alert has changed")


@dataclass(frozen=True, kw_only=True)
class AcknowledgedAlert(Row):
    """Who has taken the alert on now."""

    alert_id: str
    acknowledged: Acknowledged | None


@dataclass(frozen=True, kw_only=True)
class AcceptedLevel(Row):
    """That the level of a signal that moved in an alert is the new normal."""

    table = (
        ("new normal of", "signal"),
        "segment",
        "version",
        ("by", lambda row: row["created_by"] or "detect.adopt_after"),
        ("from", "from_ms"),
        ("has effect from", "effective_ms"),
        "state",
        "reason",
    )

    version: str
    segment: str
    signal: str
    says: Literal["accepted", "adopted"] = described("`adopted`: it stood for as long as `detect.adopt_after` says")
    created_by: str = described("empty: `detect.adopt_after`")
    reason: str
    from_ms: TimeMs = described("from when on the level is normal")
    effective_ms: TimeMs | None = described(
        "end of the first window that is evaluated with it; null until there is one"
    )
    state: Literal["holds", "planned", "alarmed again"] = described(
        "`planned`: from a time on that is to come; `alarmed again`: the signal did after it had effect"
    )


@dataclass(frozen=True, kw_only=True)
class AlertDetail(Row):
    """One alert from its start."""

    alert: Alert
    acknowledged: Acknowledged | None
    accepted: list[AcceptedLevel] = described("which of its levels are the new normal, the newest word of each")
    transitions: list[Transition]
    notifications: list[Notification]


@dataclass(frozen=True, kw_only=True)
class AlertDay(Row):
    """The alerts of one severity that started on one day (UTC) in one model, and how long those that are over held."""

    table = (
        ("day", lambda row: f"{datetime.fromtimestamp(row['day_ms'] / 1000, UTC):%Y-%m-%d}"),
        "model",
        "severity",
        "fired",
        "resolved",
        "firing",
        ("held on average", "mean_resolve_ms"),
        ("at most", "longest_resolve_ms"),
    )

    day_ms: TimeMs
    model: str
    severity: str
    fired: int
    resolved: int
    firing: int = described("not resolved yet")
    mean_resolve_ms: LengthMs | None = described("mean time from the start to the end; null without an end")
    longest_resolve_ms: LengthMs | None


@dataclass(frozen=True, kw_only=True)
class Decision(Row):
    """A decision, from when it was made until the next one about the same receiver and route."""

    table: ClassVar[Sequence[Column]] = (
        "receiver",
        ("decided", "why"),
        ("at", "at_ms"),
        ("because", "detail"),
        ("transition", "sequence"),
        "route",
    )

    sequence: int = described("the transition that it is about")
    receiver: str = described("NAME/NUMBER, the entry of a receiver")
    route: str = described("the route that notifies it")
    at_ms: TimeMs = described("when it was looked at")
    why: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class ReceiverDecision(Decision):
    """The last decision about a receiver."""

    sequence: int | None = described("the transition that it is about; null without a decision")  # type: ignore[assignment]
    at_ms: TimeMs | None = described("null without a decision")  # type: ignore[assignment]
    group_key: str | None = described("of the alert's group; null if there is no such route any more")
    meaning: str = described("`why` in words")


@dataclass(frozen=True, kw_only=True)
class Alerts(Question):
    """Alerts as they stand, the latest changed first; or the log of their transitions, newest first."""

    path = "/v1/alerts"
    answer = Alert
    verb = "List, show and follow alerts, and explain who was notified."

    model: str | None = None
    namespace: str | None = described("the models of this namespace", default=None)
    state: State | None = None
    severity: str | None = None
    signal: str | None = described("alerts in which this signal moved", default=None)
    matchers: Sequence[str] | None = described(
        'only alerts whose labels match, such as `severity="critical"`; all have to',
        default=None,
        wire="matcher",
    )
    text: str | None = described(
        "alerts that have all of these words, in small or capital letters, in their title, model, labels or signals",
        default=None,
    )
    acknowledged: bool | None = described(
        "alerts that somebody has, or nobody has taken on",
        default=None,
        flags="--acknowledged/--unacknowledged",
    )
    transitions: bool = described(
        "the log itself: `from` and `to` mean its `at_ms`; `signal`, `matcher`, `text` and `acknowledged` do not apply",
        default=False,
    )
    from_: Moment | None = None
    to: Moment | None = None
    limit: int | None = None

    @property
    def row(self) -> type[Row]:
        """Transitions, if the question is about the log."""
        return Transition if self.transitions else Alert


@dataclass(frozen=True, kw_only=True)
class AlertSummary(Question):
    """How many alerts fired, by day, model and severity, and how long they held."""

    path = "/v1/alerts/summary"
    answer = AlertDay
    is_paged = False

    model: str | None = None
    namespace: str | None = described("the models of this namespace", default=None)
    from_: Moment | None = None
    to: Moment | None = None
