"""A store in memory, for tests and replays. Guarantee: none beyond the process; otherwise the contract's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.store.contract import DERIVED, TABLES, Buckets, Columns, Drifting, Query, StoreError, Table
from sinks.store.derived import bucket_rows, derived_rows, drifting_rows, source_query, totals_of
from sinks.store.rows import (
    as_list,
    checked_buckets,
    checked_columns,
    checked_drifting,
    checked_query,
    checked_totals,
    row_count,
    split,
    table_named,
)

__all__ = ["MemoryStore"]

TOKENS_REMEMBERED = 10_000
"""Newest tokens kept per table, as many as the embedded store keeps."""

_DTYPES = {"int": np.dtype(np.int64), "float": np.dtype(np.float64)}

Positions = NDArray[np.intp]


class MemoryStore:
    """Keeps rows in growing columns, each key at one position; any thread may call it.

    Examples
    --------
    >>> store = MemoryStore()
    >>> row = {"model": ["fraud"], "topic": ["events"], "partition": [0], "closed_ms": [10_000],
    ...        "newest_ms": [12_000], "next_offset": [7]}
    >>> store.append("progress", row, token="events/0/7")
    >>> store.read(Query("progress", where={"model": "fraud"}, columns=("partition", "next_offset")))
    {'partition': array([0]), 'next_offset': array([7])}
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables = {name: _Rows(table) for name, table in TABLES.items()}
        self._closed = False

    def migrate(self) -> None:
        """Do nothing: the tables are current from the start."""
        self._check_open()

    def is_current(self) -> bool:
        """Return True: the tables are current from the start."""
        self._check_open()
        return True

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        """Write rows; see :class:`sinks.store.contract.Store`."""
        rows = checked_columns(table_named(table), columns)
        with self._lock:
            self._check_open()
            self._tables[table].append(rows, token)

    def read(self, query: Query) -> Columns:
        """Return the rows that ``query`` asks for, as copies."""
        query = checked_query(query)
        if query.table in DERIVED:
            rows = _Rows(DERIVED[query.table])
            rows.append(derived_rows(query.table, self.read(source_query(query))), "derived")
            return rows.read(query)
        with self._lock:
            self._check_open()
            return self._tables[query.table].read(query)

    def totals(self, query: Query) -> Columns:
        """Return panes, or sums of them, added up."""
        return totals_of(self.read(checked_totals(query)))

    def buckets(self, buckets: Buckets) -> Columns:
        """Return what the scores were like in each span of time, worked out each time."""
        buckets = checked_buckets(buckets)
        low, high = {"window_end_ms": buckets.from_ms}, {"window_end_ms": buckets.to_ms}
        return bucket_rows(buckets, self.read(Query("scores", buckets.where, low, high)))

    def drifting(self, drifting: Drifting) -> Columns:
        """Return the series that drifted, the worst first."""
        drifting = checked_drifting(drifting)
        low, high = {"window_end_ms": drifting.from_ms}, {"window_end_ms": drifting.to_ms}
        return drifting_rows(drifting, self.read(Query("scores", drifting.where, low, high)))

    def refresh(self, settle_ms: int = 0, is_enough: Callable[[], bool] = lambda: False) -> int:
        """Do nothing: what follows from the rows is worked out when it is read."""
        return 0

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._closed = True
            self._tables = {}

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")


