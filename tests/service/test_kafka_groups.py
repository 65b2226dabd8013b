"""Which services share a Kafka group, and what becomes of a member that does not belong there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from monitor.alerts.own import FOREIGN_MEMBER, MODEL
from monitor.config import Configuration, load
from monitor.jobs.job import JOBS, Job
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop
from tests.services.kafka import Cluster

pytestmark = pytest.mark.kafka


def event(number: int) -> bytes:
    return json.dumps({"id": f"e{number}", "ts": shop.START_MS + number, "amount": 1.0}).encode()


def events(*numbers: int) -> list[list[bytes]]:
    """The same for each of two partitions."""
    return [[event(number) for number in numbers], [event(number + 1_000) for number in numbers]]


def without_a_group(folder: Path, kafka: Cluster, topic: str, **options: object) -> Configuration:
    cluster = {"bootstrap": kafka.addresses, "options": {"heartbeat_interval_ms": 200}, **options}
    file = shop.configured(folder, shop.model("shop", {"kafka": topic}), kafka=cluster, checkpoint_every="300ms")
    return load(file)


def test_two_services_with_stores_of_their_own_each_read_the_whole_topic(
    kafka: Cluster, topic_name: str, tmp_path: Path
) -> None:
    kafka.create_topic(topic_name, partitions=2)
    configuration = without_a_group(tmp_path, kafka, topic_name)
    with shop.serving(configuration, MemoryStore()) as one, shop.serving(configuration, MemoryStore()) as other:
        shop.wait_until(lambda: not one.ready() and not other.ready(), "both are ready")
        shop.produce(kafka, topic_name, events(*range(5)))
        shop.wait_until(lambda: one.counters.records == 10, "one has read all of it")
        shop.wait_until(lambda: other.counters.records == 10, "the other has read all of it")
    assert one.status()["kafka_group"] != other.status()["kafka_group"]


def test_services_that_share_a_store_share_its_group_and_go_on_where_a_named_group_was(
    kafka: Cluster, topic_name: str, tmp_path: Path
) -> None:
    kafka.create_topic(topic_name, partitions=2)
    store = MemoryStore()
    shop.produce(kafka, topic_name, events(*range(5)))
    with shop.serving(without_a_group(tmp_path, kafka, topic_name, group=f"former-{topic_name}"), store) as former:
        shop.wait_until(lambda: former.counters.records == 10, "the first messages are read")
    configuration = without_a_group(tmp_path, kafka, topic_name)
    with shop.serving(configuration, store) as one, shop.serving(configuration, store) as other:
        workers = [each.intake.workers[0] for each in (one, other)]
        shop.wait_until(lambda: [len(each.status.assigned) for each in workers] == [1, 1], "each has a partition")
        # Whoever had both before would have read some that the other reads again, from the checkpoint on.
        shop.produce(kafka, topic_name, events(*range(5, 8)))
        shop.wait_until(lambda: one.counters.records + other.counters.records >= 6, "the others are read")
        assert one.status()["kafka_group"] == other.status()["kafka_group"]
    assert former.status()["kafka_group"] == f"former-{topic_name}"
    assert shop.rows(store, "checkpoints", only=["position"], stage="ingest") == [(8,), (8,)]
    assert one.counters.records + other.counters.records == 6


def test_a_member_that_does_not_share_the_store_is_alerted_about_until_it_is_gone(
    kafka: Cluster, topic_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(JOBS, "look_at_group", Job(1, "ingest"))
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.1)
    kafka.create_topic(topic_name, partitions=3)
    configuration = shop.on_kafka(tmp_path, kafka, shop.model("shop", {"kafka": topic_name}))
    group = configuration.service.spec.kafka.group
    store = MemoryStore()

    def own_alerts() -> list[dict[str, Any]]:
        return rows_of(store.read(Query("alerts", {"model": MODEL})))

    with shop.serving(configuration, store) as service, shop.serving(configuration, store):
        shop.wait_until(lambda: not service.ready(), "it is ready")
        with shop.serving(configuration, MemoryStore()) as foreign:
            shop.wait_until(lambda: foreign.intake.workers[0].status.assigned, "the foreign member reads a partition")
            shop.wait_until(own_alerts, "it is alerted about")
            # It may have been the other one that alerted, and a group gives partitions away in two rounds.
            [reason] = shop.wait_until(
                lambda: reasons if f"{topic_name}/" in "".join(reasons := service.ready()) else [],
                "this one sees what it reads",
            )
            metrics = generate_latest(service.metrics).decode()
        shop.wait_until(lambda: own_alerts()[-1]["state"] == "resolved", "it is over")
        shop.wait_until(lambda: not service.ready(), "it is ready again")
    # Two processes saw the same, and it is one alert.
    assert [alert["state"] for alert in own_alerts()] == ["firing", "resolved"]
    firing = own_alerts()[0]
    assert json.loads(firing["labels"]) == {"alertname": FOREIGN_MEMBER, "severity": "critical", "group": group}
    assert firing["title"].startswith(f"1 of 3 members of the Kafka group {group} does not share this store, since 20")
    assert f"{topic_name}/" in reason
    assert "`kafka.group` of its own" in reason
    assert f'leeway_foreign_group_members{{group="{group}"}} 1.0' in metrics
