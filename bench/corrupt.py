"""A million messages through a real broker, one in a hundred corrupt in one of twelve ways: which are dead letters?

Starts Apache Kafka, writes the messages to a topic of four partitions, reads them once through the service's ingest
into an embedded store, and compares the whole table of dead letters with what was written: topic, partition, offset,
reason and payload of each. The exit code is 1 if one is missing, is one too many, or differs.

Run ``python -m bench.corrupt``; ``--messages`` makes it shorter, ``--kafka`` takes a broker that runs. The last line is
JSON. Needs confluent-kafka, orjson and Java.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer

from bench.events import configure, events
from monitor.build import bounded_source
from monitor.config import Configuration, load
from monitor.messages import MAX_PAYLOAD_BYTES
from monitor.replay import Replay
from sinks.store import open_store
from sinks.store.contract import Query, Store
from tests.services.kafka import Broker, Cluster

__all__ = ["WAYS", "main", "messages"]

PARTITIONS = 4
EVERY = 100
"""One message in so many is corrupt."""

DAY_MS = 86_400_000
BATCH, CHECKPOINT_EVERY = 20_000, 200_000
LARGEST_BYTES = 4 << 20

Event = dict[str, object]
WAYS: dict[str, tuple[str, Callable[[Event], bytes | None]]] = {
    "no bytes": ("empty", lambda event: b""),
    "a tombstone": ("empty", lambda event: None),
    "not UTF-8": ("not_utf8", lambda event: orjson.dumps(event).replace(b'"DE"', b'"\xff"')[:-1] + b',"\xfe":1}'),
    "truncated JSON": ("not_json", lambda event: orjson.dumps(event)[:-40]),
    "not JSON": ("not_json", lambda event: orjson.dumps(event).replace(b'"', b"'")),
    "an array": ("not_an_object", lambda event: orjson.dumps([event])),
    "too large": ("too_large", lambda event: orjson.dumps(event | {"blob": "x" * (1 << 20)})),
    "too deep": ("not_json", lambda event: orjson.dumps(event)[:-1] + b',"deep":' + b"[" * 300 + b"]" * 300 + b"}"),
    "no event time": ("no_event_time", lambda event: orjson.dumps({k: v for k, v in event.items() if k != "ts"})),
    "an unreadable event time": ("event_time_unreadable", lambda event: orjson.dumps(event | {"ts": "soon"})),
    "an event time in the year 1": (
        "event_time_out_of_bounds",
        lambda event: orjson.dumps(event | {"ts": -62_135_596_800_000}),
    ),
    "an event time of tomorrow": (
        "event_time_in_future",
        lambda event: orjson.dumps(event | {"ts": int(str(event["ts"])) + DAY_MS}),
    ),
}
"""By kind: the reason that a dead letter must give, and what becomes of a good event."""

Letter = tuple[str, int, int, str, bytes, int]
"""Topic, partition, offset, reason, start of the payload, length of all of it."""


def messages(count: int) -> Iterator[tuple[int, str, bytes | None]]:
    """Yield the time, the kind (empty: nothing is wrong) and the value of each message."""
    ways = list(WAYS.items())
    for number, event in enumerate(events(count)):
        kind, value = "", orjson.dumps(event)
        if number % EVERY == EVERY - 1:
            kind, (_, spoil) = ways[number // EVERY % len(ways)]
            yield int(str(event["ts"])), kind, spoil(event)
        else:
            yield int(str(event["ts"])), kind, value


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, read, compare, print; 1 if the table is not what it must be."""
    parser = argparse.ArgumentParser(prog="python -m bench.corrupt", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker that runs; else one is started")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, cluster(options.kafka) as kafka:
        topic = f"corrupt-{os.urandom(6).hex()}"
        written, expected = write(kafka, topic, options.messages)
        configuration = configured(Path(folder), kafka, topic)
        store = open_store("chdb", path=str(Path(folder) / "store"))
        try:
            store.migrate()
            started_s, started_cpu_s = time.perf_counter(), time.process_time()
            done = Replay(configuration, store, bounded_source(configuration)).run(
                BATCH, checkpoint_every=CHECKPOINT_EVERY
            )
            took_s, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
            found = letters(store)
        finally:
            store.close()
    missing, unexpected = expected - found, found - expected
    for kind, count in written.items():
        print(f"{kind:28} {WAYS[kind][0]:26}{count:8,}")
    good = options.messages - sum(written.values())
    print(f"{good:,} events were counted of {good:,} good ones" if done.counters.events == good else "events differ")
    print(f"{len(found):,} dead letters of {len(expected):,}; {len(missing)} missing, {len(unexpected)} too many")
    print(f"read in {took_s:.1f} s ({cpu_s:.1f} s of CPU): {options.messages / took_s:,.0f} messages/s")
    figures = {
        "messages": options.messages,
        "events": done.counters.events,
        "corrupt": sum(written.values()),
        "kinds": dict(written),
        "dead_letters": len(found),
        "missing": len(missing),
        "unexpected": len(unexpected),
        "seconds": round(took_s, 2),
        "cpu_seconds": round(cpu_s, 2),
        "messages_per_s": round(options.messages / took_s),
        "messages_per_cpu_s": round(options.messages / cpu_s),
    }
    print(json.dumps(figures))
    return int(bool(missing or unexpected or done.counters.events != good))


@contextmanager
def cluster(address: str | None) -> Iterator[Cluster]:
    """Lend a broker."""
    if address is not None:
        yield Cluster(address)
        return
    with Broker(for_load=True) as broker:
        yield broker


def write(kafka: Cluster, topic: str, count: int) -> tuple[Counter[str], Counter[Letter]]:
    """Write the messages, in turn to each partition; return how many of each kind, and the letters that must be."""
    kafka.create_topic(topic, PARTITIONS, {"max.message.bytes": str(LARGEST_BYTES), "retention.ms": "-1"})
    # Idempotent, so that the offsets are the places in this order.
    settings = {"bootstrap.servers": kafka.bootstrap, "enable.idempotence": True, "message.max.bytes": LARGEST_BYTES}
    producer = Producer({**settings, "linger.ms": 20, "compression.type": "lz4"})
    failed: list[Any] = []
    kinds: Counter[str] = Counter()
    expected: Counter[Letter] = Counter()
    for number, (time_ms, kind, value) in enumerate(messages(count)):
        offset, partition = divmod(number, PARTITIONS)
        if kind:
            kinds[kind] += 1
            payload = value or b""
            letter = (topic, partition, offset, WAYS[kind][0], payload[:MAX_PAYLOAD_BYTES], len(payload))
            expected[letter] += 1
        while True:
            try:
                producer.produce(
                    topic,
                    value,
                    partition=partition,
                    timestamp=time_ms,
                    on_delivery=lambda error, _: failed.append(error) if error else None,
                )
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1_000 == 0:
            producer.poll(0)
    producer.flush()
    if failed:
        raise RuntimeError(f"{len(failed)} messages could not be written: {failed[0]}")
    return kinds, expected


def configured(folder: Path, kafka: Cluster, topic: str) -> Configuration:
    """A model that reads the topic."""
    path = configure(folder)
    path.write_text(path.read_text().replace("kafka: events", f"kafka: {topic}"))
    spec = {"models": [path.name], "kafka": {"bootstrap": [kafka.bootstrap]}}
    (folder / "leeway.yaml").write_text(json.dumps({"apiVersion": "leeway/v1", "kind": "Service", "spec": spec}))
    return load(folder / "leeway.yaml")


def letters(store: Store) -> Counter[Letter]:
    """The whole table, each row as often as it is there."""
    names = ("topic", "partition", "offset", "reason", "payload", "payload_bytes")
    rows = store.read(Query("dead_letters", columns=names))
    columns = [getattr(rows[name], "tolist", lambda values=rows[name]: values)() for name in names]
    return Counter(zip(*columns, strict=True))


if __name__ == "__main__":
    sys.exit(main())
