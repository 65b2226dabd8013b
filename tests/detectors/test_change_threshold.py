"""The threshold starts at a bound that always holds, and moves to where false alarms come at the stated rate."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from detectors.change.threshold import FEWEST, HIGHEST, LOWEST, bound, threshold

Floats = npt.NDArray[np.float64]

RATE, WINDOWS = 1 / 300, 24


def highest_of_days(seed: int, days: int = 600, *, slope: float = 1.0, offset: float = 0.0) -> Floats:
    """The largest scores of days, whose tail is exponential."""
    return np.asarray(offset + slope * np.random.default_rng(seed).exponential(size=days))


def plainly(highest: list[float]) -> float:
    """The threshold, the slow obvious way."""
    theory = math.log(WINDOWS / RATE)
    days = sorted(highest)
    ordinary, largest = days[int(0.8 * len(days))], days[min(len(days) - 1, int(0.99 * len(days)))]
    beyond = [day for day in days if day > ordinary]
    count = sum(day < largest for day in beyond)
    if len(days) < 100 or count < 3:
        return theory
    slope = sum(min(day, largest) - ordinary for day in beyond) / count
    shown = ordinary + (0.6 * slope + 0.4) * math.log(0.2 / RATE)
    return min(max((20 * theory + count * shown) / (20 + count), theory - 5), theory + 4)


def test_the_bound_is_ville_s_over_the_windows_of_a_day() -> None:
    assert bound(RATE, WINDOWS) == math.log(24 * 300)
    assert bound(RATE, 1) == math.log(300)


@pytest.mark.parametrize("seed", range(8))
def test_it_equals_the_slow_obvious_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    highest = highest_of_days(seed, int(rng.integers(20, 800)), slope=rng.uniform(0.1, 3), offset=rng.normal())
    # Scores of signals that cannot move are all alike.
    highest[rng.random(len(highest)) < 0.3] = -0.5
    assert threshold(highest, RATE, WINDOWS) == pytest.approx(plainly(highest.tolist()), abs=1e-9)


def test_few_days_and_signals_that_cannot_move_leave_the_bound() -> None:
    assert threshold([], RATE, WINDOWS) == bound(RATE, WINDOWS)
    assert threshold(highest_of_days(1, FEWEST - 1), RATE, WINDOWS) == bound(RATE, WINDOWS)
    assert threshold(np.zeros(1000), RATE, WINDOWS) == bound(RATE, WINDOWS)


@pytest.mark.parametrize("offset", [-2.0, 0.0, 1.5])
def test_where_tails_have_the_slope_of_the_bound_alarms_come_at_the_stated_rate(offset: float) -> None:
    thresholds = np.array([threshold(highest_of_days(s, 3600, offset=offset), RATE, WINDOWS) for s in range(40)])
    realised = np.mean(np.exp(-(thresholds - offset)))
    assert RATE / 2 < realised < 1.5 * RATE


@pytest.mark.parametrize("slope", [0.3, 0.6])
def test_where_tails_are_shorter_alarms_are_rarer(slope: float) -> None:
    thresholds = [threshold(highest_of_days(s, 3600, slope=slope), RATE, WINDOWS) for s in range(40)]
    assert np.mean(np.exp(-np.array(thresholds) / slope)) < RATE


def test_true_drift_on_one_day_of_a_hundred_does_not_move_it() -> None:
    highest = np.sort(highest_of_days(2, 2000))
    drifted = highest.copy()
    drifted[-19:] = 1e6
    assert threshold(drifted, RATE, WINDOWS) == threshold(highest, RATE, WINDOWS)


def test_it_stays_near_its_bound_whatever_was_seen() -> None:
    theory = bound(RATE, WINDOWS)
    assert threshold(highest_of_days(3, slope=50), RATE, WINDOWS) == theory + HIGHEST
    assert threshold(highest_of_days(3, slope=0.01, offset=-300), RATE, WINDOWS) == theory + LOWEST
