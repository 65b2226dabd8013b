"""Reads Kafka topics, as a member of a consumer group or once up to the present end."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from kafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from monitor.clock import SystemClock
from monitor.config.kafka import KafkaCluster
from monitor.errors import SourceError
from monitor.events import Records
from monitor.sources.contract import Change, Gap, Partition, Resume
from monitor.sources.kafka_batches import records_of
from monitor.sources.kafka_connection import (
    check_codecs,
    check_reachable,
    connected,
    explained,
    options_of,
    refusal_of,
)
from monitor.sources.kafka_group import keep_joins
from monitor.sources.kafka_pause import SharedConsumer
from monitor.sources.kafka_topics import KafkaTopics
from monitor.sources.kafka_trial import read_batches

__all__ = ["Change", "KafkaSource"]

_CLOSE_MS = 5_000


class KafkaSource:
    """Reads topics of one cluster.

    Unbounded, it is a member of the cluster's consumer group and reads the partitions that the group gives it.
    Bounded, it reads every partition on its own, up to the offset that was the end when it was opened.

    Parameters
    ----------
    cluster : KafkaCluster
    topics : sequence of str
        Names, and patterns as :mod:`monitor.config.streams` has them; a topic that begins to match is read from then.
    bounded : bool
    member : int
        Which of the process's consumers it is.

    Attributes
    ----------
    gaps : list of Gap
        Messages that retention removed before they were read; reading went on after them.
    commit_error : str
        Why the last :meth:`commit` failed, empty if it did not.

    Raises
    ------
    InputError
        ``cluster.options`` holds an unknown option, or one that is not for the user to set; a certificate cannot be
        used.
    """

    guarantee = (
        "Every message of a partition from its checkpoint on, at least once and in order; messages of aborted"
        " transactions are left out, and what retention removed is reported as a gap."
    )

    def __init__(self, cluster: KafkaCluster, topics: Sequence[str], *, bounded: bool = False, member: int = 0) -> None:
        self.bounded = bounded
        self.gaps: list[Gap] = []
        self.commit_error = ""
        self._cluster = cluster
        self._topics = KafkaTopics(topics)
        self._options = options_of(cluster, bounded=bounded, member=member)
        self._where = ", ".join(cluster.bootstrap)
        self._consumer: Any = None
        self._shared: SharedConsumer | None = None
        self._resume: Resume = _nowhere
        self._ends: dict[TopicPartition, int] = {}
        self._changes: list[Change] = []
        self._told: list[Change] = []
        self._lock = threading.Lock()
        self._in_batches = False

    def open(self, resume: Resume) -> None:
        """Connect; without a checkpoint a partition starts where ``cluster.start`` says.

        Unbounded, partitions come later, with ``poll``, which then calls ``resume``.

        Raises
        ------
        SourceError
            No broker answers or a topic is missing (retryable); a codec is not installed.
        InputError
            The options do not fit together.
        """
        check_codecs()
        if "proxy_url" not in self._options:
            check_reachable(self._cluster.bootstrap, self._options.get("ssl_context"))
        self._consumer = connected(self._options, self._where)
        self._in_batches = read_batches(self._consumer, self._cluster.records)
        self._shared = SharedConsumer(self._consumer, SystemClock(), paused_s=self.paused_s)
        self._resume = resume
        try:
            partitions = self._topics.find(self._consumer, self._where)
            if self.bounded:
                self._assign(partitions)
            else:
                keep_joins(self._consumer)
                self._topics.subscribe(self._consumer, _Listener(self, self._shared))
                self._shared.look_on()
        except KafkaError as error:
            raise explained(error, self._where) from error

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        """Return what is there.

        Partitions that the group gave are started first. Whatever ``resume`` raises ends the call, and the next one
        tries again; other partitions lose nothing by it.

        Raises
        ------
        SourceError
            If it is not retryable, the source must be closed and a new one opened.
        """
        shared = self._opened()
        try:
            self._start_held(shared)
            with shared.turn() as consumer:
                polled = consumer.poll(timeout_ms=round(timeout_s * 1000), max_records=max_records)
        except OffsetOutOfRangeError as error:
            with shared.turn():
                self._skip_gaps(error.args[0])
            polled = {}
        except KafkaError as error:
            raise explained(error, self._where) from error
        if (refusal := refusal_of(self._consumer)) is not None:
            raise explained(refusal, self._where) from refusal
        self._take_changes()
        found = [records for partition, messages in polled.items() for records in self._records(partition, messages)]
        if self.bounded:
            self._consumer.pause(*(partition for partition in self._ends if self._ended(partition)))
        return [records for records in found if len(records)]

    def rewind(self) -> None:
        """Go back to the checkpoints: the next ``poll`` starts every partition anew. The membership is kept.

        Unbounded sources only.
        """
        self._opened().hold_all()

    def changes(self) -> list[Change]:
        """Return, once and in order, which partitions were assigned and revoked since the last call."""
        told, self._told = self._told, []
        return told

    @property
    def paused_s(self) -> float:
        """Seconds for which partitions were paused because what had been read was still being written, so far."""
        return 0.0 if self._shared is None else self._shared.paused_s

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell the group how far checkpoints are, for people and tools that watch its lag; does not wait.

        Partitions that are not assigned any more are left out. Nothing depends on this: a failure is only kept in
        :attr:`commit_error`.
        """
        mine = self.assigned()
        offsets = {
            TopicPartition(*partition): OffsetAndMetadata(offset)
            for partition, offset in positions.items()
            if partition in mine
        }
        if offsets and not self.bounded:
            self._consumer.commit_async(offsets, callback=self._committed)

    def partitions(self) -> frozenset[Partition]:
        """Every partition that the topics have by now, whichever member of the group reads it."""
        return self._topics.partitions

    def is_gone(self, topic: str) -> bool:
        """Whether a topic that a pattern matches is not there; one that is named is never gone."""
        return self._topics.is_gone(topic)

    def assigned(self) -> frozenset[Partition]:
        """The partitions that are read now."""
        return frozenset((tp.topic, tp.partition) for tp in self._consumer.assignment())

    def at_end(self) -> frozenset[Partition]:
        """Partitions read to their end: bounded, the one set at the start; else the newest that is known of."""
        ended = self._ended if self.bounded else self._caught_up
        return frozenset((tp.topic, tp.partition) for tp in self._consumer.assignment() if ended(tp))

    def ends(self) -> dict[Partition, int]:
        """The offset behind the newest message of each partition, as of the last answer from its leader."""
        assigned = self._consumer.assignment()
        known = {tp: self._ends.get(tp) if self.bounded else self._consumer.highwater(tp) for tp in assigned}
        return {(tp.topic, tp.partition): end for tp, end in known.items() if end is not None}

    def close(self) -> None:
        """Leave the group. Nothing is committed."""
        if self._consumer is not None:
            self._opened().close()
            self._consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)

    def _opened(self) -> SharedConsumer:
        if self._shared is None:
            raise SourceError("Kafka is not open", retryable=False)
        return self._shared

    def _take_changes(self) -> None:
        with self._lock:
            noted, self._changes = self._changes, []
        self._told += noted

    def _assign(self, partitions: list[TopicPartition]) -> None:
        self._consumer.assign(partitions)
        self._ends = self._consumer.end_offsets(partitions)
        for partition in partitions:
            offset = self._resume(partition.topic, partition.partition)
            if offset is not None and offset > self._ends[partition]:
                raise self._too_far(partition, offset)
            self._start(partition, offset)
        self._note("assigned", partitions)

    def _start_held(self, shared: SharedConsumer) -> None:
        for partition in shared.held():
            offset = self._resume(partition.topic, partition.partition)
            with shared.turn():
                # While the checkpoint was being read, the group may have taken the partition away.
                if shared.is_held(partition):
                    self._start(partition, offset)
                    shared.release(partition)

    def _start(self, partition: TopicPartition, offset: int | None) -> None:
        if offset is not None:
            self._consumer.seek(partition, offset)
        elif self._cluster.start == "earliest" or self._topics.is_new(partition):
            # What appears while we run is new, and none of it is to be missed.
            self._consumer.seek_to_beginning(partition)
        else:
            self._consumer.seek_to_end(partition)

    def _skip_gaps(self, positions: Mapping[TopicPartition, int]) -> None:
        """Go on at the oldest message where retention has overtaken us."""
        try:
            first = self._consumer.beginning_offsets(list(positions))
        except KafkaError as error:
            raise explained(error, self._where) from error
        for partition, wanted in positions.items():
            if wanted > first[partition]:
                raise self._too_far(partition, wanted)
            if wanted < first[partition]:
                self.gaps.append((partition.topic, partition.partition, wanted, first[partition]))
            self._consumer.seek(partition, first[partition])

    def _too_far(self, partition: TopicPartition, offset: int) -> SourceError:
        return SourceError(
            f"{partition.topic}[{partition.partition}] at {self._where} ends before offset {offset}, up to which it was"
            " read; the topic was made anew or lost messages",
            retryable=False,
        )

    def _records(self, partition: TopicPartition, messages: list[Any]) -> list[Records]:
        found = messages if self._in_batches else [records_of(partition.topic, partition.partition, messages)]
        end = self._ends.get(partition)
        return found if end is None else [records[: int(records.offsets.searchsorted(end))] for records in found]

    def _ended(self, partition: TopicPartition) -> bool:
        position = self._position(partition)
        return position is not None and position >= self._ends[partition]

    def _caught_up(self, partition: TopicPartition) -> bool:
        if self._opened().is_held(partition):
            return False
        position, end = self._position(partition), self._consumer.highwater(partition)
        return position is not None and end is not None and position >= end

    def _position(self, partition: TopicPartition) -> int | None:
        try:
            position: int | None = self._consumer.position(partition, timeout_ms=0)
        except KafkaError:  # not assigned any more, or not known yet
            return None
        return position

    def _note(self, what: Literal["assigned", "revoked", "lost"], partitions: Iterable[TopicPartition]) -> None:
        if partitions:
            with self._lock:
                self._changes.append((what, frozenset((tp.topic, tp.partition) for tp in partitions)))

    def _committed(self, _offsets: object, response: object) -> None:
        self.commit_error = str(response) if isinstance(response, Exception) else ""


def _nowhere(_topic: str, _partition: int) -> int | None:
    return None


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs on the client's I/O thread, which sends the heartbeats: it only notes what happened."""

    def __init__(self, source: KafkaSource, shared: SharedConsumer) -> None:
        self._source, self._shared = source, shared

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self._shared.hold(assigned)
        self._source._note("assigned", assigned)

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self._shared.drop(revoked)
        self._source._note("revoked", revoked)

    def on_partitions_lost(self, lost: Sequence[TopicPartition]) -> None:
        self._shared.drop(lost)
        self._source._note("lost", lost)
