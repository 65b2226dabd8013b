"""Connections to a service: requests, again where that may help; what goes wrong is one of the client's errors."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, TypeVar

import anyio
import httpx
from tenacity import AsyncRetrying, Retrying

from monitor.client.errors import UnreachableError, error_of
from monitor.client.requests import Pause, Request, Steps, patience, read_document
from monitor.client.stream import Happened, follow, follow_async
from monitor.clock import SystemClock
from monitor.errors import InputError
from monitor.tls.client import ClientTls
from sinks.time_limit import FAILURES

__all__ = ["VARIABLE", "AsyncConnection", "Connection", "headers_with"]

VARIABLE = "LEEWAY_TOKEN"
CONNECT_S = 5.0
T = TypeVar("T")


class Connection:
    """Sends requests, and waits for answers in the caller's thread."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        retries: int,
        transport: httpx.BaseTransport | None,
        token: str | None,
        tls: ClientTls,
    ) -> None:
        self._url, self._attempts = url, retries + 1
        self._client = httpx.Client(transport=transport, **_options(timeout_s, token, tls, is_own=transport is None))

    def run(self, steps: Steps[T]) -> T:
        """Do what an operation needs, and return its result.

        Raises
        ------
        ClientError
        """
        document: dict[str, Any] | None = None
        try:
            while True:
                # A generator begins by being sent None.
                step = steps.send(document)  # type: ignore[arg-type]
                document = self._paused(step) if isinstance(step, Pause) else self.document(step)
        except StopIteration as end:
            result: T = end.value
            return result

    def document(self, request: Request) -> dict[str, Any]:
        """Return the document that answers a request."""
        content = self.whole(request)
        return read_document(httpx.Response(httpx.codes.OK, content=content), self._url, request.holds)

    def whole(self, request: Request) -> bytes:
        """Return a whole answer; one that is cut off is requested again."""
        return self._again(request, lambda: b"".join(self._parts(request)))

    def stream(self, request: Request) -> Iterator[bytes]:
        """Yield an answer part by part; it is requested again only before the first part."""
        yield from self._again(request, lambda: _begun(self._parts(request)))

    def lines(self, request: Request) -> Iterator[str]:
        """Yield the lines of an answer."""
        with self._streamed(request) as answer:
            yield from answer.iter_lines()

    def follow(self, parameters: Mapping[str, Any], after: str | None) -> Iterator[Happened]:
        """Yield what happens to alerts, behind a position."""
        return follow(self._client, self._url, parameters, after)

    def close(self) -> None:
        self._client.close()

    def _paused(self, pause: Pause) -> dict[str, Any]:
        SystemClock().wait(threading.Event(), pause.seconds)
        return {}

    def _again(self, request: Request, call: Callable[[], T]) -> T:
        return Retrying(**patience(self._attempts if request.may_be_repeated else 1))(call)

    def _parts(self, request: Request) -> Iterator[bytes]:
        with self._streamed(request) as answer:
            yield from answer.iter_bytes()

    @contextmanager
    def _streamed(self, request: Request) -> Iterator[httpx.Response]:
        """Lend an answer that is good, part by part."""
        address = f"{self._url}{request.route}"
        try:
            with self._client.stream(request.method, address, **request.options()) as answer:
                if not request.is_answered_by(answer):
                    answer.read()
                    raise error_of(answer, address)
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{self._url} cannot be reached: {error}") from error


class AsyncConnection:
    """Sends requests, and waits for answers in the caller's event loop; methods are as of :class:`Connection`."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        retries: int,
        transport: httpx.AsyncBaseTransport | None,
        token: str | None,
        tls: ClientTls,
    ) -> None:
        self._url, self._attempts = url, retries + 1
        options = _options(timeout_s, token, tls, is_own=transport is None)
        self._client = httpx.AsyncClient(transport=transport, **options)

    async def run(self, steps: Steps[T]) -> T:
        document: dict[str, Any] | None = None
        try:
            while True:
                step = steps.send(document)  # type: ignore[arg-type]
                document = await (self._paused(step) if isinstance(step, Pause) else self.document(step))
        except StopIteration as end:
            result: T = end.value
            return result

    async def document(self, request: Request) -> dict[str, Any]:
        content = await self.whole(request)
        return read_document(httpx.Response(httpx.codes.OK, content=content), self._url, request.holds)

    async def whole(self, request: Request) -> bytes:
        async def joined() -> bytes:
            return b"".join([part async for part in self._parts(request)])

        return await self._again(request, joined)

    async def stream(self, request: Request) -> AsyncGenerator[bytes]:
        async def begun() -> tuple[bytes, AsyncGenerator[bytes]]:
            parts = self._parts(request)
            return await anext(parts, b""), parts

        first, others = await self._again(request, begun)
        # Closed with this generator, and not when garbage is collected: it holds a connection.
        async with aclosing(others):
            yield first
            async for part in others:
                yield part

    async def lines(self, request: Request) -> AsyncGenerator[str]:
        async with self._streamed(request) as answer:
            async for line in answer.aiter_lines():
                yield line

    def follow(self, parameters: Mapping[str, Any], after: str | None) -> AsyncGenerator[Happened]:
        return follow_async(self._client, self._url, parameters, after)

    async def close(self) -> None:
        await self._client.aclose()

    async def _paused(self, pause: Pause) -> dict[str, Any]:
        await anyio.sleep(pause.seconds)
        return {}

    async def _again(self, request: Request, call: Callable[[], Awaitable[T]]) -> T:
        retrying = AsyncRetrying(**patience(self._attempts if request.may_be_repeated else 1))
        return await retrying(call)

    async def _parts(self, request: Request) -> AsyncGenerator[bytes]:
        async with self._streamed(request) as answer:
            async for part in answer.aiter_bytes():
                yield part

    @asynccontextmanager
    async def _streamed(self, request: Request) -> AsyncIterator[httpx.Response]:
        address = f"{self._url}{request.route}"
        try:
            async with self._client.stream(request.method, address, **request.options()) as answer:
                if not request.is_answered_by(answer):
                    await answer.aread()
                    raise error_of(answer, address)
                yield answer
        except FAILURES as error:
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


def _options(timeout_s: float, token: str | None, tls: ClientTls, *, is_own: bool) -> dict[str, Any]:
    """Return what both of httpx's clients take; a transport of somebody else's sees to encryption itself."""
    timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
    return {"timeout": timeout, "headers": headers_with(token), "verify": tls.context() if is_own else True}


def _begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Wait for the first part, and return all of them."""
    first = next(parts, b"")

    def all_of_them() -> Iterator[bytes]:
        yield first
        yield from parts

    return all_of_them()
