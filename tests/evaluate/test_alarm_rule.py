"""When a window alarms: both conditions, the budget, and what is learned."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from detectors.chart import legend
from monitor.alerts.verdict import Why
from monitor.alerts.wording import detail
from monitor.evaluate.alarm_rule import WHYS, Budget
from tests.evaluate.deciding import decided, log_effect, usual

BUDGET = Budget(tail_probability=1e-3, enough=10, per_window=1 / 30)


def history(effects: list[float], min_effect: float = 0.1) -> list[float]:
    return [log_effect(effect, min_effect) for effect in effects]


def test_a_material_and_surprising_change_alarms() -> None:
    assert decided(0.5, 0.1, 1e-9, history([0.01] * 20), BUDGET).status == "drift"


def test_a_change_that_is_surprising_but_small_does_not_alarm() -> None:
    verdict = decided(0.09, 0.1, 1e-12, history([0.001] * 20), BUDGET)
    assert (verdict.status, detail(verdict)) == ("ok", "not material: effect 0.09 is below 0.1")


def test_a_material_change_that_the_signal_shows_all_the_time_does_not_alarm() -> None:
    verdict = decided(0.5, 0.1, 1e-12, history([0.4, 0.6, 0.5, 0.3, 0.7] * 4), BUDGET)
    assert verdict.status == "ok"
    assert detail(verdict).startswith("not surprising")


def test_chance_that_explains_a_change_keeps_it_quiet_and_a_missing_p_value_does_not() -> None:
    assert detail(decided(0.5, 0.1, 0.2, history([0.01] * 20), BUDGET)) == "chance explains it: p = 0.2"
    assert decided(0.5, 0.1, math.nan, history([0.01] * 20), BUDGET).status == "drift"


def test_nothing_alarms_before_enough_windows_were_seen() -> None:
    assert decided(5.0, 0.1, 0.0, history([0.01] * 9), BUDGET).status == "learning"


def test_what_the_signal_shows_as_often_as_the_model_may_alarm_is_its_way() -> None:
    quiet_with = [0.01] * 60 + [4.0, 4.0, 4.0]  # three times in 63 windows; the budget allows 2.1
    verdict = decided(3.0, 0.1, 0.0, history(quiet_with), BUDGET)
    assert (verdict.status, detail(verdict)) == ("ok", "not unusual: reached 3 times in 63 windows")
    assert decided(5.0, 0.1, 0.0, history(quiet_with), BUDGET).status == "drift"


def test_how_quiet_effects_differ_among_themselves_does_not_matter() -> None:
    noisy_quiet = history([1e-9, 1e-3, 0.02, 1e-6, 0.03] * 4)
    assert usual(noisy_quiet) == usual(history([0.0] * 20))


def test_location_and_scale_are_the_median_and_the_larger_of_two_robust_scales() -> None:
    values = np.random.default_rng(1).normal(2.0, 3.0, 501)
    location, scale = usual(values.tolist())
    mad = stats.median_abs_deviation(values, scale=1.4826022185056018**-1)
    upper = (np.quantile(values, 0.9) - np.median(values)) / stats.norm.isf(0.1)
    assert location == pytest.approx(np.median(values))
    assert scale == pytest.approx(max(mad, upper), rel=1e-4)


@pytest.mark.parametrize("windows", [10, 60, 2000])
def test_the_limit_is_the_prediction_interval_of_a_normal_sample(windows: int) -> None:
    expected = stats.t.isf(1e-4, windows - 1) * math.sqrt(1 + 1 / windows)
    assert Budget(1e-4, 10, 0.0).surprises[windows] == pytest.approx(expected, rel=1e-9)


def test_false_alarms_of_a_signal_that_varies_widely_stay_near_the_stated_probability() -> None:
    """Log-normal effects, all of them material: 20 signals, 2,000 windows each, asked for 1 in 1,000."""
    rng = np.random.default_rng(7)
    budget = Budget(tail_probability=1e-3, enough=10, per_window=1.0)
    alarms = windows = 0
    for _ in range(20):
        past: list[float] = []
        for effect in np.exp(rng.normal(0.0, 1.0, 2_000)):
            if len(past) >= budget.enough:
                windows += 1
                alarms += decided(float(effect), 0.001, math.nan, past[-200:], budget).status == "drift"
            past.append(log_effect(float(effect), 0.001))
    assert 0.2e-3 < alarms / windows < 3e-3


def test_the_reasons_stand_in_the_order_of_the_kernels_codes() -> None:
    codes: dict[int, Why] = {
        legend.NO_REASON: "",
        legend.TOO_FEW: "too_few",
        legend.NO_BASELINE: "no_baseline",
        legend.NOTHING: "nothing",
        legend.TOO_EARLY: "too_early",
        legend.NOT_MATERIAL: "not_material",
        legend.NOT_SURPRISING: "not_surprising",
        legend.NOT_UNUSUAL: "not_unusual",
        legend.CHANCE: "chance",
    }
    # Reasons of the rule `change` follow, of which the kernel knows nothing.
    assert dict(list(enumerate(WHYS))[: len(codes)]) == codes
