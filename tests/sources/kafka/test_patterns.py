"""Topics by pattern: those that match are read, also when they come later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from monitor.config.kafka import KafkaCluster
from monitor.sources.kafka.source import KafkaSource
from tests.service.shop import wait_until
from tests.services.kafka import Cluster
from tests.sources.reading import nowhere, produce

pytestmark = pytest.mark.kafka
Read = dict[str, list[bytes | None]]


@contextmanager
def source(kafka: Cluster, topics: Sequence[str], *, bounded: bool = False, **cluster: Any) -> Iterator[KafkaSource]:
    settings = {"group": topics[0].strip("/")[:80], "refresh": "300ms", "options": {"heartbeat_interval_ms": 200}}
    made = KafkaSource(
        KafkaCluster.model_validate({"bootstrap": [kafka.bootstrap], **settings, **cluster}), topics, bounded=bounded
    )
    try:
        made.open(nowhere)
        yield made
    finally:
        made.close()


def read(reader: KafkaSource, count: int) -> Read:
    found: Read = defaultdict(list)

    def enough() -> bool:
        for records in reader.poll(500, 0.1):
            found[records.topic] += records.payloads
        return sum(map(len, found.values())) >= count

    wait_until(enough, f"{count} records")
    return found


def test_a_topic_that_begins_to_match_is_read_from_its_first_message(kafka: Cluster, topic_name: str) -> None:
    before, later, other = (f"{topic_name}-{suffix}" for suffix in ("a", "b", "other"))
    for name in (before, other):
        kafka.create_topic(name)
        produce(kafka, name, [b"old"])

    with source(kafka, [f"/{topic_name}-./"], start="latest") as reader:
        wait_until(lambda: not reader.poll(10, 0.1) and reader.at_end() == {(before, 0)}, "what is there is read")
        assert reader.partitions() == {(before, 0)}

        kafka.create_topic(later, partitions=2)
        produce(kafka, later, [b"0", b"1"])
        produce(kafka, before, [b"new"])
        assert read(reader, 3) == {before: [b"new"], later: [b"0", b"1"]}
        assert reader.partitions() == reader.assigned() == {(before, 0), (later, 0), (later, 1)}


def test_a_pattern_that_matches_nothing_yet_waits_for_topics(kafka: Cluster, topic_name: str) -> None:
    with source(kafka, [f"/{topic_name}-[0-9]+/"]) as reader:
        assert reader.poll(10, 0.1) == []
        assert reader.partitions() == frozenset()
        kafka.create_topic(f"{topic_name}-1")
        produce(kafka, f"{topic_name}-1", [b"x"])
        assert read(reader, 1) == {f"{topic_name}-1": [b"x"]}


def test_names_and_patterns_go_together_and_a_topic_of_both_is_read_once(kafka: Cluster, topic_name: str) -> None:
    names = [f"{topic_name}-{suffix}" for suffix in ("a", "b", "c.d")]
    for name in names:
        kafka.create_topic(name)
        produce(kafka, name, [b"x"])
    topics = [names[0], f"/{topic_name}-(a|b)/", names[2]]

    for bounded in (False, True):
        with source(kafka, topics, bounded=bounded) as reader:
            assert read(reader, 3) == {name: [b"x"] for name in names}
            assert reader.poll(10, 0.3) == []


def test_a_topic_that_is_deleted_is_no_longer_waited_for(kafka: Cluster, topic_name: str) -> None:
    names = [f"{topic_name}-{suffix}" for suffix in "ab"]
    for name in names:
        kafka.create_topic(name)
        produce(kafka, name, [b"x"])
    with source(kafka, [f"/{topic_name}-./"]) as reader:
        read(reader, 2)
        kafka.delete_topic(names[1])
        wait_until(
            lambda: not reader.poll(10, 0.1) and reader.partitions() == reader.assigned() == {(names[0], 0)},
            "the topic is gone",
        )
        produce(kafka, names[0], [b"y"])
        assert read(reader, 1) == {names[0]: [b"y"]}


def test_a_named_topic_that_is_not_there_is_told_while_others_are_read_and_is_read_when_it_comes(
    kafka: Cluster, topic_name: str
) -> None:
    present, absent = f"{topic_name}-present", f"{topic_name}-absent"
    kafka.create_topic(present)
    produce(kafka, present, [b"0"])
    with source(kafka, [present, absent]) as reader:
        assert read(reader, 1) == {present: [b"0"]}
        wait_until(lambda: reader.poll(10, 0.5) == [] and list(reader.gone_since()) == [absent], "it is told")
        kafka.create_topic(absent)
        produce(kafka, absent, [b"1"])
        assert read(reader, 1) == {absent: [b"1"]}
        assert reader.gone_since() == {}
