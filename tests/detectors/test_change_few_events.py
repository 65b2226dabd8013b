"""Shares of which hours have an event or two: what is expected of them is what they are, and they do not alarm."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from detectors.change.few_events import few_share_of
from detectors.change.legend import EXCEEDS, IN_HOUR, KIND, RATE, RATES, ROW, STATUS
from detectors.change.model import Evidence, ModelCharts, Settings
from detectors.change.residuals import for_events, to_expectation, to_residual

SIGNALS, DAYS = 24, 60


def learned(share: float, mean: float) -> float:
    """What hours teach whose numbers of events are Poisson, and that have any."""
    numbers = np.arange(1, stats.poisson.isf(1e-13, mean) + 1)
    kept = [
        sum(
            stats.binom.pmf(count, n, share) * to_expectation(RATE, float(count), float(n), 1.0)
            for count in range(int(n) + 1)
        )
        for n in numbers
    ]
    chances = stats.poisson.pmf(numbers, mean)
    return float(chances @ kept / chances.sum())


@pytest.mark.parametrize("mean", [0.1, 0.7, 2.0, 5.0, 9.0])
@pytest.mark.parametrize("share", [0.004, 0.03, 0.1, 0.37, 0.5, 0.8, 0.98])
def test_the_share_is_found_that_a_mean_of_arc_sines_was_learned_of(share: float, mean: float) -> None:
    assert few_share_of(learned(share, mean), mean) == pytest.approx(share, abs=0.003)


@pytest.mark.parametrize("mean", [0.7, 2.0, 9.0, 50.0])
@pytest.mark.parametrize("events", [1, 2, 3, 6, 9])
@pytest.mark.parametrize("share", [0.03, 0.1, 0.37, 0.5, 0.8])
def test_windows_of_few_events_have_no_residual_on_average(share: float, events: int, mean: float) -> None:
    row = np.zeros(ROW)
    row[KIND], row[IN_HOUR] = RATE, 1
    expected = for_events(learned(share, mean), mean, float(events))
    scores = [to_residual(row, float(count), float(events), expected)[0] for count in range(events + 1)]
    average = stats.binom.pmf(np.arange(events + 1), events, share) @ scores * math.sqrt(events)
    assert abs(average) <= 0.02


def steady(share: float) -> Callable[[int], float]:
    return lambda day: share


def worse(day: int) -> float:
    return 0.5 if day >= DAYS - 10 else 0.75


def alarmed(rng: np.random.Generator, mean: float, share: Callable[[int], float]) -> list[list[int]]:
    """Lead signals through days; return the days on which each alarmed."""
    charts = ModelCharts(Settings(false_alarms=SIGNALS / 150, signals=SIGNALS, windows_per_day=24))
    charts.add([[(RATE, RATES)]] * SIGNALS, 0)
    ones, places = np.ones((SIGNALS, 24)), (np.arange(24) + 0.5) / 24
    rates = mean * (1 + 0.5 * np.sin(2 * np.pi * places))
    days: list[list[int]] = [[] for _ in range(SIGNALS)]
    for day in range(DAYS):
        events = rng.poisson(rates, (SIGNALS, 24)).astype(np.float64)
        counted = np.where(events > 0, rng.binomial(events.astype(np.int64), share(day)), np.nan)
        charts.begin(day, weekend=day % 7 >= 5)
        verdicts = charts.watch(Evidence(counted, events, ones, 0 * ones, ones, places))
        by_day = charts.close()
        for s in np.flatnonzero((verdicts[:, :, STATUS] == EXCEEDS).any(axis=1) | (by_day[:, STATUS] == EXCEEDS)):
            days[s].append(day)
    return days


@pytest.mark.parametrize("mean", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("share", [0.1, 0.35, 0.7])
def test_shares_of_few_events_alarm_no_more_often_than_is_accepted(share: float, mean: float) -> None:
    days = alarmed(np.random.default_rng([1, int(100 * share), int(10 * mean)]), mean, steady(share))
    assert sum(map(len, days)) <= SIGNALS * DAYS / 150


def test_recall_of_two_labels_an_hour_that_falls_by_a_third_is_found_within_days() -> None:
    days = alarmed(np.random.default_rng(3), 2.0, worse)
    found = [min(day for day in of_signal if day >= DAYS - 10) for of_signal in days if max(of_signal, default=0) > 49]
    assert len(found) >= 0.9 * SIGNALS
    assert np.median(found) <= DAYS - 10 + 2
