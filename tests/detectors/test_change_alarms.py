"""What changes alarms, once for each change; what comes back is a recovery."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from detectors.change.legend import (
    BY_DAY,
    EXCEEDS,
    EXPECTED,
    GROUPS,
    LEADING_ROW,
    LOCATION,
    QUIET,
    SCALE,
    SCORE,
    STANDS,
    STATUS,
)
from detectors.change.model import Evidence
from tests.detectors.change_streams import (
    COUNT,
    EVENTS,
    NUMBER,
    SHARE,
    Course,
    Number,
    charts_of,
    daily_season,
    evidence_of,
    follow,
    is_weekend,
)

Floats = npt.NDArray[np.float64]
Change = Callable[[Number, Floats], Evidence]

DAY, HOUR = 20, 10
SEEDS = range(5)


def course_of(change: Change, seed: int, *, days: int = DAY + 2, until: int | None = None) -> Course:
    """Follow a number with a season that is changed from ten o'clock of the 20th day on, until a day."""
    number = Number(np.random.default_rng(seed))

    def draw(day: int) -> Evidence:
        levels = daily_season(day)
        ordinary = number.day(levels)
        if day < DAY or (until is not None and day >= until):
            return ordinary
        return joined(ordinary, change(number, levels), HOUR if day == DAY else 0)

    return follow(charts_of(NUMBER), range(days), draw)


def joined(earlier: Evidence, later: Evidence, at: int) -> Evidence:
    """Return windows of one day and, from one on, of another."""
    parts = [
        np.concatenate((getattr(earlier, name)[:, :at], getattr(later, name)[:, at:]), axis=1)
        for name in ("values", "events", "units", "repeats", "present")
    ]
    return Evidence(parts[0], parts[1], parts[2], parts[3], parts[4], later.places)


def in_one_group(number: Number, levels: Floats) -> Evidence:
    counts = np.zeros((24, GROUPS), dtype=np.int64)
    counts[:, 40] = number.rng.poisson(0.98 * EVENTS, 24)
    return number.of_counts(counts, number.rng.poisson(0.02 * EVENTS, 24))


def frozen(number: Number, levels: Floats) -> Evidence:
    return number.of_counts(np.tile(number.previous, (24, 1)), np.full(24, 10))


def spread_out(number: Number, levels: Floats) -> Evidence:
    wide = Number(number.rng, spread=2.0)
    return wide.day(levels)


CHANGES: dict[str, tuple[Change, int]] = {
    "+0.25 sd": (lambda number, levels: number.day(levels + 0.25), 3),
    "-0.5 sd": (lambda number, levels: number.day(levels - 0.5), 1),
    "+1 sd": (lambda number, levels: number.day(levels + 1), 1),
    "spread doubled": (spread_out, 1),
    "constant": (in_one_group, 1),
    "frozen": (frozen, 1),
    "5 % more missing": (lambda number, levels: number.day(levels, missing=0.07), 2),
    "all missing": (lambda number, levels: number.day(levels, missing=1.0), 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_alarms_in_its_first_windows(name: str) -> None:
    change, windows = CHANGES[name]
    for seed in SEEDS:
        day, window = course_of(change, seed).alarms()[0]
        assert day == DAY
        assert HOUR <= window < HOUR + windows


def test_a_ramp_alarms_before_it_has_gone_a_standard_deviation_far() -> None:
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed))

        def draw(day: int, number: Number = number) -> Evidence:
            ramp = np.clip((day - DAY + np.arange(24) / 24) / 14, 0, 1)
            return number.day(daily_season(day) + ramp)

        first_day, _ = follow(charts_of(NUMBER), range(DAY + 14), draw).alarms()[0]
        assert DAY <= first_day < DAY + 7


def test_half_of_the_volume_alarms_at_once() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)

        def draw(day: int, rng: np.random.Generator = rng) -> Evidence:
            halved = np.where(day + np.arange(24) / 24 >= DAY + HOUR / 24, 0.5, 1)
            return evidence_of(rng.poisson(EVENTS * np.exp(daily_season(day)) * halved)[None])

        alarms = follow(charts_of(COUNT), range(DAY + 1), draw).alarms()
        assert alarms[0] == (DAY, HOUR)


def test_what_moved_is_named_with_how_far() -> None:
    course = course_of(lambda number, levels: number.day(levels + 0.5), 1)
    contrast, shift = course.shift(*course.alarms()[0])
    assert contrast == 0
    assert shift == pytest.approx(0.5, abs=0.2)
    course = course_of(lambda number, levels: number.day(levels, missing=0.3), 1)
    contrast, shift = course.shift(*course.alarms()[0])
    assert contrast == 2
    assert shift > 0


