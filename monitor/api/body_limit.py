"""Limits for the bodies of requests: one of what is kept as it comes, smaller ones of what is read as a document."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.api.problems import ProblemError

__all__ = ["AT_ONCE", "BodyLimit", "too_large"]

AT_ONCE = 8

DOCUMENT_BYTES = 1 << 20
"""Of a document: it is read and checked in the thread that answers everybody, 16 MiB of it for seconds."""

ALERTS_BYTES = 4 << 20
"""Of posted alerts: as many as Prometheus sends at once (64) may be as long as one may be."""


class BodyLimit:
    """Counts what is read of a body, and refuses it where it becomes too large; a route never holds more.

    Events and configurations are kept as they come, and may be as large as anything; documents are smaller. A body
    whose length is stated is refused before any of it is read. All bodies together may be :data:`AT_ONCE` times as
    large as the largest.

    Parameters
    ----------
    app : ASGI application
    max_bytes : int
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = _limit_of(scope["path"].removeprefix(scope.get("root_path", "")), self._max_bytes)
        stated = Headers(scope=scope).get("content-length", "")
        stated_bytes = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 20 else 0
        read_bytes = 0

        async def counted() -> Message:
            nonlocal read_bytes
            if stated_bytes > max_bytes:
                raise too_large(max_bytes)
            message = await receive()
            length = len(message.get("body", b""))
            read_bytes += length
            self._held_bytes += length
            if read_bytes > max_bytes:
                raise too_large(max_bytes)
            if self._held_bytes > AT_ONCE * self._max_bytes:
                raise ProblemError(
                    "busy", f"the bodies that are being read together exceed {AT_ONCE * self._max_bytes} bytes"
                )
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held_bytes -= read_bytes


def _limit_of(path: str, max_bytes: int) -> int:
    """Return how large a body may be at an address.

    Examples
    --------
    >>> [_limit_of(path, 16 << 20) >> 20 for path in ("/v1/events/fraud", "/api/v2/alerts", "/v1/marks")]
    [16, 4, 1]
    """
    if path == "/api/v2/alerts":
        return min(max_bytes, ALERTS_BYTES)
    is_kept = path == "/v1/events" or path.startswith("/v1/events/") or path.endswith("/configuration")
    return max_bytes if is_kept else min(max_bytes, DOCUMENT_BYTES)


def too_large(max_bytes: int) -> ProblemError:
    """Return the refusal of a body."""
    return ProblemError("body-too-large", f"the body is larger than {max_bytes} bytes", max_body_bytes=max_bytes)
