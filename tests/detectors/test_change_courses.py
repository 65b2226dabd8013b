"""Jobs in traffic that never ends: on the hour, each night, each Monday; and what fails beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bench.scheduled_jobs import (
    PATTERNS,
    Pattern,
    Traffic,
    at_three,
    from_nine,
    in_office_hours,
    none,
    on_mondays,
    on_the_hour,
)
from detectors.change.courses import slots_of
from detectors.change.legend import IN_HOUR, KIND, ROW, VOLUME
from detectors.change.model import ModelCharts
from detectors.change.residuals import to_residual
from tests.detectors.change_streams import Floats, evidence_of

SETTLED = 21


def pattern_of(jobs: Callable[[int, int], Floats], windows: int, per_hour: float = 20.0) -> Pattern:
    return Pattern("", windows, per_hour, jobs)


@pytest.mark.parametrize(
    "pattern", [*PATTERNS, pattern_of(at_three, 96), pattern_of(at_three, 1440), pattern_of(from_nine, 48, 500.0)]
)
def test_jobs_are_known_within_three_weeks(pattern: Pattern) -> None:
    for seed in range(2):
        traffic = Traffic(seed, pattern)
        traffic.run(12 * 7)
        assert len(traffic.raised_from(SETTLED)) <= 1, "one is accepted in sixty days"


@pytest.mark.parametrize(
    ("jobs", "windows", "hour"), [(at_three, 288, 3), (on_mondays, 24, 3), (on_mondays, 288, 3), (on_the_hour, 288, 0)]
)
def test_a_job_that_does_not_come_alarms_at_once(jobs: Callable[[int, int], Floats], windows: int, hour: int) -> None:
    traffic = Traffic(4, pattern_of(jobs, windows))
    traffic.run(12 * 7)
    traffic.run(1, jobs=none)
    (at, shift), *_ = traffic.raised_from(12 * 7)
    assert 12 * 7 + hour / 24 <= at <= 12 * 7 + (hour + 1) / 24
    assert shift < -1


@pytest.mark.parametrize(("share", "hours"), [(0.0, 1), (0.5, 12), (2.0, 12)])
def test_beside_jobs_an_outage_and_half_of_the_traffic_are_found_within_hours(share: float, hours: float) -> None:
    """Bursts on the hour passed for noise: a day without traffic was found on its third day, half of it never."""
    traffic = Traffic(5, pattern_of(on_the_hour, 288))
    traffic.run(5 * 7)
    traffic.run(1, share=share)
    (at, shift), *_ = traffic.raised_from(5 * 7)
    assert at <= 5 * 7 + hours / 24
    assert (shift > 0) == (share > 1)


@pytest.mark.parametrize(("windows", "hours"), [(288, 2), (24, 4)])
def test_office_hours_are_judged_by_their_own_events_and_not_by_those_of_the_night(windows: int, hours: int) -> None:
    """At one event an hour a window may have twice as many: half of two hundred took sixteen hours to be found."""
    for seed in range(4):
        traffic = Traffic(seed, pattern_of(in_office_hours, windows, 1.0))
        traffic.run(5 * 7)
        traffic.run(1, jobs=lambda day, windows: 0.5 * in_office_hours(day, windows))
        (at, shift), *_ = traffic.raised_from(5 * 7)
        assert 9 / 24 < at - 5 * 7 <= (9 + hours) / 24
        assert shift < 0


def test_weekdays_that_alarmed_do_not_leave_the_course_of_weekdays_to_weekends() -> None:
    traffic = Traffic(3, pattern_of(in_office_hours, 288, 1.0))
    traffic.run(4 * 7)
    traffic.run(4, share=1.5)
    assert {int(at) for at, _ in traffic.raised_from(4 * 7)} != set()
    traffic.run(3)
    traffic.run(7)
    assert np.abs(traffic.charts.state.course[0, 0]).max() < 0.5
    assert [at for at, shift in traffic.raised_from(5 * 7) if shift > 1] == []


def test_a_course_stays_as_it_was_while_an_alarm_of_all_traffic_stands() -> None:
    traffic = Traffic(11, pattern_of(at_three, 288, 200.0))
    traffic.run(5 * 7)
    traffic.run(10, share=0.6)
    assert len(traffic.raised_from(5 * 7)) >= 1
    assert traffic.charts.state.course[0, 0, 36] > 1
    begins = traffic.day
    traffic.run(3)
    assert [at for at, shift in traffic.raised_from(begins) if shift > 1] == []


def test_a_weekly_job_that_comes_late_is_no_reason_to_forget_it() -> None:
    late, missed = 12 * 7, 13 * 7

    def jobs(day: int, windows: int) -> Floats:
        return on_mondays({late: 1, late + 1: 0, missed: 1}.get(day, day), windows)

    traffic = Traffic(6, pattern_of(jobs, 24))
    traffic.run(15 * 7)
    raised = [(int(at), shift > 0) for at, shift in traffic.raised_from(late)]
    assert raised == [(late, False), (late + 1, True), (missed, False)]


def test_a_level_of_all_windows_is_no_course_of_any() -> None:
    """What lasts at a fifth less is found, and no window takes it for its own after three days."""
    traffic = Traffic(7, pattern_of(at_three, 288, 200.0))
    traffic.run(5 * 7)
    traffic.run(7, share=0.8)
    assert traffic.raised_from(5 * 7)
    course = traffic.charts.state.course[0, 0]
    assert np.mean(np.abs(course) > 0.1) < 0.1


def test_a_day_that_alarmed_is_no_part_of_the_course_until_it_is_accepted() -> None:
    traffic, begins = Traffic(8, pattern_of(at_three, 288, 200.0)), 5 * 7
    traffic.run(begins, jobs=none)
    traffic.run(5)
    assert [int(at) for at, shift in traffic.raised_from(begins) if shift > 5] == [*range(begins, begins + 5)]
    traffic.run(1)
    traffic.charts.accept(0, begins, begins + 1)
    traffic.run(14)
    assert len(traffic.raised_from(begins + 6)) <= 1


@pytest.mark.parametrize("jobs", [on_the_hour, at_three])
def test_a_restart_within_a_day_changes_nothing(jobs: Callable[[int, int], Floats]) -> None:
    traffic = Traffic(9, pattern_of(jobs, 288))
    traffic.run(9)
    restored = ModelCharts(traffic.charts.settings)
    counts = np.random.default_rng(9).poisson(3.0, (1, 288)).astype(float)
    evidence = evidence_of(counts, 1.0)
    traffic.charts.begin(9, weekend=False)
    restored.restore(traffic.charts.snapshot())
    np.testing.assert_array_equal(restored.watch(evidence), traffic.charts.watch(evidence))
    for charts in (traffic.charts, restored):
        charts.close()
        charts.begin(10, weekend=False)
    assert traffic.charts.state.course.any()
    np.testing.assert_array_equal(restored.state.course, traffic.charts.state.course)


def test_a_checkpoint_from_before_courses_were_known_has_none() -> None:
    traffic = Traffic(10, pattern_of(at_three, 288))
    traffic.run(9)
    snapshot = {name: value for name, value in traffic.charts.snapshot().items() if name not in ("counts", "course")}
    traffic.charts.restore(snapshot)
    assert not traffic.charts.state.course.any()
    traffic.run(3)
    assert traffic.charts.state.course.any()


def test_windows_without_jobs_have_no_course() -> None:
    for per_hour in (1.0, 20.0, 500.0):
        traffic = Traffic(12, replace(PATTERNS[0], per_hour=per_hour))
        traffic.run(3 * 7)
        assert np.mean(traffic.charts.state.course[0, 0] != 0) < 0.03


@pytest.mark.parametrize("in_hour", [1, 2, 12, 60])
@pytest.mark.parametrize("mean", [0.6, 1.0, 3.0, 20.0])
def test_thin_traffic_is_what_is_expected_of_it(in_hour: int, mean: float) -> None:
    """In windows of five minutes with one event it was expected to be 1.4, and said to be less for ever."""
    rng, row = np.random.default_rng(11), np.zeros(ROW)
    row[[KIND, IN_HOUR]] = VOLUME, in_hour
    expected = float(np.log(rng.poisson(mean * in_hour, 40_000) / in_hour + 0.5).mean())
    residuals = [to_residual(row, float(count), 1.0, expected) for count in rng.poisson(mean, 20_000)]
    assert abs(np.mean([residual for residual, _ in residuals])) < 0.03
    assert np.var([residual for residual, _ in residuals]) < residuals[0][1] * 1.04


def test_parts_of_a_day_with_a_course_are_whole_windows_and_fill_hours() -> None:
    for windows in range(1, 1441):
        slots = slots_of(windows)
        assert slots == 0 or (windows % slots == 0 and slots % 24 == 0 and 24 < slots <= 288)
