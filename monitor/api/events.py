"""Posting events to the HTTP streams that the configuration names."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from monitor.api.bodies import ARRAY_TYPES, LINE_TYPES, split_messages, unpack
from monitor.api.contract import ApiService
from monitor.api.parameters import TheService, answer
from monitor.api.problems import ProblemError

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["events"])

_EVENTS = "an event, an object as the model's schema names its fields, or an array of events"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Content-Encoding may be gzip.",
        "content": {
            # Any JSON is taken: what is no event becomes a dead letter.
            **{kind: {"schema": {"description": _EVENTS}} for kind in ARRAY_TYPES},
            **{kind: {"schema": {"type": "string", "description": "an event per line"}} for kind in LINE_TYPES},
        },
    }
}


class Accepted(BaseModel):
    """The messages are kept, and will be read; a bad one becomes a dead letter with its offset."""

    accepted: int = Field(description="how many messages")
    first_offset: int
    last_offset: int


@router.post(
    "/events/{stream}",
    summary="Append events to a stream",
    status_code=202,
    response_model=Accepted,
    openapi_extra=_BODY,
)
async def post_events(stream: str, request: Request, service: TheService) -> Response:
    return await _append(stream, request, service)


@router.post(
    "/events",
    summary="Append events to a stream that is named by a parameter",
    status_code=202,
    response_model=Accepted,
    openapi_extra=_BODY,
)
async def post_events_to(
    request: Request, service: TheService, stream: Annotated[str, Query(description="the stream's name")]
) -> Response:
    return await _append(stream, request, service)


async def _append(stream: str, request: Request, service: ApiService) -> Response:
    _check_stream(stream, service)
    max_bytes = service.configuration.service.spec.api.max_body_bytes
    body = await request.body()
    headers = request.headers

    def accept() -> tuple[int, int]:
        unpacked = unpack(body, headers.get("content-encoding", ""), max_bytes)
        messages = split_messages(unpacked, headers.get("content-type", ""))
        with request.app.state.event_quotas.taking(service.configuration.all_read, stream, len(messages)):
            return service.accept(stream, messages)

    first_offset, last_offset = await run_in_threadpool(accept)
    count = last_offset - first_offset + 1
    return answer({"accepted": count, "first_offset": first_offset, "last_offset": last_offset}, 202)


def _check_stream(stream: str, service: ApiService) -> None:
    models = service.configuration.all_read.values()
    streams = sorted({source.http for model in models for source in model.spec.sources if source.http is not None})
    if stream not in streams:
        listed = ", ".join(streams) if streams else "none: no model has an `http` source"
        raise ProblemError("unknown-stream", f"no stream is named {stream!r}; known are {listed}", known=streams)
