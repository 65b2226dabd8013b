"""What a residual's variance is made of is found from its products, and equals the slow obvious way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from detectors.change.components import FAR_SHARES, FORGET, FREEDOMS, POOL, TAIL_PRIOR, heed_tails
from detectors.change.expectation import UNSEEN, expected_at
from detectors.change.lag import grow, lag_of
from detectors.change.legend import (
    BEYOND,
    BY_DAY,
    BY_WINDOW,
    CALIBRATION,
    CARRY,
    COMMON,
    COUNTS,
    DAY_CHANCE,
    DAY_MEANS,
    DAY_MEANS_SEEN,
    DAY_MEANS_SQUARED,
    DAY_STEP,
    DAYS_SEEN,
    FILTER,
    FREEDOM,
    LEVEL_VARIANCE,
    LOCATION,
    LONG_SERIAL_SUM,
    MOMENTS,
    NOISE,
    RATE,
    RATES,
    SCALES,
    SCORE,
    SERIAL,
    SERIAL_SUM,
    SQUARES,
    SQUARES_SEEN,
    STEP,
    STEPS,
    STEPS_SEEN,
    TAILS_SEEN,
    UNCERTAINTY,
    UNSURE,
)
from detectors.change.margins import left_out_at
from detectors.change.model import Evidence, ModelCharts
from tests.detectors.change_streams import (
    EVENTS,
    NUMBER,
    Number,
    autoregressive,
    beside,
    charts_of,
    evidence_of,
    follow,
    is_weekend,
    times_of,
)
from tests.detectors.plain_charts import normal_score
from tests.detectors.plain_components import (
    LIKE,
    Moments,
    by_days,
    by_windows,
    common_freedom,
    level_shown,
    level_that_shows,
    products_of_day,
    serial,
    share_far_out,
    step_between_days,
    with_lasting_level,
)

Floats = npt.NDArray[np.float64]

SAMPLING = 1 / EVENTS
ROW = ((SCORE, LOCATION),)


def mean_of(columns: list[int], filters: list[Floats]) -> list[float]:
    return [float(x) for x in np.mean(filters, axis=0)[columns]]


def simulated(carry: float, spread: float, noise: float, windows_per_day: int, days: int) -> list[Floats]:
    """The components that are found in eight signals with a level that is AR(1), and white noise."""
    estimates = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        size = days * windows_per_day
        values = autoregressive(rng, size, carry, spread) + np.sqrt(noise**2 + SAMPLING) * rng.normal(size=size)
        charts = charts_of(ROW, windows_per_day=windows_per_day, false_alarms=1e-200)
        by_day = values.reshape(days, 1, windows_per_day)
        follow(charts, range(days), lambda day, by_day=by_day: evidence_of(by_day[day], EVENTS))  # type: ignore[misc]
        estimates.append(charts.state.filters[0, BY_WINDOW].copy())
    return estimates


def test_levels_that_persist_and_noise_are_told_apart() -> None:
    estimates = simulated(carry=0.7, spread=0.25, noise=0.1, windows_per_day=48, days=36)
    carry, levels, noise = mean_of([CARRY, LEVEL_VARIANCE, NOISE], estimates)
    assert carry == pytest.approx(0.7, abs=0.05)
    # Expectations of five weeks take a little of each level along.
    assert levels == pytest.approx(0.25**2, rel=0.15)
    assert noise == pytest.approx(0.1**2, rel=0.35)
    assert mean_of([CALIBRATION], estimates)[0] == pytest.approx(1, abs=0.1)


def test_levels_that_forget_slowly_are_found_by_their_long_lag() -> None:
    estimates = simulated(carry=0.9, spread=0.25, noise=0.0, windows_per_day=288, days=30)
    carry, levels = mean_of([CARRY, LEVEL_VARIANCE], estimates)
    assert carry == pytest.approx(0.9, abs=0.03)
    assert levels == pytest.approx(0.25**2, rel=0.2)


def test_where_nothing_persists_there_is_noise_alone_or_nothing() -> None:
    carry, levels, noise = mean_of([CARRY, LEVEL_VARIANCE, NOISE], simulated(0.0, 0.0, 0.1, 24, 30))
    assert carry < 0.25
    # Levels that are forgotten at once are noise by another name.
    assert levels + noise == pytest.approx(0.1**2, rel=0.2)
    carry, levels, noise = mean_of([CARRY, LEVEL_VARIANCE, NOISE], simulated(0.0, 0.0, 0.0, 24, 30))
    assert carry < 0.25
    assert levels + noise < SAMPLING / 5


def test_levels_of_which_a_day_has_not_even_one_are_judged_by_days() -> None:
    estimates = simulated(carry=0.98, spread=0.25, noise=0.0, windows_per_day=24, days=30)
    assert all(filters[CARRY] == 1.0 for filters in estimates)
    # The variance of a level's step is that of the walk that it looks like within a day.
    assert mean_of([STEP], estimates)[0] == pytest.approx(0.25**2 * (1 - 0.98**2), rel=0.3)


def test_steps_between_days_are_found() -> None:
    estimates = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        charts = charts_of(ROW, false_alarms=1e-200)
        levels = 0.25 * rng.normal(size=40)
        values = levels[:, None, None] + np.sqrt(SAMPLING) * rng.normal(size=(40, 1, 24))
        follow(charts, range(40), lambda day, values=values: evidence_of(values[day], EVENTS))  # type: ignore[misc]
        estimates.append(charts.state.filters[0, BY_WINDOW, DAY_STEP] - charts.state.rows[0, UNCERTAINTY])
    # A day's level is new, and so is what it is compared with: the end of the day before is forgotten.
    assert 0.25**2 < np.mean(estimates) < 2.5 * 0.25**2


def moments_of(charts: ModelCharts, row: int, scale: int) -> Moments:
    kept = charts.state.moments[row, scale]
    return Moments(
        kept[:COUNTS].copy(),
        kept[COUNTS : 2 * COUNTS].copy(),
        (kept[SQUARES], kept[SQUARES_SEEN]),
        (kept[STEPS], kept[STEPS_SEEN]),
        kept[DAYS_SEEN],
        charts.state.sampling[row, scale],
        (kept[BEYOND], kept[BEYOND + 1], kept[BEYOND + 2], kept[TAILS_SEEN]),
        kept[SERIAL_SUM],
        kept[LONG_SERIAL_SUM],
        (kept[DAY_MEANS], kept[DAY_MEANS_SQUARED], kept[DAY_CHANCE], kept[DAY_MEANS_SEEN]),
    )


@pytest.mark.parametrize("age", [4, 9, 14, 15, 20, 21, 28, 34, 35, 42, 60, 120, 199])
def test_days_grow_and_last_as_those_of_the_level_that_shows_as_much(age: int) -> None:
    for shown in np.linspace(0, 1, 41).tolist():
        filters = np.ones((SCALES, FILTER))
        filters[BY_DAY, CARRY] = 0.5
        grow(filters, shown, age)
        growth, longer = level_that_shows(shown, age)
        assert filters[BY_DAY, LEVEL_VARIANCE] == pytest.approx(growth, rel=1e-9)
        assert filters[BY_DAY, CARRY] == pytest.approx(min(0.5 * longer, 0.98), rel=1e-9)
        np.testing.assert_array_equal(
            filters[[BY_DAY, BY_DAY, BY_WINDOW], [NOISE, STEP, DAY_STEP]], filters[BY_DAY, LEVEL_VARIANCE]
        )


@pytest.mark.parametrize("carry", [0.0, 0.6, 0.95, 0.995])
def test_components_equal_the_slow_obvious_way(carry: float) -> None:
    rng = np.random.default_rng(int(carry * 10))
    signals = [Number(rng) for _ in range(3)]
    levels = [autoregressive(rng, 40 * 24, carry, 0.25).reshape(40, 24) for _ in signals]
    charts, compared, most_grown = charts_of(NUMBER, NUMBER, NUMBER, false_alarms=1e-200), 0, 1.0
    for day in range(40):
        known = [[moments_of(charts, row, scale) for row in range(9)] for scale in range(2)]
        charts.begin(day, weekend=is_weekend(day))
        for row in range(9):
            if day < 15 or charts.state.rows[row, UNSURE]:
                continue
            compared += 1
            family = [known[BY_WINDOW][r] for r in range(row % 3, 9, 3)]
            of_windows, window = by_windows(known[BY_WINDOW][row], 24), charts.state.filters[row, BY_WINDOW]
            if row % 3 == 2:
                of_windows = of_windows.with_longer_tails(known[BY_WINDOW][row].sampling)
            else:
                of_windows = of_windows.with_tails_of(known[BY_WINDOW][row], family)
            assert window[SERIAL] == pytest.approx(serial(known[BY_WINDOW][row], family), rel=1e-9, abs=1e-12)
            assert window[COMMON] == pytest.approx(common_freedom(known[BY_WINDOW][row], family), rel=1e-9)
            days = [known[BY_DAY][r] for r in range(row % 3, 9, 3)]
            uncertainty = charts.state.rows[row, UNCERTAINTY]
            of_windows = with_lasting_level(of_windows, known[BY_DAY][row], days, known[BY_WINDOW][row], uncertainty)
            columns = [CARRY, LEVEL_VARIANCE, NOISE, STEP, CALIBRATION, FREEDOM]
            np.testing.assert_allclose(window[columns], list(vars(of_windows).values()), rtol=1e-9, atol=1e-12)
            grown, longer = level_shown(known[BY_DAY][row], days, day)
            most_grown = max(most_grown, grown)
            expected = step_between_days(known[BY_WINDOW][row], family) * grown + uncertainty
            assert window[DAY_STEP] == pytest.approx(expected, rel=1e-9)
            of_days = by_days(known[BY_DAY][row], days)
            if row % 3 == 2:
                of_days = of_days.with_longer_tails(known[BY_DAY][row].sampling)
            of_days.levels, of_days.noise = grown * of_days.levels, grown * of_days.noise
            of_days.step *= grown
            of_days.carry = min(of_days.carry * longer, 0.98)
            # A wrong expectation is so for days: its variance is noise in the first ones.
            of_days.noise += uncertainty * 8 / (8 + known[BY_DAY][row].days)
            whole = charts.state.filters[row, BY_DAY]
            np.testing.assert_allclose(whole[columns], list(vars(of_days).values()), rtol=1e-9, atol=1e-12)
        charts.watch(beside(*(number.day(level[day]) for number, level in zip(signals, levels, strict=True))))
        charts.close()
    assert compared > 100
    assert carry < 0.99 or most_grown > 1.2


def test_tails_are_those_of_the_student_s_t_that_has_as_many_residuals_far_out() -> None:
    np.testing.assert_allclose(FAR_SHARES, [share_far_out(nu) for nu in LIKE], rtol=1e-5)
    assert FREEDOMS.tolist() == list(LIKE.values())
    moments, row, pools = np.zeros(MOMENTS), np.zeros(FILTER), np.zeros(POOL)
    moments[TAILS_SEEN] = 1e6 - TAIL_PRIOR
    for heavier, share in zip(FREEDOMS.tolist(), FAR_SHARES.tolist(), strict=True):
        row[FREEDOM] = 50.0
        moments[BEYOND + 1 : BEYOND + 3] = 1.05 * share * 1e6, 0.3 * share * 1e6
        heed_tails(moments, pools, row)
        assert row[FREEDOM] == heavier
    # Those of outages that come again lie further out than any tail.
    for far, further in ((0.0, 0.0), (1e4, 1e4)):
        row[FREEDOM], moments[BEYOND + 1 : BEYOND + 3] = 50.0, (far, further)
        heed_tails(moments, pools, row)
        assert row[FREEDOM] == 50.0


@pytest.mark.parametrize("nu", list(LIKE))
def test_normal_scores_of_tails_are_right_far_out(nu: int) -> None:
    """With the degrees of freedom that the tails of a Student's t are given, in the units of its capped squares."""
    unit = stats.t.isf(share_far_out(nu) / 2, nu) / 4.5
    for residual, within in ((4.5, 0.15), (6.75, 0.12), (9.0, 0.15)):
        exact = stats.norm.isf(stats.t.sf(residual * unit, nu))
        assert normal_score(residual, LIKE[nu]) == pytest.approx(exact, abs=within)


