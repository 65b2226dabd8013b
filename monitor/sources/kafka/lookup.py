"""Reads single messages of Kafka topics, at their coordinates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from monitor.config.kafka import KafkaCluster
from monitor.errors import SourceError
from monitor.messages import LogPosition, Message, in_log
from monitor.sources.kafka.connection import check_reachable, connected, explained, options_of

__all__ = ["KafkaLookup"]

_NEAR = 1_000
"""Messages this close behind each other are read in one go."""

_POLL_MS = 500
_EMPTY_POLLS = 40


class KafkaLookup:
    """Reads single messages of one cluster's topics; joins no group and leaves no trace.

    Parameters
    ----------
    cluster : KafkaCluster
    """

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._where = ", ".join(cluster.bootstrap)

    def read(self, log_positions: Iterable[LogPosition]) -> dict[LogPosition, Message]:
        """Return the messages that are still there, by their coordinates: of a log's present life only.

        Raises
        ------
        SourceError
            No broker answers.
        """
        by_partition: dict[TopicPartition, dict[int, LogPosition]] = {}
        for log_position in log_positions:
            by_partition.setdefault(TopicPartition(*log_position[:2]), {})[in_log(log_position[2])] = log_position
        if not by_partition:
            return {}
        options = options_of(self._cluster, bounded=True)
        if "proxy_url" not in options:
            check_reachable(self._cluster.bootstrap)
        consumer = connected(options, self._where)
        try:
            read_messages: dict[LogPosition, Message] = {}
            for partition, by_offset in by_partition.items():
                messages = self._of_partition(consumer, partition, sorted(by_offset))
                read_messages |= {by_offset[offset]: message for offset, message in messages.items()}
            return read_messages
        except KafkaError as error:
            raise explained(error, self._where) from error
        finally:
            consumer.close(autocommit=False)

    def _of_partition(self, consumer: Any, partition: TopicPartition, offsets: list[int]) -> dict[int, Message]:
        if partition.partition not in (consumer.partitions_for_topic(partition.topic) or ()):
            return {}
        consumer.assign([partition])
        first = consumer.beginning_offsets([partition])[partition]
        end = consumer.end_offsets([partition])[partition]
        present = [offset for offset in offsets if first <= offset < end]
        messages: dict[int, Message] = {}
        empty, position = 0, -1
        while present:
            if not position <= present[0] <= position + _NEAR or position < 0:
                consumer.seek(partition, present[0])
            for record in consumer.poll(timeout_ms=_POLL_MS).get(partition, ()):
                empty = 0
                if record.offset in present:
                    headers = tuple(record.headers)
                    messages[record.offset] = Message(record.value, record.timestamp, record.key, headers)
            # Those that compaction or an aborted transaction took away are passed without a word.
            position = consumer.position(partition)
            present = [offset for offset in present if offset >= position]
            empty += 1
            if empty > _EMPTY_POLLS:
                message = f"{partition.topic}[{partition.partition}] at {self._where} gives no message at {present[0]}"
                raise SourceError(message, retryable=True)
        return messages
