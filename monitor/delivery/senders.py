"""The receivers that a router notifies, each by a thread of its own: a sick one delays no other. They come and go."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping
from concurrent.futures import Future, wait
from functools import partial

from monitor.clock import Clock
from monitor.delivery.attempts import Attempts, Delivery
from monitor.delivery.patience import Patience
from monitor.delivery.receiver_thread import Hold, ReceiverThread
from monitor.delivery.reception import Failing, Reception
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
        Follows what they answer, if it is followed.

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
        self._reception = reception
        self.targets: dict[str, list[Target]] = {}
        self.incomplete: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._receivers: dict[Target, Receiver] = {}
        self._threads: dict[Target, ReceiverThread] = {}
        self._ending: dict[Target, ReceiverThread] = {}
        """Those that take nothing more, of which some may be trying something."""
        self._in_flight: dict[str, Future[Delivery]] = {}
        self._holds: dict[str, tuple[object, Hold]] = {}
        """What entries ask for of which nothing was sent yet, by name, each with what it was made of."""
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
        if self._reception is not None:
            self._reception.forget(target)
        self.targets[target.receiver].remove(target)
        if not self.targets[target.receiver]:
            del self.targets[target.receiver]
        # Its thread closes it behind what waits, so that nobody is cut off in the middle of a request.
        thread = self._threads.pop(target, None)
        if thread is None:
            receiver.close()
        else:
            self._ending = {each: ending for each, ending in self._ending.items() if not ending.is_over}
            self._ending[target] = thread
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
                name, after = f"notify-{target.receiver}", self._in_flight.get(target.name)
                self._threads[target] = ReceiverThread(name, self._clock, after, self._hold_of(target))
            done = self._threads[target].add(attempts)
        else:
            done.set_result(attempts.run(threading.Event()))
        done.add_done_callback(partial(self._count, target))
        return done

    def _hear(self, target: Target, answer: Outcome) -> None:
        if self._reception is not None and target in self._receivers:
            self._reception.hear(target, answer, self._clock.now_ms())

    def _count(self, target: Target, done: Future[Delivery]) -> None:
        if done.exception() is not None:
            return
        delivery = done.result()
        if self._reception is not None:
            self._reception.count(target, delivery.outcome)
        if delivery.outcome == "delivered" and delivery.reason:
            with self._counting:
                self.incomplete[target.receiver] += 1

    def failure_of(self, target: Target) -> Failing | None:
        """Return since when an entry has taken nothing; None if it takes what it is sent, or that is not followed."""
        return None if self._reception is None else self._reception.failure_of(target)

    def start(self) -> None:
        """Use threads from now on."""
        self._is_running = True

    def withdraw(self, target: Target, futures: Collection[Future[Delivery]]) -> None:
        """Give up on what is not being tried at the moment."""
        if (thread := self._threads.get(target)) is not None:
            thread.withdraw(futures)

    @property
    def in_flight(self) -> dict[str, Future[Delivery]]:
        """What receivers are still being sent by threads that have been stopped, by the names of entries."""
        return {name: future for name, future in self._in_flight.items() if not future.done()}

    def follow(self, former: Senders) -> None:
        """Go on where others were stopped: who is still being sent something by them gets nothing else before.

        Nor does who asked them to be sent nothing for a while, unless its configuration is another one.
        """
        self._in_flight.update(former.in_flight)
        self._holds = former._holds | {
            target.name: (target.configuration, thread.hold) for target, thread in former._ending.items()
        }

    def _hold_of(self, target: Target) -> Hold:
        configuration, hold = self._holds.get(target.name, (None, Hold()))
        return hold if configuration is not None and configuration == target.configuration else Hold()

    def stop(self) -> None:
        """Give up on what waits for its turn or for another try, and use no threads any more.

        What is being sent goes on; see :attr:`in_flight`.
        """
        self._is_running = False
        self._ending.update(self._threads)
        self._threads.clear()
        for target, thread in self._ending.items():
            thread.stop()
            if (trying := thread.trying) is not None:
                self._in_flight[target.name] = trying

    def wait(self, within_s: float) -> list[str]:
        """Wait for what is being sent, for so long at most; return the entries that have not answered by then."""
        wait(self.in_flight.values(), within_s)
        return sorted(self.in_flight)

    def close(self) -> None:
        """Close the receivers, each behind what it is being sent; returns at once."""
        for target, receiver in self._receivers.items():
            thread = self._threads.get(target) or self._ending.get(target)
            if thread is None:
                receiver.close()
            else:
                thread.end(receiver.close)
