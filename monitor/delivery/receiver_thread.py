"""One receiver's thread: notifications take turns, so that one which is not taken delays no other."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.delivery.attempts import Attempts, Delivery, Pause
from sinks.receivers.times import utc

__all__ = ["Hold", "ReceiverThread"]


@dataclass(frozen=True)
class Hold:
    """Until when a receiver asks to be sent nothing.

    Attributes
    ----------
    until_s : float
        By the clock that does not leap.
    until_ms : int
        For people: to the second, up, so that all that waits has the same reason, and none is tried earlier than it
        says.
    """

    until_s: float = 0.0
    until_ms: int = 0


class ReceiverThread:
    """Tries notifications of one receiver, one at a time: whichever is due first.

    Parameters
    ----------
    name : str
        Of the thread.
    clock : Clock
    after : Future or None
        What the receiver is still being sent by another thread: nothing is tried before that has ended.
    hold : Hold
        What another thread was asked for.

    Attributes
    ----------
    hold : Hold
        What the receiver has asked for.
    trying : Future or None
        What becomes of the notification that is being tried.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        after: Future[Delivery] | None = None,
        hold: Hold = Hold(),
    ) -> None:
        self._clock, self._after, self.hold = clock, after, hold
        self.trying: Future[Delivery] | None = None
        self._due: list[tuple[float, int, Attempts, Future[Delivery]]] = []
        self._count = 0
        self._changed = threading.Condition()
        self._is_stopping = self.is_over = False
        self._at_end: Callable[[], None] | None = None
        if after is not None:
            after.add_done_callback(self._wake)
        threading.Thread(target=self._run, name=name, daemon=True).start()

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
            is_over = self.is_over
            self._changed.notify()
        if is_over:
            then()

    def stop(self) -> None:
        """Give up on what waits, and end behind what is being tried; returns at once."""
        with self._changed:
            self._is_stopping = True
            waiting, self._due = self._due, []
            self._changed.notify()
        for _, _, attempts, future in waiting:
            future.set_result(
                attempts.given_up("routes were taken up anew, or the service stopped, before it was tried")
            )

    def withdraw(self, futures: Collection[Future[Delivery]]) -> None:
        """Give up on some of what waits for its turn or for another try; what is being tried goes on."""
        with self._changed:
            withdrawn = [entry for entry in self._due if entry[3] in futures]
            self._due = [entry for entry in self._due if entry[3] not in futures]
            heapq.heapify(self._due)
            is_held = self.hold.until_s > self._clock.monotonic_s()
        reason = f"the receiver asks to be sent nothing before {utc(self.hold.until_ms)}"
        for _, _, attempts, future in withdrawn:
            future.set_result(attempts.given_up(reason if is_held else "others were before it, and took all the time"))

    def _wake(self, _: Future[Delivery]) -> None:
        with self._changed:
            self._changed.notify()

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
            self._hold(attempts.held_s)
            if isinstance(answer, Delivery) or not self._is_put_off(answer, attempts, future):
                future.set_result(answer if isinstance(answer, Delivery) else attempts.given_up())
        if self._at_end is not None:
            self._at_end()

    def _hold(self, for_s: float) -> None:
        """Send the receiver nothing for so long, whatever becomes of what it has answered."""
        with self._changed:
            until_s = self._clock.monotonic_s() + for_s
            if until_s > self.hold.until_s:
                self.hold = Hold(until_s, -(-(self._clock.now_ms() + round(for_s * 1000)) // 1000) * 1000)

    def _is_put_off(self, pause: Pause, attempts: Attempts, future: Future[Delivery]) -> bool:
        """Have it tried again after a pause; not where nothing is tried any more."""
        with self._changed:
            if not self._is_stopping:
                self._push(pause.for_s, attempts, future)
            return not self._is_stopping

    def _next(self) -> tuple[Attempts, Future[Delivery]] | None:
        """Wait for the next turn; None at the end."""
        with self._changed:
            self.trying = None
            while not self._is_stopping and (self._due or self._at_end is None):
                now_s = self._clock.monotonic_s()
                wait_s = max(self._due[0][0], self.hold.until_s) - now_s if self._due else None
                if self._after is not None and not self._after.done():
                    wait_s = None
                if wait_s is not None and wait_s <= 0:
                    _, _, attempts, self.trying = heapq.heappop(self._due)
                    return attempts, self.trying
                self._changed.wait(wait_s)
            self.is_over = True
            return None
