"""What every answer tells browsers: show it in no frame, run nothing of it, keep no copy, and send no referrer."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "SecurityHeaders", "secure"]

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer that does not say otherwise. Any of them may be about people, and so none is kept on the way."""

ENCRYPTED_ONLY = "Strict-Transport-Security", "max-age=31536000"
"""Under TLS: browsers then come back encrypted, for a year."""


class SecurityHeaders:
    """Adds them.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                secure(MutableHeaders(scope=message), scope.get("scheme", "http"))
            await send(message)

        await self._app(scope, receive, secured if scope["type"] == "http" else send)


def secure(headers: MutableHeaders, scheme: str) -> None:
    """Add what an answer does not say itself.

    Examples
    --------
    >>> headers = MutableHeaders({"Cache-Control": "max-age=5"})
    >>> secure(headers, "https")
    >>> headers["cache-control"], headers["x-content-type-options"], headers["strict-transport-security"]
    ('max-age=5', 'nosniff', 'max-age=31536000')
    """
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if scheme == "https":
        headers.setdefault(*ENCRYPTED_ONLY)
