"""Traffic that comes by a timetable and at no other time: in working hours, at night, on three days, in batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from detectors.change.legend import EXCEEDS, LEADING_ROW, LOCATION, SCORE, SHIFT, SPREAD, STANDS, STATUS
from detectors.change.model import ModelCharts, Settings
from tests.detectors.change_streams import COUNT, evidence_of, is_weekend

Schedule = Callable[[int, float], bool]
"""Whether there is traffic on a day, at an hour."""

PER_HOUR = 120
SETTLED, CHANGED = 14, 35


def is_working_day(day: int) -> bool:
    return not is_weekend(day)


SCHEDULES: dict[str, Schedule] = {
    "working hours": lambda day, hour: is_working_day(day) and 9 <= hour < 17,
    "every day from nine to five": lambda day, hour: 9 <= hour < 17,
    "at night": lambda day, hour: hour >= 22 or hour < 6,
    "on weekdays": lambda day, hour: is_working_day(day),
    "on three days a week": lambda day, hour: day % 7 in (0, 2, 4),
    "on three days a week, in working hours": lambda day, hour: day % 7 in (0, 2, 4) and 9 <= hour < 17,
    "a batch a day": lambda day, hour: 3 <= hour < 4,
    "a batch on weekdays": lambda day, hour: is_working_day(day) and 3 <= hour < 4,
    "a batch each Monday": lambda day, hour: day % 7 == 0 and 3 <= hour < 4,
    # Working hours of Sydney, in UTC: Monday's begin on Sunday evening.
    "in another time zone": lambda day, hour: (day + (hour >= 22)) % 7 < 5 and (hour >= 22 or hour < 6),
}


def alarms(
    schedule: Schedule,
    windows_per_day: int,
    seed: int,
    *,
    days: int = CHANGED,
    share_from: tuple[int, float] = (99, 1.0),
) -> list[tuple[int, bool]]:
    """Return the day of each alarm, and whether there was less than expected; from a day on only a share comes."""
    rng, charts = np.random.default_rng(seed), ModelCharts(Settings(1 / 30, 2, windows_per_day))
    charts.add([COUNT], 0)
    raised = []
    for day in range(days):
        charts.begin(day, weekend=is_weekend(day))
        share = share_from[1] if day >= share_from[0] else 1.0
        counts = rng.poisson([PER_HOUR * share * mean for mean in means_of(schedule, day, windows_per_day)])
        of_day = charts.watch(evidence_of(counts.astype(float)[None], 1.0))
        verdicts = [*of_day[0], charts.close()[0]]
        raised += [(day, bool(v[SHIFT] < 0)) for v in verdicts if v[STATUS] == EXCEEDS and v[LEADING_ROW] >= 0]
    return raised


def means_of(schedule: Schedule, day: int, windows_per_day: int) -> list[float]:
    """Hours with traffic of each window."""
    minutes = np.arange(0, 24 * 60, 5).reshape(windows_per_day, -1) / 60
    return [sum(schedule(day, hour) for hour in window) / 12 for window in minutes]


@pytest.mark.parametrize("windows_per_day", [288, 24, 1])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_timetable_is_known_within_two_weeks(name: str, windows_per_day: int) -> None:
    for seed in range(2):
        raised = alarms(SCHEDULES[name], windows_per_day, seed)
        # Of a day of the week that comes for the first time, the first change within it may alarm.
        assert [day for day, _ in raised if day > SETTLED] == []
        assert len({day for day, _ in raised}) <= 6


@pytest.mark.parametrize("windows_per_day", [288, 24, 1])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_day_without_traffic_alarms_at_once(name: str, windows_per_day: int) -> None:
    raised = alarms(SCHEDULES[name], windows_per_day, 3, days=CHANGED + 1, share_from=(CHANGED, 0.0))
    assert (CHANGED, True) in raised


@pytest.mark.parametrize("name", sorted(SCHEDULES.keys() - {"a batch each Monday"}))
def test_half_of_the_traffic_alarms_within_two_days(name: str) -> None:
    raised = alarms(SCHEDULES[name], 24, 4, days=CHANGED + 3, share_from=(CHANGED, 0.5))
    assert any(less for day, less in raised if day >= CHANGED)


def test_a_batch_that_was_missed_is_one_alarm_and_the_next_one_ends_it() -> None:
    """The next Monday, as many as ever were a change, and five weeks later any batch was one."""
    missed = 20 * 7
    schedule: Schedule = lambda day, hour: day != missed and SCHEDULES["a batch each Monday"](day, hour)  # noqa: E731
    for seed in range(2):
        raised = alarms(schedule, 1, seed, days=34 * 7)
        assert [(day, less) for day, less in raised if day > SETTLED] == [(missed, True)]


@pytest.mark.parametrize("windows_per_day", [1, 24])
@pytest.mark.parametrize("name", ["a batch each Monday", "on three days a week", "on weekdays"])
def test_traffic_on_a_day_that_never_has_any_alarms_that_day(name: str, windows_per_day: int) -> None:
    """In windows of a day nothing was ever said of it."""
    extra = 20 * 7 + (5 if name == "on weekdays" else 3)
    schedule: Schedule = lambda day, hour: SCHEDULES[name](day, hour) or (day == extra and 3 <= hour < 4)  # noqa: E731
    for seed in range(2):
        raised = alarms(schedule, windows_per_day, seed, days=extra + 14)
        assert [(day, less) for day, less in raised if day > SETTLED] == [(extra, False)]


@pytest.mark.parametrize("weeks", [1, 2, 4])
def test_after_a_batch_that_came_a_day_late_one_that_is_missed_alarms(weeks: int) -> None:
    """One Tuesday with a batch undid for five weeks that days of the week were told apart."""
    late, mondays = 20 * 7, SCHEDULES["a batch each Monday"]
    missed = late + weeks * 7
    schedule: Schedule = lambda day, hour: day not in (late, missed) and mondays(day - (day == late + 1), hour)  # noqa: E731
    for seed in range(2):
        raised = alarms(schedule, 1, seed, days=missed + 3)
        expected = [(late, True), (late + 1, False), (missed, True)]
        assert [(day, less) for day, less in raised if day > SETTLED] == expected


@pytest.mark.parametrize(("name", "windows_per_day"), [("a batch each Monday", 1), ("on weekdays", 24)])
def test_a_change_that_lasts_is_learned_from_no_more_than_days_without_traffic_are(
    name: str, windows_per_day: int
) -> None:
    """Of which there were enough to learn from: after five weeks what was wrong was expected, and the alarm over."""
    changed, days = 16 * 7, 26 * 7
    rng, charts = np.random.default_rng(6), ModelCharts(Settings(1 / 30, 2, windows_per_day))
    charts.add([((SCORE, LOCATION), (SCORE, SPREAD))], 0)
    for day in range(days):
        charts.begin(day, weekend=is_weekend(day))
        is_there = np.array(means_of(SCHEDULES[name], day, windows_per_day)) > 0
        level = np.where(is_there, rng.normal(1.0 * (day >= changed), 0.05, windows_per_day), np.nan)
        evidence = evidence_of([level, np.where(is_there, 0.0, np.nan)], PER_HOUR)
        evidence.present[:] = is_there
        statuses = [*charts.watch(evidence)[0, :, STATUS], charts.close()[0, STATUS]]
        if day >= changed + 7 and is_there.any():
            assert max(statuses) >= STANDS
    assert abs(charts.state.expected[0]).max() < 0.2


def test_an_alarm_is_over_once_its_series_has_had_nothing_for_a_week() -> None:
    """A version of a weekly model has one batch: no later Monday is one on which it is missed."""
    rng, charts = np.random.default_rng(7), ModelCharts(Settings(1 / 30, 2, 1))
    charts.add([((SCORE, LOCATION), (SCORE, SPREAD))], 0)
    bad, statuses = 20 * 7, {}
    for day in range(bad + 15):
        charts.begin(day, weekend=is_weekend(day))
        is_there = day % 7 == 0 and day <= bad
        level = rng.normal(1.0 * (day == bad), 0.05) if is_there else np.nan
        evidence = evidence_of([[level], [0.0 if is_there else np.nan]], PER_HOUR)
        evidence.present[:] = is_there
        charts.watch(evidence)
        statuses[day] = charts.close()[0, STATUS]
    assert statuses[bad] == EXCEEDS
    assert {statuses[day] for day in range(bad + 1, bad + 7)} == {STANDS}
    assert statuses[bad + 14] < STANDS


def test_nothing_at_an_hour_without_traffic_does_not_end_an_outage() -> None:
    """Night after a day without traffic: nobody knows whether it is back."""
    rng, charts = np.random.default_rng(5), ModelCharts(Settings(1 / 30, 2, 24))
    charts.add([COUNT], 0)
    for day in range(22):
        charts.begin(day, weekend=is_weekend(day))
        mean = PER_HOUR * np.array(means_of(SCHEDULES["working hours"], day, 24)) * (day != 21)
        statuses = charts.watch(evidence_of(rng.poisson(mean).astype(float)[None], 1.0))[0, :, STATUS]
        charts.close()
    first = int(np.argmax(statuses == EXCEEDS))
    assert 9 <= first <= 11
    assert set(statuses[first:]) <= {EXCEEDS, STANDS}
