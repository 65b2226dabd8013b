"""Incidents: alerts of any models that have one cause, and what that may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import islice
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Response

from monitor.alerts.alert_log import read_alert_log
from monitor.alerts.policy import SEVERITIES
from monitor.api.acknowledge import PostedAcknowledgement
from monitor.api.contract import ApiService
from monitor.api.forms import InPages, listed, lists
from monitor.api.parameters import TheService, answer, models_in, question_of, span_of
from monitor.api.problems import ProblemError
from monitor.api.reading import Order, Page, Row, read_all
from monitor.api.tables import schema
from monitor.events import ENDED
from monitor.incidents.causes import causes
from monitor.incidents.incidents import Firing, Incident, Reach, incidents, title
from monitor.incidents.reading import Topics, firings_apart, read_changes, read_topics
from monitor.resources.incidents import AcknowledgedIncident, IncidentDetail, Incidents, IncidentSummary
from monitor.routing.acknowledgement_log import AcknowledgementLog
from sinks.store.contract import Query

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

LATEST_FIRST = Order("incidents", (int, str), lambda incident: (incident["fired_ms"], incident["id"]))
MOST_NAMED = 1_000
"""Of so many alerts a statement asks at a time."""

FIRED_COLUMNS = ("model", "alert_id", "sequence", "state", "at_ms")
NEWEST_COLUMNS = ("model", "alert_id", "sequence", "state", "ends_ms", "severity", "title")


@lists(router, Incidents)
def list_incidents(
    service: TheService, form: InPages, question: Annotated[Incidents, Depends(question_of(Incidents))]
) -> Response:
    models = models_in(service, question.model, question.namespace)
    span = span_of(service, question)
    types = schema(IncidentSummary)
    book = Book(service)

    def matches(summary: Row) -> bool:
        return (
            (models is None or not set(models).isdisjoint(summary["models"]))
            and question.state in (None, summary["state"])
            and question.severity in (None, summary["severity"])
            and (span.to_ms is None or summary["starts_ms"] < span.to_ms)
            and (span.from_ms is None or summary["ends_ms"] is None or summary["ends_ms"] > span.from_ms)
        )

    def read(limit: int, cursor: str | None) -> Page:
        incidents = book.behind(LATEST_FIRST.place(cursor), only_firing=question.state == "firing")
        summaries = ((incident, book.summary(incident)) for incident in incidents)
        # One more shows whether there is another page.
        shown = list(islice(((incident, row) for incident, row in summaries if matches(row)), limit + 1))
        # Only now: causes take longer than all else.
        rows = [row | {"causes": book.causes(incident)} for incident, row in shown[:limit]]
        return Page.of(rows, types.names, LATEST_FIRST.cursor(rows[-1]) if len(shown) > limit else None)

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
    """The incidents of a store: those of one time are at hand, as many as follow each other without a pause.

    Others may post very many alerts: nothing that is done for each is more than it has to be.

    Raises
    ------
    StoreError
    """

    def __init__(self, service: ApiService) -> None:
        spec = service.configuration.service.spec.incidents
        self._store, self._reach = service.store, Reach(spec.together, spec.shared)
        self._topics: Topics = read_topics(service.store, service.configuration.is_watched)
        self._readers = self._topics.readers
        self._changes = read_changes(service.store)
        self._newest: dict[str, _Newest] = {}

    def behind(self, shown: tuple[Any, ...], *, only_firing: bool = False) -> Iterator[Incident]:
        """Yield incidents, the latest first, that come behind one; all without one.

        With ``only_firing`` others may be left out, and those of times of which nothing fires any more are.
        """
        # Alerts join an incident for so long.
        until_ms = min(shown[0], ENDED) + self._reach.shared_ms if shown else None
        for at_one_time in self._at_one_time(until_ms, only_firing=only_firing):
            for incident in sorted(at_one_time, key=_position, reverse=True):
                if not shown or _position(incident) < shown:
                    yield incident

    def incident(self, alert_id: str) -> Incident:
        """The incident of an alert, or a problem."""
        try:
            return self.incidents_of([alert_id])[alert_id]
        except KeyError:
            raise ProblemError("unknown-alert", f"no alert that fired has the id {alert_id!r}") from None

    def incidents_of(self, alert_ids: Sequence[str]) -> dict[str, Incident]:
        """The first incidents of those alerts that ever fired, by alert; what fired at one time is read once."""
        fired_ms, of_alerts = self._first_fired_ms(alert_ids), dict[str, Incident]()
        # Incidents reach back in time: those of the latest are those of others, too.
        for alert_id in sorted(fired_ms, key=fired_ms.__getitem__, reverse=True):
            if alert_id in of_alerts:
                continue
            at_one_time = next(self._at_one_time(fired_ms[alert_id] + self._reach.shared_ms), [])
            began_ms = min((incident.began_ms for incident in at_one_time), default=0)
            for incident in at_one_time:
                for firing in incident.firings:
                    # One that fired before is of an earlier time, and has come back.
                    if fired_ms.get(firing.alert_id, -1) >= began_ms:
                        of_alerts.setdefault(firing.alert_id, incident)
        return of_alerts

    def _first_fired_ms(self, alert_ids: Sequence[str]) -> dict[str, int]:
        fired_ms: dict[str, int] = {}
        for first in range(0, len(alert_ids), MOST_NAMED):
            where = {"alert_id": alert_ids[first : first + MOST_NAMED], "state": "firing"}
            columns = read_alert_log(self._store, Query("alerts", where, columns=("alert_id", "at_ms")))
            for alert_id, at_ms in zip(columns["alert_id"], map(int, columns["at_ms"]), strict=True):
                fired_ms[alert_id] = min(at_ms, fired_ms.get(alert_id, at_ms))
        return fired_ms

    def _at_one_time(self, until_ms: int | None, *, only_firing: bool = False) -> Iterator[list[Incident]]:
        is_newest, open_ms = until_ms is None, dict[str, int]() if only_firing else None
        for firings in firings_apart(self._store, self._topics, self._reach.shared_ms, until_ms):
            if open_ms and open_ms.keys().isdisjoint(firing.alert_id for firing in firings):
                if firings[0].fired_ms < min(open_ms.values()):
                    return
                continue
            self._newest = self._since(firings) if is_newest else self._as_they_stand(firings)
            is_newest = False
            yield incidents(firings, self._changes, self._reach)
            # The whole log is only read where those of one time are not enough.
            if open_ms == {} and not (open_ms := self._open_ms()):
                return

    def _open_ms(self) -> dict[str, int]:
        """When alerts that are not over fired first."""
        fired_ms, newest_state = dict[str, int](), dict[str, str]()
        for row in read_all(self._store, Query("alerts", columns=FIRED_COLUMNS)):
            newest_state[row["alert_id"]] = row["state"]
            if row["state"] == "firing":
                fired_ms[row["alert_id"]] = min(row["at_ms"], fired_ms.get(row["alert_id"], row["at_ms"]))
        return {alert_id: at_ms for alert_id, at_ms in fired_ms.items() if newest_state[alert_id] != "resolved"}

    def _since(self, firings: Sequence[Firing]) -> dict[str, _Newest]:
        """How alerts stand that fired last of all: nearly all that the log has since the first of them is of them."""
        alert_ids = {firing.alert_id for firing in firings}
        # What becomes of an alert is never dated before it fired.
        low = {"at_ms": min(firing.fired_ms for firing in firings)}
        return self._newest_of(Query("alerts", low=low, columns=NEWEST_COLUMNS), alert_ids)

    def _as_they_stand(self, firings: Sequence[Firing]) -> dict[str, _Newest]:
        alert_ids = sorted({firing.alert_id for firing in firings})
        newest: dict[str, _Newest] = {}
        for first in range(0, len(alert_ids), MOST_NAMED):
            chosen = alert_ids[first : first + MOST_NAMED]
            newest |= self._newest_of(Query("alerts", {"alert_id": chosen}, columns=NEWEST_COLUMNS), set(chosen))
        return newest

    def _newest_of(self, query: Query, alert_ids: Set[str]) -> dict[str, _Newest]:
        # By alert, and then by sequence.
        rows = read_all(self._store, query)
        return {
            row["alert_id"]: _Newest(*(row[name] for name in _Newest._fields))
            for row in rows
            if row["alert_id"] in alert_ids
        }

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


def _position(incident: Incident) -> tuple[int, str]:
    return incident.began_ms, incident.id


def _gravity(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1
