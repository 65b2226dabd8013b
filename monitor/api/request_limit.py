"""How many requests are worked on at once: more are refused, and their clients come again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.api.problems import ProblemError, problem

__all__ = ["FREE", "RequestLimit"]

FREE = frozenset({"/healthz", "/readyz", "/metrics", "/-/healthy", "/-/ready", "/v1/alerts/stream"})
"""Probes are always answered, and streams have a limit of their own."""


class RequestLimit:
    """Refuses requests while as many as may be are being read or answered.

    Parameters
    ----------
    app : ASGI application
    most : int
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) in FREE:
            await self._app(scope, receive, send)
            return
        if self._open >= self._most:
            detail = f"{self._most} requests are being answered, as many as `spec.api.max_requests` allows"
            refusal = problem(Request(scope), ProblemError("busy", detail, max_requests=self._most))
            await refusal(scope, receive, send)
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
