"""The HTTP API as one ASGI application; its OpenAPI document is generated from it."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from monitor.api import health, problems
from monitor.api.contract import ApiService

__all__ = ["ROUTERS", "create_app"]

ROUTERS = (health.router,)
"""Every group of routes, one a file."""


def create_app(service: ApiService) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    service : ApiService

    Returns
    -------
    FastAPI
        Not yet served; ``service`` is at ``app.state.service``.
    """
    app = FastAPI(
        title="Leeway",
        version=version("leeway"),
        summary="Drift of machine-learning models: history, findings, distributions, alerts.",
        # Both pages load scripts from the internet, which a monitored site may not reach.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
