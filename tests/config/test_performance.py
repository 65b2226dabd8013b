"""What is compared with which label follows from the schema, and asking for it teaches nothing anew."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from detectors.performance import Binary, Multiclass, Regression
from monitor.config.model import Model
from monitor.config.naive import History, Naive
from monitor.config.performance import PerformancePlan
from monitor.watch import watch_of
from tests.config.broken import LABELLED


def model(performance: dict[str, Any] | None) -> Model:
    document = yaml.safe_load(LABELLED)
    document["spec"] |= {} if performance is None else {"performance": performance}
    return Model.model_validate(document)


def plan(**performance: Any) -> PerformancePlan:
    settled = model(performance).spec.performance_plan
    assert settled is not None
    return settled


@pytest.mark.parametrize(
    ("performance", "scheme"),
    [
        ({"prediction": "score", "label": "fraud", "positive": "yes"}, Binary("yes")),
        ({"prediction": "said", "label": "fraud"}, Multiclass()),
        ({"prediction": "score", "label": "loss"}, Regression()),
    ],
)
def test_what_is_compared_follows_from_the_types(performance: dict[str, Any], scheme: object) -> None:
    assert plan(**performance).scheme == scheme


def test_outcomes_have_their_worth() -> None:
    worth = {"tp": 120, "fp": -8, "fn": -450, "tn": 0}
    settled = plan(prediction="score", label="fraud", positive="yes", value=worth, currency="EUR", weight="loss")
    assert settled.scheme == Binary("yes", values=(120, -8, -450, 0))
    assert settled.label_signals == ("label:fraud", "label:loss")
    assert settled.metrics[-2:] == ("value_per_event", "value_total")


def test_classes_have_the_worth_of_their_pairs() -> None:
    settled = plan(prediction="said", label="fraud", value={"yes/no": -5})
    assert settled.scheme == Multiclass({("yes", "no"): -5.0})


def test_it_is_judged_at_stated_ages() -> None:
    settled = plan(prediction="score", label="loss", judge_at=["30m", "90d"], metrics=["mae"])
    assert (settled.judge_at_ms, settled.metrics) == ((1_800_000, 90 * 86_400_000), ("mae",))


def test_what_it_is_compared_with_is_the_prior_unless_it_is_named() -> None:
    compared = {"prediction": "said", "label": "fraud"}
    assert [each.metric for each in plan(**compared).naive] == ["skill:prior"]
    assert plan(**compared, metrics=["accuracy"]).naive == plan(**compared, baselines={}).naive == ()
    chosen = plan(**compared, baselines={"one": {"kind": "constant", "answer": "1"}}, metrics=["skill:one"])
    assert (chosen.naive, chosen.metrics) == ((Naive("one", "error", answer="1"),), ())


def test_what_was_true_before_counts_once_it_was_known() -> None:
    week, average = plan(
        prediction="score",
        label="loss",
        judge_at=["90m", "2d", "7d"],
        baselines={"week": {"kind": "seasonal"}, "average": {"kind": "moving_average", "over": "3h"}},
    ).naive
    hour_ms, day_ms = 3_600_000, 86_400_000
    assert week.history == History(7 * day_ms, 7 * day_ms, age_ms=2 * day_ms)
    assert average.history == History(7 * day_ms + 3 * hour_ms, 7 * day_ms + hour_ms, age_ms=7 * day_ms)
    assert [week.words, average.words] == [
        "answering the mean of the hour 7d before",
        "answering the mean of 3h that ended 7d before",
    ]


def test_a_field_of_the_event_may_answer_in_place_of_the_model() -> None:
    rule = {"baselines": {"rule": {"kind": "field", "field": "amount"}}}
    settled = plan(prediction="score", label="loss", **rule)
    assert settled.scheme == Regression(naive=("feature:amount", "squared"))
    assert (settled.naive_signal, settled.naive[0].words) == ("feature:amount", "the field amount")
    by_class = {"baselines": {"rule": {"kind": "field", "field": "said"}}}
    assert plan(prediction="score", label="fraud", positive="yes", **by_class).naive[0].loss == "error"
    assert plan(prediction="score", label="loss", **rule, metrics=["mae"]).scheme == Regression()


def test_without_the_key_nothing_is_compared() -> None:
    assert model(None).spec.performance_plan is None


def test_asking_for_performance_makes_no_model_learn_anew() -> None:
    silent, asked = (
        watch_of(model(performance), None) for performance in (None, {"prediction": "score", "label": "loss"})
    )
    assert (silent.config_hash, silent.fold_hash) == (asked.config_hash, asked.fold_hash)
