"""Metrics equal those of scikit-learn on the same events."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from detectors.performance import METRICS, Binary, Estimate, Multiclass, Question, Ranking, Regression, estimates
from tests.detectors.performance.streams import SCHEMES, events

Batch = dict[str, Any]


def binary(batch: Batch) -> tuple[Any, Any, Any, Any]:
    """True classes, said classes, scores and weights."""
    score = batch["prediction"]
    return np.array(batch["label"]) == "yes", score >= 0.4, score, batch["weight"]


def of_classes(function: Callable[..., Any], **more: Any) -> Callable[[Batch], Any]:
    def oracle(batch: Batch) -> Any:
        if isinstance(batch["prediction"], list):
            macro = {"average": "macro"} if "zero_division" in more else {}
            return function(batch["label"], batch["prediction"], sample_weight=batch["weight"], **more, **macro)
        truth, said, _, weight = binary(batch)
        return function(truth, said, sample_weight=weight, **more)

    return oracle


def of_scores(function: Callable[..., Any], **more: Any) -> Callable[[Batch], Any]:
    def oracle(batch: Batch) -> Any:
        truth, _, score, weight = binary(batch)
        return function(truth, score, sample_weight=weight, **more)

    return oracle


def of_numbers(function: Callable[..., Any]) -> Callable[[Batch], Any]:
    return lambda batch: function(batch["label"], batch["prediction"], sample_weight=batch["weight"])


def specificity(batch: Batch) -> Any:
    truth, said, _, weight = binary(batch)
    return metrics.recall_score(~truth, ~said, sample_weight=weight, zero_division=np.nan)


def ece(batch: Batch) -> float:
    """By hand: scikit-learn has the curve, but not with weights."""
    truth, _, score, weight = binary(batch)
    bins = np.minimum((score * 10).astype(int), 9)
    gaps = [abs(((truth - score) * weight)[bins == b].sum()) for b in range(10)]
    return float(sum(gaps) / weight.sum())


def mape(batch: Batch) -> float:
    nonzero = batch["label"] != 0
    of = {key: batch[key][nonzero] for key in ("label", "prediction", "weight")}
    return of_numbers(metrics.mean_absolute_percentage_error)(of) if nonzero.any() else math.nan


def smape(batch: Batch) -> float:
    y, p = batch["label"], batch["prediction"]
    size = np.abs(y) + np.abs(p)
    terms = np.where(size > 0, 2 * np.abs(p - y) / np.where(size > 0, size, 1), 0)
    return float(np.average(terms, weights=batch["weight"]))


def held(batch: Batch) -> Any:
    low, high = batch["interval"]
    return (low <= batch["label"]) & (batch["label"] <= high)


def ranked(batch: Batch) -> Iterator[tuple[Any, Any, float]]:
    """Relevance and scores as scikit-learn takes them, and the weight, of events of which something is relevant."""
    for said, label, weight in zip(batch["prediction"], batch["label"], batch["weight"], strict=True):
        items, grades = json.loads(said), json.loads(label)
        if any(grades.values()):
            first = [item if item not in items[:rank] else None for rank, item in enumerate(items)]
            absent = [grade for item, grade in grades.items() if item not in items]
            # What is not in the list stands behind all that could count.
            relevance = [*(grades.get(item, 0.0) for item in first), 0.0, 0.0, 0.0, *absent]
            yield [relevance], [-np.arange(len(relevance))], weight


def ndcg(batch: Batch) -> Any:
    events = list(ranked(batch))
    each = [metrics.ndcg_score(relevance, scores, k=3) for relevance, scores, _ in events]
    return np.average(each, weights=[weight for *_, weight in events])


def mrr(batch: Batch) -> Any:
    events = list(ranked(batch))
    ends = [len(json.loads(said)) for said, label in zip(batch["prediction"], batch["label"], strict=True)
            if any(json.loads(label).values())]  # fmt: skip
    each = [
        next((1 / rank for rank, grade in enumerate(relevance[0][:end], 1) if grade > 0), 0.0)
        for (relevance, *_), end in zip(events, ends, strict=True)
    ]
    return np.average(each, weights=[weight for *_, weight in events])


def usable_weight(batch: Batch) -> Any:
    if not str(batch["label"][0]).startswith("{"):
        return batch["weight"]
    return batch["weight"] * [any(json.loads(label).values()) for label in batch["label"]]


def worth(batch: Batch) -> Iterator[float]:
    for row, (prediction, label) in enumerate(zip(batch["prediction"], batch["label"], strict=True)):
        if str(label).startswith("{"):
            # An event of which nothing is relevant is in no sum.
            yield batch["value"][row] if any(json.loads(label).values()) else 0.0
        elif isinstance(prediction, str):
            yield {("a", "b"): -3.25, ("a", "a"): 1.0}.get((label, prediction), 0.0)
        elif isinstance(label, str):
            yield {(1, 1): 120.0, (0, 1): -8.0, (1, 0): -450.0, (0, 0): 0.5}[label == "yes", prediction >= 0.4]
        else:
            yield batch["value"][row]


ORACLES: dict[str, Callable[[Batch], Any]] = {
    "accuracy": of_classes(metrics.accuracy_score),
    "balanced_accuracy": of_classes(metrics.balanced_accuracy_score),
    "precision": of_classes(metrics.precision_score, zero_division=0),
    "recall": of_classes(metrics.recall_score, zero_division=0),
    "f_beta": of_classes(metrics.fbeta_score, beta=2.0, zero_division=0),
    "specificity": specificity,
    "mcc": of_classes(metrics.matthews_corrcoef),
    "roc_auc": of_scores(metrics.roc_auc_score),
    "pr_auc": of_scores(metrics.average_precision_score),
    "log_loss": of_scores(metrics.log_loss, labels=[False, True]),
    "brier": of_scores(metrics.brier_score_loss, pos_label=True),
    "ece": ece,
    "bias": lambda batch: np.average(batch["prediction"] - batch["label"], weights=batch["weight"]),
    "mae": of_numbers(metrics.mean_absolute_error),
    "rmse": of_numbers(metrics.root_mean_squared_error),
    "mape": mape,
    "smape": smape,
    "r2": of_numbers(metrics.r2_score),
    "pinball": lambda batch: metrics.mean_pinball_loss(
        batch["label"], batch["prediction"], sample_weight=batch["weight"], alpha=0.8
    ),
    "interval_coverage": lambda batch: np.average(held(batch), weights=batch["weight"]),
    "interval_width": lambda batch: np.average(
        np.maximum(batch["interval"][1] - batch["interval"][0], 0), weights=batch["weight"]
    ),
    "ndcg": ndcg,
    "mrr": mrr,
    "value_per_event": lambda batch: np.average(list(worth(batch)), weights=usable_weight(batch)),
    "value_total": lambda batch: np.dot(list(worth(batch)), batch["weight"]),
}


@pytest.mark.parametrize("kind", SCHEMES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_metrics_equal_those_of_scikit_learn(kind: str, data: st.DataObject) -> None:
    batch = data.draw(events(kind))
    names = [name for name, metric in METRICS.items() if kind in metric.kinds]
    assert {*names} <= {*ORACLES, "confusion"}
    answers = estimates(SCHEMES[kind].fold(**batch), names, Question(kind, min_labels=2, beta=2.0))
    for name in names:
        if name in ORACLES and not math.isnan(answers[name].value):
            assert_equal(name, answers[name], batch)


def assert_equal(name: str, answer: Estimate, batch: Batch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = float(ORACLES[name](batch))
    # scikit-learn subtracts floats that are nearly equal.
    slack = 1e-9 if name in ("mcc", "r2", "bias", "value_total", "value_per_event") else 1e-12
    size = max(abs(expected), 1.0, *(np.abs(batch["value"]).max(), 450) if name.startswith("value") else ())
    size = max(size, float(np.abs(batch["label"]).max())) if name == "bias" else size
    assert abs(answer.value - expected) <= answer.bound + slack * size, (name, answer, expected)
    if not math.isnan(answer.low):
        assert answer.low - 1e-9 * size <= answer.value <= answer.high + 1e-9 * size


def test_scores_of_six_digits_lose_nearly_nothing_in_cells() -> None:
    random = np.random.default_rng(3)
    truth = random.random(20_000) < 0.02
    score = np.round(1 / (1 + np.exp(-random.normal(-4 + 2.5 * truth, 1.5))), 6)
    folded = Binary("yes").fold(score, np.where(truth, "yes", "no").tolist())
    answer = estimates(folded, ["roc_auc", "pr_auc"], Question("binary"))
    for name, oracle in (("roc_auc", metrics.roc_auc_score), ("pr_auc", metrics.average_precision_score)):
        assert abs(answer[name].value - oracle(truth, score)) <= answer[name].bound < 0.01
    assert answer["roc_auc"].bound < 0.001


def test_the_variance_of_numbers_far_from_zero_is_not_lost() -> None:
    y = np.asarray(1e9 + np.arange(200) % 7, dtype=np.float64)
    prediction = np.asarray(y + np.where(np.arange(200) % 2, 0.5, -0.5), dtype=np.float64)
    folded = Regression().fold(prediction, y)
    assert estimates(folded, ["r2"], Question("regression"))["r2"].value == pytest.approx(
        metrics.r2_score(y - 1e9, prediction - 1e9), abs=1e-9
    )


def test_errors_beyond_all_measure_are_answered_with_a_reason() -> None:
    y = np.array([1e-150, 2e-150, 3e-150])
    names = [name for name, metric in METRICS.items() if "regression" in metric.kinds and not metric.needs_value]
    for prediction in (np.array([1e60, -1e60, 1e60]), np.array([1e-150, 2e-150, 1e-80]), y * 1e30):
        answer = estimates(Regression().fold(prediction, y), names, Question("regression", min_labels=2))
        assert math.isfinite(answer["mae"].value)
        assert math.isfinite(answer["r2"].value) or "such errors" in answer["r2"].reason


@pytest.mark.parametrize("kind", SCHEMES)
def test_without_labels_there_is_no_value_and_it_says_so(kind: str) -> None:
    nothing: Any = [] if kind in ("multiclass", "ranking") else np.empty(0)
    none: Any = np.empty(0) if kind == "regression" else []
    folded = SCHEMES[kind].fold(nothing, none)
    names = [name for name, metric in METRICS.items() if kind in metric.kinds]
    for estimate in estimates(folded, names, Question(kind)).values():
        assert math.isnan(estimate.value)
        assert estimate.reason == "no labels"


def test_few_labels_give_a_value_without_an_interval() -> None:
    folded = Binary("yes").fold(np.array([0.9, 0.2] * 10), ["yes", "no"] * 10)
    answer = estimates(folded, ["accuracy"], Question("binary"))["accuracy"]
    assert (answer.value, answer.reason) == (1.0, "20 labels, and an interval needs 100")
    assert math.isnan(answer.low)


def test_where_a_class_is_missing_it_is_said_which() -> None:
    folded = Binary("yes").fold(np.linspace(0, 0.4, 200), ["no"] * 200)
    answer = estimates(folded, ["recall", "precision", "roc_auc", "pr_auc", "mcc"], Question("binary"))
    assert {name: estimate.reason for name, estimate in answer.items()} == {
        "recall": "no event was positive",
        "precision": "no event was predicted positive",
        "roc_auc": "all events are of one class",
        "pr_auc": "all events are of one class",
        "mcc": "all events are of one class, or were predicted so",
    }


def test_the_table_and_the_curve_are_shown() -> None:
    folded = Multiclass().fold(list("aabb"), list("abbb"))
    rows = estimates(folded, ["confusion"], Question("multiclass"))["confusion"].detail
    assert [tuple(row.values()) for row in rows] == [("a", "a", 1.0), ("b", "a", 1.0), ("b", "b", 2.0)]
    curve = estimates(Binary("y").fold(np.array([0.1, 0.15, 0.9]), ["y", "n", "y"]), ["ece"], Question("binary"))
    assert [(row["from_score"], row["positive_share"]) for row in curve["ece"].detail] == [(0.1, 0.5), (0.9, 1.0)]


def test_few_positives_do_not_make_intervals_of_areas_narrow() -> None:
    """The area is 0.856: of one positive in 400, DeLong's interval held that one time in five."""
    random, held = np.random.default_rng(1), 0
    for _ in range(100):
        log_odds = np.append(random.normal(1.5, 1, 2), random.normal(0, 1, 400))
        folded = Binary("y").fold(1 / (1 + np.exp(-log_odds)), ["y"] * 2 + ["n"] * 400)
        answer = estimates(folded, ["roc_auc", "pr_auc"], Question("binary"))
        held += answer["roc_auc"].low <= 0.8556 <= answer["roc_auc"].high
    assert held >= 90
    assert math.isnan(answer["pr_auc"].low)
    assert answer["pr_auc"].reason == "2 positive labels, and an interval needs 15"