def test_a_rate_that_is_always_zero_says_nothing_of_how_far_days_of_others_go() -> None:
    """Nor do rates that go far and rates that hardly move: days of each are compared with its own."""
    rng, rates = np.random.default_rng(8), ((RATE, RATES),) * 3
    charts = charts_of(rates, rates, false_alarms=1e-200)
    missing, zero = np.array([0.02, 0.0, 0.0] * 2)[:, None], np.zeros((2, 24))
    for day in range(40):
        charts.begin(day, weekend=is_weekend(day))
        counts = rng.binomial(EVENTS, missing, (6, 24)).astype(float)
        ones, places = np.ones((6, 24)), (np.arange(24) + 0.5) / 24
        charts.watch(Evidence(counts, EVENTS * ones, ones, zero, ones[:2], places))
        charts.close()
        common = charts.state.filters[:, BY_WINDOW, COMMON]
        assert (common[common > 0] > 40).all()


def test_products_of_residuals_equal_the_slow_obvious_way_and_wait_their_time() -> None:
    rng, charts = np.random.default_rng(3), charts_of(ROW, windows_per_day=48, false_alarms=1e-200)
    long_lag, expected = 4, np.zeros(10)
    waiting: list[Floats | None] = []
    values = 0.2 * autoregressive(rng, 34 * 48, 0.6, 1.0).reshape(34, 1, 48)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[20, 0, 7] = 50.0
    for day in range(34):
        charts.begin(day, weekend=is_weekend(day))
        window = charts.state.filters[0, BY_WINDOW].copy()
        course = charts.state.expected[0]
        residuals = np.array([
            value - expected_at(course, t, False) for value, t in zip(values[day, 0], times_of(48), strict=True)
        ])  # fmt: skip
        for t, place in enumerate(times_of(48)):
            low, high = left_out_at(course, charts.state.margins[0], place, False)
            residuals[t] -= min(max(residuals[t], low), high)
        sampling = np.full(48, SAMPLING)
        # On the second day of the first weekend the level is learned within the day, and what may be a change is none.
        unlearned = day in (0, 6) or charts.state.rows[0, UNCERTAINTY] >= UNSEEN**2
        limits = 4 * np.sqrt(window[LEVEL_VARIANCE] + window[NOISE] + sampling)
        sums = np.concatenate(products_of_day(residuals, limits, sampling, long_lag))
        charts.watch(evidence_of(values[day], EVENTS))
        charts.close()
        # What waits keeps seven digits.
        waiting.append(None if unlearned else sums.astype(np.float32).astype(np.float64))
        while len(waiting) > lag_of(day):
            ready = waiting.pop(0)
            if ready is not None:
                expected = FORGET[BY_WINDOW] * expected + ready
        np.testing.assert_allclose(charts.state.moments[0, BY_WINDOW, :10], expected, rtol=1e-9, atol=1e-12)
    # The newest seven days are not learned from yet.
    assert len(waiting) == lag_of(33) == 7
