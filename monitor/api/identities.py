"""Who asks: the holder of a token, of the service's own or of an issuer's, or of a client certificate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import HTTPException, Request
from fastapi.security import HTTPBasic, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import Scope

from monitor.access.certificates import certificate_holder
from monitor.access.id_tokens import is_signed
from monitor.access.roles import Grant
from monitor.access.tokens import Token
from monitor.api.http_protocol import CLIENT_CERTIFICATE
from monitor.api.live_tokens import LiveTokens
from monitor.api.problems import ProblemError
from monitor.api.rates import Rates, address_of
from monitor.api.sign_on import SignOn
from monitor.api.web_login import LOGIN, WebLogin, own_path
from monitor.clock import Clock
from sinks.store.contract import StoreError

__all__ = ["SCHEMES", "Identities"]

BEARER = HTTPBearer(
    auto_error=False, description="a token that `leeway token create` has made, or that the OpenID provider has signed"
)
BASIC = HTTPBasic(auto_error=False, description="any name, with a token as the password", realm="Leeway")
SCHEMES = {"bearer": BEARER, "basic": BASIC}
"""How a token is shown, by the name in the OpenAPI document."""

HOW = "send `Authorization: Bearer TOKEN`, or the token as the password of basic authentication"


class Identities:
    """Finds out who asks.

    Parameters
    ----------
    tokens : LiveTokens
    clock : Clock
    certificates : mapping of str to Grant
        By what client certificates are for.
    sign_on : SignOn or None
        Of whom signed tokens are taken.
    rates : Rates
        How many secrets may be tried.

    Attributes
    ----------
    web_login : WebLogin or None
        Whose cookies are taken.
    """

    def __init__(
        self,
        tokens: LiveTokens,
        clock: Clock,
        certificates: Mapping[str, Grant],
        sign_on: SignOn | None,
        rates: Rates,
    ) -> None:
        self._tokens, self._clock, self._certificates, self._sign_on = tokens, clock, certificates, sign_on
        self._rates = rates
        self.web_login: WebLogin | None = None

    async def holder(self, scope: Scope) -> Token:
        """Return who sends a request. A token counts before a certificate, since somebody meant it.

        Raises
        ------
        ProblemError
            Nobody that is known.
        """
        secret = await _shown(Request(scope))
        holder = self._recognized(scope) if secret is None else await self._tried(secret, address_of(scope))
        if isinstance(holder, str):
            raise ProblemError("unauthorized", holder)
        return holder

    def where_to_log_in(self, scope: Scope) -> str | None:
        """Return the address at which whoever looks at a page with a browser logs in; None for anybody else."""
        headers = Headers(scope=scope)
        is_browser = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        if self.web_login is None or not is_browser or "authorization" in headers:
            return None
        root, query = scope.get("root_path", ""), scope.get("query_string", b"").decode("latin-1")
        # Names of signals stand in paths, with whatever they hold.
        path = quote(scope["path"].removeprefix(root)) + (f"?{query}" if query else "")
        return f"{root}{LOGIN}?{urlencode({'to': own_path(path)})}"

    async def note_use(self, token: Token) -> None:
        """Write down that a token is used."""
        await self._tokens.note_use(token)

    async def _tried(self, secret: str, address: str) -> Token | str:
        if self._sign_on is not None and is_signed(secret):
            # Nobody guesses a signature; and each that is good is a new one, which was never good before.
            return await self._sign_on.holder(secret)
        self._rates.check_login(address, secret)
        try:
            holder = await self._tokens.holder(secret)
        except StoreError as error:
            raise ProblemError("unavailable", str(error)) from error
        self._rates.note_login(address, secret, is_good=isinstance(holder, Token))
        return holder

    def _recognized(self, scope: Scope) -> Token | str:
        if self.web_login is not None and (person := self.web_login.holder(scope)) is not None:
            return person
        certificate: Mapping[str, Any] | None = scope.get("state", {}).get(CLIENT_CERTIFICATE)
        if certificate is None:
            return f"this service asks for a token: {HOW}"
        return certificate_holder(certificate, self._certificates, self._clock.now_ms())


async def _shown(request: Request) -> str | None:
    """Return the secret that a request shows; None if it shows none."""
    if bearer := await BEARER(request):
        return bearer.credentials
    try:
        basic = await BASIC(request)
    except HTTPException:
        raise ProblemError("unauthorized", f"the header Authorization cannot be read: {HOW}") from None
    return basic.password if basic else None
