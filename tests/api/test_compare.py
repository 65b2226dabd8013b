"""Two parts of a model's events, signal by signal: what differs most comes first."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from monitor.api import comparisons
from tests.api.world import Client, World, configured, model

AMOUNT, COUNTRY, SCORE = "feature:amount", "feature:country", "prediction:score"
NIGHT = {"model": "fraud", "from_": 10_000, "to": 20_000, "against_from": 0, "against_to": 10_000}


@pytest.fixture(scope="module")
def world() -> World:
    """Between two panes the countries change much, the amounts a little and the scores not at all."""
    rng = np.random.default_rng(7)
    world = World()
    for start_ms, shift, germans in ((0, 0, 900), (10_000, 4, 300)):
        world.numbers(AMOUNT, start_ms, [*(rng.normal(50 + shift, 10, 1000)).tolist(), *[None] * 10])
        world.numbers(SCORE, start_ms, np.linspace(0.1, 0.9, 1000).tolist())
        world.names(COUNTRY, start_ms, {"DE": germans, "FR": 1000 - germans})
    world.names(COUNTRY, 10_000, {"DE": 400, "FR": 600}, version="v2")
    world.names(COUNTRY, 10_000, {"DE": 100}, segment="country=DE")
    return world


def test_what_differs_most_comes_first(world: World) -> None:
    items = Client(world).items("/v1/compare", **NIGHT)
    assert [item["signal"] for item in items] == [COUNTRY, AMOUNT, SCORE]
    strengths = [item["strength"] for item in items]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] > 1 > strengths[2]
    for item in items:
        best = item["distances"][0]
        assert (item["detector"], item["effect"]) in {(best["detector"], best["effect"]), (None, None)}
        if item["detector"]:
            assert item["strength"] == pytest.approx(best["effect"] / best["min_effect"])


def test_both_sides_are_counted(world: World) -> None:
    (amount,) = Client(world).items("/v1/compare", **NIGHT, signal=AMOUNT)
    assert (amount["n"], amount["baseline_n"]) == (1000, 1000)
    assert amount["missing_rate"] == amount["baseline_missing_rate"] == pytest.approx(10 / 1010)
    assert "cells" not in amount or amount["cells"] is None


def test_the_distances_are_those_of_the_page_of_one_signal(world: World) -> None:
    client = Client(world)
    for item in client.items("/v1/compare", **NIGHT):
        one = client.get("/v1/distributions", **NIGHT, signal=item["signal"]).json()
        assert item["distances"] == one["distances"]


def test_cells_come_when_they_are_asked_for(world: World) -> None:
    items = {item["signal"]: item for item in Client(world).items("/v1/compare", **NIGHT, cells=True)}
    country = items[COUNTRY]["cells"]
    assert (country["names"], country["baseline"], country["current"]) == (["DE", "FR"], [900, 100], [700, 1300])
    assert sum(items[AMOUNT]["cells"]["current"]) == 1000


@pytest.mark.parametrize(
    ("sides", "n", "baseline_n"),
    [
        ({"version": "v2", "against_version": "v1"}, 1000, 1000),
        ({"segment": "country=DE", "against_segment": ""}, 100, 2000),
    ],
)
def test_versions_and_segments_of_one_time_are_compared(
    sides: dict[str, str], n: int, baseline_n: int, world: World
) -> None:
    (country,) = Client(world).items("/v1/compare", model="fraud", from_=10_000, to=20_000, **sides)
    assert (country["signal"], country["n"], country["baseline_n"]) == (COUNTRY, n, baseline_n)


def test_the_models_own_smallest_effect_counts(world: World) -> None:
    rules = {"rules": [{"on": COUNTRY, "use": [{"psi": {"min_effect": 5.0}}]}]}
    strict = World(store=world.store, configuration=configured(model("fraud", detect=rules)))
    (country,) = Client(strict).items("/v1/compare", **NIGHT, signal=COUNTRY)
    psi = next(distance for distance in country["distances"] if distance["detector"] == "psi")
    assert psi["min_effect"] == 5.0


def test_a_signal_of_other_bins_is_named_and_the_others_are_compared() -> None:
    world = World()
    for start_ms in (0, 10_000):
        world.numbers(AMOUNT, start_ms, [1.0, 2.0])
        world.names(COUNTRY, start_ms, {"DE": 4})
    world.numbers(AMOUNT, 0, [1.0], layout="of another day", version="v0")
    client = Client(world)
    document = client.get("/v1/compare", **NIGHT).json()
    assert [item["signal"] for item in document["items"]] == [COUNTRY]
    assert document["not_comparable"] == [AMOUNT]
    answer = client.get("/v1/compare", **NIGHT, signal=AMOUNT)
    assert answer.json()["type"] == "/v1/problems#different-layouts"
    assert AMOUNT in answer.json()["detail"]


@pytest.mark.parametrize(
    ("asked", "kind", "detail"),
    [
        ({"from_": 0, "to": 10}, "bad-parameter", "both sides are the same"),
        ({"from_": 0}, "bad-parameter", "required here: to"),
        ({"from_": 5, "to": 10, "against_to": 4}, "bad-parameter", "before its end"),
        ({"from_": 0, "to": 10, "against_version": "a", "signal": "feature:x"}, "unknown-signal", "feature:amount"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused(asked: dict[str, Any], kind: str, detail: str) -> None:
    document = Client(World()).get("/v1/compare", model="fraud", **asked).json()
    assert document["type"] == f"/v1/problems#{kind}"
    assert detail in document["detail"]


def test_a_comparison_over_too_many_panes_is_refused_with_what_would_be_less(world: World) -> None:
    client = Client(world)
    answer = client.get("/v1/compare", model="fraud", from_=1, to=10**14, against_from=0, against_to=1)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["from"]
    assert "shorter span" in answer.json()["detail"]
    answer = client.get("/v1/distributions", model="fraud", signal="feature:amount", from_=0, to=10**14)
    assert answer.status_code == 422


def test_more_comparisons_than_may_be_at_once_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "WAIT_S", 0.0)
    client = Client(world)
    question = {"model": "fraud", "from_": 1_000, "to": 100_000, "against_from": 0, "against_to": 1_000}
    with ExitStack() as turns:
        for _ in range(2):
            turns.enter_context(client.app.state.comparisons.turn())
        refused = client.get("/v1/compare", **question)
        assert (refused.status_code, refused.json()["type"]) == (503, "/v1/problems#busy")
        assert refused.headers["retry-after"]
    assert client.get("/v1/compare", **question).status_code == 200
