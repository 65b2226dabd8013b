"""Levels and charts equal their slow obvious twins, and what they add up is evidence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from detectors.change.expectation import expected_at
from detectors.change.legend import (
    BY_DAY,
    BY_WINDOW,
    CALIBRATION,
    CARRY,
    COMMON,
    DAY_STEP,
    EVIDENCE,
    FREEDOM,
    FREEDOM_FRESH,
    LEVEL,
    LEVEL_VARIANCE,
    NOISE,
    OVERNIGHT,
    SERIAL,
    STEP,
    TAIL_FREEDOM,
    TODAY,
    TODAY_SEEN,
    VARIANCE,
    ZONE,
)
from detectors.change.model import Evidence, ModelCharts
from detectors.change.residuals import to_residual
from tests.detectors.change_streams import NUMBER, Number, autoregressive, charts_of, is_weekend
from tests.detectors.plain_charts import Chart, PlainRow, normal_score, plain_score

Floats = npt.NDArray[np.float64]

COLUMNS = (
    CARRY, LEVEL_VARIANCE, NOISE, STEP, DAY_STEP, CALIBRATION, FREEDOM, FREEDOM_FRESH, ZONE, LEVEL, VARIANCE,
    OVERNIGHT, SERIAL, COMMON, TODAY, TODAY_SEEN, TAIL_FREEDOM,
)  # fmt: skip


def plain_row(charts: ModelCharts, row: int, scale: int) -> PlainRow:
    """The twin of a row, as it is at this moment."""
    all_charts = [
        Chart(0.5 * 2.0**magnitude, 1 - 2 * direction, *charts.state.charts[row, scale, magnitude, direction, :2])
        for magnitude in range(5)
        for direction in range(2)
    ]
    components: list[float] = charts.state.filters[row, scale, COLUMNS].tolist()
    return PlainRow(all_charts, *components)


def quiet_charts() -> ModelCharts:
    """Charts of a number that never alarm: an alarm would start them anew."""
    return charts_of(NUMBER, false_alarms=1e-200)


def plain_day(charts: ModelCharts, evidence: Evidence) -> Floats:
    """The evidence of each window of the day that has begun, by the twins."""
    twins = [plain_row(charts, row, BY_WINDOW) for row in range(3)]
    fresh = [True] * 3
    scores = np.empty(len(evidence.places))
    for t, place in enumerate(evidence.places):
        for row, twin in enumerate(twins):
            if t == 0 or not fresh[row]:
                # Until its first value a day is as it began.
                twin.step_on(new_day=t == 0)
            value = evidence.values[row, t]
            # What groups do not resolve has no spread.
            if np.isnan(value) or evidence.units[row, t] < 0:
                continue
            expected = expected_at(charts.state.expected[row], place, False)
            residual, sampling = to_residual(charts.state.rows[row], value, evidence.events[row, t], expected)
            twin.take(residual, sampling, fresh[row])
            fresh[row] = False
        scores[t] = plain_score(twins, evidence.repeats[0, t])
    return scores


@pytest.mark.parametrize("carry", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("waves", [0.0, 1.0])
def test_the_windows_of_a_day_equal_the_slow_obvious_way(carry: float, waves: float) -> None:
    rng = np.random.default_rng(int(10 * carry))
    levels = autoregressive(rng, 40 * 24, carry, 0.25).reshape(40, 24)
    # Each day's waves have a height of their own.
    levels += waves * rng.normal(size=(40, 1)) * np.sin(2 * np.pi * np.arange(24) / 12)
    number, charts = Number(rng), quiet_charts()
    for day in range(40):
        evidence = number.day(levels[day] + (day == 36) * np.linspace(0, 2, 24))
        evidence.values[:2, rng.random(24) < 0.1] = np.nan
        charts.begin(day, weekend=is_weekend(day))
        if day in (4, 8, 13, 20, 35, 36, 37):
            expected = plain_day(charts, evidence)
            actual = charts.watch(evidence)[0, :, EVIDENCE]
            np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)
        else:
            charts.watch(evidence)
        charts.close()
    assert not waves or (charts.state.filters[0, BY_WINDOW, [SERIAL, COMMON]] > 0.1).all()


def test_a_level_goes_along_with_jumps_where_they_are_usual() -> None:
    rng = np.random.default_rng(4)
    steps, level, levels = rng.standard_t(3, size=40 * 24), 0.0, []
    for step in steps.tolist():
        level = 0.7 * level + 0.25 * step
        levels.append(level)
    number, charts = Number(rng), quiet_charts()
    for day, of_day in enumerate(np.reshape(levels, (40, 24))):
        evidence = number.day(of_day)
        charts.begin(day, weekend=is_weekend(day))
        expected = plain_day(charts, evidence)
        actual = charts.watch(evidence)[0, :, EVIDENCE]
        if day >= 35:
            np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)
        charts.close()
    location, spread = charts.state.filters[:2, BY_WINDOW, TAIL_FREEDOM]
    assert 0 < location < 20
    assert spread == 0


def test_days_equal_the_slow_obvious_way() -> None:
    rng = np.random.default_rng(5)
    number, charts = Number(rng), quiet_charts()
    for day in range(30):
        charts.begin(day, weekend=is_weekend(day))
        charts.watch(number.day(np.full(24, 0.2 * rng.normal() + 0.5 * (day >= 25))))
        twins = [plain_row(charts, row, BY_DAY) for row in range(3)]
        for row, twin in enumerate(twins):
            total, weight, variance, windows = charts.state.day_sums[row, :4]
            assert windows == 24
            twin.step_on(new_day=False)
            twin.take(total / weight, variance / weight**2, fresh=False)
        evidence = charts.close()[0, EVIDENCE]
        if day >= 7:
            assert evidence == pytest.approx(plain_score(twins, 0.0), abs=1e-9)
        else:
            assert np.isnan(evidence)


def test_the_score_of_student_s_t_is_normal() -> None:
    # Wallace's approximation, within 0.06 far into the tail.
    for freedom in (3, 5, 20, 100):
        for z in (-9.0, -2.0, 0.0, 0.5, 4.0):
            exact = stats.norm.isf(stats.t.sf(abs(z), freedom))
            assert abs(normal_score(z, freedom)) == pytest.approx(exact, abs=0.06)
