"""One receiver's thread: notifications take turns, so that one which is not taken delays no other."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from concurrent.futures import Future

from monitor.clock import Clock
from monitor.delivery.attempts import Attempts, Delivery

__all__ = ["ReceiverThread"]


class ReceiverThread:
    """Tries notifications of one receiver, one at a time: whichever is due first.

    Parameters
    ----------
    name : str
        Of the thread.
    clock : Clock
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Attempts, Future[Delivery]]] = []
        self._count = 0
        self._held_until_s = 0.0
        self._changed = threading.Condition()
        self._is_stopping = False
        self._at_end: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def add(self, attempts: Attempts) -> Future[Delivery]:
        """Have a notification tried behind those that are due."""
        future: Future[Delivery] = Future()
        with self._changed:
            self._push(0.0, attempts, future)
            self._changed.notify()
        return future

    def end(self, then: Callable[[], None]) -> None:
        """Do something once nothing waits any more, and end then; returns at once."""
        with self._changed:
            self._at_end = then
            self._changed.notify()

    def stop(self) -> None:
        """Give up on what waits; :meth:`join` waits for what is being tried."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    def _push(self, after_s: float, attempts: Attempts, future: Future[Delivery]) -> None:
        # The count keeps the order of those that are due at the same moment.
        self._count += 1
        heapq.heappush(self._due, (self._clock.monotonic_s() + after_s, self._count, attempts, future))

    def _run(self) -> None:
        while (turn := self._next()) is not None:
            attempts, future = turn
            try:
                answer = attempts.next()
            except Exception as error:  # noqa: BLE001 -- whoever asks for the result gets it
                future.set_exception(error)
                continue
            if isinstance(answer, Delivery):
                future.set_result(answer)
                continue
            with self._changed:
                self._held_until_s = max(self._held_until_s, self._clock.monotonic_s() + answer.held_s)
                self._push(answer.for_s, attempts, future)

    def _next(self) -> tuple[Attempts, Future[Delivery]] | None:
        """Wait for the next turn; None at the end."""
        with self._changed:
            while not self._is_stopping:
                if not self._due and self._at_end is not None:
                    self._at_end()
                    return None
                now_s = self._clock.monotonic_s()
                wait_s = max(self._due[0][0], self._held_until_s) - now_s if self._due else None
                if wait_s is not None and wait_s <= 0:
                    _, _, attempts, future = heapq.heappop(self._due)
                    return attempts, future
                self._changed.wait(wait_s)
            for _, _, attempts, future in self._due:
                future.set_result(attempts.given_up())
            self._due.clear()
            if self._at_end is not None:
                self._at_end()
            return None
