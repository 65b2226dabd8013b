"""Reads Kafka topics, as a member of a consumer group or once up to the present end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition, codec
from kafka.cluster import get_ip_port_afi
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaConfigurationError, KafkaError, OffsetOutOfRangeError, RetriableError

from monitor.config.service import KafkaCluster
from monitor.errors import InputError, SourceError
from monitor.events import Records
from monitor.sources.contract import Change, Gap, Partition, Resume
from monitor.sources.kafka_group import keep_joins

__all__ = ["Change", "KafkaSource"]

_CODECS = {"gzip": "zlib", "snappy": "python-snappy", "lz4": "lz4", "zstd": "zstandard"}
_BOOTSTRAP_MS = 10_000
_RECONNECT_MS = 1_000
_REACH_S = 5.0
_CLOSE_MS = 5_000
_OURS: dict[str, Any] = {
    "enable_auto_commit": False,  # a commit is advice: positions come from checkpoints
    "auto_offset_reset": "none",  # so that a lost offset is an event that we see, not a silent jump
    "allow_auto_create_topics": False,
    "isolation_level": "read_committed",
    "partition_assignment_strategy": [CooperativeStickyAssignor],
}


class KafkaSource:
    """Reads topics of one cluster.

    Unbounded, it is a member of the cluster's consumer group and reads the partitions that the group gives it.
    Bounded, it reads every partition on its own, up to the offset that was the end when it was opened.

    Parameters
    ----------
    cluster : KafkaCluster
    topics : sequence of str
    bounded : bool

    Attributes
    ----------
    gaps : list of Gap
        Messages that retention removed before they were read; reading went on after them.
    commit_error : str
        Why the last :meth:`commit` failed, empty if it did not.

    Raises
    ------
    InputError
        ``cluster.options`` holds an unknown option, or one that is not for the user to set.
    """

    guarantee = (
        "Every message of a partition from its checkpoint on, at least once and in order; messages of aborted"
        " transactions are left out, and what retention removed is reported as a gap."
    )

    def __init__(self, cluster: KafkaCluster, topics: Sequence[str], *, bounded: bool = False) -> None:
        self.bounded = bounded
        self.gaps: list[Gap] = []
        self.commit_error = ""
        self._cluster = cluster
        self._topics = list(dict.fromkeys(topics))
        self._options = _options(cluster, bounded)
        self._where = ", ".join(cluster.bootstrap)
        self._consumer: Any = None
        self._ends: dict[TopicPartition, int] = {}
        self._all: frozenset[Partition] = frozenset()
        self._changes: list[Change] = []
        self._told: list[Change] = []
        self._resumed: dict[TopicPartition, int] = {}
        self._failure: BaseException | None = None
        self._lock = threading.Lock()

    def open(self, resume: Resume) -> None:
        """Connect; without a checkpoint a partition starts where ``cluster.start`` says.

        Unbounded, partitions come later, with ``poll``, and ``resume`` is called on the client's own thread.

        Raises
        ------
        SourceError
            No broker answers or a topic is missing (retryable); a codec is not installed.
        InputError
            The options do not fit together.
        """
        _check_codecs()
        if "proxy_url" not in self._options:
            _check_reachable(self._cluster.bootstrap)
        try:
            self._consumer = _connected(self._options)
        except (KafkaConfigurationError, ValueError, AssertionError) as error:
            raise InputError(f"kafka.options: {error}") from error
        except KafkaError as error:
            raise self._explained(error, "no answer from Kafka") from error
        try:
            partitions = self._partitions()
            self._all = frozenset((tp.topic, tp.partition) for tp in partitions)
            if self.bounded:
                self._assign(partitions, resume)
            else:
                keep_joins(self._consumer)
                self._consumer.subscribe(self._topics, listener=_Listener(self, resume))
        except KafkaError as error:
            raise self._explained(error) from error

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        """Return what is there.

        The group may take a partition away and give it back while this runs on the client's own thread. Records that
        arrive in the same call may be of before or after; they are left out, and read again from the checkpoint.

        Raises
        ------
        SourceError
            If it is not retryable, the source must be closed and a new one opened.
        """
        try:
            polled = self._consumer.poll(timeout_ms=round(timeout_s * 1000), max_records=max_records)
        except OffsetOutOfRangeError as error:
            self._skip_gaps(error.args[0])
            polled = {}
        except KafkaError as error:
            self._raise_failure()
            raise self._explained(error) from error
        self._raise_failure()
        fresh = self._take_changes()
        for partition in fresh & polled.keys() & self._resumed.keys():
            del polled[partition]
            if partition in self._consumer.assignment():
                self._consumer.seek(partition, self._resumed[partition])
        found = [self._records(partition, messages) for partition, messages in polled.items()]
        if self.bounded:
            self._consumer.pause(*(partition for partition in self._ends if self._ended(partition)))
        return [records for records in found if len(records)]

    def changes(self) -> list[Change]:
        """Return, once and in order, which partitions were assigned and revoked since the last call."""
        told, self._told = self._told, []
        return told

    def _take_changes(self) -> set[TopicPartition]:
        """Make what was noted until now known, and return the partitions that were assigned."""
        with self._lock:
            noted, self._changes = self._changes, []
        self._told += noted
        return {TopicPartition(*name) for what, names in noted if what == "assigned" for name in names}

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
        """Every partition that the topics had when the source was opened, whichever member of the group reads it."""
        return self._all

    def assigned(self) -> frozenset[Partition]:
        """The partitions that are read now."""
        return frozenset((tp.topic, tp.partition) for tp in self._consumer.assignment())

    def at_end(self) -> frozenset[Partition]:
        """Partitions read to their end: bounded, the one set at the start; else the newest that is known of."""
        ended = self._ended if self.bounded else self._caught_up
        return frozenset((tp.topic, tp.partition) for tp in self._consumer.assignment() if ended(tp))

    def close(self) -> None:
        """Leave the group. Nothing is committed."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)

    def _partitions(self) -> list[TopicPartition]:
        found = []
        for topic in self._topics:
            numbers = self._consumer.partitions_for_topic(topic)
            if not numbers:
                raise SourceError(f"topic {topic!r} does not exist at {self._where}", retryable=True)
            found += [TopicPartition(topic, number) for number in sorted(numbers)]
        return found

    def _assign(self, partitions: list[TopicPartition], resume: Resume) -> None:
        self._consumer.assign(partitions)
        self._ends = self._consumer.end_offsets(partitions)
        for partition in partitions:
            offset = resume(partition.topic, partition.partition)
            if offset is not None and offset > self._ends[partition]:
                raise self._too_far(partition, offset)
            self._start(partition, offset)
        self._note("assigned", partitions)

    def _start(self, partition: TopicPartition, offset: int | None) -> None:
        if offset is not None:
            self._consumer.seek(partition, offset)
        elif self._cluster.start == "earliest":
            self._consumer.seek_to_beginning(partition)
        else:
            self._consumer.seek_to_end(partition)

    def _skip_gaps(self, positions: Mapping[TopicPartition, int]) -> None:
        """Go on at the oldest message where retention has overtaken us."""
        try:
            first = self._consumer.beginning_offsets(list(positions))
        except KafkaError as error:
            raise self._explained(error) from error
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

    def _records(self, partition: TopicPartition, messages: list[Any]) -> Records:
        end = self._ends.get(partition)
        if end is not None and messages and messages[-1].offset >= end:
            messages = [message for message in messages if message.offset < end]
        return Records(
            partition.topic,
            partition.partition,
            np.array([message.offset for message in messages], dtype=np.int64),
            np.array([message.timestamp for message in messages], dtype=np.int64),
            [message.value for message in messages],
            [message.key for message in messages],
            [tuple(message.headers) for message in messages] if any(m.headers for m in messages) else None,
        )

    def _ended(self, partition: TopicPartition) -> bool:
        position = self._position(partition)
        return position is not None and position >= self._ends[partition]

    def _caught_up(self, partition: TopicPartition) -> bool:
        position, end = self._position(partition), self._consumer.highwater(partition)
        return position is not None and end is not None and position >= end

    def _position(self, partition: TopicPartition) -> int | None:
        try:
            position: int | None = self._consumer.position(partition, timeout_ms=0)
        except KafkaError:  # not assigned any more, or not known yet
            return None
        return position

    def _note(self, what: Literal["assigned", "revoked"], partitions: Sequence[TopicPartition]) -> None:
        if partitions:
            with self._lock:
                self._changes.append((what, frozenset((tp.topic, tp.partition) for tp in partitions)))

    def _committed(self, _offsets: object, response: object) -> None:
        self.commit_error = str(response) if isinstance(response, Exception) else ""

    def _raise_failure(self) -> None:
        if self._failure is not None:
            message = f"the start of a partition could not be found: {self._failure}"
            raise SourceError(message, retryable=False) from self._failure

    def _explained(self, error: KafkaError, what: str = "Kafka") -> SourceError:
        retryable = isinstance(error, RetriableError)
        detail = str(error) or type(error).__name__
        return SourceError(f"{what} at {self._where}: {detail}", retryable=retryable)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs on the client's I/O thread, so it must not wait for the broker."""

    def __init__(self, source: KafkaSource, resume: Resume) -> None:
        self._source = source
        self._resume = resume

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        try:
            for partition in assigned:
                offset = self._resume(partition.topic, partition.partition)
                self._source._start(partition, offset)
                if offset is None:
                    self._source._resumed.pop(partition, None)
                else:
                    self._source._resumed[partition] = offset
        except BaseException as error:
            self._source._failure = error  # the client only logs it
            raise
        self._source._note("assigned", list(assigned))

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self._source._note("revoked", list(revoked))

    def on_partitions_lost(self, lost: Sequence[TopicPartition]) -> None:
        self._source._note("revoked", list(lost))


