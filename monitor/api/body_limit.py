"""One limit for the bodies of all requests."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.api.problems import ProblemError

__all__ = ["BodyLimit", "too_large"]


class BodyLimit:
    """Counts what is read of a body, and refuses it where it becomes too large; a route never holds more.

    A body whose length is stated is refused before any of it is read.

    Parameters
    ----------
    app : ASGI application
    max_bytes : int
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

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
            read_bytes += len(message.get("body", b""))
            if read_bytes > self._max_bytes:
                raise too_large(self._max_bytes)
            return message

        await self._app(scope, counted, send)


def too_large(max_bytes: int) -> ProblemError:
    """Return the refusal of a body."""
    return ProblemError("body-too-large", f"the body is larger than {max_bytes} bytes", max_body_bytes=max_bytes)
