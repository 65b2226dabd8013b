"""Errors as RFC 9457 problem documents: one table of what can go wrong, one class, and the handlers."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from monitor.api.reading import CursorError
from monitor.api.security_headers import secure
from monitor.errors import InputError, SourceError
from sinks.store.contract import StoreError

__all__ = [
    "ALERTMANAGERS",
    "MEDIA_TYPE",
    "PROBLEMS",
    "RESPONSES",
    "Kind",
    "Problem",
    "ProblemError",
    "bad_parameter",
    "install",
    "is_json",
    "method_of",
    "problem",
    "retry_after",
]

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "5"
BEARER, BASIC = 'Bearer realm="Leeway"', 'Basic realm="Leeway", charset="UTF-8"'
"""Browsers ask for a name and a password when they read the second, in a header of its own: Chromium reads no further
than to the first of several in one."""

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


KNOWN_METHODS = frozenset({*METHODS, "OPTIONS"})


def method_of(scope: Scope) -> str:
    """Return the method of a request, or ``other``: clients may make up as many as they like.

    Examples
    --------
    >>> method_of({"method": "GET"}), method_of({"method": "ANNA"})
    ('GET', 'other')
    """
    return scope["method"] if scope["method"] in KNOWN_METHODS else "other"


@dataclass(frozen=True)
class Kind:
    """One kind of problem.

    Attributes
    ----------
    status : int
    title : str
    of : tuple of str or None
        Names of parameters and of members of bodies, ``body`` for any body, ``role`` for what needs a role, ``client``
        for all but probes, ``change`` for what is no ``GET``, and paths: operations that have one of them may fail in
        this way. None: every operation may.
    """

    status: int
    title: str
    of: tuple[str, ...] | None = None


PROBLEMS: dict[str, Kind] = {
    "bad-cursor": Kind(400, "The cursor is not one that this query gave", ("cursor", "last-event-id")),
    "bad-body": Kind(400, "The body cannot be read", ("body",)),
    "bad-alert": Kind(400, "An alert cannot be taken", ("/api/v2/alerts",)),
    "unauthorized": Kind(401, "A token is needed that is good", ("role",)),
    "forbidden": Kind(403, "The token's role may not do this", ("role",)),
    "cross-site": Kind(403, "Another site's page may change nothing", ("change",)),
    "not-found": Kind(
        404,
        "There is nothing at this address",
        ("subscription", "name", "silence_id", "token", "rollout", "/api/v2/silences"),
    ),
    "unknown-model": Kind(404, "No such model", ("model", "models")),
    "unknown-namespace": Kind(404, "No such namespace", ("namespace",)),
    "unknown-signal": Kind(404, "The model has no such signal", ("signal",)),
    "unknown-window": Kind(404, "The signal has no such window", ("at",)),
    "unknown-alert": Kind(404, "No such alert", ("alert_id", "incident_id")),
    "unknown-version": Kind(
        404,
        "The configuration has no such version",
        ("/v1/models/{model}/configuration", "/v1/models/{model}/configuration/diff"),
    ),
    "unknown-stream": Kind(404, "No such stream", ("stream",)),
    "unknown-job": Kind(404, "No such job", ("job",)),
    "method-not-allowed": Kind(405, "The method is not allowed here", ()),
    "different-layouts": Kind(409, "The two windows cannot be compared", ("against_from",)),
    "no-configuration": Kind(409, "The model's configuration is needed", ("model", "namespace")),
    "nothing-stored": Kind(409, "Nothing is stored that would answer this", ("/v1/rows", "/v1/slices")),
    "job-paused": Kind(409, "The job is paused", ("/v1/jobs/{job}/run",)),
    "owned-by-a-file": Kind(409, "A file owns the model", ("if-match",)),
    "precondition-failed": Kind(412, "Another version is in force", ("if-match",)),
    "body-too-large": Kind(413, "The body is too large", ("body",)),
    "unsupported-media-type": Kind(415, "The kind of body is not supported", ("body",)),
    "misdirected": Kind(421, "The service does not answer by this name"),
    "bad-parameter": Kind(422, "A parameter is wrong"),
    "bad-configuration": Kind(422, "The configuration has mistakes", ("if-none-match",)),
    "too-many-alerts": Kind(429, "More posted alerts fire than may", ("/api/v2/alerts",)),
    "too-many-requests": Kind(429, "More is asked for than may be", ("client",)),
    "internal-error": Kind(500, "Internal error"),
    "store-error": Kind(500, "The store failed"),
    "unavailable": Kind(503, "Temporarily unavailable"),
    "busy": Kind(503, "As much is asked for as may be at once"),
    "not-ready": Kind(503, "Not ready", ("/readyz",)),
}
"""Every kind of problem, by the fragment of its ``type``."""


class FieldError(BaseModel):
    """One wrong parameter, or one mistake in a document."""

    field: str
    message: str
    line: int | None = Field(default=None, description="of a document: counted from 1; 0 where it has no such key")
    column: int | None = Field(default=None, description="likewise")


class Problem(BaseModel):
    """A problem document, RFC 9457."""

    type: str = Field(description="`/v1/problems#NAME`", examples=["/v1/problems#unknown-model"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="the path of the request")
    errors: list[FieldError] | None = None


RESPONSES: dict[int | str, dict[str, Any]] = {422: {"description": "A parameter is wrong"}}
"""FastAPI would document its own form of 422, which is never sent; `monitor/api/openapi.py` has all others."""

ALERTMANAGERS = "/api/v2"
"""Below it errors are JSON strings, as Alertmanager's clients read them."""


