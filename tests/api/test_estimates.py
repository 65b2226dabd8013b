"""What estimators say is asked for beside what turned out to be true."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitor.evaluate.mark_log import Mark, note_adopted
from monitor.evaluate.muting import alert_of
from tests.api.estimated import with_estimates
from tests.api.labelled_days import labelled
from tests.api.world import HOUR_MS, NOW_MS, Client, World, configured

DAY_MS = 24 * HOUR_MS
NOON_MS = NOW_MS // DAY_MS * DAY_MS - DAY_MS // 2


@pytest.fixture
def world() -> World:
    return with_estimates(World())


def ask(world: World, query: str = "") -> list[dict[str, Any]]:
    answer = Client(world).get(f"/v1/estimates?model=fraud{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_an_estimate_stands_beside_what_is_known_by_now(world: World) -> None:
    world.numbers("estimated:accuracy", NOON_MS, [0.9, 0.7, 0.8, None])
    world.labelled_hour(NOON_MS, [0.9, 0.2, 0.7, 0.6], ["yes", "no", "no", None])
    (row,) = ask(world)
    assert (row["signal"], row["kind"], row["metric"]) == ("estimated:accuracy", "cbpe", "accuracy")
    assert (row["from_ms"], row["to_ms"]) == (NOON_MS // DAY_MS * DAY_MS, NOON_MS // DAY_MS * DAY_MS + DAY_MS)
    assert (row["events"], row["missing"], row["labels"], row["coverage"]) == (3, 1, 3, 0.75)
    assert row["estimate"] == pytest.approx(0.8, abs=1e-4)
    # Three events that are right by 0.9, 0.7 and 0.8: the variance of their mean is the mean of p (1 - p), by three.
    reach = 1.96 * np.sqrt((0.09 + 0.21 + 0.16) / 9)
    assert (row["low"], row["high"]) == (pytest.approx(0.8 - reach, abs=1e-3), pytest.approx(1.0))
    assert row["realised"] == pytest.approx(2 / 3)
    assert row["off_by"] == pytest.approx(0.8 - 2 / 3, abs=1e-4)
    assert 0 < row["usually_off_by"] < 0.2
    assert (row["covariate_shift"], row["concept_drift"], row["unseen_regions"]) == (True, False, False)


def test_before_labels_come_there_is_an_estimate_and_nothing_else(world: World) -> None:
    world.numbers("estimated:accuracy", NOON_MS, [0.5, 0.5])
    (row,) = ask(world, "&step=1h")
    assert (row["from_ms"], row["to_ms"]) == (NOON_MS, NOON_MS + HOUR_MS)
    assert (row["estimate"], row["realised"], row["off_by"], row["coverage"]) == (0.5, None, None, None)


def test_what_another_fit_has_said_is_left_out(world: World) -> None:
    world.numbers("estimated:accuracy", NOON_MS, [0.5, 0.5], layout="another")
    assert ask(world) == []


def test_a_model_without_estimators_has_none() -> None:
    assert ask(World(configuration=configured(labelled()))) == []


def test_steps_are_whole_hours(world: World) -> None:
    answer = Client(world).get("/v1/estimates?model=fraud&step=10m")
    assert (answer.status_code, "multiple of `1h`" in answer.text) == (422, True)


def test_what_is_muted_says_so_wherever_it_is_asked_for(world: World) -> None:
    end_ms = NOON_MS + HOUR_MS
    world.numbers("estimated:accuracy", NOON_MS, [0.9, 0.7, 0.8])
    score = {"status": "drift", "window_end_ms": end_ms, "window_ms": HOUR_MS, "n": 3, "detector": "change"}
    world.add("scores", [{"model": "fraud", "signal": "estimated:accuracy", **score}])
    client = Client(world)
    assert (ask(world)[0]["muted_since_ms"], ask(world)[0]["muted_because"]) == (None, "")
    assert ask(world)[0]["may_be_off_by"] == 0.06

    watch = world.watches["fraud"]
    [estimator] = watch.estimators
    world.watches["fraud"] = replace(watch, uses={**watch.uses, estimator.signal: watch.uses["prediction:score"]})
    about: dict[str, Any] = {"alert_id": alert_of("fraud", estimator, NOON_MS - DAY_MS), "effective_ms": end_ms}
    mark = Mark("fraud", estimator.signal, "", "", "muted", NOON_MS - DAY_MS, 0, "", "it is far off", 1, **about)
    note_adopted(world.store, [mark])

    [row] = ask(world)
    assert (row["muted_since_ms"], row["muted_because"]) == (end_ms, "it is far off")
    explained = client.get(f"/v1/explain?model=fraud&signal=estimated:accuracy&at={NOON_MS + 1}").json()
    assert explained["muted_because"].endswith("UTC, it is far off")
    assert any("is muted, and no alert comes of it" in sentence for sentence in explained["words"])
    items = client.get("/v1/series?model=fraud").json()["items"]
    [protection] = [row for row in items if row["signal"] == "estimated:accuracy" and row["window_end_ms"]]
    assert (protection["state"], protection["blind_since_ms"]) == ("blind", end_ms)
    assert protection["reason"].startswith("muted since ")
    assert [row["says"] for row in client.get("/v1/marks?model=fraud").json()["items"]] == ["muted"]
