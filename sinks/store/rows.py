"""What every store asks of rows and queries, and the form it turns them into: checked once, here.

A checked column is an int64 or a float64 array, or a list of ``str``, ``bytes``, int64 arrays or tuples of ``str``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.store.contract import (
    BUCKETS,
    DERIVED,
    READABLE,
    TABLES,
    TOTALS,
    Buckets,
    Column,
    Columns,
    Drifting,
    Query,
    StoreError,
    Table,
)

__all__ = [
    "INT64",
    "as_list",
    "checked_buckets",
    "checked_columns",
    "checked_drifting",
    "checked_query",
    "checked_totals",
    "each_row",
    "row_count",
    "rows_of",
    "split",
]

INT64 = np.iinfo(np.int64)
SORTABLE = ("str", "int", "float")
LONGEST_MS = 2**62
MOST_PARTS = 10_000


def table_named(name: str) -> Table:
    """Return the table ``name``, to write to; StoreError if there is none."""
    if name in DERIVED:
        raise StoreError(f"table {name!r} follows from others and is not written")
    if name not in TABLES:
        raise StoreError(f"there is no table {name!r}; tables: {', '.join(sorted(TABLES))}")
    return TABLES[name]


def row_count(columns: Mapping[str, Sequence[Any]]) -> int:
    """Return how many rows ``columns`` hold."""
    return len(next(iter(columns.values()), ()))


def checked_columns(table: Table, columns: Mapping[str, Sequence[Any]]) -> Columns:
    """Return every column of ``table`` in its own kind, copied from ``columns``.

    Raises
    ------
    StoreError
        If columns are missing, unknown, of unequal lengths, or hold what their kind cannot.

    Examples
    --------
    >>> from sinks.store.contract import Table, Column
    >>> table = Table("visits", (Column("page", "str"), Column("n", "int")), ("page",))
    >>> checked_columns(table, {"page": ["/", "/a"], "n": [3, 4]})
    {'page': ['/', '/a'], 'n': array([3, 4])}
    """
    names = [column.name for column in table.columns]
    if set(columns) != set(names):
        missing, unknown = sorted(set(names) - set(columns)), sorted(set(columns) - set(names))
        raise StoreError(f"rows of table {table.name!r} miss columns {missing} and have unknown columns {unknown}")
    lengths = {name: len(columns[name]) for name in names}
    if len(set(lengths.values())) > 1:
        raise StoreError(f"columns of unequal lengths for table {table.name!r}: {lengths}")
    return {column.name: _checked(table, column, columns[column.name]) for column in table.columns}


def _checked(table: Table, column: Column, values: Sequence[Any]) -> Any:
    try:
        return _CHECKS[column.kind](values)
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreError(f"column {table.name}.{column.name} ({column.kind}): {error}") from error


def _ints(values: Any) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"wants integers within 64 bits, not {array.dtype} of shape {array.shape}")
    if array.dtype.kind == "u" and int(array.max()) > INT64.max:
        raise OverflowError(f"{array.max()} does not fit into 64 bits with a sign")
    return array.astype(np.int64)


def _floats(values: Any) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.size == 0:
        return np.zeros(0, np.float64)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise TypeError(f"wants numbers, not {array.dtype} of shape {array.shape}")
    return array.astype(np.float64)


def _all_of(kind: type, values: Iterable[Any]) -> list[Any]:
    # np.str_ and other subclasses become the plain type: a store gives back what any other store would.
    out: list[Any] = [value if type(value) is kind else _plain(kind, value) for value in values]
    if kind is str:
        "".join(out).encode()  # a lone surrogate has no UTF-8 form: UnicodeEncodeError is a ValueError
    return out


def _plain(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"wants {kind.__name__}, not {type(value).__name__}")
    return kind.__str__(value) if kind is str else kind(value)


def _strings(values: Any) -> list[str]:
    return _all_of(str, values)


def _byte_strings(values: Any) -> list[bytes]:
    return _all_of(bytes, values)


def _int_arrays(values: Any) -> list[NDArray[np.int64]]:
    arrays = [value if _is_int64(value) else _ints(value) for value in values]
    lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
    return split(np.concatenate([np.zeros(0, np.int64), *arrays]), lengths)


def _is_int64(value: Any) -> bool:
    return type(value) is np.ndarray and value.dtype == np.int64 and value.ndim == 1


def _string_tuples(values: Any) -> list[tuple[str, ...]]:
    for value in values:
        if isinstance(value, (str, bytes)):
            raise TypeError(f"wants a list of strings, not {type(value).__name__}")
    strings = iter(_strings([item for value in values for item in value]))
    return [tuple(islice(strings, len(value))) for value in values]


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "int": _ints,
    "float": _floats,
    "str": _strings,
    "bytes": _byte_strings,
    "ints": _int_arrays,
    "strs": _string_tuples,
}


def as_list(column: Any) -> list[Any]:
    """Return a column's values as Python's own.

    Examples
    --------
    >>> as_list(np.array([1, 2])), as_list(["a", "b"])
    ([1, 2], ['a', 'b'])
    """
    values: list[Any] = column.tolist() if hasattr(column, "tolist") else column
    return values


def rows_of(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return columns as rows, with Python's own values.

    Examples
    --------
    >>> rows_of({"model": ["a", "b"], "n": np.array([1, 2])})
    [{'model': 'a', 'n': 1}, {'model': 'b', 'n': 2}]
    """
    return list(each_row(columns))