class ProblemError(HTTPException):
    """A request that cannot be answered as it stands.

    It is one of Starlette's errors: what others are raised while a body is read, FastAPI takes for damage to the body.

    Parameters
    ----------
    kind : str
        A key of :data:`PROBLEMS`.
    detail : str
        For people: what exactly, and what would be right.
    errors : list of dict
        One object per wrong field, with ``field`` and ``message``.
    members : object
        Further members of the document.
    """

    def __init__(
        self, kind: str, detail: str, *, errors: list[dict[str, Any]] | None = None, **members: object
    ) -> None:
        super().__init__(PROBLEMS[kind].status, detail)
        self.kind = kind
        self.errors = errors or []
        self.members = members


def bad_parameter(field: str, message: str) -> ProblemError:
    """Return the problem of one wrong parameter."""
    return ProblemError("bad-parameter", message, errors=[{"field": field, "message": message}])


def problem(request: Request, error: ProblemError) -> Response:
    """Return the answer that describes ``error``."""
    answer = _described(request, error)
    if PROBLEMS[error.kind].status == HTTPStatus.UNAUTHORIZED:
        # Where people log in, a page whose session has ended leads there: browsers would ask for a password before.
        for challenge in (BEARER,) if request.app.state.web_login is not None else (BEARER, BASIC):
            answer.headers.append("WWW-Authenticate", challenge)
    return answer


def _described(request: Request, error: ProblemError) -> Response:
    kind, headers = PROBLEMS[error.kind], retry_after(error)
    if request.url.path.removeprefix(request.scope.get("root_path", "")).startswith(f"{ALERTMANAGERS}/"):
        # Alertmanager knows no 422, and its clients show the text of a 400 only.
        status = HTTPStatus.BAD_REQUEST if kind.status == HTTPStatus.UNPROCESSABLE_ENTITY else kind.status
        return Response(msgspec.json.encode(error.detail), status, headers, "application/json")
    document: dict[str, Any] = {
        "type": f"/v1/problems#{error.kind}",
        "title": kind.title,
        "status": kind.status,
        "detail": error.detail,
        "instance": request.url.path,
        **error.members,
    }
    if error.errors:
        document["errors"] = error.errors
    return Response(msgspec.json.encode(document), kind.status, headers, MEDIA_TYPE)


def retry_after(error: ProblemError) -> dict[str, str]:
    """Return the header that says when to come again; none where that is of no use."""
    by_status = RETRY_AFTER_S if error.status_code == HTTPStatus.SERVICE_UNAVAILABLE else None
    seconds = error.members.get("retry_after_s", by_status)
    return {} if seconds is None else {"Retry-After": str(seconds)}


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem document."""
    app.add_exception_handler(ProblemError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(StoreError, _store)
    app.add_exception_handler(SourceError, _source)
    app.add_exception_handler(CursorError, _cursor)
    app.add_exception_handler(InputError, _input)
    app.add_exception_handler(Exception, _unexpected)


def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem(request, error)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    kind = request.headers.get("content-type", "")
    if not is_json(kind) and any(item["loc"][:1] == ("body",) for item in error.errors()):
        return problem(
            request,
            ProblemError("unsupported-media-type", f"Content-Type {_media(kind)!r}; it is application/json here"),
        )
    errors = [
        {"field": str(item["loc"][-1]), "message": str(item["msg"]).removeprefix("Value error, ")}
        for item in error.errors()
    ]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    return problem(request, ProblemError("bad-parameter", detail, errors=errors))


def is_json(content_type: str) -> bool:
    """Whether a body of this type is JSON.

    Examples
    --------
    >>> is_json("application/json; charset=utf-8"), is_json("application/problem+json"), is_json("text/plain")
    (True, True, False)
    """
    kind = _media(content_type)
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = _allowed(request)
        detail = f"{request.method} is not allowed here; allowed is {allowed}"
        answer = problem(request, ProblemError("method-not-allowed", detail))
        answer.headers["Allow"] = allowed
        return answer
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(request, ProblemError("not-found", f"{request.url.path} is no route of this API"))
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # Of a body that is no UTF-8, is nested too deep, or has a number of thousands of digits.
        detail = f"the body is not JSON that can be read: {error.__cause__ or error.detail}"
        return problem(request, ProblemError("bad-body", detail))
    return problem(request, ProblemError("internal-error", HTTPStatus(error.status_code).phrase))


def _allowed(request: Request) -> str:
    """Return the methods of all routes at the address, of which Starlette names those of the first."""
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    routes = request.app.routes
    allowed = {
        method for method, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)
    }
    return ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))


def _store(request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreError)
    return problem(request, ProblemError("unavailable" if error.retryable else "store-error", str(error)))


def _source(request: Request, error: Exception) -> Response:
    assert isinstance(error, SourceError)
    return problem(request, ProblemError("unavailable" if error.retryable else "internal-error", str(error)))


def _input(request: Request, error: Exception) -> Response:
    return problem(request, ProblemError("bad-parameter", str(error)))


def _cursor(request: Request, error: Exception) -> Response:
    return problem(request, ProblemError("bad-cursor", str(error)))


def _unexpected(request: Request, error: Exception) -> Response:
    # What went wrong goes to the service's log, not to the caller.
    answer = problem(request, ProblemError("internal-error", "the service's log says what happened"))
    # It is sent from outside all middleware.
    secure(answer.headers, request.url.scheme)
    return answer
