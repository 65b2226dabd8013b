"""Alerts as they stand, their history, and a stream of what happens to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, get_args

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse

from monitor.alerts.own import MODEL as OWN
from monitor.alerts.transition import POSTED
from monitor.api.accepted_levels import accepted_levels
from monitor.api.access import token_of
from monitor.api.acknowledge import acknowledged
from monitor.api.alert_pages import AlertFilter, read_alert, read_alerts
from monitor.api.contract import ApiService
from monitor.api.forms import InPages, Whole, listed, listed_whole, lists
from monitor.api.live_tokens import LiveTokens
from monitor.api.own_part import OwnPart
from monitor.api.parameters import (
    TheService,
    answer,
    check_model,
    models_in,
    question_of,
    read_matchers,
    span_of,
)
from monitor.api.problems import bad_parameter
from monitor.api.reading import Page, pages_of
from monitor.api.standing_alerts import by_day, counted, standing_alerts, started, transitions
from monitor.api.streams import MayGoOn, Streams
from monitor.api.tables import schema
from monitor.resources.alerts import (
    STANDING,
    Alert,
    AlertDay,
    AlertDetail,
    Alerts,
    AlertSummary,
    State,
    Transition,
)

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])

OTHERS = (OWN, POSTED)
"""What stands in the place of a model, and has alerts."""

HEARTBEAT_S = 15
SEND_S = 60.0
"""A client that takes nothing for so long is gone."""


@lists(router, Alerts, Transition)
def alerts(service: TheService, form: InPages, question: Annotated[Alerts, Depends(question_of(Alerts))]) -> Response:
    models = _alerting_models(service, question)
    span = span_of(service, question)
    matchers = read_matchers("matcher", question.matchers)
    if question.transitions:
        _check_log(question)
        where = {"model": models, "state": question.state, "severity": question.severity}
        read_log = pages_of(service.store, "alerts", where, span, descending=True)
        return listed(
            form, lambda limit, cursor: transitions(read_log(limit, cursor)), schema(Transition), span._asdict()
        )
    _check_standing(question.state)
    chosen = AlertFilter(
        models, span, question.state, question.severity, question.signal, matchers, question.acknowledged, question.text
    )

    def read(limit: int, cursor: str | None) -> Page:
        return read_alerts(service.store, chosen, limit, cursor)

    return listed(form, read, schema(Alert), span._asdict())


COUNTED = {
    "fired": (int, ...),
    "resolved": (int, ...),
    "firing": (int, Field(description="not resolved yet")),
    "mean_resolve_ms": (int | None, Field(description="mean time from the start to the end; null without an end")),
    "longest_resolve_ms": (int | None, ...),
}


@lists(router, AlertSummary, **COUNTED)
def alert_summary(
    service: TheService, form: Whole, question: Annotated[AlertSummary, Depends(question_of(AlertSummary))]
) -> Response:
    span = span_of(service, question)
    standing = standing_alerts(service.store, _alerting_models(service, question), span)
    head = {**span._asdict(), **counted(started(standing, span))}
    return listed_whole(form, by_day(standing, span), AlertDay, head)


def _alerting_models(service: ApiService, question: Alerts | AlertSummary) -> list[str] | None:
    """Return whose alerts are asked for, also of what stands in the place of a model; None means all."""
    if question.model in _others(service) and question.namespace is None:
        return [question.model]
    return models_in(service, question.model, question.namespace)


def _others(service: ApiService) -> tuple[str, ...]:
    """Return what stands in the place of a model: it is in no namespace."""
    return () if isinstance(service, OwnPart) else OTHERS


async def while_good(request: Request, service: TheService) -> MayGoOn | None:
    """Return what says whether the token of a request is still good; None if none is asked for."""
    token = token_of(request.scope)
    if token is None:
        return None
    tokens: LiveTokens = request.app.state.tokens

    async def is_good() -> bool:
        # A model that has gone to another namespace since takes its alerts with it.
        is_own = not isinstance(service, OwnPart) or service.is_as_it_was()
        return is_own and await tokens.is_good(token)

    return is_good


async def place_of(request: Request) -> AsyncIterator[Streams]:
    """Take a place among the streams until the answer has ended."""
    streams: Streams = request.app.state.streams
    async with streams.place():
        yield streams


@router.get(
    "/alerts/stream",
    summary="Server-sent events: every transition as it is stored",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def alert_stream(
    streams: Annotated[Streams, Depends(place_of)],
    service: TheService,
    while_good: Annotated[MayGoOn | None, Depends(while_good)],
    model: Annotated[str | None, Query(description="only this model's")] = None,
    matcher: Annotated[
        list[str] | None,
        Query(description='only alerts whose labels match, such as `severity="critical"`; all have to'),
    ] = None,
    last_event_id: Annotated[str | None, Header(description="resume behind this event")] = None,
) -> EventSourceResponse:
    matchers = read_matchers("matcher", matcher)
    others = _others(service)
    if model not in others:
        await run_sync(check_model, service, model, limiter=streams.threads)
    names = [model] if model is not None else [*service.configuration.models, *others]
    stream = await streams.stream(names, last_event_id, matchers)
    return EventSourceResponse(
        stream.events(while_good),
        ping=HEARTBEAT_S,
        ping_message_factory=lambda: ServerSentEvent(comment="heartbeat"),
        sep="\n",
        send_timeout=SEND_S,
    )


@router.get("/alerts/{alert_id}", summary="One alert from its beginning", response_model=AlertDetail)
def alert(service: TheService, alert_id: str) -> Response:
    document = read_alert(service.store, alert_id)
    levels = accepted_levels(service.store, document["alert"], service.clock.now_ms())
    return answer({**document, "acknowledged": acknowledged(service, document["alert"]), "accepted": levels})


def _check_log(question: Alerts) -> None:
    """Refuse what would be passed over."""
    for name, value in (
        ("signal", question.signal),
        ("matcher", question.matchers),
        ("text", question.text),
        ("acknowledged", question.acknowledged),
    ):
        if value is not None:
            raise bad_parameter(
                name, f"`{name}` chooses alerts as they stand, which does not go with `transitions=true`"
            )


def _check_standing(state: State | None) -> None:
    if state is not None and state not in STANDING:
        raise bad_parameter(
            "state",
            f"an alert that was {state} is firing: ask for `state=firing`, or for the log with `transitions=true`; "
            f"states are {', '.join(STANDING)}, those of the log {', '.join(get_args(State))}",
        )
