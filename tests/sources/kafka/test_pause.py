"""A reader that is busy stays in its group, with its partitions paused."""

from __future__ import annotations

import pytest

from monitor.sources.kafka.source import KafkaSource
from tests.service.shop import wait_until
from tests.services.kafka import Cluster
from tests.sources.reading import produce, read, source

pytestmark = pytest.mark.kafka
POLL_INTERVAL_MS = 3_000
OPTIONS = {"heartbeat_interval_ms": 200, "max_poll_interval_ms": POLL_INTERVAL_MS}


def membership(reader: KafkaSource) -> str:
    """The member's id: whoever is thrown out gets another one."""
    return str(reader._consumer.group_metadata().member_id)


def test_a_reader_that_is_busy_longer_than_the_poll_interval_stays_and_loses_nothing(
    kafka: Cluster, topic: str
) -> None:
    produce(kafka, topic, [b"%d" % n for n in range(10)])
    with source(kafka, topic, options=OPTIONS) as reader:
        log = read(reader, 3, max_records=3)
        before = membership(reader)
        assert reader.paused_s == 0

        wait_until(lambda: reader.paused_s > 3 * POLL_INTERVAL_MS / 1000, "three poll intervals without a poll")
        produce(kafka, topic, [b"%d" % n for n in range(10, 20)])
        log[0] += read(reader, 17)[0]

        assert membership(reader) == before
        assert log[0] == [(n, b"%d" % n) for n in range(20)]
        paused_s = reader.paused_s
        reader.poll(10, 0.1)
        assert reader.paused_s == paused_s > 3 * POLL_INTERVAL_MS / 1000
        assert reader.changes() == [("assigned", frozenset({(topic, 0)}))]


def test_a_busy_reader_does_not_hold_up_the_rebalances_of_its_group(kafka: Cluster, topic_name: str) -> None:
    kafka.create_topic(topic_name, partitions=2)
    options = {**OPTIONS, "max_poll_interval_ms": 120_000}
    with source(kafka, topic_name, options=options) as busy:
        wait_until(lambda: not busy.poll(10, 0.1) and len(busy.assigned()) == 2, "the first has both partitions")
        with source(kafka, topic_name, options=options) as second:
            # The first does not poll once in all of this.
            wait_until(lambda: not second.poll(10, 0.1) and second.assigned(), "the second gets one of them")
            assert len(busy.assigned()) == len(second.assigned()) == 1
            for partition in range(2):
                produce(kafka, topic_name, [b"x"], partition)
            assert list(read(second, 1)) == [next(iter(second.assigned()))[1]]
            assert list(read(busy, 1)) == [next(iter(busy.assigned()))[1]]
            assert busy.changes()[-1] == ("revoked", second.assigned())


def test_going_back_to_the_checkpoints_reads_the_same_again_in_the_same_membership(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"%d" % n for n in range(10)])
    with source(kafka, topic, lambda _topic, _partition: 4, options=OPTIONS) as reader:
        first, before = read(reader, 6), membership(reader)
        reader.rewind()
        assert read(reader, 6) == first == {0: [(n, b"%d" % n) for n in range(4, 10)]}
        assert membership(reader) == before
