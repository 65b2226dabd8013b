"""Alerts as they stand, their history, and a stream of what happens to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse

from monitor.api.alarms import STANDING, TRANSITIONS, read_alert, read_alerts, transition
from monitor.api.feed import Feed
from monitor.api.parameters import Cursor, Limit, Paged, Stretch, TheService, answer, known_model
from monitor.api.problems import ProblemError
from monitor.api.reading import Page, query_for, read_page

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

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


class AlertDetail(BaseModel):
    """One alert from its beginning."""

    alert: Alert
    transitions: list[Transition]
    notifications: list[Notification]


@router.get("/alerts", summary="Alerts as they stand, or the log of their transitions", response_model=Alerts)
def alerts(
    service: TheService,
    stretch: Stretch,
    *,
    model: str | None = None,
    state: Literal["pending", "firing", "updated", "resolved", "cancelled"] | None = None,
    transitions: Annotated[bool, Query(description="the log itself; `from` and `to` then mean its `at_ms`")] = False,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Response:
    if model is not None:
        known_model(service, model)
    if transitions:
        query = query_for(
            "alerts",
            {"model": model, "state": state},
            from_ms=stretch.from_ms,
            to_ms=stretch.to_ms,
            limit=limit,
            descending=True,
        )
        log = read_page(service.store, query, cursor)
        page = Page([transition(row) for row in log.rows], log.next_cursor)
    else:
        _check_standing(state)
        page = read_alerts(
            service.store,
            model=model,
            state=state,
            from_ms=stretch.from_ms,
            to_ms=stretch.to_ms,
            limit=limit,
            cursor=cursor,
        )
    return answer(
        {"from_ms": stretch.from_ms, "to_ms": stretch.to_ms, "next_cursor": page.next_cursor, "items": page.rows}
    )


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
    last_event_id: Annotated[str | None, Header(description="resume behind this event")] = None,
) -> EventSourceResponse:
    if model is not None:
        known_model(service, model)
    names = [model] if model is not None else list(service.configuration.models)
    feed = Feed(service.store, names, last_event_id)
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
    return answer(found)


def _check_standing(state: str | None) -> None:
    if state is not None and state not in STANDING:
        message = (
            f"an alert that was {state} is firing: ask for `state=firing`, or for the log with `transitions=true`; "
            f"states are {', '.join(STANDING)}, those of the log {', '.join(TRANSITIONS)}"
        )
        raise ProblemError("bad-parameter", message, errors=[{"field": "state", "message": message}])
