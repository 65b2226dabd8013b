"""Skews: days of a signal beside its reference, judged by what all signals of its family show."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.change.day_variance import (
    CARRIES,
    LEARNED,
    LIKELIHOODS,
    NEWS,
    POOL,
    PRIOR_DAYS,
    SQUARES,
    learn_days,
    pool_days,
)
from detectors.change.legend import DAY_SQUARES, DAYS, FAMILIES, LOCATION, ROW, SCORE, SPREAD
from detectors.change.skew import CURRENT, EVIDENCE, LONGEST, SKEWED, Skews
from detectors.change.skew import ROW as SKEW_ROW
from detectors.change.state import State
from tests.detectors.change_streams import NUMBER, Number, charts_of, cut, is_weekend

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SIGNALS = 10
A_DAY = 0.2 / 30
"""False alarms of skew that a model with one in 30 days accepts a day."""

WEEKENDS = np.array([day % 7 >= 5 for day in range(DAYS)], dtype=np.int64)


def judged(levels: Floats, reference_variance: float = 1 / 5000) -> Floats:
    """What each day says of signals whose data set has 0, float64[D, S, VERDICT]; ``levels`` float64[S, D]."""
    signals, days = levels.shape
    # Two windows a day: a level may last for a window without lasting for days.
    state = State.fresh([[(SCORE, LOCATION)]] * signals, 0, 2, 5)
    skews = Skews(A_DAY, signals)
    for _ in range(signals):
        skews.add(np.array([[0.0, reference_variance]]))
    verdicts = []
    for day in range(days):
        state.hours_known[:, day % DAYS] = levels[:, day, None]
        verdicts.append(skews.judge(state, day, WEEKENDS))
    return np.array(verdicts)


def share_skewed(of_models: list[Floats]) -> float:
    """The share of signals that are called skewed at least once."""
    return float(np.mean([(verdicts[:, :, SKEWED] == 1).any(axis=0) for verdicts in of_models]))


def day_levels(seed: int, signals: int, days: int, shift: float = 0.0) -> Floats:
    return np.random.default_rng(seed).normal(shift, 0.25, (signals, days))


@pytest.mark.parametrize(("shift", "days"), [(1.0, 4), (0.5, 10)])
def test_a_signal_whose_days_vary_is_found_sooner_beside_others_that_vary_as_much(shift: float, days: int) -> None:
    alone = [judged(day_levels(seed, 1, days, shift)) for seed in range(60)]
    beside = []
    for seed in range(60):
        levels = day_levels(seed, SIGNALS, days)
        levels[: SIGNALS // 2] += shift
        beside.append(judged(levels)[:, : SIGNALS // 2])
    assert share_skewed(beside) >= 0.9
    assert share_skewed(alone) < share_skewed(beside)


def test_signals_that_only_vary_from_day_to_day_are_not_skewed() -> None:
    assert share_skewed([judged(day_levels(seed, SIGNALS, 60)) for seed in range(10)]) <= 0.01


def autoregressive(rng: np.random.Generator, days: int, carry: float, sd: float) -> Floats:
    """Levels of days that follow one another, float64[SIGNALS, days]."""
    levels = np.empty((SIGNALS, days))
    levels[:, 0] = rng.normal(0, sd, SIGNALS)
    for day in range(1, days):
        levels[:, day] = carry * levels[:, day - 1] + rng.normal(0, sd * math.sqrt(1 - carry * carry), SIGNALS)
    return levels


def test_a_level_that_was_accepted_is_as_sure_as_its_days_and_no_data_set() -> None:
    """A shift of a tenth more than what matters, a month after it: against a data set of such days it may be chance."""
    levels = np.random.default_rng(6).normal(0, 0.25, (SIGNALS, 40))
    state, weekday = State.fresh([[(SCORE, LOCATION)]] * SIGNALS, 0, 2, 5), np.zeros(DAYS, dtype=np.int64)
    of_data_set, accepted = Skews(A_DAY, SIGNALS), Skews(A_DAY, SIGNALS)
    for skews in (of_data_set, accepted):
        for _ in range(SIGNALS):
            skews.add(np.array([[0.0, 1 / 5000]]))
    for s in range(SIGNALS):
        accepted.refer(s, slice(s, s + 1), np.array([[0.0, 1 / 5000]]), 0)
    restored = Skews(A_DAY, SIGNALS)
    restored.restore({name: value for name, value in of_data_set.snapshot().items() if name != "of_data_set"})
    for day in range(40):
        state.hours_known[:, day % DAYS] = 0.3 + levels[:, day, None]
        evidence, of_accepted = (skews.judge(state, day, weekday)[:, EVIDENCE] for skews in (of_data_set, accepted))
        # Checkpoints from before this was told apart go on as of a data set.
        np.testing.assert_array_equal(restored.judge(state, day, weekday)[:, EVIDENCE], evidence)
    assert (of_accepted > evidence).all()


DAYS_SEEN = 120
ACCEPTED = A_DAY * DAYS_SEEN / SIGNALS
"""The share of signals that may be called skewed in so many days."""


@pytest.mark.parametrize(("carry", "sd"), [(0.0, 0.25), (0.0, 0.5), (0.6, 0.4)])
def test_days_that_go_on_as_those_of_the_data_set_did_are_not_skewed(carry: float, sd: float) -> None:
    """A data set of four weeks of levels has a mean that is as far from theirs as those of other weeks are."""
    models = []
    for seed in range(30):
        levels = autoregressive(np.random.default_rng(seed), 28 + DAYS_SEEN, carry, sd)
        models.append(judged(levels[:, 28:] - levels[:, :28].mean(axis=1, keepdims=True)))
    assert share_skewed(models) <= ACCEPTED


def judged_spreads(levels: Floats, within: float = 1.0) -> Floats:
    """What days say of signals, float64[D, S, VERDICT]; the data set has 28 days, ``levels`` float64[S, 28 + D]."""
    signals, values = len(levels), 1000
    of_data_set, days = levels[:, :28], levels[:, 28:] - levels[:, :28].mean(axis=1, keepdims=True)
    state, skews = State.fresh([[(SCORE, LOCATION), (SCORE, SPREAD)]] * signals, 0, 1, 5), Skews(A_DAY, signals)
    for spread in 0.5 * np.log(1 + of_data_set.var(axis=1)):
        skews.add(np.array([[0.0, 1 / 5000], [spread, 1 / 10_000]]))
    verdicts = []
    for day, of_day in enumerate(days.T):
        known = state.hours_known[:, day % DAYS].reshape(signals, 2)
        known[:] = np.stack((of_day, np.full(signals, math.log(within))), axis=1)
        squares = (values - 1) * within**2 + values * of_day**2
        totals = np.stack((values * of_day, squares), axis=1).ravel()
        state.hours_known[:, day % DAYS, 0] = known.ravel()
        state.totals[:, day % DAYS] = np.stack((totals, np.full(2 * signals, values)), axis=1)
        verdicts.append(skews.judge(state, day, WEEKENDS))
    return np.array(verdicts)


@pytest.mark.parametrize(("carry", "sd"), [(0.0, 0.5), (0.0, 1.0), (0.9, 1.0)])
def test_levels_of_days_vary_the_spread_of_a_week_and_are_no_skew(carry: float, sd: float) -> None:
    called = []
    for seed in range(20):
        verdicts = judged_spreads(autoregressive(np.random.default_rng(seed), 28 + DAYS_SEEN, carry, sd))
        called.append(((verdicts[:, :, SKEWED] == 1) & (verdicts[:, :, SKEW_ROW] % 2 == 1)).any(axis=0))
    assert np.mean(called) <= ACCEPTED / 2


@pytest.mark.parametrize("within", [0.5, 0.7, 1.4, 2.0])
def test_a_spread_that_is_another_one_is_found_among_levels_of_days(within: float) -> None:
    models = [judged_spreads(day_levels(seed, SIGNALS, 28 + 14), within) for seed in range(10)]
    assert share_skewed(models) == 1.0


def test_a_signal_that_varies_more_than_all_others_is_not_skewed() -> None:
    models = []
    for seed in range(60):
        levels = 0.2 * day_levels(seed, SIGNALS, 28)
        levels[0] *= 4
        models.append(judged(levels)[:, :1])
    assert share_skewed(models) <= 0.05


def test_a_strong_week_is_no_skew_before_its_weekend_has_come() -> None:
    """The reference has weekends, which are 0.8 higher; the first days have none."""
    rng = np.random.default_rng(0)
    levels = rng.normal(0, 0.01, (SIGNALS, 21)) + 0.8 * (WEEKENDS[:21] - 2 / 7)
    assert share_skewed([judged(levels)]) == 0.0


def test_each_of_the_first_days_counts_as_its_kind_does_in_a_week() -> None:
    levels = np.tile(np.where(WEEKENDS[:9] == 1, 2.0, 1.0), (2, 1)) + np.random.default_rng(1).normal(0, 0.01, (2, 9))
    current = judged(levels)[:, 0, CURRENT]
    np.testing.assert_allclose(current[[3, 5, 6, 8]], [1.0, 9 / 7, 9 / 7, 9 / 7], atol=0.02)


def test_a_skew_about_as_large_as_what_matters_is_said_once_and_is_over_when_it_has_gone() -> None:
    about = 0.1 + 0.02 * np.sin(2 * np.pi * np.arange(100) / 20)
    levels = np.concatenate((about, np.zeros(40)))[None] + np.random.default_rng(3).normal(0, 0.01, (1, 140))
    skewed = judged(levels)[:, 0, SKEWED]
    assert np.flatnonzero(np.diff(skewed) > 0).size == 1
    assert skewed[100] == 1
    assert skewed[-1] == 0


# -- hours that differ -------------------------------------------------------------------------------------------------

SEASON = 1.2 * np.sin(2 * np.pi * np.arange(24) / 24)
BUSY = 500 * np.exp(np.sin(2 * np.pi * np.arange(24) / 24))
WITHIN = math.sqrt(1 - SEASON.var())
"""The standard deviation of an hour's values, where all values of a day have one of 1."""


