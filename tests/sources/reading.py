"""Reading a Kafka topic in tests: what was produced, and what came of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaProducer

from monitor.config.kafka import KafkaCluster
from monitor.events import Change, Partition, Records
from monitor.sources.contract import Resume
from monitor.sources.kafka.source import KafkaSource
from tests.services.kafka import Cluster

Log = dict[int, list[tuple[int, bytes | None]]]
PATIENCE_S = 120.0


def nowhere(_topic: str, _partition: int) -> int | None:
    return None


def produce(kafka: Cluster, topic: str, values: Sequence[bytes | None], partition: int = 0, **options: Any) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=20, **options)
    sent = [
        producer.send(topic, value, key=b"k", partition=partition, timestamp_ms=1_000 + number)
        for number, value in enumerate(values)
    ]
    producer.flush()
    for message in sent:
        message.get(PATIENCE_S)  # flush says nothing of what the broker did not take
    producer.close()


@contextmanager
def source(
    kafka: Cluster,
    topic: str,
    resume: Resume = nowhere,
    *,
    bounded: bool = False,
    mark: Mapping[str, Any] | None = None,
    **cluster: Any,
) -> Iterator[KafkaSource]:
    """Open a reader; ``mark`` is what the checkpoints say of their log."""
    settings = {"group": f"g-{topic}", "options": {"heartbeat_interval_ms": 200}, **cluster}
    made = KafkaSource(
        KafkaCluster.model_validate({"bootstrap": kafka.addresses, **settings}), [topic], bounded=bounded
    )

    def recalling(name: str, partition: int) -> int | None:
        made.recall((name, partition), mark or {})
        return resume(name, partition)

    try:
        made.open(recalling)
        yield made
    finally:
        made.close()


def keep(log: Log, polled: Sequence[Records]) -> None:
    for records in polled:
        log[records.partition] += zip(records.offsets.tolist(), records.payloads, strict=True)


def read(reader: KafkaSource, count: int, max_records: int = 500) -> Log:
    """Poll until there were ``count`` records."""
    log: Log = defaultdict(list)
    # By the clock: a poll may come back at once, without anything.
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        keep(log, reader.poll(max_records, 0.1))
        if sum(map(len, log.values())) >= count:
            return log
    raise AssertionError(f"only {sum(map(len, log.values()))} of {count} records came")


def named(changes: list[Change], wanted: str) -> frozenset[Partition]:
    return frozenset(partition for what, partitions in changes if what == wanted for partition in partitions)


def read_to_end(reader: KafkaSource) -> Log:
    log: Log = defaultdict(list)
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        keep(log, reader.poll(500, 0.1))
        if reader.assigned() and reader.at_end() == reader.assigned():
            return log
    raise AssertionError(f"not at the end: {reader.at_end()} of {reader.assigned()}")


def until(reached: Callable[[], bool]) -> None:
    """Ask again and again until it is so; the asking itself has to wait."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline_s, "it never came to that"
