"""``HEAD``: the headers of what ``GET`` answers, and no body."""

from __future__ import annotations

from anyio import CancelScope
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Head"]


class Head:
    """Answers ``HEAD`` at every address as ``GET``, for the same people, and leaves the body out.

    An answer that comes in parts, such as a stream of alerts, ends with its first one.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get, has_ended = {**scope, "method": "GET"}, False

        async def bodiless(message: Message) -> None:
            nonlocal has_ended
            if message["type"] == "http.response.start":
                if "route" in as_get:
                    scope["route"] = as_get["route"]  # by which requests are counted
                await send(message)
            elif not has_ended:
                has_ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                if message.get("more_body", False):
                    answering.cancel()

        with CancelScope() as answering:
            await self._app(as_get, receive, bodiless)
