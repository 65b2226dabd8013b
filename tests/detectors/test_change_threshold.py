"""The threshold starts at a bound that always holds, and moves to where false alarms come at the stated rate."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from detectors.change.legend import BY_DAY
from detectors.change.model import ModelCharts, Settings
from detectors.change.threshold import FEWEST, HIGHEST, LOWEST, bound, threshold
from tests.detectors.change_streams import (
    EVENTS,
    NUMBER,
    SHARE,
    Number,
    autoregressive,
    beside,
    charts_of,
    evidence_of,
    follow,
    is_weekend,
)

Floats = npt.NDArray[np.float64]

RATE, WINDOWS = 1 / 300, 24


def highest_of_days(seed: int, signals: int = 10, days: int = 60, *, slope: float = 1.0, offset: float = 0.0) -> Floats:
    """The largest scores of days, whose tail is exponential."""
    return np.asarray(offset + slope * np.random.default_rng(seed).exponential(size=(signals, days)))


def plainly(highest: Floats, carry: float) -> float:
    """The threshold, the slow obvious way."""
    theory = math.log(WINDOWS / RATE)
    largest: list[float] = []
    for day in highest.T:
        largest += sorted(score for score in day if not math.isnan(score))[-3:]
    largest.sort(reverse=True)
    count = int((~np.isnan(highest)).sum())
    tail, drift = min(60, count // 5, len(largest) - 1), min(max(6, count // 200), math.ceil(count / 100), 30)
    if count < 100 or tail <= drift:
        return theory
    ordinary = largest[tail]
    beyond = [score for score in largest[:tail] if score > ordinary]
    uncensored = len(beyond) - drift
    if uncensored < 3:
        return theory
    slope = sum(min(score, largest[drift]) - ordinary for score in beyond) / uncensored
    shown = ordinary + (0.8 * slope + 0.2) * math.log(tail / count / RATE)
    independent = uncensored * (1 - carry) / (1 + carry)
    return min(max((10 * theory + independent * shown) / (10 + independent), theory - 5), theory + 4)


def test_the_bound_is_ville_s_over_the_windows_of_a_day() -> None:
    assert bound(RATE, WINDOWS) == math.log(24 * 300)
    assert bound(RATE, 1) == math.log(300)


@pytest.mark.parametrize("seed", range(12))
def test_it_equals_the_slow_obvious_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    signals, days = int(rng.integers(1, 80)), int(rng.integers(1, 60))
    highest = highest_of_days(seed, signals, days, slope=rng.uniform(0.1, 3), offset=rng.normal())
    # Scores of signals that cannot move are all alike; others have no score on every day.
    highest[rng.random(highest.shape) < 0.3] = -0.5
    highest[rng.random(highest.shape) < 0.1] = np.nan
    for carry in (0.0, rng.uniform(0, 1), 1.0):
        assert threshold(highest, RATE, WINDOWS, carry) == pytest.approx(plainly(highest, carry), abs=1e-9)


def test_few_days_and_signals_that_cannot_move_leave_the_bound() -> None:
    assert threshold(np.empty((3, 0)), RATE, WINDOWS) == bound(RATE, WINDOWS)
    assert threshold(np.full((3, 60), np.nan), RATE, WINDOWS) == bound(RATE, WINDOWS)
    assert threshold(highest_of_days(1, 1, FEWEST - 1), RATE, WINDOWS) == bound(RATE, WINDOWS)
    assert threshold(highest_of_days(1, FEWEST, 1), RATE, WINDOWS) == bound(RATE, WINDOWS)
    assert threshold(np.zeros((10, 60)), RATE, WINDOWS) == bound(RATE, WINDOWS)


@pytest.mark.parametrize("offset", [-2.0, 0.0, 1.5])
@pytest.mark.parametrize("signals", [10, 60, 200])
def test_where_tails_have_the_slope_of_the_bound_alarms_come_at_the_stated_rate(signals: int, offset: float) -> None:
    thresholds = [threshold(highest_of_days(s, signals, offset=offset), RATE, WINDOWS) for s in range(40)]
    realised = np.mean(np.exp(-(np.array(thresholds) - offset)))
    # The bound keeps a seventh of its say however much was seen: where it is far above, alarms are rarer.
    assert RATE / 4 < realised < 1.5 * RATE


@pytest.mark.parametrize("slope", [0.3, 0.6])
def test_where_tails_are_shorter_alarms_are_rarer(slope: float) -> None:
    thresholds = [threshold(highest_of_days(s, slope=slope), RATE, WINDOWS) for s in range(40)]
    assert np.mean(np.exp(-np.array(thresholds) / slope)) < RATE


def test_of_many_signals_with_long_tails_alarms_come_at_the_stated_rate() -> None:
    """Scores of a model of 200 signals, of which one day in twenty has three times the slope of the others."""
    rate, alarms = RATE / 20, []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        slopes = np.where(rng.random((200, 160)) < 0.05, 1.5, 0.5)
        scores = slopes * rng.exponential(size=slopes.shape)
        alarms.append((scores[:, 60:] > threshold(scores[:, :60], rate, WINDOWS)).sum())
    assert sum(alarms) < 1.2 * 20 * 200 * 100 * rate


@pytest.mark.parametrize(("signals", "largest"), [(10, 6), (50, 15), (100, 30), (200, 30)])
def test_true_drift_on_the_days_that_were_the_largest_does_not_move_it(signals: int, largest: int) -> None:
    highest = highest_of_days(2, signals)
    drifted = highest.copy()
    drifted[highest >= np.sort(highest, axis=None)[-largest]] = 1e6
    assert threshold(drifted, RATE, WINDOWS) == threshold(highest, RATE, WINDOWS)


@pytest.mark.parametrize(("signals", "incidents"), [(50, 7), (50, 12), (200, 12), (200, 20)])
def test_incidents_of_one_signal_after_another_move_it_little(signals: int, incidents: int) -> None:
    moved = []
    for seed in range(20):
        rng, highest = np.random.default_rng(seed), highest_of_days(seed, signals, slope=0.5)
        drifted = highest.copy()
        drifted[rng.integers(0, signals, incidents), rng.choice(60, incidents, replace=False)] = 1e6
        moved.append(threshold(drifted, RATE, WINDOWS) - threshold(highest, RATE, WINDOWS))
    assert max(moved) < 1.5


@pytest.mark.parametrize(("signals", "most"), [(10, 1.5), (50, 0.9), (200, 0.3)])
def test_however_large_drift_of_every_signal_on_two_days_of_sixty_moves_it_little(signals: int, most: float) -> None:
    moved = []
    for seed in range(20):
        highest = highest_of_days(seed, signals)
        drifted = highest.copy()
        drifted[:, [20, 41]] = 1e6
        moved.append(threshold(drifted, RATE, WINDOWS) - threshold(highest, RATE, WINDOWS))
    assert 0 < np.mean(moved) < most


def test_it_stays_near_its_bound_whatever_was_seen() -> None:
    theory = bound(RATE, WINDOWS)
    assert threshold(highest_of_days(3, slope=50), RATE, WINDOWS) == theory + HIGHEST
    assert threshold(highest_of_days(3, slope=0.01, offset=-300), RATE, WINDOWS) == theory + LOWEST


@pytest.mark.parametrize(("wandering", "draws"), [(0, False), (1, False), (30, True)])
def test_where_most_signals_wander_from_day_to_day_the_scores_of_few_weeks_lower_it_less(
    wandering: int, draws: bool
) -> None:
    """One that wanders far says nothing of the others."""
    rng, signals = np.random.default_rng(4), 30
    ways = [(0.95, 1.0 if wandering == 1 else 0.25)] * wandering + [(0.0, 0.0)] * (signals - wandering)
    numbers = [(Number(rng), autoregressive(rng, 31, *way)) for way in ways]
    charts = charts_of(*[NUMBER] * signals, windows_per_day=1, signals_in_all=signals, false_alarms=RATE * signals)
    follow(charts, range(30), lambda day: beside(*(number.day([levels[day]]) for number, levels in numbers)))
    charts.begin(30, weekend=is_weekend(30))
    by_scores_alone = threshold(charts.state.highest[:, BY_DAY], RATE, 1)
    assert by_scores_alone < bound(RATE, 1)
    drawn = (charts.thresholds[BY_DAY] - by_scores_alone) / (bound(RATE, 1) - by_scores_alone)
    assert (drawn > 0.3) if draws else (drawn < 0.1)


SIGNALS, DAYS_WATCHED = 12, 60


def thresholds_of_shares(
    outages: dict[int, list[int]], days: int = DAYS_WATCHED, *, grows_from: int = DAYS_WATCHED
) -> Floats:
    """The thresholds of a model of shares after some days.

    ``outages`` are the days with one by signal; from day ``grows_from`` on all shares are larger by a sixth.
    """
    charts = ModelCharts(Settings(false_alarms=1 / 30, signals=SIGNALS, windows_per_day=24))
    charts.add([SHARE] * SIGNALS, day=0)
    rng = np.random.default_rng(7)
    for day in range(days):
        charts.begin(day, weekend=is_weekend(day))
        share = 0.1 if day < grows_from else 0.1 * 7 / 6
        counts = rng.binomial(EVENTS, share, (SIGNALS, 24)).astype(np.float64)
        for signal, days_out in outages.items():
            if day in days_out:
                counts[signal, 10:12] = EVENTS
        charts.watch(evidence_of(counts, EVENTS, series=SIGNALS))
        charts.close()
    charts.begin(days, weekend=is_weekend(days))
    return charts.thresholds.copy()


@pytest.mark.parametrize(
    "outages",
    [
        {0: list(range(6, DAYS_WATCHED, 2))},
        {0: list(range(10, DAYS_WATCHED, 7))},
        {signal: [40] for signal in range(SIGNALS)},
        {signal: [8 + 7 * signal] for signal in range(7)},
        {signal: [8 + 4 * signal] for signal in range(SIGNALS)},
        {signal: [8 + 2 * signal, 32 + 2 * signal] for signal in range(SIGNALS)},
    ],
    ids=[
        "of one signal every second day",
        "of one signal each week",
        "of every signal at once",
        "of seven signals, one after another",
        "of twelve signals, one after another",
        "of twelve signals, twice each",
    ],
)
def test_outages_leave_the_thresholds_of_a_model_where_they_are(outages: dict[int, list[int]]) -> None:
    np.testing.assert_allclose(thresholds_of_shares(outages), thresholds_of_shares({}), atol=1.0)


@pytest.mark.parametrize("days_later", [1, 4, 7])
def test_a_shift_of_all_signals_raises_no_threshold_in_its_first_week(days_later: int) -> None:
    after = 40 + days_later
    np.testing.assert_array_equal(thresholds_of_shares({}, after, grows_from=40), thresholds_of_shares({}, after))


def test_thresholds_see_what_is_older_than_a_week() -> None:
    assert (thresholds_of_shares({}, 48, grows_from=40) != thresholds_of_shares({}, 48)).any()
