"""Contrasts of windows as answers show them, and what became of the windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from monitor.api.detectable import judged_by, unit_of
from monitor.api.reading import Row
from monitor.config.performance import is_judged
from monitor.evaluate.change import DETECTORS
from monitor.evaluate.expectations import ExpectedDay
from monitor.evaluate.expected_windows import ContrastInWindow
from monitor.evaluate.window_contrasts import Measured, measured_windows
from monitor.events import SeriesKey
from monitor.panes.distributions import Part
from monitor.performance.alarms import measured_hours
from monitor.resources.windows import Outcome
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["CHANGE", "contrast_row", "measured_along", "outcome_of"]

CHANGE = DETECTORS[0]


def outcome_of(row: Mapping[str, Any]) -> Outcome:
    """Return what became of a window, by a row of ``scores``."""
    if row["status"] == "drift":
        # While an alarm stands, what is compared with the threshold is evidence of more.
        passes = row["detector"] != CHANGE or row["surprise"] > row["surprise_limit"]
        return "alarmed" if passes else "stands"
    return {"learning": "learning", "no_data": "not_judged"}.get(row["status"], "quiet")  # type: ignore[return-value]


def measured_along(
    store: Store, watch: Watch, series: SeriesKey, days: Sequence[ExpectedDay | None], ends_ms: range
) -> Sequence[Measured]:
    """Return what each of some windows of a series has of its contrasts.

    Parameters
    ----------
    store : Store
    watch : Watch
    series : (str, str, str)
        Version, segment and signal.
    days : sequence of ExpectedDay or None
        What was expected of each of them.
    ends_ms : range
        Of windows in a row.

    Raises
    ------
    StoreError, InputError
        The panes that would say it are gone.
    """
    version, segment, signal = series
    if not is_judged(signal):
        part = Part(ends_ms[0] - ends_ms.step, ends_ms[-1], version, segment)
        return measured_windows(store, watch, part, signal, days)
    measured: list[Measured] = []
    for day, of_day in groupby(zip(days, ends_ms, strict=True), key=lambda window: window[0]):
        ends_of_day_ms = [end_ms for _, end_ms in of_day]
        hours_ms = range(ends_of_day_ms[0], ends_of_day_ms[-1] + 1, ends_ms.step)
        nothing: list[Measured] = [{} for _ in hours_ms]
        measured += nothing if day is None else measured_hours(store, watch, series, day, hours_ms)
    return measured


def contrast_row(of_window: ContrastInWindow, outcome: Outcome) -> Row:
    """Return a contrast of a window as `monitor.resources.windows.ExplainedContrast` has it."""
    judged = judged_by(of_window.contrast)
    row = {
        "contrast": of_window.contrast.name,
        "unit": unit_of(of_window.contrast),
        "expected": _number(of_window.expected),
        "actual": _number(of_window.actual),
        "alarms_below": _number(of_window.low),
        "alarms_above": _number(of_window.high),
        "judged": judged,
    }
    # Beyond its ends, and no alarm: it is what an alarm of the same day stands for.
    if judged == "standing" or (outcome == "stands" and _is_beyond(of_window)):
        return row | {"alarms_below": None, "alarms_above": None, "judged": "standing"}
    return row


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _is_beyond(of_window: ContrastInWindow) -> bool:
    return of_window.actual < of_window.low or of_window.actual > of_window.high
