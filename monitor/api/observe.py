"""What the API counts about itself."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.api.problems import method_of
from monitor.clock import Clock
from monitor.routing.posted_bounds import PostedBounds

__all__ = ["Observe", "PostedMetrics"]


class PostedMetrics(Collector):
    """How many posted alerts fire, and how many were refused.

    Parameters
    ----------
    bounds : PostedBounds
    """

    def __init__(self, bounds: PostedBounds) -> None:
        self._bounds = bounds

    def collect(self) -> Iterable[Metric]:
        """Both figures, as far as this process knows."""
        yield GaugeMetricFamily("leeway_posted_alerts", "Posted alerts that fire.", value=self._bounds.count)
        text = "Posted alerts that were refused, since too many fire."
        yield CounterMetricFamily("leeway_posted_alerts_refused", text, value=self._bounds.refused)


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
        began_s, has_begun = self._clock.monotonic_s(), False

        def count(status: int) -> None:
            route = getattr(scope.get("route"), "path", "other")
            self._requests.labels(method_of(scope), route, status).inc()
            self._seconds.labels(route).observe(self._clock.monotonic_s() - began_s)

        async def counted(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                count(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            # The answer to it is sent from outside all middleware.
            if not has_begun:
                count(HTTPStatus.INTERNAL_SERVER_ERROR)
            raise
