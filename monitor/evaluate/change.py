"""Changes: whether each signal still does what it does at this hour of the week, at one rate of false alarms for all.

All signals of a model, in every version and segment, and its volumes share one budget. Each has contrasts
(`contrasts`); the charts of all of them (`detectors.change`) go through the local days (`calendar`) together. Evidence
is taken from spans of one step, whatever the length of windows: overlapping windows would repeat themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.change import legend, skew
from detectors.change.accepted_skew import FEWEST_DAYS
from detectors.change.expectation import expected_over
from detectors.change.model import Evidence, Settings
from detectors.change.renewal import Renewal, Replacement
from detectors.change.skew import SKEW_SHARE, Skews
from detectors.chart.legend import (
    DRIFT,
    LEARNING,
    NO_DATA,
    OK,
    P_KIND,
    STATUS,
    SURPRISE,
    THRESHOLD,
)
from detectors.distance.contract import EFFECT, NO_TEST, STATISTIC
from monitor.alerts.verdict import OF_NO_USE, Beside, Change, ClockChange, Facts, Failure, NewNormal, NewVersion
from monitor.config.baseline import PeriodBaseline
from monitor.config.references import sharing_budget
from monitor.evaluate.calendar import Calendar, Moment
from monitor.evaluate.clock_changes import moved_by_hours
from monitor.evaluate.contrasts import DESCRIBED, Contrasts, SignalEvidence
from monitor.evaluate.expectations import Expectations
from monitor.evaluate.fallback import failed_back
from monitor.evaluate.former_versions import Off, is_as_before, stood_of
from monitor.evaluate.mark_log import Mark
from monitor.evaluate.model_evidence import ModelEvidence, Part, Standing
from monitor.evaluate.new_normals import NewNormals
from monitor.evaluate.number_windows import RECENT, Recent
from monitor.evaluate.pinned import PinnedPeriod
from monitor.evaluate.referred_contrasts import REFERENCE_EVENTS
from monitor.evaluate.tallies import CountedCharts, CountedShare
from monitor.evaluate.verdict_columns import Measured, Verdicts
from monitor.events import SeriesKey
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.store.batch import Rows

__all__ = ["DETECTOR", "DETECTORS", "Changes", "SeriesEvidence", "signals_of"]

DETECTOR = "change"
DETECTORS = [DETECTOR, "skew"]
"""The names of the detectors in scores and alerts."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CODES = np.zeros(5, dtype=np.int64)
"""What a chart's status is as the status of a verdict."""
CODES[[legend.ABSENT, legend.LEARNING, legend.QUIET]] = NO_DATA, LEARNING, OK
CODES[[legend.STANDS, legend.EXCEEDS]] = DRIFT

DATED_WITHIN_MS = 3_600_000
"""How far from where it began a change may be dated, or by two windows if they are longer."""

AS_AN_HOUR_OFF, AS_AN_HOUR_OFF_BY_DAY = (0.6, 1.4), (0.6, 4.0)
"""How many times as far as it moved another hour may be from what is usual, if it is told to be as at that hour."""

SMALLEST_EFFECT = 0.05
"""Standard deviations of the reference, or differences of 2 asin √share, below which a change does not matter."""


