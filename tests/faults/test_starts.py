"""Where a partition starts is remembered before anything comes of it: whoever goes on there misses nothing silently."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kafka import TopicPartition

from monitor.config.kafka import KafkaCluster
from monitor.events import Partition
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.messages import LIFE, LOG_TRUNCATED, OFFSETS_LOST
from monitor.sources.kafka.source import KafkaSource
from monitor.watch import compile_watch
from sinks.store.memory import MemoryStore
from tests.faults.killing import SPEC
from tests.faults.test_truncation import configuration_of, life, read
from tests.monitor.streams import outcome, rows
from tests.services.kafka import Cluster
from tests.sources.kafka.test_truncation import make_anew
from tests.sources.reading import produce, until

pytestmark = pytest.mark.kafka
STARTS = ["earliest", "latest"]


@contextmanager
def ingesting(kafka: Cluster, topic: str, store: MemoryStore, start: str) -> Iterator[Ingest]:
    """Read a topic, up to where it ends now; what is read later is not saved unless somebody does it."""
    settings = {"bootstrap": kafka.addresses, "group": f"g-{topic}", "refresh": "200ms", "start": start}
    source = KafkaSource(KafkaCluster.model_validate(settings), [topic])
    ingest = Ingest(Readers([compile_watch(configuration_of(topic), "loans")]), store, source)
    ingest.open()
    try:
        yield ingest
    finally:
        source.close()


def read_to_end(ingest: Ingest) -> None:
    """Read what is there, without a checkpoint."""

    def is_read() -> bool:
        count, assigned = ingest.step(150, timeout_s=0.1), ingest.source.assigned()
        return not count and bool(assigned) and ingest.source.at_end() == assigned

    until(is_read)


def starts(store: MemoryStore) -> dict[Partition, int]:
    return {(row["name"], row["partition"]): row["position"] for row in rows(store, "checkpoints", stage="ingest")}


@pytest.mark.parametrize("start", STARTS)
def test_what_comes_to_an_empty_partition_after_a_crash_is_read(kafka: Cluster, topic_name: str, start: str) -> None:
    topic, lines = topic_name, life(0)[:100]
    kafka.create_topic(topic, partitions=2)
    produce(kafka, topic, life(1)[:3])
    store, unbroken = MemoryStore(), MemoryStore()
    with ingesting(kafka, topic, store, start) as ingest:
        read_to_end(ingest)
        assert ingest.counters.records == (3 if start == "earliest" else 0)
        assert starts(store) == {(topic, 0): 0 if start == "earliest" else 3, (topic, 1): 0}
    with ingesting(kafka, topic, unbroken, start) as ingest:
        read_to_end(ingest)
        produce(kafka, topic, lines, partition=1)
        read_to_end(ingest)
        ingest.save()

    with ingesting(kafka, topic, store, start) as ingest:
        read_to_end(ingest)
        assert ingest.counters.records == (103 if start == "earliest" else 100)
        assert not ingest.lost
        ingest.save()
    assert outcome(store) == outcome(unbroken)
    assert starts(store) == starts(unbroken)


@pytest.mark.parametrize("start", STARTS)
def test_what_retention_removes_of_a_partition_that_was_empty_is_told(
    kafka: Cluster, topic_name: str, start: str
) -> None:
    kafka.create_topic(topic_name, partitions=2)
    store = MemoryStore()
    with ingesting(kafka, topic_name, store, start) as ingest:
        read_to_end(ingest)
    produce(kafka, topic_name, life(0)[:100], partition=1)
    with kafka.admin() as admin:
        admin.delete_records({TopicPartition(topic_name, 1): 60})

    with ingesting(kafka, topic_name, store, start) as ingest:
        read_to_end(ingest)
        assert ingest.counters.records == 40
        assert ingest.lost == [(topic_name, 1, 0, 60)]
    [letter] = rows(store, "dead_letters", reason=OFFSETS_LOST)
    assert (letter["partition"], letter["offset"]) == (1, 0)
    [gap] = rows(store, "gaps")
    assert (gap["first_offset"], gap["next_offset"]) == (0, 60)


def test_a_change_of_configuration_leaves_nothing_out_that_comes_meanwhile(kafka: Cluster, topic: str) -> None:
    produce(kafka, topic, life(0)[:3])
    store = MemoryStore()
    schema = {**SPEC["schema"], "features": {"amount": {"type": "numeric"}}}
    with ingesting(kafka, topic, store, "latest") as ingest:
        read_to_end(ingest)
        produce(kafka, topic, life(1)[:20])
        changed = compile_watch(configuration_of(topic, schema=schema), "loans")
        ingest.read_as(Readers([changed]), is_saved=True)
        ingest.forget()
        ingest.source.rewind()
        read(ingest, 20)
    epochs = [(row["from_offset"], row["number"]) for row in rows(store, "epochs", model="loans")]
    assert epochs == [(0, 1), (3, 2)]


@pytest.mark.parametrize("start", STARTS)
def test_a_topic_that_is_made_anew_before_anything_of_it_is_read_is_read_from_its_first_message(
    kafka: Cluster, topic: str, start: str
) -> None:
    """Nothing had come: that is no loss. Where messages had been passed over, offsets may not be used twice."""
    passed_over = 0 if start == "earliest" else 10
    produce(kafka, topic, life(0)[:passed_over])
    store = MemoryStore()
    with ingesting(kafka, topic, store, start) as ingest:
        read_to_end(ingest)
    make_anew(kafka, topic, life(1)[:20])

    with ingesting(kafka, topic, store, start) as ingest:
        read(ingest, 20)
        assert ingest.lost == ([(topic, 0, 10, LIFE)] if passed_over else [])
    assert len(rows(store, "dead_letters", reason=LOG_TRUNCATED)) == len(ingest.lost)
    assert starts(store) == {(topic, 0): (LIFE if passed_over else 0) + 20}
