"""Logging in and out: the provider shows its own pages, and a browser comes back from there."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from monitor.api.problems import ProblemError, retry_after
from monitor.api.rates import Rates, address_of
from monitor.api.web_login import CALLBACK, LOGIN, LOGIN_COOKIE, SESSION_COOKIE, WebLogin
from monitor.web.page import page

__all__ = ["router"]

FORMS = {"Referrer-Policy": "same-origin"}
"""Of a page that sends a form. From one with `no-referrer` browsers send it as if they knew no page: `Origin: null`."""

router = APIRouter(include_in_schema=False)


@router.get(LOGIN)
async def log_in(request: Request, to: str = "") -> Response:
    login = _login(request)
    begun = await login.begin(to)
    answer = RedirectResponse(begun.address, 303)
    _keep(request, answer, LOGIN_COOKIE, begun.cookie, 600)
    return answer


@router.get(CALLBACK)
async def come_back(request: Request, code: str = "", state: str = "", error: str = "") -> Response:
    login = _login(request)
    try:
        if error:
            raise ProblemError("unauthorized", f"the provider says {error[:100]!r}")
        path = login.path_of(state, request.cookies.get(LOGIN_COOKIE, ""))
        session = await _completed(request, code, state)
    except ProblemError as problem:
        if problem.kind in ("unauthorized", "forbidden"):
            operation, auditor = f"GET {CALLBACK}", request.app.state.auditor
            await auditor.refused(request.scope, operation, None, problem.status_code, problem.detail)
        headers = retry_after(problem)
        return page(request, "login.html", problem.status_code, headers, detail=problem.detail)
    answer = RedirectResponse(_root(request) + path, 303)
    _keep(request, answer, SESSION_COOKIE, session, login.session_s)
    _drop(request, answer, LOGIN_COOKIE)
    return answer


@router.get("/logout")
def ask_to_log_out(request: Request) -> Response:
    _login(request)
    return page(request, "logout.html", headers=FORMS)


@router.post("/logout")
def log_out(request: Request) -> Response:
    _login(request)
    answer = page(request, "login.html", detail="You have logged out here.")
    _drop(request, answer, SESSION_COOKIE)
    return answer


async def _completed(request: Request, code: str, state: str) -> str:
    """Return the cookie of a session; from an address with too many failed logins the provider is not asked."""
    rates: Rates = request.app.state.rates
    address = address_of(request.scope)
    rates.check_failures(address)
    try:
        return await _login(request).complete(code, state)
    except ProblemError as problem:
        if problem.kind != "unavailable":
            rates.note_failure(address)
        raise


def _login(request: Request) -> WebLogin:
    login: WebLogin | None = request.app.state.web_login
    if login is None:
        raise ProblemError("not-found", "nobody logs in here: spec.access.oidc.login is not configured")
    return login


def _keep(request: Request, answer: Response, name: str, value: str, lasts_s: int) -> None:
    login = _login(request)
    path = _root(request) or "/"
    answer.set_cookie(name, value, lasts_s, path=path, secure=login.is_secure, httponly=True, samesite="lax")


def _drop(request: Request, answer: Response, name: str) -> None:
    login = _login(request)
    answer.delete_cookie(name, path=_root(request) or "/", secure=login.is_secure, httponly=True, samesite="lax")


def _root(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root
