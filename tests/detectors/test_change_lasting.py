"""A change that lasts is found and does not become usual, also while few days are known; one that is over ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from detectors.change.legend import EXCEEDS, RATE, RATES, SHIFT, SPAN, STANDS, STATUS
from detectors.change.model import Evidence
from tests.detectors.change_streams import (
    COUNT,
    NUMBER,
    Course,
    Number,
    autoregressive,
    beside,
    charts_of,
    evidence_of,
    follow,
    is_weekend,
)

Floats = npt.NDArray[np.float64]
Levels = Callable[[int], Floats]
"""Returns the levels of a day's hours."""

SIGNALS = 10
PER_HOUR = 60
SATURDAY = 5


def moved(size: float, begins: float, ends: float = np.inf) -> Levels:
    """A level that is moved from one time on, and back at another, both in days."""

    def levels(day: int) -> Floats:
        times = day + np.arange(24) / 24
        return np.where((times >= begins) & (times < ends), size, 0.0)

    return levels


def course_of(levels: Levels, seed: int, days: int, *, per_hour: int = PER_HOUR) -> Course:
    """Follow ten independent numbers with these levels."""
    rng = np.random.default_rng(seed)
    numbers = [Number(rng, events=per_hour) for _ in range(SIGNALS)]
    charts = charts_of(*[NUMBER] * SIGNALS, signals_in_all=SIGNALS)
    return follow(charts, range(days), lambda day: beside(*(number.day(levels(day)) for number in numbers)))


def lasting(course: Course) -> int:
    """Count the signals that have alarmed and not ceased to."""
    ends = 0
    for status in course.status:
        alarmed = status >= STANDS
        ends += bool(alarmed.any()) and bool(alarmed[int(np.argmax(alarmed)) :].all())
    return ends


def ever(course: Course) -> int:
    """Count the signals that have alarmed."""
    return int(np.count_nonzero((course.status >= STANDS).any(axis=1)))


@pytest.mark.parametrize("size", [0.5, 1.0, -2.0])
@pytest.mark.parametrize("begins", [SATURDAY, SATURDAY + 10 / 24, SATURDAY + 1])
def test_a_change_on_the_first_weekend_is_found_on_monday(size: float, begins: float) -> None:
    course = course_of(moved(size, begins), 1, days=SATURDAY + 3)
    by_noon = 24 * (SATURDAY + 2) + 12
    assert np.count_nonzero((course.status[:, :by_noon] >= STANDS).any(axis=1)) >= SIGNALS - 2


@pytest.mark.parametrize("offset", [0.3, 1.0])
def test_what_weekends_are_like_is_no_change(offset: float) -> None:
    alarms = [ever(course_of(lambda day: np.full(24, offset * is_weekend(day)), seed, days=24)) for seed in range(3)]
    assert sum(alarms) <= 1


def test_days_add_to_the_evidence_of_an_onset_where_levels_last_for_hours() -> None:
    found = 0
    shift = moved(0.5, 35 + 10 / 24)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        numbers = [Number(rng, events=500) for _ in range(SIGNALS)]
        own = autoregressive(rng, SIGNALS * 42 * 24, 0.9, 0.25).reshape(SIGNALS, 42, 24)
        days = [
            beside(*(number.day(levels[day] + shift(day)) for number, levels in zip(numbers, own, strict=True)))
            for day in range(42)
        ]
        course = follow(charts_of(*[NUMBER] * SIGNALS, signals_in_all=SIGNALS), range(42), days.__getitem__)
        found += int(np.count_nonzero((course.status[:, 35 * 24 :] >= STANDS).any(axis=1)))
    assert found >= 0.8 * 12 * SIGNALS


@pytest.mark.parametrize("begins", [4, 9, 12])
def test_a_change_in_the_first_two_weeks_does_not_become_usual(begins: int) -> None:
    course = course_of(moved(1.0, begins + 10 / 24), 2, days=35)
    assert ever(course) == SIGNALS
    assert lasting(course) == SIGNALS


