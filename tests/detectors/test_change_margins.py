"""How far windows go within their hour is learned from days, so that what comes at its time each day is no news."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import lfilter

from detectors.change.legend import COURSE_DAYS, LOCATION, RATE, RATES, SCORE, VOLUME, VOLUMES
from detectors.change.margins import OF_HOUR
from detectors.change.model import Evidence, ModelCharts, Settings
from detectors.change.state import State
from tests.detectors.change_streams import Course, charts_of, evidence_of, follow, times_of

Floats = npt.NDArray[np.float64]

SIGNALS, WINDOWS, EVENTS = 10, 288, 400
HOURS = 24 * times_of(WINDOWS)
NIGHT = 2 + np.random.default_rng(5).random(SIGNALS)[:, np.newaxis]
"""When the job of each signal begins."""

Levels = Callable[[int], Floats]


def job(size: float = 1.0, minutes: float = 20) -> Floats:
    """Each signal is higher for some minutes of its night."""
    return np.asarray(size * ((HOURS >= NIGHT) & (NIGHT + minutes / 60 > HOURS)))


def office(day: int) -> Floats:
    """Higher from a time between nine and ten on, until one between 17 and 18 o'clock, on weekdays."""
    return np.asarray(1.0 * ((HOURS >= NIGHT + 7) & (NIGHT + 15 > HOURS)) * (day % 7 < 5))


def drawn(rng: np.random.Generator, levels: Floats) -> Evidence:
    noise = rng.normal(size=(SIGNALS, WINDOWS)) / np.sqrt(EVENTS)
    return evidence_of(levels + noise, EVENTS, series=SIGNALS)


def alarms_of(course: Course) -> list[tuple[int, int]]:
    return [alarm for series in range(SIGNALS) for alarm in course.alarms(series)]


def led(levels: Levels, days: range = range(42), seed: int = 1) -> tuple[ModelCharts, Course]:
    rng = np.random.default_rng(seed)
    charts = charts_of(*[((SCORE, LOCATION),)] * SIGNALS, windows_per_day=WINDOWS)
    return charts, follow(charts, days, lambda day: drawn(rng, levels(day)))


@pytest.mark.parametrize(
    ("levels", "most"),
    [(lambda day: job(), 1), (lambda day: job(0.3, 10), 1), (lambda day: office(0), 2), (office, 6)],
    ids=["a job each night", "a small one", "jumps each day", "jumps on weekdays"],
)
def test_what_comes_each_day_at_a_minute_of_its_own_is_no_news(levels: Levels, most: int) -> None:
    # One is accepted in 30 days. On a first Saturday it is not known yet that nothing comes.
    _, course = led(levels)
    alarms = alarms_of(course)
    assert sum(day >= 14 for day, _ in alarms) <= most
    assert sum(day < 14 for day, _ in alarms) <= most


def test_rates_have_margins_too() -> None:
    rng = np.random.default_rng(2)
    charts = charts_of(*[((RATE, RATES),)] * SIGNALS, windows_per_day=WINDOWS)
    missing = 0.02 + job(0.2)
    course = follow(charts, range(35), lambda day: evidence_of(rng.binomial(EVENTS, missing), EVENTS, series=SIGNALS))
    # On the first two days it is not known yet.
    assert len([day for day, _ in alarms_of(course) if day >= 2]) <= 2


