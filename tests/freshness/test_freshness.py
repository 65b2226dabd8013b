"""A model that stops is alerted about, by the clock, once, and the alert is over when events return."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.ingest.arrivals import GONE, Flow
from sinks.store.contract import Query
from tests.freshness.world import World
from tests.service import shop

MINUTE_S, HOUR_S = 60, 3_600


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_model_that_stops_is_alerted_about_and_the_alert_is_over_when_events_return(world: World) -> None:
    world.passes(HOUR_S, every_s=3)
    world.passes(9 * MINUTE_S)
    assert world.titles == []
    world.passes(3 * MINUTE_S)
    [title] = world.titles
    assert title == "shop: no events for 10 min, usually every 3 s; last at 2026-01-05 01:00 UTC"
    world.passes(HOUR_S)
    world.passes(MINUTE_S, every_s=3)
    assert [row["state"] for row in world.transitions] == ["firing", "resolved"]
    assert world.titles[1] == (
        "shop: events come again, after 1 h 12 min without; the last before was at 2026-01-05 01:00 UTC"
    )
    assert {row["labels"]["alert_id"] for row in world.transitions} == {world.transitions[0]["alert_id"]}


def test_a_silence_outlives_the_process_and_is_alerted_about_once(world: World) -> None:
    world.passes(HOUR_S, every_s=3)
    world.passes(8 * MINUTE_S)
    world.starts()
    world.passes(4 * MINUTE_S)
    world.starts()
    world.passes(HOUR_S)
    assert [row["state"] for row in world.transitions] == ["firing"]
    world.starts()
    world.passes(MINUTE_S, every_s=3)
    assert [row["state"] for row in world.transitions] == ["firing", "resolved"]


def test_the_silence_of_leeway_itself_is_not_the_models(world: World) -> None:
    world.passes(HOUR_S, every_s=3)
    world.clock.advance(10 * HOUR_S)
    world.starts()
    world.passes(5 * MINUTE_S)
    world.passes(HOUR_S, every_s=3)
    assert world.titles == []


def test_events_that_wait_to_be_read_are_no_silence(world: World) -> None:
    world.passes(HOUR_S, every_s=3)
    world.passes(HOUR_S, read=False)
    assert world.titles == []
    assert world.store.read(Query("freshness"))["standing"] == ["behind"]


def test_what_nobody_reads_is_no_silence(world: World) -> None:
    world.passes(HOUR_S, every_s=3)
    world.passes_unread(HOUR_S)
    assert world.titles == []
    assert world.store.read(Query("freshness"))["standing"] == ["unread"]


def test_a_message_says_what_is_missing_and_what_to_look_at(world: World) -> None:
    world.passes(HOUR_S, every_s=3)
    world.passes(15 * MINUTE_S)
    [alert] = world.transitions
    assert alert["severity"] == "warning", "the hour of the week is not known yet"
    assert {"alertname": "LeewayFreshness", "model": "shop", "cause": "freshness"}.items() <= alert["labels"].items()
    words = " ".join(signal["reason"] for signal in alert["signals"])
    assert "About 200 should have come meanwhile" in words
    assert "was never written where it reads" in words
    assert "its last deployment" in words


def test_in_a_known_hour_a_silence_is_found_sooner_and_is_graver(world: World) -> None:
    world.passes(26 * HOUR_S, every_s=3)
    world.passes(6 * MINUTE_S)
    [alert] = world.transitions
    assert alert["title"].startswith("shop: no events for 5 min, usually every 3 s;")
    assert alert["severity"] == "critical"


def test_a_model_whose_events_are_expected_is_found_by_that_alone(tmp_path: Path) -> None:
    world = World(tmp_path, freshness={"expect": "2m"})
    world.passes(3 * MINUTE_S)
    assert world.titles == ["shop: no events for 2 min, expected every 2 min; none came since it is watched"]


def test_a_model_whose_freshness_is_off_is_not_alerted_about(tmp_path: Path) -> None:
    world = World(tmp_path, freshness="off")
    world.passes(HOUR_S, every_s=3)
    world.passes(HOUR_S)
    assert world.titles == []


def test_a_partition_that_is_gone_holds_nothing_back(world: World) -> None:
    world.flows = [Flow("shop", "events", 0), Flow("shop", "events", 1)]
    world.starts()
    world.passes(HOUR_S, every_s=3)
    world.flows = world.flows[:1]
    world.starts()
    world.arrivals.retire({("events", 0)}, lambda topic: False)
    assert world.store.read(Query("arrivals", {"partition": 1}))["standing"].tolist() == [GONE]
    world.passes(HOUR_S)
    assert len(world.titles) == 1


def test_a_partition_that_stops_is_alerted_about_while_the_others_go_on(world: World) -> None:
    world.flows = [Flow("shop", "events", 0), Flow("shop", "events", 1)]
    world.starts()
    world.passes(HOUR_S, every_s=3)
    world.passes(HOUR_S, every_s=3, flows=world.flows[:1])
    assert world.titles == ["shop: no events from events/1 for 10 min, usually every 3 s; last at 2026-01-05 01:00 UTC"]
    assert {"topic": "events", "partition": "1", "severity": "warning"}.items() <= world.transitions[0][
        "labels"
    ].items()


def test_a_model_that_stops_is_one_alert_however_many_partitions_it_has(world: World) -> None:
    world.flows = [Flow("shop", "events", partition) for partition in range(8)]
    world.starts()
    world.passes(HOUR_S, every_s=3)
    world.passes(5 * HOUR_S)
    assert [row["signals"][0]["kind"] for row in world.transitions] == ["model"]


def test_one_source_of_several_and_labels_are_streams_of_their_own(tmp_path: Path) -> None:
    sources = [{"kafka": "events"}, {"kafka": "late"}, {"kafka": "outcomes", "kind": "labels"}]
    schema = shop.SCHEMA | {"labels": {"fraud": {"type": "numeric"}}}
    world = World(tmp_path, *sources, schema=schema)
    world.flows = [Flow("shop", topic, 0) for topic in ("events", "late", "outcomes")]
    world.starts()
    world.passes(HOUR_S, every_s=3)
    world.passes(HOUR_S, every_s=3, flows=world.flows[:1])
    titles = sorted(title.partition(" for ")[0] for title in world.titles)
    assert titles == ["shop: no events from late", "shop: no labels"]


def test_an_alert_that_nobody_can_judge_any_more_is_named(world: World) -> None:
    world.passes(HOUR_S, every_s=3)
    row = {
        **{
            "model": "shop",
            "alert_id": "a1",
            "sequence": 0,
            "state": "firing",
            "at_ms": 5,
            "starts_ms": 1,
            "ends_ms": 0,
        },
        **{"version": "", "segment": "", "severity": "warning", "title": "shop: feature:amount moved"},
        **{"labels": "{}", "signals": "[]"},
    }
    world.store.append("alerts", {name: [value] for name, value in row.items()}, "a1")
    world.passes(11 * MINUTE_S)
    [alert] = world.transitions
    reasons = [signal["reason"] for signal in alert["signals"]]
    assert "It fires, and cannot be judged until events return: shop: feature:amount moved (a1)." in reasons


def test_a_partition_of_which_a_little_more_always_waits_is_watched(world: World) -> None:
    partition = ("events", 0)
    for _ in range(360):
        world.clock.advance(10)
        world.counts = {flow: count + 50_000 for flow, count in world.counts.items()}
        world.arrivals.look(world.counts, {partition: world.clock.now_ms() - 2_000}, at_end=set())
        world.watcher.step()
    world.passes(11 * MINUTE_S)
    assert len(world.titles) == 1