@pytest.mark.parametrize("size", [0.5, 1.0, -2.0])
def test_a_change_that_lasts_is_one_alarm_that_stands(size: float) -> None:
    alarms = 0
    for seed in SEEDS:
        course = course_of(lambda number, levels: number.day(levels + size), seed, days=DAY + 8)
        alarms += len(course.alarms())
        assert (course.by_window[-1][0, :, STATUS] >= STANDS).all()
    # A season that is seen through other groups is not quite the same, which may show after days.
    assert len(SEEDS) <= alarms <= len(SEEDS) + 1


@pytest.mark.parametrize("size", [0.5, 1.0, -2.0])
def test_a_change_that_is_over_is_a_recovery_and_no_alarm(size: float) -> None:
    for seed in SEEDS:
        course = course_of(lambda number, levels: number.day(levels + size), seed, days=DAY + 6, until=DAY + 2)
        assert len(course.alarms()) == 1
        assert (course.by_window[DAY + 1][0, :, STATUS] == STANDS).all()
        over = course.by_window[DAY + 2][0, :, STATUS]
        assert (over[3:] == QUIET).all()


@pytest.mark.parametrize("hour", [0, 10, 22])
def test_an_outage_that_recurs_alarms_each_time(hour: int) -> None:
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed))

        def draw(day: int, number: Number = number) -> Evidence:
            missing = np.full(24, 0.02)
            if day >= DAY and day % 2 == 0:
                missing[hour : hour + 2] = 1.0
            return number.day(daily_season(day), missing=missing)

        alarms = follow(charts_of(NUMBER), range(DAY + 30), draw).alarms()
        assert alarms == [(day, hour) for day in range(DAY, DAY + 30, 2)]


def test_a_second_change_on_top_of_one_that_stands_alarms_again() -> None:
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed))

        def draw(day: int, number: Number = number) -> Evidence:
            return number.day(daily_season(day) + (day >= DAY) + (day >= DAY + 5))

        days = [day for day, _ in follow(charts_of(NUMBER), range(DAY + 8), draw).alarms()]
        assert days[0] == DAY
        assert days.count(DAY + 5) >= 1
        assert set(days) <= {DAY, DAY + 1, DAY + 5, DAY + 6, DAY + 7}


def test_another_contrast_that_changes_while_an_alarm_stands_alarms() -> None:
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed))

        def draw(day: int, number: Number = number) -> Evidence:
            return number.day(daily_season(day) + (day >= DAY), missing=0.5 if day >= DAY + 5 else 0.02)

        course = follow(charts_of(NUMBER), range(DAY + 7), draw)
        assert (DAY + 5, 0) in course.alarms()
        assert course.shift(DAY + 5, 0)[0] == 2


@pytest.mark.parametrize("learned_days", [1, 6, DAY])
def test_after_one_wild_window_a_change_is_found(learned_days: int) -> None:
    # All values of a window a million standard deviations away, which a sentinel does; two days later at ten, +1.
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed))

        def draw(day: int, number: Number = number) -> Evidence:
            ordinary = number.day(day + np.arange(24) / 24 >= learned_days + 2 + HOUR / 24)
            if day != learned_days:
                return ordinary
            counts = np.zeros((24, GROUPS), dtype=np.int64)
            counts[:, -1] = EVENTS
            wild = number.of_counts(counts, np.zeros(24, dtype=np.int64))
            return joined(joined(ordinary, wild, 13), ordinary, 14)

        alarms = follow(charts_of(NUMBER), range(learned_days + 4), draw).alarms()
        assert (learned_days, 13) in alarms
        assert any(day >= learned_days + 2 for day, _ in alarms)


def test_after_a_level_of_a_million_a_change_is_found() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)

        def draw(day: int, rng: np.random.Generator = rng) -> Evidence:
            values = rng.normal(0, 1 / np.sqrt(EVENTS), (1, 24)) + (day >= DAY + 2)
            if day == DAY:
                values[0, 3] = 1e6
            return evidence_of(values, EVENTS)

        alarms = follow(charts_of((NUMBER[0],)), range(DAY + 4), draw).alarms()
        assert (DAY, 3) in alarms
        assert any(day >= DAY + 2 for day, _ in alarms)


@pytest.mark.parametrize("name", ["constant", "all missing", "half missing"])
def test_on_the_first_day_a_failure_alarms_as_soon_as_there_may_be_alarms(name: str) -> None:
    changes: dict[str, Change] = {
        "constant": in_one_group,
        "all missing": CHANGES["all missing"][0],
        "half missing": lambda number, levels: number.day(levels, missing=0.5),
    }
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed))
        levels = daily_season(0)
        day = joined(number.day(levels), changes[name](number, levels), 14)
        alarms = follow(charts_of(NUMBER), range(1), lambda _, day=day: day).alarms()  # type: ignore[misc]
        assert alarms[0] == (0, 14)


