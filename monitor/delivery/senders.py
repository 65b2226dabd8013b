"""The receivers that a router notifies, each by a thread of its own: a sick one delays no other. They come and go."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial

from monitor.clock import Clock
from monitor.delivery.attempts import Attempts, Delivery
from monitor.delivery.patience import Patience
from monitor.delivery.receiver_thread import ReceiverThread
from monitor.delivery.reception import Reception
from monitor.delivery.target import Target
from sinks.receivers.contract import Notification, Outcome, Receiver

__all__ = ["Senders"]


class Senders:
    """Receivers by the entries that routes name.

    Parameters
    ----------
    receivers : mapping of Target to Receiver
    clock : Clock
    patience : Patience
    reception : Reception or None
        Follows what they answer.

    Attributes
    ----------
    targets : dict of str to list of Target
        The entries of each receiver that is named; kept up to date.
    incomplete : Counter of str
        How many notifications were delivered without their pictures, or not with all, by receiver.
    """

    def __init__(
        self,
        receivers: Mapping[Target, Receiver],
        clock: Clock,
        patience: Patience,
        reception: Reception | None = None,
    ) -> None:
        self._clock, self._patience = clock, patience
        self._reception = reception or Reception()
        self.targets: dict[str, list[Target]] = {}
        self.incomplete: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._receivers: dict[Target, Receiver] = {}
        self._threads: dict[Target, ReceiverThread] = {}
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
        """Let a receiver go, which is closed when it has been sent what waits for it."""
        receiver = self._receivers.pop(target)
        self._reception.forget(target)
        self.targets[target.receiver].remove(target)
        if not self.targets[target.receiver]:
            del self.targets[target.receiver]
        # Its thread closes it behind what waits, so that nobody is cut off in the middle of a request.
        thread = self._threads.pop(target, None)
        if thread is None:
            receiver.close()
        else:
            thread.end(receiver.close)

    def send(self, target: Target, notification: Notification, for_s: float) -> Future[Delivery]:
        """Begin to notify a receiver, for some seconds at most.

        Its thread does so between :meth:`start` and :meth:`stop`; else it is done when this returns.
        """
        receiver = self._receivers.get(target)
        done: Future[Delivery] = Future()
        if receiver is None:
            done.set_result(Delivery("gave_up", "the subscription ended before it was notified", 0))
            return done
        attempts = Attempts(receiver, notification, for_s, self._clock, self._patience, partial(self._hear, target))
        if self._is_running:
            if target not in self._threads:
                self._threads[target] = ReceiverThread(f"notify-{target.receiver}", self._clock)
            done = self._threads[target].add(attempts)
        else:
            done.set_result(attempts.run(threading.Event()))
        done.add_done_callback(partial(self._count, target))
        return done

    def _hear(self, target: Target, answer: Outcome) -> None:
        if target in self._receivers:
            self._reception.hear(target, answer, self._clock.now_ms())

    def _count(self, target: Target, done: Future[Delivery]) -> None:
        if done.exception() is not None:
            return
        delivery = done.result()
        self._reception.count(target, delivery.outcome)
        if delivery.outcome == "delivered" and delivery.reason:
            with self._counting:
                self.incomplete[target.receiver] += 1

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
