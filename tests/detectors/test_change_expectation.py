"""What is expected of an hour of the week: a season is found, where there is none noise is not taken for one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from detectors.change.expectation import UNSEEN, corner_at, expected_at, learn_expectation
from detectors.change.legend import ALIKE, DAYS, REFERENCE_DAYS, TOLD_APART, UNKNOWN
from tests.detectors.change_streams import daily_season, is_weekend, times_of
from tests.detectors.plain_expectation import plain_expectation

Floats = npt.NDArray[np.float64]

NOISE = 0.1
WEEKDAY, SATURDAY = 28, 33


class Learned:
    """What is expected of a day, from all days before it.

    Parameters
    ----------
    hours : float64 array [D, H]
        Of day 0 and all that follow.
    weights : float64 array [D], optional
    first, lag : int
        The first day there is, and how many days are not seen yet.
    """

    def __init__(
        self,
        hours: Floats,
        weights: Floats | None = None,
        *,
        day: int = WEEKDAY,
        first: int = 0,
        lag: int = 0,
        told_apart: bool = False,
    ) -> None:
        days = np.arange(max(first, day - DAYS + 1), day)
        around, of_days = np.full((DAYS, hours.shape[1]), np.nan), np.zeros(DAYS)
        weekends = np.zeros(DAYS, dtype=np.int64)
        around[days % DAYS] = hours[days]
        of_days[days % DAYS] = 1.0 if weights is None else weights[days]
        for d in (*days, day):
            weekends[d % DAYS] = is_weekend(int(d))
        self.expected = np.full(hours.shape[1], np.nan)
        self.variance, self.weekdays = learn_expectation(
            around, of_days, weekends, first, day, lag, told_apart, 0.0, self.expected, np.empty(hours.shape[1])
        )


def noise(seed: int, days: int = 2 * DAYS, hours: int = 24) -> Floats:
    return np.random.default_rng(seed).normal(0.0, NOISE, (days, hours))


def seasonal(seed: int) -> Floats:
    """A sine of 0.6 over the day, 0.3 more on weekends, and at four o'clock a job that adds 1."""
    hours = noise(seed) + np.array([daily_season(day) for day in range(2 * DAYS)])
    hours[:, 4] += 1.0
    return np.asarray(hours)


@pytest.mark.parametrize("day", [WEEKDAY, SATURDAY])
def test_a_season_is_found_with_its_weekends_and_its_single_hours(day: int) -> None:
    errors = []
    for seed in range(10):
        learned = Learned(seasonal(seed), day=day)
        truth = daily_season(day)
        truth[4] += 1.0
        errors.append(learned.expected - truth)
        # What it says of its own error is that of the mean of four weeks, or, on weekends, of eight days.
        assert NOISE**2 / (2 * day) < learned.variance < 2 * NOISE**2 / 8
    assert np.sqrt(np.mean(np.square(errors))) < NOISE / 4
    assert np.max(np.abs(errors)) < NOISE


def test_where_there_is_no_season_noise_is_not_taken_for_one() -> None:
    profiles, means = [], []
    for seed in range(20):
        hours = noise(seed)
        expected = Learned(hours).expected
        profiles.append(expected - expected.mean())
        means.append(hours[:WEEKDAY].mean(axis=0) - hours[:WEEKDAY].mean())
    # Means of single hours err by 0.1/√28; of that a third is left at most.
    assert np.sqrt(np.mean(np.square(profiles))) < np.sqrt(np.mean(np.square(means))) / 3


def test_a_smooth_season_is_known_after_two_days() -> None:
    hours = noise(1) + 0.6 * np.sin(2 * np.pi * times_of(24))
    expected = Learned(hours, day=2).expected
    assert np.sqrt(np.mean((expected - 0.6 * np.sin(2 * np.pi * times_of(24))) ** 2)) < NOISE


def test_weekends_that_differ_by_chance_have_no_offset() -> None:
    offsets = []
    for seed in range(20):
        hours = noise(seed)
        offsets.append(Learned(hours, day=SATURDAY).expected.mean() - Learned(hours, day=SATURDAY - 1).expected.mean())
    by_chance = NOISE / np.sqrt(24) * np.sqrt(1 / 24 + 1 / 9)
    assert np.sqrt(np.mean(np.square(offsets))) < by_chance


