"""One window of a signal, and why it alarmed or did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal

from monitor.resources.contract import Column, Moment, Question, Row, TimeMs, described
from monitor.resources.history import Score
from monitor.resources.status import Judged, Unit, amount

__all__ = [
    "ExplainWindow",
    "ExplainedAlert",
    "ExplainedContrast",
    "ExplainedWindow",
    "Outcome",
    "ReceiverOutcome",
]

Outcome = Literal["alarmed", "stands", "quiet", "learning", "not_judged"]


def _amount(row: Any, name: str) -> str:
    return "" if row[name] is None else amount(row[name], row["unit"])


@dataclass(frozen=True, kw_only=True)
class ExplainedContrast(Row):
    """One contrast in a window: what was expected, what there was, and how much would have alarmed."""

    table: ClassVar[Sequence[Column]] = (
        "contrast",
        ("expected", lambda row: _amount(row, "expected")),
        ("was", lambda row: _amount(row, "actual")),
        ("alarms by itself below", lambda row: _amount(row, "alarms_below")),
        ("or above", lambda row: _amount(row, "alarms_above")),
        ("judged by", "judged"),
    )

    contrast: str
    unit: Unit
    expected: float | None = described("at this hour of the week")
    actual: float | None = described("null where panes are gone, or the window has too few values")
    alarms_below: float | None = described(
        "what would have alarmed in this window by itself, without the evidence of earlier ones; null where nothing is "
        "that small, or an alarm stands"
    )
    alarms_above: float | None
    judged: Judged = described(
        "`changes`: against the level of the windows before; `standing`: against the new level of an alert that holds"
    )


@dataclass(frozen=True, kw_only=True)
class ReceiverOutcome(Row):
    """The last decision about a receiver and an alert."""

    receiver: str
    why: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class ExplainedAlert(Row):
    """An alert that held in a window, and in which the signal moved, or other segments and versions of it."""

    table = (
        ("alert", "alert_id"),
        ("incident", "incident_id"),
        "state",
        "severity",
        ("since", "starts_ms"),
        ("until", "ends_ms"),
        "title",
        ("receivers", lambda row: ", ".join(f"{each['receiver']} {each['why']}" for each in row["receivers"])),
    )

    alert_id: str
    incident_id: str | None = described("null for one that has not fired")
    state: str
    severity: str
    starts_ms: TimeMs
    ends_ms: TimeMs | None
    title: str
    contrast: str | None = described(
        "what of this signal moved: `typical value`, `missing` …; empty for a distance; null in alerts of earlier "
        "versions"
    )
    failure: Literal["stuck", "fallback", "no_better"] | None = described("as in `signals` of an alert")
    answer: str | None = described("which answer of the model that is; else null")
    answer_before: float | None = described("its usual share of all answers, or what it loses a prediction; else null")
    answer_after: float | None = described("what that is now; else null")
    reason: str | None = described("what the alert says of this signal; null where it is of other parts of it alone")
    receivers: list[ReceiverOutcome]


@dataclass(frozen=True, kw_only=True)
class ExplainedWindow(Row):
    """A window of a signal, from what is stored."""

    model: str
    signal: str
    segment: str
    version: str
    other_versions: list[str] = described("that have this window as well, where none was asked for")
    window_start_ms: TimeMs
    window_end_ms: TimeMs
    outcome: Outcome = described(
        "`alarmed`: its evidence passed the threshold; `stands`: an alarm of an earlier window holds; `learning`: "
        "nothing could alarm yet"
    )
    n: int = described("events")
    late: int = described("events of this time that came late, and count in no window")
    evidence: float | None = described("of the detector `change`, else null")
    threshold: float | None
    raised: float = described(
        "how much higher the threshold is than that of other signals of the model, as alerts were marked `false`"
    )
    muted_because: str = described(
        "of an estimate: since when, and why, no alert comes of it; empty where the estimator has its fidelity"
    )
    idle: str = described(
        "partitions that it was decided without, as they were silent, or that lost messages of it (`:lost`)"
    )
    words: list[str] = described("the same in sentences")
    contrasts: list[ExplainedContrast] = described("under the rule `change`, once a day is known")
    alerts: list[ExplainedAlert]
    scores: list[Score] = described("what each detector said")


@dataclass(frozen=True)
class ExplainWindow(Question):
    """Why a window of a signal alarmed, or did not."""

    path = "/v1/explain"
    answer = ExplainedWindow

    model: str
    signal: str
    at: Moment = described("a time in the window: ISO 8601 (UTC without an offset), ms since the epoch, or `-1h`")
    _: KW_ONLY
    segment: str = described("empty is all traffic", default="")
    version: str | None = described("absent: the one with most events", default=None)