@pytest.mark.parametrize("day", [0, 1, 2])
def test_a_failure_of_the_first_days_alarms_at_once_although_levels_differ_from_window_to_window(day: int) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 29])
        number = Number(rng)

        def draw(today: int, number: Number = number) -> Evidence:
            ordinary = number.day(0.5 * number.rng.normal(size=288))
            if today < day:
                return ordinary
            shifted = number.day(4.0 + 0.5 * number.rng.normal(size=288), missing=0.5)
            return joined(ordinary, shifted, 150)

        alarms = follow(charts_of(NUMBER, windows_per_day=288), range(day + 1), draw).alarms()
        assert (day, 150) in alarms


def test_a_rate_of_errors_that_doubles_alarms_within_hours() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)

        def draw(day: int, rng: np.random.Generator = rng) -> Evidence:
            return evidence_of(rng.binomial(EVENTS, 0.02 if day < DAY else 0.04, (1, 24)), EVENTS)

        day, window = follow(charts_of(SHARE), range(DAY + 1), draw).alarms()[0]
        assert day == DAY
        assert window < 10


def test_windows_of_a_day_alarm_as_days() -> None:
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed), events=1000)

        def draw(day: int, number: Number = number) -> Evidence:
            return number.day(np.array([0.3 * (day % 7 >= 5) + 0.5 * (day >= 40)]))

        course = follow(charts_of(NUMBER, windows_per_day=1), range(45), draw)
        assert course.alarms()[0] == (40, 1)
        assert (np.concatenate(course.by_window, axis=1)[..., STATUS] != EXCEEDS).all()


def test_a_change_of_days_that_lasts_is_one_alarm_that_stands() -> None:
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed), events=1000)
        course = follow(
            charts_of(NUMBER, windows_per_day=1),
            range(80),
            lambda day, number=number: number.day(np.array([1.0 * (day >= 40)])),  # type: ignore[misc]
        )
        assert course.alarms() == [(40, 1)]
        assert all(whole[0, STATUS] == STANDS for whole in course.by_day[41:])


def test_two_days_that_repeat_the_one_before_are_one_alarm_until_another_comes() -> None:
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed), events=1000)

        def draw(day: int, number: Number = number) -> Evidence:
            if 40 <= day < 45:
                return number.of_counts(number.previous[np.newaxis], np.array([20]))
            return number.day(np.zeros(1))

        course = follow(charts_of(NUMBER, windows_per_day=1), range(60), draw)
        assert course.alarms() == [(41, 1)]
        assert course.by_day[41][0, LEADING_ROW] == -1
        stands = [whole[0, STATUS] == STANDS for whole in course.by_day[42:]]
        assert stands == [True] * 3 + [False] * 15


def test_days_with_one_timetable_now_and_then_hide_no_upstream_that_is_stuck() -> None:
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed), events=1000)

        def draw(day: int, number: Number = number) -> Evidence:
            if day in (20, 27, 34, 40, 41, 42):
                return number.of_counts(number.previous[np.newaxis], np.array([20]))
            return number.day(np.zeros(1))

        assert follow(charts_of(NUMBER, windows_per_day=1), range(60), draw).alarms() == [(41, 1)]


def test_days_that_follow_a_timetable_repeat_nothing() -> None:
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed), events=1000)

        def draw(day: int, number: Number = number) -> Evidence:
            if day % 7 in (1, 2, 3, 4):
                return number.of_counts(number.previous[np.newaxis], np.array([20]))
            return number.day(np.zeros(1))

        course = follow(charts_of(NUMBER, windows_per_day=1), range(90), draw)
        assert -1 not in [course.by_day[day][0, LEADING_ROW] for day, _ in course.alarms()], "it is of no repeat"


@pytest.mark.parametrize("kind", ["constant", "handful"])
def test_days_of_a_constant_or_of_a_handful_of_values_repeat_nothing(kind: str) -> None:
    constant = np.zeros((1, GROUPS), dtype=np.int64)
    constant[0, GROUPS // 2] = 1000
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed), events=3)

        def draw(day: int, number: Number = number) -> Evidence:
            if kind == "constant":
                return number.of_counts(constant, np.array([20]))
            return number.day(np.zeros(1))

        assert follow(charts_of(NUMBER, windows_per_day=1), range(60), draw).alarms() == []


def test_a_night_without_events_does_not_end_an_alarm_and_a_day_does() -> None:
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed))

        def draw(day: int, number: Number = number) -> Evidence:
            evidence = number.day(daily_season(day) + (day >= DAY))
            absent = slice(0, 24) if day >= DAY + 3 else slice(0, 6)
            evidence.values[:, absent] = np.nan
            evidence.present[:, absent] = 0
            return evidence

        course = follow(charts_of(NUMBER), range(DAY + 6), draw)
        first_day, first = course.alarms()[0]
        assert first_day == DAY
        since = course.status[0, 24 * DAY + first :]
        goes_on = 24 * 3 - first + 24
        assert (since[:goes_on] >= STANDS).all()
        assert (since[goes_on:] < STANDS).all()


