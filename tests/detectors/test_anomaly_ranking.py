"""Scorers of vectors rank what is odd as well as an isolation forest that is fitted anew, window by window."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from detectors.anomaly import SCORERS, AnomalyBank
from tests.detectors import streams

WINDOW = 400
VECTORS = [name for name, scorer in SCORERS.items() if scorer.vectors]
every_scorer_of_vectors = pytest.mark.parametrize("name", VECTORS)


def between_clusters(seed: int, d: int) -> tuple[streams.Stream, NDArray[np.bool_]]:
    """Clusters, and between them what is odd: within the limits of every feature."""
    rng = np.random.default_rng(seed)
    odd = np.arange(2000) >= 700
    odd &= rng.random(2000) < 0.04
    x = 10.0 * rng.random((4, d))[rng.integers(0, 4, 2000)] + rng.normal(0.0, 0.5, (2000, d))
    x[odd] = 10.0 * rng.random((odd.sum(), d))
    return x, odd


def area(score: streams.Stream, odd: NDArray[np.bool_]) -> float:
    """The area under the curve of true by false alarms, of all that has a score."""
    finite = np.isfinite(score)
    return float(roc_auc_score(odd[finite], score[finite]))


@pytest.fixture(scope="module")
def isolation_forest() -> float:
    """The area of a forest that is fitted to each window and scores the next one."""
    x, odd = between_clusters(1, 4)
    score = np.full(len(x), np.nan)
    for start in range(WINDOW, len(x), WINDOW):
        forest = IsolationForest(random_state=0).fit(x[start - WINDOW : start])
        score[start : start + WINDOW] = -forest.score_samples(x[start : start + WINDOW])
    return area(score, odd)


@every_scorer_of_vectors
def test_what_is_odd_within_the_limits_ranks_as_an_isolation_forest_has_it(name: str, isolation_forest: float) -> None:
    x, odd = between_clusters(1, 4)
    results = AnomalyBank(SCORERS[name], series=1, dimension=4).update(np.zeros(len(x), dtype=np.int64), x).score
    assert area(results, odd) > isolation_forest - 0.03 > 0.9


@every_scorer_of_vectors
def test_what_is_normal_once_everything_has_moved_ranks_low(name: str) -> None:
    x, odd = between_clusters(2, 4)
    scale = np.where(np.arange(len(x)) < 1000, 1.0, 100.0)[:, None]
    moved = x * scale + 1000.0 * (scale > 1.0)
    bank = AnomalyBank(SCORERS[name], series=1, dimension=4)
    bank.update(np.zeros(1500, dtype=np.int64), moved[:1500])
    results = bank.update(np.zeros(500, dtype=np.int64), moved[1500:]).score
    assert area(results, odd[1500:]) > 0.85


@every_scorer_of_vectors
def test_what_is_far_outside_in_one_number_only_is_an_anomaly(name: str) -> None:
    x = np.random.default_rng(3).normal(size=(6000, 8))
    freak = x[-1].copy()
    freak[3] += 50.0
    bank = AnomalyBank(SCORERS[name], series=1, dimension=8)
    first = bank.update(np.zeros(len(x), dtype=np.int64), x)
    assert first.anomalies().size == 0
    assert bank.update([0], [freak]).flag.all()
