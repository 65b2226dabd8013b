"""Where the pieces of buckets come from, in ClickHouse's SQL: from roll-ups, and from scores where these do not reach.

The statements are plain on purpose. The engine takes milliseconds to make sense of a statement, and more than that for
one that adds pieces up in place of :mod:`sinks.store.pieces`: 66 ms of computing against 4 (chDB 26.9).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.store.contract import BUCKETS, TABLES, Buckets
from sinks.store.derived import SERIES, STATUSES, WORST
from sinks.store.pieces import COUNTS, INFINITY, KEPT, MINUS_INFINITY, scores_for
from sinks.store.spans import Plan, Span
from sinks.store.sql import NARROW, Parameters, span_condition
from sinks.store.tables import EVERY_TABLE

__all__ = [
    "KINDS",
    "Statement",
    "bucket_ends",
    "chosen_span",
    "condition",
    "first_statement",
    "rollup_statement",
    "source_statements",
]

Statement = tuple[str, dict[str, Any]]

KINDS = {column.name: column.kind for column in (*TABLES["scores"].columns, *BUCKETS.columns)} | {
    **dict.fromkeys(COUNTS, "int"),
    "places": "ints",
    "digits": "ints",
}
"""Kinds of all columns, those of pieces too."""

SEVERITY = "if(status = 'drift' AND effect / min_effect > 0, effect / min_effect, 0.)"

DIGITS = f"""SELECT *, reinterpretAsUInt64(statistic) AS bits, toInt64(bitAnd(bitShiftRight(bits, 52), 2047)) AS biased,
    multiIf(isNaN(statistic), [], biased = 2047, [if(statistic > 0, {INFINITY}, {MINUS_INFINITY})],
        [2 * greatest(biased, 1), 2 * greatest(biased, 1) + 1]) AS digit_places,
    [toInt64(bitAnd(bits, 67108863)),
        toInt64(bitAnd(bitShiftRight(bits, 26), 67108863)) + if(biased > 0, 67108864, 0)] AS magnitude,
    multiIf(isNaN(statistic), [], biased = 2047, [toInt64(1)],
        arrayMap(digit -> if(bits > 9223372036854775807, -digit, digit), magnitude)) AS signed_digits
