"""What a store derives from its rows, the plain way: row by row in Python.

The store in memory answers with it; for the stores with SQL it is what their statements are compared with.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Any

import numpy as np

from sinks.store.contract import BUCKETS, TABLES, Buckets, Columns

__all__ = ["STATUSES", "bucket_rows"]

STATUSES = ("ok", "warning", "drift", "no_data", "learning")
SERIES = TABLES["scores"].key[:-1]
WORST = tuple(column.name.removeprefix("worst_") for column in BUCKETS.columns if column.name.startswith("worst_"))

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
    for row in _rows(scores):
        together.setdefault((_end_ms(buckets, row), *(row[name] for name in SERIES)), []).append(row)
    found = [_bucket(buckets, key, rows) for key, rows in together.items()]
    found = sorted(found, key=lambda row: _rank(buckets, tuple(row[name] for name in buckets.sort_columns())))
    if buckets.after:
        place = _rank(buckets, buckets.after)
        found = [row for row in found if _rank(buckets, tuple(row[name] for name in buckets.sort_columns())) > place]
    return _columns(found[: buckets.limit])


def _rows(columns: Columns) -> Iterable[Row]:
    lists = [values.tolist() if isinstance(values, np.ndarray) else values for values in columns.values()]
    return (dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True))


def _columns(rows: list[Row]) -> Columns:
    dtypes = {"int": np.int64, "float": np.float64}
    lists = {column: [row[column.name] for row in rows] for column in BUCKETS.columns}
    return {c.name: np.array(v, dtypes[c.kind]) if c.kind in dtypes else v for c, v in lists.items()}


def _rank(buckets: Buckets, place: tuple[Any, ...]) -> tuple[Any, ...]:
    return (-place[0], *place[1:]) if buckets.order == "worst" else place


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
