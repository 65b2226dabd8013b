"""The service reads other formats from a real broker; the same events as JSON, replayed from files, are the oracle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from kafka import KafkaProducer

from monitor.config import Configuration, load
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.decoders.written import CONTEXT
from tests.service import shop
from tests.services.kafka import Cluster
from tests.services.registry import RegistryServer

pytestmark = pytest.mark.kafka

FIELDS = {"id": "string", "ts": "long", "user": "string", "amount": "double", "country": "string", "score": "double"}


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


def avro(registry: RegistryServer, lines: Sequence[bytes], *more: dict[str, Any]) -> list[bytes]:
    """Events in a schema of their fields, with further fields before them."""
    fields = [*more, *({"name": name, "type": kind} for name, kind in FIELDS.items())]
    with SchemaRegistryClient({"url": registry.url}) as client:
        write = AvroSerializer(client, json.dumps({"type": "record", "name": "Event", "fields": fields}))
        written = [write(json.loads(line), CONTEXT) for line in lines]
    return [payload for payload in written if payload is not None]


def cloud_event(line: bytes, structured: bool) -> tuple[bytes, list[tuple[str, bytes]]]:
    """An event whose time is an attribute, as a message and its headers."""
    data = json.loads(line)
    time = datetime.fromtimestamp(data.pop("ts") / 1000, UTC)
    attributes = {"id": data.pop("id"), "source": "/shop", "type": "order", "time": time}
    event = CloudEvent({**attributes, "datacontenttype": "application/json"}, data)
    message = (to_structured if structured else to_binary)(event, JSONFormat())
    return message.value, [*message.headers.items(), ("model", b"shop")]


def on_avro(folder: Path, kafka: Cluster, topic: str, registry: RegistryServer) -> Configuration:
    shop.on_kafka(folder, kafka, shop.model("shop", {"kafka": topic}))
    path = folder / "leeway.yaml"
    service = json.loads(path.read_text())
    service["spec"]["schema_registry"] = {"url": registry.url, "attempts": 1}
    path.write_text(json.dumps(service, indent=1))
    model = folder / "models" / "shop.yaml"
    model.write_text(json.dumps(shop.model("shop", {"kafka": topic, "format": "avro"}), indent=1))
    return load(path)


def test_a_registry_that_is_down_loses_no_message_and_a_new_schema_changes_nothing(
    kafka: Cluster, topic_name: str, tmp_path: Path, registry: RegistryServer
) -> None:
    logs, end_ms = shop.traffic(seed=2, windows=40, per_window=100, partitions=2)
    kafka.create_topic(topic_name, partitions=2)
    configuration = on_avro(tmp_path / "avro", kafka, topic_name, registry)
    store = MemoryStore()
    halves = [(log[: len(log) // 2], log[len(log) // 2 :]) for log in logs]
    added = {"name": "channel", "type": ["null", "string"], "default": None}
    unknown = b"\x00\x00\x00\x00\x63" + b"x"

    with shop.serving(configuration, store) as service:
        shop.produce(kafka, topic_name, [avro(registry, first) for first, _ in halves])
        read = sum(len(first) for first, _ in halves)
        shop.wait_until(lambda: service.counters.records >= read, "the first half is read")
        later = [avro(registry, second, added) for _, second in halves]
        registry.fault = lambda path: (503, {"message": "down"})
        shop.produce(kafka, topic_name, later)
        shop.wait_until(lambda: "HTTP 503 down" in " ".join(service.ready()), "reading waits for the registry")
        registry.fault = None
        shop.produce(kafka, topic_name, [[unknown], []])
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")
        shop.wait_until(lambda: service.counters.reasons.get("unknown_schema"), "the last message is read")

    plain = shop.on_kafka(tmp_path / "json", kafka, shop.model("shop", {"kafka": topic_name}))
    expected = shop.results(shop.replayed(tmp_path, plain, {topic_name: logs}), end_ms)
    assert shop.results(store, end_ms) == expected
    dead = store.read(Query("dead_letters"))
    rows = zip(dead["reason"], dead["partition"].tolist(), dead["offset"].tolist(), strict=True)
    assert [row for row in rows if row[0] != "late"] == [("unknown_schema", 0, len(logs[0]))]


@pytest.mark.parametrize("records", ["batches", "plain"])
def test_cloud_events_in_either_mode_are_told_apart_by_their_headers(
    kafka: Cluster, topic_name: str, tmp_path: Path, records: str
) -> None:
    logs, end_ms = shop.traffic(seed=2, windows=20, per_window=100, partitions=1)
    lines = [*logs[0], b'{"id": "other", "ts": 1700000000000}']
    source = {"kafka": topic_name, "format": "cloudevents", "event_time": "ce.time", "where": {"header:model": "shop"}}
    schema = {**shop.SCHEMA, "id": "ce.id"}
    model = shop.model("shop", source, schema=schema)
    configuration = shop.on_kafka(tmp_path / "events", kafka, model, records=records)
    kafka.create_topic(topic_name)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=20)
    for number, line in enumerate(lines):
        value, headers = cloud_event(line, structured=number % 3 == 0)
        producer.send(topic_name, value, headers=headers[: -1 if number == len(logs[0]) else None])
    producer.flush()
    producer.close()
    store = MemoryStore()

    with shop.serving(configuration, store) as service:
        shop.wait_until(shop.judged(service, "shop", end_ms), "the last window is judged")
        shop.wait_until(lambda: service.counters.unmatched, "the last message is read")

    plain = shop.on_kafka(tmp_path / "json", kafka, shop.model("shop", {"kafka": topic_name}))
    expected = shop.results(shop.replayed(tmp_path, plain, {topic_name: logs}), end_ms)
    assert shop.results(store, end_ms) == expected
    assert service.counters.rejected == 0