def test_a_weekend_that_never_has_events_does_not_end_an_alarm() -> None:
    # given a signal of working hours, about which there is an alarm from a Thursday on
    monday = DAY - DAY % 7
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed))

        def draw(day: int, number: Number = number) -> Evidence:
            evidence = number.day(daily_season(day) + (day >= monday + 3))
            is_off = is_weekend(day) or day >= monday + 16
            absent = np.array([is_off or not 9 <= hour < 17 for hour in range(24)])
            evidence.values[:, absent] = np.nan
            evidence.present[:, absent] = 0
            return evidence

        course = follow(charts_of(NUMBER), range(monday + 18), draw)
        first_day, first = course.alarms()[0]
        assert first_day == monday + 3
        # then it stands over weekends, and ends a day after the last events of a Tuesday
        since = course.status[0, 24 * first_day + first :]
        goes_on = 24 * 12 + 17 + 24 - first
        assert (since[:goes_on] >= STANDS).all()
        assert (since[goes_on:] < STANDS).all()


@pytest.mark.parametrize("opens", [20, 23, 8])
def test_a_pause_of_every_week_does_not_end_an_alarm_whatever_days_it_keeps_to(opens: int) -> None:
    """Eight hours from Sunday to Thursday: by night, and as days of another time zone are; and five whole days."""
    monday, closes = DAY - DAY % 7, (opens + 8) % 24
    of_nights = closes < opens

    def is_open(day: int, hour: int) -> bool:
        evening = hour >= opens and (of_nights or hour < closes) and day % 7 in (6, 0, 1, 2, 3)
        return evening or (of_nights and hour < closes and day % 7 in (0, 1, 2, 3, 4))

    for seed in SEEDS:
        number = Number(np.random.default_rng(seed))

        def draw(day: int, number: Number = number) -> Evidence:
            # There from a Tuesday on, and gone after the night to a Wednesday, or after that Tuesday.
            evidence = number.day(daily_season(day) + (day >= monday + 1))
            last_day = monday + (16 if of_nights else 15)
            is_there = [
                is_open(day, hour) and (day, hour) < (last_day, opens + 8 * (not of_nights)) for hour in range(24)
            ]
            absent = ~np.array(is_there)
            evidence.values[:, absent] = np.nan
            evidence.present[:, absent] = 0
            return evidence

        course = follow(charts_of(NUMBER), range(monday + 19), draw)
        first_day, first = next(alarm for alarm in course.alarms() if alarm[0] >= monday + 1)
        assert first_day == monday + 1
        since = course.status[0, 24 * first_day + first :]
        goes_on = 24 * (15 if of_nights else 14) + closes + 24 - first
        assert (since[:goes_on] >= STANDS).all()
        assert (since[goes_on:] < STANDS).all()


def test_hours_that_are_seldom_there_are_no_surprise() -> None:
    # At four in the morning there is something to measure on one night of twenty, and it is something else.
    for seed in SEEDS:
        number = Number(np.random.default_rng(seed))

        def draw(day: int, number: Number = number) -> Evidence:
            levels = daily_season(day)
            levels[4] = 3.0
            evidence = number.day(levels)
            if day % 20 != 19:
                evidence.values[:, 4] = np.nan
                evidence.present[:, 4] = 0
            return evidence

        assert follow(charts_of(NUMBER), range(62), draw).alarms() == []


def test_what_was_expected_of_a_day_is_that_of_its_windows_so_far() -> None:
    """It was that of the hour in which the day was judged: `98.9 → 73.4 over the day` was said of a day around 100."""
    season, changed, looks = 2 * np.cos(np.pi * np.arange(24) / 12), 35, []
    for seed in range(4):
        rng, charts = np.random.default_rng(seed), charts_of(((SCORE, LOCATION),))
        for day in range(changed + 10):
            charts.begin(day, weekend=is_weekend(day))
            level = rng.normal(-0.8 * (day >= changed), 0.2)
            verdicts = charts.watch(evidence_of((season + level + rng.normal(0, 0.1, 24))[None], 100.0))[0]
            for hour, verdict in enumerate([*verdicts, charts.close()[0]]):
                if day >= changed and verdict[STATUS] == EXCEEDS and verdict[SCALE] == BY_DAY:
                    assert verdict[EXPECTED] == pytest.approx(season[: hour + 1].mean(), abs=0.15)
                    looks.append(hour)
    assert {hour for hour in looks if hour < 24}, "one at least is of a part of a day"