class _Rows:
    """One table's rows. A row keeps its position for ever, so that replacing it touches no index."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._count = 0
        self._columns = {c.name: np.empty(64, _DTYPES.get(c.kind, np.dtype(object))) for c in table.columns}
        self._positions: dict[tuple[Any, ...], int] = {}
        self._tokens: dict[str, None] = {}

    def append(self, rows: Columns, token: str) -> None:
        if row_count(rows) == 0 or token in self._tokens:
            return
        source, target = self._places(rows)
        self._grow(self._count)  # in doublings, so that appends take the same time however many rows there are
        for name, column in self._columns.items():
            column[target] = _as_array(rows[name], column.dtype)[source]
        self._tokens[token] = None
        if len(self._tokens) > TOKENS_REMEMBERED:
            del self._tokens[next(iter(self._tokens))]  # the oldest: a dict keeps the order of insertion

    def _places(self, rows: Columns) -> tuple[Positions, Positions]:
        """Return which of ``rows`` to take and the position of each; unknown keys get new positions."""
        places: dict[int, int] = {}
        for row, key in enumerate(zip(*(as_list(rows[name]) for name in self._table.key), strict=True)):
            position = self._positions.setdefault(key, self._count)
            if position == self._count:
                self._count += 1
                places[position] = row
            elif self._is_newer(rows, row, position, places):
                places[position] = row
        count = len(places)
        return np.fromiter(places.values(), np.intp, count), np.fromiter(places, np.intp, count)

    def _is_newer(self, rows: Columns, row: int, position: int, places: Mapping[int, int]) -> bool:
        newest_by = self._table.newest_by
        if not newest_by:
            return True
        rival = rows[newest_by][places[position]] if position in places else self._columns[newest_by][position]
        return bool(rows[newest_by][row] >= rival)

    def _grow(self, count: int) -> None:
        for name, column in self._columns.items():
            if len(column) < count:
                larger = np.empty(max(count, 2 * len(column)), column.dtype)
                larger[: len(column)] = column
                self._columns[name] = larger

    def read(self, query: Query) -> Columns:
        positions = self._matching(query)
        positions = positions if query.first_by else self._first(query, positions)
        positions = positions[self._order(query, positions)]
        positions = self._first_by(query, positions)[: query.limit]
        kinds = {column.name: column.kind for column in self._table.columns}
        return {name: _copied(self._columns[name][positions], kinds[name]) for name in query.columns}

    def _matching(self, query: Query) -> Positions:
        # Numbers first: they are compared thousands of times faster than strings, and windows of time are narrow.
        positions = np.arange(self._count)
        for name, low in query.low.items():
            positions = self._narrow(positions, name, np.greater_equal, low)
        for name, high in query.high.items():
            positions = self._narrow(positions, name, np.less, high)
        for name, by_model in query.floors.items():
            named = positions[[model in by_model for model in self._columns["model"][positions]]]
            floors = np.array([by_model[model] for model in self._columns["model"][named]], np.int64)
            positions = named[self._columns[name][named] >= floors]
        for name, refused in query.without.items():
            positions = self._narrow(positions, name, lambda values, bound: ~_one_of(values, bound), refused)
        for name, choices in query.containing.items():
            positions = self._narrow(positions, name, _containing, choices)
        for name in sorted(query.where, key=lambda name: self._columns[name].dtype == object):
            positions = self._narrow(positions, name, _one_of, query.where[name])
        return self._behind(query, positions) if query.after else positions

    def _narrow(self, positions: Positions, name: str, test: Callable[[Any, Any], Any], bound: Any) -> Positions:
        # Positions are distinct, so that as many as there are rows means all of them, in order.
        everything = len(positions) == self._count
        values = self._columns[name][: self._count] if everything else self._columns[name][positions]
        matching: Positions = positions[test(values, bound)]
        return matching

    def _behind(self, query: Query, positions: Positions) -> Positions:
        behind = []
        for name, bound in zip(query.sort_columns(), query.after, strict=True):
            values, value = self._columns[name][positions], _alone(bound)
            behind.append(positions[values < value if query.descending else values > value])
            positions = positions[values == value]
        return np.concatenate(behind)

    def _first(self, query: Query, positions: Positions) -> Positions:
        """Return the rows that may be among the ``limit`` first, by the first column of the order alone."""
        values = self._columns[query.sort_columns()[0]]
        if not query.limit or query.limit >= len(positions) or values.dtype == object:
            return positions
        ranks = _rank(values[positions], query.descending)
        worst = np.partition(ranks, query.limit - 1)[query.limit - 1]
        return positions if np.isnan(worst) else positions[ranks <= worst]

    def _first_by(self, query: Query, positions: Positions) -> Positions:
        if not query.first_by:
            return positions
        groups = zip(*(self._columns[name][positions].tolist() for name in query.first_by), strict=True)
        firsts: dict[tuple[Any, ...], int] = {}
        for index, group in enumerate(groups):
            firsts.setdefault(group, index)
        return positions[list(firsts.values())]

    def _order(self, query: Query, positions: Positions) -> Positions:
        ranks = [_rank(self._columns[name][positions], query.descending) for name in query.sort_columns()]
        return np.asarray(np.lexsort(ranks[::-1]), np.intp)


def _as_array(values: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    out = np.empty(len(values), dtype)
    # Item by item: numpy would make a matrix of arrays that happen to have one length.
    for index, value in enumerate(values):
        out[index] = value
    return out


def _one_of(values: NDArray[Any], allowed_values: Sequence[Any]) -> NDArray[np.bool_]:
    if values.dtype != object:
        return np.isin(values, np.asarray(allowed_values, values.dtype))
    if len(allowed_values) == 1:
        return np.asarray(values == _alone(allowed_values[0]), bool)
    allowed = set(allowed_values)
    return np.fromiter((value in allowed for value in values), bool, len(values))


def _containing(values: NDArray[Any], choices: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
    held = (any(all(text in value for text in choice) for choice in choices) for value in values)
    return np.fromiter(held, bool, len(values))


def _alone(value: Any) -> NDArray[Any]:
    """Return a value as an array of one; left to itself, numpy drops the NULs with which a text ends."""
    return np.array([value], object if isinstance(value, str) else None)


def _rank(values: NDArray[Any], descending: bool) -> NDArray[Any]:
    """Return numbers that sort as ``values`` do; NaN comes last either way, as in ClickHouse."""
    if values.dtype == object:
        places = {value: rank for rank, value in enumerate(sorted(set(values)))}
        values = np.fromiter(map(places.__getitem__, values), np.int64, len(values))
    if not descending:
        return values
    return ~values if values.dtype.kind == "i" else -values


def _copied(values: NDArray[Any], kind: str) -> Any:
    if kind in _DTYPES:
        return values
    return _copied_arrays(values.tolist()) if kind == "ints" else values.tolist()


def _copied_arrays(arrays: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    lengths: Iterable[int] = map(len, arrays)
    return split(np.concatenate([np.zeros(0, np.int64), *arrays]), np.fromiter(lengths, np.int64, len(arrays)))
