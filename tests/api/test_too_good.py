"""A metric that is better while a model answers a default: the answer says that this is the symptom, and of what."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.api.labelled_days import NOON_MS, labelled
from tests.api.world import HOUR_MS, Client, World, configured, step

BROKEN_MS = NOON_MS - 24 * HOUR_MS
MOVED = {"version": "", "segment": "", "signal": "prediction:score", "answer": "0.1", "onset_ms": BROKEN_MS}


def hour_of(rng: np.random.Generator, *, is_broken: bool) -> tuple[list[float], list[str | None]]:
    """Of forty events one in ten is fraud; a model that is right in 85 of 100, or one that always says no."""
    is_fraud, is_right = rng.random(40) < 0.1, rng.random(40) < 0.85
    scores = np.where(is_broken, 0.1, np.where(is_fraud == is_right, 0.9, 0.1))
    return scores.tolist(), ["yes" if each else "no" for each in is_fraud]


@pytest.fixture
def world() -> World:
    world, rng = World(configuration=configured(labelled(metrics=["accuracy", "recall"]))), np.random.default_rng(4)
    for hour in range(-72, 0):
        world.labelled_hour(NOON_MS + hour * HOUR_MS, *hour_of(rng, is_broken=hour >= -24))
    return world


def asked(world: World, from_ms: int, to_ms: int) -> dict[str, dict[str, Any]]:
    items = Client(world).items(f"/v1/performance?model=fraud&from={from_ms}&to={to_ms}")
    return {row["metric"]: row for row in items}


def alert(world: World, **moved: Any) -> None:
    signals = json.dumps([MOVED | {"failure": "stuck"} | moved])
    world.add("alerts", [step("one", 0, "firing", BROKEN_MS, model="fraud", starts_ms=BROKEN_MS, signals=signals)])


def test_an_accuracy_that_rises_while_a_constant_answers_is_called_the_symptom(world: World) -> None:
    alert(world)
    rows = asked(world, BROKEN_MS, NOON_MS)
    accuracy, recall = rows["accuracy"], rows["recall"]
    assert accuracy["value"] > 0.88
    assert (accuracy["too_good"], accuracy["alert_id"]) == (True, "one")
    assert accuracy["reason"].startswith("too good: 0.8")
    assert accuracy["reason"].endswith("prediction:score answers 0.1 too often: the better number is the symptom")
    assert (recall["value"], recall["too_good"]) == (0.0, False)


def test_what_was_before_and_what_no_failure_made_better_is_not(world: World) -> None:
    assert not asked(world, BROKEN_MS, NOON_MS)["accuracy"]["too_good"]
    alert(world, failure=None)
    assert not asked(world, BROKEN_MS, NOON_MS)["accuracy"]["too_good"]
    alert(world)
    assert not asked(world, NOON_MS - 72 * HOUR_MS, BROKEN_MS)["accuracy"]["too_good"]
