"""All signals of a model, day by day: one budget of false alarms for everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.change.absence import excuse_pauses
from detectors.change.acceptance import Acceptance, accept, align, teach, windows_stood
from detectors.change.alarms import stands_at
from detectors.change.courses import begin_course, note_counts, slots_of
from detectors.change.days import begin_day, close_day
from detectors.change.expectation import mean_of_hours
from detectors.change.false_marks import call_false, call_real, forgive_today, note_passed, raised
from detectors.change.lag import lag_of
from detectors.change.legend import (
    BY_DAY,
    BY_WINDOW,
    DAYS,
    FAMILIES,
    FAMILY,
    FIRST_DAY,
    FIRST_ROW,
    HIGHEST,
    HIGHEST_BY_DAY,
    KIND,
    LEVEL,
    LOCATION,
    RATES,
    ROWS,
    SCALES,
    SHARES,
    SPREAD,
    STANDING,
    STOOD,
    VERDICT,
    VOLUME,
    VOLUMES,
)
from detectors.change.looks import CHARTED_DAYS
from detectors.change.renewal import Renewal, Replacement, renew
from detectors.change.state import Kinds, State
from detectors.change.threshold import HIGHEST_DAYS, threshold
from detectors.change.windows import watch_windows

__all__ = ["Evidence", "ModelCharts", "Settings"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BY_WINDOWS_SHARE = 0.5
"""Share of the budget that the scale of windows has; days have the rest, or all where a day has one window."""

ZONES = np.zeros((FAMILIES, SCALES))
"""Zones of indifference by family and scale, in the units of residuals."""
ZONES[[LOCATION, SPREAD, VOLUMES]] = [0.01, 0.03], [0.01, 0.02], [0.01, 0.03]
ZONES[[RATES, SHARES]] = [0.005, 0.01], [0.005, 0.02]

EARLY, EARLY_PER_HOUR = np.zeros(FAMILIES), np.zeros(FAMILIES)
"""How far a level may move from one window to the next, and within an hour, while no day is known."""
EARLY[[LOCATION, SPREAD, RATES, SHARES, VOLUMES]] = 0.1, 0.08, 0.04, 0.08, 0.15
EARLY_PER_HOUR[[LOCATION, SPREAD, RATES, SHARES, VOLUMES]] = 0.2, 0.15, 0.1, 0.15, 1.0

FARTHEST = 4.0
"""How far a score may pass its threshold, in nats, and still be chance: of false alarms one in fifty goes on."""

EARLY_LEAST = np.zeros(FAMILIES)
"""The same for windows however short: traffic comes in bursts, and those of five minutes differ as hours do."""
EARLY_LEAST[VOLUMES] = EARLY[VOLUMES] + EARLY_PER_HOUR[VOLUMES]


@dataclass(frozen=True)
class Settings:
    """What a model's charts are told.

    Parameters
    ----------
    false_alarms : float
        Accepted by the whole model, a day.
    signals : int
        That the budget is for; if there are more, it is split among those.
    windows_per_day : int
        1 for windows of a day or more, which then count as days.
    learn_windows : int
        Windows of a signal before it may alarm.
    """

    false_alarms: float
    signals: int
    windows_per_day: int
    learn_windows: int = 10

    @property
    def hours(self) -> int:
        """Parts of a day that have an expectation of their own."""
        return min(24, self.windows_per_day)

    @property
    def windows_in_hour(self) -> float:
        """How many windows such a part has."""
        return self.windows_per_day / self.hours

    @property
    def lags(self) -> int:
        """Residuals that are remembered within a day."""
        return max(4, self.windows_per_day // 12) + 1

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Hours, lags, and windows that may have a course within their hour, as `State.fresh` takes them."""
        return self.hours, self.lags, slots_of(self.windows_per_day)


