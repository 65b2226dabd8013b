"""Reads Kafka topics, as a member of a consumer group or once up to the present end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from monitor.clock import SystemClock
from monitor.config.kafka import KafkaCluster
from monitor.errors import SourceError
from monitor.events import Change, Gap, Partition, Records
from monitor.messages import in_log, is_cut
from monitor.sources.contract import Mark, Resume, Source
from monitor.sources.kafka.answers import Answers
from monitor.sources.kafka.batches import records_of
from monitor.sources.kafka.changes import KafkaChanges, KafkaListener
from monitor.sources.kafka.connection import (
    check_codecs,
    check_reachable,
    connected,
    explained,
    options_of,
    refusal_of,
)
from monitor.sources.kafka.gaps import KafkaGaps
from monitor.sources.kafka.group import keep_joins
from monitor.sources.kafka.lives import KafkaLives
from monitor.sources.kafka.pause import SharedConsumer
from monitor.sources.kafka.positions import position_of
from monitor.sources.kafka.topics import KafkaTopics
from monitor.sources.kafka.trial import read_batches

__all__ = ["KafkaSource"]

_CLOSE_MS = 5_000


class KafkaSource(Source):
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
    store_id : str
        The identity of the store that the process writes to: what the member says of itself in the group.

    Attributes
    ----------
    gaps : list of Gap
        Messages that were gone before they were read; reading went on after them, or in the log's next life
        (:mod:`monitor.messages`), of which nothing is returned until the gap is taken off the list.

    Raises
    ------
    InputError
        ``cluster.options`` holds an unknown option, or one that is not for the user to set; a certificate cannot be
        used.
    """

    guarantee = (
        "Every message of a partition from its checkpoint on, at least once and in order; messages of aborted"
        " transactions are left out. What retention removed is reported as a gap; so is a log that was made anew or cut"
        " short, whose next life is read from where it differs."
    )

    def __init__(
        self,
        cluster: KafkaCluster,
        topics: Sequence[str],
        *,
        bounded: bool = False,
        member: int = 0,
        store_id: str = "",
    ) -> None:
        self.bounded = bounded
        self.gaps: list[Gap] = []
        self._cluster = cluster
        self._topics = KafkaTopics(topics, SystemClock())
        self._options = options_of(cluster, bounded=bounded, member=member, store_id=store_id)
        self._shared: SharedConsumer | None = None
        self._answers = Answers(SystemClock())
        self._resume: Resume = _nowhere
        self._ends: dict[TopicPartition, int] = {}
        self._changes = KafkaChanges()
        self._lives = KafkaLives()
        self._missing = KafkaGaps(self._lives, cluster, self.gaps)

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
        self._missing.consumer = connected(self._options, self._where)
        read_batches(self._consumer, self._cluster.records)
        self._missing.starts.clear()
        self._answers = Answers(SystemClock())
        self._answers.listen(self._consumer)
        self._shared = SharedConsumer(self._consumer, SystemClock(), paused_s=self.paused_s)
        self._resume = resume
        try:
            partitions = self._topics.find(self._consumer, self._where, all_named=self.bounded)
            if self.bounded:
                self._assign(partitions)
            else:
                keep_joins(self._consumer)
                self._topics.subscribe(self._consumer, KafkaListener(self._changes, self._shared))
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
            If it is not retryable, and names no topics, the source must be closed and a new one opened.
        """
        shared = self._opened()
        try:
            polled = self._polled(shared, max_records, timeout_s)
        except KafkaError as error:
            raise explained(error, self._where) from error
        if (refusal := refusal_of(self._consumer)) is not None:
            raise explained(refusal, self._where) from refusal
        self._changes.settle()
        batches = [records for partition, messages in polled.items() for records in self._records(partition, messages)]
        if self.bounded:
            self._consumer.pause(*(partition for partition in self._ends if self._ended(partition)))
        return [records for records in batches if len(records)]

    def _polled(self, shared: SharedConsumer, max_records: int, timeout_s: float) -> dict[TopicPartition, list[Any]]:
        # Whatever a poll fails with, one in our place while we were busy may have failed with before.
        try:
            self._start_held(shared)
            with shared.turn() as consumer:
                self._pause_what_is_set_aside(shared)
                self._missing.look(partition for partition in consumer.assignment() if not shared.is_held(partition))
                if any(map(is_cut, self.gaps)):
                    # That a new life has begun is written down before anything of it is read.
                    return {}
                with self._answers.awaited(consumer.assignment()):
                    polled = consumer.poll(timeout_ms=round(timeout_s * 1000), max_records=max_records)
                return self._missing.without_others(polled, shared.is_held)
        except OffsetOutOfRangeError as error:
            with shared.turn():
                self._missing.skip(error.args[0])
        except LogTruncationError as error:
            with shared.turn():
                self._missing.go_on(error.divergent_offsets)
        return {}

    def _pause_what_is_set_aside(self, shared: SharedConsumer) -> None:
        set_aside = self._topics.set_aside
        for partition in self._consumer.assignment() if set_aside else ():
            if not shared.is_held(partition):
                (self._consumer.pause if set_aside.waits(partition.topic) else self._consumer.resume)(partition)

    def set_aside(self, topics: Collection[str], why: str) -> bool:
        """Read nothing of topics that were refused, until they are tried again; bounded, it reads all or none."""
        if not self.bounded:
            self._topics.set_aside.note(topics, why)
        return not self.bounded

    def refused(self) -> dict[str, str]:
        """Topics that are set aside, each with the reason."""
        return self._topics.set_aside.reasons

    def rewind(self) -> bool:
        """Go back to the checkpoints and stay a member of the group; bounded, it has to be opened again."""
        self._topics.set_aside.try_now()
        if not self.bounded:
            self._opened().hold_all()
        return not self.bounded

    def changes(self) -> list[Change]:
        """Return, once and in order, which partitions were assigned and revoked since the last call."""
        return self._changes.take()

    def starts(self) -> dict[Partition, int]:
        """Return, once, where partitions without a checkpoint have started, as soon as a broker has said it."""
        return self._missing.starts.take()

    @property
    def paused_s(self) -> float:
        """Seconds for which partitions were paused because what had been read was still being written, so far."""
        return 0.0 if self._shared is None else self._shared.paused_s

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell the group how far checkpoints are, for people and tools that watch its lag; does not wait.

        Partitions that are not assigned any more are left out. Nothing depends on this, so a failure goes unnoticed.
        """
        assigned = self.assigned()
        offsets = {
            TopicPartition(*partition): OffsetAndMetadata(in_log(offset))
            for partition, offset in positions.items()
            if partition in assigned and self._lives.is_of_this(TopicPartition(*partition), offset)
        }
        if offsets and not self.bounded:
            self._consumer.commit_async(offsets)

    def partitions(self) -> frozenset[Partition]:
        """Every partition that the topics have by now, whichever member of the group reads it."""
        return self._topics.partitions

    def is_gone(self, topic: str) -> bool:
        """Whether a topic that a pattern matches is not there; one that is named is never gone."""
        return self._topics.is_gone(topic)

    def gone_since(self) -> dict[str, int]:
        """Topics that are named and not there now, with since when, in ms; each is read on when it is there again."""
        return self._topics.gone_since

    def assigned(self) -> frozenset[Partition]:
        """The partitions that are read now."""
        return frozenset((tp.topic, tp.partition) for tp in self._consumer.assignment())

    def at_end(self) -> frozenset[Partition]:
        """Partitions read to their end: bounded, the one set at the start; else the newest that is known of."""
        ended = self._ended if self.bounded else self._caught_up
        return frozenset((tp.topic, tp.partition) for tp in self._consumer.assignment() if ended(tp))

    def unanswered(self) -> frozenset[Partition]:
        """Partitions for which no broker answers: nobody knows what has come there."""
        assigned = self._consumer.assignment()
        return frozenset((tp.topic, tp.partition) for tp in assigned if not self._answers.is_answered(tp))

    def ends(self) -> dict[Partition, int]:
        """The offset behind the newest message of each partition, as of the last answer from its leader."""
        assigned = self._consumer.assignment()
        newest = {tp: self._ends.get(tp) if self.bounded else self._consumer.highwater(tp) for tp in assigned}
        return {(tp.topic, tp.partition): self._lives.out(tp, end) for tp, end in newest.items() if end is not None}

    def recall(self, partition: Partition, mark: Mark) -> None:
        """Take up what :meth:`mark` said when the checkpoint was written that a partition goes on at; may be empty."""
        self._lives.recall(partition, mark)

    def mark(self, partition: Partition) -> Mark:
        """Say which log a partition is, for the checkpoint that is written behind everything polled."""
        named = TopicPartition(*partition)
        return self._lives.mark(named, position_of(self._consumer, named))

    def close(self) -> None:
        """Leave the group. Nothing is committed."""
        if self._consumer is not None:
            self._opened().close()
            self._consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)

    @property
    def _consumer(self) -> Any:
        """The client of Kafka; None until the source is open."""
        return self._missing.consumer

    @property
    def _where(self) -> str:
        return ", ".join(self._cluster.bootstrap)

    def _opened(self) -> SharedConsumer:
        if self._shared is None:
            raise SourceError("Kafka is not open", retryable=False)
        return self._shared

    def _assign(self, partitions: list[TopicPartition]) -> None:
        self._consumer.assign(partitions)
        self._ends = self._consumer.end_offsets(partitions)
        for partition in partitions:
            offset = self._resume(partition.topic, partition.partition)
            self._start(partition, offset)
            if offset is not None and in_log(offset) > self._ends[partition]:
                self._missing.skip({partition: in_log(offset)})
        self._changes.note("assigned", partitions)

    def _start_held(self, shared: SharedConsumer) -> None:
        for partition in [held for held in shared.held() if not self._topics.set_aside.waits(held.topic)]:
            offset = self._resume(partition.topic, partition.partition)
            with shared.turn():
                # While the checkpoint was being read, the group may have taken the partition away.
                if shared.is_held(partition):
                    self._start(partition, offset)
                    shared.release(partition)

    def _start(self, partition: TopicPartition, offset: int | None) -> None:
        if offset is not None:
            # Private, since `seek` takes no epoch.
            self._consumer._subscription.seek(partition, self._lives.begin(partition, offset))
        else:
            self._missing.starts.begin(self._consumer, partition, is_new=self._topics.is_new(partition))

    def _records(self, partition: TopicPartition, messages: list[Any]) -> list[Records]:
        # The client's own records, unless it was made to read by the batch.
        in_batches = bool(messages) and isinstance(messages[0], Records)
        batches = messages if in_batches else [records_of(partition.topic, partition.partition, messages)]
        end = self._ends.get(partition)
        if end is not None:
            batches = [records[: int(records.offsets.searchsorted(end))] for records in batches]
        added = self._lives.out(partition, 0)
        return [replace(records, offsets=records.offsets + added) for records in batches] if added else batches

    def _ended(self, partition: TopicPartition) -> bool:
        position = position_of(self._consumer, partition)
        return position is not None and position.offset >= self._ends[partition]

    def _caught_up(self, partition: TopicPartition) -> bool:
        if self._opened().is_held(partition) or not self._answers.is_answered(partition):
            return False
        position, end = position_of(self._consumer, partition), self._consumer.highwater(partition)
        return position is not None and end is not None and position.offset >= end


def _nowhere(_topic: str, _partition: int) -> int | None:
    return None
