"""What the rule `change` expects of each series on a day, as it stands when the day begins: rows of ``expectations``.

Where somebody accepts a level within a day, there are rows of what is expected from then on.

They hold what is needed to say later what was expected of a window, how much would have alarmed, and what is the
smallest shift that can be found. Numbers have six digits: they are to be read, nothing goes on with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.change import legend
from detectors.change.courses import slots_of
from detectors.change.detectable import Onset, contrast_at, contrast_on_average, smallest_shifts
from detectors.change.expectation import expected_at
from detectors.change.looks import CHARTED_DAYS
from detectors.change.margins import left_out_at
from detectors.change.model import ModelCharts, Settings
from detectors.change.residuals import events_of, expectation_for, for_events
from detectors.change.shares import counted_shares
from detectors.change.windows import HARDLY_ANY
from detectors.performance.evidence import Scale
from monitor.evaluate.contrasts import Contrasts, share_at, usual_share
from monitor.evaluate.number_contrasts import NumberContrasts
from monitor.evaluate.number_groups import Groups
from monitor.evaluate.vector_contrasts import Directions
from monitor.events import SeriesKey
from monitor.values import DAY_MS
from sinks.store.batch import Rows, add_row, empty_rows

__all__ = ["Expectations", "ExpectedContrast", "ExpectedDay", "read_day", "smallest_in"]

Floats = NDArray[np.float64]

FILTERS = {
    "level": legend.LEVEL,
    "variance": legend.VARIANCE,
    "carry": legend.CARRY,
    "level_variance": legend.LEVEL_VARIANCE,
    "noise": legend.NOISE,
    "step": legend.STEP,
    "day_step": legend.DAY_STEP,
    "calibration": legend.CALIBRATION,
    "freedom": legend.FREEDOM,
    "freedom_fresh": legend.FREEDOM_FRESH,
    "zone": legend.ZONE,
    "overnight": legend.OVERNIGHT,
    "serial": legend.SERIAL,
    "common": legend.COMMON,
}
"""What is kept of a contrast at a scale, by its name in JSON."""

SCALES = ("window", "day")
"""The scales, in the order of `detectors.change.legend`."""

ROWS = {
    "kind": legend.KIND,
    "family": legend.FAMILY,
    "unit_sum": legend.UNIT_SUM,
    "unit_seen": legend.UNIT_SEEN,
    "uncertainty": legend.UNCERTAINTY,
    "in_hour": legend.IN_HOUR,
    "standing": legend.STANDING,
    "accepted": legend.ACCEPTED_DAY,
    "weekdays": legend.WEEKDAYS,
    "never": legend.NEVER,
    "always": legend.ALWAYS,
}
"""What is kept of a contrast beside that."""


@dataclass
class _Morning:
    """What charts hold when a day begins."""

    from_ms: int
    day: int
    settings: Settings
    begun: list[SeriesKey]
    of_whom: frozenset[SeriesKey]
    course: NDArray[np.float32]
    margins: NDArray[np.float32]
    thresholds: Floats
    limits: Floats
    rows: Floats
    filters: Floats
    sampling: Floats
    expected: Floats
    learned_events: Floats
    series: Floats


@dataclass
class Expectations:
    """The days that began in a batch of windows.

    Attributes
    ----------
    mornings : list
        Those that are not written yet.
    rows : Rows
        Of ``expectations``, of the others.
    """

    mornings: list[_Morning] = field(default_factory=list)
    rows: Rows = field(default_factory=partial(empty_rows, "expectations"))

    def note(self, charts: ModelCharts, begun: Sequence[SeriesKey], from_ms: int) -> None:
        """Note what charts expect of a day that has just begun, or from now on, with a window from ``from_ms`` on."""
        self.mornings = [morning for morning in self.mornings if morning.from_ms != from_ms]
        self.note_also(charts, begun, begun, from_ms)

    def note_also(
        self, charts: ModelCharts, begun: Sequence[SeriesKey], beginning: Sequence[SeriesKey], from_ms: int
    ) -> None:
        """Note what charts expect of some series, ``beginning``, that begin within a day with something to expect."""
        state, day = charts.state, charts.day
        assert day is not None
        arrays = (state.rows, state.filters, state.sampling, state.expected, state.learned_events, state.series)
        copies = [array.copy() for array in (charts.thresholds, charts.limits(), *arrays)]
        within_hours = state.course.copy(), state.margins.copy()
        of_whom = frozenset(beginning)
        self.mornings.append(_Morning(from_ms, day, charts.settings, list(begun), of_whom, *within_hours, *copies))

    def write(self, model: str, window_ms: int, contrasts: Mapping[SeriesKey, Contrasts]) -> None:
        """Write the mornings as rows, while contrasts have the coordinates that they had then."""
        for morning in self.mornings:
            written = _Written.of(morning)
            for series, key in sorted(enumerate(morning.begun), key=lambda item: item[1]):
                if key in morning.of_whom:
                    add_row(self.rows, _row(model, window_ms, morning, written, series, contrasts[key]))
        self.mornings = []


def _row(
    model: str, window_ms: int, morning: _Morning, written: _Written, series: int, contrasts: Contrasts
) -> dict[str, Any]:
    version, segment, signal = morning.begun[series]
    settings = morning.settings
    by_day_only = settings.windows_per_day == 1
    # What nothing is expected of is left out, its name too: that may come with a later window of the same batch.
    expected_rows, columns = written.of_series(series)
    document = {
        "signal": signal,
        "rows": len(contrasts.kinds),
        "is_number": contrasts.is_number,
        "groups": contrasts.groups() if 0 in expected_rows else None,
        "contrasts": {"name": [contrasts.name(row) for row in expected_rows], **columns},
    }
    if 0 in expected_rows and (scale := contrasts.scale()) is not None:
        document["scale"] = scale
    if (course := morning.course[series]).any():
        document["course"] = _short(course.astype(np.float64)).tolist()
    first_row = int(morning.series[series, legend.FIRST_ROW])
    of_rows = {row: morning.margins[first_row + row].T for row in expected_rows}
    if margins := {contrasts.name(row): margins for row, margins in of_rows.items() if margins.any()}:
        document["margins"] = {name: _short(of_row.astype(np.float64)).tolist() for name, of_row in margins.items()}
    if (raised := morning.limits[series] - morning.thresholds).any():
        document["raised"] = _short(raised).tolist()
    return {
        "model": model,
        "signal": signal,
        "segment": segment,
        "version": version,
        "from_ms": morning.from_ms,
        "window_ms": window_ms,
        "windows": written.windows[series],
        "windows_needed": settings.learn_windows,
        "days": morning.day - written.first_days[series],
        "days_needed": settings.learn_windows if by_day_only else CHARTED_DAYS,
        "threshold": float(morning.limits[series, legend.BY_WINDOW]),
        "day_threshold": float(morning.limits[series, legend.BY_DAY]),
        "contrasts": msgspec.json.encode(document).decode(),
    }


@dataclass
class _Written:
    """What a morning knows of the contrasts of which it expects something, with six digits.

    Attributes
    ----------
    windows, first_days : list of int
        Of each series, the windows that it had so far, and its first day.
    rows : list of int
        The contrasts, by their numbers in their series.
    stops : list of int
        Where those of each series begin in ``rows``, and those of the last one end.
    names : list of str
        What is kept of each in JSON.
    numbers, by_hour : float64 arrays [len(names) - 2, len(rows)], [2, len(rows), H]
        The last two of these are by hours.
    """

    windows: list[int]
    first_days: list[int]
    rows: list[int]
    stops: list[int]
    names: list[str]
    numbers: Floats
    by_hour: Floats

    @classmethod
    def of(cls, morning: _Morning) -> _Written:
        """Shorten the numbers of all contrasts in one go: an array costs about as much as one of its rows."""
        is_expected = np.asarray(np.isfinite(morning.expected).any(axis=1))
        rows, filters = morning.rows[is_expected], morning.filters[is_expected]
        scales, first_rows = _scales_of(morning.settings.windows_per_day), morning.series[:, legend.FIRST_ROW]
        expected_rows = np.flatnonzero(is_expected)
        numbers = [
            rows[:, list(ROWS.values())],
            morning.sampling[is_expected][:, scales],
            *(filters[:, scale, list(FILTERS.values())] for scale in scales),
        ]
        by_hour = np.stack([morning.expected[is_expected], morning.learned_events[is_expected]])
        of_series = np.searchsorted(first_rows, expected_rows, side="right") - 1
        return cls(
            windows=morning.series[:, legend.WINDOWS_SEEN].astype(np.int64).tolist(),
            first_days=morning.series[:, legend.FIRST_DAY].astype(np.int64).tolist(),
            rows=(expected_rows - first_rows[of_series].astype(np.int64)).tolist(),
            stops=np.searchsorted(expected_rows, [*first_rows, len(is_expected)]).tolist(),
            names=[
                *ROWS,
                *(f"sampling.{SCALES[scale]}" for scale in scales),
                *(f"{SCALES[scale]}.{name}" for scale in scales for name in FILTERS),
                "expected",
                "learned_events",
            ],
            numbers=_short(np.concatenate(numbers, axis=1).T),
            by_hour=_short(by_hour),
        )

    def of_series(self, series: int) -> tuple[list[int], dict[str, list[Any]]]:
        """Return the contrasts of a series, and what is kept of them by names; what is undefined is null in JSON."""
        own = slice(self.stops[series], self.stops[series + 1])
        columns = [*self.numbers[:, own].tolist(), *self.by_hour[:, own].tolist()]
        return self.rows[own], dict(zip(self.names, columns, strict=True))


def _scales_of(windows_per_day: int) -> list[int]:
    """Return the scales that judge: windows of a day are judged by days."""
    return [legend.BY_DAY] if windows_per_day == 1 else [legend.BY_WINDOW, legend.BY_DAY]


def _short(numbers: Floats) -> Floats:
    """Return numbers with six digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = 5 - np.floor(np.log10(np.abs(numbers)))
    scale = 10.0 ** np.where(np.isfinite(digits), np.clip(digits, -300, 300), 0)
    return np.asarray(np.rint(numbers * scale) / scale)


