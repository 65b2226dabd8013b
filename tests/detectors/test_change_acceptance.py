"""Accepted levels in the charts: quiet afterwards, sharp at once, and none of their neighbours' business."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import acceptance
from detectors.change.legend import EXCEEDS, LEARNING, LOCATION, QUIET, SCORE, SPREAD, STANDING, STATUS, WINDOWS
from detectors.change.model import Evidence, ModelCharts, Settings
from tests.detectors.change_streams import (
    COUNT,
    NUMBER,
    SHARE,
    Number,
    beside,
    charts_of,
    cut,
    daily_season,
    evidence_of,
    is_weekend,
)

Floats = npt.NDArray[np.float64]

CHANGE = (21, 10)
"""The day and the hour from which on the level is another."""


class Watched:
    """A number with a daily season and a shift, hour by hour; a share beside it stays as it is."""

    def __init__(self, shift: float, seed: int = 0, day_sd: float = 0.0) -> None:
        self.charts: ModelCharts = charts_of(NUMBER, SHARE, signals_in_all=2)
        self._rng = np.random.default_rng(seed)
        self._number, self._shift, self._day_sd = Number(self._rng), shift, day_sd
        self._day, self._hour = -1, 24
        self.alarms: list[tuple[int, int, int]] = []
        """Series, day and hour; hour 24 is the day as a whole."""

    def run(self, day: int, hour: int, more: float = 0.0) -> Watched:
        """Go on until before an hour of a day; the level is higher by ``more`` meanwhile."""
        while (self._day, self._hour) < (day, hour):
            if self._hour == 24:
                self._day, self._hour = self._day + 1, 0
                self.charts.begin(self._day, weekend=is_weekend(self._day))
                self._level = self._rng.normal() * self._day_sd
                continue
            shift = self._shift * ((self._day, self._hour) >= CHANGE) + more
            drawn = self._number.day(daily_season(self._day) + self._level + shift)
            share = evidence_of(self._rng.binomial(500, 0.1, (1, 24)), 500)
            hour_of_day = cut(beside(drawn, share), self._hour, self._hour + 1)
            self._note(self.charts.watch(hour_of_day)[:, 0])
            self._hour += 1
            if self._hour == 24:
                self._note(self.charts.close())
        return self

    def accept(self, day: int, hour: int) -> Watched:
        """Accept the level from a time on."""
        self.charts.accept(0, day, day + (hour > 0))
        return self

    def _note(self, verdicts: Floats) -> None:
        self.alarms += [(s, self._day, self._hour) for s in np.flatnonzero(verdicts[:, STATUS] == EXCEEDS).tolist()]

    def alarmed(self, since: tuple[int, int]) -> list[tuple[int, int, int]]:
        return [alarm for alarm in self.alarms if alarm[1:] >= since]


@pytest.mark.parametrize("seed", range(4))
def test_vectors_that_are_accepted_are_where_they_are_along_every_direction(seed: int) -> None:
    """Those along which nothing had alarmed by then were expected where they had been, and alarmed an hour later."""
    rng, (day_of_change, hour), days = np.random.default_rng([seed, 29]), CHANGE, 28
    charts = charts_of(((SCORE, LOCATION), (SCORE, SPREAD)) * 8, false_alarms=1 / 7)
    moved = np.zeros(16)
    alarms: list[int] = []
    moved[::2], moved[1::2] = rng.normal(0, 2.0, 8), rng.normal(0, 0.3, 8)
    for day in range(days):
        charts.begin(day, weekend=is_weekend(day))
        values = rng.normal(0, np.tile([1.0, 0.5**0.5], 8)[:, None] / 60**0.5, (16, 24))
        is_moved = np.arange(24) >= (hour if day == day_of_change else 24 * (day < day_of_change))
        evidence = evidence_of(values + moved[:, None] * is_moved, 60, np.tile([1.0, 0.5], 8)[:, None])
        # Accepted in the second hour of the change.
        cuts = (0, hour + 1, 24) if day == day_of_change else (0, 24)
        for start, stop in pairwise(cuts):
            if start:
                charts.accept(0, day, day + 1)
                alarms.clear()
            alarms += np.flatnonzero(charts.watch(cut(evidence, start, stop))[0, :, STATUS] == EXCEEDS).tolist()
        alarms += [24] * int(charts.close()[0, STATUS] == EXCEEDS)
        if day == day_of_change - 1:
            assert alarms == []
    assert alarms == []


@pytest.mark.parametrize("accepted_at", [(21, 13), (22, 0), (22, 5), (25, 0), (31, 7)])
@pytest.mark.parametrize("day_sd", [0.0, 0.25])
def test_an_accepted_level_is_quiet_whenever_it_is_accepted(accepted_at: tuple[int, int], day_sd: float) -> None:
    watched = Watched(1.0, seed=1, day_sd=day_sd).run(*accepted_at)
    assert watched.alarmed(CHANGE)[0][:2] == (0, 21)
    watched.accept(*CHANGE).run(50, 0)
    assert watched.alarmed(accepted_at) == []
    assert (watched.charts.state.rows[:, STANDING] == 0).all()


@pytest.mark.parametrize("hours", [1, 2])
@pytest.mark.parametrize("accepted_after", [2, 4, 7])
def test_a_course_that_moved_is_accepted_with_the_days_that_show_it(hours: int, accepted_after: int) -> None:
    """Such days are on average what days were. Those that came first counted for nothing, and it went on."""
    moved_on, days = 28, 42
    rng = np.random.default_rng(hours)
    charts = ModelCharts(Settings(false_alarms=1 / 7, signals=10, windows_per_day=24))
    charts.add([[(SCORE, LOCATION)]] * 10, 0)
    alarms = np.zeros(days)
    for day in range(days):
        charts.begin(day, weekend=is_weekend(day))
        if day == moved_on + accepted_after:
            assert alarms[moved_on:day].min() >= 10
            for s in range(10):
                charts.accept(s, moved_on, moved_on + 1)
        times = (np.arange(24) - hours * (day >= moved_on)) / 24
        levels = np.sin(2 * np.pi * (times + np.arange(10)[:, np.newaxis] / 10))
        values = levels + rng.normal(0, 400**-0.5, levels.shape)
        ones = np.ones(levels.shape)
        verdicts = charts.watch(Evidence(values, 400 * ones, ones, 0 * ones, ones, (np.arange(24) + 0.5) / 24))
        alarms[day] = np.count_nonzero(verdicts[:, :, STATUS] == EXCEEDS)
        charts.close()
    assert alarms[moved_on + accepted_after :].sum() <= 10


def test_windows_of_a_day_say_that_they_learn_a_level_anew_that_was_accepted_far_away() -> None:
    rng, charts, statuses, seen = np.random.default_rng(4), charts_of(NUMBER, windows_per_day=1), [], []
    number = Number(rng)
    for day in range(60):
        charts.begin(day, weekend=is_weekend(day))
        if day == 41:
            charts.accept(0, 40, 40)
        charts.watch(cut(number.day(np.full(24, 6.0 * (day >= 40))), 10, 11))
        verdict = charts.close()[0]
        statuses.append(int(verdict[STATUS]))
        seen.append(verdict[WINDOWS])
    learns = charts.settings.learn_windows
    assert statuses[:learns] == [LEARNING] * learns
    assert statuses[40] == EXCEEDS
    assert statuses[41 : 40 + learns] == [LEARNING] * (learns - 1)
    assert seen[41 : 40 + learns] == list(range(2, learns + 1))
    assert set(statuses[learns:40] + statuses[40 + learns :]) == {QUIET}


@pytest.mark.parametrize("size", [0.3, 1.0, 4.0, -2.0])
def test_a_change_that_is_accepted_beforehand_is_quiet(size: float) -> None:
    watched = Watched(size, seed=2).run(*CHANGE).accept(*CHANGE).run(45, 0)
    assert watched.alarmed(CHANGE) == []


@pytest.mark.parametrize("later", [(21, 20), (23, 5), (30, 5)])
def test_a_change_from_the_accepted_level_is_found_at_once(later: tuple[int, int]) -> None:
    watched = Watched(1.0, seed=3).run(21, 14).accept(*CHANGE).run(*later)
    watched.run(later[0], later[1] + 3, more=1.0)
    assert watched.alarmed(later)[0] <= (0, later[0], later[1] + 1)
    assert watched.alarmed(CHANGE)[-1] >= (0, *later)


@pytest.mark.parametrize("accepted_after", [0, 1, 3, 12, 60])
@pytest.mark.parametrize(
    ("signal", "usual", "new"),
    [(SHARE, 0.001, 0.3), (SHARE, 0.02, 0.7), (SHARE, 0.3, 0.05), (COUNT, 100, 1000), (COUNT, 200, 20)],
)
def test_large_changes_of_shares_and_volumes_are_accepted_too(
    signal: Sequence[tuple[int, int]], usual: float, new: float, accepted_after: int
) -> None:
    """Their residuals, and their seasons, are far from what they were."""
    rng, charts, alarms = np.random.default_rng(8), charts_of(*[signal] * 4, signals_in_all=4), 0
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(24) / 24)
    since = CHANGE[0] * 24 + CHANGE[1]
    for day in range(45):
        charts.begin(day, weekend=is_weekend(day))
        hours = day * 24 + np.arange(24)
        levels = np.tile(np.where(hours >= since, new, usual) * season, (4, 1))
        drawn = rng.binomial(120, levels) if signal is SHARE else rng.poisson(levels)
        evidence = evidence_of(drawn, 120, series=4)
        for hour in range(24):
            if hours[hour] == since + accepted_after:
                for series in range(4):
                    charts.accept(series, CHANGE[0], CHANGE[0] + 1)
            verdicts = charts.watch(cut(evidence, hour, hour + 1))[:, 0]
            alarms += (hours[hour] >= since + accepted_after) * int((verdicts[:, STATUS] == EXCEEDS).sum())
        verdicts = charts.close()
        alarms += (hours[-1] >= since + accepted_after) * int((verdicts[:, STATUS] == EXCEEDS).sum())
    assert alarms == 0


@pytest.mark.parametrize(
    ("stream", "after_hours", "seed", "most"),
    # What the others did raises no threshold, so that some days that are not known yet alarm. The last one was accepted
    # at the top of its season: its first days alarm, but not for ever.
    [
        ("season", 0, 1, 1),
        ("week", 5, 1, 1),
        ("lognormal", 5, 1, 3),
        ("lognormal", 72, 12000, 0),
        ("t3", 72, 1, 1),
        ("t3", 5, 3009, 10),
    ],
)
def test_levels_are_quiet_however_far_from_the_reference_they_are(
    stream: str, after_hours: int, seed: int, most: int
) -> None:
    """By up to four standard deviations, as ``python -m bench.acceptance`` measures it: eight signals, three weeks."""
    alarms = acceptance.watched(acceptance.Setting(stream, after_hours=after_hours), seed).alarms
    assert alarms[np.flatnonzero(acceptance.SHIFTS)].sum() <= most


@pytest.mark.parametrize("further", list(acceptance.FURTHER))
def test_three_days_after_an_acceptance_small_changes_are_found(further: str) -> None:
    setting = acceptance.Setting("season", further=further)
    assert acceptance.watched(setting, seed=1).found[np.abs(acceptance.SHIFTS) <= 2].all()


def test_the_way_back_is_a_change_too() -> None:
    watched = Watched(1.0, seed=4).run(25, 0).accept(*CHANGE).run(32, 10)
    watched.run(32, 13, more=-1.0)
    assert watched.alarmed((25, 0))[0][:2] == (0, 32)


@pytest.mark.parametrize("more", [0.5, -1.0])
def test_an_acceptance_after_one_of_a_level_far_away_is_quiet_too(more: float) -> None:
    """What was before the first one is no level that days after the second one are compared with."""
    watched = Watched(4.0, seed=9).run(21, 15).accept(*CHANGE).run(40, 10)
    watched.run(40, 15, more).accept(40, 10).run(55, 0, more)
    assert watched.alarmed((40, 15)) == []


@pytest.mark.parametrize(("comes", "accepted_at"), [(0, 15), (33, 15), (99, 15), (99, 5)])
def test_a_change_from_the_accepted_level_stands_whatever_else_came_late_or_never(comes: int, accepted_at: int) -> None:
    """Of three shares one is accepted at three in ten, after or before it gets there; another comes late, or never."""
    charts, rng, alarms = charts_of([SHARE[0]] * 3), np.random.default_rng(0), []
    for day in range(48):
        charts.begin(day, weekend=is_weekend(day))
        of_hours = 0.2 + 0.1 * (24 * day + np.arange(24) >= 24 * 30 + 10) + 0.15 * (day > 32)
        shares = np.stack([of_hours, np.full(24, 0.1), np.full(24, 0.05)])
        counts = rng.binomial(500, shares).astype(np.float64)
        counts[2, :] = counts[2] if day >= comes else np.nan
        drawn = evidence_of(counts, 500)
        for start, stop in ((0, accepted_at), (accepted_at, 24)):
            if (day, start) == (30, accepted_at):
                charts.accept(0, 30, 31)
            verdicts = charts.watch(cut(drawn, start, stop))
            alarms += [day] * int((verdicts[0, :, STATUS] == EXCEEDS).sum())
        alarms += [day] * int(charts.close()[0, STATUS] == EXCEEDS)
    assert [day for day in alarms if day > 30] == [33]
    assert charts.state.rows[0, STANDING] > 0


def test_an_acceptance_leaves_other_series_alone() -> None:
    accepted = Watched(1.0, seed=5).run(23, 0).accept(*CHANGE).run(30, 0)
    untouched = Watched(1.0, seed=5).run(30, 0)
    rows = accepted.charts.state.rows.shape[0] - 1
    # The budget is shared: thresholds follow from all scores, the charts of the share from its own values alone.
    assert accepted.charts.state.charts[rows].tobytes() == untouched.charts.state.charts[rows].tobytes()
    assert accepted.charts.state.hours_known[rows].tobytes() == untouched.charts.state.hours_known[rows].tobytes()


@pytest.fixture(scope="module")
def after_20_days() -> dict[float, Watched]:
    """By the shift that follows; copied by each of many examples, which differ in what comes after."""
    return {shift: Watched(shift, seed=6).run(20, 0) for shift in (1.0, 4.0)}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 7 * 24), st.integers(-5 * 24, 24), st.integers(0, 9 * 24), st.sampled_from([1.0, 4.0]))
def test_charts_go_on_from_a_snapshot_around_an_acceptance(
    after_20_days: dict[float, Watched], accepted: int, since: int, cut_at: int, shift: float
) -> None:
    """Whenever it is said, whatever the time from which it is to hold, and however far the level is."""
    hours = 20 * 24 + accepted
    from_hour = min(max(hours + since, 0), hours)

    def end(restart: bool) -> bytes:
        watched = deepcopy(after_20_days[shift])
        for hour in sorted({hours, 20 * 24 + cut_at}):
            watched.run(hour // 24, hour % 24)
            if hour == hours:
                watched.accept(*divmod(from_hour, 24))
            if restart and hour == 20 * 24 + cut_at:
                snapshot = watched.charts.snapshot()
                watched.charts = charts_of(NUMBER, SHARE, signals_in_all=2)
                watched.charts.restore(snapshot)
        watched.run(31, 0)
        content = [np.asarray(part).tobytes() for part in watched.charts.snapshot().values()]
        return b"".join(content) + repr(watched.alarms).encode()

    assert end(restart=True) == end(restart=False)


def test_every_number_stays_finite_when_nothing_is_known_yet() -> None:
    watched = Watched(1.0, seed=7).run(0, 3).accept(0, 1).run(1, 2).accept(1, 0).run(3, 0)
    assert np.isfinite(watched.charts.state.rows).all()
    assert np.isfinite(watched.charts.state.filters).all()
