"""An alert stands as long as what it is about, and no longer: as ``python -m bench.recovery`` measures it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.recovery import FOR_GOOD, OF_FEW, Setting, alerts_of, measured
from detectors.change.legend import GROUPS, STANDS, STATUS
from detectors.change.model import ModelCharts, Settings
from detectors.distance.tail import normal_sf
from tests.detectors.change_streams import FENCES, NUMBER, Number, beside, is_weekend

SIGNALS = 50


@pytest.mark.parametrize("fault", ["1/8 missing", "+3 sd in 1/8"])
@pytest.mark.parametrize(("windows_per_day", "events"), [(24, 60), (288, 40)])
def test_a_fault_of_one_event_in_eight_is_one_alert_until_it_is_over(
    fault: str, windows_per_day: int, events: int
) -> None:
    setting = Setting("iid", fault, windows_per_day, events, begins=16.375, lasts=8 / 24)
    became = measured(setting, SIGNALS, 1)
    assert len(became.alerts) >= SIGNALS - 4
    assert became.unbroken >= 0.95 * len(became.alerts)
    assert np.quantile(became.hours, 0.9) <= 8


@pytest.mark.parametrize(("fault", "remains"), [("1 sd", 0.5), ("4/5 missing", 0.25)])
@pytest.mark.parametrize(("windows_per_day", "events"), [(24, 60), (288, 40)])
def test_a_fault_that_shrinks_is_one_alert_until_what_is_left_is_over(
    fault: str, remains: float, windows_per_day: int, events: int
) -> None:
    became = measured(Setting("iid", fault, windows_per_day, events, lasts=3.0, remains=remains), SIGNALS, 1)
    assert len(became.alerts) == SIGNALS
    assert became.unbroken >= 0.75 * SIGNALS
    assert np.mean(became.alerts) <= 1.25
    assert np.quantile(became.hours, 0.9) <= 8


def test_a_rate_that_stays_high_is_one_alert_though_windows_without_any_come() -> None:
    became = measured(Setting("iid", "1/8 missing", lasts=FOR_GOOD), SIGNALS, 1)
    assert len(became.alerts) == SIGNALS
    assert became.unbroken >= 0.85 * SIGNALS


@pytest.mark.parametrize("fault", OF_FEW)
def test_a_fault_that_few_events_show_in_a_day_is_one_alert_while_it_lasts(fault: str) -> None:
    became = measured(Setting("iid", fault, events=OF_FEW[fault][0], lasts=FOR_GOOD), SIGNALS, 1)
    assert len(became.alerts) >= 0.95 * SIGNALS
    assert np.mean(became.alerts) <= 1.25


@pytest.mark.parametrize("levels", ["iid", "season", "AR 0.5"])
def test_half_a_standard_deviation_that_lasts_is_one_alert(levels: str) -> None:
    became = measured(Setting(levels, "0.5 sd", lasts=FOR_GOOD), SIGNALS, 1)
    assert len(became.alerts) == SIGNALS
    assert became.unbroken >= 0.9 * SIGNALS
    assert np.mean(became.alerts) <= 1.15


def test_a_value_that_stands_for_none_is_one_alert_though_windows_with_few_of_it_come() -> None:
    """Of ten values one is far below all others: a window of 30 has none of it now and then, and looks as usual."""
    days, first_day, part = 33, 22, 0.1
    usual = -np.diff(np.concatenate(([1.0], normal_sf(FENCES), [0.0])))
    faulty = (1 - part) * usual + part * (np.arange(GROUPS) == 0)
    rate = 60 * (1 + 0.5 * np.sin(2 * np.pi * np.arange(24) / 24))
    numbers = [Number(np.random.default_rng(seed)) for seed in range(SIGNALS)]
    charts = ModelCharts(Settings(false_alarms=SIGNALS / 300, signals=SIGNALS, windows_per_day=24))
    charts.add([NUMBER] * SIGNALS, 0)
    stands = []
    for day in range(days):
        shares = faulty if first_day <= day < days - 1 else usual
        drawn = [number.rng.multinomial(number.rng.poisson(rate), shares) for number in numbers]
        nothing = np.zeros(24, dtype=np.int64)
        evidence = [number.of_counts(grouped, nothing) for number, grouped in zip(numbers, drawn, strict=True)]
        charts.begin(day, weekend=is_weekend(day))
        stands.append(charts.watch(beside(*evidence))[:, :, STATUS] >= STANDS)
        charts.close()
    since = np.concatenate(stands, axis=1)[:, 24 * first_day :]
    alerts = [len(alerts_of(np.flatnonzero(of_signal[:-24]), 1)) for of_signal in since]
    assert np.mean(alerts) <= 1.25
    assert not since[:, -1].any(), "it is over within a day"


def test_what_is_over_ends_on_the_same_day_where_days_differ() -> None:
    became = measured(Setting("day levels", "0.5 sd", events=500, lasts=3.0), SIGNALS, 1)
    assert np.quantile(became.hours, 0.9) <= 2


@pytest.mark.parametrize("begins", [4.375, 9.375])
@pytest.mark.parametrize("levels", ["iid", "day levels"])
def test_alarms_of_young_signals_do_not_stand_for_days_after_the_end(levels: str, begins: float) -> None:
    became = measured(Setting(levels, "1 sd", begins=begins, lasts=3.0), SIGNALS, 1)
    assert len(became.alerts) >= SIGNALS - 4
    assert np.quantile(became.hours, 0.9) <= 24


def test_quiet_windows_end_an_alert_after_a_quarter_of_an_hour() -> None:
    alarmed = np.array([3, 4, 5, 8, 12, 13])
    assert alerts_of(alarmed, gap=0.25) == [(3, 5), (8, 8), (12, 13)]
    assert alerts_of(alarmed, gap=3) == [(3, 8), (12, 13)]
    assert alerts_of(alarmed[:0], gap=1) == []