def judged_hours(events: Floats | float, spread: float, location: float, of_all: float) -> Floats:
    """What days of a season say beside a reference with a location and a spread, float64[D, VERDICT]."""
    charts, number = charts_of(NUMBER), Number(np.random.default_rng(4), events, spread=spread)
    skews = Skews(A_DAY, 1)
    skews.add(np.array([[location, 1 / 5000], [math.log(of_all), 1 / 5000], [np.nan, np.nan]]))
    verdicts = []
    for day in range(28):
        charts.begin(day, weekend=is_weekend(day))
        charts.watch(number.day(SEASON))
        charts.close()
        verdicts.append(skews.judge(charts.state, day, charts.weekend)[0])
    return np.array(verdicts)


def test_a_season_is_part_of_the_spread_that_a_reference_has() -> None:
    assert judged_hours(500, WITHIN, 0.0, 1.0)[:, SKEWED].sum() == 0
    wider = judged_hours(500, 2 * WITHIN, 0.0, 1.0)
    assert wider[7, SKEWED] == 1
    assert wider[7, SKEW_ROW] == 1
    assert wider[-1, CURRENT] == pytest.approx(0.5 * math.log(4 * WITHIN**2 + SEASON.var()), abs=0.03)


def of_five_minutes(spread: float) -> Floats:
    """What days say whose levels differ by 0.6 from one window of five minutes to the next, float64[D, VERDICT]."""
    rng = np.random.default_rng(6)
    charts, number = charts_of(NUMBER, windows_per_day=288), Number(rng, spread=spread)
    skews = Skews(A_DAY, 1)
    skews.add(np.array([[0.0, 1 / 5000], [0.0, 1 / 5000], [np.nan, np.nan]]))
    verdicts = []
    for day in range(10):
        charts.begin(day, weekend=is_weekend(day))
        evidence = number.day(0.6 * rng.normal(size=288))
        # What is watched in two parts adds up to one day, across a checkpoint too.
        charts.watch(cut(evidence, 0, 100))
        charts.restore(charts.snapshot())
        charts.watch(cut(evidence, 100, 288))
        charts.close()
        verdicts.append(skews.judge(charts.state, day, charts.weekend)[0])
    return np.array(verdicts)


