"""Incidents: alerts of any models that have one cause, and what that may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Response

from monitor.alerts.policy import SEVERITIES
from monitor.api.acknowledge import PostedAcknowledgement
from monitor.api.contract import ApiService
from monitor.api.forms import InPages, listed, lists
from monitor.api.parameters import TheService, answer, models_in, question_of, span_of
from monitor.api.problems import ProblemError
from monitor.api.reading import Order, Page, Row, read_all
from monitor.api.tables import schema
from monitor.incidents.causes import causes
from monitor.incidents.incidents import Incident, Reach, incidents, title
from monitor.incidents.reading import FIRING_COLUMNS, Topics, firing_of, read_changes, read_topics
from monitor.resources.incidents import AcknowledgedIncident, IncidentDetail, Incidents, IncidentSummary
from monitor.routing.acknowledgement_log import AcknowledgementLog
from sinks.store.contract import Query

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

LATEST_FIRST = Order("incidents", (int, str), lambda incident: (incident["fired_ms"], incident["id"]))
LOG_COLUMNS = (*FIRING_COLUMNS, "ends_ms", "severity", "title")


@lists(router, Incidents)
def list_incidents(
    service: TheService, form: InPages, question: Annotated[Incidents, Depends(question_of(Incidents))]
) -> Response:
    models = models_in(service, question.model, question.namespace)
    span = span_of(service, question)
    types = schema(IncidentSummary)
    book = Book(service)
    by_id = {incident.id: incident for incident in book.incidents}

    def matches(summary: Row) -> bool:
        return (
            (models is None or not set(models).isdisjoint(summary["models"]))
            and question.state in (None, summary["state"])
            and question.severity in (None, summary["severity"])
            and (span.to_ms is None or summary["starts_ms"] < span.to_ms)
            and (span.from_ms is None or summary["ends_ms"] is None or summary["ends_ms"] > span.from_ms)
        )

    matching = list(filter(matches, map(book.summary, book.incidents)))

    def read(limit: int, cursor: str | None) -> Page:
        page, following = LATEST_FIRST.page(matching, limit, cursor)
        # Only now: causes take longer than all else.
        rows = [summary | {"causes": book.causes(by_id[summary["id"]])} for summary in page]
        return Page.of(rows, types.names, following)

    return listed(form, read, types, span._asdict())


@router.get(
    "/incidents/{incident_id}",
    summary="One incident, found by the id of any of its alerts",
    response_model=IncidentDetail,
)
def incident(service: TheService, incident_id: str) -> Response:
    book = Book(service)
    shown = book.incident(incident_id)
    return answer(book.summary(shown) | {"causes": book.causes(shown), "alerts": list(book.alerts(shown))})


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
    log, names = AcknowledgementLog(service.store, service.clock), [alert["alert_id"] for alert in firing]
    if posted.undo:
        log.take_back(*names, created_by=posted.created_by)
    else:
        log.set_all({name: book.sequence(name) for name in names}, posted.created_by, posted.comment)
    return answer({"incident_id": incident_id, "alerts": names})


class _Newest(NamedTuple):
    """How an alert stands."""

    sequence: int
    state: str
    ends_ms: int
    severity: str
    title: str


class Book:
    """All incidents of a store: as with alerts, the log is read whole, since alarms are few by design.

    Others may post very many all the same: nothing that is done for each alert is more than it has to be.

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
        self._newest: dict[str, _Newest] = {}
        firings = []
        for row in read_all(service.store, Query("alerts", columns=LOG_COLUMNS)):
            self._newest[row["alert_id"]] = _Newest(*(row[name] for name in _Newest._fields))
            if row["state"] == "firing":
                firings.append(firing_of(row, self._topics))
        self.incidents = incidents(firings, read_changes(service.store), self._reach)

    def incident(self, alert_id: str) -> Incident:
        """The incident of an alert, or a problem."""
        for incident in self.incidents:
            if any(firing.alert_id == alert_id for firing in incident.firings):
                return incident
        raise ProblemError("unknown-alert", f"no alert that fired has the id {alert_id!r}")

    def sequence(self, alert_id: str) -> int:
        """The transition that an alert stands at."""
        return self._newest[alert_id].sequence

    def summary(self, incident: Incident) -> Row:
        """What is said of an incident, but for its causes."""
        newest = [self._newest[firing.alert_id] for firing in incident.firings]
        firing = any(alert.state != "resolved" for alert in newest)
        return {
            "id": incident.id,
            "state": "firing" if firing else "resolved",
            "severity": max((alert.severity for alert in newest), key=_gravity),
            "fired_ms": incident.began_ms,
            "starts_ms": min(firing.starts_ms for firing in incident.firings),
            "ends_ms": None if firing else max(alert.ends_ms for alert in newest),
            "title": title(incident, newest[0].title),
            "models": incident.models,
            "alert_count": len(newest),
        }

    def alerts(self, incident: Incident) -> Iterator[Row]:
        """The alerts of an incident as they stand."""
        for firing, because in incident.alerts:
            newest = self._newest[firing.alert_id]
            is_resolved = newest.state == "resolved"
            yield {
                "alert_id": firing.alert_id,
                "model": firing.model,
                "state": "resolved" if is_resolved else "firing",
                "severity": newest.severity,
                "fired_ms": firing.fired_ms,
                "starts_ms": firing.starts_ms,
                "ends_ms": newest.ends_ms if is_resolved else None,
                "title": newest.title,
                "because": because,
            }

    def causes(self, incident: Incident) -> list[dict[str, Any]]:
        """What may be behind an incident, the likeliest first."""
        possible = map(vars, causes(incident, self._readers, self._reach))
        return [{**cause, "at_ms": cause["at_ms"] or None, "alerts": list(cause["alerts"])} for cause in possible]


def _gravity(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1
