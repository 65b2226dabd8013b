"""Scores in buckets of time: the worst window of each, and how the windows were."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

from monitor.api.reading import Page, Row, decode_cursor, encode_cursor, read_all
from monitor.errors import InputError
from sinks.store.contract import Query, Store

__all__ = ["STATUSES", "read_buckets"]

STATUSES = ("ok", "warning", "drift", "no_data", "learning")
SERIES = ("signal", "segment", "version", "detector")
KIND = "buckets"


def read_buckets(store: Store, query: Query, step_ms: int, cursor: str | None = None) -> Page:
    """Read scores of one model in buckets of ``step_ms``, ascending in time; ``query.limit`` counts buckets.

    A window belongs to the bucket in which it ends: ``bucket_start_ms < window_end_ms <= bucket_end_ms``. The bounds
    of ``query`` choose windows, so that the first and the last bucket may be cut.

    Parameters
    ----------
    store : Store
    query : Query
        Of the table ``scores``, ordered by ``window_end_ms``, ascending.
    step_ms : int
        > 0.
    cursor : str or None

    Raises
    ------
    InputError
        If ``step_ms`` is not above 0, or the cursor is not one of these buckets.
    StoreError
    """
    if step_ms <= 0:
        raise InputError(f"a step is longer than 0, not {step_ms} ms")
    assert query.limit is not None
    limit, kind = query.limit, f"{KIND}{step_ms}"
    done: tuple[Any, ...] = ()
    if cursor:
        done = tuple(decode_cursor(kind, cursor, (int, str, str, str, str)))
        first_ms = max(done[0] - step_ms + 1, int(query.low.get("window_end_ms", -(2**62))))
        query = replace(query, low={**query.low, "window_end_ms": first_ms})
    rest = (bucket for bucket in _buckets(read_all(store, query), step_ms) if _place(bucket) > done)
    found = list(islice(rest, limit + 1))
    page = found[:limit]
    return Page(page, encode_cursor(kind, list(_place(page[-1]))) if len(found) > len(page) else None)


def _place(bucket: Row) -> tuple[Any, ...]:
    return (bucket["bucket_end_ms"], *(bucket[name] for name in SERIES))


def _buckets(rows: Iterable[Row], step_ms: int) -> Iterator[Row]:
    """Cut rows that ascend in time; the buckets of one stretch come in the order of their series."""
    for end_ms, together in groupby(rows, key=lambda row: -(-row["window_end_ms"] // step_ms) * step_ms):
        by_series: dict[tuple[str, ...], list[Row]] = {}
        for row in together:
            by_series.setdefault(tuple(row[name] for name in SERIES), []).append(row)
        for series in sorted(by_series):
            yield _bucket(end_ms, step_ms, by_series[series])


def _bucket(end_ms: int, step_ms: int, rows: list[Row]) -> Row:
    statistics = [row["statistic"] for row in rows if not math.isnan(row["statistic"])]
    return {
        "model": rows[0]["model"],
        **{name: rows[0][name] for name in SERIES},
        "bucket_start_ms": end_ms - step_ms,
        "bucket_end_ms": end_ms,
        "windows": len(rows),
        "n": sum(row["n"] for row in rows),
        "statistic_min": min(statistics, default=None),
        "statistic_mean": math.fsum(statistics) / len(statistics) if statistics else None,
        "statistic_max": max(statistics, default=None),
        "statuses": {status: sum(row["status"] == status for row in rows) for status in STATUSES},
        "worst": max(rows, key=_severity),
    }


def _severity(row: Row) -> tuple[float, int]:
    """Largest effect first; among equals the latest window."""
    return (-math.inf if math.isnan(row["effect"]) else row["effect"], row["window_end_ms"])
