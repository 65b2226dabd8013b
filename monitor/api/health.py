"""Whether the service lives, is ready, and what it counts.

Probes answer from memory, and take none of the threads that questions may all have taken.
"""

from __future__ import annotations

from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from monitor.api.parameters import TheService
from monitor.api.problems import PROBLEMS, ProblemError
from monitor.errors import LeewayError
from monitor.freshness.learned import unseen

__all__ = ["router"]

router = APIRouter(tags=["health"])

SCRAPES = 4
_scrapes = CapacityLimiter(SCRAPES)
INDEX = """\
Leeway watches models, and notifies people.

/readyz          whether it is ready, and what is wrong if not
/v1/status       what it is doing
/v1/alerts       alerts, the latest first
/v1/incidents    alerts with one cause
/api/v2/alerts   the same for Alertmanager's clients
/metrics         figures for Prometheus
/docs            everything that can be asked, to read
/openapi.json    the same for programs
"""
"""Where people find their way who open the service's address."""


TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}
"""A failure that is no problem document."""


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])


class Readiness(Health):
    """The service is ready."""

    notes: list[str] = Field(description="what people should know all the same, such as jobs that are paused")


class ProblemKind(BaseModel):
    """One kind of problem, named by the fragment of a problem document's `type`."""

    name: str
    status: int
    title: str


@router.get("/", summary="What is here, as text", response_class=PlainTextResponse)
async def index() -> PlainTextResponse:
    return PlainTextResponse(INDEX)


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    return Health(status="ok")


@router.get("/readyz", summary="Is the service ready? 503 with the reasons if not")
async def readyz(service: TheService, request: Request) -> Readiness:
    reasons = service.ready()
    if reasons:
        raise ProblemError("not-ready", "; ".join(reasons), reasons=reasons)
    return Readiness(status="ready", notes=[*service.notes(), *request.app.state.notes()])


@router.get("/-/healthy", summary="Is the process alive? As Alertmanager says it", response_class=PlainTextResponse)
@router.head("/-/healthy", include_in_schema=False)
async def healthy() -> PlainTextResponse:
    return PlainTextResponse("OK")


@router.get(
    "/-/ready",
    summary="Is the service ready? As Alertmanager says it",
    response_class=PlainTextResponse,
    responses={503: TEXT},
)
@router.head("/-/ready", include_in_schema=False)
async def ready(service: TheService) -> PlainTextResponse:
    reasons = service.ready()
    return PlainTextResponse("; ".join(reasons), 503) if reasons else PlainTextResponse("OK")


@router.post(
    "/-/reload",
    summary="Take up who is notified, as the configuration's files have it now",
    response_class=PlainTextResponse,
    responses={500: TEXT},
)
@router.put(
    "/-/reload",
    name="put_reload",
    summary="The same by PUT, which Alertmanager takes too",
    response_class=PlainTextResponse,
    responses={500: TEXT},
)
def reload(service: TheService) -> PlainTextResponse:
    try:
        service.reload()
    except LeewayError as error:
        return PlainTextResponse(f"nothing was reloaded: {error}", 500)
    return PlainTextResponse("")


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(service: TheService) -> Response:
    figures = await run_sync(generate_latest, service.metrics, limiter=_scrapes)
    return Response(figures, headers={"Content-Type": CONTENT_TYPE_LATEST})


@router.get("/v1/status", summary="What the service is doing")
def status(service: TheService) -> dict[str, Any]:
    return service.status() | {"unseen": unseen(service.store)}


@router.get("/v1/problems", summary="The kinds of problem that `type` may name")
def kinds() -> list[ProblemKind]:
    return [ProblemKind(name=name, status=kind.status, title=kind.title) for name, kind in PROBLEMS.items()]
