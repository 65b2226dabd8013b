"""The connection to a service: requests, again where that may help."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from monitor.client.errors import ServiceError, UnavailableError, UnreachableError, error_of
from monitor.client.stream import Happened, follow
from monitor.errors import InputError
from monitor.tls.client import ClientTls

__all__ = ["VARIABLE", "Connection", "headers_with"]

VARIABLE = "LEEWAY_TOKEN"
CONNECT_S = 5.0
MOST_WAIT_S = 8.0
T = TypeVar("T")


class Connection:
    """Sends requests, again where that may help, and turns what goes wrong into the client's errors."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        retries: int,
        transport: httpx.BaseTransport | None,
        token: str | None,
        tls: ClientTls,
    ) -> None:
        self._url = url
        limits, headers = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)), headers_with(token)
        verify = True if transport is not None else tls.context()
        self._client = httpx.Client(timeout=limits, transport=transport, headers=headers, verify=verify)
        self._attempts = retries + 1

    def document(self, route: str, parameters: Mapping[str, Any], holds: str = "items") -> dict[str, Any]:
        """Return a page of a list, or another document, which a service's answer is known by."""
        return self._again(lambda: self._page(route, parameters, holds))

    def whole(self, route: str, parameters: Mapping[str, Any]) -> bytes:
        """Return a whole answer; one that is cut off is requested again."""
        return self._again(lambda: b"".join(self._parts(route, parameters)))

    def send(
        self, route: str, body: Mapping[str, Any] | None, method: str = "POST", *, holds: str = "items"
    ) -> dict[str, Any]:
        """Have something done, and return what became of it, a document that ``holds`` a name.

        Once: it might be done twice.

        Raises
        ------
        ClientError
        """
        return self._done(method, route, holds, json=body)

    def lines(self, route: str, body: Mapping[str, Any]) -> Iterator[str]:
        """Have something done, once, and yield the lines of the answer.

        Raises
        ------
        ClientError
        """
        with self._streamed("POST", route, json=body) as answer:
            yield from answer.iter_lines()

    def change(
        self, method: str, route: str, parameters: Mapping[str, Any], content: str, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """Have a document put, or something deleted, and return what became of it. Once, as :meth:`send`.

        Raises
        ------
        ClientError
        """
        stated = {"params": dict(parameters), "content": content, "headers": dict(headers)}
        return self._done(method, route, "version", **stated)

    def stream(self, route: str, parameters: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield an answer part by part; it is requested again only before the first part."""
        parts = self._again(lambda: _begun(self._parts(route, parameters)))
        yield from parts

    def follow(self, parameters: Mapping[str, Any], after: str | None) -> Iterator[Happened]:
        """Yield what happens to alerts, behind a position."""
        return follow(self._client, self._url, parameters, after)

    def close(self) -> None:
        self._client.close()

    def _again(self, call: Callable[[], T]) -> T:
        retrying = Retrying(
            retry=retry_if_exception_type((UnreachableError, UnavailableError)),
            stop=stop_after_attempt(self._attempts),
            wait=_wait_s,
            reraise=True,
        )
        return retrying(call)

    def _page(self, route: str, parameters: Mapping[str, Any], holds: str) -> dict[str, Any]:
        return self._read(httpx.Response(200, content=b"".join(self._parts(route, parameters))), holds)

    def _read(self, answer: httpx.Response, holds: str = "items") -> dict[str, Any]:
        try:
            document = answer.json()
        except ValueError as error:
            raise ServiceError(f"{self._url} is no Leeway service: it does not answer JSON") from error
        if not isinstance(document, dict) or holds not in document:
            raise ServiceError(f"{self._url} is no Leeway service")
        return document

    def _parts(self, route: str, parameters: Mapping[str, Any]) -> Iterator[bytes]:
        stated = {name: value for name, value in parameters.items() if value is not None}
        with self._streamed("GET", route, params=stated) as answer:
            yield from answer.iter_bytes()

    def _done(self, method: str, route: str, holds: str, **options: Any) -> dict[str, Any]:
        """Request once, and return the document that is answered."""
        with self._streamed(method, route, **options) as answer:
            answer.read()
        return self._read(answer, holds)

    @contextmanager
    def _streamed(self, method: str, route: str, **options: Any) -> Iterator[httpx.Response]:
        """Lend an answer that is good, part by part; what goes wrong is one of the client's errors."""
        try:
            with self._client.stream(method, f"{self._url}{route}", **options) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise error_of(answer, f"{self._url}{route}")
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{self._url} cannot be reached: {error}") from error


def headers_with(token: str | None) -> dict[str, str]:
    """Return the headers that show a token; that of the variable ``LEEWAY_TOKEN`` if None, and none if that is empty.

    Raises
    ------
    InputError
        If it cannot be one.
    """
    secret = os.environ.get(VARIABLE, "").strip() if token is None else token
    if not (secret.isascii() and secret.isprintable()):
        raise InputError("the token has characters that no token has")
    return {"Authorization": f"Bearer {secret}"} if secret else {}


def _begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    first = next(parts, b"")

    def all_of_them() -> Iterator[bytes]:
        yield first
        yield from parts

    return all_of_them()


def _wait_s(state: RetryCallState) -> float:
    """As long as the service says, else 0.5 s, 1 s, 2 s …."""
    error = state.outcome.exception() if state.outcome is not None else None
    said_s = error.retry_after_s if isinstance(error, UnavailableError) else 0.0
    return min(MOST_WAIT_S, said_s or 0.25 * 2**state.attempt_number)
