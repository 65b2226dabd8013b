"""What the API counts about itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.clock import Clock

__all__ = ["Observe"]


class Observe:
    """Counts requests and how long their answers took to begin, by route; addresses that are no route are one.

    Parameters
    ----------
    app : ASGI application
    registry : CollectorRegistry
    clock : Clock
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        labels = ["method", "route", "status"]
        self._requests = Counter("leeway_http_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram(
            "leeway_http_response_seconds", "Time until the answer began.", ["route"], registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = self._clock.monotonic_s()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                self._requests.labels(scope["method"], route, message["status"]).inc()
                self._seconds.labels(route).observe(self._clock.monotonic_s() - began_s)
            await send(message)

        await self._app(scope, receive, counted)