# -- read back ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExpectedContrast:
    """What is expected of one contrast.

    Attributes
    ----------
    name : str
    row : float64 array [ROW]
    filters : float64 array [SCALES, FILTER]
    sampling : float64 array [SCALES]
    expected : float64 array [H]
        By hours of the day, in the units of expectations; NaN where nothing is known.
    groups : Groups, Directions or None
        Of a number's values, or of vectors.
    learned_events : float64 array [H]
        Of a share: of how many events an hour it was learned; NaN where that is not known.
    scale : Scale or None
        Of a metric that is no share.
    course : float64 array [2, slots]
        Of a volume: what is added to it at parts of its hours, and the variance of that; of nothing else are there any.
    margins : float32 array [H, 2]
        Of anything else: how far above what is expected, and below it, windows of hours are no news; of no hours where
        they all are.
    """

    name: str
    row: Floats
    filters: Floats
    sampling: Floats
    expected: Floats
    groups: Groups | Directions | None
    learned_events: Floats
    scale: Scale | None = None
    course: Floats = field(default_factory=partial(np.empty, (2, 0)))
    margins: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 2), dtype=np.float32))

    @property
    def kind(self) -> int:
        """One of the kinds of `detectors.change.legend`."""
        return int(self.row[legend.KIND])

    @property
    def family(self) -> int:
        """One of the families of `detectors.change.legend`."""
        return int(self.row[legend.FAMILY])

    @property
    def step(self) -> float:
        """How far apart values of a number are told, where that is wider than they spread; else 0."""
        return self.groups.step if isinstance(self.groups, Groups) else 0.0

    @property
    def usual(self) -> float:
        """What is expected on average over the day, in the units of expectations; of a volume, where any events are."""
        is_silent = self.expected < HARDLY_ANY if self.kind == legend.VOLUME else np.False_
        busy = self.expected[np.isfinite(self.expected) & ~is_silent]
        return float(busy.mean() if len(busy) else np.nanmean(self.expected))

    def expected_of(self, time_of_day: float, events: float) -> float:
        """Return what is expected of a window with so many events, at a time of the day; NaN if nothing is."""
        is_alone = self.row[legend.WEEKDAYS] == legend.TOLD_APART
        expected = float(expected_at(self.expected, time_of_day, is_alone))
        if self.kind != legend.RATE:
            return expected + self._course_at(time_of_day)[0]
        hour = min(int(time_of_day * len(self.expected)), len(self.expected) - 1)
        return float(for_events(expected, self.learned_events[hour], events * self.row[legend.IN_HOUR]))

    def left_out_at(self, time_of_day: float) -> tuple[float, float]:
        """Return how far below what is expected a window is no news, as a number below 0, and how far above it."""
        in_hour, hours = float(self.row[legend.IN_HOUR]), len(self.expected)
        if in_hour <= 1 or (self.kind == legend.VOLUME and slots_of(round(in_hour * hours)) > 0):
            return 0.0, 0.0
        is_alone = self.row[legend.WEEKDAYS] == legend.TOLD_APART
        low, high = left_out_at(self.expected, self.margins, time_of_day, is_alone)
        return float(low), float(high)

    def usual_at(self, time_of_day: float, expected: float, events: float) -> float:
        """Return what is usual at a time of the day, in the units of the data: of a share, that of all its events.

        Parameters
        ----------
        time_of_day : float
        expected, events : float
            What :meth:`expected_of` says, and of how many events, where it is not known of how many it was learned.
        """
        if self.kind == legend.RATE:
            is_alone = self.row[legend.WEEKDAYS] == legend.TOLD_APART
            hour = min(int(time_of_day * len(self.expected)), len(self.expected) - 1)
            at = float(expected_at(self.expected, time_of_day, is_alone))
            share = float(counted_shares(at, self.learned_events[hour]))
            if not np.isnan(share):
                return self._if_ever(share)
        return self.usual_in_units(expected, events)

    def usual_of_day(self, events: float) -> float:
        """Return what is usual over the day, in the units of the data: of a share, that of all its events.

        Of ``events`` an hour, where it is not known of how many it was learned.
        """
        share = self._share_of_day
        return self.usual_in_units(self.usual, events) if np.isnan(share) else share

    def usual_of(self, events: float) -> float:
        """Return what windows of so many events are compared with over the day, in the units of expectations."""
        share = self._share_of_day
        return self.usual if np.isnan(share) else float(expectation_for(share, events * self.row[legend.IN_HOUR]))

    @property
    def _share_of_day(self) -> float:
        """The share of all events of a day that is usual; NaN of anything else, and where it is not known."""
        if self.kind != legend.RATE:
            return float("nan")
        shares = counted_shares(self.expected, self.learned_events)
        has_any = ~np.isnan(shares)
        events = self.learned_events[has_any]
        return self._if_ever(float(shares[has_any] @ events / events.sum())) if has_any.any() else float("nan")

    def _if_ever(self, share: float) -> float:
        """Return a share that is usual: what never happened is expected as if it had once in a while."""
        if self.row[legend.NEVER] != 0:
            return 0.0
        return 1.0 if self.row[legend.ALWAYS] != 0 else share

    def variance_at(self, time_of_day: float) -> float:
        """Return how far the course of its hours varies from day to day, at a time of the day."""
        return self._course_at(time_of_day)[1]

    def _course_at(self, time_of_day: float) -> tuple[float, float]:
        slots = self.course.shape[1]
        if not slots:
            return 0.0, 0.0
        added, variance = self.course[:, min(int(time_of_day * slots), slots - 1)].tolist()
        return added, variance

    def usual_in_units(self, expected: float, events: float) -> float:
        """Return what an expectation says, in the units of the data, of so many events.

        What never happens is expected as if it had once in a while (`detectors.change.residuals.to_expectation`).
        """
        value = self.in_units(expected)
        return usual_share(value, events) if self.kind == legend.RATE else value

    def shifted(self, residual: float, expected: float, events: float, *, on_average: bool = False) -> float | None:
        """Return what has a residual, in the units of the data; None if nothing has it.

        Parameters
        ----------
        residual, expected : float
            In the units of expectations.
        events : float
            Of the window.
        on_average : bool
            Whether the residual is the mean of those of many windows.
        """
        look_up = contrast_on_average if on_average else contrast_at
        value = float(look_up(self.row, residual, events, expected))
        if self.kind == legend.SCORE:
            return self.in_units(value)
        if np.isnan(value):
            return None
        return value / events if self.kind == legend.RATE else value

    def in_units(self, value: float) -> float:
        """Return an expectation in the units of the data: a value, a factor, a share, or a number of events."""
        if self.scale is not None:
            return self.scale.value(value)
        if isinstance(self.groups, Directions) and self.kind == legend.SCORE:
            return self.groups.in_units(self.name, value)
        if self.family == legend.LOCATION:
            return self.groups.value(value) if isinstance(self.groups, Groups) else float("nan")
        if self.family == legend.SPREAD:
            return float(np.exp(value))
        if self.kind == legend.VOLUME:
            return max(float(events_of(value, self.row[legend.IN_HOUR])), 0.0)
        return share_at(value)


