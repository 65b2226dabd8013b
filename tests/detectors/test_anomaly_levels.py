"""Levels are uniform where scores are in no order, whatever their distribution, and mean what they say in the tail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy import stats

from detectors.anomaly import AnomalyBank, find
from detectors.anomaly.levels import LEVEL_FIELDS, LEVEL_WIDTH, calibrate, fitted_shape
from detectors.contract import ParameterError

Floats = NDArray[np.float64]

DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, n: np.abs(rng.normal(size=n)),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "student 3": lambda rng, n: np.abs(rng.standard_t(3, n)),
    "cauchy": lambda rng, n: np.abs(rng.standard_cauchy(n)),
    "log-normal": lambda rng, n: rng.lognormal(0.0, 2.0, n),
    "below zero": lambda rng, n: rng.exponential(size=n) - 100.0,
}


class Levels:
    """The state of one series, and what is said of its scores."""

    def __init__(self, rate: float = 1e-5, history: int = 10_000, hold_off: int = 0) -> None:
        self.state, self.memory = np.zeros(1, dtype=LEVEL_FIELDS), np.zeros((1, LEVEL_WIDTH))
        self.rate, self.history, self.hold_off = rate, history, hold_off

    def of(self, score: Floats) -> Floats:
        n = len(score)
        level, self.flag = np.empty(n), np.empty(n, dtype=np.bool_)
        series = np.zeros(n, dtype=np.int64)
        calibrate(self.state, self.memory, self.rate, self.history, self.hold_off, series, score, level, self.flag)
        return level

    def p_values(self, score: Floats) -> Floats:
        """Of each score by itself, as if it were the next."""
        results = []
        for value in score.tolist():
            other = Levels(self.rate, self.history)
            other.state, other.memory = self.state.copy(), self.memory.copy()
            results.append(1.0 - other.of(np.array([value]))[0])
        return np.array(results)

    def field(self, name: str) -> Any:
        return self.state[name][0]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_levels_of_independent_scores_are_uniform_and_anomalies_as_rare_as_stated(name: str) -> None:
    n, late = 300_000, 20_000
    p_values, flags, early = [], 0, 0
    for seed in range(4):
        levels = Levels(rate=1e-4)
        level = levels.of(DISTRIBUTIONS[name](np.random.default_rng(seed), n))
        assert np.isnan(level[:128]).all()
        assert ((level[128:] >= 0.0) & (level[128:] <= 1.0)).all()
        p_values.append(1.0 - level[late:])
        flags += int(levels.flag[late:].sum())
        early += int(levels.flag[:late].sum())
    p = np.concatenate(p_values)
    for alpha in (0.9, 0.5, 0.1, 0.01, 0.001):
        # A sample of 128 tells a tenth to within one in 129.
        assert np.mean(p < alpha) == pytest.approx(alpha, rel=0.2, abs=0.01 if alpha > 0.05 else 0.0), alpha
    assert np.mean(p < 1e-5) < 2.5e-5
    assert flags < 1.5e-4 * len(p)
    if name != "uniform":  # of which no score is ever far beyond the others
        assert flags > 0.3e-4 * len(p)
    assert early <= 25  # 8 are expected of 80,000


def test_among_the_highest_it_is_the_conformal_p_value_counted_over_all_of_the_reference() -> None:
    for seed, history in ((1, 128), (2, 1000), (3, 4096)):
        seen = np.random.default_rng(seed).gamma(2.0, size=history)
        levels = Levels(history=history)
        levels.of(seen)
        ordered = np.sort(seen)[::-1]
        counted = ordered[int(levels.field("share") * (history + 1) + 0.5) - 1 : 127]
        between = (counted[1:] + counted[:-1]) / 2
        for score in (counted, between):
            expected = [(1 + np.sum(seen >= value)) / (history + 1) for value in score]
            assert_allclose(levels.p_values(score), expected, rtol=1e-9)


def test_of_up_to_128_scores_every_p_value_is_counted() -> None:
    seen = np.random.default_rng(4).integers(0, 50, 128).astype(np.float64)
    levels = Levels(history=128)
    levels.of(seen)
    anchor = levels.field("anchor")
    probes = np.arange(-1.0, anchor + 1)
    assert_allclose(levels.p_values(probes), [(1 + np.sum(seen >= value)) / 129 for value in probes], rtol=1e-9)


def test_beyond_what_can_be_counted_it_is_the_tail_of_the_fitted_distribution() -> None:
    levels = Levels()
    levels.of(np.random.default_rng(5).exponential(size=10_000))
    anchor, scale, shape = (levels.field(name) for name in ("anchor", "scale", "shape"))
    probes = anchor + np.geomspace(0.01, 30.0, 20)
    expected = levels.field("share") * stats.genpareto.sf(probes - anchor, shape, scale=scale)
    assert_allclose(levels.p_values(probes), expected, rtol=1e-6)
    assert expected[-1] < 1e-6


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.2, 0.5, 1.0])
def test_the_fit_is_as_near_the_truth_as_maximum_likelihood(shape: float) -> None:
    ours, theirs = [], []
    for seed in range(25):
        seen = np.sort(stats.genpareto.rvs(shape, scale=3.0, size=127, random_state=seed))[::-1]
        ours.append(fitted_shape(np.append(seen, 0.0), 127))
        fitted, _, scale = stats.genpareto.fit(seen, floc=0.0)
        theirs.append((fitted, scale))
    wrong_ours, wrong_theirs = (np.abs(np.array(results) - (shape, 3.0)).mean(axis=0) for results in (ours, theirs))
    assert (wrong_ours < 1.1 * wrong_theirs).all()


def test_a_higher_score_never_has_a_lower_level() -> None:
    rng = np.random.default_rng(6)
    for draw in DISTRIBUTIONS.values():
        levels = Levels(history=2000)
        seen = draw(rng, 3000)
        levels.of(seen)
        span = seen.max() - seen.min()
        probes = np.sort(np.concatenate((seen[::7], np.linspace(seen.min() - span, seen.max() + 3 * span, 400))))
        assert (np.diff(levels.p_values(probes)) <= 0.0).all()


def test_what_is_higher_than_all_before_has_the_highest_level() -> None:
    levels = Levels(history=1000)
    seen = np.random.default_rng(7).normal(size=1500)
    levels.of(seen)
    assert levels.p_values(np.array([seen.max() + 0.1]))[0] < levels.p_values(np.sort(seen)[-200:]).min()


def test_where_all_scores_are_equal_there_is_no_tail_and_the_last_one_is_counted() -> None:
    levels = Levels(history=1000)
    assert (levels.of(np.zeros(1500))[128:] == 0.0).all()
    assert_allclose(levels.p_values(np.array([1e-9, 1.0, 1e100])), 1 / 1001)


def test_one_glitch_does_not_hide_the_next() -> None:
    rng = np.random.default_rng(8)
    level = []
    for glitch in (1.0, 1e9):
        levels = Levels(history=2000)
        x = rng.exponential(size=4001)
        x[3000] = glitch
        levels.of(x)
        level.append(levels.p_values(np.array([40.0]))[0])
    assert level[0] < level[1] < 1e-6


def test_what_is_older_than_twice_the_history_is_forgotten() -> None:
    rng = np.random.default_rng(9)
    levels = Levels(history=1000)
    levels.of(1e6 * rng.exponential(size=5000))
    levels.of(rng.exponential(size=2000))
    p = 1.0 - levels.of(rng.exponential(size=1000))
    assert np.mean(p < 0.1) == pytest.approx(0.1, abs=0.04)


def test_scores_that_rise_for_good_are_anomalies_for_at_most_a_history() -> None:
    rng = np.random.default_rng(10)
    levels = Levels(history=1000)
    levels.of(rng.exponential(size=3000))
    levels.of(50.0 + rng.exponential(size=3000))
    assert levels.flag[:100].all()
    assert not levels.flag[2000:].any()


def test_a_score_that_is_nan_has_no_level_and_changes_nothing() -> None:
    seen = np.random.default_rng(11).normal(size=700)
    plain, holes = Levels(history=300), Levels(history=300)
    expected = plain.of(seen)
    results = holes.of(np.insert(seen, [5, 400, 400], np.nan))
    assert np.isnan(results[[5, 401, 402]]).all()
    assert_array_equal(np.delete(results, [5, 401, 402]), expected)
    assert holes.memory.tobytes() == plain.memory.tobytes()


@pytest.mark.parametrize("x", [[5e-324, 0.0, 1e-300], [1e100, -1e100, 0.0], [1e100, 1e-200, 1.0], [1.0, 1.0 + 1e-15]])
def test_scores_at_the_limits_of_numbers_have_levels(x: list[float]) -> None:
    levels = Levels(history=200)
    level = levels.of(np.random.default_rng(12).choice(x, 1000))
    assert np.isfinite(level[128:]).all()


def test_a_bank_flags_what_is_rarer_than_its_rate() -> None:
    x = np.random.default_rng(13).normal(size=20_000)
    results = {}
    for rate in (1e-2, 1e-3):
        scores = AnomalyBank(find("robust_z"), {"false_alarm_rate": rate}, series=1).update(np.zeros(20_000, int), x)
        assert_array_equal(scores.anomalies(), np.flatnonzero(1.0 - scores.level < rate))
        results[rate] = len(scores.anomalies())
    assert results[1e-2] == pytest.approx(200, abs=60)
    assert results[1e-3] == pytest.approx(20, abs=15)


def test_a_rate_that_is_none_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"^robust_z: false_alarm_rate=2 is not allowed"):
        AnomalyBank(find("robust_z"), {"false_alarm_rate": 2})
    with pytest.raises(ParameterError, match="did you mean 'history'"):
        AnomalyBank(find("robust_z"), {"histroy": 2})


def test_after_an_anomaly_there_is_none_for_as_long_as_it_is_held_off() -> None:
    score = np.abs(np.random.default_rng(7).normal(size=6_000))
    score[[5_000, 5_001, 5_010, 5_011, 5_900]] = 50.0
    plain, held = Levels(), Levels(hold_off=10)
    levels = plain.of(score)
    assert_array_equal(held.of(score), levels)
    assert np.flatnonzero(plain.flag).tolist() == [5_000, 5_001, 5_010, 5_011, 5_900]
    assert np.flatnonzero(held.flag).tolist() == [5_000, 5_011, 5_900]
