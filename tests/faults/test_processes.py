"""Workers as processes that share a topic and a ClickHouse: killed, paused beyond their session, joining."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.soak import TABLES
from bench.soak_kafka import PARTITIONS, Faults, Place, Producer, differences, disturbed, stream, undisturbed
from sinks.store.contract import Query
from tests.services.clickhouse import Target
from tests.services.kafka import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.kafka]


@pytest.fixture
def place(kafka: Cluster, clickhouse: Target, topic_name: str, tmp_path: Path) -> Iterator[Place]:
    kafka.create_topic(topic_name, partitions=PARTITIONS)
    settings: dict[str, Any] = {
        "hosts": [clickhouse.address],
        "user": clickhouse.user,
        "password": clickhouse.password,
        "tls": {} if clickhouse.secure else None,
    }
    made = Place([kafka.bootstrap], topic_name, settings, tmp_path, prefix=f"test_{os.urandom(6).hex()}")
    yield made
    with clickhouse.client() as client:
        for name in ("broken", "whole"):
            client.execute(f"DROP DATABASE IF EXISTS {made.database(name)}")


def test_workers_that_are_killed_paused_and_joined_find_what_one_finds_that_is_left_alone(place: Place) -> None:
    log = stream(seed=5, count=1_800)
    faults = Faults(kills=2, pauses=1, moves=1, workers=2)

    counts = disturbed(place, Producer(place.bootstrap, place.topic), log, faults, seed=5, away=lambda produce: None)
    undisturbed(place, log)

    found, rows = differences(place)
    assert found == []
    assert (counts["kills"], counts["pauses"]) == (2, 1)
    assert all(rows[f"rows of {table}"] for table in TABLES), "the stream fills every table"
    # and what is compared can differ: a pane that is lost, one too many, and one that says something else
    broken = place.store("broken")
    panes = broken.read(Query("panes", limit=2))
    panes["n"][0] += 1
    panes["topic"][1] = "elsewhere"
    broken.append("panes", panes, token="damage")
    broken.close()
    said = "\n".join(differences(place)[0])
    assert "panes: too many: 1" in said
    assert "panes: different: 1" in said
