"""Incidents: alerts of any models that have one cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.resources.contract import Moment, Question, Row, TimeMs, described

__all__ = [
    "AcknowledgedIncident",
    "IncidentAlert",
    "IncidentDetail",
    "IncidentSummary",
    "Incidents",
    "PossibleCause",
]


@dataclass(frozen=True, kw_only=True)
class PossibleCause(Row):
    """What may be behind an incident."""

    table = ("score", ("cause", "kind"), ("because", "reason"), "link")

    kind: Literal["deployment", "version", "messages_lost", "alert", "topic", "together"]
    name: str
    score: float = described("from 0 to 1, to compare causes of one incident by")
    reason: str
    at_ms: TimeMs | None = described("when it was changed; null where nothing was")
    alerts: list[str] = described("ids of the alerts that it explains")
    link: str


@dataclass(frozen=True, kw_only=True)
class IncidentSummary(Row):
    """Alerts that have one cause."""

    table = (
        "state",
        "severity",
        ("started", "starts_ms"),
        ("ended", "ends_ms"),
        ("alerts", "alert_count"),
        "title",
        ("likely cause", lambda row: next((cause["reason"] for cause in row["causes"]), "")),
        "id",
    )

    id: str = described("of its first alert")
    state: Literal["firing", "resolved"]
    severity: str = described("the gravest of its alerts")
    fired_ms: TimeMs = described("when its first alert fired")
    starts_ms: TimeMs = described("start of the first window of its alerts")
    ends_ms: TimeMs | None = described("null while one of its alerts fires")
    title: str
    models: list[str]
    alert_count: int
    causes: list[PossibleCause] = described("the likeliest first")


@dataclass(frozen=True, kw_only=True)
class IncidentAlert(Row):
    """An alert of an incident."""

    table = (
        "state",
        "severity",
        ("fired", "fired_ms"),
        ("ended", "ends_ms"),
        ("belongs here", "because"),
        "title",
        ("id", "alert_id"),
    )

    alert_id: str
    model: str
    state: Literal["firing", "resolved"]
    severity: str
    fired_ms: TimeMs
    starts_ms: TimeMs
    ends_ms: TimeMs | None
    title: str
    because: str = described("why it belongs to the incident")


@dataclass(frozen=True, kw_only=True)
class IncidentDetail(IncidentSummary):
    """An incident with its alerts, in the order in which they fired."""

    alerts: list[IncidentAlert]


@dataclass(frozen=True, kw_only=True)
class AcknowledgedIncident(Row):
    """The alerts that somebody has taken on, or given back."""

    incident_id: str
    alerts: list[str]


@dataclass(frozen=True, kw_only=True)
class Incidents(Question):
    """Alerts that have one cause, and what it may be; the latest first."""

    path = "/v1/incidents"
    answer = IncidentSummary
    verb = "List alerts that have one cause, and what it may be."

    model: str | None = described("incidents with an alert of this model", default=None)
    namespace: str | None = described("the models of this namespace", default=None)
    state: Literal["firing", "resolved"] | None = None
    severity: Literal["info", "warning", "critical"] | None = None
    from_: Moment | None = None
    to: Moment | None = None
    limit: int | None = None
