"""What answers while a service is being made: that the process lives, and what its start waits for.

A start may wait for its store for a day. Probes are answered from the first moment, and whoever asks something else is
told to come again.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.api.connections import Connections
from monitor.api.hosts import AllowedHosts, names_of
from monitor.api.prefix import Prefix
from monitor.api.problems import ProblemError, problem
from monitor.api.security_headers import SecurityHeaders
from monitor.api.times import rfc3339
from monitor.clock import Clock
from monitor.config.service import ServiceSpec

__all__ = ["Starting"]


@dataclass(frozen=True)
class _Wait:
    """What a start waits for, since when, and how often it has tried; nothing while it goes on by itself."""

    reason: str
    since_ms: int
    attempts: int = 0

    @property
    def sentence(self) -> str:
        since = rfc3339(self.since_ms)
        if not self.reason:
            return f"the service is starting, since {since}"
        times = f"{self.attempts} time" if self.attempts == 1 else f"{self.attempts} times"
        return f"the service is starting: it waits since {since}, and has tried {times}: {self.reason}"


class Starting:
    """Answers while a service is being made.

    Parameters
    ----------
    clock : Clock
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Read by the thread that answers, and written by the one that starts the service: as a whole.
        self._wait = self._began = _Wait("", clock.now_ms())

    def wait(self, reason: str) -> None:
        """Note what the start waits for, each time it has tried in vain; nothing once it goes on."""
        if not reason:
            self._wait = self._began
        elif not self._wait.reason:
            self._wait = _Wait(reason, self._clock.now_ms(), 1)
        else:
            self._wait = _Wait(reason, self._wait.since_ms, self._wait.attempts + 1)

    def app(self, spec: ServiceSpec) -> ASGIApp:
        """Return it as an application at the names, and below the path, that a service has."""
        app: ASGIApp = AllowedHosts(self, names_of(spec))
        if spec.api.prefix:
            app = Prefix(app, spec.api.prefix)
        return SecurityHeaders(app)

    def limits(self, spec: ServiceSpec) -> Connections:
        """Return what its connections may do; nobody counts them."""
        return Connections(spec.api.max_connections, spec.api.request_timeout / 1000, CollectorRegistry())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path, wait = request.url.path.removeprefix(request.scope.get("root_path", "")), self._wait
        is_read = request.method in ("GET", "HEAD")
        if is_read and path == "/healthz":
            return JSONResponse({"status": "ok"})
        if is_read and path == "/-/healthy":
            return PlainTextResponse("OK")
        if is_read and path == "/-/ready":
            return PlainTextResponse(wait.sentence, 503)
        kind = "not-ready" if path == "/readyz" else "unavailable"
        reasons, since_ms, attempts = [wait.sentence], wait.since_ms, wait.attempts
        error = ProblemError(kind, wait.sentence, reasons=reasons, since_ms=since_ms, attempts=attempts)
        return problem(request, error)
