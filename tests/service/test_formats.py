"""The service reads Avro from a real broker; the same events as JSON, replayed from files, are the oracle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer

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
