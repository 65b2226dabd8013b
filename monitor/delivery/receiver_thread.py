"""One receiver's thread: notifications take turns, so that one which is not taken delays no other."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from concurrent.futures import Future

from monitor.clock import Clock
from monitor.delivery.attempts import Delivering, Delivery

__all__ = ["Turns"]


class Turns:
    """Tries notifications of one receiver, one at a time: whichever is due first.

    Parameters
    ----------
    name : str
        Of the thread.
    clock : Clock
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Delivering, Future[Delivery]]] = []
        self._count = 0
        self._held_until_s = 0.0
        self._changed = threading.Condition()
        self._is_stopping = False
        self._last: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def add(self, going: Delivering) -> Future[Delivery]:
        """Have a notification tried behind those that are due."""
        future: Future[Delivery] = Future()
        with self._changed:
            self._push(0.0, going, future)
            self._changed.notify()
        return future

    def end(self, last: Callable[[], None]) -> None:
        """Do something once nothing waits any more, and end then; returns at once."""
        with self._changed:
            self._last = last
            self._changed.notify()

    def stop(self) -> None:
        """Give up on what waits; :meth:`join` waits for what is being tried."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    def _push(self, after_s: float, going: Delivering, future: Future[Delivery]) -> None:
        self._count += 1
        heapq.heappush(self._due, (self._clock.monotonic_s() + after_s, self._count, going, future))

    def _run(self) -> None:
        while (turn := self._next()) is not None:
            going, future = turn
            try:
                said = going.once()
            except Exception as error:  # noqa: BLE001 -- whoever asks for the result gets it
                future.set_exception(error)
                continue
            if isinstance(said, Delivery):
                future.set_result(said)
                continue
            with self._changed:
                self._held_until_s = max(self._held_until_s, self._clock.monotonic_s() + said.held_s)
                self._push(said.for_s, going, future)

    def _next(self) -> tuple[Delivering, Future[Delivery]] | None:
        """Wait for the next turn; None at the end."""
        with self._changed:
            while not self._is_stopping:
                if not self._due and self._last is not None:
                    self._last()
                    return None
                now_s = self._clock.monotonic_s()
                wait_s = max(self._due[0][0], self._held_until_s) - now_s if self._due else None
                if wait_s is not None and wait_s <= 0:
                    _, _, going, future = heapq.heappop(self._due)
                    return going, future
                self._changed.wait(wait_s)
            for _, _, going, future in self._due:
                future.set_result(going.given_up())
            self._due.clear()
            if self._last is not None:
                self._last()
            return None
