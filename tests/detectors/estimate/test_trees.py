"""Trees score as the model that they were taken of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from detectors.estimate import Trees, trees_of

STUMP: dict[str, Any] = {
    "base": 0.5, "dimension": 1, "roots": [0], "features": [0, -1, -1], "thresholds": [10.0, 0.0, 0.0],
    "lefts": [1, 0, 0], "rights": [2, 0, 0], "missing": [1, 0, 0], "values": [0.0, -0.25, 0.25],
}  # fmt: skip


def drawn(seed: int, count: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    events = random.normal(size=(count, 4))
    events[random.random(events.shape) < 0.1] = np.nan
    events[:, 3] = np.round(events[:, 3])
    return events


@pytest.fixture(scope="module")
def learned() -> tuple[HistGradientBoostingClassifier, HistGradientBoostingRegressor]:
    events = drawn(1, 800)
    size = np.nan_to_num(events[:, 0]) + np.nan_to_num(events[:, 3]) ** 2
    settings: dict[str, Any] = {"max_iter": 15, "random_state": 0}
    return (
        HistGradientBoostingClassifier(**settings).fit(events, size > 0.5),
        HistGradientBoostingRegressor(**settings).fit(events, size),
    )


def test_scores_are_bit_for_bit_those_of_scikit_learn(
    learned: tuple[HistGradientBoostingClassifier, HistGradientBoostingRegressor],
) -> None:
    classifier, regressor = learned
    events = np.vstack((drawn(2, 500), [[np.inf, -np.inf, 0.0, np.nan]]))
    scores: list[tuple[Callable[..., Any], Any]] = [
        (classifier.decision_function, classifier),
        (regressor.predict, regressor),
    ]
    for oracle, model in scores:
        trees = Trees.from_document(trees_of(model).to_document())
        assert trees.score(events).tolist() == oracle(events).tolist()


def test_the_first_trees_are_what_boosting_had_made_by_then(
    learned: tuple[HistGradientBoostingClassifier, HistGradientBoostingRegressor],
) -> None:
    _, regressor = learned
    events, trees = drawn(2, 500), trees_of(regressor)
    for rounds, scores in enumerate(regressor.staged_predict(events), 1):
        assert trees.first(rounds).score(events).tolist() == scores.tolist()
    assert len(trees.first(100).roots) == 15
    with pytest.raises(ValueError, match="at least one tree: 0"):
        trees.first(0)


def test_trees_that_split_on_what_is_missing_come_back_from_json_as_they_were() -> None:
    events = drawn(4, 300)
    learned = HistGradientBoostingClassifier(max_iter=2).fit(events, np.isnan(events[:, 0]))
    trees = trees_of(learned)
    assert np.isinf(trees.thresholds).any()
    read = Trees.from_document(msgspec.json.decode(msgspec.json.encode(trees.to_document())))
    assert read.score(events).tolist() == learned.decision_function(events).tolist()


def test_a_model_of_another_form_is_refused() -> None:
    events = drawn(3, 90)
    several = HistGradientBoostingClassifier(max_iter=1).fit(events, np.arange(90) % 3)
    by_category = HistGradientBoostingRegressor(max_iter=1, categorical_features=[3], min_samples_leaf=1)
    by_category.fit(np.nan_to_num(np.abs(events)), np.abs(np.nan_to_num(events[:, 3])) == 1)
    for model, message in ((several, "one score"), (object(), "one score"), (by_category, "categories")):
        with pytest.raises(ValueError, match=message):
            trees_of(model)


@pytest.mark.parametrize(
    "damage",
    [
        {"lefts": [0, 0, 0]},
        {"rights": [9, 0, 0]},
        {"missing": [-1, 0, 0]},
        {"features": [1, -1, -1]},
        {"features": [-2, -1, -1]},
        {"roots": [3]},
        {"values": [0.0, float("nan"), 0.25]},
        {"thresholds": [10.0]},
        {"features": [], "thresholds": [], "lefts": [], "rights": [], "missing": [], "values": []},
        {"roots": [1e30]},
        {"base": None},
        {"features": [[0, -1, -1]]},
        {"features": [[-1], [-1], [-1]]},
        {"roots": [0, 0]},
        {"roots": [0, 1]},
        {"roots": []},
        {"thresholds": [float("nan"), 0.0, 0.0]},
        {"values": [0.0, 1e308, 0.25]},
    ],
    ids=[
        "circle",
        "beyond",
        "nowhere",
        "no such feature",
        "no leaf",
        "root",
        "nan",
        "short",
        "none",
        "huge",
        "base",
        "a table",
        "a column",
        "one root twice",
        "trees that share nodes",
        "no tree",
        "no threshold",
        "too large",
    ],
)
def test_trees_that_could_not_be_walked_are_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Trees.from_document(STUMP | damage)


def test_a_file_that_lacks_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match="roots"):
        Trees.from_document({name: column for name, column in STUMP.items() if name != "roots"})


def test_events_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="1 features"):
        Trees.from_document(STUMP).score([[1.0, 2.0]])
