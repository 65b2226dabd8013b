"""Whether a model is better than what costs nothing, asked by HTTP and by the command line."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from tests.api.labelled_days import labelled
from tests.api.world import HOUR_MS, NOW_MS, Client, World, configured, serving
from tests.cli.console import Console

DAY_MS = 24 * HOUR_MS
NOON_MS = NOW_MS // DAY_MS * DAY_MS - 12 * HOUR_MS
WEEK = {"kind": "seasonal", "period": "7d"}


def world_of(**performance: Any) -> World:
    return World(configuration=configured(labelled(min_labels=50, **performance)))


def ask(world: World, query: str = "") -> list[dict[str, Any]]:
    answer = Client(world).get(f"/v1/performance?model=fraud{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def hours(world: World, count: int, *, skilled: bool, **more: Any) -> tuple[Any, Any]:
    """Hours of 40 predictions, and all their scores and classes."""
    random = np.random.default_rng(1)
    scores, positives = list[float](), list[bool]()
    for hour in range(count):
        positive = random.random(40) < 0.2
        score = np.clip(0.2 + (0.3 * (positive - 0.2) if skilled else 0) + random.normal(0, 0.1, 40), 0, 1)
        world.labelled_hour(
            NOON_MS - hour * HOUR_MS, score.tolist(), ["yes" if one else "no" for one in positive], **more
        )
        scores, positives = [*scores, *score], [*positives, *positive]
    return np.array(scores), np.array(positives)


def test_every_model_is_compared_with_the_prior_unless_it_says_otherwise() -> None:
    world = world_of()
    score, positive = hours(world, 5, skilled=True)
    (row,) = (row for row in ask(world) if row["metric"].startswith("skill:"))
    prior = np.full(len(score), positive.mean())
    assert row["metric"] == "skill:prior"
    assert row["value"] == pytest.approx(1 - brier_score_loss(positive, score) / brier_score_loss(positive, prior))
    assert row["low"] > 0
    assert (row["verdict"], row["reason"], row["labels"], row["better"]) == ("better", "", 200, "higher")
    assert (row["baseline"], row["loss"]) == ("always answering the share of the positive", "brier")
    nothing = world_of(baselines={})
    assert [row for row in ask(nothing) if row["metric"].startswith("skill:")] == []


def test_a_model_that_is_no_better_than_nothing_is_called_that_first(capsys: pytest.CaptureFixture[str]) -> None:
    world = world_of(baselines={"nothing": {"kind": "constant", "answer": 0, "loss": "error"}})
    hours(world, 5, skilled=False, version="v8")
    with serving(world) as address:
        answer = httpx.get(f"{address}/v1/performance?model=fraud&metric=skill:nothing", timeout=60).json()
        shown = Console(capsys)("performance", "fraud", "--by", "version", "--url", address).out.splitlines()
    (row,) = answer["items"]
    assert row["verdict"] == "no_better"
    share = f"{row['model_loss']:.1%} instead of {row['baseline_loss']:.1%}"
    # The model says what doing nothing says of each event.
    assert row["reason"].startswith(
        f"not shown to be better than always answering 0: wrong in {share}; all events gave"
    )
    assert shown[0] == f"fraud (version v8, from 2023-11-07T22:00:00Z) is {row['reason']}."


def test_a_model_may_be_worth_more_than_nothing_although_it_errs_as_often() -> None:
    naive = {"nothing": {"kind": "constant", "answer": 0}, "week": WEEK}
    worth = {"tp": 100, "fp": -1, "fn": -100, "tn": 0}
    world = world_of(baselines=naive, value=worth, currency="EUR", judge_at=["1h"])
    for days in (0, 7):
        for age_ms in (0, HOUR_MS):
            at_ms = NOON_MS - days * DAY_MS
            world.labelled_hour(at_ms, [0.9, 0.9, 0.9, 0.1] * 25, ["yes", "no", "no", "no"] * 25, age_ms=age_ms)
    rows = {row["metric"]: row for row in ask(world, f"&from={NOON_MS}")}
    gain, skill = rows["gain:nothing"], rows["skill:nothing"]
    assert skill["verdict"] == "worse"
    # (100 - 2) / 4 by the model, and (-100) / 4 by doing nothing.
    assert (gain["value"], gain["model_loss"], gain["baseline_loss"]) == (49.5, -24.5, 25.0)
    assert (gain["verdict"], gain["currency"], gain["loss"], gain["labels"]) == ("better", "EUR", "value", 100)
    # Most were negative a week before, which is the same answer.
    assert rows["gain:week"]["value"] == gain["value"]


def test_the_same_hour_of_a_week_before_is_known_when_the_hour_begins() -> None:
    world = world_of(baselines={"week": WEEK}, judge_at=["1h", "2d"])
    # A week before, in one hour all were positive and in the other none; what came later than two days does not count.
    for hour, classes in ((0, ["yes"] * 4), (1, ["no"] * 4)):
        at_ms = NOON_MS + hour * HOUR_MS
        scores = [0.9, 0.9, 0.4, 0.4]
        world.labelled_hour(at_ms - 7 * DAY_MS, scores, classes, age_ms=2 * DAY_MS, version="v1")
        world.labelled_hour(at_ms - 7 * DAY_MS, scores, ["no", "yes", "no", "yes"], version="v1")
        world.labelled_hour(at_ms, scores, classes, version="v2")
    (row,) = ask(world, f"&metric=skill:week&from={NOON_MS}&to={NOON_MS + 2 * HOUR_MS}")
    assert (row["baseline_loss"], row["labels"], row["verdict"]) == (0, 8, "no_better")
    assert row["baseline"] == "answering the mean of the hour 7d before"


def test_labels_without_an_earlier_one_are_left_out_and_counted() -> None:
    world = world_of(baselines={"week": WEEK}, metrics=["skill:week"])
    for days in (0, 1, 7):
        world.labelled_hour(NOON_MS - days * DAY_MS, [0.9, 0.1], ["yes", "yes"], age_ms=0)
    world.labelled_hour(NOON_MS - 7 * DAY_MS, [0.9, 0.1], ["yes", "no"], age_ms=DAY_MS)
    (row,) = ask(world, f"&from={NOON_MS - 2 * DAY_MS}")
    assert (row["labels"], row["baseline_loss"]) == (2, 0.25)
    assert row["reason"].startswith("of 2 labels there is no earlier one to answer by; 2 labels, and an interval")


def test_a_verdict_says_of_how_many_labels_it_is_not() -> None:
    world = world_of(baselines={"week": {**WEEK, "loss": "error"}}, metrics=["skill:week"])
    for days, age_ms in ((0, 0), (1, 0), (7, DAY_MS)):
        world.labelled_hour(NOON_MS - days * DAY_MS, [0.9, 0.1] * 30, ["no", "no", "no", "yes"] * 15, age_ms=age_ms)
    (row,) = ask(world, f"&from={NOON_MS - 2 * DAY_MS}")
    assert (row["verdict"], row["labels"]) == ("worse", 60)
    assert row["reason"] == (
        "worse than answering the usual class of the hour 7d before: wrong in 75.0% instead of 25.0%; "
        "of 60 labels there is no earlier one to answer by"
    )


def test_a_moving_average_has_only_hours_that_were_judged_by_then() -> None:
    world = world_of(baselines={"day": {"kind": "moving_average", "over": "2h"}}, judge_at=["90m"])
    shares = {5: 4, 4: 1, 3: 2, 2: 4, 1: 4, 0: 3}
    for hours_before, positive in shares.items():
        classes = ["yes"] * positive + ["no"] * (4 - positive)
        for age_ms in (0, 90 * 60_000):
            world.labelled_hour(NOON_MS - hours_before * HOUR_MS, [0.5] * 4, classes, age_ms=age_ms)
    # Hours that begin three and four hours before have ended, and are 90 minutes old, when noon comes.
    (row,) = ask(world, f"&metric=skill:day&from={NOON_MS}")
    assert row["baseline"] == "answering the mean of 2h that ended 2h before"
    assert row["baseline_loss"] == pytest.approx((3 * (1 - 3 / 8) ** 2 + (3 / 8) ** 2) / 4)
    by_hour = ask(world, f"&metric=skill:day&from={NOON_MS - HOUR_MS}&step=1h")
    assert by_hour[0]["baseline_loss"] == pytest.approx((1 - 5 / 8) ** 2)
    assert by_hour[1] == row | {"to_ms": NOON_MS + HOUR_MS}


def test_segments_have_answers_of_their_own_and_versions_share_them() -> None:
    world = world_of(baselines={"week": WEEK})
    for segment, classes in (("", ["yes", "no"]), ("country=DE", ["yes", "yes"])):
        for version in ("v1", "v2"):
            world.labelled_hour(NOON_MS, [0.5, 0.5], classes, segment=segment, version=version)
            world.labelled_hour(
                NOON_MS - 7 * DAY_MS, [0.5, 0.5], classes, segment=segment, version=version, age_ms=DAY_MS
            )
    day = f"&metric=skill:week&from={NOON_MS}"
    by_segment = ask(world, f"{day}&by=segment")
    assert [(row["segment"], row["labels"], row["baseline_loss"]) for row in by_segment] == [
        ("", 4, 0.25),
        ("country=DE", 4, 0.0),
    ]
    assert [row["baseline_loss"] for row in ask(world, f"{day}&by=version")] == [0.25, 0.25]
    assert [row["labels"] for row in ask(world, f"{day}&version=v2&segment=country=DE")] == [2]


def test_a_skill_that_is_not_configured_is_refused_with_those_that_are() -> None:
    refused = Client(world_of()).get("/v1/performance?model=fraud&metric=skill:rule")
    assert refused.status_code == 422
    assert refused.json()["detail"].endswith("value_total, skill:prior")
