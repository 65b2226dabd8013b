"""What the rule `change` will find, and how often it will be wrong, before any event was seen.

Windows are taken to differ by sampling alone, after three weeks: what varies by itself hides more, which only shows
once days were seen (`monitor.evaluate.expectations`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from detectors.change import legend
from detectors.change.contrasts import FEWEST_COMPARED, FEWEST_SPREAD
from detectors.change.detectable import Onset, contrast_at, contrast_on_average, smallest_shifts
from detectors.change.looks import CHARTED_DAYS
from detectors.change.model import BY_WINDOWS_SHARE, ZONES
from detectors.change.residuals import expectation_of, to_expectation
from detectors.change.skew import SKEW_SHARE
from detectors.change.threshold import bound
from detectors.change.windows import TIMETABLE_DAYS
from monitor.config.model import Model
from monitor.config.references import sharing_budget, uses_for
from monitor.evaluate.referred_contrasts import REFERENCE_EVENTS
from monitor.values import DAY_MS

__all__ = ["foresee", "unseen"]

LEARNED_DAYS = 21

OF_NUMBER, OF_CATEGORY, OF_VOLUME = 6, 17, 1
"""Contrasts of a signal."""

EXAMPLES: Sequence[tuple[str, str, int, int, float, int]] = (
    ("typical value", "value", legend.SCORE, legend.LOCATION, 0.0, OF_NUMBER),
    ("spread", "factor", legend.SCORE, legend.SPREAD, 0.0, OF_NUMBER),
    ("a rate of 0 %", "share", legend.RATE, legend.RATES, 0.0, OF_NUMBER),
    ("a rate of 2 %", "share", legend.RATE, legend.RATES, 0.02, OF_NUMBER),
    ("a share of 10 %", "share", legend.RATE, legend.SHARES, 0.1, OF_CATEGORY),
    ("events", "events", legend.VOLUME, legend.VOLUMES, math.nan, OF_VOLUME),
)
"""Contrasts with their unit, kind and family, what is usual, and how many the signal has."""

UNIT_VARIANCE = {legend.LOCATION: 1.0, legend.SPREAD: 0.5}
"""The variance that one value contributes, of a normal distribution."""


def foresee(model: Model, events_per_hour: float | None) -> dict[str, Any]:
    """Return what is known of a model's alarms beforehand.

    Parameters
    ----------
    model : Model
        Whose rule is `change`.
    events_per_hour : float or None
        None: nothing is said of what can be found.

    Returns
    -------
    dict
        ``signals`` that share the budget, segments counted; ``each_ms``, the time in which each of them alarms falsely
        once; ``learn_ms``, the time until windows may alarm, ``learn_days``, until whole days may, and
        ``learn_repeats``, the windows until those may that repeat the one before; ``learn_values``, the values that a
        signal has to have had without a data set; ``events_per_window``; ``smallest_shifts``, one for each kind of
        contrast.
    """
    detect = model.spec.detect
    segments = 1 + sum(len(each.values) if each.values is not None else each.top for each in model.spec.segments)
    signals = segments * (len(sharing_budget(uses_for(model))) + len(model.spec.judged_signals))
    step_ms = detect.defaults.step_ms
    events = None if events_per_hour is None else events_per_hour * step_ms / (DAY_MS / 24)
    a_day = detect.false_alarms.count * DAY_MS / detect.false_alarms.per_ms
    share = 1 - SKEW_SHARE if model.spec.baseline.kind in ("dataset", "period") else 1.0
    is_by_day = step_ms >= DAY_MS
    return {
        "signals": signals,
        "each_ms": round(detect.false_alarms.per_ms / detect.false_alarms.count * signals),
        "learn_ms": detect.defaults.learn_windows * step_ms,
        "learn_values": 0 if model.spec.baseline.kind == "dataset" else REFERENCE_EVENTS,
        "learn_days": None if is_by_day else CHARTED_DAYS,
        "learn_repeats": max(TIMETABLE_DAYS, detect.defaults.learn_windows) if is_by_day else 0,
        "events_per_window": events,
        "smallest_shifts": []
        if not events
        else list(_shifts(events, max(1, DAY_MS // step_ms), share * a_day / signals)),
    }


def unseen(events: float) -> Iterator[tuple[str, int]]:
    """Yield what windows of so many events do not show, and how many values they would need.

    Examples
    --------
    >>> list(unseen(12.0))
    [('that a window repeats the one before it', 20)]
    """
    for sight, fewest in (("spreads", FEWEST_SPREAD), ("that a window repeats the one before it", FEWEST_COMPARED)):
        if events < fewest:
            yield sight, fewest


def _shifts(events: float, per_day: int, rate: float) -> Iterator[dict[str, Any]]:
    """Yield what can be found of each kind of contrast, with so many events a window and false alarms a day."""
    for name, unit, kind, family, usual, contrasts in EXAMPLES:
        row, in_hour = np.zeros(legend.ROW), max(1.0, per_day / 24)
        row[[legend.KIND, legend.FAMILY, legend.IN_HOUR]] = kind, family, in_hour
        expected = _expected(kind, usual, events, in_hour)
        if family == legend.SPREAD and events < FEWEST_SPREAD:
            shifts = np.full(3, np.nan)
        else:
            sampling = UNIT_VARIANCE.get(family, 1.0) / (events - (family == legend.SPREAD))
            shifts = _smallest(family, sampling, per_day, rate, contrasts)
        look_ups = (contrast_at, contrast_on_average, contrast_on_average)
        ends = [
            tuple(_in_units(row, look_up(row, side * shift, events, expected), events) for side in (-1, 1))
            for look_up, shift in zip(look_ups, shifts.tolist(), strict=True)
        ]
        spans = zip(("window", "day", "week"), shifts.tolist(), ends, strict=True)
        yield {
            "contrast": name,
            "unit": unit,
            "usual": events if kind == legend.VOLUME else usual if kind == legend.RATE else float(unit == "factor"),
            **{
                f"{span}_{each}": value
                for span, shift, (low, high) in spans
                for each, value in (("shift", None if math.isnan(shift) else shift), ("low", low), ("high", high))
            },
        }


def _smallest(family: int, sampling: float, per_day: int, rate: float, contrasts: int) -> Any:
    filters = np.zeros((1, legend.FILTER))
    filters[:, [legend.CALIBRATION, legend.OVERNIGHT]] = 1.0
    filters[:, [legend.FREEDOM, legend.FREEDOM_FRESH]] = 3 + LEARNED_DAYS
    shares = (BY_WINDOWS_SHARE, 1 - BY_WINDOWS_SHARE) if per_day > 1 else (0.0, 1.0)
    filters[:, legend.ZONE] = ZONES[family, legend.BY_DAY]
    within = [int(per_day == 1), 1, 7]
    threshold = bound(rate * shares[1], 1)
    by_day = smallest_shifts(
        filters, [sampling / per_day], threshold, Onset.by_day(per_day), within, contrasts=contrasts
    )[0]
    if per_day == 1:
        return by_day
    filters[:, legend.ZONE] = ZONES[family, legend.BY_WINDOW]
    within, threshold = [1, per_day, 7 * per_day], bound(rate * shares[0], per_day)
    by_window = smallest_shifts(filters, [sampling], threshold, Onset.by_window(per_day), within, contrasts=contrasts)[
        0
    ]
    return np.fmin(by_window, by_day)


def _expected(kind: int, usual: float, events: float, in_hour: float) -> float:
    if kind == legend.SCORE:
        return 0.0
    if kind == legend.VOLUME:
        return float(expectation_of(events, in_hour))
    return float(to_expectation(kind, usual * 1000 * events, 1000 * events, 1000.0))


def _in_units(row: Any, value: float, events: float) -> float | None:
    """Return a contrast in the units of the data; of a typical value, in standard deviations."""
    if math.isnan(value):
        return None
    if row[legend.FAMILY] == legend.SPREAD:
        return math.exp(value)
    return float(value / events if row[legend.KIND] == legend.RATE else value)
