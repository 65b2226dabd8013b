"""The signals that drifted most."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.world import MINUTE_MS, Client, World, score, step

DRIFT: dict[str, Any] = {"status": "drift", "min_effect": 0.1}


@pytest.fixture(scope="module")
def world() -> World:
    world = World()
    world.add(
        "scores",
        [
            score(5),
            score(10, **DRIFT, effect=0.3),
            score(15, **DRIFT, effect=0.5, p_value=0.01),
            score(20, effect=0.7, min_effect=0.1),  # larger than any in drift, and none
            score(12, **DRIFT, effect=0.4, detector="ks"),
            score(10, **DRIFT, effect=0.9, signal="feature:country", segment="country=DE"),
            score(15, effect=99.0, signal="prediction:score"),  # large, but no drift: it is usual for this signal
            score(20, **DRIFT, effect=0.2, model="churn"),
        ],
    )
    moved = '[{"signal": "feature:amount", "segment": "", "version": "v1"}]'
    world.add("alerts", [step("a", 0, "firing", 10 * MINUTE_MS, starts_ms=10 * MINUTE_MS, signals=moved)])
    return world


def test_the_strongest_drift_comes_first(world: World) -> None:
    items = Client(world).items("/v1/top")
    assert [(item["model"], item["signal"], item["strength"]) for item in items] == [
        ("fraud", "feature:country", pytest.approx(9)),
        ("fraud", "feature:amount", pytest.approx(5)),
        ("churn", "feature:amount", pytest.approx(2)),
    ]


def test_a_signal_says_when_how_often_and_what_saw_it(world: World) -> None:
    item = Client(world).items("/v1/top", model="fraud")[1]
    assert (item["detector"], item["effect"], item["p_value"]) == ("psi", 0.5, 0.01)
    assert (item["windows"], item["drift_windows"], item["drift_share"]) == (4, 2, 0.5)
    times = [item[name] // MINUTE_MS for name in ("first_drift_ms", "worst_ms", "last_drift_ms")]
    assert times == [10, 15, 15]
    assert item["detectors"] == ["psi", "ks"]
    assert item["alert_ids"] == ["a"]


@pytest.mark.parametrize(
    ("asked", "models"),
    [
        ({"model": "churn"}, ["churn"]),
        ({"namespace": "fraud-team"}, ["fraud", "fraud"]),
        ({"namespace": "churn-team"}, ["churn"]),
        ({"namespace": "churn-team", "model": "fraud"}, []),
        ({"limit": 1}, ["fraud"]),
        ({"segment": "country=DE"}, ["fraud"]),
        ({"segment": ""}, ["fraud", "churn"]),
        ({"version": "v2"}, []),
        ({"from_": 16 * MINUTE_MS}, ["churn"]),
        ({"to": 11 * MINUTE_MS}, ["fraud", "fraud"]),
    ],
)
def test_models_namespaces_and_times_narrow_it(asked: dict[str, Any], models: list[str], world: World) -> None:
    assert [item["model"] for item in Client(world).items("/v1/top", **asked)] == models


def test_an_unknown_namespace_is_refused(world: World) -> None:
    document = Client(world).get("/v1/top", namespace="nobody").json()
    assert document["type"] == "/v1/problems#unknown-namespace"
    assert "churn-team, fraud-team" in document["detail"]
