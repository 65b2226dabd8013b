"""The alert stage: tells every receiver about the transitions in the table ``alerts``, at least once.

What was sent is kept in the table ``notifications``, one row for each transition and receiver, written after the
receiver answered. A process that ends in between sends the transition again; ``group_key``, the same from an
alert's beginning to its end, lets the other side recognise that.

**Where a receiver starts.** The first time a receiver meets a model, the stage notes the time (table
``checkpoints``, stage ``notify``) and never tells it about transitions of earlier event time: working through a
month of history pages nobody. ``since_ms`` asks for them. What happened while the service was down is told. The
note moves on as transitions are settled, so that a start need not read all of the history.

**One sick receiver delays no other.** Each has a :class:`Channel` with its own queue and retries, and in
:meth:`Notifier.run` its own thread. Inside a channel alerts are independent of each other, and the transitions of
one alert go out in order.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from monitor.clock import Clock
from monitor.delivery.patience import Decision, Patience, why
from monitor.routing.channel import Channel
from sinks.receivers.contract import Receiver
from sinks.store.contract import Store

__all__ = ["Channel", "Decision", "Notifier", "Patience", "why"]


class Notifier:
    """All channels.

    Parameters
    ----------
    store : Store
    receivers : sequence of Receiver
    clock : Clock
    external_url : str
        How people reach the API; links start with it. Empty: no links.
    models : iterable of str
        Names of the models whose alerts are told.
    since_ms : int or None
        Tell about transitions from this event time on, history included; see the module's text.
    patience : Patience or None

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> from sinks.receivers.memory import Memory
    >>> from sinks.store import open_store
    >>> Notifier(open_store("memory"), [Memory("inbox")], ManualClock(), "", ["flights"]).step()
    0
    """

    def __init__(
        self,
        store: Store,
        receivers: Sequence[Receiver],
        clock: Clock,
        external_url: str,
        models: Iterable[str],
        *,
        since_ms: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        watched = tuple(models)
        self._clock = clock
        self.channels = [
            Channel(store, receiver, clock, external_url, watched, since_ms=since_ms, patience=patience)
            for receiver in receivers
        ]

    @property
    def backlog(self) -> dict[str, int]:
        """Transitions that were read and are not settled, by receiver."""
        return {channel.receiver.name: channel.backlog for channel in self.channels}

    def open(self) -> None:
        """Note where each receiver starts; call it before anything can write transitions."""
        for channel in self.channels:
            channel.open()

    def step(self) -> int:
        """Step every channel once, one after the other; return how many transitions were settled."""
        return sum(channel.step() for channel in self.channels)

    def run(self, stop: threading.Event, every_s: float = 1.0) -> None:
        """Step the channels, each in a thread of its own, until ``stop`` is set.

        What is not sent by then is sent after the next start; :meth:`step` sends what there is at once.

        Raises
        ------
        StoreError
            If the store failed for good; ``stop`` is set then, so that the other channels end too.
        """
        if not self.channels:
            self._clock.wait(stop, float(threading.TIMEOUT_MAX))
            return
        with ThreadPoolExecutor(len(self.channels), thread_name_prefix="notify") as threads:
            running = [threads.submit(self._run, channel, stop, every_s) for channel in self.channels]
            wait(running, return_when=FIRST_EXCEPTION)
            stop.set()
        for channel in running:
            channel.result()

    def _run(self, channel: Channel, stop: threading.Event, every_s: float) -> None:
        while not self._clock.wait(stop, every_s):
            channel.step(stop)

    def close(self) -> None:
        """Close the receivers."""
        for channel in self.channels:
            channel.receiver.close()
