"""Reads single messages of Kafka topics, at their coordinates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from monitor.config.kafka import KafkaCluster
from monitor.errors import SourceError
from monitor.messages import Message, Place, in_log
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

    def read(self, places: Iterable[Place]) -> dict[Place, Message]:
        """Return the messages that are still there, by their coordinates: of a log's present life only.

        Raises
        ------
        SourceError
            No broker answers.
        """
        wanted: dict[TopicPartition, dict[int, Place]] = {}
        for place in places:
            wanted.setdefault(TopicPartition(*place[:2]), {})[in_log(place[2])] = place
        if not wanted:
            return {}
        options = options_of(self._cluster, bounded=True)
        if "proxy_url" not in options:
            check_reachable(self._cluster.bootstrap)
        consumer = connected(options, self._where)
        try:
            found: dict[Place, Message] = {}
            for partition, by_offset in wanted.items():
                messages = self._of_partition(consumer, partition, sorted(by_offset))
                found |= {by_offset[offset]: message for offset, message in messages.items()}
            return found
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
        left = [offset for offset in offsets if first <= offset < end]
        found: dict[int, Message] = {}
        empty, position = 0, -1
        while left:
            if not position <= left[0] <= position + _NEAR or position < 0:
                consumer.seek(partition, left[0])
            for record in consumer.poll(timeout_ms=_POLL_MS).get(partition, ()):
                empty = 0
                if record.offset in left:
                    headers = tuple(record.headers)
                    found[record.offset] = Message(record.value, record.timestamp, record.key, headers)
            # Those that compaction or an aborted transaction took away are passed without a word.
            position = consumer.position(partition)
            left = [offset for offset in left if offset >= position]
            empty += 1
            if empty > _EMPTY_POLLS:
                message = f"{partition.topic}[{partition.partition}] at {self._where} gives no message at {left[0]}"
                raise SourceError(message, retryable=True)
        return found
