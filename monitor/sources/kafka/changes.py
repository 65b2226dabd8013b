"""Partitions that a Kafka group assigned to this member and took away from it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Literal

from kafka import ConsumerRebalanceListener, TopicPartition

from monitor.events import Change
from monitor.sources.kafka.pause import SharedConsumer

__all__ = ["KafkaChanges", "KafkaListener"]


class KafkaChanges:
    """Changes between the client's I/O thread, which notes them, and the reader, who takes them up with a poll.

    Examples
    --------
    >>> changes = KafkaChanges()
    >>> changes.note("assigned", [TopicPartition("events", 0)])
    >>> changes.take()
    []
    >>> changes.settle()
    >>> changes.take()
    [('assigned', frozenset({('events', 0)}))]
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: list[Change] = []
        self._settled: list[Change] = []

    def note(self, kind: Literal["assigned", "revoked", "lost"], partitions: Collection[TopicPartition]) -> None:
        """Add a change, from any thread."""
        if partitions:
            with self._lock:
                self._noted.append((kind, frozenset((tp.topic, tp.partition) for tp in partitions)))

    def settle(self) -> None:
        """Say that every change so far came before the records of the poll that has just ended."""
        with self._lock:
            noted, self._noted = self._noted, []
        self._settled += noted

    def take(self) -> list[Change]:
        """Return the settled changes, once and in order."""
        settled, self._settled = self._settled, []
        return settled


class KafkaListener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Holds what is assigned until the reader starts it, and notes what happened.

    The client's I/O thread, which sends the heartbeats, calls it: it must not wait.
    """

    def __init__(self, changes: KafkaChanges, shared: SharedConsumer) -> None:
        self._changes, self._shared = changes, shared

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self._shared.hold(assigned)
        self._changes.note("assigned", assigned)

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self._shared.drop(revoked)
        self._changes.note("revoked", revoked)

    def on_partitions_lost(self, lost: Sequence[TopicPartition]) -> None:
        self._shared.drop(lost)
        self._changes.note("lost", lost)