def test_levels_of_windows_within_an_hour_are_part_of_the_spread_that_a_reference_has() -> None:
    assert of_five_minutes(0.8)[:, SKEWED].sum() == 0
    narrower = of_five_minutes(0.5)
    assert (narrower[7, SKEWED], narrower[7, SKEW_ROW]) == (1, 1)
    assert narrower[-1, CURRENT] == pytest.approx(0.5 * math.log(0.5**2 + 0.6**2), abs=0.03)


def test_a_day_goes_on_from_a_checkpoint_that_did_not_add_up_its_windows() -> None:
    """Of windows of an hour the sums of hours say all that there is."""
    levels = []
    for is_former in (False, True):
        charts, number = charts_of(NUMBER), Number(np.random.default_rng(4), spread=WITHIN)
        charts.begin(0, weekend=False)
        evidence = number.day(SEASON)
        charts.watch(cut(evidence, 0, 9))
        snapshot = charts.snapshot()
        if is_former:
            snapshot["day_sums"] = snapshot["day_sums"][:, :DAY_SQUARES]
        charts.restore(snapshot)
        charts.watch(cut(evidence, 9, 24))
        charts.close()
        levels.append(charts.state.totals[1, 0])
    np.testing.assert_allclose(levels[0], levels[1], rtol=1e-6)


