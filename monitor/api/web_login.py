"""Logging in with a browser, at the OpenID provider: authorization code with PKCE, then a cookie for some hours."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from functools import partial
from hmac import compare_digest
from typing import Any

import httpx
from starlette.requests import Request
from starlette.types import Scope

from monitor.access.expected import Expected
from monitor.access.id_tokens import NoRoleError, TokenError, claims_of, holder_of, key_id_of
from monitor.access.sessions import Seals
from monitor.access.tokens import Token
from monitor.api.bounded_threads import BoundedThreads
from monitor.api.problems import ProblemError
from monitor.api.sign_on import SignOn
from monitor.clock import Clock
from monitor.config.oidc import Oidc, OidcLogin
from monitor.errors import SourceError

__all__ = ["CALLBACK", "LOGIN", "LOGIN_COOKIE", "SESSION_COOKIE", "Begun", "WebLogin", "own_path"]

LOGIN, CALLBACK = "/login", "/login/callback"
LOGIN_COOKIE, SESSION_COOKIE = "leeway_login", "leeway_session"
LOGIN_S = 600
"""How long somebody may take to log in."""

THREADS = 4
PATIENCE_S = 10.0
MOST_PATH = 500
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Begun:
    """Where a browser goes to log in, and what it keeps meanwhile."""

    address: str
    cookie: str


class WebLogin:
    """Logs people in.

    Parameters
    ----------
    sign_on : SignOn
    login : OidcLogin
    clock : Clock
    external_url : str
        How browsers reach the service.
    """

    def __init__(self, sign_on: SignOn, login: OidcLogin, clock: Clock, external_url: str) -> None:
        self._spec, self._login, self._sign_on, self._clock = sign_on.spec, login, sign_on, clock
        self._redirect = external_url.rstrip("/") + CALLBACK
        self._secret = login.client_secret.get_secret_value()
        self._seals = Seals(self._secret, _purpose(self._spec, self._redirect))
        self._threads = BoundedThreads(THREADS)

    @property
    def is_secure(self) -> bool:
        """Whether cookies are for encrypted connections alone."""
        return self._redirect.startswith("https:")

    @property
    def session_s(self) -> int:
        """How long a session lasts."""
        return self._login.session // 1000

    async def begin(self, back_to: str) -> Begun:
        """Return where to log in; afterwards the browser goes back to a path.

        Raises
        ------
        ProblemError
            The provider does not answer.
        """
        metadata = await self._sign_on.keys.metadata()
        if not metadata.authorization_endpoint or not metadata.token_endpoint:
            raise ProblemError("unavailable", f"the issuer {self._spec.issuer} does not say where people log in")
        state = secrets.token_urlsafe(32)
        question = {
            "response_type": "code",
            "client_id": self._login.client_id,
            "redirect_uri": self._redirect,
            "scope": " ".join(self._login.scopes),
            "state": state,
            "nonce": self._seals.derived("nonce", state),
            "code_challenge": _challenge(self._verifier(state)),
            "code_challenge_method": "S256",
        }
        address = str(httpx.URL(metadata.authorization_endpoint).copy_merge_params(question))
        cookie = self._seals.seal("login", {"state": state, "to": own_path(back_to)}, self._now_s() + LOGIN_S)
        return Begun(address, cookie)

    def path_of(self, state: str, cookie: str) -> str:
        """Return the path to go on to after a login that this browser has begun.

        Raises
        ------
        ProblemError
            It has not.
        """
        begun = self._seals.open("login", cookie, self._now_s())
        if begun is None or not state or not compare_digest(str(begun.get("state")).encode(), state.encode()):
            raise ProblemError("unauthorized", "this login was not begun here, or took too long: begin again")
        return own_path(str(begun.get("to", "")))

    async def complete(self, code: str, state: str) -> str:
        """Return the cookie of a session for what the provider has sent a browser back with that has begun a login.

        Raises
        ------
        ProblemError
            Nobody has logged in, or who has may do nothing here.
        """
        answer = await self._redeemed(code, state)
        try:
            holder = await self._holder(str(answer.get("id_token", "")), state)
        except NoRoleError as error:
            raise ProblemError("forbidden", str(error)) from error
        except TokenError as error:
            raise ProblemError("unauthorized", f"the provider's answer cannot be taken: {error}") from error
        content = {"name": holder.name, "role": holder.role, "namespaces": list(holder.namespaces)}
        return self._seals.seal("session", content, self._now_s() + self.session_s)

    def holder(self, scope: Scope) -> Token | None:
        """Return whose session a request shows; None if it shows none that is good.

        Raises
        ------
        ProblemError
            It would change something, and the browser does not say that one of our own pages asks for it.
        """
        request = Request(scope)
        session = self._seals.open("session", request.cookies.get(SESSION_COOKIE, ""), self._now_s())
        if session is None or "namespaces" not in session:
            return None
        # Whether either is of our own pages has been looked at before; a cookie alone proves nothing.
        says_from_where = "origin" in request.headers or "sec-fetch-site" in request.headers
        if scope["method"] in UNSAFE and not says_from_where:
            raise ProblemError(
                "cross-site", "the browser does not say whose page asks for this change: it is not taken"
            )
        namespaces = tuple(session["namespaces"])
        return Token(
            session["name"], session["role"], digest="", expires_ms=session["exp"] * 1000, namespaces=namespaces
        )

    async def _redeemed(self, code: str, state: str) -> dict[str, Any]:
        metadata = await self._sign_on.keys.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "client_id": self._login.client_id,
            "code_verifier": self._verifier(state),
        }
        client = (self._login.client_id, self._secret) if self._secret else None
        try:
            redeem = partial(self._sign_on.issuer.redeem, metadata, form, client)
            return await self._threads.run(redeem, PATIENCE_S)
        except TimeoutError as error:
            raise ProblemError("unavailable", f"the issuer {self._spec.issuer} takes long to answer") from error
        except SourceError as error:
            kind = "unavailable" if error.retryable else "unauthorized"
            raise ProblemError(kind, f"the provider does not take the login: {error}") from error

    async def _holder(self, id_token: str, state: str) -> Token:
        keys = await self._sign_on.keys.keys(key_id_of(id_token))
        expected = Expected(self._spec.issuer, (self._login.client_id,), self._spec.clock_skew // 1000)
        claims = claims_of(id_token, keys, expected, self._now_s())
        nonce = self._seals.derived("nonce", state)
        if not compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise TokenError("it is of another login")
        return holder_of(claims, self._spec.roles.grants, self._spec.roles.claim, self._spec.name)

    def _verifier(self, state: str) -> str:
        # Not kept in the browser, where it would be beside the code.
        return self._seals.derived("verifier", state)

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000


def own_path(path: str) -> str:
    r"""Return a path of our own pages; the first page for anything else.

    Examples
    --------
    >>> own_path("/alerts/1?x=2"), own_path("//evil.example"), own_path("https://evil.example"), own_path("/\\evil")
    ('/alerts/1?x=2', '/alerts', '/alerts', '/alerts')
    """
    is_own = path.startswith("/") and not path.startswith("//") and len(path) <= MOST_PATH
    return path if is_own and path.isascii() and path.isprintable() and "\\" not in path else "/alerts"


def _purpose(spec: Oidc, redirect: str) -> list[str]:
    # One client of a provider may be that of several services, in which its people have other roles.
    return [redirect, spec.model_dump_json(include={"issuer", "roles", "name", "login"})]


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
