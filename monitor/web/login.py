"""Logging in and out: the provider shows its own pages, and a browser comes back from there."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from monitor.api.problems import ProblemError
from monitor.api.rates import address_of
from monitor.api.web_login import CALLBACK, LOGIN, LOGIN_COOKIE, SESSION_COOKIE, WebLogin
from monitor.web.page import page

__all__ = ["router"]

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
    rates, address = request.app.state.rates, address_of(request.scope)
    try:
        rates.check_login(address, state)
        if error:
            raise ProblemError("unauthorized", f"the provider says {error[:100]!r}")
        session, path = await login.complete(code, state, request.cookies.get(LOGIN_COOKIE, ""))
    except ProblemError as problem:
        return page("login.html", problem.status_code, detail=problem.detail, root=_root(request))
    rates.note_login(address, state, is_good=True)
    answer = RedirectResponse(_root(request) + path, 303)
    _keep(request, answer, SESSION_COOKIE, session, login.session_s)
    _drop(request, answer, LOGIN_COOKIE)
    return answer


@router.get("/logout")
def ask_to_log_out(request: Request) -> Response:
    _login(request)
    return page("logout.html")


@router.post("/logout")
def log_out(request: Request) -> Response:
    _login(request)
    answer = page("login.html", detail="You have logged out here.", root=_root(request))
    _drop(request, answer, SESSION_COOKIE)
    return answer


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
