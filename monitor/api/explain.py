"""Why somebody was notified of an alert, or was not: what was decided, receiver by receiver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from monitor.alerts.alert_log import table_of
from monitor.api.acknowledge import acknowledged
from monitor.api.alert_pages import read_alert
from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer
from monitor.api.reading import read_all
from monitor.delivery.target import Target
from monitor.errors import InputError
from monitor.resources.alerts import Acknowledged, Alert, Decision, ReceiverDecision
from monitor.routing.decision_log import WHYS
from monitor.routing.decision_log import Why as Decided
from monitor.routing.incident_labels import with_incidents
from monitor.routing.known_alerts import ROUTES
from monitor.routing.message import annotations_of
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import Route
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from monitor.routing.transitions import NOTIFIED_STATES
from monitor.subscribers import reached
from sinks.receivers.times import utc
from sinks.store.contract import Query

__all__ = ["DECISION", "MadeDecision", "router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

Row = dict[str, Any]
DECISION = tuple(each.name for each in fields(Decision))

Why = Literal[Decided, "none"]


@dataclass(frozen=True, kw_only=True)
class MadeDecision(Decision):
    """A decision, from when it was made until the next one about the same receiver and route."""

    why: Why


@dataclass(frozen=True, kw_only=True)
class Standing(ReceiverDecision):
    """The last decision about a receiver."""

    why: Why


class Explanation(BaseModel):
    """Who was notified of an alert, who was not, and why."""

    alert: Alert
    acknowledged: Acknowledged | None
    receivers: list[Standing] = Field(description="the last decision about each receiver, or why there is none")
    decisions: list[MadeDecision] = Field(description="all decisions, in the order in which they were made")


@router.get(
    "/alerts/{alert_id}/explain",
    summary="Who was notified of an alert, who was not, and why",
    response_model=Explanation,
)
def explain_alert(service: TheService, alert_id: str) -> Response:
    alert = read_alert(service.store, alert_id)["alert"]
    rows = list(read_all(service.store, Query("decisions", where={"alert_id": alert_id})))
    made = [{name: row[name] for name in DECISION} for row in rows]
    made.sort(key=lambda row: (row["at_ms"], row["sequence"], row["receiver"], row["route"]))
    receivers = list(_standing(service, alert, made))
    return answer(
        {"alert": alert, "acknowledged": acknowledged(service, alert), "receivers": receivers, "decisions": made}
    )


def _standing(service: ApiService, alert: Row, made: Iterable[Row]) -> Iterator[Row]:
    """Yield where each receiver stands: those of today's configuration first, in its order."""
    newest = {(row["receiver"], row["route"]): row for row in made}
    root = service.configuration.service.spec.routing.route.build()
    [alert] = with_incidents(service.store, root, [alert])
    subscribed = SubscriptionLog(service.store, service.clock).all().values()
    routes = [*root.walk(), *(subscription.route for subscription in subscribed)]
    keys = {route.id: route.group_key(alert["labels"]) for route in routes}
    for receiver, route in (*_receivers(service, alert, root), *_subscribed(service, alert, subscribed)):
        row = newest.pop((receiver, route), None)
        yield _described(row or _undecided(service, alert, receiver, route), keys)
    for row in newest.values():
        yield _described(row, keys)


def _described(row: Row, keys: dict[str, str]) -> Row:
    meaning = WHYS.get(row["why"], "nothing was decided")
    return {**row, "group_key": keys.get(row["route"]), "meaning": meaning}


def _receivers(service: ApiService, alert: Row, root: Route) -> Iterator[tuple[str, str]]:
    """Yield the receivers that are notified of an alert today, each with its route."""
    spec = service.configuration.service.spec
    entries = {receiver.name: [Target(receiver.name).name] for receiver in spec.receivers}
    for receiver in spec.routing.receivers:
        numbers = range(len(receiver.parts))
        entries.setdefault(receiver.name, [Target(receiver.name, number).name for number in numbers])
    for digest in spec.routing.leeway.digests:
        numbers = range(len(entries[digest.receiver]))
        entries[digest.name] = [Target(digest.name, number).name for number in numbers]
    for route in root.matching(_matched(service, alert)):
        # A receiver without an entry notifies nobody, which is how people leave alerts out.
        own = entries.get(route.options.receiver, [])
        escalated = [name for step in route.options.escalate for name in entries.get(step.receiver, ())]
        for name in dict.fromkeys([*own, *escalated]) if own else [route.options.receiver]:
            yield name, route.id


def _matched(service: ApiService, alert: Row) -> Mapping[str, str]:
    annotations = annotations_of(alert, service.configuration.service.spec.external_url)
    return RoutedAlert(alert["labels"], 0, annotations=annotations).matched


def _subscribed(service: ApiService, alert: Row, subscriptions: Iterable[Subscription]) -> Iterator[tuple[str, str]]:
    """Yield those whom subscriptions notify of an alert today, each with its route."""
    for subscription in subscriptions:
        if subscription.route.matching(_matched(service, alert)):
            try:
                targets = reached(service.configuration.service.spec, subscription)
            except InputError:
                # The list of subscriptions says why it notifies nobody.
                continue
            for target in targets:
                yield target.name, subscription.route.id


def _undecided(service: ApiService, alert: Row, receiver: str, route: str) -> Row:
    nothing = {"sequence": None, "receiver": receiver, "route": route, "at_ms": None, "why": "none"}
    return {**nothing, "detail": _why_undecided(service, alert, receiver)}


def _why_undecided(service: ApiService, alert: Row, receiver: str) -> str:
    if alert["transition"] not in NOTIFIED_STATES:
        return f"nobody is notified of {alert['transition']} alerts"
    if "/" not in receiver:
        return "the receiver has no entry: it notifies nobody"
    stage = ROUTES[table_of(alert["labels"])]
    where = {"stage": stage, "name": alert["model"]}
    noted = service.store.read(Query("checkpoints", where=where, columns=("position",)))
    if not len(noted["position"]):
        of_any_model = service.store.read(Query("checkpoints", where={"stage": stage}, columns=("position",), limit=1))
        missing = "taken this model up" if len(of_any_model["position"]) else "run"
        return f"nobody has been notified about this model yet: no process with the role `alert` has {missing}"
    if alert["at_ms"] < int(noted["position"][0]):
        start = utc(int(noted["position"][0]))
        return f"it lies before {start}, where the receiver starts: nobody is notified of history"
    if alert["state"] == "resolved":
        return "it was over before it was looked at"
    return "it was not looked at yet, or is being sent for the first time"
