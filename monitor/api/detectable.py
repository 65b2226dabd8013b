"""The smallest shifts that can be found of a signal, from what was stored when the newest day began."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.change import legend
from monitor.api.reading import Row
from monitor.evaluate.expectations import ExpectedContrast, ExpectedDay, read_day, smallest_in
from monitor.evaluate.number_groups import Groups
from monitor.evaluate.vector_contrasts import Directions, is_spread
from monitor.resources.status import Judged, Unit
from monitor.values import DAY_MS
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["OLDEST_MS", "SERIES", "judged_by", "newest_days", "smallest_shifts", "unit_of"]

SERIES = ("model", "signal", "segment", "version")
OLDEST_MS = 45 * DAY_MS
"""A day that began longer before what is newest of its model is no longer what is expected of a series."""

UNITS: dict[int, Unit] = {legend.LOCATION: "value", legend.SPREAD: "factor", legend.VOLUMES: "events"}

SPANS = ("window", "day", "week")
ENDS = ("shift", "low", "high")

OF_VALUES: dict[str, Unit] = {"typical value": "value", "spread": "factor"}
"""Contrasts of a number that need several values in a window."""

Key = tuple[str, ...]


def newest_days(
    store: Store, models: Sequence[str], signal: str, until_ms: int | None = None
) -> dict[Key, ExpectedDay]:
    """Return the newest day that is stored of each series of a signal.

    Parameters
    ----------
    store : Store
    models : sequence of str
    signal : str
    until_ms : int or None
        Only days that began before.

    Raises
    ------
    StoreError
    """
    where = {"model": list(models), "signal": signal}
    high = {} if until_ms is None else {"from_ms": until_ms}
    starts = store.read(Query("expectations", where, high=high, columns=(*SERIES, "from_ms")))
    newest: dict[Key, int] = {}
    for *key, from_ms in zip(*(starts[name] for name in (*SERIES, "from_ms")), strict=True):
        newest[tuple(key)] = max(newest.get(tuple(key), 0), int(from_ms))
    last_ms: dict[str, int] = {}
    for (model, *_), from_ms in newest.items():
        last_ms[model] = max(last_ms.get(model, 0), from_ms)
    chosen = {key: from_ms for key, from_ms in newest.items() if last_ms[key[0]] - from_ms <= OLDEST_MS}
    rows = rows_of(store.read(Query("expectations", {**where, "from_ms": sorted(set(chosen.values()))})))
    of_series = ((tuple(row[name] for name in SERIES), row) for row in rows)
    return {key: read_day(row) for key, row in of_series if chosen.get(key) == row["from_ms"]}


def smallest_shifts(days: Mapping[Key, ExpectedDay]) -> dict[Key, list[Row]]:
    """Return the smallest shift of each contrast of each series, as `monitor.resources.status.SmallestShift` has it."""
    shifts = smallest_in(list(days.values()))
    return {key: list(_rows(key, day, of_day)) for (key, day), of_day in zip(days.items(), shifts, strict=True)}


def _rows(key: Key, day: ExpectedDay, of_day: NDArray[np.float64]) -> Iterator[Row]:
    _, _, segment, version = key
    resolves, step = day.resolves_spread, _step_of(day)
    for contrast, shifts in zip(day.contrasts, of_day.tolist(), strict=True):
        is_unresolved = contrast.family == legend.SPREAD and not (resolves and not step)
        shown = [math.nan] * len(SPANS) if is_unresolved else shifts
        ends = [_ends(contrast, shift, span) for span, shift in zip(SPANS, shown, strict=True)]
        yield {
            "segment": segment,
            "version": version,
            "contrast": contrast.name,
            "unit": unit_of(contrast),
            "usual": contrast.usual_of_day(_events_of_hour(day, contrast)),
            "step": step if contrast.family == legend.LOCATION and step else None,
            "judged": "unresolved" if is_unresolved else judged_by(contrast),
            **{f"{span}_shift": shift for span, (shift, _, _) in zip(SPANS, ends, strict=True)},
            **{f"{span}_low": low for span, (_, low, _) in zip(SPANS, ends, strict=True)},
            **{f"{span}_high": high for span, (_, _, high) in zip(SPANS, ends, strict=True)},
        }

    names = {contrast.name for contrast in day.contrasts}
    if day.is_number:
        for name, unit in OF_VALUES.items():
            if name not in names:
                nothing = dict.fromkeys(["usual", "step", *(f"{span}_{each}" for span in SPANS for each in ENDS)])
                series = {"segment": segment, "version": version, "contrast": name}
                yield {**series, "unit": unit, **nothing, "judged": "too_few" if resolves else "unresolved"}


def _step_of(day: ExpectedDay) -> float:
    """Return how far apart values of a number are told, where that is wider than they spread; else 0."""
    return next((each.step for each in day.contrasts if each.family == legend.LOCATION), 0.0)


def unit_of(contrast: ExpectedContrast) -> Unit:
    """Return what values of a contrast are."""
    if contrast.scale is not None and contrast.scale.form == "angle":
        return "share"
    if isinstance(contrast.groups, Directions) and contrast.kind == legend.SCORE:
        return "factor" if is_spread(contrast.name) else "sd"
    return UNITS.get(contrast.family, "share")


def _ends(contrast: ExpectedContrast, shift: float, span: str) -> tuple[float | None, float | None, float | None]:
    """Return the shift, and what lies below and above by it, in the units of the data."""
    if math.isnan(shift):
        return None, None, None
    events = 1 / contrast.sampling[legend.BY_WINDOW]
    on_average = span != "window"
    usual = contrast.usual_of(events)
    low, high = (contrast.shifted(side * shift, usual, events, on_average=on_average) for side in (-1, 1))
    if contrast.family == legend.LOCATION and isinstance(contrast.groups, Groups) and contrast.step:
        # A shift within a cell is not seen: how far values are from its ends is not known.
        middle, step = contrast.in_units(contrast.usual), contrast.step
        shift = max(shift, step / contrast.groups.spread)
        low, high = (
            (None if low is None else min(low, middle - step)),
            (None if high is None else max(high, middle + step)),
        )
    return (None, None, None) if low is None and high is None else (shift, low, high)


def _events_of_hour(day: ExpectedDay, contrast: ExpectedContrast) -> float:
    return float(max(1.0, day.windows_per_day / 24) / contrast.sampling[legend.BY_WINDOW])


def judged_by(contrast: ExpectedContrast) -> Judged:
    """Return what a contrast is compared with."""
    if contrast.row[legend.STANDING] != 0:
        return "standing"
    return "changes" if contrast.filters[legend.BY_WINDOW, legend.CARRY] >= 1 else "levels"
