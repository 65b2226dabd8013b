"""Alerts as they stand, their history, and a stream of what happens to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse

from monitor.alerts.lifecycle import POSTED
from monitor.api.acknowledge import Acknowledged, acknowledged
from monitor.api.alarms import (
    ALERT_TYPES,
    STANDING,
    TRANSITION_TYPES,
    TRANSITIONS,
    by_day,
    counted,
    read_alert,
    read_alerts,
    standing_alerts,
    started,
    transitions,
)
from monitor.api.feed import Feed
from monitor.api.forms import IN_FORMS, Asked, AskedWhole, listed
from monitor.api.parameters import Paged, Stretch, TheService, answer, known_model, models_in, read_matchers
from monitor.api.problems import ProblemError
from monitor.api.reading import Page, query_for, read_page
from monitor.api.tables import schema

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

DAY_TYPES = schema(
    "day_ms:int model:str severity:str fired:int resolved:int firing:int mean_resolve_ms:int longest_resolve_ms:int"
)
Namespace = Annotated[str | None, Query(description="the models of this namespace")]
Matchers = Annotated[
    list[str] | None,
    Query(description='only alerts whose labels match, such as `severity="critical"`; all have to; not for the log'),
]
HEARTBEAT_S = 15
RETRY_MS = 2_000


class Transition(BaseModel):
    """One step in the life of an alert."""

    model: str
    alert_id: str
    sequence: int
    state: Literal["pending", "firing", "updated", "resolved", "cancelled"]
    at_ms: int = Field(description="end of the window that decided it")
    starts_ms: int
    ends_ms: int | None = Field(description="null while the alert lives")
    version: str
    segment: str
    severity: str
    title: str
    labels: dict[str, str]
    signals: list[dict[str, Any]] = Field(description="what moved, strongest first")


class Alert(Transition):
    """An alert as it stands: its last transition."""

    state: Literal["pending", "firing", "resolved", "cancelled"]
    transition: Literal["pending", "firing", "updated", "resolved", "cancelled"] = Field(
        description="the last step; an alert that was `updated` is firing"
    )
    acknowledged_by: str | None = Field(description="who has taken it on as it stands")


class Notification(BaseModel):
    """An attempt to tell a receiver of a transition."""

    alert_id: str
    sequence: int
    receiver: str
    outcome: str
    reason: str
    attempts: int
    at_ms: int


class Alerts(Paged):
    """Alerts, the latest changed first; or transitions, newest first."""

    items: list[Alert] | list[Transition]


class Counted(BaseModel):
    """Alerts that fired, and how long those that are over held."""

    fired: int
    resolved: int
    firing: int = Field(description="not resolved yet")
    mean_resolve_ms: int | None = Field(description="mean time from the start to the end; null without an end")
    longest_resolve_ms: int | None


class AlertDay(Counted):
    """The alerts of one severity that started on one day (UTC) in one model."""

    day_ms: int
    model: str
    severity: str


class AlertSummary(Counted, Paged):
    """The alerts that started in a stretch: all of them, and day by day."""

    items: list[AlertDay]


class AlertDetail(BaseModel):
    """One alert from its beginning."""

    alert: Alert
    acknowledged: Acknowledged | None
    transitions: list[Transition]
    notifications: list[Notification]


@router.get(
    "/alerts",
    summary="Alerts as they stand, or the log of their transitions",
    response_model=Alerts,
    responses=IN_FORMS,
)
def alerts(
    service: TheService,
    stretch: Stretch,
    asked: Asked,
    *,
    model: str | None = None,
    namespace: Namespace = None,
    state: Literal["pending", "firing", "updated", "resolved", "cancelled"] | None = None,
    severity: str | None = None,
    signal: Annotated[str | None, Query(description="alerts in which this signal moved; not for the log")] = None,
    matcher: Matchers = None,
    acknowledged: Annotated[
        bool | None, Query(description="alerts that somebody has, or nobody has taken on; not for the log")
    ] = None,
    log: Annotated[
        bool, Query(alias="transitions", description="the log itself; `from` and `to` then mean its `at_ms`")
    ] = False,
) -> Response:
    models = models_in(service, model, namespace)
    span = stretch.from_ms, stretch.to_ms
    head = {"from_ms": stretch.from_ms, "to_ms": stretch.to_ms}
    matchers = read_matchers("matcher", matcher)
    if log:
        _check_log({"signal": signal, "matcher": matcher, "acknowledged": acknowledged})
        where = {"model": models, "state": state, "severity": severity}

        def read_log(limit: int, cursor: str | None) -> Page:
            query = query_for("alerts", where, from_ms=span[0], to_ms=span[1], limit=limit, descending=True)
            return transitions(read_page(service.store, query, cursor))

        return listed(asked, read_log, TRANSITION_TYPES, head)
    _check_standing(state)

    def read(limit: int, cursor: str | None) -> Page:
        return read_alerts(
            service.store,
            models=models,
            state=state,
            severity=severity,
            signal=signal,
            matchers=matchers,
            acknowledged=acknowledged,
            span=span,
            limit=limit,
            cursor=cursor,
        )

    return listed(asked, read, ALERT_TYPES, head)


@router.get(
    "/alerts/summary",
    summary="How many alerts fired, by day, and how long they held",
    response_model=AlertSummary,
    responses=IN_FORMS,
)
def alert_summary(
    service: TheService,
    stretch: Stretch,
    asked: AskedWhole,
    *,
    model: str | None = None,
    namespace: Namespace = None,
) -> Response:
    span = stretch.from_ms, stretch.to_ms
    found = standing_alerts(service.store, models_in(service, model, namespace), span)
    days = Page.of(by_day(found, span), DAY_TYPES.names)
    head = {"from_ms": span[0], "to_ms": span[1], **counted(started(found, span))}
    return listed(asked, lambda limit, cursor: days, DAY_TYPES, head)


@router.get(
    "/alerts/stream",
    summary="Server-sent events: every transition as it is stored",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
def alert_stream(
    request: Request,
    service: TheService,
    model: Annotated[str | None, Query(description="only this model's")] = None,
    matcher: Matchers = None,
    last_event_id: Annotated[str | None, Header(description="resume behind this event")] = None,
) -> EventSourceResponse:
    if model is not None:
        known_model(service, model)
    names = [model] if model is not None else [*service.configuration.models, POSTED]
    feed = Feed(service.store, names, last_event_id, read_matchers("matcher", matcher))
    return EventSourceResponse(
        feed.events(request.app.state.alert_poll_s, request.app.state.stopping, RETRY_MS),
        ping=HEARTBEAT_S,
        ping_message_factory=lambda: ServerSentEvent(comment="heartbeat"),
        sep="\n",
    )


@router.get("/alerts/{alert_id}", summary="One alert from its beginning", response_model=AlertDetail)
def alert(service: TheService, alert_id: str) -> Response:
    found = read_alert(service.store, alert_id)
    if found is None:
        raise ProblemError("unknown-alert", f"no alert has the id {alert_id!r}")
    return answer({**found, "acknowledged": acknowledged(service, found["alert"])})


def _check_log(given: dict[str, Any]) -> None:
    """Refuse what would be passed over."""
    for name in (name for name, value in given.items() if value is not None):
        message = f"`{name}` chooses alerts as they stand, and goes not with `transitions=true`"
        raise ProblemError("bad-parameter", message, errors=[{"field": name, "message": message}])


def _check_standing(state: str | None) -> None:
    if state is not None and state not in STANDING:
        message = (
            f"an alert that was {state} is firing: ask for `state=firing`, or for the log with `transitions=true`; "
            f"states are {', '.join(STANDING)}, those of the log {', '.join(TRANSITIONS)}"
        )
        raise ProblemError("bad-parameter", message, errors=[{"field": "state", "message": message}])