def test_a_kind_of_day_that_was_never_seen_is_unsure() -> None:
    hours = seasonal(3)
    seen, unseen = Learned(hours, day=12), Learned(hours, day=5)
    assert unseen.variance > UNSEEN**2
    assert seen.variance < UNSEEN**2 / 10


def test_a_first_partial_day_is_ignored() -> None:
    hours = seasonal(4)
    whole = Learned(hours, day=8, first=1)
    # It began at 20 o'clock, when everything is low.
    hours[0, :20] = np.nan
    hours[0, 20:] -= 3.0
    partial = Learned(hours, day=8)
    np.testing.assert_array_equal(partial.expected, whole.expected)
    assert partial.variance == whole.variance


def test_a_first_partial_day_is_all_there_is_on_the_second() -> None:
    hours = seasonal(5)
    hours[0, :20] = np.nan
    assert Learned(hours, day=1).expected.mean() == pytest.approx(np.nanmean(hours[0]))


def test_days_within_the_lag_and_beyond_the_reference_are_not_seen() -> None:
    hours, day = seasonal(6), 60
    seen = Learned(hours, day=day, lag=7)
    hours[day - 7 : day] += 50.0
    hours[: day - 7 - REFERENCE_DAYS] -= 50.0
    np.testing.assert_array_equal(Learned(hours, day=day, lag=7).expected, seen.expected)


def test_of_what_was_never_there_nothing_is_expected() -> None:
    learned = Learned(np.full((DAYS, 24), np.nan))
    assert np.isnan(learned.expected).all()
    assert learned.variance == UNSEEN**2


def test_days_that_all_alarmed_are_learned_from_if_there_are_no_others() -> None:
    hours = noise(8) + 6.0
    assert Learned(hours, np.zeros(2 * DAYS), day=3).expected.mean() == pytest.approx(hours[:3].mean())


def test_a_day_without_weight_teaches_nothing() -> None:
    hours, weights = seasonal(7), np.ones(2 * DAYS)
    weights[10] = 0.0
    untouched = Learned(hours, weights).expected
    hours[10] += 1.0
    np.testing.assert_allclose(Learned(hours, weights).expected, untouched, atol=1e-8)