def _check_reachable(bootstrap: Sequence[str]) -> None:
    """Find out in one try; the client would log errors for ten seconds first, and forget a socket at each."""
    answers = []
    for address in bootstrap:
        try:
            host, port, _family = get_ip_port_afi(address)
            socket.create_connection((host, port), timeout=_REACH_S).close()
        except OSError as error:
            answers.append(f"{address}: {error.strerror or error}")
        except ValueError as error:
            raise InputError(f"kafka.bootstrap: {address!r} is no host:port ({error})") from error
        else:
            return
    raise SourceError(f"no answer from Kafka at {'; '.join(answers)}", retryable=True)


def _connected(options: Mapping[str, Any]) -> Any:
    """A consumer, or its error with nothing left behind: its constructor leaves its thread and sockets open."""
    consumer = KafkaConsumer.__new__(KafkaConsumer)
    try:
        consumer.__init__(**options)
    except BaseException:
        if hasattr(consumer, "_client"):
            consumer._client.close()
        raise
    return consumer


def _options(cluster: KafkaCluster, bounded: bool) -> dict[str, Any]:
    wrong = sorted({*_OURS, "bootstrap_servers", "group_id"} & set(cluster.options))
    wrong += sorted(set(cluster.options) - set(KafkaConsumer.DEFAULT_CONFIG))
    if wrong:
        raise InputError(f"kafka.options: unknown, or not to be set: {', '.join(wrong)}")
    group = None if bounded else cluster.group
    # The client's own limit of 30 s keeps it silent for a minute after a short restart of the only broker.
    defaults = {"bootstrap_timeout_ms": _BOOTSTRAP_MS, "reconnect_backoff_max_ms": _RECONNECT_MS}
    return {**defaults, **cluster.options, **_OURS, "bootstrap_servers": cluster.bootstrap, "group_id": group}


def _check_codecs() -> None:
    """Find out now, not at the first compressed message, what is missing."""
    if find_spec("crc32c") is None:
        raise SourceError("the package crc32c is missing; without it reading is some 20 times slower", retryable=False)
    checks: dict[str, Callable[[], bool]] = {
        "gzip": codec.has_gzip,
        "snappy": codec.has_snappy,
        "lz4": codec.has_lz4,
        "zstd": codec.has_zstd,
    }
    for name, has in checks.items():
        if not has():
            raise SourceError(f"messages compressed with {name} need the package {_CODECS[name]}", retryable=False)
