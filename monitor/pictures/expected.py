"""What the rule `change` expected of the last windows of a contrast, and what there was."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from detectors.change import legend
from detectors.change.residuals import to_residual
from monitor.evaluate.calendar import Calendar
from monitor.evaluate.expectations import ExpectedContrast, ExpectedDay, read_day
from monitor.evaluate.window_contrasts import Measured, filters_along, measured_windows
from monitor.panes.distributions import Part
from monitor.pictures.plot import Point
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["UNITS", "Drawn", "Series", "drawn"]

UNITS = {legend.LOCATION: "", legend.SPREAD: "times its usual spread", legend.VOLUMES: "events a window"}
"""What the numbers of a family of contrasts are; of a field's values nobody knows. Others are shares."""

SHARES = "% of events"

NEAR_MS = 2 * DAY_MS
"""What was expected when a day began says nothing of windows so much later."""


@dataclass(frozen=True)
class Series:
    """What is drawn.

    Attributes
    ----------
    signal, segment, version, contrast : str
    """

    signal: str
    segment: str
    version: str
    contrast: str


@dataclass(frozen=True)
class Drawn:
    """Windows of a series, and what their numbers are.

    Attributes
    ----------
    points : list of Point
    unit : str
    """

    points: list[Point]
    unit: str

    def after(self, former: Drawn | None) -> Drawn:
        """Return these windows behind those of the version before, which are shown up to the first of these."""
        if former is None:
            return self
        first = next(i for i, point in enumerate(self.points) if not math.isnan(point.actual))
        return replace(self, points=[*former.points[:first], *self.points[first:]])

    @property
    def is_share(self) -> bool:
        """Whether they are shares of one."""
        return self.unit == SHARES


def drawn(store: Store, watch: Watch, series: Series, ends_ms: range) -> Drawn | None:
    """Return the windows that end at some times, a step apart; None if none has anything to show.

    Raises
    ------
    StoreError, InputError
        The panes that would say it are gone.
    """
    step_ms = ends_ms.step
    days = _days(store, watch, series, ends_ms)
    # What alarms depends on all windows of the day before: where the first one lies within its day, on some not drawn.
    earlier = 0 if days[0] is None else (ends_ms[0] - step_ms - days[0].from_ms) // step_ms
    of_days_ms, days = range(ends_ms[0] - earlier * step_ms, ends_ms[-1] + 1, step_ms), [days[0]] * earlier + days
    part = Part(of_days_ms[0] - step_ms, ends_ms[-1], series.version, series.segment)
    measured = measured_windows(store, watch, part, series.signal, days)
    detect = watch.model.spec.detect
    calendar, points = Calendar(detect.time_zone, detect.holidays, step_ms), []
    windows = list(zip(of_days_ms, days, measured, strict=True))
    for _, of_day in groupby(windows, key=lambda window: window[1] and window[1].from_ms):
        points += list(_of_day(list(of_day), calendar, series.contrast, ends_ms[0]))
    if all(math.isnan(point.actual) for point in points):
        return None
    # In its first days a signal has only what needs no earlier days to be measured: its rates, and the volume.
    unit = UNITS[legend.VOLUMES] if series.signal == "volume" else SHARES
    families = (contrast.family for day in days if day is not None for contrast in day.contrasts)
    return Drawn(points, next((UNITS.get(family, SHARES) for family in families), unit))


def _days(store: Store, watch: Watch, series: Series, ends_ms: range) -> list[ExpectedDay | None]:
    """Return what was expected of each window, of the one contrast alone."""
    where = {"model": watch.name, "signal": series.signal, "segment": series.segment, "version": series.version}
    span = {"from_ms": ends_ms[0] - NEAR_MS}, {"from_ms": ends_ms[-1]}
    rows = rows_of(store.read(Query("expectations", where, *span, order=("from_ms",))))
    days = [_of_contrast(read_day(row), series.contrast) for row in rows]
    starts_ms = [day.from_ms for day in days]
    newest = [bisect_right(starts_ms, end_ms - 1) - 1 for end_ms in ends_ms]
    return [
        days[i] if i >= 0 and days[i].contrasts and end_ms - starts_ms[i] <= NEAR_MS else None
        for i, end_ms in zip(newest, ends_ms, strict=True)
    ]


def _of_contrast(day: ExpectedDay, name: str) -> ExpectedDay:
    return replace(day, contrasts=[contrast for contrast in day.contrasts if contrast.name == name])


def _of_day(
    windows: Sequence[tuple[int, ExpectedDay | None, Measured]], calendar: Calendar, name: str, first_ms: int
) -> Iterator[Point]:
    """Yield those that end at ``first_ms`` or later, of the windows of a day from the first that it expects on."""
    day = windows[0][1]
    if day is None:
        for end_ms, _, of_window in windows:
            value, events = of_window.get(name, (math.nan, 1.0))
            yield Point(end_ms, value / events)
        return
    [contrast] = day.contrasts
    # A day that is expected anew, after an acceptance, begins within one.
    begins_day = calendar.day_begins_between(day.from_ms, day.from_ms + day.window_ms)
    times = [calendar.moment(end_ms).time_of_day for end_ms, _, _ in windows]
    measured = [of_window for _, _, of_window in windows]
    along = filters_along(day, measured[:-1], times[:-1], begins_day=begins_day)
    for number, (filters, time_of_day, end_ms) in enumerate(zip(along, times, (w[0] for w in windows), strict=True)):
        if end_ms < first_ms:
            continue
        value, events = measured[number].get(contrast.name, (math.nan, 1 / contrast.sampling[legend.BY_WINDOW]))
        expected = contrast.expected_of(time_of_day, events)
        if math.isnan(expected):
            yield Point(end_ms, _in_units(contrast, value, events))
            continue
        sampling = float(to_residual(contrast.row, value, events, expected)[1])
        alarming = math.nan
        if not contrast.row[legend.STANDING]:
            [alarming] = day.alarming(filters, [sampling], first=begins_day and number == 0).tolist()
        level = float(filters[0, legend.LEVEL] * filters[0, legend.CARRY])
        low, high = (_shifted(contrast, level + side * alarming, expected, events) for side in (-1, 1))
        usual = contrast.usual_in_units(expected, events)
        yield Point(end_ms, _in_units(contrast, value, events), usual, low, high)


def _in_units(contrast: ExpectedContrast, value: float, events: float) -> float:
    if contrast.kind == legend.RATE:
        return value / events
    return contrast.in_units(value) if contrast.kind == legend.SCORE else value


def _shifted(contrast: ExpectedContrast, residual: float, expected: float, events: float) -> float:
    shifted = None if math.isnan(residual) else contrast.shifted(residual, expected, events)
    return math.nan if shifted is None else shifted
