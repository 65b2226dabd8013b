"""A server on the loopback whose answer goes on for ever, a few bytes at a time."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType

__all__ = ["Dripping"]

EVERY_S = 0.02
MOST_DRIPS = 250
"""Somebody who waits for all of it waits for 5 s, and is not cut off by the test."""


class Dripping:
    """Answers whatever it is asked, without reading on.

    Parameters
    ----------
    first : bytes
        At once.
    drip : bytes
        Again and again after that.
    """

    def __init__(self, first: bytes, drip: bytes) -> None:
        self._first, self._drip = first, drip
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._left, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.port: int = self._listener.getsockname()[1]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}/asked"

    @property
    def was_left(self) -> bool:
        """Whether who asked has closed the connection before the answer was over."""
        return self._left.wait(MOST_DRIPS * EVERY_S)

    def __enter__(self) -> Dripping:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        # The listener is closed at the end.
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            connection.sendall(self._first)
            for _ in range(MOST_DRIPS):
                if self._closing.wait(EVERY_S):
                    return
                connection.sendall(self._drip)
        except OSError:
            self._left.set()
