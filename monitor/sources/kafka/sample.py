"""Reads the newest messages of Kafka topics, for a look at what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kafka import TopicPartition

from monitor.config.kafka import KafkaCluster
from monitor.sources.kafka.source import KafkaSource

__all__ = ["KafkaSample"]


class KafkaSample(KafkaSource):
    """Reads up to the present end, from so many messages before it on; joins no group and leaves no trace.

    Parameters
    ----------
    cluster : KafkaCluster
    topics : sequence of str
    most : int
        Messages of all topics together; each has an equal share, and of that each of its partitions, of one message at
        least.
    """

    def __init__(self, cluster: KafkaCluster, topics: Sequence[str], most: int) -> None:
        super().__init__(cluster, topics, bounded=True)
        self._most = most

    def _assign(self, partitions: list[TopicPartition]) -> None:
        self._consumer.assign(partitions)
        self._ends = self._consumer.end_offsets(partitions)
        firsts = self._consumer.beginning_offsets(partitions)
        of_topic = Counter(partition.topic for partition in partitions)
        for partition in partitions:
            share = max(1, self._most // (len(of_topic) * of_topic[partition.topic]))
            self._consumer.seek(partition, max(firsts[partition], self._ends[partition] - share))
        self._changes.note("assigned", partitions)
