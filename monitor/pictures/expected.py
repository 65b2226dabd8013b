"""What the rule `change` expected of the last windows of a contrast, and what there was."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from detectors.change import legend
from monitor.evaluate.calendar import Calendar
from monitor.evaluate.expectations import ExpectedDay
from monitor.evaluate.expected_windows import alarms_over, contrasts_along, expected_days
from monitor.evaluate.window_contrasts import Measured, measured_windows
from monitor.panes.distributions import Part
from monitor.pictures.plot import Point
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["UNITS", "Drawn", "Series", "drawn"]

UNITS = {legend.LOCATION: "", legend.SPREAD: "times its usual spread", legend.VOLUMES: "events a window"}
"""What the numbers of a family of contrasts are; of a field's values nobody knows. Others are shares."""

SHARES = "% of events"


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
    over_ms = alarms_over(store, watch.name, (series.version, series.segment, series.signal), of_days_ms)
    for _, of_day in groupby(windows, key=lambda window: window[1] and window[1].from_ms):
        points += list(_of_day(list(of_day), calendar, series.contrast, ends_ms[0], over_ms))
    if all(math.isnan(point.actual) for point in points):
        return None
    # In its first days a signal has only what needs no earlier days to be measured: its rates, and the volume.
    unit = UNITS[legend.VOLUMES] if series.signal == "volume" else SHARES
    families = (contrast.family for day in days if day is not None for contrast in day.contrasts)
    return Drawn(points, next((UNITS.get(family, SHARES) for family in families), unit))


def _days(store: Store, watch: Watch, series: Series, ends_ms: range) -> list[ExpectedDay | None]:
    """Return what was expected of each window, of the one contrast alone."""
    days = expected_days(store, watch.name, (series.version, series.segment, series.signal), ends_ms)
    of_contrast = {id(day): _of_contrast(day, series.contrast) for day in days if day is not None}
    return [None if day is None else of_contrast[id(day)] for day in days]


def _of_contrast(day: ExpectedDay, name: str) -> ExpectedDay | None:
    contrasts = [contrast for contrast in day.contrasts if contrast.name == name]
    return replace(day, contrasts=contrasts) if contrasts else None


def _of_day(
    windows: Sequence[tuple[int, ExpectedDay | None, Measured]],
    calendar: Calendar,
    name: str,
    first_ms: int,
    over_ms: Collection[int],
) -> Iterator[Point]:
    """Yield those that end at ``first_ms`` or later, of the windows of a day from the first that it expects on."""
    day = windows[0][1]
    if day is None:
        for end_ms, _, of_window in windows:
            value, events = of_window.get(name, (math.nan, 1.0))
            yield Point(end_ms, value / events)
        return
    of_days_ms, measured = [end_ms for end_ms, _, _ in windows], [of_window for _, _, of_window in windows]
    for end_ms, [of_contrast] in contrasts_along(day, of_days_ms, measured, calendar, first_ms, over_ms):
        yield Point(end_ms, of_contrast.actual, of_contrast.expected, of_contrast.low, of_contrast.high)
