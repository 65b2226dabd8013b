"""What the client sends and how it reads answers, whether its caller waits in a thread or in an event loop.

An operation is a generator: it yields what it needs, requests and pauses, and returns its result. So the client that
blocks and the one that does not have the same operations, and differ only in how they wait.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from tenacity import RetryCallState, retry_if_exception_type, stop_after_attempt

from monitor.client.errors import QuestionError, ServiceError, UnavailableError, UnreachableError
from monitor.resources.contract import Question

__all__ = [
    "MEDIA",
    "EventReader",
    "Happened",
    "Paging",
    "Pause",
    "Request",
    "Steps",
    "all_rows",
    "patience",
    "quoted",
    "read_document",
]

MEDIA = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
"""The forms of answers that have no pages, with their media types."""

MOST_WAIT_S = 8.0
PAGE = 10_000

T = TypeVar("T")

Happened = tuple[str, dict[str, Any] | None]
"""A position in the stream of alerts, and the transition before it; None where there is only the position."""


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes
    ----------
    route : str
    parameters : mapping
        Those that are None are left out.
    method : str
        A ``GET`` is sent again where that may help; anything else once, since it might be done twice.
    body : mapping or None
        Sent as JSON.
    content : str or None
        Sent as it is, instead of ``body``.
    headers : mapping
    holds : str
        A member of the document that answers it, by which a service's answer is known; empty where a list answers it,
        or nothing: the document is then one with ``items``.
    media : str
        The media type of its answer, by which a service's is known where that is no document: what stands before a
        service may answer 200 and a page to log in.
    """

    route: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    method: str = "GET"
    body: Mapping[str, Any] | None = None
    content: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    holds: str = "items"
    media: str = ""

    def is_answered_by(self, answer: httpx.Response) -> bool:
        return answer.is_success and answer.headers.get("content-type", self.media).startswith(self.media)

    @property
    def may_be_repeated(self) -> bool:
        return self.method == "GET"

    def options(self) -> dict[str, Any]:
        """Return what httpx has to know beside method and address.

        Examples
        --------
        >>> Request("/v1/alerts", {"model": "fraud", "cursor": None}).options()
        {'params': {'model': 'fraud'}, 'headers': {}}
        """
        stated = {name: value for name, value in self.parameters.items() if value is not None}
        sent = {"json": self.body, "content": self.content}
        present = {name: value for name, value in sent.items() if value is not None}
        return {"params": stated, "headers": dict(self.headers), **present}


@dataclass(frozen=True)
class Pause:
    """Time to let pass before the next request."""

    seconds: float


Steps = Generator[Request | Pause, dict[str, Any], T]
"""What an operation needs, one thing after another, and what it returns. It is sent each answer's document."""


class Paging:
    """The pages of an answer, one after another.

    Parameters
    ----------
    question : Question

    Attributes
    ----------
    is_over : bool
    """

    def __init__(self, question: Question) -> None:
        self._path, self._parameters, self._is_paged = question.path, question.wire(), question.is_paged
        # Of a question without pages, it is a parameter like any other.
        self._remaining: int | None = getattr(question, "limit", None) if question.is_paged else None
        self._cursor: str | None = None
        self.is_over = False

    def request(self) -> Request:
        """Return the request for the next page."""
        size = {"limit": PAGE if self._remaining is None else min(self._remaining, PAGE), "cursor": self._cursor}
        return Request(self._path, {**self._parameters, **(size if self._is_paged else {})}, holds="next_cursor")

    def take(self, document: dict[str, Any]) -> dict[str, Any]:
        """Take a page in, and return it."""
        self._cursor = document["next_cursor"]
        if self._remaining is not None:
            self._remaining -= len(document["items"])
        self.is_over = self._cursor is None or (self._remaining is not None and self._remaining <= 0)
        return document

    def whole(self, form: str) -> Request:
        """Return the request for all rows at once, in a form that has no pages."""
        limit = {"limit": self._remaining} if self._remaining is not None else {}
        return Request(self._path, {**self._parameters, **limit, "format": form}, media=MEDIA[form])


def all_rows(question: Question) -> Steps[list[dict[str, Any]]]:
    """Return the rows of all pages."""
    paging, rows = Paging(question), []
    while not paging.is_over:
        rows += paging.take((yield paging.request()))["items"]
    return rows


def quoted(name: str) -> str:
    """Return a name as a part of a route.

    Raises
    ------
    QuestionError
        It is empty: the route would be another one.

    Examples
    --------
    >>> quoted("a/b")
    'a%2Fb'
    """
    if not name:
        raise QuestionError("expected a name or an id, got nothing")
    return quote(name, safe="")


def patience(attempts: int) -> dict[str, Any]:
    """Return when, and how often, what went wrong is tried again: for tenacity."""
    return {
        "retry": retry_if_exception_type((UnreachableError, UnavailableError)),
        "stop": stop_after_attempt(attempts),
        "wait": _wait_s,
        "reraise": True,
    }


def read_document(answer: httpx.Response, url: str, holds: str) -> dict[str, Any]:
    """Return the document of an answer.

    Raises
    ------
    ServiceError
        It is none of a Leeway service.
    """
    if not holds and not answer.content:
        return {"items": []}
    try:
        document = answer.json()
    except ValueError as error:
        raise ServiceError(f"{url} is no Leeway service: it does not answer JSON") from error
    if not holds and isinstance(document, list):
        return {"items": document}
    if not isinstance(document, dict) or holds not in document:
        raise ServiceError(f"{url} is no Leeway service")
    return document


class EventReader:
    """Reads server-sent events (HTML standard, 9.2.6), as far as the service uses them: one line of data each.

    Examples
    --------
    >>> reader = EventReader()
    >>> lines = ["id: 1", "", ": heartbeat", "", "id: 2", "event: firing", 'data: {"state":"firing"}', ""]
    >>> [event for line in lines if (event := reader.take(line))]
    [('1', None), ('2', {'state': 'firing'})]
    """

    def __init__(self) -> None:
        self._event: dict[str, str] = {}

    def take(self, line: str) -> Happened | None:
        """Take a line in, and return the event that it ends, if it does."""
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            self._event[name] = value.removeprefix(" ")
        elif not line and "id" in self._event:
            event, self._event = self._event, {}
            return event["id"], json.loads(event["data"]) if "data" in event else None
        return None


def _wait_s(state: RetryCallState) -> float:
    """As long as the service says, else 0.5 s, 1 s, 2 s …."""
    error = state.outcome.exception() if state.outcome is not None else None
    said_s = error.retry_after_s if isinstance(error, UnavailableError) else 0.0
    return min(MOST_WAIT_S, said_s or 0.25 * 2**state.attempt_number)
