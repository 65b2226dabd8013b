"""What the rule `change` expected of the windows of a series, what they had, and how much would have alarmed."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detectors.change import legend
from detectors.change.residuals import to_residual
from monitor.evaluate.calendar import Calendar
from monitor.evaluate.expectations import ExpectedContrast, ExpectedDay, read_day
from monitor.evaluate.window_contrasts import Measured, filters_along
from monitor.events import SeriesKey
from monitor.values import DAY_MS
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["NEAR_MS", "ContrastInWindow", "alarms_over", "contrasts_along", "expected_days"]

NEAR_MS = 2 * DAY_MS
"""What was expected when a day began says nothing of windows so much later."""


Numbers = tuple[float, float, float, float, float, tuple[float, float]]
"""What a window has, out of how many events, what was expected of so many, how far its course varies, what is usual in
the units of the data, and between which residuals it is no news."""

_Window = tuple[int, int, NDArray[np.float64], list[Numbers]]
"""Its number in the day, its end, the levels that it finds, and the numbers of each contrast."""


@dataclass(frozen=True)
class ContrastInWindow:
    """A contrast in one window, in the units of the data; NaN where nothing says it.

    Attributes
    ----------
    contrast : ExpectedContrast
    expected, actual : float
    low, high : float
        Between which nothing would have alarmed in this window by itself.
    """

    contrast: ExpectedContrast
    expected: float
    actual: float
    low: float
    high: float


def expected_days(store: Store, model: str, series: SeriesKey, ends_ms: range) -> list[ExpectedDay | None]:
    """Return what was expected of each window, by its end, when its day began; None where nothing was.

    Parameters
    ----------
    store : Store
    model : str
    series : (str, str, str)
        Version, segment and signal.
    ends_ms : range

    Raises
    ------
    StoreError
    """
    version, segment, signal = series
    where = {"model": model, "signal": signal, "segment": segment, "version": version}
    span = {"from_ms": ends_ms[0] - NEAR_MS}, {"from_ms": ends_ms[-1]}
    days = [read_day(row) for row in rows_of(store.read(Query("expectations", where, *span, order=("from_ms",))))]
    starts_ms = [day.from_ms for day in days]
    newest = [bisect_right(starts_ms, end_ms - 1) - 1 for end_ms in ends_ms]
    return [
        days[i] if i >= 0 and end_ms - starts_ms[i] <= NEAR_MS else None
        for i, end_ms in zip(newest, ends_ms, strict=True)
    ]


def alarms_over(store: Store, model: str, series: SeriesKey, ends_ms: range) -> set[int]:
    """Return the ends of those windows in which an alarm of a series that stood was over.

    Parameters
    ----------
    store : Store
    model : str
    series : (str, str, str)
        Version, segment and signal.
    ends_ms : range

    Raises
    ------
    StoreError
    """
    version, segment, signal = series
    where = {"model": model, "signal": signal, "segment": segment, "version": version, "detector": "change"}
    # Whether an alarm stood in the window before the first one is asked, too.
    span = {"window_end_ms": ends_ms[0] - ends_ms.step}, {"window_end_ms": ends_ms[-1] + 1}
    rows = rows_of(store.read(Query("scores", where, *span, columns=("window_end_ms", "status"))))
    rows.sort(key=lambda row: int(row["window_end_ms"]))
    return {
        int(row["window_end_ms"])
        for earlier, row in pairwise(rows)
        if earlier["status"] == "drift" and row["status"] != "drift"
    }


def contrasts_along(
    day: ExpectedDay,
    ends_ms: Sequence[int],
    measured: Sequence[Measured],
    calendar: Calendar,
    first_ms: int,
    over_ms: Collection[int] = (),
) -> Iterator[tuple[int, list[ContrastInWindow]]]:
    """Yield the end of each window of a day that ends at ``first_ms`` or later, and its contrasts.

    Parameters
    ----------
    day : ExpectedDay
    ends_ms : sequence of int
        Of its windows from the first that it expects on: what alarms depends on all of them before.
    measured : sequence of Measured
        What each of them has.
    calendar : Calendar
    first_ms : int
    over_ms : collection of int
        The ends of windows in which an alarm was over: no contrast alarms in these by itself, since all begin anew.
    """
    # A day that is expected anew, after an acceptance, begins within one.
    begins_day = calendar.day_begins_between(day.from_ms, day.from_ms + day.window_ms)
    times = [calendar.moment(end_ms).time_of_day for end_ms in ends_ms]
    anew = {number for number, end_ms in enumerate(ends_ms) if end_ms in over_ms}
    along = filters_along(day, measured[:-1], times[:-1], begins_day=begins_day, anew=anew)
    windows = [
        (number, end_ms, filters, [_numbers(contrast, measured[number], times[number]) for contrast in day.contrasts])
        for number, (end_ms, filters) in enumerate(zip(ends_ms, along, strict=True))
        if end_ms >= first_ms
    ]
    # Most of the time goes by the question: all windows are asked about at once, but for one that begins the day.
    begins = 1 if begins_day and windows and windows[0][0] == 0 else 0
    ends = [*_ends(day, windows[:begins], first=True), *_ends(day, windows[begins:], first=False)]
    for (_, end_ms, _, numbers), of_window in zip(windows, ends, strict=True):
        alarming = [[math.nan, math.nan]] * len(numbers) if end_ms in over_ms else of_window
        contrasts = zip(day.contrasts, numbers, alarming, strict=True)
        yield end_ms, [_in_window(contrast, values, residuals) for contrast, values, residuals in contrasts]


def _ends(day: ExpectedDay, windows: Sequence[_Window], *, first: bool) -> Sequence[Sequence[Sequence[float]]]:
    """Return the residuals between which each contrast of each window alarms nothing."""
    shape = len(windows), len(day.contrasts)
    if not all(shape):
        return [[]] * len(windows)
    filters = np.concatenate([of_window for _, _, of_window, _ in windows])
    sampling = [
        _sampling(contrast, *values[:4])
        for *_, numbers in windows
        for contrast, values in zip(day.contrasts, numbers, strict=True)
    ]
    alarming = day.alarming(filters, sampling, first=first)
    levels = filters[:, legend.LEVEL] * filters[:, legend.CARRY]
    ends: list[list[list[float]]] = np.stack((levels - alarming, levels + alarming), axis=1).reshape(*shape, 2).tolist()
    return ends


def _numbers(contrast: ExpectedContrast, measured: Measured, time_of_day: float) -> Numbers:
    value, events = measured.get(contrast.name, (math.nan, 1 / contrast.sampling[legend.BY_WINDOW]))
    expected = contrast.expected_of(time_of_day, events)
    usual = math.nan if math.isnan(expected) else contrast.usual_at(time_of_day, expected, events)
    return value, events, expected, contrast.variance_at(time_of_day), usual, contrast.left_out_at(time_of_day)


def _sampling(contrast: ExpectedContrast, value: float, events: float, expected: float, varies: float) -> float:
    if math.isnan(value) or math.isnan(expected):
        return float(contrast.sampling[legend.BY_WINDOW]) + varies
    return float(to_residual(contrast.row, value, events, expected)[1]) + varies


def _in_window(contrast: ExpectedContrast, numbers: Numbers, residuals: Sequence[float]) -> ContrastInWindow:
    value, events, expected, _, usual, left_out = numbers
    actual = value / events if contrast.kind == legend.RATE else value
    if contrast.kind == legend.SCORE:
        actual = contrast.in_units(value)
    if math.isnan(expected):
        return ContrastInWindow(contrast, expected, actual, math.nan, math.nan)
    # What an alarm stands for is compared with its new level, and no window says by itself that it has left that.
    ends = [math.nan] * 2 if contrast.row[legend.STANDING] else residuals
    low, high = (_shifted(contrast, _with_what_was_left_out(residual, left_out), expected, events) for residual in ends)
    return ContrastInWindow(contrast, usual, actual, low, high)


def _with_what_was_left_out(residual: float, left_out: tuple[float, float]) -> float:
    """Return what a residual was before what is no news in its hour was left out of it."""
    low, high = left_out
    return residual + (high if residual > 0 else low)


def _shifted(contrast: ExpectedContrast, residual: float, expected: float, events: float) -> float:
    shifted = None if math.isnan(residual) else contrast.shifted(residual, expected, events)
    return math.nan if shifted is None else shifted
