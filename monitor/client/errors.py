"""Errors of questions to a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from monitor.errors import InputError, LeewayError, SourceError

__all__ = [
    "AccessError",
    "ClientError",
    "QuestionError",
    "ServiceError",
    "UnavailableError",
    "UnknownError",
    "UnreachableError",
    "advised",
    "error_of",
]


class ClientError(LeewayError):
    """No answer to a question."""


class UnreachableError(ClientError, SourceError):
    """The service does not answer, or its answer was cut off."""

    def __init__(self, message: str) -> None:
        SourceError.__init__(self, message, retryable=True)


class _Problem:
    """The members of a problem document.

    Attributes
    ----------
    kind : str
        A name in ``GET /v1/problems``, such as ``unknown-model``; empty if the answer was no problem document.
    status : int
    errors : list of dict
        ``field`` and ``message`` of each wrong parameter, and ``line`` of each mistake in a document.
    retry_after_s : float
        How long the service asks to wait; 0 if it does not.
    """

    kind: str = ""
    status: int = 0
    errors: Sequence[Mapping[str, Any]] = ()
    retry_after_s: float = 0.0


class QuestionError(_Problem, ClientError, InputError):
    """The question is wrong; the message says what would be right."""


class UnknownError(QuestionError):
    """There is no such model, signal or alert."""


class AccessError(QuestionError):
    """The service asks for a token, or for one of another role."""


class ServiceError(_Problem, ClientError, SourceError):
    """The service, or its store, failed."""

    def __init__(self, message: str) -> None:
        SourceError.__init__(self, message, retryable=False)


class UnavailableError(ServiceError):
    """The service says that the same question may be answered later."""

    def __init__(self, message: str) -> None:
        SourceError.__init__(self, message, retryable=True)


def error_of(answer: httpx.Response, address: str) -> Exception:
    """Return the error that a problem document describes, or a sentence."""
    try:
        document = answer.json()
    except ValueError:
        document = {}
    if isinstance(document, str):  # the routes of Alertmanager's API
        document = {"detail": document}
    if not isinstance(document, dict) or "detail" not in document:
        error: _Problem = ServiceError(f"{address} is no Leeway service: it answers {answer.status_code}")
    else:
        kind = _KINDS.get(answer.status_code, ServiceError if answer.status_code >= 500 else QuestionError)
        detail = advised(answer.status_code, document["detail"])
        error = kind(detail if issubclass(kind, QuestionError) else f"{address}: {detail}")
        error.kind = str(document.get("type", "")).partition("#")[2]
        error.errors = document.get("errors", [])
    error.status = answer.status_code
    waits = answer.headers.get("retry-after", "")
    error.retry_after_s = float(waits) if waits.isdecimal() else 0.0
    assert isinstance(error, ClientError)
    return error


def advised(status: int, detail: str) -> str:
    """Return what a service answers, with what to do if it is about a token."""
    return f"{detail}; {_ADVICE[status]}" if status in _ADVICE else detail


_ADVICE = {
    401: "set LEEWAY_TOKEN, or name the file of a token with --token-file (`leeway token create` makes one)",
    403: "ask an administrator for a token of that role",
}
_KINDS: dict[int, type[QuestionError] | type[ServiceError]] = {
    401: AccessError,
    403: AccessError,
    404: UnknownError,
    429: UnavailableError,
    503: UnavailableError,
}