@pytest.mark.parametrize("hours_of_day", [24, 4, 1])
@pytest.mark.parametrize("seed", range(6))
def test_it_equals_the_slow_obvious_way(hours_of_day: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hours = seasonal(seed)[:, :hours_of_day].copy()
    if seed % 2:
        hours[np.arange(len(hours)) % 7 == 2] -= 1.0
    hours[rng.random(hours.shape) < (0, 0.02, 0.3)[seed % 3]] = np.nan
    hours[rng.random(len(hours)) < 0.1] = np.nan
    weights = rng.choice([0.0, 0.3, 1.0], len(hours), p=[0.2, 0.2, 0.6])
    first = int(rng.integers(0, 4))
    weekends = np.array([is_weekend(day) for day in range(len(hours))])
    for day in (*range(first + 1, first + 10), 20, 27, 33, 50, 69, 75):
        lag = int(rng.integers(0, 8)) if day > 14 else 0
        days = slice(max(first, day - lag - REFERENCE_DAYS), max(day - lag, first + 1))
        if not np.isfinite(hours[days]).any():
            continue
        learned = Learned(hours, weights, day=day, first=first, lag=lag)
        expected, variance = plain_expectation(
            hours[days], weights[days], weekends[days], is_weekend(day), days.start, day
        )
        np.testing.assert_allclose(learned.expected, expected, atol=1e-9)
        assert learned.variance == pytest.approx(variance, abs=1e-9)


def test_between_the_middles_of_hours_it_is_a_line() -> None:
    expected = np.random.default_rng(1).normal(0.0, 0.1, size=24)
    around = np.concatenate((expected[-1:], expected, expected[:1]))
    for time in np.linspace(0, 1, 289)[:-1]:
        assert expected_at(expected, time, False) == pytest.approx(
            np.interp(24 * time, np.arange(-1, 25) + 0.5, around)
        )
    assert expected_at(np.array([7.0]), 0.3, False) == 7.0


def test_a_day_that_is_alone_goes_on_beyond_its_ends_as_it_comes_there() -> None:
    expected = np.sin(np.arange(24) / 4) / 2
    for time in np.linspace(0.5, 23.5, 93)[:-1] / 24:
        assert expected_at(expected, time, True) == expected_at(expected, time, False)
    assert expected_at(expected, 0.2 / 24, True) == pytest.approx(expected[0] - 0.3 * (expected[1] - expected[0]))
    assert expected_at(expected, 23.9 / 24, True) == pytest.approx(expected[23] + 0.4 * (expected[23] - expected[22]))
    # A steep line goes on, too.
    steep = np.append([-0.7, -0.1, 0.5], np.full(21, 0.6))
    assert expected_at(steep, 0.2 / 24, True) == pytest.approx(-0.7 - 0.3 * 0.6)
    assert expected_at(steep, 0.8 / 24, True) == pytest.approx(-0.7 + 0.3 * 0.6)
    # As it comes by a jump, it does not go on.
    assert expected_at(np.append(4.0, np.zeros(23)), 0.2 / 24, True) == 4.0
    assert expected_at(np.array([7.0]), 0.3, True) == 7.0


@pytest.mark.parametrize("difference", [0.0, 0.1, 0.5])
def test_days_of_the_week_that_were_told_apart_stay_so_until_they_hardly_differ(difference: float) -> None:
    hours = noise(3) + difference * np.array([day % 7 == 0 for day in range(2 * DAYS)])[:, None]
    # Monday is the day itself.
    day = 2 * DAYS - 2 * DAYS % 7
    assert Learned(hours, day=day).weekdays == ALIKE
    kept = Learned(hours, day=day, told_apart=True)
    assert kept.weekdays == (TOLD_APART if difference == 0.5 else ALIKE)
    if difference == 0.5:
        assert kept.expected.mean() == pytest.approx(0.5, abs=0.05)


def test_at_a_jump_between_hours_there_is_no_line() -> None:
    """Traffic from nine o'clock on: nothing of it is expected before, and all of it at once."""
    expected = np.where(np.arange(24) < 9, -0.7, 4.0)
    assert expected_at(expected, 8.9 / 24, False) == -0.7
    assert expected_at(expected, 9.1 / 24, False) == 4.0
    ramp = np.clip(np.arange(24) - 6.0, 0.0, 4.0)
    assert expected_at(ramp, 9.0 / 24, False) == pytest.approx(2.5)


WORKING_HOURS = np.where((np.arange(24) >= 9) & (np.arange(24) < 17), 5.0, -0.7)


@pytest.mark.parametrize("day", [6, 7, 12, 14])
def test_a_flat_weekend_leaves_the_profile_of_weekdays_as_it_is(day: int) -> None:
    hours = np.array([np.full(24, -0.7) if is_weekend(d) else WORKING_HOURS for d in range(20)])
    hours += np.random.default_rng(10).normal(0.0, 0.05, hours.shape)
    np.testing.assert_allclose(Learned(hours, day=day).expected, hours[5 if is_weekend(day) else 0], atol=0.25)


def test_days_of_the_week_are_told_apart_where_they_differ_beyond_doubt() -> None:
    open_days = (0, 2, 4)
    hours = np.array([WORKING_HOURS if d % 7 in open_days else np.full(24, -0.7) for d in range(20)])
    hours += np.random.default_rng(11).normal(0.0, 0.05, hours.shape)
    for day in range(14, 19):
        learned = Learned(hours, day=day)
        assert learned.weekdays == TOLD_APART
        np.testing.assert_allclose(learned.expected, hours[day], atol=0.25)


def test_days_of_the_week_that_differ_by_chance_are_not_told_apart() -> None:
    rng = np.random.default_rng(12)
    of_days = [rng.normal(0.0, 0.3, (2 * DAYS, 1)) for _ in range(40)]
    codes = [Learned(noise(20 + i) + of_days[i], day=day).weekdays for i in range(40) for day in (14, 28, 42)]
    assert np.mean(np.array(codes) != ALIKE) < 0.03


def test_of_a_day_of_the_week_that_was_seen_once_it_says_so() -> None:
    hours = np.array([WORKING_HOURS if d % 7 == 0 else np.full(24, -0.7) for d in range(20)])
    # The first day was a part of one.
    hours[0, :12] = np.nan
    learned = Learned(hours, day=14)
    assert (learned.weekdays, learned.variance > UNSEEN**2) == (UNKNOWN, True)


def test_of_an_hour_that_few_days_had_nothing_is_expected() -> None:
    hours = seasonal(9)
    hours[:, 3] = np.nan
    hours[[5, 20], 3] = 4.0
    learned = Learned(hours)
    assert np.isnan(learned.expected[3])
    assert np.isfinite(np.delete(learned.expected, 3)).all()
    # Beside it there is no line to draw; what the hour itself has stands alone.
    assert expected_at(learned.expected, 4.4 / 24, False) == learned.expected[4]
    assert np.isnan(expected_at(learned.expected, 3.9 / 24, False))


@pytest.mark.parametrize("is_alone", [False, True])
def test_a_steep_line_is_no_jump_where_it_begins_nor_where_it_ends(is_alone: bool) -> None:
    # 0 until ten, 1.5 from 13:00 on, a straight line between.
    course = np.interp(np.arange(24 * 60) / 60, [10, 13], [0.0, 1.5])
    hours = course.reshape(24, 60).mean(axis=1)
    for minute in range(10 * 60 + 30, 12 * 60 + 30):
        assert expected_at(hours, minute / 1440, is_alone) == pytest.approx(course[minute], abs=0.02)
    # A jump is one.
    jump = np.append(np.zeros(9), np.ones(15))
    assert expected_at(jump, 8.9 / 24, is_alone) == 0.0
    assert expected_at(jump, 9.1 / 24, is_alone) == 1.0


def test_a_corner_is_what_lines_cut_off() -> None:
    # Levels at every third hour, and straight lines between.
    rng = np.random.default_rng(4)
    knots = rng.normal(0.0, 0.3, size=8)
    times = (np.arange(288) + 0.5) / 288
    course = np.interp(8 * times, np.arange(8), knots, period=8)
    hours = course.reshape(24, 12).mean(axis=1)
    off = course - [expected_at(hours, time, False) for time in times]
    corners = np.array([corner_at(hours, time, False) for time in times])
    assert np.abs(off).max() > 0.08
    assert np.abs(off - np.clip(off, np.minimum(corners, 0), np.maximum(corners, 0))).max() < 0.01
    # Nor is it much more than that.
    assert np.abs(corners).max() < 1.1 * np.abs(off).max()


@pytest.mark.parametrize(
    "course",
    [
        np.zeros(288),
        1.5 * np.sin(2 * np.pi * np.arange(288) / 288),
        np.repeat([0.0, 1.0, 0.0], [108, 144, 36]),
        np.repeat([0.0, 1.0, 0.0], [108, 12, 168]),
    ],
    ids=["flat", "wave", "office hours", "one hour"],
)
@pytest.mark.parametrize("is_alone", [False, True])
def test_flat_courses_waves_and_jumps_have_no_corner(course: Floats, is_alone: bool) -> None:
    hours = course.reshape(24, 12).mean(axis=1)
    for time in (np.arange(288) + 0.5) / 288:
        assert corner_at(hours, time, is_alone) == pytest.approx(0.0, abs=0.02)


def test_hours_without_anything_have_no_corner() -> None:
    hours = np.full(24, np.nan)
    hours[8:18] = np.sin(np.arange(10))
    for time in (np.arange(288) + 0.5) / 288:
        assert np.isfinite(corner_at(hours, time, False))
    assert corner_at(np.array([7.0]), 0.3, False) == 0.0
