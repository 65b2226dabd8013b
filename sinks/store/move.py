"""Every row of one store into another, and a proof that they are the same.

Tables that a store derives from others are copied too: sums by the hour and day outlive the rows they were made of. A
move that was cut off is begun again and goes on where it was. Nobody may write into either store meanwhile.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sinks.store.batch import content_token
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Columns, StoreError, Table
from sinks.store.derived import TIERS
from sinks.store.filling import IDENTITY, begin, end
from sinks.store.filling import RECORD as FILLINGS
from sinks.store.marks import MARKS
from sinks.store.native import CLICKHOUSE_TYPES
from sinks.store.rows import row_count
from sinks.store.schema import RECORD
from sinks.store.sql import Parameters, quoted
from sinks.store.sqlstore import SqlStore
from sinks.store.tables import EVERY_TABLE, TABLES
from sinks.store.tables.table import Column

__all__ = ["Moved", "move"]

PAGE_ROWS = 50_000
_OWN = frozenset({IDENTITY, MARKS})
"""Of these what a target has written by itself goes: a store that is moved stays the one that it was."""

_TOLD_DAYS = 29
"""Of receivers' notes that are older the engine drops some whenever it likes: they are not compared."""

OnTable = Callable[[str, int], None]


@dataclass(frozen=True)
class Moved:
    """One table.

    Attributes
    ----------
    table : str
    rows : int
    digest : str
        Of all rows, in both stores.
    """

    table: str
    rows: int
    digest: str


def move(source: SqlStore, target: SqlStore, on_table: OnTable = lambda table, rows: None) -> list[Moved]:
    """Copy every row.

    Parameters
    ----------
    source, target : SqlStore
    on_table : callable
        Called with a table and how many of its rows are in the target, now and then.

    Raises
    ------
    StoreError
        If the source is not up to date, the target has rows of another origin, or a table differs in the end. What has
        been copied stays, and the same move goes on from there.
    """
    if not source.is_current():
        raise StoreError(f"the store at {source.where} lacks tables of this version: `leeway store migrate` makes them")
    target.migrate()
    origin = f"move from {source.where}"
    begin(target, origin)
    with _nothing_expiring(source):
        for table in _tables():
            if table.name in _OWN:
                target.command(f"TRUNCATE TABLE {target.altered(table.name)}")
            _copy(source, target, table, on_table)
        moved = [_compared(source, target, table) for table in _tables()]
    end(target, origin)
    return moved


@contextmanager
def _nothing_expiring(source: SqlStore) -> Iterator[None]:
    """Keep rows whose time is over where they are, which an engine drops whenever it likes: both stores would differ.

    A server may serve others, and goes on: there the move is begun again should that happen.
    """
    if not isinstance(source, ChdbStore):
        yield
        return
    source.command("SYSTEM STOP TTL MERGES")
    try:
        yield
    finally:
        source.command("SYSTEM START TTL MERGES")


def _tables() -> list[Table]:
    """Every table, those first from which others are derived; the stores' own notes stay."""
    names = [*TABLES, *(name for name in EVERY_TABLE if name not in (*TABLES, MARKS, RECORD, FILLINGS)), MARKS]
    return [_whole(EVERY_TABLE[name]) for name in names]


def _whole(table: Table) -> Table:
    """The table with the column that no query reads."""
    return replace(table, columns=(*table.columns, Column("refreshed_ms", "int"))) if table.name in TIERS else table


def _copy(source: SqlStore, target: SqlStore, table: Table, on_table: OnTable) -> None:
    size = min(table.page_rows, PAGE_ROWS)
    # A table that its store fills by itself is written whole: how many rows it has says nothing about whose they are.
    rows = _count(target, table) // size * size if table.name in TABLES else 0
    after = _key_at(source, table, rows) if rows else ()
    for page in _pages(source, table, size, after):
        # A token of what was cleared away before may be remembered.
        token = secrets.token_hex(16) if table.name in _OWN else content_token(table.name, page)
        target.write(table, page, f"move/{token}")
        rows += row_count(page)
        on_table(table.name, rows)


def _pages(source: SqlStore, table: Table, size: int, after: tuple[object, ...]) -> Iterator[Columns]:
    names = ", ".join(quoted(column.name) for column in table.columns)
    kinds = {column.name: column.kind for column in table.columns}
    while True:
        values = Parameters()
        sql = f"SELECT {names} FROM {_behind(table, after, values)} ORDER BY {_key(table)} LIMIT {size:d}"
        page = source.fetch(sql, values, kinds)
        if not row_count(page):
            return
        yield page
        after = tuple(page[name][-1] for name in table.key)


def _behind(table: Table, after: tuple[object, ...], values: Parameters) -> str:
    if not after:
        return f"{quoted(table.name)} FINAL"
    marks = [
        values.bind(CLICKHOUSE_TYPES[table.column(name).kind], value)
        for name, value in zip(table.key, after, strict=True)
    ]
    # The comparison of tuples decides; that of their first members lets the index skip what lies before.
    first = f"{quoted(table.key[0])} >= {marks[0]}"
    return f"{quoted(table.name)} FINAL WHERE {first} AND ({_key(table)}) > ({', '.join(marks)})"


def _key_at(source: SqlStore, table: Table, rows: int) -> tuple[object, ...]:
    """The key of the last of the first ``rows`` rows."""
    sql = f"SELECT {_key(table)} FROM {quoted(table.name)} FINAL ORDER BY {_key(table)} LIMIT 1 OFFSET {rows - 1:d}"
    keys = source.fetch(sql, {}, {name: table.column(name).kind for name in table.key})
    if not row_count(keys):
        raise StoreError(f"{table.name}: the target has more rows than the source; move into a store without rows")
    return tuple(keys[name][0] for name in table.key)


def _key(table: Table) -> str:
    return ", ".join(map(quoted, table.key))


def _count(store: SqlStore, table: Table) -> int:
    return int(store.query(f"SELECT count() AS n FROM {quoted(table.name)} FINAL")["n"][0])


def _compared(source: SqlStore, target: SqlStore, table: Table) -> Moved:
    of_source, of_target = (_digest(store, table) for store in (source, target))
    if of_source != of_target:
        raise StoreError(
            f"{table.name}: {of_source.rows} rows at {source.where}, {of_target.rows} at {target.where}, and they "
            "differ: somebody has written meanwhile. Stop whoever does, and begin again with a store without rows"
        )
    return of_target


def _digest(store: SqlStore, table: Table) -> Moved:
    columns = ", ".join(quoted(column.name) for column in table.columns)
    compared = ""
    if table.name == "checkpoints":
        compared = f"WHERE stage != 'told' OR fromUnixTimestamp64Milli(position) > now() - INTERVAL {_TOLD_DAYS} DAY"
    totals = f"count() AS all_rows, hex(sum(sipHash64({columns}))) AS digest"
    result = store.query(f"SELECT {totals} FROM {quoted(table.name)} FINAL {compared}")
    return Moved(table.name, int(result["all_rows"][0]), str(result["digest"][0]))
