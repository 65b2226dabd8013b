"""Tells whether a Kafka partition is still the log that was read: by its topic's id, and by the epoch of its leader.

Offsets alone do not say so. A topic that was deleted and made anew may have grown beyond the checkpoint; a leader that
was elected uncleanly lacks the end of the log, and others write on where it ends.
"""

from __future__ import annotations

from kafka import OffsetAndMetadata, TopicPartition

from monitor.events import Partition
from monitor.messages import in_log, life_of, of_life
from monitor.sources.contract import Mark

__all__ = ["KafkaLives"]

_NO_EPOCH = -1


class KafkaLives:
    """The lives of the partitions that one consumer reads.

    Examples
    --------
    >>> lives, partition = KafkaLives(), TopicPartition("events", 0)
    >>> lives.recall(("events", 0), {"topic_id": "id-1", "epoch": 4})
    >>> lives.begin(partition, 7)
    OffsetAndMetadata(offset=7, metadata='', leader_epoch=4)
    >>> lives.is_other(partition, "id-2"), lives.is_other(partition, "")
    (True, False)
    >>> lives.next(partition, 0, "id-2")
    100000000000000
    """

    def __init__(self) -> None:
        self._marks: dict[TopicPartition, Mark] = {}
        self._topic_ids: dict[TopicPartition, str] = {}
        self._numbers: dict[TopicPartition, int] = {}

    def recall(self, partition: Partition, mark: Mark) -> None:
        """Take up what a checkpoint says of its log; it may be empty."""
        self._marks[TopicPartition(*partition)] = mark

    def begin(self, partition: TopicPartition, offset: int) -> OffsetAndMetadata:
        """Go on at a checkpoint's offset, in its life; return where to seek.

        With the epoch the client finds out by itself, and raises, when the log was cut before it.
        """
        mark = self._marks.pop(partition, {})
        self._numbers[partition] = life_of(offset)
        self._topic_ids[partition] = str(mark.get("topic_id", ""))
        return OffsetAndMetadata(in_log(offset), "", int(mark.get("epoch", _NO_EPOCH)))

    def learn(self, partition: TopicPartition, topic_id: str) -> None:
        """Messages have come: the topic is the one that is read, if that was not known."""
        self._topic_ids[partition] = self._topic_ids.get(partition) or topic_id

    def next(self, partition: TopicPartition, offset: int, topic_id: str) -> int:
        """Begin the next life at the log's own ``offset``; return it as an offset of that life."""
        self._numbers[partition] = self._numbers.get(partition, 0) + 1
        self._topic_ids[partition] = topic_id
        return self.out(partition, offset)

    def out(self, partition: TopicPartition, offset: int) -> int:
        """Return the offset of this life for the log's own."""
        return of_life(self._numbers.get(partition, 0), offset)

    def is_of_this(self, partition: TopicPartition, offset: int) -> bool:
        """Whether an offset is of the life that is read."""
        return life_of(offset) == self._numbers.get(partition, 0)

    def is_other(self, partition: TopicPartition, topic_id: str) -> bool:
        """Whether the topic has been made anew, as far as both ids are known."""
        return "" not in (topic_id, self._topic_ids.get(partition, "")) and topic_id != self._topic_ids[partition]

    def is_same(self, partition: TopicPartition, topic_id: str) -> bool:
        """Whether the topic is known to be the one that was read."""
        return topic_id != "" and self._topic_ids.get(partition, "") == topic_id

    def mark(self, partition: TopicPartition, position: OffsetAndMetadata | None) -> Mark:
        """Return what a checkpoint has to keep: ``topic_id`` and ``epoch``."""
        epoch = _NO_EPOCH if position is None else int(position.leader_epoch)
        return {"topic_id": self._topic_ids.get(partition, ""), "epoch": epoch}