FROM scores FINAL PREWHERE"""

PIECE = f"""toInt64(count()) AS windows, sum(n) AS events,
    {", ".join(f"toInt64(countIf(status = '{name}')) AS {name}" for name in STATUSES)},
    toInt64(countIf(NOT isNaN(statistic))) AS measured,
    min(if(isNaN(statistic), inf, statistic + 0.)) AS statistic_min,
    max(if(isNaN(statistic), -inf, statistic + 0.)) AS statistic_max,
    sumMap(digit_places, signed_digits) AS statistic_sum, max({SEVERITY}) AS severity,
    argMax(({", ".join(WORST)}), (if(isNaN(effect), -inf, effect + 0.), window_end_ms)) AS worst"""
"""+ 0. makes 0 of -0."""


def rollup_statement(step_ms: int, condition: str) -> str:
    """Return the statement for the pieces of ``step_ms`` of the scores that meet ``condition``.

    Its columns are the series, ``bucket_end_ms`` and those of ``KEPT``.
    """
    end = f"window_end_ms + positiveModulo(-window_end_ms, {step_ms})"
    sums = "statistic_sum.1 AS places, statistic_sum.2 AS digits"
    worst = ", ".join(f"worst.{position} AS worst_{name}" for position, name in enumerate(WORST, start=1))
    return (
        f"SELECT {', '.join(SERIES)}, end_ms AS bucket_end_ms, {', '.join(COUNTS)}, statistic_min, statistic_max, "
        f"{sums}, severity, {worst} FROM (SELECT {', '.join(SERIES)}, {end} AS end_ms, {PIECE} "
        f"FROM ({DIGITS} {condition}) GROUP BY {', '.join(SERIES)}, end_ms)"
    )


def chosen_span(buckets: Buckets) -> Span:
    """Return the span whose windows count: behind its beginning, up to and with its end."""
    from_ms = buckets.from_ms - 1
    if buckets.after and buckets.order == "time" and buckets.step_ms:
        from_ms = max(from_ms, int(buckets.after[0]) - buckets.step_ms)
    return from_ms, max(from_ms, buckets.to_ms - 1)


def bucket_ends(buckets: Buckets, ends_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the end of the bucket in which each window, or each piece, ends."""
    if not buckets.step_ms:
        return np.full(len(ends_ms), buckets.to_ms, np.int64)
    return -(-ends_ms // buckets.step_ms) * buckets.step_ms


def source_statements(
    where: Mapping[str, Any],
    parts: Plan,
    piece_columns: Collection[str] = KEPT,
    among: Sequence[tuple[str, ...]] = (),
) -> dict[str, Statement]:
    """Return the statements for the rows of all buckets, by table; one at least.

    Parameters
    ----------
    where : mapping
    parts : Plan
    piece_columns : collection of str
        Which columns of the pieces are read.
    among : sequence of tuple of str
        Only these, if there are any: values of ``SERIES``.
    """
    pieces = ", ".join([*SERIES, "bucket_end_ms", *piece_columns])
    columns = {"scores": ", ".join([*SERIES, *scores_for(piece_columns)]), "scores_1h": pieces, "scores_1d": pieces}
    spans = {"scores": parts.raw, "scores_1h": parts.hours, "scores_1d": parts.days}
    chosen_spans = {table: table_spans for table, table_spans in spans.items() if table_spans} or {"scores": ()}
    statements = {}
    for table, table_spans in chosen_spans.items():
        values = Parameters()
        # The time first: it leaves few rows, and to look for a series in a list takes longest.
        chosen = " AND ".join([condition(table, where, table_spans, values), *_among(among, values)])
        narrow = NARROW if among or "signal" in where else ""
        statements[table] = f"SELECT {columns[table]} FROM {table} FINAL PREWHERE {chosen}{narrow}", dict(values)
    return statements


def _among(series: Sequence[tuple[str, ...]], values: Parameters) -> Iterable[str]:
    # As a set of tuples, which the index understands: the product of the sets of each column would be far larger.
    if series:
        names = ", ".join(values.bind("Array(String)", list(column)) for column in zip(*series, strict=True))
        yield f"({', '.join(SERIES)}) IN arrayZip({names})"


def first_statement(buckets: Buckets, parts: Plan) -> Statement:
    """Return the statement for the series, ends and severities of the first ``limit`` buckets."""
    values = Parameters()
    spans = {"scores": parts.raw, "scores_1h": parts.hours, "scores_1d": parts.days}
    read = {table: table_spans for table, table_spans in spans.items() if table_spans or table == "scores"}
    sources = [_severities(buckets, table, table_spans, values) for table, table_spans in read.items()]
    names = buckets.sort_columns()
    order = ", ".join(f"{name} DESC" if name == "severity" else name for name in names)
    lines = [
        f"SELECT {', '.join(SERIES)}, bucket_end_ms, max(severity) AS severity",
        f"FROM ({' UNION ALL '.join(sources)}) GROUP BY {', '.join(SERIES)}, bucket_end_ms",
        *_behind(buckets, values),
        f"ORDER BY {order} LIMIT {values.bind('UInt64', buckets.limit)}",
    ]
    narrow = NARROW if len(buckets.where.get("model", ())) == 1 else ""
    return "\n".join(lines) + narrow, dict(values)


def _severities(buckets: Buckets, table: str, spans: Sequence[Span], values: Parameters) -> str:
    time, step = EVERY_TABLE[table].time, values.bind("Int64", buckets.step_ms)
    end = f"{time} + positiveModulo(-{time}, {step})" if buckets.step_ms else values.bind("Int64", buckets.to_ms)
    # The end by another name, since the condition speaks of the column.
    columns = f"{', '.join(SERIES)}, {end} AS end_ms, {SEVERITY if table == 'scores' else 'severity'} AS severity"
    rows = f"SELECT {columns} FROM {table} FINAL PREWHERE {condition(table, buckets.where, spans, values)}"
    return f"SELECT {', '.join(SERIES)}, end_ms AS bucket_end_ms, severity FROM ({rows})"


def condition(table: str, where: Mapping[str, Any], spans: Sequence[Span], values: Parameters) -> str:
    """Return the condition on the key of ``table`` for some series and spans."""
    series = [f"{name} IN {values.bind('Array(String)', allowed)}" for name, allowed in where.items()]
    inside = (" AND ".join(_between(table, span, values)) for span in spans)
    return " AND ".join([f"({' OR '.join(f'({conditions})' for conditions in inside) or '0'})", *series])


def _between(table: str, span: Span, values: Parameters) -> Iterable[str]:
    for operator, bound in zip((">", "<="), span, strict=True):
        mark = values.bind("Int64", bound)
        yield f"{EVERY_TABLE[table].time} {operator} {mark}"
        yield from span_condition(table, EVERY_TABLE[table].time, operator, mark)


def _behind(buckets: Buckets, values: Parameters) -> Iterable[str]:
    if not buckets.after:
        return
    types = {"severity": "Float64", "bucket_end_ms": "Int64"}
    names = buckets.sort_columns()
    marks = {n: values.bind(types.get(n, "String"), value) for n, value in zip(names, buckets.after, strict=True)}
    severity = marks.pop("severity", None)
    behind = f"({', '.join(marks)}) > ({', '.join(marks.values())})"
    if severity is not None:
        behind = f"severity < {severity} OR (severity = {severity} AND {behind})"
    yield f"HAVING {behind}"
