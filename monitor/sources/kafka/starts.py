"""Where partitions of Kafka start that have no checkpoint yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from kafka import TopicPartition

from monitor.events import Partition
from monitor.sources.kafka.lives import KafkaLives
from monitor.sources.kafka.positions import first_offset, position_of

__all__ = ["KafkaStarts"]


class KafkaStarts:
    """Starts partitions at the beginning or the end of their log, and says at which offset that was.

    A broker says it later, with a poll, which other partitions do not wait for.

    Parameters
    ----------
    start : str
        ``earliest`` or ``latest``.
    lives : KafkaLives
    """

    def __init__(self, start: Literal["earliest", "latest"], lives: KafkaLives) -> None:
        self._start, self._lives = start, lives
        self._awaited: set[TopicPartition] = set()
        self._offsets: dict[Partition, int] = {}

    def clear(self) -> None:
        """Forget what was asked of another connection: every partition is started anew."""
        self._awaited.clear()
        self._offsets.clear()

    def begin(self, consumer: Any, partition: TopicPartition, *, is_new: bool) -> None:
        """Start a partition; ``is_new`` says that it appeared while we ran, so that none of it is to be missed."""
        if self._start == "earliest" or is_new:
            consumer.seek_to_beginning(partition)
        else:
            consumer.seek_to_end(partition)
        self._awaited.add(partition)

    def look(
        self, consumer: Any, polled: Mapping[TopicPartition, list[Any]], is_held: Callable[[TopicPartition], bool]
    ) -> set[TopicPartition]:
        """Take up what a poll has settled, which may have brought the first records as well.

        ``is_held`` says which partitions were given again meanwhile, and are started anew.

        Returns
        -------
        set of TopicPartition
            Those that have started behind messages, so that another log in place of theirs would be a next life. At
            its beginning any log is as good.
        """
        assigned = consumer.assignment()
        self._awaited = {partition for partition in self._awaited if partition in assigned and not is_held(partition)}
        starts: dict[TopicPartition, int] = {}
        for partition in self._awaited:
            position = position_of(consumer, partition)
            if partition in polled:
                starts[partition] = first_offset(polled[partition][0])
            elif position is not None:
                starts[partition] = position.offset
        self._awaited -= starts.keys()
        self._offsets |= {(tp.topic, tp.partition): self._lives.out(tp, offset) for tp, offset in starts.items()}
        return {partition for partition, offset in starts.items() if offset}

    def take(self) -> dict[Partition, int]:
        """Return where partitions have started since the last call."""
        offsets, self._offsets = self._offsets, {}
        return offsets