@dataclass(frozen=True)
class ExpectedDay:
    """A row of ``expectations``.

    Attributes
    ----------
    from_ms, window_ms, windows, windows_needed, days, days_needed : int
    threshold, day_threshold : float
    contrasts : list of ExpectedContrast
        Those of which something is known.
    rows : int
        How many contrasts the series has.
    is_number : bool
        Whether a typical value and a spread are among them.
    raised : tuple of float
        How much higher both thresholds are than those of the model, for alarms that were called false.
    """

    from_ms: int
    window_ms: int
    windows: int
    windows_needed: int
    days: int
    days_needed: int
    threshold: float
    day_threshold: float
    contrasts: Sequence[ExpectedContrast]
    rows: int
    is_number: bool
    raised: tuple[float, float] = (0.0, 0.0)

    @property
    def accepted_spread(self) -> bool:
        """Whether a number's level was accepted, so that its spread is judged wherever that is."""
        return any(each.family == legend.SPREAD and each.row[legend.ACCEPTED_DAY] > 0 for each in self.contrasts)

    @property
    def resolves_spread(self) -> bool:
        """Whether a number's spread is judged: not at the ends of its reference, unless its level was accepted."""
        location = next((each for each in self.contrasts if each.family == legend.LOCATION), None)
        if location is None or not isinstance(location.groups, Groups) or self.accepted_spread:
            return True
        return location.groups.table.resolves(location.usual + float(location.row[legend.STANDING]))

    @property
    def windows_per_day(self) -> int:
        """1 for windows of a day or more."""
        return max(1, DAY_MS // self.window_ms)

    def alarming(self, filters: Floats, sampling: Sequence[float], *, first: bool) -> Floats:
        """Return the residuals, beyond levels, that alarm in one window by themselves, float64[R]; NaN where none does.

        Parameters
        ----------
        filters : float64 array [R, FILTER]
            The contrasts as the window before left them.
        sampling : sequence of float
            The variance that sampling gives each contrast in it.
        first : bool
            Whether it is the first of the day.
        """
        threshold = self.day_threshold if self.windows_per_day == 1 else self.threshold
        onset = Onset.in_window(first=first)
        return smallest_shifts(filters, sampling, threshold, onset, [1], contrasts=self.rows)[:, 0]


def smallest_in(days: Sequence[ExpectedDay]) -> list[Floats]:
    """Return the smallest shifts that are found in one window, in a day, in a week: of each day float64[contrasts, 3].

    In the units of expectations, by windows or by days, whichever finds less; NaN where none is found.
    """
    smallest: list[Floats] = [np.empty((0, 3))] * len(days)
    for per_day in {day.windows_per_day for day in days}:
        chosen = [i for i, day in enumerate(days) if day.windows_per_day == per_day]
        shifts = _smallest([days[i] for i in chosen], per_day)
        ends = np.cumsum([len(days[i].contrasts) for i in chosen])
        for i, of_day in zip(chosen, np.split(shifts, ends[:-1]), strict=True):
            smallest[i] = of_day
    return smallest


def _smallest(days: Sequence[ExpectedDay], per_day: int) -> Floats:
    contrasts = [contrast for day in days for contrast in day.contrasts]
    filters = np.array([contrast.filters for contrast in contrasts]).reshape(-1, legend.SCALES, legend.FILTER)
    sampling = np.array([contrast.sampling for contrast in contrasts]).reshape(-1, legend.SCALES)

    def of_each(value: Callable[[ExpectedDay], float]) -> Floats:
        return np.repeat([float(value(day)) for day in days], [len(day.contrasts) for day in days])

    def smallest_by(scale: int, thresholds: Floats, onset: Onset, within: list[int]) -> Floats:
        rows = of_each(lambda day: day.rows)
        return smallest_shifts(filters[:, scale], sampling[:, scale], thresholds, onset, within, contrasts=rows)

    within_days = [int(per_day == 1), 1, 7]
    by_day = smallest_by(legend.BY_DAY, of_each(lambda day: day.day_threshold), Onset.by_day(per_day), within_days)
    if per_day == 1:
        return by_day
    by_day[of_each(lambda day: day.days < day.days_needed) > 0] = np.nan
    within = [1, per_day, 7 * per_day]
    by_window = smallest_by(legend.BY_WINDOW, of_each(lambda day: day.threshold), Onset.by_window(per_day), within)
    return np.fmin(by_window, by_day)


def read_day(row: Mapping[str, Any]) -> ExpectedDay:
    """Read a row of ``expectations``."""
    document = msgspec.json.decode(row["contrasts"])
    groups = None if document["groups"] is None else _groups(document["groups"])
    # Rows from before labels were followed have none.
    scale = None if document.get("scale") is None else Scale(*document["scale"])
    plain = {name: row[name] for name in ExpectedDay.__dataclass_fields__ if name in row and name != "contrasts"}
    by_window, by_day = document.get("raised", (0.0, 0.0))
    # Either is left out where windows have none of their own, and rows of earlier versions know of none.
    course = np.array(document.get("course", [[], []]), dtype=np.float64)
    margins = document.get("margins", {})
    contrasts = [
        _contrast({"margins": margins.get(written["name"], [[], []])} | written, groups, scale, course)
        for written in _one_by_one(document["contrasts"])
    ]
    rows = document.get("rows", len(contrasts))
    # Rows from before findings were counted do not say it: then a number had this many contrasts, and nothing else had.
    is_number = document.get("is_number", rows == len(NumberContrasts.kinds))
    return ExpectedDay(**plain, contrasts=contrasts, rows=rows, is_number=is_number, raised=(by_window, by_day))


def _one_by_one(written: Mapping[str, list[Any]] | Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the values of each contrast by their names in JSON."""
    if isinstance(written, Mapping):
        for of_one in zip(*written.values(), strict=True):
            yield dict(zip(written, of_one, strict=True))
        return
    for contrast in written:
        # Rows of earlier versions have a document of each, with one of its own for each scale.
        values = dict(contrast)
        for name in ("sampling", *SCALES):
            values |= {f"{name}.{key}": value for key, value in values.pop(name).items()}
        yield values


def _groups(written: Mapping[str, Any]) -> Groups | Directions:
    return Directions.from_json(written) if "turns" in written else Groups.from_json(written)


def _contrast(
    written: Mapping[str, Any], groups: Groups | Directions | None, scale: Scale | None, course: Floats
) -> ExpectedContrast:
    row, filters = np.zeros(legend.ROW), np.zeros((legend.SCALES, legend.FILTER))
    for name, column in ROWS.items():
        # Rows of earlier versions do not say whether a level was accepted, nor of days of the week.
        row[column] = written.get(name, 0.0)
    for by, name in enumerate(SCALES):
        for key, column in FILTERS.items():
            # In rows of earlier versions a level goes on over night as it is, and nothing is known of the rest.
            filters[by, column] = written.get(f"{name}.{key}", 1.0 if column == legend.OVERNIGHT else 0.0)
    # Of windows of a day there is nothing by windows.
    sampling = np.array([written.get(f"sampling.{name}") for name in SCALES], dtype=np.float64)
    expected = np.array(written["expected"], dtype=np.float64)
    # Rows of earlier versions do not say it.
    learned_events = np.array(written.get("learned_events", [None] * len(expected)), dtype=np.float64)
    margins = np.array(written["margins"], dtype=np.float32).T.copy()
    return ExpectedContrast(
        written["name"], row, filters, sampling, expected, groups, learned_events, scale, course, margins
    )
