"""Back-pressure: a member of a Kafka group whose reader is busy stays a member, with its partitions paused.

The thread that reads also folds and writes: so one batch is in memory, and rows are written in the order of the log.
While the store is slow, that thread does not poll. A member that does not poll for ``max.poll.interval.ms`` is thrown
out, and long before that it holds up every rebalance of its group. So a second thread looks on: when the reader has not
asked for a while, it pauses every partition and polls in its place. Such a poll joins, keeps the membership and brings
no record; the next turn of the reader resumes the partitions where they were.

Nothing is lost or reordered, because records only ever leave the client in the reader's own turn. What waits in memory
is what the client had fetched before the pause, at most ``fetch_max_bytes`` for each broker.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import TopicPartition

from monitor.clock import Clock

__all__ = ["SharedConsumer"]

LOOK_S = 1.0
_POLL_MS = 100
_JOIN_S = 10.0


class SharedConsumer:
    """A consumer that the reader and the thread that looks on use in turn.

    Parameters
    ----------
    consumer : kafka.KafkaConsumer
    clock : Clock
    paused_s : float
        Of an earlier consumer of the same source.
    """

    def __init__(self, consumer: Any, clock: Clock, *, paused_s: float = 0.0) -> None:
        self._consumer, self._clock = consumer, clock
        self._look_s = min(LOOK_S, consumer.config["max_poll_interval_ms"] / 4_000)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._used_s = clock.monotonic_s()
        self._since_s: float | None = None
        self._paused: set[TopicPartition] = set()
        self._held: set[TopicPartition] = set()
        self._total_s = paused_s
        self._failure: Exception | None = None

    def look_on(self) -> None:
        """Start the thread; only a member of a group needs it."""
        self._thread = threading.Thread(target=self._run, name="kafka-pause", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; the consumer stays open."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    @contextmanager
    def turn(self) -> Iterator[Any]:
        """Give the reader the consumer, its partitions resumed.

        Raises
        ------
        Exception
            What a poll in the reader's place failed with.
        """
        with self._lock:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            self._resume()
            try:
                yield self._consumer
            finally:
                self._used_s = self._clock.monotonic_s()

    @property
    def paused_s(self) -> float:
        """Seconds for which partitions were paused because the reader was busy, so far."""
        since_s = self._since_s
        return self._total_s + (0.0 if since_s is None else self._clock.monotonic_s() - since_s)

    # -- partitions whose start is not known yet ---------------------------------------------------------------

    def hold(self, partitions: Iterable[TopicPartition]) -> None:
        """Read nothing of these, which are assigned, until :meth:`release`. The client's own thread may call it."""
        for partition in partitions:
            # Any position will do: without one the client would look for a committed one and go on from there.
            self._consumer.seek(partition, 0)
            self._consumer.pause(partition)
            self._held.add(partition)

    def hold_all(self) -> None:
        """Hold every partition that is assigned."""
        with self._lock:
            self.hold(self._consumer.assignment())

    def drop(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget partitions that are not assigned any more."""
        self._held.difference_update(partitions)

    def release(self, partition: TopicPartition) -> None:
        """Read on, from where the consumer was set to."""
        self._held.discard(partition)
        self._consumer.resume(partition)

    def held(self) -> list[TopicPartition]:
        """Partitions that are held, in order."""
        return sorted(self._held)

    def is_held(self, partition: TopicPartition) -> bool:
        """Whether nothing is read of a partition because its start is not known yet."""
        return partition in self._held

    # -- the thread that looks on ------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._clock.wait(self._stop, self._look_s):
            with self._lock:
                if self._clock.monotonic_s() - self._used_s >= self._look_s and not self._stop.is_set():
                    self._poll_instead()

    def _poll_instead(self) -> None:
        try:
            fresh = self._consumer.assignment() - self._consumer.paused()
            self._consumer.pause(*fresh)
            self._paused |= fresh
            if self._since_s is None:
                self._since_s = self._clock.monotonic_s()
            # All that is assigned is paused, and what this assigns is held: no record can come.
            self._consumer.poll(timeout_ms=_POLL_MS)
        except Exception as error:  # noqa: BLE001 -- nobody waits here; the reader gets it at its next turn
            self._failure = error

    def _resume(self) -> None:
        if self._since_s is not None:
            self._consumer.resume(*(self._paused & self._consumer.assignment()) - self._held)
            self._paused.clear()
            self._total_s += self._clock.monotonic_s() - self._since_s
            self._since_s = None
