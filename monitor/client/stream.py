"""The stream of what happens to alerts, followed across interruptions."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

import anyio
import httpx

from monitor.client.errors import UnreachableError, error_of
from monitor.client.requests import EventReader, Happened
from monitor.clock import SystemClock
from sinks.time_limit import FAILURES

__all__ = ["Happened", "follow", "follow_async"]

PATH, EVENTS = "/v1/alerts/stream", "text/event-stream"
SILENT_S = 45.0
"""How long a silent connection counts as alive: the service sends something every 15 s."""

PAUSE_S = 2.0


class _Following:
    """How far a stream is, and whether a failure is the end of it."""

    def __init__(self, url: str, parameters: Mapping[str, Any], after: str | None) -> None:
        self._url, self._parameters, self._position = url, dict(parameters), after
        self._was_reached = False
        self._reader = EventReader()

    def request(self) -> dict[str, Any]:
        """Return the next connection's request, for httpx."""
        self._reader = EventReader()
        headers = {"Last-Event-ID": self._position} if self._position else {}
        address, parameters = f"{self._url}{PATH}", self._parameters
        return {"method": "GET", "url": address, "params": parameters, "headers": headers, "timeout": SILENT_S}

    def refuses(self, answer: httpx.Response) -> bool:
        """Whether an answer ends the stream; a service that has been reached may fail for a while."""
        is_stream = answer.is_success and answer.headers.get("content-type", EVENTS).startswith(EVENTS)
        refuses = not is_stream and not (self._was_reached and answer.is_server_error)
        self._was_reached |= not refuses
        return refuses

    def refusal(self, answer: httpx.Response) -> Exception:
        return error_of(answer, f"{self._url}{PATH}")

    def lost(self, error: Exception) -> None:
        """Take in that the connection is lost.

        Raises
        ------
        UnreachableError
            There never was one.
        """
        if not self._was_reached:
            raise UnreachableError(f"{self._url} cannot be reached: {error}") from error

    def take(self, answer: httpx.Response, line: str) -> Happened | None:
        """Take in a line, and return what happened, if it ends that."""
        happened = self._reader.take(line) if answer.is_success else None
        if happened is not None:
            self._position = happened[0]
        return happened


def follow(client: httpx.Client, url: str, parameters: Mapping[str, Any], after: str | None) -> Iterator[Happened]:
    """Yield what happens, for ever; a lost connection is made again, and nothing is missed.

    Parameters
    ----------
    client : httpx.Client
    url : str
        Of the service.
    parameters : mapping
        Of the stream.
    after : str or None
        The position to continue from; now if None.

    Raises
    ------
    UnreachableError
        The service does not answer the first time.
    ClientError
        It refuses the question.
    """
    following = _Following(url, parameters, after)
    while True:
        try:
            with client.stream(**following.request()) as answer:
                if following.refuses(answer):
                    answer.read()
                    raise following.refusal(answer)
                for line in answer.iter_lines():
                    if (happened := following.take(answer, line)) is not None:
                        yield happened
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            following.lost(error)
        SystemClock().wait(threading.Event(), PAUSE_S)


async def follow_async(
    client: httpx.AsyncClient, url: str, parameters: Mapping[str, Any], after: str | None
) -> AsyncGenerator[Happened]:
    """Yield what happens, as :func:`follow` does."""
    following = _Following(url, parameters, after)
    while True:
        try:
            async with client.stream(**following.request()) as answer:
                if following.refuses(answer):
                    await answer.aread()
                    raise following.refusal(answer)
                async for line in answer.aiter_lines():
                    if (happened := following.take(answer, line)) is not None:
                        yield happened
        except FAILURES as error:
            following.lost(error)
        await anyio.sleep(PAUSE_S)
