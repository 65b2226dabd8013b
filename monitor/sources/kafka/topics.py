"""Which topics a Kafka source reads, and which partitions these have by now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import RetriableError

from monitor.clock import Clock
from monitor.config.streams import expression, is_pattern, reader_of
from monitor.errors import SourceError
from monitor.events import Partition
from monitor.sources.set_aside import SetAside

__all__ = ["KafkaTopics", "topics_of"]


class KafkaTopics:
    """The topics of one source; what patterns match may change while it is read.

    Parameters
    ----------
    entries : sequence of str
        Names, and patterns as :mod:`monitor.config.streams` has them.
    clock : Clock

    Attributes
    ----------
    partitions : frozenset of Partition
        Every partition that the topics have by now.
    gone_since : dict of str to int
        Topics that are named and not there now, with since when it is known, in ms; replaced, never changed.
    set_aside : SetAside
    """

    def __init__(self, entries: Sequence[str], clock: Clock) -> None:
        self.partitions: frozenset[Partition] = frozenset()
        self.gone_since: dict[str, int] = {}
        self.set_aside = SetAside(clock)
        self._clock = clock
        self._entries = list(dict.fromkeys(entries))
        self._names = [entry for entry in self._entries if not is_pattern(entry)]
        self._at_start: frozenset[Partition] = frozenset()
        self._missing: frozenset[str] = frozenset()

    def find(self, consumer: Any, where: str, *, all_named: bool = False) -> list[TopicPartition]:
        """Return what there is when the source is opened.

        Raises
        ------
        SourceError
            A topic that is named does not exist, and neither does any other; or all that are named are asked for.
        """
        matched: set[str] = set()
        if self._names != self._entries:
            matched = {topic for topic in topics_of(consumer) if reader_of(self._entries, topic) is not None}
        topics = [*self._names, *sorted(matched - set(self._names))]
        numbers = {topic: sorted(consumer.partitions_for_topic(topic) or ()) for topic in topics}
        absent = [topic for topic in self._names if not numbers[topic]]
        partitions = [TopicPartition(topic, number) for topic in topics for number in numbers[topic]]
        if absent and (all_named or not partitions):
            raise SourceError(
                f"topic {absent[0]!r} does not exist at {where}, or the service has no right to see it", retryable=True
            )
        self.partitions = self._at_start = frozenset((partition.topic, partition.partition) for partition in partitions)
        # Whoever names a topic wrongly keeps nobody else's from being read.
        self._missing, self.gone_since = frozenset(absent), dict.fromkeys(absent, self._clock.now_ms())
        return partitions

    def subscribe(self, consumer: Any, listener: ConsumerRebalanceListener) -> None:
        """Join the group for these topics, and take up what becomes of them."""
        # Private: the minor version is pinned, and tests with new topics tell when it changes.
        consumer._cluster.add_listener(self._see)
        if self._names == self._entries:
            consumer.subscribe(self._entries, listener=listener)
        else:
            consumer.subscribe(pattern=expression(self._entries), listener=listener)

    def is_new(self, partition: TopicPartition) -> bool:
        """Whether a partition was not there when the source was opened."""
        return tuple(partition) not in self._at_start

    def is_gone(self, topic: str) -> bool:
        """Whether a topic that a pattern matches is not there; one that is named is never gone."""
        reader = reader_of(self._entries, topic)
        return reader is not None and is_pattern(reader) and topic not in {name for name, _ in self.partitions}

    def _see(self, cluster: Any) -> None:
        """Take up an answer of the brokers; the client's own thread calls it."""
        topics = {topic for topic in cluster.topics() if reader_of(self._entries, topic) is not None}
        seen = {(topic, number) for topic in topics for number in cluster.partitions_for_topic(topic) or ()}
        # A topic is gone when two answers in a row lack it: one may come of a broker that is behind. Windows wait for
        # one that is named until it is there again.
        missing = {topic for topic, _ in self.partitions}.union(self._names) - topics
        lacking_twice = missing & self._missing
        gone = lacking_twice - set(self._names)
        now_ms = self._clock.now_ms()
        self.gone_since = {topic: self.gone_since.get(topic, now_ms) for topic in sorted(lacking_twice - gone)}
        doubtful = {partition for partition in self.partitions if partition[0] in missing - gone}
        self.partitions = frozenset(seen | doubtful)
        self._missing = frozenset(missing)


def topics_of(consumer: Any) -> set[str]:
    """Ask the brokers which topics there are; one that is gone is an answer away from another one.

    The client asks one broker, and if that cannot be reached raises; at the next try it takes another.

    Raises
    ------
    kafka.errors.KafkaError
        No broker answers; or one refuses.
    """
    cluster = consumer._cluster  # private, as above
    asks_for_all = cluster.need_all_topic_metadata
    others = max(len(cluster.brokers()) - 1, 0)
    while True:
        try:
            topics: set[str] = consumer.topics()
        except RetriableError:
            if not others:
                raise
            others -= 1
        else:
            return topics
        finally:
            # The client leaves it set when it fails, and asks for every topic of the cluster from then on.
            cluster.need_all_topic_metadata = asks_for_all
