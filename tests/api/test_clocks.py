"""Clocks of partitions: where they stand, how many events come late, and setting them back."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.events import ENDED
from monitor.ingest.late_events import LateShare
from monitor.ingest.set_clocks import read_set_clocks, take_up
from tests.api.world import NOW_MS, Client, World

DAY_MS = 86_400_000
ASKED = {"model": "fraud", "reason": "NTP was off", "created_by": "ann"}


@pytest.fixture
def world() -> World:
    world = World(late=[LateShare("fraud", ("fraud", 1), 800, 400)])
    stands = {0: NOW_MS - 5_000, 1: NOW_MS + DAY_MS, 2: NOW_MS}
    rows = [
        {"model": "fraud", "topic": "fraud", "partition": number, "newest_ms": at_ms, "closed_ms": at_ms - 30_000}
        for number, at_ms in stands.items()
    ]
    rows[2]["closed_ms"] = ENDED
    world.add("progress", [row | {"next_offset": 7} for row in rows])
    return world


def test_clocks_say_how_far_they_are_ahead_and_how_many_events_come_late(world: World) -> None:
    usual, ahead = Client(world).items("/v1/clocks", model="fraud")
    assert (usual["ahead_ms"], usual["events"], usual["set_back_to_ms"]) == (0, None, None)
    assert (ahead["clock_ms"], ahead["ahead_ms"]) == (NOW_MS + DAY_MS, DAY_MS)
    assert (ahead["late"], ahead["events"]) == (400, 800)


def test_clocks_that_are_ahead_are_set_back_and_say_from_which_offset_on(world: World) -> None:
    world.add("scores", [{"model": "fraud", "window_end_ms": NOW_MS + 90_000}])
    client = Client(world)
    document = client.request("POST", "/v1/clocks", json=ASKED).json()
    [item] = document["items"]
    assert (item["partition"], item["from_ms"], item["to_ms"]) == (1, NOW_MS + DAY_MS, NOW_MS)
    assert document["evaluated_to_ms"] == NOW_MS + 90_000
    [set_clock] = read_set_clocks(world.store, ("fraud", 1))
    shown = client.items("/v1/clocks")[1]
    assert (shown["set_back_to_ms"], shown["set_back_by"], shown["set_back_offset"]) == (NOW_MS, "ann", None)
    take_up(world.store, set_clock, 7, NOW_MS + DAY_MS)
    assert client.items("/v1/clocks")[1]["set_back_offset"] == 7


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"to": NOW_MS + 2 * DAY_MS}, "to"),
        ({"to": "soon"}, "to"),
        ({"partition": 9}, "topic"),
        ({"topic": "orders"}, "topic"),
        ({"reason": ""}, "reason"),
    ],
)
def test_what_cannot_be_set_back_is_refused_with_the_reason(world: World, wrong: dict[str, Any], field: str) -> None:
    answer = Client(world).request("POST", "/v1/clocks", json=ASKED | wrong)
    assert answer.status_code == 422
    assert field in str(answer.json()["errors"])
    assert read_set_clocks(world.store) == []