@dataclass
class Evidence:
    """Contrasts of windows of one day.

    Attributes
    ----------
    values, events, units : float64 arrays [R, T]
    repeats, present : float64 arrays [S, T]
    places : float64 array [T]
    """

    values: Floats
    events: Floats
    units: Floats
    repeats: Floats
    present: Floats
    places: Floats


class ModelCharts:
    """The charts of a model's signals.

    Parameters
    ----------
    settings : Settings

    Examples
    --------
    A share of one in ten, in windows of an hour with 1,000 events, that is four in ten on the fifth day:

    >>> from detectors.change.legend import EXCEEDS, RATE, RATES, STATUS
    >>> charts = ModelCharts(Settings(false_alarms=1 / 30, signals=1, windows_per_day=24))
    >>> charts.add([[(RATE, RATES)]], day=0)
    >>> rng, alarmed = np.random.default_rng(0), []
    >>> ones, places = np.ones((1, 24)), (np.arange(24) + 0.5) / 24
    >>> for day in range(6):
    ...     charts.begin(day, weekend=day % 7 >= 5)
    ...     counts = rng.binomial(1000, 0.4 if day == 4 else 0.1, (1, 24)).astype(float)
    ...     verdicts = charts.watch(Evidence(counts, 1000 * ones, ones, 0 * ones, ones, places))
    ...     alarmed += [day] * bool((verdicts[0, :, STATUS] == EXCEEDS).any())
    ...     _ = charts.close()
    >>> alarmed
    [4]
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = State.fresh([], 0, *settings.lengths)
        self.day: int | None = None
        self._weekend = np.zeros(DAYS, dtype=np.int64)
        self.thresholds = np.zeros(SCALES)
        self._set_thresholds()

    @property
    def weekend(self) -> Integers:
        """Whether a day, modulo `DAYS`, was a weekend or a holiday, int64[DAYS]."""
        return self._weekend

    def add(self, signals: Sequence[Kinds], day: int, formers: Sequence[int | None] = ()) -> None:
        """Add series behind those that there are.

        On a day that has begun, they begin with the next window, and have their part of the budget from there on.

        Parameters
        ----------
        signals : sequence of sequence of (int, int)
            The kind and the family of each contrast of each series.
        day : int
        formers : sequence of int or None
            For each of them a series with the same contrasts of which it inherits what was learned, or None.
        """
        settings, first_added = self.settings, len(self.state.series)
        # All at once, since the whole state is copied.
        self.state = self.state.joined(State.fresh(signals, day, *settings.lengths))
        for s, former in enumerate(formers, start=first_added):
            if former is not None:
                self.state.inherit(s, former)
        if self.day == day:
            self._set_thresholds(self._begin(first_added))

    def add_rows(self, added: Sequence[tuple[int, int, int, int]]) -> None:
        """Add contrasts to series, as `State.with_rows` takes them; they begin with the next day."""
        self.state = self.state.with_rows(added)

    def begin_again(self, s: int) -> None:
        """Let series ``s`` forget everything, and begin with the next window: what it was before is no usual state."""
        settings, day = self.settings, self.day
        assert day is not None
        first, count = self.state.series[s, [FIRST_ROW, ROWS]].astype(np.int64)
        kinds = [(int(row[KIND]), int(row[FAMILY])) for row in self.state.rows[first : first + count]]
        self.state.replace(s, State.fresh([kinds], day, *settings.lengths))
        self._begin(s, s + 1)

    def renew(self, s: int, renewal: Renewal | Replacement) -> None:
        """Let series ``s``, of which no alarm stands, go on in other coordinates, between two days."""
        assert self.day is not None
        renew(self.state, s, renewal, self.day + 1, self.settings.windows_per_day)

    def forget(self, gone: npt.NDArray[np.bool_]) -> None:
        """Go on without some series, bool[S], between two days."""
        self.state = self.state.without(gone)

    def idle(self) -> npt.NDArray[np.bool_]:
        """Which series have had nothing for `DAYS` days, bool[S]."""
        assert self.day is not None
        first_rows = self.state.series[:, FIRST_ROW].astype(np.int64)
        nothing = np.logical_and.reduceat(np.isnan(self.state.hours_known[:, self.day % DAYS]).all(axis=1), first_rows)
        idle = nothing & (self._ages() > DAYS)
        # Few have had nothing on the last day: these alone are looked at further.
        for s in np.flatnonzero(idle).tolist():
            idle[s] = np.isnan(self.state.hours_known[self.state.rows_of(s)]).all()
        return np.asarray(idle)

    def begin(self, day: int, *, weekend: bool) -> None:
        """Begin a day, later than the one before; on days between the two nothing was there."""
        if self.day is not None:
            for empty_day in range(self.day + 1, day):
                self._pass(empty_day)
        self.day = day
        self._weekend[day % DAYS] = weekend
        align(self.state, day, self._weekend)
        self._set_thresholds(self._begin(0))
        excuse_pauses(self.state, day, self.settings.windows_per_day)

    def accept(self, s: int, from_day: int, whole_day: int) -> None:
        """Make the level that series ``s`` has its new normal.

        Parameters
        ----------
        s : int
        from_day, whole_day : int
            In which day the level begins, and the first one that is wholly at it.
        """
        assert self.day is not None
        acceptance = Acceptance(self.day, from_day, whole_day)
        accept(self.state, s, acceptance, self._weekend, self.settings.windows_per_day)

    def teach(self, s: int, days: range, *, is_false: bool) -> None:
        """Learn from days of series ``s`` although they were alarmed, from today too if no alarm stands any more.

        Parameters
        ----------
        s : int
        days : range
        is_false : bool
            Whether there was nothing: then its threshold is raised, too (`detectors.change.false_marks`).
        """
        assert self.day is not None
        passed = range(days.start, min(days.stop, self.day))
        teach(self.state, s, passed)
        if is_false:
            call_false(self.state, s, passed)
        if self.day in days:
            forgive_today(self.state, s, is_false=is_false)

    def call_real(self, s: int, days: range) -> None:
        """Raise the threshold of series ``s`` no more for alarms that it had on days."""
        assert self.day is not None
        call_real(self.state, s, range(days.start, min(days.stop, self.day)))

    def standing(self, s: int) -> Floats:
        """Return how far each contrast of series ``s`` is off by an alarm that stands, and what was expected of which.

        float64[K, 3]: the shift, 0 without an alarm; what the day expects; the events of the days that are remembered.
        """
        rows = self.state.rows_of(s)
        shifts, levels = self.state.rows[rows, STANDING], self.state.filters[rows, BY_WINDOW, LEVEL]
        off = [stands_at(shift, level) for shift, level in zip(shifts, levels, strict=True)]
        expected = [mean_of_hours(hours) for hours in self.state.expected[rows]]
        return np.column_stack((off, expected, self.state.totals[rows, :, 1].sum(axis=1)))

    def standing_by_day(self) -> Floats:
        """Return how far each contrast is off by an alarm that stands, what the day expected, and for how many windows.

        float64[R, 3]
        """
        shifts, levels = self.state.rows[:, STANDING], self.state.filters[:, BY_WINDOW, LEVEL]
        standing = np.zeros((len(shifts), 3))
        for r in np.flatnonzero(shifts).tolist():
            shift, stood = stands_at(shifts[r], levels[r]), self.state.rows[r, STOOD]
            standing[r] = shift, mean_of_hours(self.state.expected[r]), stood
        return standing

    def windows_stood(self, s: int) -> int:
        """Return for how many windows the longest alarm of series ``s`` has stood; 0 without one."""
        return windows_stood(self.state, s)

    def _pass(self, day: int) -> None:
        """Let a day pass without anything: what was remembered in its place, weeks ago, is forgotten."""
        self.day = day
        self._weekend[day % DAYS] = False
        align(self.state, day, self._weekend)
        self._begin(0)
        excuse_pauses(self.state, day, self.settings.windows_per_day)
        windows, rows, series = self.settings.windows_per_day, len(self.state.rows), len(self.state.series)
        nothing, absent = np.full((rows, windows), np.nan), np.zeros((series, windows))
        times = (np.arange(windows) + 0.5) / windows
        self.watch(Evidence(nothing, nothing, nothing, absent, absent, times))
        self.close()

    def _begin(self, first_series: int, stop: int | None = None) -> float:
        state, settings, day = self.state, self.settings, self.day
        assert day is not None
        early = np.maximum(EARLY + EARLY_PER_HOUR * 24 / settings.windows_per_day, EARLY_LEAST)
        day_carry = begin_day(
            day, first_series, settings.windows_per_day, early, ZONES, self._weekend, state.rows, state.filters,
            state.charts, state.moments, state.sampling, state.hours_known, state.weights, state.expected,
            state.totals, state.parts, state.learned_events, state.in_day, state.of_other_days, state.series[:stop],
            state.waiting, state.farthest, state.margins, state.margins_of_other_days,
        )  # fmt: skip
        for s, row in self._volumes():
            if first_series <= s and (stop is None or s < stop):
                begin_course(
                    state.counts[s], day, int(state.series[s, FIRST_DAY]), settings.windows_per_day, self._weekend,
                    state.weights[s], state.hours_known[row], state.rows[row], state.expected[row], state.course[s],
                    state.course_of_other_days[s],
                )  # fmt: skip
        return float(day_carry)

    def _volumes(self) -> list[tuple[int, int]]:
        """Return the volumes that may have a course, each as its series and its row."""
        if not self.state.counts.shape[2]:
            return []
        first_rows = self.state.series[:, FIRST_ROW].astype(np.int64)
        series = np.flatnonzero(self.state.rows[first_rows, KIND] == VOLUME)
        return list(zip(series.tolist(), first_rows[series].tolist(), strict=True))

    def watch(self, evidence: Evidence, standing: Floats | None = None) -> Floats:
        """Watch windows of the day, float64[S, T, VERDICT].

        Parameters
        ----------
        evidence : Evidence
        standing : float64 array [R, T, 3], optional
            Zeros, where to write how far each contrast is off by an alarm that stands, what is expected of it, and for
            how many windows it has been.
        """
        state, settings = self.state, self.settings
        if standing is None:
            standing = np.zeros((*evidence.values.shape, 3))
        assert self.day is not None
        verdicts = np.zeros((len(state.series), len(evidence.places), VERDICT))
        single = settings.windows_per_day == 1
        for s, row in self._volumes():
            note_counts(state.counts[s], self.day, evidence.places, evidence.values[row])
        watch_windows(
            evidence.values, evidence.events, evidence.units, evidence.repeats, evidence.places, evidence.present,
            state.rows, state.filters, state.charts, state.sums, state.recent, state.in_day, state.expected,
            state.learned_events, state.course, state.in_hours, state.margins, state.hours, state.day_sums,
            state.series, self._ages(), self._each(1 << 40 if single else settings.learn_windows),
            self._thresholds_of(BY_WINDOW), self._thresholds_of(BY_DAY), single, verdicts, standing,
        )  # fmt: skip
        return verdicts

    def close(self) -> Floats:
        """End the day, and judge it as a whole, float64[S, VERDICT]."""
        state, settings = self.state, self.settings
        assert self.day is not None
        verdicts = np.zeros((len(state.series), VERDICT))
        enough = settings.learn_windows if settings.windows_per_day == 1 else CHARTED_DAYS
        close_day(
            self.day, settings.windows_per_day, self._weekend, self._each(enough), self._thresholds_of(BY_DAY),
            self._thresholds_of(BY_WINDOW), state.rows, state.filters, state.charts, state.moments, state.sums,
            state.waiting, state.sampling, state.recent_days, state.expected, state.hours, state.hours_known,
            state.totals, state.weights, state.day_sums, state.series, state.parts, state.in_hours, state.farthest,
            verdicts,
        )  # fmt: skip
        state.highest[:, :, self.day % HIGHEST_DAYS] = self._undisturbed_highest()
        note_passed(state, self.day, self.thresholds, self.limits())
        return verdicts

    def _undisturbed_highest(self) -> Floats:
        """Return the largest scores of the day, float64[S, SCALES]; NaN where they say nothing of undisturbed signals.

        That is while an alarm lasts, and where a score has passed its threshold so far that it is drift.
        """
        highest = self.state.series[:, [HIGHEST, HIGHEST_BY_DAY]]
        drifted = (highest > self.thresholds + FARTHEST).any(axis=1)
        undisturbed = (self._ages() >= CHARTED_DAYS) & ~self._alarm_lasts() & ~drifted
        return np.where(undisturbed[:, np.newaxis] & np.isfinite(highest), highest, np.nan)

    def _alarm_lasts(self) -> npt.NDArray[np.bool_]:
        """Return which series have an alarm that has stood for a day, bool[S]."""
        rows, count = self.state.rows, len(self.state.series)
        series = np.repeat(np.arange(count), self.state.series[:, ROWS].astype(np.int64))
        lasts = (rows[:, STANDING] != 0) & (rows[:, STOOD] >= self.settings.windows_per_day)
        return np.bincount(series[lasts], minlength=count) > 0

    def _ages(self) -> Integers:
        assert self.day is not None
        return self.day - self.state.series[:, FIRST_DAY].astype(np.int64)

    def _each(self, number: int) -> Integers:
        return np.full(len(self.state.series), number, dtype=np.int64)

    def limits(self) -> Floats:
        """Return the threshold of each series, which is that of the model, or higher; float64[S, SCALES]."""
        return np.stack([self._thresholds_of(scale) for scale in range(SCALES)], axis=1)

    def _thresholds_of(self, scale: int) -> Floats:
        thresholds = np.full(len(self.state.series), self.thresholds[scale])
        if self.day is not None and (self.state.passed[:, scale] > 0).any():
            thresholds += raised(self.state, self.day, self._rates(), scale)
        return thresholds

    def _rates(self) -> Floats:
        """Return the accepted false alarms of one series a day, float64[SCALES]."""
        settings = self.settings
        shares = (BY_WINDOWS_SHARE, 1 - BY_WINDOWS_SHARE) if settings.windows_per_day > 1 else (1.0, 1.0)
        return np.array(shares) * settings.false_alarms / max(settings.signals, len(self.state.series), 1)

    def _set_thresholds(self, day_carry: float = 0.0) -> None:
        windows = self.settings.windows_per_day
        highest = self.state.highest.copy()
        if self.day is not None and windows > 1:
            # Drift must not raise the threshold that is to find it in its first days, however many signals it moves.
            # In windows of a day that would find little more, and tell more of what a season does (a year of flights).
            highest[:, :, np.arange(self.day - self._lag(), self.day) % HIGHEST_DAYS] = np.nan
        for scale, rate in enumerate(self._rates().tolist()):
            per_day, carry = (windows, 0.0) if scale == BY_WINDOW else (1, day_carry)
            self.thresholds[scale] = threshold(highest[:, scale], rate, per_day, carry)

    def _lag(self) -> int:
        """Return the days by which expectations lag, those of the oldest series."""
        return int(lag_of(int(self._ages().max()))) if self.day is not None and len(self.state.series) else 0

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        of_day = {"day": self.day, "weekend": self._weekend.copy(), "thresholds": self.thresholds.copy()}
        return {**of_day, **self.state.snapshot()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self.day, self._weekend = snapshot["day"], np.array(snapshot["weekend"])
        self.thresholds = np.array(snapshot["thresholds"])
        self.state = State.restored(snapshot, slots_of(self.settings.windows_per_day))
