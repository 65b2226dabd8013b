"""What a real broker hands out is the same read by the batch and by the record: records, positions, events."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Producer

from monitor.config.model import SourceSpec
from monitor.config.schema import Schema
from monitor.decoders import JsonDecoder, TopicPlan
from monitor.events import Records
from tests.services.kafka import Cluster
from tests.sources.reading import produce, source, until

pytestmark = pytest.mark.kafka
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
WAYS = ("batches", "plain")
COMPACTED_S = 300.0
ATTEMPTS = 200


def polled(kafka: Cluster, topic: str, way: str, offset: int | None = None, max_records: int = 700) -> list[Records]:
    """All of a topic with one partition, poll by poll."""
    found: list[Records] = []
    with source(kafka, topic, lambda _topic, _partition: offset, bounded=True, records=way) as reader:

        def is_read() -> bool:
            found.extend(reader.poll(max_records, 0.1))
            return reader.at_end() == reader.assigned()

        until(is_read)
    return found


def rows_of(found: Sequence[Records]) -> list[Any]:
    rows: list[Any] = []
    for records in found:
        assert records.keys is not None
        headers = records.headers if records.headers is not None else [()] * len(records)
        columns = (records.offsets.tolist(), records.timestamps_ms.tolist(), records.keys, records.payloads, headers)
        rows += zip(*columns, strict=True)
    return rows


def both(kafka: Cluster, topic: str, offset: int | None = None) -> list[Any]:
    """What either way gives, once it is known to be the same."""
    for _ in range(ATTEMPTS):
        before, ours, after = (rows_of(polled(kafka, topic, way, offset)) for way in ("plain", "batches", "plain"))
        # The broker may compact a topic meanwhile.
        if before == after:
            assert ours == before
            return ours
    raise AssertionError(f"{topic} does not come to rest")


def sent(kafka: Cluster, topic: str, count: int, **options: Any) -> None:
    """Messages of all kinds, some with headers, keys, or nothing at all, in batches of many."""
    settings = {"bootstrap.servers": kafka.bootstrap, "linger.ms": 100, "batch.num.messages": 400, **options}
    producer = Producer(settings)
    headers: list[tuple[str, str | bytes | None]] = [("model", b"m"), ("none", None), ("empty", b"")]
    for number in range(count):
        producer.produce(
            topic,
            None if number % 11 == 3 else json.dumps({"ts": 1_700_000_000_000 + number, "x": number / 7}).encode(),
            key=[None, b"", b"key-%d" % number][number % 3],
            headers=headers[: number % 4] if number % 5 == 0 else None,
            timestamp=1_700_000_000_000 + number * 3,
        )
    assert producer.flush(20) == 0


def decoded(found: Sequence[Records]) -> tuple[list[Any], list[Any]]:
    """The columns of all events, and what was wrong with messages."""
    schema = Schema.model_validate({"features": {"x": {"type": "numeric"}}})
    plan = TopicPlan("m", SourceSpec.model_validate({"kafka": "t", "event_time": "ts"}), schema)
    decoder = JsonDecoder([plan])
    parts = [decoder.decode(records) for records in found]
    events = [part.events["m"] for part in parts]
    names = ("offsets", "record_ms", "event_ms", "numeric")
    columns = [np.concatenate([getattr(some, name) for some in events], axis=-1).tolist() for name in names]
    return columns, [problem for part in parts for problem in part.problems]


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_the_same_records_and_events(kafka: Cluster, topic: str, codec: str) -> None:
    sent(kafka, topic, 3_000, **{"compression.type": codec})

    assert [row[0] for row in both(kafka, topic)] == list(range(3_000))
    ours, theirs = (decoded(polled(kafka, topic, way)) for way in WAYS)
    assert ours == theirs
    columns, problems = ours
    assert len(columns[0]) + len(problems) == 3_000
    assert len(problems) == sum(number % 11 == 3 for number in range(3_000))


@pytest.mark.parametrize("offset", [1, 399, 400, 401, 1_234, 2_000])
def test_a_start_in_the_middle_of_a_batch_gives_no_earlier_message(kafka: Cluster, topic: str, offset: int) -> None:
    sent(kafka, topic, 2_000, **{"compression.type": "lz4"})

    assert [row[0] for row in both(kafka, topic, offset)] == list(range(offset, 2_000))


def test_log_append_time_is_the_broker_s(kafka: Cluster, topic_name: str) -> None:
    kafka.create_topic(topic_name, configs={"message.timestamp.type": "LogAppendTime"})
    sent(kafka, topic_name, 500)

    times_ms = {row[1] for row in both(kafka, topic_name)}
    assert min(times_ms) > 1_700_000_000_000 + 500 * 3
    assert len(times_ms) < 500


def test_interleaved_transactions_give_what_was_committed(kafka: Cluster, topic: str) -> None:
    producers = []
    for number in range(3):
        producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": f"{topic}-{number}"})
        producer.init_transactions()
        producers.append(producer)
    wanted = set()
    for turn in range(6):
        for producer in producers:
            producer.begin_transaction()
        for part in range(3):
            for number, producer in enumerate(producers):
                for message in range(5):
                    value = b"%d-%d-%d-%d" % (turn, number, part, message)
                    producer.produce(topic, value, headers={"turn": str(turn)})
                    if (turn + number) % 2:
                        wanted.add(value)
                producer.flush()
        for number, producer in enumerate(producers):
            if (turn + number) % 2:
                producer.commit_transaction()
            else:
                producer.abort_transaction()

    rows = both(kafka, topic)
    assert {row[3] for row in rows} == wanted
    assert len(rows) == len(wanted)
    for offset in (rows[3][0], rows[40][0] + 1):
        assert both(kafka, topic, offset) == [row for row in rows if row[0] >= offset]


@pytest.mark.slow
def test_holes_of_a_compacted_topic_are_passed(kafka: Cluster, topic_name: str) -> None:
    configs = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"}
    kafka.create_topic(topic_name, configs={**configs, "delete.retention.ms": "0"})
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 100, "compression.type": "lz4"})
    for number in range(1_000):
        producer.produce(topic_name, b"%d" % number, key=b"%d" % (number % 7 if number % 10 else number))
    producer.flush()
    deadline_s = time.monotonic() + COMPACTED_S
    rows: list[Any] = []
    while not rows or len(rows) > 300:
        assert time.monotonic() < deadline_s, "the broker did not compact the topic"
        # A segment is closed by a message that comes after its time; only closed ones are compacted.
        producer.produce(topic_name, b"last", key=b"last")
        producer.flush()
        rows = rows_of(polled(kafka, topic_name, "plain"))
        time.sleep(0.5)

    offsets = [row[0] for row in both(kafka, topic_name)]
    assert max(np.diff(offsets)) > 1
    for offset in (offsets[5] + 1, offsets[50] + 1):
        found = [row[0] for row in both(kafka, topic_name, offset)]
        assert found[0] == min(there for there in offsets if there >= offset)


def test_a_bounded_reader_ends_in_the_middle_of_a_batch_that_came_later(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, [b"before"] * 5)
    with source(kafka, topic, bounded=True, records="batches") as reader:
        produce(kafka, topic, [b"later"] * 5)
        found: list[Records] = []

        def is_read() -> bool:
            found.extend(reader.poll(3, 0.1))
            return reader.at_end() == {(topic, 0)}

        until(is_read)
    assert [value for records in found for value in records.payloads] == [b"before"] * 5
    assert max(map(len, found)) <= 3