def test_events_that_are_all_alike_make_no_interval_without_width() -> None:
    negatives = Binary("y", values=(120.0, -8.0, -450.0, 0.0)).fold(np.full(200, 0.1), ["n"] * 200)
    off_by_one = Regression().fold(np.full(200, 3.1), np.full(200, 2.1))
    for folded, names in (
        (negatives, ["value_per_event", "value_total", "brier", "log_loss", "ece"]),
        (off_by_one, ["bias", "mae", "rmse", "mape", "smape"]),
    ):
        for name, answer in estimates(folded, names, Question(folded.scheme.partition(":")[0])).items():
            assert math.isfinite(answer.value), name
            assert math.isnan(answer.low), name
            assert math.isnan(answer.high), name
            assert answer.reason.startswith("all events gave the same"), name


def test_no_interval_reaches_beyond_what_a_mean_can_be() -> None:
    nearly_all: dict[str, tuple[Any, Any, Any]] = {
        "binary": (Binary("y", 0.5), np.append(np.full(199, 0.001), 0.9), ["n"] * 200),
        "regression": (Regression(quantile=0.5), np.append(np.full(199, 1.001), 9.0), np.ones(200)),
        "ranking": (Ranking(), [*['["a"]'] * 199, '["b"]'], ['{"a":1.0}'] * 200),
    }
    means = {
        "binary": ["brier", "log_loss"],
        "regression": ["mae", "mape", "smape", "pinball"],
        "ranking": ["ndcg", "mrr"],
    }
    for kind, (scheme, predictions, truth) in nearly_all.items():
        answers = estimates(scheme.fold(predictions, truth), means[kind], Question(kind, min_labels=2))
        for answer in answers.values():
            assert 0.0 <= answer.low < answer.value < answer.high
            assert answer.high <= 1.0 or kind == "regression"
    # what may be negative is
    biased = estimates(
        Regression().fold(np.array([0.0, 1.0]), np.ones(2)), ["bias"], Question("regression", min_labels=2)
    )
    assert biased["bias"].low < -1.0


def test_an_interval_needs_labels_of_which_the_metric_can_be_worked_out() -> None:
    worth = np.append([5.0, 7.0], np.full(198, np.nan))
    valued = Binary("y", has_values=True).fold(np.full(200, 0.7), ["y", "n"] * 100, None, worth)
    nearly_all_zero = Regression().fold(np.ones(200), np.append([1.0, 2.0], np.zeros(198)))
    for folded, kind, name in ((valued, "binary", "value_per_event"), (nearly_all_zero, "regression", "mape")):
        answer = estimates(folded, [name], Question(kind))[name]
        assert math.isnan(answer.low)
        assert answer.reason == "2 labels of which it can be worked out, and an interval needs 100"
