"""A configuration is tried on what stands in its topics, and nobody there notices."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from monitor.cli import trial
from tests.cli.console import Console
from tests.service import shop
from tests.services.kafka import Cluster

GROUP = "leeway-of-the-service"


def configured(folder: Path, bootstrap: str, topic: str, path: str = "amount", **source: Any) -> Path:
    schema = copy.deepcopy(shop.SCHEMA)
    schema["features"]["amount"]["path"] = path
    kafka = {"bootstrap": [bootstrap], "group": GROUP}
    return shop.configured(folder, shop.model("shop", {"kafka": topic, **source}, schema=schema), kafka=kafka)


def logs(count: int, field: str = "amount") -> Sequence[bytes]:
    return [
        json.dumps({"id": f"{field}{i}", "ts": shop.START_MS + i, field: 60.0, "country": "DE", "score": 0.5}).encode()
        for i in range(count)
    ]


def groups_of(kafka: Cluster) -> set[str]:
    with kafka.admin() as admin:
        return {str(group) for group in admin.list_groups()}


def test_it_reads_the_newest_messages_and_leaves_the_group_alone(
    kafka: Cluster, topic_name: str, leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.create_topic(topic_name, partitions=2)
    # Producers have renamed the field; the older half of each partition still has it under its former name.
    shop.produce(kafka, topic_name, [[*logs(60), *logs(60, "sum")]] * 2)
    partition = TopicPartition(topic_name, 0)
    member = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=GROUP, enable_auto_commit=False)
    member.assign([partition])
    member.commit({partition: OffsetAndMetadata(7)})
    member.close()
    groups = groups_of(kafka)
    monkeypatch.setattr(trial, "MOST_MESSAGES", 100)

    said = leeway("check", configured(tmp_path, kafka.bootstrap, topic_name), "--live", "--json")

    assert said.code == 0, said.err
    tried = json.loads(said.out)["events"]
    assert (tried["messages"], tried["events"], tried["topics"]) == (100, 100, {topic_name: 100})
    assert [misfit["signal"] for misfit in tried["misfits"]] == ["feature:amount"]
    with kafka.admin() as admin:
        assert {at.offset for at in admin.list_group_offsets({GROUP: None})[GROUP].values()} == {7}
    assert groups_of(kafka) == groups


def test_a_model_that_gets_no_event_is_an_error_and_an_empty_topic_is_named(
    kafka: Cluster, topic_name: str, leeway: Console, tmp_path: Path
) -> None:
    kafka.create_topic(topic_name, partitions=2)
    config = configured(tmp_path, kafka.bootstrap, topic_name, where={"country": "XX"})
    said = leeway("check", config, "--live")
    assert said.code == 0, said.err
    assert f"warning: {topic_name} gave no message: nothing is known of what its models make of it" in said.err
    shop.produce(kafka, topic_name, [logs(5)])
    said = leeway("check", config, "--live")
    assert said.code == 2
    assert f"error: shop: none of 5 messages of {topic_name} became an event; `where` asks for country=XX" in said.err
    assert '`country` is "DE" there' in said.err


def test_it_ends_in_time_and_names_what_it_did_not_read(
    kafka: Cluster, topic_name: str, leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.create_topic(topic_name)
    shop.produce(kafka, topic_name, [logs(50)])
    monkeypatch.setattr(trial, "LIVE_WITHIN_S", 0.0)
    monkeypatch.setattr(trial, "PORTION", 1)
    said = leeway("check", configured(tmp_path, kafka.bootstrap, topic_name), "--live")
    assert f"messages were read within 0 s, and not all of {topic_name}/0" in said.err


def test_what_is_away_is_said_and_so_is_that_nothing_is_in_kafka(leeway: Console, tmp_path: Path) -> None:
    said = leeway("check", configured(tmp_path, "127.0.0.1:1", "events"), "--live")
    assert said.code == 3
    assert "no answer from Kafka at 127.0.0.1:1" in said.err
    by_http = shop.configured(tmp_path / "http", shop.model("shop", {"http": "events"}))
    said = leeway("check", by_http, "--live")
    assert said.code == 2
    assert "no model reads a Kafka topic" in said.err
    said = leeway("check", by_http, "--live", "--events", "events.jsonl")
    assert said.code == 2
