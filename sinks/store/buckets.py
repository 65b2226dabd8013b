"""Buckets of scores in ClickHouse's SQL.

A mean must not depend on the order in which parts are added, nor on whether some were added up before. Sums of
floats do. So sums are kept exactly, as numbers with digits of 32 bits: the float ``m * 2**(e - 1075)`` adds to three
neighbouring digits of them. Digits are integers that are added without carrying (the "long accumulator" of Kulisch,
"Computer Arithmetic and Validity", 2013), and the mean is rounded once, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sinks.store.contract import BUCKETS, Buckets, Columns
from sinks.store.derived import SERIES, STATUSES, WORST
from sinks.store.spans import Plan, Span
from sinks.store.sql import Parameters, stretch_condition

__all__ = [
    "PARTS",
    "bucket_statement",
    "chosen_span",
    "exact_mean",
    "piece_columns",
    "pieces_of_scores",
    "with_means",
]

PARTS = {"measured": "int", "places": "ints", "digits": "ints"}
"""Columns that stand for the mean until it is worked out, with their kinds."""

INFINITY, MINUS_INFINITY = 1000, 1001
"""Places of the digits that count infinities; finite numbers have places below 70."""

WORST_END, WORST_EFFECT = (1 + WORST.index(name) for name in ("window_end_ms", "effect"))
_EFFECT = "if(isNaN({0}), -inf, {0} + 0.)"

DIGITS = f"""
    SELECT *, reinterpretAsUInt64(statistic) AS bits, if(bits >= 9223372036854775808, -1, 1) AS sign,
        bitAnd(bitShiftRight(bits, 52), 2047) AS biased, greatest(biased, 1) AS exponent,
        bitAnd(bits, 4503599627370495) + if(biased = 0, 0, 4503599627370496) AS mantissa,
        bitShiftLeft(bitAnd(mantissa, 4294967295), exponent % 32) AS low,
        bitShiftLeft(bitShiftRight(mantissa, 32), exponent % 32) + bitShiftRight(low, 32) AS high,
        toInt64(intDiv(exponent, 32)) AS place,
        multiIf(isNaN(statistic), [], biased = 2047, [if(sign > 0, {INFINITY}, {MINUS_INFINITY})],
            [place, place + 1, place + 2]) AS places,
        multiIf(isNaN(statistic), [], biased = 2047, [1], [toInt64(bitAnd(low, 4294967295)) * sign,
            toInt64(bitAnd(high, 4294967295)) * sign, toInt64(bitShiftRight(high, 32)) * sign]) AS digits
"""
"""Beginning of a statement over scores that adds the digits of each statistic, and their places, to its columns."""

COUNTS = ("windows", "events", *STATUSES, "measured")
PIECE = f"""
    count() AS windows, sum(n) AS events, {", ".join(f"countIf(status = '{name}') AS {name}" for name in STATUSES)},
    countIf(NOT isNaN(statistic)) AS measured,
    min(if(isNaN(statistic), inf, statistic + 0.)) AS statistic_min,
    max(if(isNaN(statistic), -inf, statistic + 0.)) AS statistic_max,
    sumMap(places, digits) AS statistic_sum,
    max(if(status = 'drift' AND effect / min_effect > 0, effect / min_effect, 0.)) AS severity,
    argMax(({", ".join(WORST)}), ({_EFFECT.format("effect")}, window_end_ms)) AS worst
"""
"""What is kept of some windows of one series and detector; + 0. makes 0 of -0."""

SUM = f"""
    {", ".join(f"sum({name}) AS {name}" for name in COUNTS)}, min(statistic_min) AS statistic_min,
    max(statistic_max) AS statistic_max, sumMap(places, digits) AS statistic_sum, max(severity) AS severity,
    argMax(worst, ({_EFFECT.format(f"worst.{WORST_EFFECT}")}, worst.{WORST_END})) AS worst
