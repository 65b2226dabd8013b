"""What it costs to have a message of a Kafka topic in memory: fetched, decompressed, found; nothing is decoded.

Run with ``python -m bench.fetch``. The broker runs on the same machine, and each contestant reads the same topics, one
uncompressed and one with lz4, in the same process in turn:

- *leeway*: the source as the service opens it, by the record batch;
- *leeway, plain*: the same with ``records: plain``;
- *kafka-python*: ``poll`` of 5,000 records, and nothing done with them;
- *confluent-kafka*: ``consume(5000)``, which gives an object of each message whose parts are not asked for.

Figures are microseconds of process CPU time a message, over all threads; the kernel's part, which copies the bytes
from the socket, is also shown by itself. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from confluent_kafka import Consumer
from kafka import KafkaConsumer, TopicPartition

from bench.kafka import fill
from monitor.config.kafka import KafkaCluster
from monitor.memory import keep_freed
from monitor.sources.kafka.source import KafkaSource
from tests.services.kafka import Broker

__all__ = ["CONTESTANTS", "measure", "report"]

CODECS = ("none", "lz4")
POLL = 5_000
Read = Callable[[], int]
"""Reads what there is, and says how many messages that were."""


@contextmanager
def leeway(bootstrap: str, topic: str, records: Any = "batches", **options: Any) -> Iterator[Read]:
    """Our source."""
    source = KafkaSource(KafkaCluster(bootstrap=[bootstrap], records=records, options=options), [topic], bounded=True)
    try:
        source.open(lambda _topic, _partition: None)
        yield lambda: sum(map(len, source.poll(POLL, 0.1)))
    finally:
        source.close()


@contextmanager
def kafka_python(bootstrap: str, topic: str) -> Iterator[Read]:
    """The client that our source uses."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        yield lambda: sum(map(len, consumer.poll(timeout_ms=100, max_records=POLL).values()))
    finally:
        consumer.close()


@contextmanager
def confluent(bootstrap: str, topic: str) -> Iterator[Read]:
    """librdkafka, by its Python client."""
    options = {"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
    consumer = Consumer({**options, "enable.auto.commit": False, "check.crcs": True})
    try:
        consumer.subscribe([topic])
        yield lambda: len(consumer.consume(POLL, 0.1))
    finally:
        consumer.close()


CONTESTANTS: dict[str, Callable[[str, str], Any]] = {
    "leeway": leeway,
    "leeway, plain": lambda bootstrap, topic: leeway(bootstrap, topic, "plain"),
    "kafka-python": kafka_python,
    "confluent-kafka": confluent,
}


def timed(contestant: Callable[[str, str], Any], bootstrap: str, topic: str, count: int) -> dict[str, float]:
    """Read a topic; microseconds a message of CPU time, and of that the kernel's."""
    with contestant(bootstrap, topic) as read:
        # At once: a client that fetches ahead must not do so before.
        begun, found = resource.getrusage(resource.RUSAGE_SELF), 0
        while found < count:
            found += read()
        ended = resource.getrusage(resource.RUSAGE_SELF)
    user_s, kernel_s = ended.ru_utime - begun.ru_utime, ended.ru_stime - begun.ru_stime
    return {"us": 1e6 * (user_s + kernel_s) / found, "kernel_us": 1e6 * kernel_s / found}


def measure(count: int, partitions: int, rounds: int) -> dict[str, Any]:
    """Measure all contestants in turn."""
    keep_freed()  # as the service does
    found: dict[str, Any] = {"messages": count, "partitions": partitions, "rounds": rounds}
    with Broker(for_load=True) as broker:
        for codec in CODECS:
            found["bytes_per_message"] = fill(broker, codec, count, 1_000, partitions, codec)
        for codec in CODECS:
            runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
            for _ in range(rounds):
                for name, contestant in CONTESTANTS.items():
                    runs[name].append(timed(contestant, broker.bootstrap, codec, count))
            found[codec] = {
                name: {
                    "best": min(run["us"] for run in some),
                    "median": median(run["us"] for run in some),
                    "kernel": median(run["kernel_us"] for run in some),
                }
                for name, some in runs.items()
            }
    return found


def report(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    size, partitions, rounds = found["bytes_per_message"], found["partitions"], found["rounds"]
    head = f"{found['messages']:,} messages of {size:.0f} bytes in {partitions} partitions, {rounds} rounds"
    lines = [f"{head}; us of CPU time a message"]
    for codec in CODECS:
        lines.append(f"{'compression: ' + codec:24}{'best':>8}{'median':>8}{'kernel':>8}{'ratio':>8}")
        slowest = found[codec]["kafka-python"]["median"]
        for name, run in found[codec].items():
            figures = "".join(f"{run[key]:8.2f}" for key in ("best", "median", "kernel"))
            lines.append(f"{name:24}{figures}{slowest / run['median']:7.1f}x")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, then all figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.fetch")
    parser.add_argument("--messages", type=int, default=400_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    found = measure(options.messages, options.partitions, options.rounds)
    print(*report(found), json.dumps(found), sep="\n")


if __name__ == "__main__":
    main()