@pytest.mark.parametrize(("size", "begins", "lasts"), [(0.5, 21.4, 2), (1.0, 21.4, 2), (1.0, 9.4, 2 / 24)])
def test_what_is_back_for_some_hours_is_over(size: float, begins: float, lasts: float) -> None:
    over, quiet = int(24 * (begins + lasts)) + 6, []
    for seed in range(4, 8):
        course = course_of(moved(size, begins, begins + lasts), seed, days=int(begins) + 4)
        assert ever(course) >= SIGNALS - 1
        quiet.append((course.status[:, over:] < STANDS).mean())
    assert np.mean(quiet) > 0.99


def creeping(day: int) -> Floats:
    """A level of 1 sd from noon of a day on, that climbs to 5 sd within a week."""
    times = day + np.arange(24) / 24
    return np.where(times < 28.5, 0.0, 1.0 + 4.0 * np.clip((times - 29) / 7, 0.0, 1.0))


def grown(signal: Floats) -> Floats:
    """Verdicts that tell of a shift which has grown since a day or longer."""
    told: Floats = signal[(signal[:, STATUS] == EXCEEDS) & (signal[:, SPAN] > 24)]
    return told


def test_what_moves_on_slowly_is_told_again_and_said_to_be_where_it_is() -> None:
    of_windows = np.concatenate(course_of(creeping, 5, days=37).by_window, axis=1)
    assert sum(len(grown(signal)) > 0 for signal in of_windows) >= 8
    for signal in of_windows:
        told = signal[signal[:, STATUS] == EXCEEDS, SHIFT]
        # Where numbers lie far apart, scores do not: 5 sd are a score of 3.
        assert signal[-1, SHIFT] > 3.0
        assert told[-1] == told.max() > signal[-1, SHIFT] / 1.6


@pytest.mark.parametrize("size", [0.3, 1.0])
def test_what_stays_where_it_went_is_not_told_to_have_gone_on(size: float) -> None:
    told = 0
    for seed in range(3):
        for signal in np.concatenate(course_of(moved(size, 28.5), seed, days=49).by_window, axis=1)[:, 24 * 31 :]:
            again = grown(signal)
            told += len(again)
            # People may have been told of less than there was; then it is told once how much there is.
            assert len(again) <= 1
            assert (again[:, SHIFT] < 1.4 * size).all()
    assert told <= 4


@pytest.mark.parametrize("begins", [17.4, 38.4])
@pytest.mark.parametrize("is_volume", [True, False])
def test_a_change_that_nobody_accepts_stands_for_months_on_weekends_too(begins: float, *, is_volume: bool) -> None:
    """Weekends are lower. All days that it began before are forgotten: none of them is left to learn from."""
    rng, days, signals = np.random.default_rng(5), 100, 6

    def drawn(day: int) -> Evidence:
        faulty = day + np.arange(24) / 24 >= begins
        events = rng.poisson((60 if is_weekend(day) else 100) * (1 + 0.5 * (faulty & is_volume)), (signals, 24))
        if is_volume:
            return evidence_of(events, series=signals)
        counted = rng.binomial(events, (0.05 if is_weekend(day) else 0.1) + 0.06 * faulty)
        return evidence_of(counted, np.maximum(events, 1), series=signals)

    kind = COUNT if is_volume else ((RATE, RATES),)
    course = follow(charts_of(*[kind] * signals, signals_in_all=signals), range(days), drawn)
    assert lasting(course) >= signals - 1
    assert ever(course) == signals


def test_weekends_are_what_they_were_in_a_checkpoint_of_an_earlier_version() -> None:
    """What was expected of the other kind of days is not in it: it is learned again, from what it has."""
    rng = np.random.default_rng(6)
    counts = [rng.poisson(60 if is_weekend(day) else 100, (1, 24)) for day in range(40)]
    charts = charts_of(COUNT)
    follow(charts, range(33), lambda day: evidence_of(counts[day]))
    snapshot = charts.snapshot()
    del snapshot["of_other_days"]
    restored = charts_of(COUNT)
    restored.restore(snapshot)
    course = follow(restored, range(33, 40), lambda day: evidence_of(counts[day]))
    assert ever(course) == 0
