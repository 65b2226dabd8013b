"""Skill is what is lost event by event, beside dummies of scikit-learn; its interval is that of paired losses."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.dummy import DummyClassifier, DummyRegressor

from detectors.performance import (
    LOSSES,
    Binary,
    Multiclass,
    Question,
    Regression,
    Skill,
    Sums,
    Truth,
    add_up,
    estimates,
    gain_of,
    losses_of,
    losses_of_field,
    skill_of,
    worths_of,
)
from detectors.performance.naive import Answer, loss_of
from detectors.performance.skill import FAR_FROM_ZERO, FEW_LOSSES, NAIVE_IS_RIGHT
from detectors.performance.sums import Count
from tests.detectors.performance.streams import SCHEMES, events
from tests.detectors.performance.test_metrics import worth

Batch = dict[str, Any]
THRESHOLD = 0.4
CASES = [(kind, loss) for kind, losses in LOSSES.items() for loss in losses]


def event_losses(kind: str, loss: str, batch: Batch, prediction: Any) -> Any:
    """What each event loses by predictions, or by one answer for all."""
    said = np.broadcast_to(prediction, len(batch["label"]))
    if kind == "multiclass":
        return (said != np.array(batch["label"])).astype(float)
    if kind == "regression":
        return (said - batch["label"]) ** 2
    true = np.array(batch["label"]) == "yes"
    return (said - true) ** 2 if loss == "brier" else ((said >= THRESHOLD) != true).astype(float)


def dummy(kind: str, loss: str, batch: Batch) -> Answer:
    """What scikit-learn answers that is the same for all."""
    label, weight, nothing = batch["label"], batch["weight"], np.zeros((len(batch["label"]), 1))
    if kind == "regression":
        return float(DummyRegressor(strategy="mean").fit(nothing, label, weight).predict(nothing)[0])
    if kind == "binary":
        label = np.array(label) == "yes"
        if loss == "brier":
            return float(np.average(label, weights=weight))
    answer = DummyClassifier(strategy="most_frequent").fit(nothing, label, weight).predict(nothing)[0]
    return str(answer) if kind == "multiclass" else float(answer)


def skill(kind: str, loss: str, batch: Batch, answer: Answer | None = None, min_labels: int = 2) -> Skill:
    sums = SCHEMES[kind].fold(**batch)
    chosen = Truth.of([sums]).answer(loss) if answer is None else answer
    assert chosen is not None
    losses = losses_of(sums, loss, chosen, THRESHOLD)
    assert losses is not None
    return skill_of(losses, min_labels)


@pytest.mark.parametrize(("kind", "loss"), CASES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_prior_is_that_of_scikit_learn_and_losses_are_those_of_single_events(
    kind: str, loss: str, data: st.DataObject
) -> None:
    batch = data.draw(events(kind))
    answer = dummy(kind, loss, batch)
    said = np.array(batch["prediction"])
    expected = [
        float(np.average(event_losses(kind, loss, batch, each), weights=batch["weight"])) for each in (said, answer)
    ]
    shown = skill(kind, loss, batch)
    scale = 1e-9 * max(1.0, *expected)
    # What is most frequent may be several classes, all of which lose the same.
    assert [shown.model, shown.naive] == pytest.approx(expected, rel=1e-9, abs=scale)
    if expected[1] > scale:
        assert shown.value == pytest.approx(1 - expected[0] / expected[1], rel=1e-6, abs=1e-9)


def large(kind: str, seed: int, size: int = 400, *, skilled: float = 0.3) -> Batch:
    random = np.random.default_rng(seed)
    signal, noise = random.normal(size=size), random.normal(size=size)
    guess = skilled * signal + (1 - skilled) * random.normal(size=size)
    weight = random.integers(1, 5, size).astype(float)
    if kind == "regression":
        return {"prediction": guess + 7, "label": signal + noise + 7, "weight": weight}
    true, said = signal + noise > 0.8, guess > 0.8
    if kind == "binary":
        return {
            "prediction": 1 / (1 + np.exp(0.8 - guess)),
            "label": np.where(true, "yes", "no").tolist(),
            "weight": weight,
        }
    names = np.array(["a", "b", "c"])
    return {"prediction": names[said * 1].tolist(), "label": names[true * 1].tolist(), "weight": weight}


@pytest.mark.parametrize(("kind", "loss"), CASES)
@pytest.mark.parametrize("skilled", [0.0, 0.5, 1.0])
def test_the_ends_of_the_interval_are_where_the_paired_difference_is_as_large_as_chance(
    kind: str, loss: str, skilled: float
) -> None:
    batch = large(kind, 3, skilled=skilled)
    weight = batch["weight"]
    count = weight.sum() ** 2 / (weight**2).sum()
    answer = dummy(kind, loss, batch)
    model, naive = (event_losses(kind, loss, batch, each) for each in (np.array(batch["prediction"]), answer))
    shown = skill(kind, loss, batch)
    assert shown.low < shown.value < shown.high
    for end in (shown.low, shown.high):
        difference = model - (1 - end) * naive
        mean = np.average(difference, weights=weight)
        error = math.sqrt(np.average((difference - mean) ** 2, weights=weight) / count)
        # How the Brier losses of the positive go with those of the prior is known by cells.
        assert abs(mean) / error == pytest.approx(stats.norm.ppf(0.975), rel=2e-3)


@pytest.mark.parametrize(("kind", "loss"), CASES)
def test_hours_add_up_to_the_losses_of_all_their_events_exactly(kind: str, loss: str) -> None:
    batch = large(kind, 5)
    answer = dummy(kind, loss, batch)
    halves = [{name: values[part] for name, values in batch.items()} for part in (slice(150), slice(150, None))]
    if loss == "brier":
        # The products of losses are known by cells, of each sum by itself.
        answer = 0.5
    entire, first, second = (
        losses_of(SCHEMES[kind].fold(**each), loss, answer, THRESHOLD) for each in (batch, *halves)
    )
    assert first is not None
    assert second is not None
    assert first + second == entire


@pytest.mark.parametrize(("kind", "answers"), [("binary", (0.0, 1.0)), ("multiclass", ("a", "b"))])
def test_what_a_model_is_worth_more_is_that_of_its_single_events(kind: str, answers: tuple[Answer, Answer]) -> None:
    batch, scheme = large(kind, 11), SCHEMES[kind]
    for answer in answers:
        said = np.full(len(batch["label"]), answer).tolist()
        naive = {**batch, "prediction": said if kind == "multiclass" else np.array(said)}
        # What the metric that is there anyway says of both is what an oracle says of each.
        model, other = (
            estimates(scheme.fold(**each), ["value_per_event"], Question(kind))["value_per_event"].value
            for each in (batch, naive)
        )
        shown = gain_of(worths_of(scheme.fold(**batch), scheme, answer))
        assert shown.value == pytest.approx(model - other)
        assert (-shown.model, -shown.naive) == pytest.approx((model, other))
        events_worth = np.array([list(worth({**each, "label": batch["label"]})) for each in (batch, naive)])
        difference, weight = events_worth[0] - events_worth[1], batch["weight"]
        spread = np.average((difference - shown.value) ** 2, weights=weight) * (weight**2).sum() / weight.sum() ** 2
        assert (shown.low, shown.high) == pytest.approx(stats.norm.interval(0.95, shown.value, math.sqrt(spread)))
    halves = [scheme.fold(**{k: v[half] for k, v in batch.items()}) for half in (slice(0, 150), slice(150, None))]
    first, second = (worths_of(half, scheme, answers[0]) for half in halves)
    assert first + second == worths_of(scheme.fold(**batch), scheme, answers[0])


def test_a_gain_without_an_interval_says_why() -> None:
    scheme = SCHEMES["binary"]
    alike, few, none = (scheme.fold(np.full(count, 0.9), ["yes"] * count) for count in (200, 3, 0))
    gains = [gain_of(worths_of(sums, scheme, answer)) for sums, answer in ((alike, 1.0), (few, 0.0), (none, 0.0))]
    assert [(gain.verdict, gain.reason[:12]) for gain in gains] == [
        ("no_better", "all events g"),
        ("unknown", "3 labels, an"),
        ("unknown", "no labels"),
    ]
    many = Multiclass().fold([f"c{index}" for index in range(10_001)], ["c1"] * 10_001)
    assert Truth.of([many]).answer("error") is None


@pytest.mark.parametrize(("kind", "loss"), CASES)
def test_a_field_that_answers_single_events_is_compared_on_those_that_it_answers(kind: str, loss: str) -> None:
    batch, other = large(kind, 7), large(kind, 7, skilled=0.6)
    said = np.array(other["prediction"])
    has_answer = np.arange(len(said)) % 5 != 0
    if kind == "multiclass":
        naive: Any = [name if answers else None for name, answers in zip(said.tolist(), has_answer, strict=True)]
    else:
        naive = np.where(has_answer, said, np.array([np.nan, np.inf])[np.arange(len(said)) % 2])
    scheme = replace(SCHEMES[kind], naive=("feature:rule", loss))  # type: ignore[type-var]
    sums = scheme.fold(**batch, naive=naive)
    assert sums.scheme != SCHEMES[kind].id
    model, rule, weight = (
        each[has_answer]
        for each in (*(event_losses(kind, loss, batch, each) for each in (batch["prediction"], said)), batch["weight"])
    )
    shown = losses_of_field(sums)
    sizes = [shown.weight, shown.weight_2, shown.model, shown.naive, shown.model_2, shown.naive_2, shown.both]
    assert shown.labels == has_answer.sum()
    factors = [1, weight, model, rule, model**2, rule**2, model * rule]
    assert [float(size) for size in sizes] == pytest.approx([float((weight * factor).sum()) for factor in factors])
    halves = [slice(0, 150), slice(150, None)]
    parts = [scheme.fold(**{k: v[half] for k, v in batch.items()}, naive=naive[half]) for half in halves]
    assert add_up(parts, scheme.id) == sums
    assert scheme.fold(**batch).count(Count.ANSWERED) == 0


@pytest.mark.parametrize(("kind", "loss"), CASES)
def test_intervals_hold_the_true_skill_as_often_as_they_say(kind: str, loss: str) -> None:
    true = skill(kind, loss, large(kind, 0, 400_000), min_labels=2).value
    samples = [skill(kind, loss, large(kind, seed)) for seed in range(1, 301)]
    share = np.mean([each.low <= true <= each.high for each in samples])
    assert stats.binomtest(round(share * 300), 300, 0.95).pvalue > 1e-4, share


def test_a_model_that_says_nothing_is_called_better_no_more_often_than_chance_does() -> None:
    verdicts = [skill("regression", "squared", large("regression", seed, skilled=0.0)).verdict for seed in range(200)]
    assert "better" not in verdicts
    constant = [{**large("regression", seed), "prediction": np.full(400, 7.0)} for seed in range(200)]
    assert verdicts_of(constant).get("better", 0) <= 10


def verdicts_of(batches: list[Batch]) -> dict[str, int]:
    verdicts = [skill("regression", "squared", batch, answer=7.0).verdict for batch in batches]
    return {verdict: verdicts.count(verdict) for verdict in set(verdicts)}


@pytest.mark.parametrize(
    ("batch", "answer", "verdict", "reason"),
    [
        ({"prediction": [1.0, 2.0], "label": [3.0, 3.0]}, 3.0, "no_better", NAIVE_IS_RIGHT),
        ({"prediction": [3.0, 3.0], "label": [3.0, 3.0]}, 3.0, "no_better", NAIVE_IS_RIGHT),
        ({"prediction": [2.0, 2.0], "label": [3.0, 3.0]}, 2.0, "no_better", "all events gave the same"),
        ({"prediction": [3.0, 3.0], "label": [3.0, 3.0]}, 2.0, "unknown", "all events gave the same"),
        ({"prediction": [1.0, 2.0, 0.0], "label": [0.0, 0.0, 5.0]}, 0.0, "unknown", FEW_LOSSES),
        ({"prediction": [1e9 + 5, 1e9], "label": [1e9, 1e9 + 1]}, 1e9, "unknown", FAR_FROM_ZERO),
        ({"prediction": [1e60, 0.0], "label": [0.0, 1e-30]}, 0.0, "no_better", NAIVE_IS_RIGHT),
        ({"prediction": [], "label": []}, 0.0, "unknown", "no labels"),
    ],
)
def test_without_an_interval_it_is_said_why(
    batch: dict[str, list[float]], answer: float, verdict: str, reason: str
) -> None:
    prediction, label = (np.array(batch[name], dtype=np.float64) for name in ("prediction", "label"))
    sums = Regression().fold(prediction, label)
    losses = losses_of(sums, "squared", answer)
    assert losses is not None
    shown = skill_of(losses, 2)
    assert (shown.verdict, shown.reason.startswith(reason), math.isnan(shown.low)) == (verdict, True, True)


def test_few_labels_have_no_interval_and_many_classes_no_table() -> None:
    batch = large("multiclass", 1, 30)
    assert "30 labels, and an interval needs 100" in skill("multiclass", "error", batch, min_labels=100).reason
    many = Multiclass().fold([f"c{index}" for index in range(10_001)], ["c1"] * 10_001)
    assert losses_of(many, "error", "c1") is None


def test_nothing_is_answered_where_nothing_is_known() -> None:
    nothing = Truth.of([Sums.empty(Binary("yes").id)])
    assert (nothing.answer("brier"), nothing.answer("error"), (nothing + nothing - nothing).answer("error")) == (
        None,
    ) * 3


def test_a_loss_belongs_to_its_kind() -> None:
    assert [loss_of(kind, None) for kind in LOSSES] == ["brier", "error", "squared"]
    with pytest.raises(ValueError, match="'brier' is no loss of regression predictions; there are squared"):
        loss_of("regression", "brier")
