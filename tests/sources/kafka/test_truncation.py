"""A Kafka topic that is made anew, or loses its end, under a reader that had read further."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import TopicAlreadyExistsError

from monitor.errors import SourceError
from monitor.events import Gap
from monitor.messages import LIFE
from monitor.sources.kafka.source import KafkaSource
from tests.service.shop import wait_until
from tests.services.kafka import Cluster, ThreeBrokers
from tests.sources.reading import produce, read, source


def make_anew(kafka: Cluster, topic: str, values: list[bytes]) -> None:
    def created() -> bool:
        try:
            kafka.create_topic(topic)
        except TopicAlreadyExistsError:
            return False
        return True

    kafka.delete_topic(topic)
    wait_until(created, "the old topic is gone")
    produce(kafka, topic, values)


def read_so_far(kafka: Cluster, topic: str, count: int) -> Mapping[str, Any]:
    """Read so much; return what a checkpoint would keep of the log."""
    with source(kafka, topic) as reader:
        read(reader, count)
        return dict(reader.mark((topic, 0)))


def read_a_life(reader: KafkaSource, count: int) -> tuple[list[Gap], list[tuple[int, bytes | None]]]:
    """Poll until a log's next life is found, of which nothing comes before the gap is taken; then so many messages."""
    wait_until(lambda: reader.poll(500, 0.1) or reader.gaps, "the next life is found")
    assert reader.poll(500, 0.1) == []
    gaps = reader.gaps.copy()
    reader.gaps.clear()
    return gaps, read(reader, count)[0]


def has_failed_meanwhile(reader: KafkaSource) -> bool:
    return reader._shared is not None and reader._shared._failure is not None


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("count", [3, 20], ids=["shorter", "longer"])
def test_a_topic_that_was_made_anew_is_read_from_its_first_message_in_its_next_life(
    kafka: Cluster, topic: str, bounded: bool, count: int
) -> None:
    produce(kafka, topic, [b"old"] * 10)
    mark = read_so_far(kafka, topic, 10)
    make_anew(kafka, topic, [b"new"] * count)

    with source(kafka, topic, lambda _t, _p: 10, bounded=bounded, mark=mark) as reader:
        assert read_a_life(reader, count) == (
            [(topic, 0, 10, LIFE)],
            [(LIFE + n, b"new") for n in range(count)],
        )
        assert reader.ends() == {(topic, 0): LIFE + count}
        assert reader.mark((topic, 0))["topic_id"] not in ("", mark["topic_id"])


def test_a_topic_that_is_made_anew_under_a_reader_is_found_while_it_reads(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"old"] * 10)
    mark: dict[str, Any] = {}
    with source(kafka, topic, lambda _t, _p: 3, mark=mark, refresh="200ms") as reader:
        read(reader, 7)
        mark |= reader.mark((topic, 0))
        make_anew(kafka, topic, [b"new"] * 50)
        wait_until(lambda: reader.poll(500, 0.1) or reader.gaps, "the next life is found")
        assert reader.poll(500, 0.1) == []
        gaps: list[Gap] = []
        records: list[tuple[int, bytes | None]] = []

        def is_read() -> bool:
            batches = reader.poll(500, 0.1)
            if reader.gaps:
                # The group may take the partition away; it then begins at the checkpoint, and finds the same.
                gaps.extend(reader.gaps)
                reader.gaps.clear()
                records.clear()
            for batch in batches:
                records.extend(zip(batch.offsets.tolist(), batch.payloads, strict=True))
            return len(records) >= 50

        wait_until(is_read, "the next life is read")
        # Or where it was when the brokers told: what came of the new topic before that counts as the old one's end.
        assert {first for *_, first, _ in gaps} <= {3, *range(10, 51)}
        assert {following for *_, following in gaps} == {LIFE}
        assert records == [(LIFE + n, b"new") for n in range(50)]


def test_a_checkpoint_that_knows_nothing_of_its_log_takes_a_shorter_one_for_another(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"new"] * 2)
    with source(kafka, topic, lambda _t, _p: 5) as reader:
        assert read_a_life(reader, 2)[1] == [(LIFE, b"new"), (LIFE + 1, b"new")]


def test_a_life_goes_on_at_its_checkpoint_and_may_end_too(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"%d" % n for n in range(10)])
    with kafka.admin() as admin:
        admin.delete_records({TopicPartition(topic, 0): 6})
    with source(kafka, topic, lambda _t, _p: 2 * LIFE + 4) as reader:
        assert [offset for offset, _ in read(reader, 4)[0]] == [2 * LIFE + n for n in range(6, 10)]
        assert reader.gaps == [(topic, 0, 2 * LIFE + 4, 2 * LIFE + 6)]
        reader.commit({(topic, 0): 2 * LIFE + 9, (topic, 1): 4})
        reader.poll(1, 0.1)
        wait_until(
            lambda: not reader.poll(1, 0.1) and _committed(kafka, topic) == 9, "the log's own offset is committed"
        )
    with source(kafka, topic, lambda _t, _p: 2 * LIFE + 50) as reader:
        assert read_a_life(reader, 4)[1][0] == (3 * LIFE + 6, b"6")


def _committed(kafka: Cluster, topic: str) -> int | None:
    with kafka.admin() as admin:
        found = admin.list_group_offsets(f"g-{topic}")
    return next((known.offset for by_partition in found.values() for known in by_partition.values()), None)


@pytest.mark.parametrize("bounded", [False, True])
def test_who_wants_to_stop_is_told_why(kafka: Cluster, topic: str, bounded: bool) -> None:
    produce(kafka, topic, [b"x"])
    with (
        pytest.raises(SourceError, match=r"made anew, or cut short, behind offset 5.* kafka\.on_truncation") as caught,
        source(kafka, topic, lambda _t, _p: 5, bounded=bounded, on_truncation="stop") as reader,
    ):
        read(reader, 1)
    assert not caught.value.retryable


@pytest.mark.slow
@pytest.mark.parametrize("is_busy", [False, True])
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_log_that_an_unclean_leader_cut_is_read_on_from_where_it_differs(
    three_brokers: ThreeBrokers, topic_name: str, is_busy: bool
) -> None:
    wanted = {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}
    three_brokers.create_topic(topic_name, replicas=2, configs=wanted)
    produce(three_brokers, topic_name, [b"both"] * 10)
    leader = three_brokers.leader(topic_name, 0)
    with three_brokers.admin() as admin:
        [described] = admin.describe_topics([topic_name])
    replicas = [three_brokers.brokers[node] for node in described["partitions"][0]["replica_nodes"]]
    [follower] = [broker for broker in replicas if broker is not leader]
    with source(three_brokers, topic_name, options={"max_poll_interval_ms": 6_000}) as reader:
        read(reader, 10)
        follower.kill()
        produce(three_brokers, topic_name, [b"one"] * 5)
        assert [offset for offset, _ in read(reader, 5)[0]] == list(range(10, 15))
        try:
            leader.kill()
            follower.start()
            produce(three_brokers, topic_name, [b"other"] * 20)
            # What polls in the place of a busy reader is the first to learn of it.
            wait_until(lambda: not is_busy or has_failed_meanwhile(reader), "the cut is seen")
            assert read_a_life(reader, 20) == (
                [(topic_name, 0, 15, LIFE + 10)],
                [(LIFE + n, b"other") for n in range(10, 30)],
            )
        finally:
            leader.start()
