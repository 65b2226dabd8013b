"""A query in ClickHouse's SQL. Values are bound, never pasted; names come from ``TABLES`` alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sinks.store.contract import READABLE, Query, Table
from sinks.store.native import CLICKHOUSE_TYPES
from sinks.store.tables import EVERY_TABLE

__all__ = [
    "NARROW",
    "Parameters",
    "bound",
    "comparisons",
    "quoted",
    "quoted_text",
    "select",
    "span_condition",
]

NARROW = (
    "\nSETTINGS max_threads = 1, split_parts_ranges_into_intersecting_and_non_intersecting_final = 0, "
    "split_intersecting_parts_ranges_into_layers_final = 0"
)
"""For a statement that reads little: dividing the work takes longer than the work (20 ms against 7, chDB 26.9)."""


class Parameters(dict[str, Any]):
    """Values by placeholder."""

    def bind(self, type_name: str, value: Any) -> str:
        """Keep ``value`` and return the placeholder that stands for it."""
        name = f"p{len(self)}"
        self[name] = value
        return f"{{{name}:{type_name}}}"


def select(
    query: Query, source: str = "", values: Parameters | None = None, *, ordered: bool = True
) -> tuple[str, dict[str, Any]]:
    """Return the statement for ``query``, which :func:`sinks.store.rows.checked_query` has checked, and its values.

    Parameters
    ----------
    query : Query
    source : str
        A statement whose rows are read instead of the table's own.
    values : Parameters or None
        What ``source`` has bound.
    ordered : bool
        False: rows come in any order, which is faster where there are many; not with a limit.

    Examples
    --------
    >>> from sinks.store.rows import checked_query
    >>> sql, values = select(checked_query(Query("progress", where={"model": "fraud"}, columns=("closed_ms",))))
    >>> print(sql)
    SELECT `closed_ms` FROM `progress` FINAL
    PREWHERE `model` IN {p0:Array(String)}
    ORDER BY `model`, `topic`, `partition`
    >>> values
    {'p0': ['fraud']}
    """
    table = READABLE[query.table]
    values = Parameters() if values is None else values
    rows = f"({source})" if source else f"{quoted(query.table)} FINAL"
    lines = [f"SELECT {', '.join(map(quoted, query.columns))} FROM {rows}"]
    by_key, others = _conditions(table, query, values)
    if by_key and not source:
        lines.append(f"PREWHERE {' AND '.join(by_key)}")
    elif by_key:
        others = by_key + others
    if others:
        lines.append(f"WHERE {' AND '.join(others)}")
    direction = " DESC" if query.descending else ""
    if ordered or query.limit is not None or query.first_by:
        lines.append(f"ORDER BY {', '.join(quoted(name) + direction for name in query.sort_columns())}")
    if query.first_by:
        lines.append(f"LIMIT 1 BY {', '.join(map(quoted, query.first_by))}")
    if query.limit is not None:
        lines.append(f"LIMIT {values.bind('UInt64', query.limit)}")
    narrow = NARROW if {"model", "signal"} <= set(query.where) else ""
    return "\n".join(lines) + narrow, dict(values)


def quoted(name: str) -> str:
    """Return ``name``, which comes from ``TABLES``, as an identifier."""
    return f"`{name}`"


def _type(table: Table, name: str) -> str:
    return CLICKHOUSE_TYPES[table.column(name).kind]


def _conditions(table: Table, query: Query, values: Parameters) -> tuple[list[str], list[str]]:
    """Return the conditions on the key, and those on other columns.

    All rows of a key agree on the former: they may pick rows before FINAL settles which of them is the newest, and
    before the other columns are read, which for a narrow window of a large table is nearly all of the work. So may
    lower bounds of columns that rise.
    """
    by_key: list[str] = []
    others: list[str] = []
    (by_key if set(query.order) <= set(table.key) else others).extend(_behind(table, query, values))
    # If a row is not below a bound of what rises, neither is the one that has replaced it.
    rising = {table.newest_by, table.rising}.difference(query.high, query.where, query.without)
    for name, condition in comparisons(query, values):
        (by_key if name in table.key or name in rising else others).append(condition)
    return by_key, others


def comparisons(query: Query, values: Parameters) -> Iterator[tuple[str, str]]:
    """Yield the conditions of ``query`` but for that of ``after``, each with its column."""
    table = READABLE[query.table]
    for name, allowed in query.where.items():
        yield name, f"{quoted(name)} IN {values.bind(f'Array({_type(table, name)})', allowed)}"
    for name, refused in query.without.items():
        yield name, f"{quoted(name)} NOT IN {values.bind(f'Array({_type(table, name)})', refused)}"
    for name, choices in query.containing.items():
        yield name, _containing(name, choices, values)
    for operator, bounds in ((">=", query.low), ("<", query.high)):
        for name, bound_value in bounds.items():
            mark = values.bind(_type(table, name), bound_value)
            yield name, f"{quoted(name)} {operator} {mark}"
            yield from ((name, condition) for condition in span_condition(table.name, name, operator, mark))
    for name, by_model in ((name, by_model) for name, by_model in query.floors.items() if by_model):
        models, floors = values.bind("Array(String)", [*by_model]), values.bind("Array(Int64)", [*by_model.values()])
        yield name, f"{quoted(name)} >= transform(`model`, {models}, {floors}, toInt64(0))"


def _containing(name: str, choices: Sequence[Sequence[str]], values: Parameters) -> str:
    texts = ([f"position({quoted(name)}, {values.bind('String', text)}) > 0" for text in choice] for choice in choices)
    return f"({' OR '.join(' AND '.join(choice) or 'true' for choice in texts) or 'false'})"


def span_condition(table: str, name: str, operator: str, mark: str) -> Iterator[str]:
    """Yield the condition on the span of ``table`` that follows from one on its time, if ``name`` is that.

    The engine does not see by itself that a bound of the time bounds the span, so that statements say both.

    Examples
    --------
    >>> list(span_condition("scores", "window_end_ms", "<", "{p0:Int64}"))
    ['intDiv(`window_end_ms`, 21600000) <= intDiv({p0:Int64}, 21600000)']
    """
    span_ms = EVERY_TABLE[table].span_ms
    if span_ms and name == EVERY_TABLE[table].time:
        yield f"intDiv({quoted(name)}, {span_ms}) {operator[0]}= intDiv({mark}, {span_ms})"


def _behind(table: Table, query: Query, values: Parameters) -> Iterator[str]:
    if not query.after:
        return
    names, operator = query.sort_columns(), "<" if query.descending else ">"
    marks = [values.bind(_type(table, name), value) for name, value in zip(names, query.after, strict=True)]
    # The comparison of tuples decides; that of their first members lets the index skip what lies before.
    yield f"{quoted(names[0])} {operator}= {marks[0]}"
    yield from span_condition(table.name, names[0], operator, marks[0])
    yield f"({', '.join(map(quoted, names))}) {operator} ({', '.join(marks)})"


# NUL too: parameters pass through C's strings, which end there.
_QUOTED = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0"})
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\0": "\\0"})


def bound(value: Any) -> str:
    r"""Return ``value`` as ClickHouse reads a parameter: escaped text, or a list in brackets of quoted text.

    Examples
    --------
    >>> bound("a\tb"), bound(["it's", "x"]), bound(0.1), bound([1, 2])
    ('a\\tb', "['it\\'s','x']", '0.1', '[1,2]')
    """
    if isinstance(value, (list, tuple)):
        return f"[{','.join(quoted_text(item) if isinstance(item, str) else bound(item) for item in value)}]"
    if isinstance(value, str):
        return value.translate(_ESCAPED)
    return repr(value) if isinstance(value, float) else str(value)


def quoted_text(value: str) -> str:
    r"""Return ``value`` as a literal: for what cannot be bound.

    Examples
    --------
    >>> print(quoted_text("it's"))
    'it\'s'
    """
    return f"'{value.translate(_QUOTED)}'"
