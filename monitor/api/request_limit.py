"""How many requests are worked on at once: more are refused, and their clients come again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.api.problems import ProblemError, problem

__all__ = ["FREE", "RequestLimit"]

FREE = frozenset({"/healthz", "/readyz", "/metrics", "/-/healthy", "/-/ready", "/v1/alerts/stream"})
"""Probes are always answered, and streams have a limit of their own."""


class RequestLimit:
    """Refuses requests while as many as may be are being answered.

    One does not count while its client is still to send the rest of its body: clients that take their time are bounded
    by their connections, and keep nobody else out.

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
            await problem(Request(scope), self._busy())(scope, receive, send)
            return
        is_whole = False

        async def received() -> Message:
            nonlocal is_whole
            if is_whole:
                return await receive()
            self._open -= 1
            try:
                message = await receive()
            finally:
                self._open += 1
            is_whole = not message.get("more_body", False)
            if is_whole and self._open > self._most:
                raise self._busy()
            return message

        self._open += 1
        try:
            await self._app(scope, received, send)
        finally:
            self._open -= 1

    def _busy(self) -> ProblemError:
        detail = f"{self._most} requests are being answered, as many as `spec.api.max_requests` allows"
        return ProblemError("busy", detail, max_requests=self._most)
