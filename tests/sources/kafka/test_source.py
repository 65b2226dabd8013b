from __future__ import annotations

import socket
import threading
import time
from collections import defaultdict
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition, codec
from kafka.admin import MemberToRemove

from monitor.config.kafka import KafkaCluster
from monitor.errors import InputError, SourceError
from monitor.sources.kafka.source import KafkaSource
from monitor.sources.kafka.trial import read_batches
from sinks.store.contract import StoreError
from tests.services.kafka import Cluster
from tests.sources.reading import Log, keep, named, nowhere, produce, read, read_to_end, source, until

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True, params=["batches", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here is run on both ways of reading."""
    monkeypatch.setattr(
        "monitor.sources.kafka.source.read_batches", lambda it, _wanted: read_batches(it, request.param)
    )


def test_records_come_with_offsets_times_and_tombstones(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"0", None, b"2"])

    with source(kafka, topic) as reader:
        records = next(found[0] for found in iter(lambda: reader.poll(10, 1.0), None) if found)

    assert (records.topic, records.partition) == (topic, 0)
    assert records.offsets.tolist() == [0, 1, 2]
    assert records.timestamps_ms.tolist() == [1_000, 1_001, 1_002]
    assert list(records.payloads) == [b"0", None, b"2"]


def test_a_restarted_reader_goes_on_at_its_checkpoint_whatever_the_group_committed(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"%d" % n for n in range(10)])
    with source(kafka, topic) as reader:
        read(reader, 10)
        reader.commit({(topic, 0): 10})
        read_to_end(reader)

    with source(kafka, topic, lambda _t, _p: 4) as reader:
        assert [offset for offset, _ in read(reader, 6)[0]] == [4, 5, 6, 7, 8, 9]
    with source(kafka, topic) as reader:
        assert len(read(reader, 10)[0]) == 10


def test_a_poll_returns_no_more_than_it_was_asked_for(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"x"] * 25)
    with source(kafka, topic, bounded=True) as reader:
        sizes = []
        while reader.at_end() != reader.assigned():
            sizes.append(sum(map(len, reader.poll(10, 0.1))))
    assert max(sizes) <= 10
    assert sum(sizes) == 25


def test_latest_leaves_out_what_was_there_before(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"old"] * 3)
    with source(kafka, topic, start="latest") as reader:
        assert read_to_end(reader) == {}
        produce(kafka, topic, [b"new"])
        assert read(reader, 1)[0] == [(3, b"new")]


@pytest.mark.parametrize("bounded", [False, True])
def test_where_a_partition_without_a_checkpoint_starts_is_said_once(
    kafka: Cluster, topic_name: str, bounded: bool
) -> None:
    kafka.create_topic(topic_name, partitions=3)
    for partition in (0, 1):
        produce(kafka, topic_name, [b"old"] * 3, partition)
    with source(kafka, topic_name, lambda _t, p: 1 if p == 1 else None, start="latest", bounded=bounded) as reader:
        assert read_to_end(reader) == {1: [(1, b"old"), (2, b"old")]}
        assert reader.starts() == {(topic_name, 0): 3, (topic_name, 2): 0}
        produce(kafka, topic_name, [b"new"])
        assert bounded or read(reader, 1)[0] == [(3, b"new")]
        assert reader.starts() == {}


def test_a_partition_starts_at_its_oldest_message_and_anew_when_it_is_given_again(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"x"] * 5)
    with kafka.admin() as admin:
        admin.delete_records({TopicPartition(topic, 0): 2})
    with source(kafka, topic) as reader:
        for _ in range(2):
            read(reader, 3)
            assert reader.starts() == {(topic, 0): 2}
            reader.rewind()


def test_commits_are_seen_by_the_tools_of_the_group(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"x"] * 5)
    with source(kafka, topic) as reader, kafka.admin() as admin:
        read(reader, 5)
        reader.commit({(topic, 0): 3, ("elsewhere", 0): 1})
        listed: dict[str, Any] = {}

        def is_seen() -> bool:
            reader.poll(10, 0.05)
            listed.update(admin.list_group_offsets(f"g-{topic}"))
            return bool(listed)

        until(is_seen)
    [offsets] = listed.values()
    assert {tp: offset.offset for tp, offset in offsets.items()} == {TopicPartition(topic, 0): 3}


def test_two_readers_share_the_partitions_and_nothing_is_lost(kafka: Cluster, topic_name: str) -> None:
    kafka.create_topic(topic_name, partitions=8)
    for partition in range(8):
        produce(kafka, topic_name, [b"%d" % n for n in range(20)], partition)
    log: Log = defaultdict(list)

    def have(each: int, *readers: KafkaSource, max_records: int = 500) -> bool:
        for reader in readers:
            keep(log, reader.poll(max_records, 0.05))
        return [len(reader.assigned()) for reader in readers] == [each] * len(readers)

    with source(kafka, topic_name) as first:
        keep(log, first.poll(500, 0.1))
        until(lambda: have(8, first, max_records=7))
        with source(kafka, topic_name) as second:
            until(lambda: have(4, first, second))
            assert first.assigned() | second.assigned() == {(topic_name, number) for number in range(8)}
            assert not first.assigned() & second.assigned()
            for partition in range(8):
                produce(kafka, topic_name, [b"%d" % n for n in range(20, 30)], partition)
            until(
                lambda: (
                    have(4, first, second)
                    and all(len({offset for offset, _ in log[number]}) == 30 for number in range(8))
                )
            )
            moved = second.assigned()
            first_changes, second_changes = first.changes(), second.changes()
        assert {offset for number in range(8) for offset, _ in log[number]} == set(range(30))
        assert all(len({offset for offset, _ in log[number]}) == 30 for number in range(8))

        # the first gives away only what the second gets, and takes it back when the second leaves
        assert first_changes[0][0] == "assigned"
        assert len(first_changes[0][1]) == 8
        assert named(first_changes, "revoked") == named(second_changes, "assigned") == moved
        until(lambda: have(8, first))
        assert named(first.changes(), "assigned") == moved
        assert len(first.assigned()) == 8


def test_a_reader_follows_its_group_however_short_its_polls(kafka: Cluster, topic: str) -> None:
    """A topic that grows makes the leader join anew, and the join outlasts many polls."""
    with source(kafka, topic, refresh="300ms") as reader, kafka.admin() as admin:
        produce(kafka, topic, [b"old"])
        read(reader, 1)
        admin.create_partitions({topic: 4})
        until(lambda: not reader.poll(500, 0.001) and len(reader.assigned()) == 4)
        assert reader.assigned() == {(topic, number) for number in range(4)}
        produce(kafka, topic, [b"new"], partition=3)
        assert read(reader, 1)[3] == [(0, b"new")]


def test_a_join_that_ends_between_two_polls_is_not_lost(kafka: Cluster, topic_name: str) -> None:
    """Polls are as short as can be and far apart, so that nearly every answer of the group falls between them."""
    kafka.create_topic(topic_name, partitions=8)

    def settled() -> bool:
        for reader in (first, second):
            reader.poll(500, 0.001)
            time.sleep(0.05)
        return len(first.assigned()) == len(second.assigned()) == 4

    with source(kafka, topic_name) as first, source(kafka, topic_name) as second:
        until(settled)
        changes = [first.changes(), second.changes()]
        for partition in range(8):
            produce(kafka, topic_name, [b"x"], partition)
        log: Log = defaultdict(list)

        def is_read() -> bool:
            keep(log, first.poll(500, 0.01))
            keep(log, second.poll(500, 0.01))
            return len(log) == 8

        until(is_read)
        assert sorted(log) == list(range(8))
        assert [first.changes(), second.changes()] == [[], []], f"the group did not stay settled: {changes}"


def test_a_member_that_was_thrown_out_claims_nothing_when_it_comes_back(
    kafka: Cluster, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.create_topic(topic_name, partitions=4)
    group = f"g-{topic_name}"

    def settled(readers: list[KafkaSource]) -> bool:
        for reader in readers:
            reader.poll(500, 0.05)
        return [len(reader.assigned()) for reader in readers] == [4 // len(readers)] * len(readers)

    with source(kafka, topic_name) as first:
        until(lambda: settled([first]))
        with source(kafka, topic_name) as second, kafka.admin() as admin:
            (member,) = admin.describe_groups([group])[group]["members"]
            coordinator = first._consumer._coordinator
            assert _claimed(coordinator) == [0, 1, 2, 3]
            with monkeypatch.context() as lost:
                lost.setattr(coordinator._subscription, "assigned_partitions", set)
                # Whether others suffer from a claim too many depends on who joins first.
                assert _claimed(coordinator) == []
            admin.remove_group_members(group, [MemberToRemove(member_id=member["member_id"])])

            until(lambda: settled([first, second]))
            assert not first.assigned() & second.assigned()


def test_a_bounded_reader_ends_where_the_topic_ended_at_its_start(kafka: Cluster, topic_name: str) -> None:
    kafka.create_topic(topic_name, partitions=3)
    produce(kafka, topic_name, [b"a"] * 10, 0)
    produce(kafka, topic_name, [b"b"] * 5, 1)

    with source(kafka, topic_name, lambda _t, p: 3 if p == 1 else None, bounded=True) as reader:
        produce(kafka, topic_name, [b"later"] * 10, 0)
        produce(kafka, topic_name, [b"later"] * 10, 2)
        log = read_to_end(reader)
        assert reader.poll(10, 0.1) == []
        assert reader.assigned() == {(topic_name, number) for number in range(3)}

    assert {partition: [offset for offset, _ in found] for partition, found in log.items()} == {
        0: list(range(10)),
        1: [3, 4],
    }


@pytest.mark.parametrize("bounded", [False, True])
def test_what_retention_removed_is_a_gap_and_reading_goes_on(kafka: Cluster, topic: str, bounded: bool) -> None:
    produce(kafka, topic, [b"%d" % n for n in range(10)])
    with kafka.admin() as admin:
        admin.delete_records({TopicPartition(topic, 0): 6})

    with source(kafka, topic, lambda _t, _p: 2, bounded=bounded) as reader:
        log = read(reader, 4)
        assert reader.gaps == [(topic, 0, 2, 6)]
    assert [offset for offset, _ in log[0]] == [6, 7, 8, 9]


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_batches_are_read(kafka: Cluster, topic: str, compression: str) -> None:
    values = [b"%d" % n * 50 for n in range(200)]
    produce(kafka, topic, values, compression_type=compression)
    with source(kafka, topic, lambda _t, _p: 57, bounded=True) as reader:
        assert [value for _, value in read_to_end(reader)[0]] == values[57:]


def test_messages_of_an_aborted_transaction_are_left_out(kafka: Cluster, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=f"t-{topic}")
    producer.init_transactions()
    for value, commit in ((b"kept", True), (b"gone", False), (b"kept too", True)):
        producer.begin_transaction()
        producer.send(topic, value, partition=0)
        producer.flush()
        if commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()

    with source(kafka, topic, bounded=True) as reader:
        assert read_to_end(reader)[0] == [(0, b"kept"), (4, b"kept too")]


def test_a_partition_starts_as_soon_as_its_checkpoint_can_be_read(kafka: Cluster, topic: str) -> None:
    failures = iter([StoreError("the store is away", retryable=True)] * 2)

    def broken_at_first(_topic: str, _partition: int) -> int | None:
        if (failure := next(failures, None)) is not None:
            raise failure
        return 1

    produce(kafka, topic, [b"0", b"1", b"2"])
    with source(kafka, topic, broken_at_first) as reader:
        for _ in range(2):
            with pytest.raises(StoreError, match="the store is away"):
                read(reader, 1)
        assert read(reader, 2)[0] == [(1, b"1"), (2, b"2")]


def test_a_missing_topic_is_named(kafka: Cluster, topic_name: str) -> None:
    with pytest.raises(SourceError, match=f"topic '{topic_name}' does not exist") as caught, source(kafka, topic_name):
        pass
    assert caught.value.retryable
    with kafka.admin() as admin:
        assert topic_name not in admin.list_topics()


def test_an_unreachable_broker_is_named() -> None:
    reader = KafkaSource(KafkaCluster(bootstrap=["127.0.0.1:1"]), ["t"])
    before = threading.active_count()
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1: Connection refused") as caught:
        reader.open(nowhere)
    reader.close()
    assert caught.value.retryable
    assert threading.active_count() == before


def test_a_peer_that_is_no_kafka_is_named_and_no_thread_stays() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        cluster = KafkaCluster(bootstrap=[address], options={"bootstrap_timeout_ms": 300})
        reader = KafkaSource(cluster, ["t"])
        before = threading.active_count()
        with pytest.raises(SourceError, match=address) as caught:
            reader.open(nowhere)
        reader.close()
        assert threading.active_count() == before
    assert caught.value.retryable


@pytest.mark.parametrize("option", ["enable_auto_commit", "group_id", "no_such_option"])
def test_options_that_would_break_the_promise_are_refused(option: str) -> None:
    with pytest.raises(InputError, match=option):
        KafkaSource(KafkaCluster(options={option: 1}), ["t"])


def test_options_that_do_not_fit_together_are_refused(kafka: Cluster) -> None:
    options: dict[str, str | int | float | bool] = {"request_timeout_ms": 10}
    with pytest.raises(InputError, match="request_timeout_ms"):
        KafkaSource(KafkaCluster(bootstrap=[kafka.bootstrap], options=options), ["t"]).open(nowhere)


def test_a_missing_codec_is_found_before_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "has_zstd", lambda: False)
    with pytest.raises(SourceError, match="zstandard"):
        KafkaSource(KafkaCluster(), ["t"]).open(nowhere)


def _claimed(coordinator: Any) -> list[int]:
    """The partitions that a member says are its own when it joins."""
    ((_, metadata),) = coordinator.group_protocols()
    return [number for topic in metadata.owned_partitions for number in topic.partitions]
