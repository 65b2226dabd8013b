"""Messages of Kafka partitions that are gone: what retention removed, and logs that were made anew or cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kafka import OffsetAndMetadata, TopicPartition

from monitor.config.kafka import KafkaCluster
from monitor.errors import SourceError
from monitor.events import Gap
from monitor.sources.kafka.lives import KafkaLives
from monitor.sources.kafka.positions import first_offset, position_of
from monitor.sources.kafka.starts import KafkaStarts
from monitor.sources.kafka.topics import topics_of

__all__ = ["KafkaGaps"]


class KafkaGaps:
    """Finds where a consumer goes on when what it would read next is not there.

    Parameters
    ----------
    lives : KafkaLives
    cluster : KafkaCluster
    gaps : list of Gap
        Gets what is found.

    Attributes
    ----------
    consumer : kafka.KafkaConsumer
        To be set before anything is asked.
    starts : KafkaStarts
        Where partitions without a checkpoint start.
    """

    consumer: Any = None

    def __init__(self, lives: KafkaLives, cluster: KafkaCluster, gaps: list[Gap]) -> None:
        self._lives, self._cluster, self._gaps = lives, cluster, gaps
        self.starts = KafkaStarts(cluster.start, lives)

    def look(self, partitions: Iterable[TopicPartition]) -> None:
        """Go on in the next life of those whose topic is known to be another one."""
        other = {tp: position_of(self.consumer, tp) for tp in partitions if self._is_other(tp)}
        self.skip({tp: position.offset for tp, position in other.items() if position is not None})

    def without_others(
        self, polled: Mapping[TopicPartition, list[Any]], is_held: Callable[[TopicPartition], bool]
    ) -> dict[TopicPartition, list[Any]]:
        """Return what was polled, without what is of a topic that was made anew meanwhile: it is read again.

        ``is_held`` says of which partitions the poll knows nothing: they were given again and are not started yet.
        """
        cluster = self.consumer._cluster
        if polled and (cluster.need_update or cluster.metadata_refresh_in_progress):
            # Something made the client refresh its metadata; if a topic ended, another one may have answered since.
            topics_of(self.consumer)
        other = {partition for partition in polled if self._is_other(partition)}
        self.skip({partition: first_offset(polled[partition][0]) for partition in other})
        own = {partition: messages for partition, messages in polled.items() if partition not in other}
        for partition in polled.keys() | self.starts.look(self.consumer, own, is_held):
            self._lives.learn(partition, self._topic_id(partition))
        return own

    def skip(self, positions: Mapping[TopicPartition, int]) -> None:
        """Go on at the oldest message where retention has overtaken us, or the topic was made anew; else at the end.

        Parameters
        ----------
        positions : mapping of TopicPartition to int
            Where reading would have gone on, in the log's own offsets.

        Raises
        ------
        SourceError
            The configuration says to stop.
        kafka.errors.KafkaError
        """
        if not positions:
            return
        # What the client knows of the topic may be older than the topic.
        topics_of(self.consumer)
        first = self.consumer.beginning_offsets(list(positions))
        ends = self.consumer.end_offsets(list(positions))
        for partition, position in positions.items():
            if self._is_other(partition):
                self._begin_life(partition, position, first[partition])
            elif position > ends[partition]:
                is_same = self._lives.is_same(partition, self._topic_id(partition))
                self._begin_life(partition, position, ends[partition] if is_same else first[partition])
            else:
                if position < first[partition]:
                    lost = (self._lives.out(partition, at) for at in (position, first[partition]))
                    self._gaps.append((*partition, *lost))
                self.consumer.seek(partition, max(position, first[partition]))

    def go_on(self, divergent: Mapping[TopicPartition, OffsetAndMetadata | None]) -> None:
        """Go on where the log of the present leader begins to differ from what was read.

        Parameters
        ----------
        divergent : mapping of TopicPartition to OffsetAndMetadata or None
            Where that is; None if the leader does not know.

        Raises
        ------
        SourceError
            The configuration says to stop.
        kafka.errors.KafkaError
        """
        topics_of(self.consumer)
        for partition, divergence in divergent.items():
            position = position_of(self.consumer, partition)
            if position is None:
                continue
            if self._is_other(partition):
                self.skip({partition: position.offset})
            else:
                end = self.consumer.end_offsets([partition])[partition] if divergence is None else divergence.offset
                self._begin_life(partition, position.offset, min(position.offset, end))

    def _begin_life(self, partition: TopicPartition, position: int, start: int) -> None:
        if self._cluster.on_truncation == "stop":
            raise SourceError(
                f"{partition.topic}[{partition.partition}] at {', '.join(self._cluster.bootstrap)} was made anew, or"
                f" cut short, behind offset {position}, up to which it was read; kafka.on_truncation says to stop",
                retryable=False,
            )
        lost_from = self._lives.out(partition, position)
        self._gaps.append((*partition, lost_from, self._lives.next(partition, start, self._topic_id(partition))))
        self.consumer.seek(partition, start)

    def _is_other(self, partition: TopicPartition) -> bool:
        return self._lives.is_other(partition, self._topic_id(partition))

    def _topic_id(self, partition: TopicPartition) -> str:
        """As the brokers last said it; empty if they are older than these ids. Private: see `kafka_topics`."""
        topic_id = self.consumer._cluster.topic_id(partition.topic)
        return "" if topic_id is None else str(topic_id)
