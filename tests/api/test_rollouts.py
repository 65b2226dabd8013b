"""Rollouts over HTTP: what is asked is checked, and the answer has its evidence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from monitor.rollouts.rollout_log import read_rollouts, take_up
from tests.api.full_world import full_world
from tests.api.world import Client, World

POSTED = {"model": "fraud", "candidate": "v3", "champion": "v1", "created_by": "ci"}
AMOUNT = {"signal": "feature:amount", "max_loss": 2.0}


@pytest.fixture
def world() -> World:
    return full_world()


def test_a_rollout_is_started_once_and_waits_for_the_next_window(world: World) -> None:
    client = Client(world)
    started = client.request("POST", "/v1/rollouts", json=POSTED | {"metrics": [AMOUNT], "level": 0.1}).json()
    again = client.request("POST", "/v1/rollouts", json=POSTED | {"metrics": [AMOUNT], "level": 0.1}).json()

    assert started["id"] == again["id"]
    assert (started["state"], started["verdict"], started["from_ms"]) == ("waiting", "hold", None)
    assert (started["promote_level"], started["rollback_level"]) == (0.1, 0.05)
    assert [fact["better"] for fact in started["compared"]] == ["same"]
    assert any("asymptotic" in assumption for assumption in started["assumes"])
    take_up(world.store, "fraud", 700_000, step_ms=10_000)
    running = client.get(f"/v1/rollouts/{started['id']}").json()
    assert (running["state"], running["from_ms"]) == ("running", 690_000)
    [first, _] = client.get("/v1/rollouts").json()["items"]
    assert first["id"] == started["id"]


def test_the_evidence_is_in_units_of_the_data(world: World) -> None:
    shown = Client(world).get("/v1/rollouts/r").json()

    [fact] = shown["compared"]
    assert (fact["champion_mean"], fact["candidate_mean"], fact["candidate_n"]) == (0.01, 0.05, 1_800)
    assert 0.01 < fact["low"] < fact["difference"] < fact["high"]
    assert fact["verdict"] == "rollback"
    assert fact["words"].startswith("missing:amount 1 % → 5 %; difference 4 points (")


def test_the_course_of_a_metric_ends_with_what_is_known_now(world: World) -> None:
    client = Client(world)
    [fact] = client.get("/v1/rollouts/r", points=3).json()["compared"]

    ends = [point["end_ms"] for point in fact["course"]]
    assert ends == sorted(set(ends))
    assert 1 < len(ends) <= 3
    names = ("difference", "low", "high", "candidate_n", "champion_n")
    assert [fact["course"][-1][name] for name in names] == [fact[name] for name in names]
    assert [fact["course"] for fact in client.get("/v1/rollouts/r").json()["compared"]] == [[]]
    assert client.request("GET", "/v1/rollouts/r?points=201").status_code == 422


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"champion": "v9"}, "champion", "known are v1"),
        ({"candidate": "v1"}, "candidate", "another version"),
        ({"candidate": "v2"}, "candidate", "is compared already, by r"),
        ({"metrics": [{"signal": "feature:amount"}]}, "max_loss", "by how much feature:amount may be worse"),
        ({"metrics": [{"signal": "missing:amount", "max_loss": 1.5}]}, "max_loss", "less than 1"),
        ({"metrics": [AMOUNT | {"max_loss": 1e-200}]}, "max_loss", "1e-12 at least"),
        ({"metrics": [AMOUNT, AMOUNT]}, "metrics", "twice"),
        ({"until": "91d"}, "until", "90d at most"),
        ({"until": "soon"}, "until", "soon"),
        ({"level": 0.9}, "level", ""),
    ],
)
def test_what_cannot_be_compared_is_refused(world: World, change: dict[str, Any], field: str, says: str) -> None:
    refused = Client(world).request("POST", "/v1/rollouts", json=POSTED | change)

    assert refused.status_code == 422
    assert field in {error["field"] for error in refused.json()["errors"]}
    assert says in refused.text
    assert len(read_rollouts(world.store)) == 1


def test_a_signal_that_is_not_there_is_named_with_those_that_are(world: World) -> None:
    refused = Client(world).request(
        "POST", "/v1/rollouts", json=POSTED | {"metrics": [{"signal": "feature:country", "max_loss": 1}]}
    )

    assert (refused.status_code, "missing:amount" in refused.json()["detail"]) == (404, True)


def test_of_many_that_are_started_at_once_one_is(world: World) -> None:
    client = Client(world)

    def start(_: int) -> str:
        return str(client.request("POST", "/v1/rollouts", json=POSTED | {"metrics": [AMOUNT]}).json()["id"])

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(start, range(6)))) == 1
    assert len(read_rollouts(world.store)) == 2


def test_a_rollout_that_was_stopped_leaves_room_for_another(world: World) -> None:
    client = Client(world)
    stopped = client.request("POST", "/v1/rollouts/r/stop", json={"created_by": "ann", "reason": "a bug"}).json()

    assert (stopped["state"], stopped["stopped_by"], stopped["stop_reason"]) == ("stopped", "ann", "a bug")
    assert client.request("POST", "/v1/rollouts", json=POSTED | {"candidate": "v2"}).json()["state"] == "waiting"
    assert client.request("POST", "/v1/rollouts/x/stop", json={"created_by": "ann"}).status_code == 404
