"""What a store derives from its rows, the plain way: row by row in Python.

The store in memory answers with it; for the stores with SQL it is what their statements are compared with.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from sinks.store.contract import BUCKETS, DERIVED, DRIFTING, TABLES, TOTALS, Buckets, Columns, Drifting, Query, Table
from sinks.store.rows import rows_of

__all__ = [
    "EXACT",
    "SERIES",
    "STATUSES",
    "TIERS",
    "WORST",
    "bucket_rows",
    "derived_rows",
    "drifting_columns",
    "drifting_rows",
    "source_query",
    "totals_of",
]

STATUSES = ("ok", "warning", "drift", "no_data", "learning")
SERIES = TABLES["scores"].key[:-1]
SUMS = ("n", "missing", "invalid", "out_of_range", "other", "sum_q", "sum_q2")
WORST = tuple(column.name.removeprefix("worst_") for column in BUCKETS.columns if column.name.startswith("worst_"))

EXACT = ("sum_q", "sum_q2")
"""Sums that need more than 64 bits where a year is added up."""

TIERS = {"panes_5m": 300_000, "panes_1h": 3_600_000}
"""Tables of panes that are added up, with their length in ms."""

Row = dict[str, Any]


def bucket_rows(buckets: Buckets, scores: Columns) -> Columns:
    """Return the columns of ``BUCKETS`` for ``scores``, which are those that ``buckets`` chooses.

    Parameters
    ----------
    buckets : Buckets
        As :func:`sinks.store.rows.checked_buckets` returns it.
    scores : dict
        Columns of the table ``scores``.

    Returns
    -------
    dict
    """
    together: dict[tuple[Any, ...], list[Row]] = {}
    among = set(buckets.among)
    for row in rows_of(scores):
        series = tuple(row[name] for name in SERIES)
        if not among or series in among:
            together.setdefault((_end_ms(buckets, row), *series), []).append(row)

    def rank_of(row: Row) -> tuple[Any, ...]:
        return _rank(buckets, tuple(row[name] for name in buckets.sort_columns()))

    rows_of_buckets = sorted((_bucket(buckets, key, rows) for key, rows in together.items()), key=rank_of)
    if buckets.after:
        after_rank = _rank(buckets, buckets.after)
        rows_of_buckets = [row for row in rows_of_buckets if rank_of(row) > after_rank]
    columns = _columns(BUCKETS, rows_of_buckets[: buckets.limit])
    return {name: columns[name] for name in buckets.columns}


def drifting_rows(drifting: Drifting, scores: Columns) -> Columns:
    """Return the columns of ``DRIFTING`` for ``scores``, which are those that ``drifting`` chooses."""
    drifts: dict[tuple[Any, ...], tuple[float, float, int, int]] = {}
    part_ends = drifting.part_ends()
    for row in rows_of(scores):
        if row["status"] == "drift":
            end_ms = row["window_end_ms"]
            part = bisect_right(part_ends, end_ms)
            series = (*(row[name] for name in DRIFTING.key[:-1]), part, row["detector"])
            so_far = drifts.get(series, (0.0, 0.0, end_ms, end_ms))
            severity = _severity(row)
            strength = severity if row["min_effect"] else math.inf
            drifts[series] = (
                max(so_far[0], severity),
                max(so_far[1], strength),
                min(so_far[2], end_ms),
                max(so_far[3], end_ms),
            )
    return drifting_columns(((*series, *drift) for series, drift in drifts.items()), drifting.limit)


def drifting_columns(drifts: Iterable[tuple[Any, ...]], limit: int | None) -> Columns:
    """Return the columns of ``DRIFTING``, ranked, from what is known of each series and detector that drifted.

    Parameters
    ----------
    drifts : iterable of tuple
        Values of the key of ``DRIFTING``; detector, severity, strength (the same, but infinite where no effect is too
        small), and the ends of the first and of the last window.
    limit : int or None
    """
    together: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for *series, detector, severity, strength, first_ms, last_ms in drifts:
        together.setdefault(tuple(series), []).append((-severity, detector, -strength, first_ms, last_ms))
    ranked = sorted((min(seen)[0], series) for series, seen in together.items() if min(seen)[0] < 0)
    return _columns(DRIFTING, [_drifted(series, together[series]) for _, series in ranked[:limit]])


def _drifted(series: tuple[str, ...], seen: list[tuple[Any, ...]]) -> Row:
    severity, detector, *_ = min(seen)
    return {
        **dict(zip(DRIFTING.key, series, strict=True)),
        "severity": -severity,
        "detector": detector,
        "detectors": tuple(name for _, name in sorted((strength, name) for _, name, strength, _, _ in seen)),
        "first_drift_ms": min(first_ms for *_, first_ms, _ in seen),
        "last_drift_ms": max(last_ms for *_, last_ms in seen),
    }


def source_query(query: Query) -> Query:
    """Return what must be read for ``query``, which names a derived table and is checked."""
    source = TABLES[DERIVED[query.table].source]
    series = {name: values for name, values in query.where.items() if name in ("model", "signal", "segment", "version")}
    return Query(source.name, series, columns=tuple(column.name for column in source.columns))


def derived_rows(name: str, rows: Columns) -> Columns:
    """Return the derived table ``name`` from ``rows`` of its source."""
    return _columns(DERIVED[name], _latest(rows) if name == "latest" else _tier(TIERS[name], rows))


def _latest(scores: Columns) -> Iterable[Row]:
    newest: dict[tuple[str, ...], Row] = {}
    for row in rows_of(scores):
        key = tuple(row[name] for name in SERIES)
        if key not in newest or row["window_end_ms"] > newest[key]["window_end_ms"]:
            newest[key] = row
    return newest.values()


def _tier(tier_ms: int, panes: Columns) -> Iterable[Row]:
    together: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows_of(panes):
        if row["pane_ms"] > 0 and tier_ms % row["pane_ms"] == 0:
            start_ms = row["pane_start_ms"] // tier_ms * tier_ms
            series = (row["model"], row["signal"], row["segment"], row["version"])
            together.setdefault((*series, start_ms, int(row["late_at_ms"] > 0), row["layout"]), []).append(row)
    return (_sum_of_panes(tier_ms, key, rows) for key, rows in together.items())


def totals_of(panes: Columns) -> Columns:
    """Return the columns of ``TOTALS`` for panes, or sums of them."""
    together: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows_of(panes):
        together.setdefault((row["signal"], row["layout"]), []).append(row)
    sums = [{"signal": signal, "layout": layout, **_added(rows)} for (signal, layout), rows in sorted(together.items())]
    return _columns(TOTALS, sums)


def _sum_of_panes(tier_ms: int, key: tuple[Any, ...], rows: list[Row]) -> Row:
    return {**dict(zip(DERIVED["panes_5m"].key, key, strict=True)), "pane_ms": tier_ms, **_added(rows)}


def _added(rows: list[Row]) -> Row:
    cells: Counter[Any] = Counter()
    names: Counter[Any] = Counter()
    for row in rows:
        counts = row["counts"].tolist()
        if len(row["cells"]) == len(counts):
            _count(cells, row["cells"].tolist(), counts)
        elif len(row["names"]) == len(counts):
            _count(names, row["names"], counts)
    counted = sorted((item, count) for item, count in (names or cells).items() if count)
    return {
        **{name: sum(row[name] for row in rows) for name in SUMS},
        "cells": np.array([item for item, _ in counted if not names], np.int64),
        "counts": np.array([count for _, count in counted], np.int64),
        "names": tuple(item for item, _ in counted if names),
        "min": min(row["min"] for row in rows) + 0.0,
        "max": max(row["max"] for row in rows) + 0.0,
    }


def _count(counter: Counter[Any], items: Iterable[Any], counts: Iterable[int]) -> None:
    for item, count in zip(items, counts, strict=True):
        counter[item] += count


def _columns(table: Table, rows: Iterable[Row]) -> Columns:
    dtypes = {"int": np.int64, "float": np.float64}
    rows = list(rows)
    lists = {column: [row[column.name] for row in rows] for column in table.columns}
    return {c.name: np.array(v, dtypes[c.kind]) if c.kind in dtypes else v for c, v in lists.items()}


def _rank(buckets: Buckets, key: tuple[Any, ...]) -> tuple[Any, ...]:
    return (-key[0], *key[1:]) if buckets.order == "worst" else key


def _end_ms(buckets: Buckets, row: Row) -> int:
    step_ms = buckets.step_ms
    return -(-int(row["window_end_ms"]) // step_ms) * step_ms if step_ms else buckets.to_ms


def _bucket(buckets: Buckets, key: tuple[Any, ...], rows: list[Row]) -> Row:
    values = [row["statistic"] + 0.0 for row in rows if not math.isnan(row["statistic"])]  # + 0.0 makes 0.0 of -0.0
    worst = max(rows, key=lambda row: (_effect(row), row["window_end_ms"]))
    return {
        **dict(zip(("bucket_end_ms", *SERIES), key, strict=True)),
        "bucket_start_ms": key[0] - buckets.step_ms if buckets.step_ms else buckets.from_ms,
        "windows": len(rows),
        "n": sum(row["n"] for row in rows),
        **{status: sum(row["status"] == status for row in rows) for status in STATUSES},
        "statistic_min": min(values, default=math.nan),
        "statistic_mean": _mean(values),
        "statistic_max": max(values, default=math.nan),
        "severity": max(map(_severity, rows)),
        **{f"worst_{name}": worst[name] for name in WORST},
    }


def _mean(values: list[float]) -> float:
    mean = statistics.mean(values) if values else math.nan
    return math.nan if math.isnan(mean) else mean  # the difference of infinities is a NaN with a sign


def _effect(row: Row) -> float:
    effect = float(row["effect"])
    return -math.inf if math.isnan(effect) else effect


def _severity(row: Row) -> float:
    with np.errstate(all="ignore"):
        ratio = float(np.float64(row["effect"]) / np.float64(row["min_effect"]))
    return ratio if row["status"] == "drift" and ratio > 0 else 0.0