def each_row(columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the same one by one, where there may be very many."""
    names = tuple(columns)
    for values in zip(*map(as_list, columns.values()), strict=True):
        yield dict(zip(names, values, strict=True))


def split(flat: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cut ``flat`` into consecutive views of the given lengths.

    Examples
    --------
    >>> split(np.array([1, 2, 3]), np.array([2, 0, 1]))
    [array([1, 2]), array([], dtype=int64), array([3])]
    """
    ends = np.cumsum(lengths).tolist()
    return [flat[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def checked_query(query: Query) -> Query:
    """Return ``query`` with every condition a list of values or a bound of the column's own kind.

    A bound that no value of the column can meet becomes an empty list in ``where``; one that all meet is left out.

    Raises
    ------
    StoreError
        If the query names an unknown table or column, or compares a column with what it cannot hold.

    Examples
    --------
    >>> checked = checked_query(Query("progress", where={"model": "fraud"}, low={"closed_ms": 1.5}))
    >>> checked.where, checked.low
    ({'model': ['fraud']}, {'closed_ms': 2})
    """
    if query.table not in READABLE:
        raise StoreError(f"there is no table {query.table!r}; tables: {', '.join(sorted(READABLE))}")
    table = READABLE[query.table]
    where = {name: _wanted(_column(table, name), value) for name, value in query.where.items()}
    without = {name: _wanted(_column(table, name), value) for name, value in query.without.items()}
    containing = {name: _choices(_column(table, name, ("str",)), value) for name, value in query.containing.items()}
    low, high = _bounds(table, query.low, where), _bounds(table, query.high, where, upper=True)
    for name, by_model in query.floors.items():
        _check_floors(table, name, by_model)
        # So that the index leads to the models.
        where["model"] = [model for model in where.get("model", by_model) if model in by_model]
    _check_order(table, query)
    _check_limit(query.limit)
    columns = query.columns or tuple(column.name for column in table.columns)
    for name in (*columns, *query.first_by):
        _column(table, name)
    chosen = replace(query, where=where, low=low, high=high, without=without, containing=containing)
    return replace(chosen, after=_after(table, query), columns=columns)


def checked_totals(query: Query) -> Query:
    """Return ``query`` for ``Store.totals``: as :func:`checked_query` gives it, with the columns that are added up.

    Raises
    ------
    StoreError
        If it is of another table, or asks for some of the rows that it chooses.
    """
    if query.table != "panes" and READABLE[query.table].source != "panes":
        raise StoreError(f"panes are added up, and rows of {query.table!r} are none")
    if query.limit is not None or query.first_by or query.after:
        raise StoreError("all panes that a query chooses are added up: it has no limit")
    return checked_query(replace(query, order=(), columns=tuple(column.name for column in TOTALS.columns)))


def _column(table: Table, name: str, kinds: tuple[str, ...] = ()) -> Column:
    try:
        column = table.column(name)
    except KeyError as error:
        raise StoreError(f"table {table.name!r} has no column {name!r}") from error
    if kinds and column.kind not in kinds:
        raise StoreError(f"column {table.name}.{name} is {column.kind}; this needs one of: {', '.join(kinds)}")
    return column


def _wanted(column: Column, value: Any) -> list[Any]:
    several = isinstance(value, (list, tuple, set, frozenset, np.ndarray))
    return [_scalar(column, item) for item in (value if several else [value])]


def _scalar(column: Column, value: Any) -> Any:
    if column.kind == "str" and isinstance(value, str):
        return _checked(Table("query", (), ()), column, [value])[0]
    if column.kind in ("int", "float") and isinstance(value, (int, float, np.integer, np.floating)):
        return _checked(Table("query", (), ()), column, [value])[0].item()
    raise StoreError(f"column {column.name!r} ({column.kind}) cannot be compared with {value!r}")


def _choices(column: Column, choices: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[_scalar(column, text) for text in texts] for texts in choices]


def _bounds(
    table: Table, bounds: Mapping[str, float], where: dict[str, list[Any]], *, upper: bool = False
) -> dict[str, float]:
    checked_bounds: dict[str, float] = {}
    for name, bound in bounds.items():
        column = _column(table, name, ("int", "float"))
        if not isinstance(bound, (int, float, np.integer, np.floating)) or math.isnan(bound):
            raise StoreError(f"column {name!r} has no bound {bound!r}: it needs a number")
        if column.kind == "float":
            checked_bounds[name] = float(bound)
        elif bound > INT64.max or bound <= INT64.min:
            # Half-open ranges: `x < high` meets nothing at the smallest value, `low <= x` everything.
            if upper == (bound <= INT64.min):
                where[name] = []
        else:
            checked_bounds[name] = math.ceil(bound)
    return checked_bounds


def _check_floors(table: Table, name: str, by_model: Mapping[str, int]) -> None:
    column, model = _column(table, name, ("int",)), _column(table, "model")
    for named, floor in by_model.items():
        _scalar(model, named)
        if not isinstance(floor, (int, np.integer)) or not INT64.min <= floor <= INT64.max:
            raise StoreError(f"column {column.name!r} has no floor {floor!r}: it needs an integer within 64 bits")


def _check_order(table: Table, query: Query) -> None:
    for name in query.order:
        _column(table, name, SORTABLE)
    if len(set(query.order)) < len(query.order):
        raise StoreError(f"order names a column twice: {query.order}")


def _after(table: Table, query: Query) -> tuple[Any, ...]:
    if not query.after:
        return ()
    names = query.sort_columns()
    if len(names) != len(query.after):
        raise StoreError(f"after needs one value for each of {names}, not {len(query.after)}")
    # NaN has no place among floats, so that a page could neither start nor end at one.
    return tuple(_scalar(_column(table, n, ("str", "int")), value) for n, value in zip(names, query.after, strict=True))


def checked_buckets(buckets: Buckets) -> Buckets:
    """Return ``buckets`` with every condition a list of values, and ``columns`` named.

    Raises
    ------
    StoreError
        If a condition is not on the series, or times, step, order, limit, columns or cursor make no sense.

    Examples
    --------
    >>> checked_buckets(Buckets(0, 100, where={"model": "fraud"})).where
    {'model': ['fraud']}
    """
    where = _of_series("buckets", buckets.where)
    _check_times(from_ms=buckets.from_ms, to_ms=buckets.to_ms, step_ms=buckets.step_ms)
    if buckets.step_ms < 0 or buckets.order not in ("time", "worst"):
        raise StoreError(f"there are no buckets of {buckets.step_ms} ms by {buckets.order!r}")
    _check_limit(buckets.limit)
    columns = buckets.columns or tuple(column.name for column in BUCKETS.columns)
    for name in columns:
        _column(BUCKETS, name)
    return replace(buckets, where=where, after=_place(buckets), among=_among(buckets.among), columns=columns)


def checked_drifting(drifting: Drifting) -> Drifting:
    """Return ``drifting`` with every condition a list of values.

    Raises
    ------
    StoreError
        If a condition is not on the series, or times, limit or parts make no sense.
    """
    _check_times(from_ms=drifting.from_ms, to_ms=drifting.to_ms)
    _check_limit(drifting.limit)
    if not isinstance(drifting.parts, int) or not 1 <= drifting.parts <= MOST_PARTS:
        raise StoreError(f"parts {drifting.parts!r} is not a whole number from 1 to {MOST_PARTS:,}")
    return replace(drifting, where=_of_series("drifting series", drifting.where))


def _of_series(subject: str, where: Mapping[str, Any]) -> dict[str, list[Any]]:
    scores = TABLES["scores"]
    if unknown := sorted(set(where) - set(scores.key[:-1])):
        raise StoreError(f"{subject} are chosen by {', '.join(scores.key[:-1])}, not by {', '.join(unknown)}")
    return {name: _wanted(_column(scores, name), value) for name, value in where.items()}


def _check_times(**times: int) -> None:
    for name, value in times.items():
        if not isinstance(value, (int, np.integer)) or abs(int(value)) > LONGEST_MS:
            raise StoreError(f"{name} {value!r} is not a number of milliseconds up to 2**62")


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 0:
        raise StoreError(f"limit {limit} is below 0")


def _among(among: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    names = TABLES["scores"].key[:-1]
    if any(len(series) != len(names) for series in among):
        raise StoreError(f"among needs {', '.join(names)} of each")
    scores = TABLES["scores"]
    return tuple(tuple(_scalar(scores.column(n), v) for n, v in zip(names, series, strict=True)) for series in among)


def _place(buckets: Buckets) -> tuple[Any, ...]:
    names, after = buckets.sort_columns(), buckets.after
    if after and len(after) != len(names):
        raise StoreError(f"after needs one value for each of {names}, not {len(after)}")
    cursor = [_scalar(BUCKETS.column(name), value) for name, value in zip(names, after, strict=False)]
    if any(isinstance(value, float) and math.isnan(value) for value in cursor):
        raise StoreError("a severity is never NaN")
    return tuple(cursor)
