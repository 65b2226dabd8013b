"""The receivers that a router tells, each by a thread of its own: a sick one delays no other, and they come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from monitor.clock import Clock
from monitor.delivery.attempts import Delivering, Delivery
from monitor.delivery.receiver_thread import Turns
from monitor.delivery.target import Target
from sinks.receivers.contract import Receiver

__all__ = ["Senders"]


class Senders:
    """Receivers by the entries that routes name.

    Parameters
    ----------
    receivers : mapping of Target to Receiver
    clock : Clock

    Attributes
    ----------
    targets : dict of str to list of Target
        The entries of each receiver that is named; kept up to date.
    """

    def __init__(self, receivers: Mapping[Target, Receiver], clock: Clock) -> None:
        self._clock = clock
        self.targets: dict[str, list[Target]] = {}
        self._receivers: dict[Target, Receiver] = {}
        self._threads: dict[Target, Turns] = {}
        self._is_running = False
        for target, receiver in receivers.items():
            self.add(target, receiver)

    def __contains__(self, target: Target) -> bool:
        return target in self._receivers

    def add(self, target: Target, receiver: Receiver) -> None:
        """Take up a receiver."""
        self._receivers[target] = receiver
        self.targets.setdefault(target.receiver, []).append(target)

    def drop(self, target: Target) -> None:
        """Let a receiver go, which is closed when it has been told what it was to be told."""
        receiver = self._receivers.pop(target)
        self.targets[target.receiver].remove(target)
        if not self.targets[target.receiver]:
            del self.targets[target.receiver]
        thread = self._threads.pop(target, None)
        if thread is None:
            receiver.close()
        else:
            thread.end(receiver.close)

    def send(self, target: Target, going_to: Callable[[Receiver], Delivering]) -> Future[Delivery]:
        """Have a receiver told: by its thread between :meth:`start` and :meth:`stop`, else at once."""
        receiver = self._receivers.get(target)
        done: Future[Delivery] = Future()
        if receiver is None:
            done.set_result(Delivery("gave_up", "the subscription ended before it was told", 0))
            return done
        if self._is_running:
            if target not in self._threads:
                self._threads[target] = Turns(f"notify-{target.receiver}", self._clock)
            return self._threads[target].add(going_to(receiver))
        done.set_result(going_to(receiver).run(threading.Event()))
        return done

    def start(self) -> None:
        """Use threads from now on."""
        self._is_running = True

    def stop(self) -> None:
        """Wait for what is being sent, give up on what waits for another try, and use no threads any more."""
        self._is_running = False
        for thread in self._threads.values():
            thread.stop()
        for thread in self._threads.values():
            thread.join()
        self._threads.clear()

    def close(self) -> None:
        """Close the receivers."""
        for receiver in self._receivers.values():
            receiver.close()
