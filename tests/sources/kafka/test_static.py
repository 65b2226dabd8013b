"""Static members: a restart that nobody notices, and two processes that claim to be the same."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.errors import SourceError
from monitor.sources.kafka.source import KafkaSource
from tests.service.shop import wait_until
from tests.services.kafka import Cluster
from tests.sources.reading import produce, read, source

pytestmark = pytest.mark.kafka


def generation(reader: KafkaSource) -> int:
    return int(reader._consumer.group_metadata().generation_id)


def settled(*readers: KafkaSource, each: int) -> bool:
    for reader in readers:
        reader.poll(10, 0.1)
    return all(len(reader.assigned()) == each and reader.at_end() == reader.assigned() for reader in readers)


def test_a_static_member_that_restarts_gets_its_partitions_back_and_nobody_notices(
    kafka: Cluster, topic_name: str
) -> None:
    kafka.create_topic(topic_name, partitions=4)
    with source(kafka, topic_name, instance="staying") as staying:
        with source(kafka, topic_name, instance="restarting") as restarting:
            wait_until(lambda: settled(staying, restarting, each=2), "both have their partitions")
            mine, before = restarting.assigned(), generation(staying)
            staying.changes()
        produce(kafka, topic_name, [b"meanwhile"], next(iter(mine))[1])
        with source(kafka, topic_name, instance="restarting") as restarting:
            assert sum(map(len, read(restarting, 1).values())) == 1
            staying.poll(10, 0.5)
            assert restarting.assigned() == mine
            assert generation(staying) == before
            assert staying.changes() == []


def test_the_older_of_two_processes_with_the_same_instance_stops_and_says_so(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"x"])
    with source(kafka, topic, instance="same") as older:
        read(older, 1)
        with source(kafka, topic, instance="same") as newer:
            read(newer, 1)
            with pytest.raises(SourceError, match=r"each needs one of its own") as caught:
                wait_until(lambda: polls(older), "the older one is told")
            assert "kafka.instance" in str(caught.value)
            assert not caught.value.retryable


def polls(reader: KafkaSource) -> Any:
    """Poll, for ever without an outcome."""
    reader.poll(10, 0.1)
