"""Windows that are small, and most of which may be empty: no false alarm, no crash, and a shift is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.change.model import Evidence
from tests.detectors.change_streams import COUNT, NUMBER, Course, Number, beside, charts_of, evidence_of, follow

SIGNALS, START = 6, 14
FALSE_ALARMS = 1 / 7


def watched(windows_per_day: int, events: float, days: int, shift: float, seed: int) -> Course:
    """Lead signals through days; from noon of the fifteenth on all of them are higher."""
    rng = np.random.default_rng(seed)
    numbers = [Number(rng, events=events) for _ in range(SIGNALS)]

    def drawn(day: int) -> Evidence:
        times = day + np.arange(windows_per_day) / windows_per_day
        return beside(*(number.day(shift * (times >= START + 0.5)) for number in numbers))

    charts = charts_of(*[NUMBER] * SIGNALS, windows_per_day=windows_per_day, false_alarms=FALSE_ALARMS)
    return follow(charts, range(days), drawn)


@pytest.mark.parametrize(("windows_per_day", "events"), [(24, 0.5), (24, 3), (288, 0.3), (288, 3), (4320, 0.2)])
def test_small_windows_are_quiet(windows_per_day: int, events: float) -> None:
    days = 28 if windows_per_day < 4320 else 10
    course = watched(windows_per_day, events, days, 0.0, seed=1)
    assert sum(len(course.alarms(series)) for series in range(SIGNALS)) <= FALSE_ALARMS * days


@pytest.mark.parametrize(("windows_per_day", "events", "within_days"), [(24, 3, 2), (288, 0.3, 2), (4320, 0.05, 3)])
def test_a_shift_is_found_where_most_windows_are_empty(windows_per_day: int, events: float, within_days: int) -> None:
    course = watched(windows_per_day, events, START + 4, 1.5, seed=2)
    for series in range(SIGNALS):
        alarms = [day for day, _ in course.alarms(series) if day >= START]
        assert alarms, series
        assert alarms[0] < START + within_days


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), windows_per_day=st.sampled_from([1, 4, 24, 96]), events=st.floats(0.01, 4))
def test_evidence_of_few_events_is_finite(seed: int, windows_per_day: int, events: float) -> None:
    rng = np.random.default_rng(seed)
    number, charts = Number(rng, events=events, missing=0.3), charts_of(NUMBER, COUNT, windows_per_day=windows_per_day)

    def drawn(day: int) -> Evidence:
        of_number = number.day(np.full(windows_per_day, rng.choice([0.0, 3.0])))
        return beside(of_number, evidence_of(rng.poisson(events, (1, windows_per_day))))

    course = follow(charts, range(12), drawn)
    assert not np.isinf(course.evidence).any()
    assert np.isfinite(charts.state.filters).all()
    assert np.isfinite(charts.state.charts).all()
