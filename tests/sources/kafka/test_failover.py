"""A cluster of three loses a broker while it is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import pytest
from kafka.errors import KafkaConnectionError

from monitor.config.kafka import KafkaCluster
from monitor.sources.kafka.source import KafkaSource
from tests.service.shop import wait_until
from tests.services.kafka import Broker, Cluster, ThreeBrokers
from tests.sources.reading import Log, keep, nowhere, produce, read_to_end, source

pytestmark = pytest.mark.kafka


# Connections to the broker that is gone are forgotten by the client, and collected here.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.slow
@pytest.mark.parametrize("end", [Broker.stop, Broker.kill], ids=["stopped", "killed"])
def test_reading_goes_on_when_a_leader_is_gone_and_when_it_is_back(
    three_brokers: ThreeBrokers, topic_name: str, end: Callable[[Broker], None]
) -> None:
    three_brokers.create_topic(topic_name, partitions=3, replicas=3)
    log: Log = defaultdict(list)
    produced = 0

    def more(reader: KafkaSource) -> None:
        nonlocal produced
        for partition in range(3):
            produce(three_brokers, topic_name, [b"%d" % n for n in range(produced, produced + 50)], partition)
        produced += 50

        def read_on() -> bool:
            keep(log, reader.poll(20, 0.1))
            return enough()

        wait_until(read_on, f"{produced} records of each partition")

    def enough() -> bool:
        return all(len(log[partition]) >= produced for partition in range(3))

    with source(three_brokers, topic_name) as reader:
        more(reader)
        leader = three_brokers.leader(topic_name, 0)
        end(leader)
        try:
            more(reader)
        finally:
            leader.start()
        more(reader)
        reader.poll(20, 0.3)

    assert dict(log) == {partition: [(n, b"%d" % n) for n in range(150)] for partition in range(3)}


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_partition_whose_broker_is_away_is_not_read_to_its_end(three_brokers: ThreeBrokers, topic_name: str) -> None:
    three_brokers.create_topic(topic_name, partitions=1, replicas=1)
    produce(three_brokers, topic_name, [b"x"])
    partition = (topic_name, 0)
    with source(three_brokers, topic_name) as reader:
        wait_until(lambda: reader.poll(20, 0.1) or reader.at_end() == {partition}, "it is read")
        assert reader.unanswered() == set()
        leader = three_brokers.leader(topic_name, 0)
        leader.stop()
        try:
            wait_until(lambda: reader.poll(20, 0.1) or reader.unanswered() == {partition}, "it is found to be away")
            assert reader.at_end() == set()
            assert reader.ends() == {partition: 1}, "as of the last answer"
        finally:
            leader.start()
        wait_until(lambda: reader.poll(20, 0.1) or reader.at_end() == {partition}, "it answers again")
        assert reader.unanswered() == set()


def test_one_broker_that_answers_is_enough_to_begin(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"x"])
    reader = KafkaSource(KafkaCluster(bootstrap=["127.0.0.1:1", *kafka.addresses]), [topic], bounded=True)
    reader.open(nowhere)
    assert read_to_end(reader)[0] == [(0, b"x")]
    reader.close()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_look_at_the_topics_survives_the_broker_that_it_asks_first(
    three_brokers: ThreeBrokers, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_brokers.create_topic(topic_name, partitions=3, replicas=3)
    for partition in range(3):
        produce(three_brokers, topic_name, [b"x"] * 50, partition)
    log: Log = defaultdict(list)

    def read_on(reader: KafkaSource) -> int:
        keep(log, reader.poll(20, 0.1))
        return sum(map(len, log.values()))

    with source(three_brokers, topic_name) as reader:
        cluster = reader._consumer._cluster
        asked: list[int | str] = []

        async def refused(node: int | str | None) -> None:
            asked.append(reader._consumer._manager.least_loaded_node() if node is None else node)
            if len(asked) <= 2:
                error = KafkaConnectionError("111 ECONNREFUSED")
                cluster.failed_update(error)
                raise error
            await ask(node)

        ask = cluster._do_refresh_metadata
        wait_until(lambda: read_on(reader) > 0, "something is read")
        monkeypatch.setattr(cluster, "_do_refresh_metadata", refused)
        cluster.request_update()
        wait_until(lambda: read_on(reader) == 150, "all is read")
        assert len(asked) >= 3
        assert not cluster.need_all_topic_metadata
    assert dict(log) == {partition: [(n, b"x") for n in range(50)] for partition in range(3)}
