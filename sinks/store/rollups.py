"""Keeping roll-ups up to date, and answering from them without ever being stale.

An insert marks the hours that it touches, in the table ``touched``. A refresh works touched hours out again from their
rows and then records until when it had seen marks, so that an hour touched meanwhile stays marked. It may be killed
anywhere and run twice at once: whatever it writes is what the rows say, and marks go last. Until then reads take marked
hours from the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sinks.store.batch import joined
from sinks.store.buckets import (
    KINDS,
    Statement,
    bucket_ends,
    chosen_span,
    first_statement,
    rollup_statement,
    source_statements,
)
from sinks.store.connection import Connection
from sinks.store.contract import TOTALS, Buckets, Columns, Drifting, Query
from sinks.store.derived import EXACT, SERIES, TIERS
from sinks.store.drifting import drifting_of, hour_statement, hours_of_drift, outside, windows_in_drift
from sinks.store.marks import leave_aged, now_ms_of, record
from sinks.store.parallel import side_by_side
from sinks.store.pieces import combined, kept_for, pieces_of_scores
from sinks.store.spans import DAY_MS, HOUR_MS, Span, merged, plan
from sinks.store.sql import Parameters, select
from sinks.store.tiers import hours_of, sums_of_panes, tier_statement, totals_statement

__all__ = ["SETTLE_MS", "read_buckets", "read_drifting", "read_totals", "refresh", "tier_question"]

SETTLE_MS = 600_000
"""An hour is refreshed once it has been left alone for this long.

