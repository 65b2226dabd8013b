"""Levels that last for days: judged by days, looked at while a day lasts, and never taken for changes within it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from detectors.change.legend import (
    BY_DAY,
    BY_WINDOW,
    CARRY,
    EXCEEDS,
    LEADING_ROW,
    LOCATION,
    SCALE,
    SCORE,
    STATUS,
)
from detectors.change.model import BY_WINDOWS_SHARE, Evidence, ModelCharts
from detectors.change.threshold import bound
from tests.detectors.change_streams import charts_of, cut, evidence_of, follow, is_weekend

Floats = npt.NDArray[np.float64]

ROW = ((SCORE, LOCATION),)
EVENTS, SIGNALS, DAY = 500.0, 10, 40
FALSE_ALARMS = 1 / 7


def drawn(rng: np.random.Generator, levels: Floats) -> Evidence:
    """A day of locations around levels, float64[S]."""
    noise = rng.normal(size=(len(levels), 24)) / np.sqrt(EVENTS)
    return evidence_of(levels[:, None] + noise, EVENTS, series=len(levels))


def charts_after(rng: np.random.Generator, spreads: Floats, *, days: int = DAY) -> ModelCharts:
    """Charts of signals with a level for each day, with these standard deviations."""
    charts = charts_of(*[ROW] * len(spreads), signals_in_all=len(spreads))
    follow(charts, range(days), lambda day: drawn(rng, spreads * rng.normal(size=len(spreads))))
    return charts


@pytest.mark.parametrize("spread", [0.01, 0.02, 0.03])
def test_levels_too_small_for_a_window_to_show_raise_no_alarm_within_their_day(spread: float) -> None:
    alarms = 0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        charts = charts_of(*[ROW] * SIGNALS, false_alarms=FALSE_ALARMS)
        course = follow(charts, range(DAY), lambda day, rng=rng: drawn(rng, spread * rng.normal(size=SIGNALS)))  # type: ignore[misc]
        alarms += sum(len(course.alarms(series)) for series in range(SIGNALS))
    assert alarms <= FALSE_ALARMS * DAY * 3


def test_such_a_level_is_followed_within_its_day_and_independent_windows_are_not() -> None:
    rng = np.random.default_rng(1)
    charts = charts_after(rng, np.repeat([0.025, 0.0], SIGNALS // 2))
    charts.begin(DAY, weekend=is_weekend(DAY))
    carry = charts.state.filters[:, BY_WINDOW, CARRY]
    assert (carry[: SIGNALS // 2] == 1.0).mean() > 0.7
    assert (carry[SIGNALS // 2 :] < 0.5).all()


def test_a_level_of_a_day_alarms_before_its_end() -> None:
    rng = np.random.default_rng(2)
    charts = charts_after(rng, np.full(SIGNALS, 0.1))
    charts.begin(DAY, weekend=is_weekend(DAY))
    levels = np.where(np.arange(SIGNALS) == 3, 0.5, 0.0)
    verdicts = charts.watch(drawn(rng, levels))
    # Six of 24 windows are a quarter.
    assert verdicts[3, 5, STATUS] == EXCEEDS
    assert verdicts[3, 5, SCALE] == BY_DAY
    assert verdicts[3, 5, LEADING_ROW] == 3
    assert charts.close()[3, STATUS] != EXCEEDS


def test_a_look_at_a_day_that_does_not_alarm_leaves_no_trace() -> None:
    rng = np.random.default_rng(3)
    charts = charts_after(rng, np.full(SIGNALS, 0.1))
    charts.begin(DAY, weekend=is_weekend(DAY))
    filters, sums = charts.state.filters[:, BY_DAY].copy(), charts.state.charts[:, BY_DAY].copy()
    verdicts = charts.watch(drawn(rng, np.zeros(SIGNALS)))
    assert (verdicts[:, :, STATUS] != EXCEEDS).all()
    np.testing.assert_array_equal(charts.state.filters[:, BY_DAY], filters)
    np.testing.assert_array_equal(charts.state.charts[:, BY_DAY], sums)


@pytest.mark.parametrize("pieces", [1, 5, 24])
def test_a_day_in_pieces_says_the_same(pieces: int) -> None:
    rng = np.random.default_rng(4)
    charts = charts_after(rng, np.full(SIGNALS, 0.1))
    evidence = drawn(rng, np.linspace(-1, 1, SIGNALS))
    copy = charts_of(*[ROW] * SIGNALS)
    copy.restore(charts.snapshot())
    for either in (charts, copy):
        either.begin(DAY, weekend=is_weekend(DAY))
    ends = np.linspace(0, 24, pieces + 1).astype(int)
    parts = [copy.watch(cut(evidence, start, stop)) for start, stop in pairwise(ends)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), charts.watch(evidence))
    np.testing.assert_array_equal(copy.close(), charts.close())


def test_a_window_that_alarms_does_not_make_its_day_alarm_once_more() -> None:
    rng = np.random.default_rng(5)
    charts = charts_after(rng, np.full(SIGNALS, 0.02))
    charts.begin(DAY, weekend=is_weekend(DAY))
    evidence = drawn(rng, np.zeros(SIGNALS))
    evidence.values[0, 10:] -= 5.0
    verdicts = charts.watch(evidence)
    assert np.flatnonzero(verdicts[0, :, STATUS] == EXCEEDS).tolist() == [10]
    assert charts.close()[0, STATUS] != EXCEEDS


def test_thresholds_of_days_follow_what_was_shown_when_expectations_lag() -> None:
    rng, shown = np.random.default_rng(7), []
    charts = charts_of(*[ROW] * SIGNALS)
    theory = bound((1 - BY_WINDOWS_SHARE) / 30 / SIGNALS, 1)
    for day in range(34):
        charts.begin(day, weekend=is_weekend(day))
        shown.append(float(charts.thresholds[BY_DAY]))
        charts.watch(drawn(rng, 0.1 * rng.normal(size=SIGNALS)))
        charts.close()
    assert shown[:15] == [pytest.approx(theory)] * 15
    assert shown[18] > shown[22] > shown[28]
    assert shown[-1] < theory - 1
