"""The HTTP API as one ASGI application; its OpenAPI document is generated from it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.metadata import version

from fastapi import APIRouter, FastAPI

from monitor.api import (
    acknowledge,
    alertmanager,
    alerts,
    compare,
    deployments,
    distributions,
    erasures,
    events,
    explain,
    health,
    incidents,
    letters,
    models,
    problems,
    scores,
    silences,
    subscriptions,
    top,
)
from monitor.api.contract import ApiService
from monitor.api.observe import Observe

__all__ = ["HEALTH", "ROUTERS", "create_app"]

ROUTERS = (
    health.router,
    models.router,
    scores.router,
    top.router,
    distributions.router,
    compare.router,
    alerts.router,
    explain.router,
    acknowledge.router,
    incidents.router,
    subscriptions.router,
    deployments.router,
    alertmanager.router,
    silences.router,
    letters.router,
    events.router,
    erasures.router,
)
"""Every group of routes, one a file."""

HEALTH = (health.router,)
"""What a process serves that has another role."""


def create_app(service: ApiService, routers: Sequence[APIRouter] = ROUTERS, *, alert_poll_s: float = 1.0) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    service : ApiService
    routers : sequence of APIRouter
    alert_poll_s : float
        How often the stream of alerts looks for new transitions.

    Returns
    -------
    FastAPI
        Not yet served. Set ``app.state.stopping``, a ``threading.Event``, before the server is told to stop: streams
        of alerts then end by themselves, and the server does not wait for clients to leave.
    """
    app = FastAPI(
        title="Leeway",
        version=version("leeway"),
        summary="Drift of machine-learning models: history, findings, distributions, alerts.",
        # Both pages load scripts from the internet, which a monitored site may not reach.
        docs_url=None,
        redoc_url=None,
        responses=problems.RESPONSES,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = service
    app.state.stopping = threading.Event()
    app.state.alert_poll_s = alert_poll_s
    problems.install(app)
    app.add_middleware(Observe, registry=service.metrics, clock=service.clock)
    for router in routers:
        app.include_router(router)
    return app