Longer than any insert may take, since an insert's mark can be seen before its rows: what a refresh has not seen was
marked later than this before it began.
"""

BATCH = {"scores": 2_000, "panes": 8}
"""Hours of a model that one statement works out: those of panes need memory for every cell."""

CHANGED = (
    "SELECT DISTINCT hour_ms FROM (SELECT model, hour_ms FROM touched PREWHERE {conditions} GROUP BY model, hour_ms "
    "HAVING max(touched_ms) > max(refreshed_ms)) ORDER BY hour_ms SETTINGS final = 0, max_threads = 1"
)
"""Not FINAL: on a cluster each shard has marks of its own of an hour, and one of them the time of its refresh."""


def read_buckets(store: Connection, buckets: Buckets) -> Columns:
    """Return the columns of ``BUCKETS`` for ``buckets``, which are checked, from roll-ups where they can be trusted."""
    span = chosen_span(buckets)
    parts = plan(span, buckets.step_ms, [])
    hours: list[int] = []
    # Where no whole hour lies in the span, there is nothing to ask about marks.
    if parts.hours or parts.days:
        hours = _changed(store, "scores", _models(buckets), (span[0] - HOUR_MS, span[1]))
        parts = plan(span, buckets.step_ms, hours)
    where, among = buckets.where, buckets.among
    if buckets.limit is not None and not among and not {"model", "signal"} <= set(where):
        # A page of many series: first which buckets it has, then their columns, which are most of what is read.
        first = store.fetch(*first_statement(buckets, parts), KINDS)
        among = tuple(sorted(set(zip(*(first[name] for name in SERIES), strict=True))))
        where = where if among else {"model": []}
        if among and buckets.order == "time" and buckets.step_ms:
            parts = plan((span[0], min(span[1], int(first["bucket_end_ms"][-1]))), buckets.step_ms, hours)
    return combined(buckets, _pieces(store, buckets, source_statements(where, parts, kept_for(buckets), among)))


def _models(buckets: Buckets) -> Mapping[str, Any]:
    return {"model": sorted({series[0] for series in buckets.among})} if buckets.among else buckets.where


def _pieces(store: Connection, buckets: Buckets, statements: Mapping[str, Statement]) -> Columns:
    piece_columns = kept_for(buckets)

    def read(table: str, statement: Statement) -> Columns:
        rows = store.fetch(*statement, KINDS)
        ends_ms = bucket_ends(buckets, rows["window_end_ms" if table == "scores" else "bucket_end_ms"])
        if table == "scores":
            return pieces_of_scores(rows, ends_ms, piece_columns)
        return rows | {"bucket_end_ms": ends_ms}

    return joined(side_by_side(*(partial(read, table, statement) for table, statement in statements.items())))


def read_drifting(store: Connection, drifting: Drifting) -> Columns:
    """Return the columns of ``DRIFTING`` for ``drifting``, which is checked."""
    span = drifting.from_ms - 1, max(drifting.from_ms, drifting.to_ms) - 1
    # Marks first: read beside each other, an hour could be current by its mark and old by its row.
    holes = merged(_changed(store, "scores", drifting.where, (span[0] - HOUR_MS, span[1])))
    windows = [outside(store.arrow(*hour_statement(drifting, span)), holes)]
    if fresh := [part for hole in holes for part in _within(hole, span)]:
        windows.append(store.arrow(*windows_in_drift(drifting, fresh)))
    return drifting_of(drifting, windows)


def _within(hole: Span, span: Span) -> list[Span]:
    part = max(hole[0], span[0]), min(hole[1], span[1])
    return [part] if part[0] < part[1] else []


def read_totals(store: Connection, query: Query) -> Columns:
    """Return the columns of ``TOTALS`` for ``query``, which is checked."""
    is_tier = query.table in TIERS
    rows, values = tier_question(store, query, ordered=False) if is_tier else select(query, ordered=False)
    totals = store.fetch(totals_statement(rows), values, _TOTALS)
    return totals | {name: [int(digits) for digits in totals[name]] for name in EXACT}


_TOTALS = {column.name: column.kind for column in TOTALS.columns}


def tier_question(store: Connection, query: Query, *, ordered: bool = True) -> tuple[str, dict[str, Any]]:
    """Return the statement for ``query``, which is checked and names a tier."""
    changed = merged(_changed(store, "panes", query.where, hours_of(query)))
    return tier_statement(query, changed, ordered=ordered)


def _changed(store: Connection, source: str, where: Mapping[str, Any], span: tuple[int, int]) -> list[int]:
    values = Parameters()
    conditions = [f"source = {values.bind('String', source)}"]
    if "model" in where:
        conditions.append(f"model IN {values.bind('Array(String)', where['model'])}")
    conditions.append(f"hour_ms > {values.bind('Int64', span[0])}")
    conditions.append(f"hour_ms < {values.bind('Int64', span[1])}")
    changed = store.query(CHANGED.format(conditions=" AND ".join(conditions)), dict(values))
    return [int(hour_ms) for hour_ms in changed["hour_ms"]]


def refresh(store: Connection, settle_ms: int = SETTLE_MS, is_enough: Callable[[], bool] = lambda: False) -> int:
    """Bring roll-ups up to date with what was written until ``settle_ms`` ago.

    Parameters
    ----------
    store : Connection
    settle_ms : int
        0 only where no append is under way.
    is_enough : callable
        Asked between batches of hours; once it says so, the others stay marked.

    Returns
    -------
    int
        How many hours of a model were worked out.

    Raises
    ------
    StoreError
        What was done until then is kept.
    """
    return sum(_refresh(store, source, settle_ms, is_enough) for source in ("scores", "panes"))


def _refresh(store: Connection, source: str, settle_ms: int, is_enough: Callable[[], bool]) -> int:
    done = 0
    if is_enough():
        return done
    leave_aged(store, source, now_ms_of(store) - settle_ms)
    while True:
        now_ms = now_ms_of(store)
        seen_ms = now_ms - settle_ms
        marks = _settled(store, source, seen_ms)
        if not marks["hour_ms"]:
            return done
        for table, statement in _statements(source, marks):
            store.command_again(f"INSERT INTO {table} SELECT *, {now_ms:d} FROM ({statement})", marks)
        # Marks go last: a refresh that is killed before leaves the hours marked, and they are worked out again.
        record(store, source, marks, seen_ms)
        done += len(marks["hour_ms"])
        if is_enough():
            return done


def _settled(store: Connection, source: str, seen_ms: int) -> dict[str, list[Any]]:
    """Return some marked hours with their models: for scores of one day, for panes of one model."""
    order = "intDiv(hour_ms, 86400000), model, hour_ms" if source == "scores" else "model, hour_ms"
    marked = store.query(
        "SELECT model, hour_ms FROM touched WHERE source = {source:String} GROUP BY model, hour_ms "
        "HAVING max(touched_ms) > max(refreshed_ms) AND max(touched_ms) <= {seen_ms:Int64} "
        f"ORDER BY {order} LIMIT {BATCH[source]} SETTINGS final = 0",
        {"source": source, "seen_ms": seen_ms},
    )
    rows = list(zip(marked["model"], marked["hour_ms"].tolist(), strict=True))
    together = [row for row in rows if _group(source, row) == _group(source, rows[0])]
    return {"model": [model for model, _ in together], "hour_ms": [hour_ms for _, hour_ms in together]}


def _group(source: str, row: tuple[str, int]) -> Any:
    return row[1] // DAY_MS if source == "scores" else row[0]


def _statements(source: str, marks: Mapping[str, Sequence[Any]]) -> list[tuple[str, str]]:
    """Return the tables to write, and the statement for the rows of each, out of the marked hours' rows."""
    models = "model IN {model:Array(String)}"
    if source == "panes":
        first_ms, last_ms = min(marks["hour_ms"]), max(marks["hour_ms"]) + HOUR_MS
        hour = "pane_start_ms - positiveModulo(pane_start_ms, 3600000) IN {hour_ms:Array(Int64)}"
        chosen = f"{models} AND pane_start_ms >= {first_ms:d} AND pane_start_ms < {last_ms:d} AND {hour}"
        return [(table, sums_of_panes(tier_ms, chosen)) for table, tier_ms in TIERS.items()]
    day_ms = marks["hour_ms"][0] // DAY_MS * DAY_MS
    chosen = f"{models} AND window_end_ms > {day_ms:d} AND window_end_ms <= {day_ms + DAY_MS:d}"
    hour = "window_end_ms - 1 - positiveModulo(window_end_ms - 1, 3600000) IN {hour_ms:Array(Int64)}"
    return [
        ("drifts_1h", hours_of_drift(f"{chosen} AND {hour}")),
        ("scores_1h", rollup_statement(HOUR_MS, f"{chosen} AND {hour}")),
        (
            "scores_1d",
            rollup_statement(DAY_MS, chosen),
        ),  # from the rows, since another refresh may be busy with its hours
    ]