"""
"""Pieces added up."""

KEPT = (*COUNTS, "statistic_min", "statistic_max", "places", "digits", "severity")


def piece_columns() -> str:
    """Return the columns of a roll-up, but for key and version, out of those of ``PIECE``."""
    sums = ["statistic_sum.1 AS places", "statistic_sum.2 AS digits"]
    worst = [f"worst.{place} AS worst_{name}" for place, name in enumerate(WORST, start=1)]
    return ", ".join([*COUNTS, "statistic_min", "statistic_max", *sums, "severity", *worst])


def bucket_statement(buckets: Buckets, parts: Plan) -> tuple[str, dict[str, Any]]:
    """Return the statement for ``buckets``, which :func:`sinks.store.rows.checked_buckets` has checked, and its values.

    The result has the columns of ``BUCKETS`` but for ``statistic_mean``, which :func:`with_means` adds.

    Parameters
    ----------
    buckets : Buckets
    parts : Plan
        Of :func:`chosen_span`.
    """
    values = Parameters()
    lines = [
        f"SELECT {', '.join(_results(buckets, values))}",
        f"FROM ({_pieces(buckets, parts, values)})",
        *_behind(buckets, values),
        f"ORDER BY {', '.join('severity DESC' if name == 'severity' else name for name in buckets.sort_columns())}",
    ]
    if buckets.limit is not None:
        lines.append(f"LIMIT {values.bind('UInt64', buckets.limit)}")
    return "\n".join(lines), dict(values)


def chosen_span(buckets: Buckets) -> Span:
    """Return the stretch whose windows count: behind its beginning, up to and with its end."""
    from_ms = buckets.from_ms - 1
    if buckets.after and buckets.order == "time" and buckets.step_ms:
        from_ms = max(from_ms, int(buckets.after[0]) - buckets.step_ms)
    return from_ms, max(from_ms, buckets.to_ms - 1)


def _results(buckets: Buckets, values: Parameters) -> Iterable[str]:
    yield from SERIES
    start = f"bucket_end_ms - {values.bind('Int64', buckets.step_ms)}"
    yield f"{start if buckets.step_ms else values.bind('Int64', buckets.from_ms)} AS bucket_start_ms"
    yield from ("bucket_end_ms", "windows", "events AS n", *STATUSES, "measured")
    yield from (f"if(measured = 0, nan, {name}) AS {name}" for name in ("statistic_min", "statistic_max"))
    yield from ("statistic_sum.1 AS places", "statistic_sum.2 AS digits", "severity")
    yield from (f"worst.{place} AS worst_{name}" for place, name in enumerate(WORST, start=1))


def _pieces(buckets: Buckets, parts: Plan, values: Parameters) -> str:
    if not (parts.hours or parts.days):
        return _of_scores(buckets, parts.raw, values)
    tiers = [("scores_1h", parts.hours), ("scores_1d", parts.days)]
    pieces = [_of_rollup(buckets, table, spans, values) for table, spans in tiers if spans]
    if parts.raw:
        sums = "statistic_sum.1 AS places, statistic_sum.2 AS digits, severity, worst"
        columns = f"{', '.join(SERIES)}, bucket_end_ms, {', '.join(COUNTS)}, statistic_min, statistic_max, {sums}"
        pieces.append(f"SELECT {columns} FROM ({_of_scores(buckets, parts.raw, values)})")
    return f"SELECT {_key()}, {SUM} FROM ({' UNION ALL '.join(pieces)}) GROUP BY {_key()}"


def _key() -> str:
    return f"{', '.join(SERIES)}, bucket_end_ms"


def _of_scores(buckets: Buckets, spans: Sequence[Span], values: Parameters) -> str:
    conditions = [*_series(buckets, values), _within("scores", "window_end_ms", spans, values)]
    return pieces_of_scores(_end(buckets, "window_end_ms", values), " AND ".join(conditions))


def pieces_of_scores(end: str, condition: str) -> str:
    """Return the statement for the pieces of the scores that meet ``condition``, by series and ``end``."""
    return (
        f"SELECT {', '.join(SERIES)}, {end} AS bucket_end_ms, {PIECE} "
        f"FROM ({DIGITS} FROM scores FINAL PREWHERE {condition}) GROUP BY {_key()}"
    )


def _of_rollup(buckets: Buckets, table: str, spans: Sequence[Span], values: Parameters) -> str:
    worst = ", ".join(f"worst_{name}" for name in WORST)
    conditions = [*_series(buckets, values), _within(table, "bucket_end_ms", spans, values)]
    return (
        f"SELECT {', '.join(SERIES)}, {_end(buckets, 'bucket_end_ms', values)} AS piece_end_ms, {', '.join(KEPT)}, "
        f"tuple({worst}) AS worst FROM {table} FINAL PREWHERE {' AND '.join(conditions)}"
    )


def _end(buckets: Buckets, time: str, values: Parameters) -> str:
    step = values.bind("Int64", buckets.step_ms)
    return f"{time} + positiveModulo(-{time}, {step})" if buckets.step_ms else values.bind("Int64", buckets.to_ms)


def _series(buckets: Buckets, values: Parameters) -> list[str]:
    return [f"{name} IN {values.bind('Array(String)', wanted)}" for name, wanted in buckets.where.items()]


def _within(table: str, time: str, spans: Sequence[Span], values: Parameters) -> str:
    inside = (" AND ".join(_between(table, time, span, values)) for span in spans)
    return f"({' OR '.join(f'({conditions})' for conditions in inside) or '0'})"


def _between(table: str, time: str, span: Span, values: Parameters) -> Iterable[str]:
    for operator, bound in zip((">", "<="), span, strict=True):
        mark = values.bind("Int64", bound)
        yield f"{time} {operator} {mark}"
        yield from stretch_condition(table, time, operator, mark)


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
    yield f"WHERE {behind}"


def with_means(found: Columns) -> Columns:
    """Return the columns of ``BUCKETS`` from those of :func:`bucket_statement`'s result."""
    parts = zip(found["places"], found["digits"], found["measured"].tolist(), strict=True)
    means = np.array([exact_mean(p.tolist(), d.tolist(), n) for p, d, n in parts], np.float64)
    return {column.name: {**found, "statistic_mean": means}[column.name] for column in BUCKETS.columns}


def exact_mean(places: list[int], digits: list[int], count: int) -> float:
    """Return the mean of ``count`` numbers whose sum has ``digits`` at ``places``, rounded once; NaN for none.

    Examples
    --------
    >>> exact_mean([33], [3 * 2**19], 2)  # a sum of 3 * 2**(19 + 32 * 33 - 1075)
    1.5
    """
    infinities = {place for place in places if place >= INFINITY}
    if infinities or count == 0:
        return math.inf if infinities == {INFINITY} else -math.inf if infinities == {MINUS_INFINITY} else math.nan
    total = sum(digit << (32 * place) for place, digit in zip(places, digits, strict=True))
    return total / (count << 1075)
