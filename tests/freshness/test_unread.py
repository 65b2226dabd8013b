"""A topic that nobody reads, or for which no broker answers, is an alert of Leeway's own, and nobody's silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.alerts.own import TOPIC_GONE, StandingAlerts
from monitor.freshness.freshness import Freshness
from monitor.ingest.arrivals import Flow
from sinks.store.contract import Query
from tests.freshness.world import World

MINUTE_S, HOUR_S = 60.0, 3_600.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.flows = [Flow("shop", "events", 0), Flow("shop", "events", 1)]
    made.starts()
    made.passes(HOUR_S, every_s=3)
    return made


def test_a_topic_that_nobody_reads_is_named_until_somebody_does(world: World) -> None:
    world.passes_unread(5 * MINUTE_S)
    assert world.own == []
    world.passes_unread(MINUTE_S)
    [firing] = world.own
    assert firing["title"] == (
        "events: nothing is read of partitions 0, 1 since 2026-01-05 01:00 UTC: no process reads them. See whether"
        " those with the role ingest run. Until then nothing of shop is evaluated, and nothing is lost"
    )
    world.passes(MINUTE_S, every_s=3)
    assert [row["state"] for row in world.own] == ["firing", "resolved"]


def test_a_partition_whose_broker_is_away_is_no_silence_but_an_alert(world: World) -> None:
    world.passes(HOUR_S, every_s=3, flows=world.flows[:1], unanswered=world.flows[1:])
    [firing] = world.own
    assert "nothing is read of partition 1 since 2026-01-05 01:00 UTC: no broker answers" in firing["title"]
    assert world.titles == []
    assert "unanswered" in world.store.read(Query("freshness"))["standing"]
    world.passes(MINUTE_S, every_s=3)
    assert [row["state"] for row in world.own] == ["firing", "resolved"]


def test_partitions_that_are_unread_later_are_named_too_whoever_watches(world: World) -> None:
    world.passes(600, every_s=3, flows=world.flows[:1], unanswered=world.flows[1:])
    other = Freshness(world.store, world.clock, world.configuration.models)
    for _ in range(60):
        world.passes(10, unanswered=world.flows)
        other.step()
    # One is read again, and not for long; and another process goes on.
    world.passes(MINUTE_S, every_s=3, flows=world.flows[:1], unanswered=world.flows[1:])
    world.passes(600, unanswered=world.flows)
    world.starts()
    world.passes(600, unanswered=world.flows)
    firing, updated = world.own
    assert "nothing is read of partition 1 since 2026-01-05 01:00 UTC: no broker answers" in firing["title"]
    assert "nothing is read of partitions 0, 1 since 2026-01-05 01:00 UTC: no broker answers" in updated["title"]
    assert (updated["state"], updated["starts_ms"]) == ("updated", firing["starts_ms"])
    world.passes(MINUTE_S, every_s=3)
    other.step()
    assert [(row["sequence"], row["state"]) for row in world.own] == [(0, "firing"), (1, "updated"), (2, "resolved")]


def test_the_process_that_follows_resolves_what_the_one_before_has_found(world: World) -> None:
    world.passes_unread(10 * MINUTE_S)
    world.starts()
    world.passes_unread(MINUTE_S)
    assert [row["state"] for row in world.own] == ["firing"], "who has just begun knows nothing yet"
    world.passes(MINUTE_S, every_s=3)
    assert [row["state"] for row in world.own] == ["firing", "resolved"]


def test_a_topic_that_was_deleted_has_one_alert(world: World) -> None:
    gone = StandingAlerts(world.store, world.clock, TOPIC_GONE, "topic", shared=True)
    gone.step({"events": "it is gone"})
    world.passes_unread(HOUR_S)
    assert [row["title"] for row in world.own] == ["it is gone"]


def test_a_topic_that_no_model_reads_any_more_ends_its_alert(tmp_path: Path, world: World) -> None:
    world.passes_unread(HOUR_S)
    other = World(tmp_path / "other", {"kafka": "others"})
    watcher = Freshness(world.store, world.clock, other.configuration.models)
    watcher.step()
    assert [row["state"] for row in world.own] == ["firing", "resolved"]


def test_what_no_model_reads_any_more_is_nobodys_trouble(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.flows = [Flow("shop", "events", 0), Flow("shop", "former", 0), Flow("gone", "events", 0)]
    world.starts()
    world.passes(MINUTE_S, every_s=3)
    world.flows = [Flow("shop", "events", 0)]
    world.starts()
    world.passes(HOUR_S, every_s=3)
    assert world.own == []
