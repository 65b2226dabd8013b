"""Incidents: alerts of any models that have one cause, and what that may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from monitor.alerts.policy import SEVERITIES
from monitor.api.acknowledge import PostedAcknowledgement
from monitor.api.contract import ApiService
from monitor.api.forms import IN_FORMS, Asked, listed
from monitor.api.parameters import Paged, Stretch, TheService, answer, models_in
from monitor.api.problems import ProblemError
from monitor.api.reading import Page, Row, decode_cursor, encode_cursor, read_all
from monitor.api.tables import schema
from monitor.incidents.causes import causes
from monitor.incidents.incidents import Incident, Reach, incidents, title
from monitor.incidents.reading import FIRING_COLUMNS, Topics, firing_of, read_changes, read_topics
from monitor.routing.acknowledgement_log import AcknowledgementLog
from sinks.store.contract import Query as Question

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

KIND = "incidents"
TYPES = schema(
    "id:str state:str severity:str fired_ms:int starts_ms:int ends_ms:int title:str models:strs alert_count:int "
    "causes:[kind:str name:str score:float reason:str at_ms:int alerts:strs link:str]"
)
LOG = (*FIRING_COLUMNS, "ends_ms", "severity", "title")


class PossibleCause(BaseModel):
    """What may be behind an incident."""

    kind: Literal["deployment", "version", "messages_lost", "alert", "topic", "together"]
    name: str
    score: float = Field(description="from 0 to 1, to compare causes of one incident by")
    reason: str
    at_ms: int | None = Field(description="when it was changed; null where nothing was")
    alerts: list[str] = Field(description="ids of the alerts that it explains")
    link: str


class IncidentSummary(BaseModel):
    """Alerts that have one cause."""

    id: str = Field(description="of the alert that began it")
    state: Literal["firing", "resolved"]
    severity: str = Field(description="the gravest of its alerts")
    fired_ms: int = Field(description="when its first alert fired")
    starts_ms: int = Field(description="start of the first window of its alerts")
    ends_ms: int | None = Field(description="null while one of its alerts fires")
    title: str
    models: list[str]
    alert_count: int
    causes: list[PossibleCause] = Field(description="the likeliest first")


class IncidentAlert(BaseModel):
    """An alert of an incident."""

    alert_id: str
    model: str
    state: Literal["firing", "resolved"]
    severity: str
    fired_ms: int
    starts_ms: int
    ends_ms: int | None
    title: str
    because: str = Field(description="why it belongs to the incident")


class IncidentDetail(IncidentSummary):
    """An incident with its alerts, in the order in which they fired."""

    alerts: list[IncidentAlert]


class AcknowledgedIncident(BaseModel):
    """The alerts that somebody has taken on, or given back."""

    incident_id: str
    alerts: list[str]


class Incidents(Paged):
    """Incidents, the latest first."""

    items: list[IncidentSummary]


@router.get(
    "/incidents",
    summary="Alerts that have one cause, and what it may be",
    response_model=Incidents,
    responses=IN_FORMS,
)
def list_incidents(
    service: TheService,
    stretch: Stretch,
    asked: Asked,
    *,
    model: str | None = None,
    namespace: Annotated[str | None, Query(description="the models of this namespace")] = None,
    state: Literal["firing", "resolved"] | None = None,
    severity: Literal["info", "warning", "critical"] | None = None,
) -> Response:
    models = models_in(service, model, namespace)
    book = Book(service)

    def wanted(found: Row) -> bool:
        return (
            (models is None or not set(models).isdisjoint(found["models"]))
            and state in (None, found["state"])
            and severity in (None, found["severity"])
            and (stretch.to_ms is None or found["starts_ms"] < stretch.to_ms)
            and (stretch.from_ms is None or found["ends_ms"] is None or found["ends_ms"] > stretch.from_ms)
        )

    latest = sorted(filter(wanted, map(book.summary, book.incidents)), key=_place, reverse=True)
    by_id = {one.id: one for one in book.incidents}

    def read(limit: int, cursor: str | None) -> Page:
        place = tuple(decode_cursor(KIND, cursor, (int, str))) if cursor else None
        left = [one for one in latest if place is None or _place(one) < place]
        following = encode_cursor(KIND, list(_place(left[limit - 1]))) if len(left) > limit else None
        rows = [one | {"causes": book.causes(by_id[one["id"]])} for one in left[:limit]]
        return Page.of(rows, TYPES.names, following)

    return listed(asked, read, TYPES, {"from_ms": stretch.from_ms, "to_ms": stretch.to_ms})


@router.get(
    "/incidents/{incident_id}",
    summary="One incident, found by the id of any of its alerts",
    response_model=IncidentDetail,
)
def incident(service: TheService, incident_id: str) -> Response:
    book = Book(service)
    found = book.incident(incident_id)
    return answer(book.summary(found) | {"causes": book.causes(found), "alerts": list(book.alerts(found))})


@router.post(
    "/incidents/{incident_id}/ack",
    summary="Take on all alerts of an incident that fire: they are not repeated until they change",
    response_model=AcknowledgedIncident,
)
def acknowledge_incident(incident_id: str, posted: PostedAcknowledgement, service: TheService) -> Response:
    book = Book(service)
    firing = [alert for alert in book.alerts(book.incident(incident_id)) if alert["state"] == "firing"]
    if not firing and not posted.undo:
        raise ProblemError("bad-parameter", f"incident {incident_id!r} is over: there is nothing to take on")
    log = AcknowledgementLog(service.store, service.clock)
    for alert in firing:
        if posted.undo:
            log.take_back(alert["alert_id"], posted.created_by)
        else:
            log.set(alert["alert_id"], book.sequence(alert["alert_id"]), posted.created_by, posted.comment)
    return answer({"incident_id": incident_id, "alerts": [alert["alert_id"] for alert in firing]})


class Book:
    """All incidents of a store: as with alerts, the log is read whole, since alarms are few by design.

    Raises
    ------
    StoreError
    """

    def __init__(self, service: ApiService) -> None:
        configuration = service.configuration
        spec = configuration.service.spec.incidents
        self._reach = Reach(spec.together, spec.shared)
        self._topics: Topics = read_topics(service.store, configuration.is_watched)
        self._readers = self._topics.readers
        self._last: dict[str, Row] = {}
        firings = []
        for row in read_all(service.store, Question("alerts", columns=LOG)):
            self._last[row["alert_id"]] = row
            if row["state"] == "firing":
                firings.append(firing_of(row, self._topics))
        self.incidents = incidents(firings, read_changes(service.store), self._reach)

    def incident(self, alert_id: str) -> Incident:
        """The incident of an alert, or a problem."""
        for found in self.incidents:
            if any(firing.alert_id == alert_id for firing in found.firings):
                return found
        raise ProblemError("unknown-alert", f"no alert that fired has the id {alert_id!r}")

    def sequence(self, alert_id: str) -> int:
        """The transition that an alert stands at."""
        return int(self._last[alert_id]["sequence"])

    def summary(self, incident: Incident) -> Row:
        """What is said of an incident, but for its causes."""
        alerts = list(self.alerts(incident))
        firing = any(alert["state"] == "firing" for alert in alerts)
        return {
            "id": incident.id,
            "state": "firing" if firing else "resolved",
            "severity": max((alert["severity"] for alert in alerts), key=_gravity),
            "fired_ms": incident.began_ms,
            "starts_ms": min(alert["starts_ms"] for alert in alerts),
            "ends_ms": None if firing else max(alert["ends_ms"] for alert in alerts),
            "title": title(incident, alerts[0]["title"]),
            "models": incident.models,
            "alert_count": len(alerts),
        }

    def alerts(self, incident: Incident) -> Iterator[Row]:
        """The alerts of an incident as they stand."""
        for one, because in incident.alerts:
            last = self._last[one.alert_id]
            ended = last["state"] == "resolved"
            yield {
                "alert_id": one.alert_id,
                "model": one.model,
                "state": "resolved" if ended else "firing",
                "severity": last["severity"],
                "fired_ms": one.fired_ms,
                "starts_ms": one.starts_ms,
                "ends_ms": last["ends_ms"] if ended else None,
                "title": last["title"],
                "because": because,
            }

    def causes(self, incident: Incident) -> list[dict[str, Any]]:
        """What may be behind an incident, the likeliest first."""
        found = map(asdict, causes(incident, self._readers, self._reach))
        return [cause | {"at_ms": cause["at_ms"] or None, "alerts": list(cause["alerts"])} for cause in found]


def _gravity(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def _place(incident: Row) -> tuple[Any, ...]:
    return incident["fired_ms"], incident["id"]
