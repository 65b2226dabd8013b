"""One limit for the bodies of all requests."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.api.problems import ProblemError

__all__ = ["AT_ONCE", "BodyLimit", "too_large"]

AT_ONCE = 8


class BodyLimit:
    """Counts what is read of a body, and refuses it where it becomes too large; a route never holds more.

    A body whose length is stated is refused before any of it is read. All bodies together may be :data:`AT_ONCE` times
    as large as one.

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
        stated = Headers(scope=scope).get("content-length", "")
        stated_bytes = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 20 else 0
        read_bytes = 0

        async def counted() -> Message:
            nonlocal read_bytes
            if stated_bytes > self._max_bytes:
                raise too_large(self._max_bytes)
            message = await receive()
            length = len(message.get("body", b""))
            read_bytes += length
            self._held_bytes += length
            if read_bytes > self._max_bytes:
                raise too_large(self._max_bytes)
            if self._held_bytes > AT_ONCE * self._max_bytes:
                raise ProblemError(
                    "busy", f"the bodies that are being read together exceed {AT_ONCE * self._max_bytes} bytes"
                )
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held_bytes -= read_bytes


def too_large(max_bytes: int) -> ProblemError:
    """Return the refusal of a body."""
    return ProblemError("body-too-large", f"the body is larger than {max_bytes} bytes", max_body_bytes=max_bytes)