def test_an_hour_counts_for_as_many_events_as_it_has() -> None:
    mean = float(np.average(SEASON, weights=BUSY))
    of_all = math.sqrt(WITHIN**2 + float(np.average((SEASON - mean) ** 2, weights=BUSY)))
    assert judged_hours(BUSY, WITHIN, mean, of_all)[:, SKEWED].sum() == 0
    by_hours = judged_hours(BUSY, WITHIN, 0.0, of_all)
    assert by_hours[7, SKEWED] == 1
    assert by_hours[7, SKEW_ROW] == 0
    assert by_hours[-1, CURRENT] == pytest.approx(mean, abs=0.02)


@given(
    seed=st.integers(0, 1000),
    offset=st.floats(-3, 3),
    permuted=st.permutations(range(4)),
    days=st.integers(3, 30),
)
@settings(max_examples=30, deadline=None)
def test_neither_the_order_of_signals_nor_their_sign_makes_a_difference(
    seed: int, offset: float, permuted: list[int], days: int
) -> None:
    levels = day_levels(seed, 4, days, offset)
    evidence = judged(levels)[:, :, EVIDENCE]
    np.testing.assert_allclose(judged(levels[permuted])[:, :, EVIDENCE], evidence[:, permuted], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(judged(-levels)[:, :, EVIDENCE], evidence, rtol=1e-7, atol=1e-9)


# -- what days teach ---------------------------------------------------------------------------------------------------


def learned_from(means: Floats, kinds: Integers | None = None) -> tuple[Floats, Floats]:
    """What days of signals of one family teach, and what the family has in common."""
    filled = np.full((len(means), LONGEST), np.nan)
    filled[:, LONGEST - means.shape[1] :] = means
    weekend = np.zeros(LONGEST, dtype=np.int64)
    if kinds is not None:
        weekend[LONGEST - len(kinds) :] = kinds
    learned, pools = np.zeros((len(means), LEARNED)), np.zeros((FAMILIES, POOL))
    learn_days(filled, weekend, learned)
    rows = np.zeros((len(means), ROW))
    pool_days(filled, weekend, rows, learned, pools)
    return learned, pools[0]


def plain_fit(days: Floats, kinds: Integers, carry: float, by_kind: bool) -> tuple[float, float]:
    """The squares about means by generalised least squares, and minus half the log determinants, by matrices."""
    at = np.flatnonzero(~np.isnan(days))
    y = days[at]
    cov = np.eye(len(at)) if carry == 0 else carry ** np.abs(at[:, None] - at[None, :])
    design = np.column_stack([np.ones(len(at)), kinds[at]])[:, : 1 + by_kind]
    inverse = np.linalg.inv(cov)
    normal = design.T @ inverse @ design
    rest = y - design @ np.linalg.solve(normal, design.T @ inverse @ y)
    return rest @ inverse @ rest, -0.5 * (np.linalg.slogdet(cov)[1] + np.linalg.slogdet(normal)[1])


@given(seed=st.integers(0, 10_000), count=st.integers(3, 28), missing=st.floats(0, 0.4))
@settings(max_examples=50, deadline=None)
def test_squares_and_likelihoods_are_those_of_generalised_least_squares(seed: int, count: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    days = rng.normal(size=count)
    days[1:][rng.random(count - 1) < missing] = np.nan
    kinds: Integers = (np.arange(count) % 7 >= 5).astype(np.int64)
    of_kind = np.bincount(kinds[~np.isnan(days)], minlength=2)
    learned, _ = learned_from(days[None], kinds)
    for c, carry in enumerate(CARRIES):
        squares, likelihood = plain_fit(days, kinds, carry, by_kind=bool((of_kind >= 2).all()))
        np.testing.assert_allclose(learned[0, SQUARES + c], squares, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(learned[0, LIKELIHOODS + c], likelihood, rtol=1e-6, atol=1e-9)


def test_signals_that_move_together_count_as_one() -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(size=14)
    apart, together = rng.normal(size=(SIGNALS, 14)), shared + 0.01 * rng.normal(size=(SIGNALS, 14))
    assert learned_from(apart)[1][NEWS] > 0.7
    assert learned_from(together)[1][NEWS] == pytest.approx(1 / SIGNALS, abs=0.01)


def test_a_family_of_signals_alike_is_worth_more_days_than_one_of_signals_that_differ() -> None:
    rng = np.random.default_rng(3)
    alike = rng.normal(size=(20, 14))
    assert learned_from(alike)[1][PRIOR_DAYS] > learned_from(alike * np.geomspace(0.05, 5, 20)[:, None])[1][PRIOR_DAYS]