def test_what_goes_further_or_comes_at_another_time_is_found() -> None:
    rng = np.random.default_rng(3)
    charts, course = led(lambda day: job(), range(21))
    assert not [day for day, _ in alarms_of(course) if day >= 14]
    twice = follow(charts, range(21, 22), lambda day: drawn(rng, job(3.0)))
    hours = {window // 12 for _, window in alarms_of(twice)}
    assert len({series for series in range(SIGNALS) if twice.alarms(series)}) == SIGNALS
    assert hours <= {2, 3}
    charts, _ = led(lambda day: job(), range(21))
    later = follow(charts, range(21, 22), lambda day: drawn(rng, job() + 0.5 * ((HOURS >= 12) & (HOURS < 12.5))))
    assert all(any(144 <= window < 152 for _, window in later.alarms(series)) for series in range(SIGNALS))
    # Downwards it was never.
    charts, _ = led(lambda day: job(), range(21))
    lower = follow(charts, range(21, 22), lambda day: drawn(rng, -1.0 * job()))
    assert all(lower.alarms(series) for series in range(SIGNALS))


def test_a_job_that_begins_later_is_told_each_night() -> None:
    _, course = led(lambda day: job() * (day >= 21), range(28))
    for series in range(SIGNALS):
        assert [day for day, _ in course.alarms(series) if day >= 21] == list(range(21, 28))


def test_an_outage_each_second_day_stays_news() -> None:
    _, course = led(lambda day: job(1.0, 120) * (day >= 16 and day % 2 == 0), range(44))
    for series in range(SIGNALS):
        assert {day for day, _ in course.alarms(series)} >= set(range(16, 44, 2))


@pytest.mark.parametrize("minutes", [20, 120])
def test_what_one_day_of_the_week_does_is_known_after_two_of_it(minutes: float) -> None:
    _, course = led(lambda day: job(1.0, minutes) * (day % 7 == 0), range(56))
    # On the second Monday it is not known yet; two alarms are accepted later.
    assert {day for series in range(SIGNALS) for day, _ in course.alarms(series) if day < 14} == {7}
    assert sum(day >= 14 for day, _ in alarms_of(course)) <= 2


def test_what_begins_later_on_one_day_of_the_week_is_told_until_it_is_marked() -> None:
    def levels(day: int) -> Floats:
        return job(1.0, 120) * (day % 7 == 0 and day >= 28)

    charts, course = led(levels, range(50))
    assert all({day for day, _ in course.alarms(series)} >= {28, 35, 42, 49} for series in range(SIGNALS))
    for series in range(SIGNALS):
        for day in (28, 35, 42, 49):
            charts.teach(series, range(day, day + 1), is_false=False)
    rng = np.random.default_rng(11)
    # Expectations lag by up to a week.
    follow(charts, range(50, 63), lambda day: drawn(rng, levels(day)))
    later = follow(charts, range(63, 78), lambda day: drawn(rng, levels(day)))
    assert len(alarms_of(later)) <= 1


@pytest.mark.parametrize("carry", [0.0, 0.9, 0.99])
def test_chance_and_levels_that_persist_make_no_margins(carry: float) -> None:
    rng = np.random.default_rng(6)
    levels = lfilter([1.0], [1.0, -carry], rng.normal(size=(SIGNALS, 30 * WINDOWS))) * 0.25 * np.sqrt(1 - carry**2)
    charts, _ = led(lambda day: levels[:, day * WINDOWS : (day + 1) * WINDOWS], range(30))
    assert np.count_nonzero(charts.state.margins) <= 0.01 * charts.state.margins.size


def test_what_is_known_goes_on_in_a_checkpoint_and_in_the_next_version() -> None:
    charts, _ = led(lambda day: job(), range(15))
    other = ModelCharts(Settings(1 / 30, 10, WINDOWS))
    other.restore(charts.snapshot())
    days = [drawn(np.random.default_rng(day), job()) for day in range(15, 18)]
    first, second = (follow(each, range(15, 18), lambda day: days[day - 15]) for each in (charts, other))
    np.testing.assert_array_equal(first.evidence, second.evidence)
    assert charts.state.margins.any()
    charts.state.inherit(1, 0)
    np.testing.assert_array_equal(charts.state.margins[1], charts.state.margins[0])
    np.testing.assert_array_equal(charts.state.farthest[1], charts.state.farthest[0])


def test_earlier_checkpoints_know_of_none() -> None:
    charts, _ = led(lambda day: job(), range(3))
    snapshot = charts.state.snapshot()
    for name in ("in_hours", "farthest", "margins"):
        del snapshot[name]
    state = State.restored(snapshot, slots=288)
    assert state.margins.shape == (SIGNALS, 24, 2)
    assert state.farthest.shape == (SIGNALS, COURSE_DAYS, 24, OF_HOUR)
    assert not state.margins.any()
    assert not State.restored(snapshot, slots=0).margins.size


def test_hours_that_are_one_window_and_volumes_have_none() -> None:
    rng = np.random.default_rng(8)
    hourly = charts_of(((SCORE, LOCATION),), windows_per_day=24)
    follow(hourly, range(5), lambda day: evidence_of(rng.normal(size=(1, 24)), EVENTS))
    assert hourly.state.margins.shape == (1, 0, 2)
    volumes = charts_of(((VOLUME, VOLUMES),), windows_per_day=WINDOWS)
    follow(volumes, range(5), lambda day: evidence_of(rng.poisson(50 + 500 * job()[:1])))
    assert not volumes.state.margins.any()
