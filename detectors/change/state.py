"""What a model's charts remember, in arrays with a row for each contrast or each series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.change.day_levels import add_squares
from detectors.change.legend import (
    BEGAN,
    BY_DAY,
    CHART,
    COMPARED,
    COURSE_DAYS,
    DAY_SQUARES,
    DAY_SUMS,
    DAYS,
    DEVIATION,
    DIRECTIONS,
    FALSE_MARKS,
    FAMILY,
    FILTER,
    FIRST_DAY,
    FIRST_ROW,
    FRESH,
    HIGHEST,
    HIGHEST_BY_DAY,
    KIND,
    LAG_DAYS,
    LEVEL,
    LEVEL_VARIANCE,
    MAGNITUDES,
    MOMENTS,
    NEW_DAY,
    OF_ALARM,
    OVERNIGHT,
    REPEATED,
    ROW,
    ROWS,
    SCALES,
    SERIES,
    SPREAD,
    STANDING,
    VARIANCE,
    WAITING,
    WINDOWS_SEEN,
)
from detectors.change.margins import IN_HOUR_SUMS, OF_HOUR
from detectors.change.threshold import HIGHEST_DAYS

__all__ = ["Kinds", "State"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

Kinds = Sequence[tuple[int, int]]
"""The kind and the family of each contrast of a series."""

LEARNED = (
    "rows", "filters", "moments", "waiting", "sampling", "recent_days", "expected", "hours_known", "totals", "parts",
    "learned_events", "of_other_days", "farthest", "margins",
    "margins_of_other_days",
)  # fmt: skip
"""What is known of contrasts, but for what was today."""

LEARNED_OF_SERIES = [FIRST_DAY, WINDOWS_SEEN, WAITING, REPEATED, COMPARED, FALSE_MARKS]

SHORT = ("hours_known", "totals", "waiting")
"""What holds numbers of seven digits only, and is most of the state."""

OF_SERIES = ("series", "weights", "highest", "passed", "counts", "course", "course_of_other_days")
"""What has a row for each series."""


@dataclass
class State:
    """The state of R contrasts of S series, as the kernels take it.

    Attributes
    ----------
    rows, filters, charts : float64 arrays [R, ROW], [R, SCALES, FILTER], [R, SCALES, MAGNITUDES, DIRECTIONS, CHART]
    moments, sums : float64 arrays [R, SCALES, MOMENTS]
        What was learned of earlier days, and what today adds up.
    waiting : float64 array [R, LAG_DAYS + 1, SCALES, MOMENTS]
        Days that are not learned from yet.
    sampling, recent, recent_days : float64 arrays [R, SCALES], [R, lags], [R, 3]
    in_day : int64 array [R]
        Windows of today so far.
    expected, hours, hours_known : float64 arrays [R, H], [R, H, 3], [R, DAYS, H]
    totals : float64 array [R, DAYS, 2]
        Of shares: what was counted on each day, out of how many events.
    parts, learned_events : float64 arrays [R, H]
        Of shares: which part of a day's events an hour has, and of how many what is expected of it was learned; NaN
        where that is not known.
    of_other_days : float64 array [R, 2, H]
        What was expected, and learned of how many events, on the last day of the other kind; NaN where that is unknown.
    in_hours, farthest : float32 arrays [R, H, IN_HOUR_SUMS], [R, COURSE_DAYS, H, OF_HOUR]
        Of windows within their hours: what today adds up, and how far they went on days before; of no hours where
        windows have no course.
    margins, margins_of_other_days : float32 arrays [R, H, 2]
        How far is no news, on days of this kind and of the other one; NaN of the other where that is not known.
    day_sums : float64 array [R, DAY_SUMS]
    series, weights, highest : float64 arrays [S, SERIES], [S, DAYS], [S, SCALES, HIGHEST_DAYS]
    passed : float32 array [S, SCALES, HIGHEST_DAYS]
        By how many nats the scores of a day passed the thresholds of the model: less than 0 if that was an alarm of
        which nobody has said that it was false, 0 if they did not.
    counts, course, course_of_other_days : float32 arrays [S, COURSE_DAYS, slots], and [S, 2, slots] twice
        Of a volume: the events of its windows, and what is expected of them beside their hours, on days of this kind
        and of the other one.
    """

    rows: Floats
    filters: Floats
    charts: Floats
    moments: Floats
    sums: Floats
    waiting: Floats
    sampling: Floats
    recent: Floats
    recent_days: Floats
    in_day: Integers
    expected: Floats
    hours: Floats
    hours_known: Floats
    totals: Floats
    parts: Floats
    learned_events: Floats
    of_other_days: Floats
    in_hours: Singles
    farthest: Singles
    margins: Singles
    margins_of_other_days: Singles
    day_sums: Floats
    series: Floats
    weights: Floats
    highest: Floats
    passed: Singles
    counts: Singles
    course: Singles
    course_of_other_days: Singles

    @classmethod
    def fresh(cls, signals: Sequence[Kinds], day: int, hours: int, lags: int, slots: int = 0) -> State:
        """Return the state of series that begin.

        Parameters
        ----------
        signals : sequence of sequence of (int, int)
            The kind and the family of each contrast of each series.
        day : int
        hours, lags, slots : int
            Parts of a day with an expectation of their own, residuals that are remembered within one, and its windows
            that may have a course within their hour.
        """
        counts, kinds = [len(signal) for signal in signals], list(chain.from_iterable(signals))
        count, series = len(kinds), len(signals)
        state = cls(
            rows=np.zeros((count, ROW)),
            filters=np.zeros((count, SCALES, FILTER)),
            charts=np.zeros((count, SCALES, MAGNITUDES, DIRECTIONS, CHART)),
            moments=np.zeros((count, SCALES, MOMENTS)),
            sums=np.zeros((count, SCALES, MOMENTS)),
            waiting=np.full((count, LAG_DAYS + 1, SCALES, MOMENTS), np.nan),
            sampling=np.full((count, SCALES), 0.01),
            recent=np.full((count, lags), np.nan),
            recent_days=np.full((count, 3), np.nan),
            in_day=np.zeros(count, dtype=np.int64),
            expected=np.full((count, hours), np.nan),
            hours=np.zeros((count, hours, 3)),
            hours_known=np.full((count, DAYS, hours), np.nan),
            totals=np.zeros((count, DAYS, 2)),
            parts=np.full((count, hours), np.nan),
            learned_events=np.full((count, hours), np.nan),
            of_other_days=np.full((count, 2, hours), np.nan),
            **_within_hours(count, hours if slots else 0),
            day_sums=np.zeros((count, DAY_SUMS)),
            series=np.zeros((series, SERIES)),
            weights=np.zeros((series, DAYS)),
            highest=np.full((series, SCALES, HIGHEST_DAYS), np.nan),
            passed=np.zeros((series, SCALES, HIGHEST_DAYS), dtype=np.float32),
            counts=np.full((series, COURSE_DAYS, slots), np.nan, dtype=np.float32),
            course=np.zeros((series, 2, slots), dtype=np.float32),
            course_of_other_days=np.zeros((series, 2, slots), dtype=np.float32),
        )
        state.rows[:, FRESH] = NEW_DAY
        for row, (kind, family) in zip(state.rows, kinds, strict=True):
            row[[KIND, FAMILY]] = kind, family
        state.sampling[:, BY_DAY] = 1e-3
        state.series[:, ROWS], state.series[:, FIRST_DAY] = counts, day
        state._set_first_rows()
        state.series[:, [HIGHEST, HIGHEST_BY_DAY]] = -np.inf
        return state

    def joined(self, other: State) -> State:
        """Return the state with the series of ``other`` behind its own."""
        both = State(*(np.concatenate((getattr(self, f.name), getattr(other, f.name))) for f in fields(self)))
        both._set_first_rows()
        return both

    def inherit(self, s: int, former: int) -> None:
        """Let series ``s``, which has just begun, know what series ``former``, with the same contrasts, has learned.

        How it has been today is its own: evidence, alarms that stand, and what there was in the hours so far.
        """
        rows, of_former = self.rows_of(s), self.rows_of(former)
        for name in LEARNED:
            getattr(self, name)[rows] = getattr(self, name)[of_former]
        self.series[s, LEARNED_OF_SERIES] = self.series[former, LEARNED_OF_SERIES]
        for name in ("weights", "passed", "counts", "course", "course_of_other_days"):
            getattr(self, name)[s] = getattr(self, name)[former]
        stands = self.rows[rows, STANDING] != 0
        filters = self.filters[rows]
        filters[stands, :, LEVEL] = 0.0
        filters[stands, :, VARIANCE] = filters[stands, :, LEVEL_VARIANCE]
        self.filters[rows] = filters
        self.rows[rows, DEVIATION] = 0.0
        self.rows[rows][:, OF_ALARM] = 0.0

    def rows_of(self, s: int) -> slice:
        """Return which rows are those of series ``s``."""
        first = int(self.series[s, FIRST_ROW])
        return slice(first, first + int(self.series[s, ROWS]))

    def without(self, gone: npt.NDArray[np.bool_]) -> State:
        """Return the state without some series, bool[S]."""
        rows = np.repeat(~gone, self.series[:, ROWS].astype(np.int64))
        rest = State(*(getattr(self, f.name)[~gone if f.name in OF_SERIES else rows] for f in fields(self)))
        rest._set_first_rows()
        return rest

    def replace(self, s: int, other: State) -> None:
        """Put the one series of ``other`` in the place of series ``s``."""
        first_row = self.series[s, FIRST_ROW]
        rows = slice(int(first_row), int(first_row + self.series[s, ROWS]))
        for f in fields(self):
            getattr(self, f.name)[slice(s, s + 1) if f.name in OF_SERIES else rows] = getattr(other, f.name)
        self.series[s, FIRST_ROW] = first_row

    def begin_row_anew(self, r: int) -> None:
        """Let contrast ``r`` forget everything, between two windows."""
        kind, family = self.rows[r, [KIND, FAMILY]].astype(int).tolist()
        fresh = State.fresh([[(kind, family)]], 0, *self._lengths())
        for f in fields(self):
            if f.name not in OF_SERIES:
                getattr(self, f.name)[r] = getattr(fresh, f.name)[0]

    def with_rows(self, added: Sequence[tuple[int, int, int, int]]) -> State:
        """Return the state with contrasts added to series; each begins when a day does.

        Parameters
        ----------
        added : sequence of (int, int, int, int)
            For each: its series, which of its contrasts it becomes, its kind and its family; series ascend.
        """
        fresh = State.fresh([[(kind, family)] for _, _, kind, family in added], 0, *self._lengths())
        at = [int(self.series[s, FIRST_ROW]) + row for s, row, _, _ in added]
        of_rows = {f.name for f in fields(self)} - set(OF_SERIES)
        state = State(
            **{
                f.name: np.insert(getattr(self, f.name), at, getattr(fresh, f.name), axis=0)
                if f.name in of_rows
                else getattr(self, f.name).copy()
                for f in fields(self)
            }
        )
        state.series[[s for s, *_ in added], ROWS] += 1
        state._set_first_rows()
        return state

    def _lengths(self) -> tuple[int, int, int]:
        return self.expected.shape[1], self.recent.shape[1], self.counts.shape[2]

    def _set_first_rows(self) -> None:
        """Say which is the first row of each series."""
        counts = self.series[:, ROWS]
        self.series[:, FIRST_ROW] = np.cumsum(counts) - counts

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        short = {name: getattr(self, name).astype(np.float32) for name in SHORT}
        return {field.name: getattr(self, field.name).copy() for field in fields(self)} | short

    @classmethod
    def restored(cls, snapshot: Mapping[str, Any], slots: int) -> State:
        """Return the state of which a snapshot was taken, with so many windows that may have a course."""
        # Earlier checkpoints have no totals, and do not know of how many events anything was learned, nor of courses.
        unknown = np.full(snapshot["expected"].shape, np.nan)
        added = {"totals": np.zeros((len(snapshot["rows"]), DAYS, 2)), "parts": unknown, "learned_events": unknown}
        added["of_other_days"] = np.stack((unknown, unknown), axis=1)
        fresh = cls.fresh([()] * len(snapshot["series"]), 0, 0, 0, slots)
        added |= {name: getattr(fresh, name) for name in ("passed", "counts", "course", "course_of_other_days")}
        added |= _within_hours(len(snapshot["rows"]), np.shape(snapshot["expected"])[1] if slots else 0)
        snapshot = {**added, **snapshot}
        long = {name: np.array(snapshot[name], dtype=np.float64) for name in SHORT}
        # Earlier checkpoints lack the last columns; what they hold began with its series.
        began = np.zeros(ROW)
        began[BEGAN] = 1.0
        long["rows"] = _widened(snapshot["rows"], ROW, began)
        long["charts"] = _widened(snapshot["charts"], CHART)
        # Levels of earlier ones went on over night as they were.
        usual = np.zeros(FILTER)
        usual[OVERNIGHT] = 1.0
        long["filters"] = _widened(snapshot["filters"], FILTER, usual)
        for name in ("moments", "sums", "waiting"):
            long[name] = _widened(snapshot[name], MOMENTS)
        long["day_sums"] = _widened(snapshot["day_sums"], DAY_SUMS)
        if np.shape(snapshot["day_sums"])[1] <= DAY_SQUARES:
            _add_hours(long["rows"], np.asarray(snapshot["hours"]), long["day_sums"])
        long["series"] = _widened(snapshot["series"], SERIES)
        return cls(**{field.name: np.array(snapshot[field.name]) for field in fields(cls)} | long)


def _within_hours(rows: int, hours: int) -> dict[str, Singles]:
    """Return what is known of windows within hours before there were any."""
    return {
        "in_hours": np.zeros((rows, hours, IN_HOUR_SUMS), dtype=np.float32),
        "farthest": np.full((rows, COURSE_DAYS, hours, OF_HOUR), np.nan, dtype=np.float32),
        "margins": np.zeros((rows, hours, 2), dtype=np.float32),
        "margins_of_other_days": np.full((rows, hours, 2), np.nan, dtype=np.float32),
    }


def _widened(stored: npt.ArrayLike, columns: int, missing: Floats | float = 0.0) -> Floats:
    """Return an array with so many columns, of which those that are not stored have a value of their own."""
    narrow = np.asarray(stored, dtype=np.float64)
    wide: Floats = np.full((*narrow.shape[:-1], columns), missing)
    wide[..., : narrow.shape[-1]] = narrow
    return wide


def _add_hours(rows: Floats, hours: Floats, day_sums: Floats) -> None:
    """Add up the squares of today's hours, float64[R, H, 3], where those of its windows were not."""
    for r in np.flatnonzero(rows[:, FAMILY] == SPREAD).tolist():
        for (spread, events, _), (location, of_location, _) in zip(hours[r], hours[r - 1], strict=True):
            if events > 0 and of_location > 0:
                add_squares(day_sums[r], spread / events, events, location / of_location)
