"""All models at a glance: what needs a look first, since when, and how fresh everything is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from monitor.config import Service
from tests.api.labelled_days import labelled_days
from tests.api.world import HOUR_MS, NOW_MS, Client, World, configured, model, score, step

NAMES = ("calm", "fraud", "late", "loud", "new")
DAY_MS = 24 * HOUR_MS


def window(name: str, hours_ago: float, strength: float = 0.2, **more: object) -> dict[str, object]:
    status = "drift" if strength > 1 else "ok"
    end_ms = NOW_MS - int(hours_ago * HOUR_MS)
    drift = {"effect": 0.1 * strength, "min_effect": 0.1, "status": status, "window_end_ms": end_ms}
    return score(0, **(drift | {"model": name} | more))


@pytest.fixture
def world() -> World:
    """One model of each kind; two that fire."""
    world = World(configuration=configured(*(model(name) for name in NAMES)))
    world.add("scores", [window(name, hours_ago) for name in NAMES[:-1] for hours_ago in (100, 50, 0)])
    world.add("scores", [window("new", 0, status="learning")])
    moved = [window("fraud", 30, 3.004), window("fraud", 1, 5, signal="prediction:score", version="v0")]
    world.add("scores", [*moved, window("loud", 0, 9, signal="volume"), window("loud", 72, 2, version="gone")])
    silence = {"labels": '{"model": "late", "alertname": "LeewayFreshness"}', "starts_ms": NOW_MS - HOUR_MS}
    world.add("freshness_alerts", [step("s", 0, "firing", NOW_MS, model="late", severity="critical", **silence)])
    watched = {"kind": "model", "last_ms": NOW_MS - HOUR_MS, "silent_ms": HOUR_MS, "allowed_ms": 60_000}
    world.add("freshness", [{"model": "late", "standing": "silent"} | watched])
    fires = [("a", "loud", "warning", 1), ("b", "loud", "critical", 2), ("c", "loud", "critical", 3)]
    for alert_id, name, severity, days in fires:
        start_ms = NOW_MS - days * DAY_MS
        world.add("alerts", [step(alert_id, 0, "firing", NOW_MS, model=name, severity=severity, starts_ms=start_ms)])
    world.add("alerts", [step("d", 0, "firing", NOW_MS, model="fraud"), step("e", 0, "firing", 1, model="calm")])
    world.add("alerts", [step("e", 1, "resolved", 2, model="calm")])
    return world


def test_what_needs_a_look_comes_first(world: World) -> None:
    rows = Client(world).items("/v1/fleet")
    assert [(row["model"], row["health"]) for row in rows] == [
        ("loud", "firing"), ("fraud", "firing"), ("late", "silent"), ("new", "learning"), ("calm", "fine"),
    ]  # fmt: skip


def rejects(alert_id: str, name: str, **more: object) -> dict[str, object]:
    labels = json.dumps({"alertname": "messages_rejected", "severity": "critical", "stream": f"{name} events"})
    return step(alert_id, 0, "firing", NOW_MS, model="_leeway", labels=labels, title=f"{name}: rejected", **more)


def test_a_model_of_which_all_is_rejected_is_said_to_be_so_and_not_to_learn(world: World) -> None:
    world.add("alerts", [rejects("r", "new", starts_ms=7), rejects("s", "fraud"), rejects("t", "late")])
    world.add("alerts", [rejects("u", "calm"), {**rejects("u", "calm"), "sequence": 1, "state": "resolved"}])
    rows = Client(world).items("/v1/fleet")
    assert [(row["model"], row["health"], row["title"]) for row in rows] == [
        ("loud", "firing", "c moved"), ("fraud", "firing", "d moved"), ("late", "rejected", "late: rejected"),
        ("new", "rejected", "new: rejected"), ("calm", "fine", ""),
    ]  # fmt: skip
    assert rows[3]["since_ms"] == 7


def test_whoever_is_bound_to_a_namespace_hears_what_is_rejected_of_it_alone(world: World) -> None:
    token = {"name": "own", "role": "viewer", "token": "new-team-" * 5, "namespaces": ["new-team"]}
    service = Service.model_validate({"spec": {"access": {"tokens": [token]}}})
    world.configuration = replace(world.configuration, service=service)
    world.add("alerts", [rejects("r", "new"), rejects("s", "late")])
    asked = Client(world).request("GET", "/v1/fleet", headers={"Authorization": f"Bearer {token['token']}"})
    assert [(row["model"], row["health"]) for row in asked.json()["items"]] == [("new", "rejected")]


def test_the_gravest_alert_is_shown_and_of_two_the_one_that_fires_for_longer(world: World) -> None:
    loud, *_ = Client(world).items("/v1/fleet")
    assert (loud["alerts"], loud["severity"], loud["alert_id"]) == (3, "critical", "c")
    assert loud["since_ms"] == NOW_MS - 3 * DAY_MS


def test_what_somebody_has_taken_on_is_counted_until_it_changes(world: World) -> None:
    client = Client(world)
    world.add("acknowledgements", [{"alert_id": "a", "sequence": 0, "updated_ms": 1, "created_by": "ann"}])
    world.add("acknowledgements", [{"alert_id": "b", "sequence": -1, "updated_ms": 1, "created_by": "ann"}])
    assert client.items("/v1/fleet")[0]["acknowledged"] == 1


def test_drift_is_shown_part_by_part_with_the_signal_that_went_furthest(world: World) -> None:
    _, fraud, *_ = Client(world).items("/v1/fleet")
    assert (fraud["signal"], fraud["strength"]) == ("prediction:score", 5)
    assert fraud["strengths"] == [0] * 11 + [3, 0, 5]
    shown = Client(world).get("/v1/fleet", days=1).json()
    assert shown["to_ms"] - shown["from_ms"] == DAY_MS
    assert [row["strength"] for row in shown["items"] if row["model"] == "fraud"] == [5]


def test_a_version_that_is_gone_does_not_drift_for_ever(world: World) -> None:
    assert [row["drifting"] for row in Client(world).items("/v1/fleet")] == [1, 1, 0, 0, 0]


def test_a_silence_says_for_how_long_and_what_is_nothing_new(world: World) -> None:
    late = Client(world).items("/v1/fleet")[2]
    assert (late["last_event_ms"], late["silent_ms"], late["allowed_ms"]) == (NOW_MS - HOUR_MS, HOUR_MS, 60_000)


def test_a_clock_that_runs_ahead_moves_nobody_elses_time(world: World) -> None:
    world.add("scores", [window("calm", -1_000)])
    assert Client(world).get("/v1/fleet").json()["to_ms"] == NOW_MS + 1


def test_labels_are_counted_of_models_that_are_compared_with_them() -> None:
    world = labelled_days()
    (row,) = Client(world).items("/v1/fleet")
    assert row["labelled"] is None
    world.add("scores", [window("fraud", 0) | {"window_end_ms": world.clock.now_ms()}])
    (row,) = Client(world).items("/v1/fleet")
    coverage = Client(world).get("/v1/labels", model="fraud").json()["items"]
    assert row["labelled"] == pytest.approx(
        sum(each["labelled"] for each in coverage) / sum(each["predictions"] for each in coverage)
    )


def test_nothing_is_shown_where_there_are_no_models() -> None:
    answer = Client(World(configuration=configured())).get("/v1/fleet").json()
    assert answer == {"from_ms": None, "to_ms": None, "next_cursor": None, "items": []}


def test_a_namespace_is_shown_alone(world: World) -> None:
    world.configuration = replace(world.configuration, service=Service())
    assert [row["model"] for row in Client(world).items("/v1/fleet", namespace="fraud-team")] == ["fraud"]
    assert Client(world).get("/v1/fleet", namespace="nobody").status_code == 404


def test_an_answer_is_packed_for_whoever_can_unpack_it(world: World) -> None:
    world.configuration = configured(*(model(f"m{n}") for n in range(300)))
    client = Client(world)
    packed = client.request("GET", "/v1/fleet", headers={"Accept-Encoding": "gzip"})
    plain = client.request("GET", "/v1/fleet", headers={"Accept-Encoding": "identity"})
    assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert packed.content == plain.content
    refused = client.request("GET", "/v1/fleet", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in refused.headers
    assert int(packed.headers["content-length"]) < len(plain.content) / 10
    assert client.request("GET", "/v1/fleet?format=csv").text.count("\n") == 301


def test_hours_of_labels_that_are_ahead_of_windows_make_no_model_look_fresh(world: World) -> None:
    world.add("scores", [window("fraud", -300, signal="performance:accuracy")])
    of_fleet = {row["model"]: row["window_end_ms"] for row in Client(world).items("/v1/fleet")}
    assert of_fleet["fraud"] == NOW_MS
