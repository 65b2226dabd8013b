"""The API without a server: httpx asks an application of this process, and reads its answer as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from typing import Any

import anyio
import anyio.to_thread
import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

__all__ = ["AsyncInProcess", "InProcess"]

Message = dict[str, Any]
AnyStream = httpx.SyncByteStream | httpx.AsyncByteStream
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
        # Else the thread would wait for answers that nobody reads any more.
        self._stack.callback(self._portal.call, self._portal.stop, True)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; returns as soon as the answer has begun.

        Raises
        ------
        httpx.RemoteProtocolError
            If the application ends without an answer.
        """
        request.read()
        answer = self.begin(request)
        return answer.started(request, answer.next_message(), answer)

    def begin(self, request: httpx.Request) -> _Answer:
        """Have the application begin with a request that has been read."""
        sender, receiver = anyio.create_memory_object_stream[Message](AHEAD)
        call: Future[None] = self._portal.start_task_soon(self._run, _scope(request), request.content, sender)
        return _Answer(self._portal, receiver, call)

    async def _run(self, scope: Message, body: bytes, sender: MemoryObjectSendStream[Message]) -> None:
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if not unread:
                await anyio.sleep_forever()
            return unread.pop()

        async with sender:
            await self._app(scope, receive, sender.send)

    def close(self) -> None:
        """End the thread, and answers that have not been read to their end."""
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
        answer = self._transport.begin(request)
        try:
            start = await anyio.to_thread.run_sync(answer.next_message, abandon_on_cancel=True)
        except BaseException:
            answer.close()  # which also ends the thread that waits
            raise
        return answer.started(request, start, _AsyncAnswer(answer))

    async def aclose(self) -> None:
        """End the thread, and answers that have not been read to their end."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._transport.close)


class _Answer(httpx.SyncByteStream):
    """The messages of one answer."""

    def __init__(
        self, portal: BlockingPortal, receiver: MemoryObjectReceiveStream[Message], call: Future[None]
    ) -> None:
        self._portal, self._receiver, self._call = portal, receiver, call
        self._complete = False

    def next_message(self) -> Message | None:
        """Wait for the next message; None when the application has ended, or the answer is closed."""
        try:
            return self._portal.call(self._receiver.receive)
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            return None
        except (RuntimeError, CancelledError):  # the portal is closed
            return None

    def started(self, request: httpx.Request, start: Message | None, stream: AnyStream) -> httpx.Response:
        """Return the response of which ``start`` is the first message."""
        if start is None:
            self.close()
            raise httpx.RemoteProtocolError("the application gave no answer", request=request)
        return httpx.Response(start["status"], headers=start["headers"], stream=stream, request=request)

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
        try:
            self._portal.call(self._receiver.aclose)
        except (RuntimeError, CancelledError):  # the portal is closed
            self._receiver.close()


class _AsyncAnswer(httpx.AsyncByteStream):
    """The messages of one answer, waited for in threads."""

    def __init__(self, answer: _Answer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = iter(self._answer)
        while part := await anyio.to_thread.run_sync(next, parts, b"", abandon_on_cancel=True):
            yield part

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
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