class SeriesEvidence(Protocol):
    """What windows say of series, and by which contrasts.

    Attributes
    ----------
    contrasts : dict of SeriesKey to Contrasts
    formers : dict of SeriesKey to SeriesKey
        Of series that began in the last batch: of which they inherit what was learned.
    """

    contrasts: dict[SeriesKey, Contrasts]
    formers: dict[SeriesKey, SeriesKey]

    def parts(self, panes: Any, ends_ms: range) -> dict[SeriesKey, Part]:
        """Return what the windows of a batch say, by series; those without anything are left out."""
        ...

    def look_day(self, panes: Any) -> int:
        """Return the next day on which coordinates are looked at; 0 if it may be any."""
        ...

    def renewals(self, day: int, may_renew: Callable[[SeriesKey], bool]) -> dict[SeriesKey, Renewal | Replacement]:
        """Renew the coordinates of series that have left them, of those that may, as a day begins."""
        ...

    def snapshot(self) -> list[dict[str, Any]]:
        """State for a checkpoint."""
        ...

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Continue from a snapshot."""
        ...


class Changes:
    """The changes of a model's signals; a :class:`~monitor.evaluate.kinds.SeriesKind`.

    Parameters
    ----------
    watch : Watch
    shown : sequence of str or None
        Makes no difference: a signal has one test.
    pinned : PinnedPeriod or None
        With what skews compare, if it is a period.
    evidence : SeriesEvidence or None
        Of other series than those of panes.
    settings : Settings or None
        Those of the charts, if not those of panes.
    """

    def __init__(
        self,
        watch: Watch,
        shown: Sequence[str] | None,
        pinned: PinnedPeriod | None = None,
        evidence: SeriesEvidence | None = None,
        settings: Settings | None = None,
    ) -> None:
        detect = watch.model.spec.detect
        self._watch, self._pinned = watch, pinned
        self._calendar = Calendar(detect.time_zone, detect.holidays, detect.defaults.step_ms, detect.defaults.offset)
        settings = settings_of(watch) if settings is None else settings
        self._charts = CountedCharts(settings)
        self._skews = Skews(settings.false_alarms * SKEW_SHARE / (1 - SKEW_SHARE), settings.signals)
        self._newest_skews = np.empty((0, skew.VERDICT))
        self._evidence = ModelEvidence(watch) if evidence is None else evidence
        # In the order in which they began, which is that of the charts.
        self._begun: list[SeriesKey] = []
        # Those that the charts let go of within a batch: what was said of them before that is said all the same.
        self._gone: set[SeriesKey] = set()
        # Those with a reference.
        self._referred: set[SeriesKey] = set()
        self._expectations = Expectations()
        self._new_normals = NewNormals(watch, self._calendar, self._charts, self._skews)

    @property
    def _is_on(self) -> bool:
        return self._watch.model.spec.detect.rule == DETECTOR

    def decide(self, marks: Sequence[Mark]) -> None:
        """Take in what people say of signals, for windows to come."""
        self._new_normals.marks = marks

    def advance(self, panes: Any, ends_ms: range) -> Iterator[Verdicts]:
        """Yield the verdicts on windows."""
        if not self._is_on:
            return
        self._expectations = Expectations()
        step_ms = self._watch.model.spec.detect.defaults.step_ms
        moments = [
            self._calendar.moment(end_ms) for end_ms in range(ends_ms[0], ends_ms[-1] + 2 * ends_ms.step, ends_ms.step)
        ]
        for start, stop in self._stretches(panes, [moment.day for moment in moments[:-1]]):
            yield from self._advance(panes, ends_ms[start:stop], moments[start : stop + 1])
            self._expectations.write(self._watch.name, step_ms, self._contrasts)

    def _stretches(self, panes: Any, days: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Cut windows of some days where coordinates may be renewed: what is said before that is in others."""
        start = 0
        while start < len(days):
            stop, look_day = start + 1, self._evidence.look_day(panes)
            while stop < len(days) and (days[stop] == days[stop - 1] or days[stop] < look_day):
                stop += 1
            yield start, stop
            start = stop

    def _advance(self, panes: Any, ends_ms: range, moments: Sequence[Moment]) -> Iterator[Verdicts]:
        self._gone = set()
        if self._charts.day not in (None, moments[0].day):
            self._renew(moments[0].day)
        parts = self._evidence.parts(panes, ends_ms)
        for key in self._begun:
            if key not in parts:
                parts[key] = Part.nothing(len(self._contrasts[key].kinds), len(ends_ms))
        for key, new_normal in self._new_normals.unsaid.items():
            parts[key].new_normals[0] = new_normal
        self._new_normals.unsaid = {}
        for _, of_day in groupby(range(len(ends_ms)), key=lambda t: moments[t].day):
            windows = list(of_day)
            self._watch_day(range(windows[0], windows[-1] + 1), moments, parts, ends_ms)
        for key in self._begun:
            self._contrasts[key].keep(parts[key].evidence)
        for key in sorted({*self._begun, *self._gone}):
            verdicts = self._verdicts(key, parts[key], np.array(ends_ms, dtype=np.int64))
            if len(verdicts.ends_ms):
                yield verdicts

    def _renew(self, day: int) -> None:
        """Let series whose values have left their coordinates go on in others; not while an alarm of theirs stands."""
        numbers = {key: s for s, key in enumerate(self._begun)}

        def may_renew(key: SeriesKey) -> bool:
            return key not in numbers or not self._charts.windows_stood(numbers[key])

        for key, renewal in self._evidence.renewals(day, may_renew).items():
            if key in numbers:
                self._charts.renew(numbers[key], renewal)

    def expectations(self) -> Rows:
        """Return what was expected of the days that began in the windows of the last call: rows of ``expectations``."""
        return self._expectations.rows

    def forget(self, versions: Collection[str]) -> None:
        """Let go of the series of versions, between two batches."""
        if any(gone := [key[0] in versions for key in self._begun]):
            self._let_go(np.array(gone))
        for key in [key for key in self._contrasts if key[0] in versions]:
            del self._contrasts[key]
            self._referred.discard(key)
            self._new_normals.unsaid.pop(key, None)

    def versions(self) -> Collection[str]:
        """The versions that have series."""
        return {version for version, _, _ in self._contrasts}

    # -- charts ------------------------------------------------------------------------------------------------

    def _watch_day(
        self, windows: range, moments: Sequence[Moment], parts: Mapping[SeriesKey, Part], ends_ms: range
    ) -> None:
        """Lead all charts through windows of one day."""
        moment = moments[windows[0]]
        if self._charts.day != moment.day:
            self._forget_idle(parts)
            self._charts.begin(moment.day, weekend=moment.weekend)
            self._accept(self._new_normals.adopt(ends_ms[windows.start] - ends_ms.step), windows.start, parts)
            self._expectations.note(self._charts, self._begun, ends_ms[windows.start] - ends_ms.step)
        beginning, decided = self._beginning(windows, parts), self._new_normals.due(windows, ends_ms)
        coming = [t for part in parts.values() if (t := part.evidence.first_values) is not None and t in windows]
        # A series begins with its first window, or that of its first values, whatever else is in the batch, and a mark
        # has effect from its own: the day is cut there.
        cuts = sorted({windows.start, *(t for t, _ in beginning), *(t for t, _ in decided), *coming, windows.stop})
        for start, stop in pairwise(cuts):
            self._add([key for t, key in beginning if t == start], moment.day, ends_ms[start])
            for s, key in enumerate(self._begun):
                if parts[key].evidence.first_values == start:
                    self._charts.begin_again(s)
            self._take_effect([mark for t, mark in decided if t == start], start, parts, ends_ms[start])
            self._watch_windows(range(start, stop), moments, parts)
            self._note_clock_changes(range(start, stop), moments, parts, ends_ms)
        if moments[windows.stop].day != moment.day:
            self._take(windows[-1:], self._charts.close()[:, None], parts)
            self._note_standing(windows[-1:], self._charts.standing_by_day()[:, None], parts, by_day=True)
            self._refer_to_period(ends_ms[windows[-1]], moment.day)
            self._newest_skews = self._skews.judge(self._charts.state, moment.day, self._charts.weekend)
            self._newest_skews[:, skew.ROW] -= self._first_rows()
            self._note_skews(windows[-1:], parts)

    def _refer_to_period(self, end_ms: int, day: int) -> None:
        """Take the pinned period for a reference, of the series that can be compared with it as of a day's end."""
        if self._pinned is None or not self._pinned.is_over(end_ms):
            return
        for s, (key, first_row) in enumerate(zip(self._begun, self._first_rows().astype(int).tolist(), strict=True)):
            contrasts = self._contrasts[key]
            rows = slice(first_row, first_row + len(contrasts.kinds))
            is_described = contrasts.ready_ms is not None and contrasts.ready_ms <= end_ms
            if is_described and np.isnan(self._skews.references[rows, 0]).all():
                self._skews.refer(s, rows, contrasts.level(self._pinned.parts(*key[1:])), day + 1)

    def _take_effect(self, marks: Sequence[Mark], t: int, parts: Mapping[SeriesKey, Part], end_ms: int) -> None:
        """Do what people said, before window ``t``, which ends at ``end_ms``."""
        for mark in marks:
            self._accept(self._new_normals.take_effect(mark, self._begun), t, parts)
        if marks:
            self._expectations.note(self._charts, self._begun, end_ms - self._watch.model.spec.detect.defaults.step_ms)

    def _accept(self, new_normals: Mapping[int, NewNormal], t: int, parts: Mapping[SeriesKey, Part]) -> None:
        """Note that the levels of some series are new normals from window ``t`` on."""
        for s, new_normal in new_normals.items():
            parts[self._begun[s]].new_normals[t] = new_normal
            self._newest_skews[s, [skew.SKEWED, skew.EVIDENCE]] = 0.0

    def _forget_idle(self, parts: Mapping[SeriesKey, Part]) -> None:
        """Let go of series that have had nothing for weeks, such as versions that no longer serve."""
        if not self._begun or not (idle := self._charts.idle()).any():
            return
        gone = [key for key, is_idle in zip(self._begun, idle, strict=True) if is_idle]
        for key in gone:
            parts[key].new_normals.clear()
        self._gone.update(gone)
        self._let_go(idle)

    def _let_go(self, gone: NDArray[np.bool_]) -> None:
        """Let go of the charts of some series, bool[S]."""
        self._skews.forget(gone, self._charts.state.series[:, legend.ROWS].astype(np.int64))
        self._newest_skews = self._newest_skews[~gone]
        self._charts.forget(gone)
        self._begun = [key for key, is_gone in zip(self._begun, gone.tolist(), strict=True) if not is_gone]

    def _add(self, keys: Sequence[SeriesKey], day: int, end_ms: int) -> None:
        """Let series begin with the window that ends at ``end_ms``."""
        if not keys:
            return
        numbers = {key: s for s, key in enumerate(self._begun)}
        formers = [numbers.get(former) if (former := self._evidence.formers.get(key)) else None for key in keys]
        self._charts.add([self._contrasts[key].kinds for key in keys], day, formers)
        for key, inherited in zip(keys, formers, strict=True):
            self._skews.add(self._contrasts[key].reference())
            self._begin(key)
            if inherited is not None:
                self._skews.begin(len(self._begun) - 1, day)
            self._new_normals.begin(key, len(self._begun) - 1, end_ms)
        heirs = [key for key, former in zip(keys, formers, strict=True) if former is not None]
        if heirs:
            self._note_stood(heirs)
            from_ms = end_ms - self._watch.model.spec.detect.defaults.step_ms
            self._expectations.note_also(self._charts, self._begun, heirs, from_ms)
        self._newest_skews = np.vstack((self._newest_skews, np.full((len(keys), skew.VERDICT), np.nan)))

    def _note_stood(self, heirs: Sequence[SeriesKey]) -> None:
        """Note of series that begin by what alarms the version before them was off."""
        formers = {self._evidence.formers[key] for key in heirs}
        signals, standing = {(version, signal) for version, _, signal in formers}, {}
        for s, key in enumerate(self._begun):
            if (key[0], key[2]) in signals:
                contrasts = self._contrasts[key]
                standing[key] = {
                    contrasts.name(k): Off(shift, expected, events, is_share=contrasts.kinds[k][0] == legend.RATE)
                    for k, (shift, expected, events) in enumerate(self._charts.standing(s).tolist())
                }
        for key in heirs:
            self._contrasts[key].stood = stood_of(self._evidence.formers[key], standing)

    def _begin(self, key: SeriesKey) -> None:
        first_row, contrasts = int(self._first_rows()[len(self._begun)]), self._contrasts[key]
        references = self._skews.references[first_row : first_row + len(contrasts.kinds), 0]
        # Until a period is over, and where nothing came in it, skew says so.
        if np.isfinite(references).any() or (self._pinned is not None and contrasts.is_referred):
            self._referred.add(key)
        self._begun.append(key)

    def _first_rows(self) -> Floats:
        """Return the first row of each series, float64[S]; it changes whenever the charts let go of a series."""
        return self._charts.state.series[:, legend.FIRST_ROW]

    @property
    def _contrasts(self) -> dict[SeriesKey, Contrasts]:
        return self._evidence.contrasts

    def _beginning(self, windows: range, parts: Mapping[SeriesKey, Part]) -> list[tuple[int, SeriesKey]]:
        """Which series begin in some windows, and in which."""
        first = []
        for key in parts.keys() - set(self._begun):
            occupied = np.flatnonzero(parts[key].present[windows.start : windows.stop])
            if len(occupied):
                first.append((windows.start + int(occupied[0]), key))
        return sorted(first)

    def _watch_windows(self, windows: range, moments: Sequence[Moment], parts: Mapping[SeriesKey, Part]) -> None:
        if not self._begun:
            return
        span = slice(windows.start, windows.stop)
        of_all = [parts[key] for key in self._begun]
        self._suppose_events(windows, moments, of_all)
        evidence = Evidence(
            values=np.concatenate([part.evidence.values[:, span] for part in of_all]),
            events=np.concatenate([part.evidence.events[:, span] for part in of_all]),
            units=np.concatenate([part.evidence.units[:, span] for part in of_all]),
            repeats=np.stack([part.evidence.repeats[span] for part in of_all]),
            present=np.stack([part.present[span] for part in of_all]),
            places=np.array([moments[t].time_of_day for t in windows]),
        )
        standing = np.zeros((*evidence.values.shape, 3))
        self._take(windows, self._charts.watch(evidence, standing), parts)
        self._note_standing(windows, standing, parts)
        self._note_expected(windows, evidence.places, parts)
        self._note_skews(windows, parts)

    def _note_expected(self, windows: range, places: Floats, parts: Mapping[SeriesKey, Part]) -> None:
        """Note what was expected of the values of numbers, for who compares several windows with what is usual."""
        numbers = [(s, of) for s, key in enumerate(self._begun) if (of := parts[key].evidence.numbers) is not None]
        if not numbers:
            return
        state, chosen = self._charts.state, self._first_rows()[[s for s, _ in numbers]].astype(np.int64)
        expected = np.empty((len(chosen), len(places)))
        expected_over(state.expected, state.rows, chosen, places, expected)
        for (_, of_series), of_windows in zip(numbers, expected, strict=True):
            of_series.expect(windows, of_windows)

    def _note_clock_changes(
        self, windows: range, moments: Sequence[Moment], parts: Mapping[SeriesKey, Part], ends_ms: range
    ) -> None:
        """Note how far alarms would be off if everything came an hour later or earlier since clocks have changed."""
        by_window = {t: changes for t in windows if (changes := self._calendar.clock_changes(ends_ms[t]))}
        if not by_window:
            return
        state, per_day = self._charts.state, self._charts.settings.windows_per_day
        for first_row, key in zip(self._first_rows().astype(np.int64).tolist(), self._begun, strict=True):
            for t, changes in by_window.items():
                verdict = parts[key].verdicts[t]
                is_alarm = verdict[legend.STATUS] in (legend.EXCEEDS, legend.STANDS)
                if is_alarm and verdict[legend.LEADING_ROW] >= 0:
                    row, so_far = first_row + int(verdict[legend.LEADING_ROW]), moments[t].time_of_day
                    span = so_far * per_day if verdict[legend.SCALE] == legend.BY_DAY else verdict[legend.SPAN]
                    past = np.arange(min(max(np.ceil(np.nan_to_num(span)), 1.0), per_day))
                    times = (so_far - past / per_day) % 1.0
                    parts[key].clock_changes[t] = [
                        (change, moved_by_hours(state.expected, state.rows, row, times, change.hours))
                        for change in changes
                    ]

    def _suppose_events(self, windows: range, moments: Sequence[Moment], parts: Sequence[Part]) -> None:
        """Let contrasts that have nothing in a window have the events there that they have at that hour as a rule.

        Charts learn nothing of them. What is said of an alarm that stands is said in units of so many events: of a
        single one every share is none or all.
        """
        learned, hours = self._charts.state.learned_events, self._charts.settings.hours
        in_hour = self._charts.settings.windows_in_hour
        of_hour = [min(int(moments[t].time_of_day * hours), hours - 1) for t in windows]
        for first_row, part in zip(self._first_rows().astype(np.int64).tolist(), parts, strict=True):
            span = slice(windows.start, windows.stop)
            values, events = part.evidence.values[:, span], part.evidence.events[:, span]
            lacking = np.isnan(values) & (events <= 1)
            if lacking.any():
                of_day = learned[first_row : first_row + len(values)]
                has_any = of_day > 0
                # At an hour that never has any, as many as other hours have; 0 where none is known yet.
                usual = np.where(has_any, of_day, 0.0).sum(axis=1) / np.maximum(has_any.sum(axis=1), 1)
                events[lacking] = (np.where(has_any, of_day, usual[:, None])[:, of_hour] / in_hour)[lacking]

    def _note_standing(
        self, windows: range, standing: Floats, parts: Mapping[SeriesKey, Part], *, by_day: bool = False
    ) -> None:
        """Note which rows are off by alarms that stand, float64[R, T, 3]; of a day, those that its windows lack."""
        first_rows = self._first_rows().astype(np.int64)
        for row, t in np.argwhere(standing[:, :, 0]).tolist():
            s = int(np.searchsorted(first_rows, row, side="right")) - 1
            shift, expected, stood = standing[row, t].tolist()
            of_window = parts[self._begun[s]].standing.setdefault(windows[t], {})
            off = Standing(shift, expected, by_day, int(stood), CountedShare.of(self._charts.counted[row, t]))
            of_window.setdefault(row - int(first_rows[s]), off)

    def _note_skews(self, windows: range, parts: Mapping[SeriesKey, Part]) -> None:
        for key, verdict in zip(self._begun, self._newest_skews, strict=True):
            parts[key].skews[windows.start : windows.stop] = verdict

    def _take(self, windows: range, verdicts: Floats, parts: Mapping[SeriesKey, Part]) -> None:
        """Put down what the charts say of some windows, float64[S, T, VERDICT]."""
        leading = verdicts[:, :, legend.LEADING_ROW]
        rows, is_of_row = leading.astype(np.int64), leading >= 0
        counted = self._charts.counted[np.where(is_of_row, rows, 0), np.arange(len(windows))]
        counted[~is_of_row] = np.nan
        leading[:] = np.where(leading < 0, leading, leading - self._first_rows()[:, None])
        # What a day says as a whole is said of its last window, if it says more or is all that there is.
        is_said = (verdicts[:, :, legend.SCALE] == legend.BY_WINDOW) | (verdicts[:, :, legend.STATUS] == legend.EXCEEDS)
        if self._charts.settings.windows_per_day == 1:
            is_said[:] = True
        of_all, span = is_said.all(axis=1).tolist(), slice(windows.start, windows.stop)
        for s, key in enumerate(self._begun):
            part = parts[key]
            if of_all[s]:
                part.verdicts[span], part.counted[span] = verdicts[s], counted[s]
            else:
                for t in np.flatnonzero(is_said[s]).tolist():
                    part.verdicts[windows[t]], part.counted[windows[t]] = verdicts[s, t], counted[s, t]

    def _facts(self, contrasts: Contrasts, verdict: Floats, part: Part, t: int, end_ms: int) -> Facts:
        """What a verdict on window ``t``, which ends at ``end_ms``, is about, in the units of the data."""
        status = verdict[legend.STATUS]
        if status == legend.LEARNING:
            return Facts("too_early", int(verdict[legend.WINDOWS]), self._charts.settings.learn_windows, "windows")
        contrast, by_day = int(verdict[legend.LEADING_ROW]), bool(verdict[legend.SCALE] == legend.BY_DAY)
        if contrast < 0:
            repeats = Change("repeats", np.nan, np.nan, by_day=by_day)
            return Facts(change=repeats if status in (legend.EXCEEDS, legend.STANDS) else None)
        passes = status == legend.EXCEEDS
        # An alarm that stands is of as many windows as it took to raise it.
        on_average = by_day or not passes or bool(verdict[legend.SPAN] > 1)
        shift, expected = float(verdict[legend.SHIFT]), float(verdict[legend.EXPECTED])
        span, counted = float(verdict[legend.SPAN]), CountedShare.of(part.counted[t])
        off = Standing(shift, expected, by_day, 0 if math.isnan(span) else int(span), counted, on_average)
        former = float(verdict[legend.FORMER])
        if passes and math.isfinite(former):
            change = self._way_back(contrasts, contrast, off._replace(shift=former), part.evidence, t)
        else:
            change = self._change(contrasts, contrast, off, part.evidence, t, end_ms)
        if math.isfinite(verdict[legend.COUNTED]):
            change = change._replace(after=float(verdict[legend.COUNTED]))
        since_ms = self._since_ms(verdict, end_ms) if passes else 0
        next_ms = end_ms + self._watch.model.spec.detect.defaults.step_ms
        so_far = change.by_day and not self._calendar.day_begins_between(end_ms, next_ms)
        change = change._replace(since_ms=since_ms, is_anew=passes and bool(verdict[legend.IS_ANEW]), so_far=so_far)
        return Facts(change=change, new_values=_new_values(contrasts, contrast, part.evidence, t))

    def _change(
        self, contrasts: Contrasts, row: int, off: Standing, evidence: SignalEvidence, t: int, end_ms: int
    ) -> Change:
        """Say in the units of the data how far a contrast is off in window ``t``, which ends at ``end_ms``."""
        events = float(evidence.events[row, t])
        in_hour = self._charts.settings.windows_in_hour
        if off.counted is not None:
            usual, current = off.counted
        else:
            usual = contrasts.usual(row, off.expected, events, in_hour)
            current = contrasts.shifted(row, off.expected, off.shift, events, in_hour, on_average=off.on_average)
        without = evidence.windows_without.get(t)
        if without is not None and not off.by_day and without[row] >= max(off.windows, 1):
            current = 0.0
        in_window = None if off.by_day else contrasts.measured(row, evidence, t)
        if in_window is not None and contrasts.is_misled(row, current, in_window):
            current = in_window
        by_day = off.by_day and (off.counted is None or off.windows <= 1)
        change = Change(
            contrasts.name(row), usual, current, by_day=by_day, unit=contrasts.unit_of(row),
            better=contrasts.better, age_ms=contrasts.age_ms, in_window=in_window, step=_step(contrasts, row),
        )  # fmt: skip
        per_day = self._charts.settings.windows_per_day
        windows, since_ms = off.windows, None
        if off.by_day and per_day > 1:
            windows, since_ms = RECENT, self._days_ago(end_ms, max(off.windows, 1))
        recent = contrasts.recent(evidence, t, windows if off.on_average else 1, since_ms)
        if recent is None:
            return change
        change = contrasts.plainly(change, row, off.expected, recent)
        is_plain = change.plain is not None and (change.plain.median is not None or change.plain.only is not None)
        # Of several days, or of one of many windows, it is about the newest windows alone.
        return change._replace(by_day=False) if is_plain and (off.windows > 1 or per_day > RECENT) else change

    def _way_back(self, contrasts: Contrasts, row: int, off: Standing, evidence: SignalEvidence, t: int) -> Change:
        """Say how far off a contrast was that is as usual again, in window ``t``."""
        events, in_hour = float(evidence.events[row, t]), self._charts.settings.windows_in_hour
        usual = contrasts.usual(row, off.expected, events, in_hour)
        earlier = contrasts.shifted(row, off.expected, off.shift, events, in_hour, on_average=True)
        return Change(
            contrasts.name(row), usual, earlier, by_day=off.by_day, unit=contrasts.unit_of(row),
            better=contrasts.better, age_ms=contrasts.age_ms, step=_step(contrasts, row), is_back=True,
            in_window=None if off.by_day else contrasts.measured(row, evidence, t),
        )  # fmt: skip

    def _clock_change(self, contrasts: Contrasts, verdict: Floats, part: Part, t: int) -> ClockChange | None:
        """Return the change of clocks after which a contrast is where its verdict on window ``t`` has it, if one is."""
        if t not in part.clock_changes:
            return None
        row = int(verdict[legend.LEADING_ROW])
        expected, shift = float(verdict[legend.EXPECTED]), float(verdict[legend.SHIFT])
        events, in_hour = float(part.evidence.events[row, t]), self._charts.settings.windows_in_hour
        usual = contrasts.usual(row, expected, events, in_hour)
        current = contrasts.shifted(row, expected, shift, events, in_hour, on_average=True)
        # What a day has so far is smoothed with the days before it, which were as usual.
        nearest, farthest = AS_AN_HOUR_OFF_BY_DAY if verdict[legend.SCALE] == legend.BY_DAY else AS_AN_HOUR_OFF
        for change, by in part.clock_changes[t]:
            moved = contrasts.usual(row, expected + by, events, in_hour) - usual
            if current != usual and nearest <= moved / (current - usual) <= farthest:
                return change
        return None

    def _beside(
        self, contrasts: Contrasts, leading: int, part: Part, t: int, end_ms: int
    ) -> tuple[Beside, ...]:  # fmt: skip
        """Return what is off in window ``t`` by alarms that stand, beside the contrast that its verdict names."""
        return tuple(
            Beside(
                self._change(contrasts, row, off, part.evidence, t, end_ms),
                abs(off.shift),
                _new_values(contrasts, row, part.evidence, t),
            )
            for row, off in sorted(part.standing.get(t, {}).items())
            if row != leading
        )

    def _since_ms(self, verdict: Floats, end_ms: int) -> int:
        """When what a verdict on a window is about most likely began."""
        span, step_ms = int(verdict[legend.SPAN]), self._watch.model.spec.detect.defaults.step_ms
        if verdict[legend.SCALE] == legend.BY_DAY and self._charts.settings.windows_per_day > 1:
            return self._days_ago(end_ms, span)
        return end_ms - span * step_ms

    def _days_ago(self, end_ms: int, days: int) -> int:
        """When so many days began, the one of a window that ends at ``end_ms`` among them."""
        return self._calendar.day_start(end_ms, days - 1)

    def _began_with(self, contrasts: Contrasts, version: str, change: Change, shift: float) -> NewVersion | None:
        """Return the version that came, after another, when a contrast most likely moved by ``shift``."""
        since_ms = change.since_ms
        within_ms = max(2 * self._watch.model.spec.detect.defaults.step_ms, DATED_WITHIN_MS)
        if not since_ms or contrasts.former is None or not contrasts.version_ms:
            return None
        # Its first events in a segment, or of a field, may come weeks after it.
        if since_ms > contrasts.version_ms + within_ms:
            return None
        was_off = is_as_before(shift, contrasts.stood.get(change.what, 0.0))
        return NewVersion(version, contrasts.version_ms, contrasts.former, was_off)

    def _fallback(self, key: SeriesKey, change: Change | None) -> Failure | None:
        """Return that a default answer stands for more than it did, if that is what changed."""
        answer = self._watch.fallbacks.get(key[2])
        if answer is None or change is None:
            return None
        return failed_back(change, answer, self._watch.layouts[key[2]])

    def _skew_facts(
        self, key: SeriesKey, contrasts: Contrasts, verdict: Floats, end_ms: int, recent: Recent | None
    ) -> Facts:
        if np.isnan(verdict[skew.ROW]):
            _, segment, signal = key
            lacking = None if self._pinned is None else self._pinned.lacking(segment, signal, end_ms)
            if lacking is not None:
                return lacking
            days = verdict[skew.DAYS_SEEN]
            return Facts("too_early", 0 if np.isnan(days) else int(days), FEWEST_DAYS, "days")
        contrast = int(verdict[skew.ROW])
        usual, current = (contrasts.in_units(contrast, float(verdict[i])) for i in (skew.REFERENCE, skew.CURRENT))
        step = _step(contrasts, contrast)
        name, unit = contrasts.name(contrast), contrasts.unit_of(contrast)
        change = Change(name, usual, current, by_day=True, against_reference=True, unit=unit, step=step)
        if recent is not None:
            change = contrasts.plainly(change, contrast, float(verdict[skew.REFERENCE]), recent)
        return Facts(change=change)

    def _verdicts(self, key: SeriesKey, part: Part, ends_ms: Integers) -> Verdicts:
        statuses = part.verdicts[:, legend.STATUS]
        # An alarm is said of windows without events too: it may be that of a day, and a night does not end it either.
        is_said = (part.present > 0) | (statuses == legend.STANDS) | (statuses == legend.EXCEEDS)
        occupied = np.flatnonzero((statuses != legend.ABSENT) & is_said)
        changes, skews = part.verdicts[occupied], part.skews[occupied]
        learned = part.evidence.learned[occupied]
        # What has no coordinates yet may have moved in every way but one: that its values cannot be used.
        changes[(learned != DESCRIBED) & (changes[:, legend.STATUS] == legend.QUIET), legend.STATUS] = legend.LEARNING
        # That nothing is odd is not said of windows that say nothing; an alarm that stands goes on.
        lacking = np.isin(occupied, list(part.evidence.lacking)) & (changes[:, legend.STATUS] == legend.QUIET)
        changes[lacking] = np.nan
        changes[lacking, legend.STATUS] = legend.ABSENT
        detectors = DETECTORS if key in self._referred else DETECTORS[:1]
        measured = Measured.unwritten(len(occupied), len(detectors))
        measured.numbers[:] = np.nan
        measured.codes[:] = 0
        measured.codes[:, :, P_KIND] = NO_TEST
        _write(
            measured, 0, changes[:, legend.EVIDENCE], changes[:, legend.THRESHOLD], _effects(changes),
            CODES[changes[:, legend.STATUS].astype(np.int64)],
        )  # fmt: skip
        if len(detectors) > 1:
            effects = np.abs(skews[:, skew.CURRENT] - skews[:, skew.REFERENCE])
            statuses = np.where(skews[:, skew.SKEWED] == 1, DRIFT, OK)
            statuses = np.where(np.isnan(skews[:, skew.ROW]), LEARNING, statuses)
            _write(measured, 1, skews[:, skew.EVIDENCE], skews[:, skew.THRESHOLD], effects, statuses)

        new_normals = self._new_normals.by_window(key, part.new_normals, occupied)

        # Facts are asked for when the series may be gone.
        contrasts, first_values, windows_ms = self._contrasts[key], part.evidence.first_values, ends_ms[occupied]

        def facts(of_series: Verdicts, t: int, d: int) -> Facts:
            window = int(np.searchsorted(windows_ms, of_series.ends_ms[t]))
            at, end_ms = int(occupied[window]), int(of_series.ends_ms[t])
            failure = part.evidence.failures.get(at)
            if d:
                of_skew = self._skew_facts(
                    key, contrasts, skews[window], end_ms, contrasts.recent(part.evidence, at, RECENT)
                )
                stuck = failure if _is_of_values(of_skew) else None
                return of_skew._replace(failure=self._fallback(key, of_skew.change) or stuck)
            if lacking[window]:
                reason = part.evidence.lacking[at].reason
                return Facts(sentence=reason, new_normal=new_normals.get(window))
            of_window = self._facts(contrasts, changes[window], part, at, end_ms)
            if of_window.change is not None:
                shift = float(changes[window, legend.SHIFT])
                new_version = self._began_with(contrasts, key[0], of_window.change, shift)
                odd_labels = part.evidence.odd_labels.get(at)
                no_value = part.evidence.lacking.get(at)
                of_window = of_window._replace(
                    new_version=new_version, odd_labels=odd_labels, no_value=no_value,
                    clock_change=self._clock_change(contrasts, changes[window], part, at),
                )  # fmt: skip
                if changes[window, legend.STATUS] >= legend.STANDS:
                    leading = int(changes[window, legend.LEADING_ROW])
                    beside = self._beside(contrasts, leading, part, at, end_ms)
                    of_window = of_window._replace(beside=beside)
                    if _is_of_values(of_window):
                        of_window = of_window._replace(failure=self._fallback(key, of_window.change) or failure)
            if of_window.why == "too_early":
                of_window = _learning(of_window, int(learned[window]), at == first_values)
            step = contrasts.step if learned[window] == DESCRIBED else 0.0
            return of_window._replace(step=step, new_normal=new_normals.get(window))

        step_ms = self._watch.model.spec.detect.defaults.step_ms
        least = np.full(len(detectors), SMALLEST_EFFECT)
        by_end = {int(windows_ms[window]): new_normal for window, new_normal in new_normals.items()}
        return Verdicts(
            key, detectors, least, step_ms, windows_ms, part.events[occupied], measured, facts,
            new_normals=by_end,
        )  # fmt: skip

    # -- state -------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[dict[str, Any]]:
        """State for a checkpoint."""
        if not self._contrasts:
            return []
        state = {
            "charts": self._charts.snapshot(),
            "skews": self._skews.snapshot(),
            "skews_of_series": self._newest_skews,
            "begun": [list(key) for key in self._begun],
            "new_normals": self._new_normals.snapshot(),
        }
        return [state, *self._evidence.snapshot()]

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Continue from a snapshot."""
        if not states or not self._is_on:
            return
        of_charts, *of_signals = states
        self._charts.restore(of_charts["charts"])
        self._skews.restore(of_charts["skews"])
        self._restore_skews(of_charts)
        self._new_normals.restore(of_charts.get("new_normals"))
        self._evidence.restore(of_signals)
        begun = [(version, segment, signal) for version, segment, signal in of_charts["begun"]]
        self._add_rows(begun)
        for key in begun:
            self._begin(key)

    def _add_rows(self, begun: Sequence[SeriesKey]) -> None:
        """Add the contrasts that checkpoints of earlier versions lack: what the others have learned stays."""
        added, references = [], []
        stored_rows = self._charts.state.series[:, legend.ROWS]
        for s, key in enumerate(begun):
            contrasts = self._contrasts[key]
            row = contrasts.added_row
            if row is not None and stored_rows[s] < len(contrasts.kinds):
                added.append((s, row, *contrasts.kinds[row]))
                references.append(contrasts.reference()[row])
                self._newest_skews[s, skew.ROW] += self._newest_skews[s, skew.ROW] >= row
        if added:
            first_rows = self._first_rows()
            self._skews.add_rows([int(first_rows[s]) + row for s, row, *_ in added], np.array(references))
            self._charts.add_rows(added)

    def _restore_skews(self, of_charts: Mapping[str, Any]) -> None:
        earlier = "skews_of_series" not in of_charts
        stored = np.asarray(of_charts["newest_skews" if earlier else "skews_of_series"])
        self._newest_skews = np.full((len(stored), skew.VERDICT), np.nan)
        # Checkpoints from before days were counted lack the last column.
        self._newest_skews[:, : stored.shape[1]] = stored
        if earlier:
            # They number the contrasts of all series.
            self._newest_skews[:, skew.ROW] -= self._first_rows()


def _new_values(contrasts: Contrasts, row: int, evidence: SignalEvidence, t: int) -> tuple[tuple[str, int], ...]:
    return evidence.new_values.get(t, ()) if contrasts.is_of_new_values(row) else ()


def _is_of_values(facts: Facts) -> bool:
    """Whether values moved, rather than how many of them cannot be used."""
    return facts.change is not None and facts.change.what not in OF_NO_USE


def _step(contrasts: Contrasts, row: int) -> float:
    """How far apart what a contrast is about is told, if it is a typical value."""
    return contrasts.step if contrasts.kinds[row][1] == legend.LOCATION else 0.0


def _learning(facts: Facts, values: int, come_now: bool) -> Facts:
    """Say of how much a signal has learned that which it waits for, and whether it has ever had a value."""
    if come_now:
        return facts._replace(why="values_come")
    if values == 0:
        return Facts("no_value", 0, REFERENCE_EVENTS, "values")
    if facts.seen > facts.needed:
        return Facts("too_early", min(values, REFERENCE_EVENTS), REFERENCE_EVENTS, "values")
    return facts


def _effects(changes: Floats) -> Floats:
    """Return how far off what charts say of windows is, float64[T]: of what is back, how far it was."""
    former, shift = changes[:, legend.FORMER], changes[:, legend.SHIFT]
    return np.abs(np.where(np.isfinite(former), former, shift))


def _write(measured: Measured, d: int, evidence: Floats, thresholds: Floats, effects: Floats, statuses: Any) -> None:
    """Write what test ``d`` says of each window."""
    measured.numbers[:, d, STATISTIC] = measured.numbers[:, d, SURPRISE] = evidence
    measured.numbers[:, d, THRESHOLD] = thresholds
    measured.numbers[:, d, EFFECT] = effects
    measured.codes[:, d, STATUS] = statuses


def signals_of(watch: Watch) -> int:
    """Return how many signals share the budget of a model, counting segments: those that labels make, too."""
    segments = 1 + sum(len(segmentation.names) for segmentation in watch.segmentations)
    return segments * (len(sharing_budget(watch.uses)) + len(watch.judged_signals))


def settings_of(watch: Watch) -> Settings:
    """Return what a configuration says to the charts of its signals."""
    detect = watch.model.spec.detect
    # Where there is a reference, skew has its share of the budget.
    has_reference = watch.reference or isinstance(watch.model.spec.baseline, PeriodBaseline)
    share = 1 - SKEW_SHARE if has_reference else 1.0
    return Settings(
        false_alarms=share * detect.false_alarms.count * DAY_MS / detect.false_alarms.per_ms,
        signals=signals_of(watch),
        windows_per_day=max(1, DAY_MS // detect.defaults.step_ms),
        learn_windows=detect.defaults.learn_windows,
    )
