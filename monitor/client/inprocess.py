"""The API without a server: httpx asks an application of this process, and reads its answer as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

import anyio
import anyio.to_thread
import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

__all__ = ["AsyncInProcess", "InProcess"]

Message = dict[str, Any]
AHEAD = 4
"""Parts of an answer that are made before they are read."""


class InProcess(httpx.BaseTransport):
    """A transport for ``httpx.Client`` that calls an ASGI application in a thread of its own.

    Unlike ``httpx.ASGITransport`` it serves synchronous clients, and holds no more than a few parts of an answer.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; returns as soon as the answer has begun.

        Raises
        ------
        httpx.RemoteProtocolError
            If the application ends without an answer.
        """
        request.read()
        sender, receiver = anyio.create_memory_object_stream[Message](AHEAD)
        call: Future[None] = self._portal.start_task_soon(self._run, _scope(request), request.content, sender)
        answer = _Answer(self._portal, receiver, call)
        start = answer.next_message()
        if start is None:
            answer.close()
            raise httpx.RemoteProtocolError("the application gave no answer", request=request)
        return httpx.Response(start["status"], headers=start["headers"], stream=answer, request=request)

    async def _run(self, scope: Message, body: bytes, sender: MemoryObjectSendStream[Message]) -> None:
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if not unread:
                await anyio.sleep_forever()
            return unread.pop()

        async with sender:
            await self._app(scope, receive, sender.send)

    def close(self) -> None:
        """End the thread."""
        self._stack.close()


class AsyncInProcess(httpx.AsyncBaseTransport):
    """A transport for ``httpx.AsyncClient``: :class:`InProcess`, waited for in threads, so that no event loop stands.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: Any) -> None:
        self._transport = InProcess(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; returns as soon as the answer has begun."""
        await request.aread()
        answer = await anyio.to_thread.run_sync(self._transport.handle_request, request)
        assert isinstance(answer.stream, _Answer)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=_AsyncAnswer(answer.stream))

    async def aclose(self) -> None:
        """End the thread."""
        await anyio.to_thread.run_sync(self._transport.close)


class _Answer(httpx.SyncByteStream):
    """The messages of one answer."""

    def __init__(
        self, portal: BlockingPortal, receiver: MemoryObjectReceiveStream[Message], call: Future[None]
    ) -> None:
        self._portal, self._receiver, self._call = portal, receiver, call
        self._complete = False

    def next_message(self) -> Message | None:
        """Wait for the next message; None when the application has ended."""
        try:
            return self._portal.call(self._receiver.receive)
        except anyio.EndOfStream:
            return None

    def __iter__(self) -> Iterator[bytes]:
        while not self._complete:
            message = self.next_message()
            if message is None:
                # What the application failed with stands in its own log, as it would on a server.
                raise httpx.RemoteProtocolError("the answer ended before it was complete")
            self._complete = not message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    def close(self) -> None:
        # Cancelled, since nobody reads the rest.
        self._call.cancel()
        self._portal.call(self._receiver.aclose)


class _AsyncAnswer(httpx.AsyncByteStream):
    """The messages of one answer, waited for in threads."""

    def __init__(self, answer: _Answer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = iter(self._answer)
        while part := await anyio.to_thread.run_sync(next, parts, b""):
            yield part

    async def aclose(self) -> None:
        await anyio.to_thread.run_sync(self._answer.close)


def _scope(request: httpx.Request) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 0),
        "root_path": "",
    }
