"""Which series drifted, from the hours of which the windows in drift are written down, and from scores for all others.

Statements fetch windows as they are, and Arrow adds them up: the engine takes longer to make sense of a statement that
does (10 ms against 4, chDB 26.9).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sinks.store.arrow import number_array
from sinks.store.buckets import Statement, condition
from sinks.store.contract import DRIFTING, Columns, Drifting
from sinks.store.derived import SERIES, drifting_columns
from sinks.store.spans import HOUR_MS, Span
from sinks.store.sql import NARROW, Parameters

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ARRAYS", "TABLE", "drifting_of", "hour_statement", "hours_of_drift", "outside", "windows_in_drift"]

TABLE = "drifts_1h"

_ELEMENTS = {
    "signal": "signals",
    "segment": "segments",
    "version": "versions",
    "detector": "detectors",
    "window_end_ms": "window_ends_ms",
    "effect": "effects",
    "min_effect": "min_effects",
}
"""What is said of a window, with the array that holds it."""

ARRAYS = tuple(_ELEMENTS.values())
"""The columns of ``drifts_1h`` that have one element for each window in drift."""

GROUP = (*DRIFTING.key, "detector")

_WINDOW = ", ".join([*SERIES, "window_end_ms", "effect", "min_effect"])

_HOURS = f"""SELECT hour_ms, {_WINDOW} FROM {TABLE} FINAL
ARRAY JOIN {", ".join(f"{array} AS {name}" for name, array in _ELEMENTS.items())}
PREWHERE {{by_key}} WHERE {{others}}"""


def hours_of_drift(rows: str) -> str:
    """Return the statement for the rows of ``drifts_1h`` that ``rows`` come to: a condition on ``scores``.

    An hour without drift has a row too, so that it takes the place of one from before.
    """
    window = "(signal, segment, version, detector, window_end_ms, effect, min_effect)"
    arrays = ", ".join(f"drifts.{position} AS {array}" for position, array in enumerate(ARRAYS, start=1))
    hour = f"window_end_ms - 1 - positiveModulo(window_end_ms - 1, {HOUR_MS})"
    return (
        f"SELECT model, hour_ms, {arrays} FROM (SELECT model, {hour} AS hour_ms, "
        f"arraySort(groupArrayIf({window}, status = 'drift')) AS drifts FROM scores FINAL PREWHERE {rows} "
        "GROUP BY model, hour_ms)"
    )


def hour_statement(drifting: Drifting, span: Span) -> Statement:
    """Return the statement for the windows in drift of all hours, which are current where nothing has touched them.

    Parameters
    ----------
    drifting : Drifting
    span : tuple of int
        Windows that end behind its beginning, up to and with its end.
    """
    values = Parameters()
    from_ms, to_ms = (values.bind("Int64", bound) for bound in span)
    by_key = [f"hour_ms > {from_ms} - {HOUR_MS}", f"hour_ms < {to_ms}"]
    others = [f"window_end_ms > {from_ms}", f"window_end_ms <= {to_ms}"]
    for name, allowed in drifting.where.items():
        condition_text = f"{name} IN {values.bind('Array(String)', allowed)}"
        (by_key if name == "model" else others).append(condition_text)
    return _HOURS.format(by_key=" AND ".join(by_key), others=" AND ".join(others)) + NARROW, dict(values)


def windows_in_drift(drifting: Drifting, spans: Sequence[Span]) -> Statement:
    """Return the statement for the windows in drift of some spans, from the scores themselves."""
    values = Parameters()
    chosen = condition("scores", drifting.where, spans, values)
    return f"SELECT {_WINDOW} FROM scores FINAL PREWHERE {chosen} WHERE status = 'drift'", dict(values)


def drifting_of(drifting: Drifting, windows: Sequence[pyarrow.Table]) -> Columns:
    """Return the columns of ``DRIFTING`` from all windows in drift.

    Parameters
    ----------
    drifting : Drifting
    windows : sequence of pyarrow.Table
        With the columns of ``SERIES``, ``window_end_ms``, ``effect`` and ``min_effect``.
    """
    import pyarrow

    columns = {name: _joined([table[name] for table in windows]) for name in (*SERIES, "window_end_ms")}
    effect, least = (_numbers([table[name] for table in windows]) for name in ("effect", "min_effect"))
    severity, strength = _how_far(effect, least)
    part = np.searchsorted(drifting.part_ends(), _numbers([table["window_end_ms"] for table in windows]), side="right")
    # In one thread: groups keep the order of their first rows, and there are few of them.
    together = pyarrow.table({**columns, "part": part, "severity": severity, "strength": strength}).group_by(
        list(GROUP), use_threads=False
    )
    drifts = together.aggregate(
        [("severity", "max"), ("strength", "max"), ("window_end_ms", "min"), ("window_end_ms", "max")]
    )
    names = (*GROUP, "severity_max", "strength_max", "window_end_ms_min", "window_end_ms_max")
    return drifting_columns(zip(*(drifts[name].to_pylist() for name in names), strict=True), drifting.limit)


def _how_far(effect: NDArray[np.float64], least: NDArray[np.float64]) -> tuple[Any, Any]:
    with np.errstate(all="ignore"):
        ratio = effect / least
    severity = np.where(ratio > 0, ratio, 0.0)
    return severity, np.where(least == 0, np.inf, severity)


def _joined(parts: Sequence[Any]) -> Any:
    import pyarrow

    return pyarrow.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)


def _numbers(parts: Sequence[Any]) -> NDArray[np.float64]:
    return np.concatenate([number_array(part) for part in parts])


def outside(hours: pyarrow.Table, holes: Sequence[Span]) -> pyarrow.Table:
    """Return the rows of ``hours`` that lie in none of ``holes``, which are whole hours."""
    hour_ms = number_array(hours["hour_ms"])
    outside_holes = np.ones(len(hour_ms), np.bool_)
    for from_ms, to_ms in holes:
        outside_holes &= (hour_ms < from_ms) | (hour_ms >= to_ms)
    return hours.filter(outside_holes) if holes else hours
