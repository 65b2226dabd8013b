"""What is asked of others over the network is given up after a time, however their answer trickles in."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

import httpx

__all__ = ["FAILURES", "begun", "reason_of", "within"]

Result = TypeVar("Result")
FAILURES = (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError)
"""What a request of httpx raises in an event loop if it fails.

TLS 1.3 refuses a client's certificate where the answer should be. What the loop then reads raises OpenSSL's own error,
of which httpx makes one of its own only where a socket is read.
"""


def within(limit_s: float, work: Coroutine[Any, Any, Result]) -> Result:
    """Do some work in a loop of its own, and return what it does; it is cancelled wherever it is when time is up.

    A timeout of httpx's bounds each wait for a byte, and a socket's likewise: one byte a second goes on for ever. For
    threads in which no loop runs.

    Raises
    ------
    TimeoutError

    Examples
    --------
    >>> within(0.01, asyncio.sleep(60))
    Traceback (most recent call last):
        ...
    TimeoutError
    """

    async def limited() -> Result:
        async with asyncio.timeout(limit_s):
            return await work

    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(limited())


def begun(name: str, work: Callable[[], Result]) -> Future[Result]:
    """Do some work in a thread of its own, which ends with the process: for what cannot be cancelled.

    Examples
    --------
    >>> begun("adding", lambda: 1 + 1).result()
    2
    """
    outcome: Future[Result] = Future()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 -- whoever waits gets it
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome


def reason_of(error: BaseException) -> str:
    """Return why a request failed: what the system says of its connection, if that is why.

    Of a name with many addresses it is what is said of the first one; the error itself says that all of them failed.
    """
    cause = error
    while (inner := cause.__cause__ or _wrapped(cause)) is not None:
        cause = inner.exceptions[0] if isinstance(inner, BaseExceptionGroup) else inner
    is_of_system = isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError | socket.gaierror)
    if is_of_system and isinstance(cause, OSError) and cause.errno:
        return f"[Errno {cause.errno}] {os.strerror(cause.errno)}"
    return str(error) or type(error).__name__


def _wrapped(error: BaseException) -> BaseException | None:
    """Return what httpcore makes its own error of, of which it forgets that it is the cause."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, BaseException) else None


class _Loop(asyncio.SelectorEventLoop):
    """Looks names up in threads that are not waited for, where asyncio's are at its end and at the process's."""

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> list[Any]:
        addresses: asyncio.Future[list[Any]] = self.create_future()

        def look_up() -> None:
            try:
                result = socket.getaddrinfo(host, port, **options)
            except Exception as error:  # noqa: BLE001 -- whoever waits gets it
                answer(addresses.set_exception, error)
            else:
                answer(addresses.set_result, result)

        def answer(settle: Any, value: Any) -> None:
            # The loop is closed if nobody waits any more.
            with suppress(RuntimeError):
                self.call_soon_threadsafe(lambda: addresses.done() or settle(value))

        threading.Thread(target=look_up, name="name-lookup", daemon=True).start()
        return await addresses
