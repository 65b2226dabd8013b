"""Asks for a token before anything of a request is read or done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.access.roles import MAY, Need
from monitor.access.tokens import Token, bound
from monitor.api.auditor import Auditor
from monitor.api.identities import Identities
from monitor.api.needs import FREE, LOGGING_IN, PERSONAL, SEALED, STATIC, has_own_part, need_of
from monitor.api.problems import ProblemError, problem
from monitor.api.rates import Rates, client_of

__all__ = ["AccessControl", "token_of"]

WITH_METRICS_OPEN: dict[str, Need] = {"GET /metrics": "nothing"}
KEY = "leeway.token"


class AccessControl:
    """Refuses what the holder of a token may not, and whoever has none.

    Parameters
    ----------
    app : ASGI application
    routes : sequence of BaseRoute
        All routes of the application, in the order in which they are tried.
    identities : Identities
    rates : Rates
    auditor : Auditor
    metrics_are_open : bool
        Whether everybody may read ``/metrics``.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Sequence[BaseRoute],
        identities: Identities,
        rates: Rates,
        auditor: Auditor,
        *,
        metrics_are_open: bool,
    ) -> None:
        self._app, self._routes, self._auditor = app, routes, auditor
        self._identities, self._rates = identities, rates
        self._exceptions = WITH_METRICS_OPEN if metrics_are_open else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        operation, need = self._operation(scope)
        try:
            if need != "nothing":
                await self._admit(scope, operation, need)
            elif operation in (*LOGGING_IN, *SEALED, *STATIC) or operation in self._exceptions:
                self._rates.take_request(client_of(scope, None))
            if need == "ingest":
                receive = self._rates.metered(client_of(scope, token_of(scope)), receive)
        except ProblemError as refusal:
            if refusal.kind == "unauthorized" and (login := self._identities.where_to_log_in(scope)):
                await RedirectResponse(login, 303)(scope, receive, send)
                return
            if refusal.kind in ("unauthorized", "forbidden", "cross-site"):
                await self._auditor.refused(scope, operation, token_of(scope), refusal.status_code, refusal.detail)
            await problem(Request(scope), refusal)(scope, receive, send)
            return
        token = token_of(scope)
        if token is not None and need in ("editor", "admin") and scope["method"] not in ("GET", "HEAD"):
            await self._auditor.listed(self._app, (scope, receive, send), operation, token)
        elif token is not None and operation in PERSONAL:
            await self._auditor.read(self._app, (scope, receive, send), operation, token)
        else:
            await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, operation: str, need: Need | None) -> None:
        """Let a request go on whose token may; with any, one hears that there is no such route."""
        try:
            token = scope[KEY] = await self._identities.holder(scope)
        except ProblemError:
            self._rates.take_request(client_of(scope, None))
            raise
        self._rates.take_request(client_of(scope, token))
        if need is not None and need not in MAY[token.role]:
            detail = f"{operation} needs the role {need}; the token {token.name!r} has {token.role}"
            raise ProblemError("forbidden", detail, role=token.role, needed_role=need)
        if need is not None and token.namespaces and not has_own_part(operation):
            detail = f"{operation} is about the whole service; {bound(token)}: ask with one that is for all"
            raise ProblemError("forbidden", detail, role=token.role, namespaces=list(token.namespaces))
        await self._identities.note_use(token)

    def _operation(self, scope: Scope) -> tuple[str, Need | None]:
        """Return the method and the path of the route that will answer, and what it needs; None if there is none."""
        for route in self._routes:
            match, path = route.matches(scope)[0], getattr(route, "path", "")
            if match is Match.FULL:
                # What is counted of requests is counted by route, those included that are refused.
                scope["route"] = route
                operation = f"{scope['method']} {path}"
                return operation, self._exceptions.get(operation) or need_of(operation)
            if match is Match.PARTIAL and path in FREE:
                return "", "nothing"
        return "", None


def token_of(scope: Any) -> Token | None:
    """Return the token with which something is asked; None where none is asked for."""
    token: Token | None = scope.get(KEY)
    return token
