"""KSWIN decides as river's and frouros' do where those draw no sample; it fires as seldom as it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from detectors.bank import Bank
from detectors.contract import ParameterError
from detectors.drift import find
from tests.detectors import streams
from tests.detectors.recorded.kswin import HALVES, STREAMS, recorded, rivers_drifts


def drifts(params: dict[str, Any], x: streams.Stream) -> list[int]:
    results: list[int] = Bank(find("kswin"), params, series=1).update_one(0, x).drifts().tolist()
    return results


@pytest.mark.parametrize(("peer", "params"), [("river", {"min_distance": 0.1}), ("frouros", {})])
def test_it_fires_where_its_peers_fire(peer: str, params: dict[str, Any]) -> None:
    results = {name: drifts(HALVES | params, x) for name, x in STREAMS.items()}
    assert results == recorded()[peer]
    assert len(results) >= 50
    assert sum(map(len, results.values())) > 50, "streams on which nothing happens prove nothing"


def test_river_still_fires_where_it_was_recorded() -> None:
    for name in ("ramp up", "random 0"):
        assert rivers_drifts(STREAMS[name]) == recorded()["river"][name]


def test_the_distance_is_that_of_the_whole_window_whenever_it_could_be_an_alarm() -> None:
    x = np.round(np.random.default_rng(2).normal(0.0, 1.0, 600), 1)
    params: dict[str, Any] = {"window_size": 60, "stat_size": 20, "alpha": 0.3, "min_distance": 1.0}
    bank = Bank(find("kswin"), params, series=1)
    score = bank.update_one(0, x).score
    critical = int(bank.state["critical"][0]) / 800
    looked_at = 0
    for t in range(59, 600):
        expected = stats.ks_2samp(x[t - 59 : t - 19], x[t - 19 : t + 1])
        if expected.statistic >= critical:
            assert abs(score[t]) == pytest.approx(expected.statistic, abs=1e-12)
            looked_at += 1
        else:
            assert abs(score[t]) < critical
    assert 50 < looked_at < 400


@pytest.mark.parametrize("alpha", [0.2, 0.005, 1e-7])
@pytest.mark.parametrize(("width", "newest"), [(40, 20), (41, 7), (100, 30), (61, 40)])
def test_a_distance_is_an_alarm_if_its_exact_p_value_is_small_enough(alpha: float, width: int, newest: int) -> None:
    bank = Bank(find("kswin"), {"window_size": width, "stat_size": newest, "alpha": alpha}, series=1)
    bank.update_one(0, [0.0])
    rng = np.random.default_rng(width)
    alarms = 0
    for shift in np.linspace(0.0, 3.0, 40):
        expected = stats.ks_2samp(rng.normal(0.0, 1.0, newest), rng.normal(shift, 1.0, width - newest))
        alarm = round(expected.statistic * newest * (width - newest)) >= bank.state["critical"][0]
        assert alarm == (expected.pvalue <= alpha)
        alarms += alarm
    assert 0 < alarms < 40


@pytest.mark.parametrize("older", ["all", "sample"])
def test_the_average_run_length_is_at_least_what_is_asked_for(older: str) -> None:
    x = np.random.default_rng(4).normal(0.0, 1.0, 400_000)
    params: dict[str, Any] = {"run_length": 1000.0, "window_size": 60, "stat_size": 20, "older": older}
    runs = np.diff(drifts(params, x), prepend=-1) - 60
    assert len(runs) > 30
    # Looks at nearly the same window agree, so that it is several times longer.
    assert 1000.0 < runs.mean() < 20_000.0


def test_the_papers_probability_of_one_look_is_wrong_once_in_one_or_two_thousand_observations() -> None:
    x = np.random.default_rng(6).normal(0.0, 1.0, 100_000)
    for older in ("all", "sample"):
        params = {"alpha": 0.005, "window_size": 100, "stat_size": 30, "older": older}
        assert 700.0 < np.diff(drifts(params, x)).mean() < 2500.0, older


def test_what_it_is_compared_with_may_be_the_sample_of_the_paper_and_the_seed_draws_it() -> None:
    x = np.random.default_rng(8).normal(0.0, 1.0, 300)
    first, second, third = (
        Bank(find("kswin"), {"older": "sample", "seed": s, "window_size": 60}, series=1).update_one(0, x).score
        for s in (1, 1, 2)
    )
    assert first.tolist() == second.tolist()
    assert (first != third).any()


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"window_size": 40, "stat_size": 40}, "with window_size=40 it is at most 39"),
        ({"window_size": 40, "stat_size": 21, "older": "sample"}, "with window_size=40 it is at most 20"),
        ({"window_size": 40, "stat_size": 5, "run_length": 1e6}, "of 5 against 35 values no order is as rare as 5e-07"),
    ],
)
def test_what_could_never_fire_is_refused(params: dict[str, Any], why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        Bank(find("kswin"), params)
