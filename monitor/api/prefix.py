"""The API below a path, as behind a proxy that passes paths on as they are."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Prefix"]


class Prefix:
    """Answers what is below a path, and says where that is of everything else.

    Parameters
    ----------
    app : ASGI application
    path : str
        Such as ``/leeway``.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app, self._path = app, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith(f"{self._path}/"):
            await self._app({**scope, "root_path": self._path}, receive, send)
        else:
            await PlainTextResponse(f"the API is at {self._path}/", 404)(scope, receive, send)
