"""Changes are not taken from pages of other sites: a browser would send them with whatever lets their reader in."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.api.auditor import Auditor
from monitor.api.hosts import is_known, name_of
from monitor.api.problems import ProblemError, problem

__all__ = ["OwnPages"]

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OWN = frozenset({"", "same-origin", "none"})
"""What browsers say of a request (Fetch metadata) that comes from a page of the service's, or from no page."""


class OwnPages:
    """Refuses what would change something and comes from another site's page; programs say of no page.

    Parameters
    ----------
    app : ASGI application
    names : collection of str
        By which the service is known, beside that of the request: a proxy may have another one.
    auditor : Auditor or None
        Writes down what is refused; None where nobody is asked for a token.
    """

    def __init__(self, app: ASGIApp, names: Collection[str], auditor: Auditor | None = None) -> None:
        self._app, self._names, self._auditor = app, names, auditor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE and self._is_foreign(Headers(scope=scope)):
            refusal = ProblemError("cross-site", "a page of another site asks for this change: it is not taken")
            if self._auditor is not None:
                await self._auditor.refused(scope, "", None, refusal.status_code, refusal.detail)
            await problem(Request(scope), refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_foreign(self, headers: Headers) -> bool:
        site, origin = headers.get("sec-fetch-site", ""), headers.get("origin")
        if site not in OWN:
            return True
        # A page that sends no referrer has its origin withheld from the forms that it sends, even to itself.
        if origin is None or (origin == "null" and site == "same-origin"):
            return False
        try:
            page = urlsplit(origin.lower())
            has_port = page.port is not None
        except ValueError:
            return True
        name, host = page.hostname or "", headers.get("host", "").lower()
        if not name:
            return True
        if name == name_of(host):
            # Another port is another site, of whoever else is on this machine; a proxy's, which is none, is not.
            return has_port and page.netloc != host
        return not is_known(name, self._names)
