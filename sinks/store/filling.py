"""A store that is being filled, from a backup or another store: nothing else may be in it, or use it, meanwhile."""

from __future__ import annotations

from sinks.store.contract import Query, Store, StoreError
from sinks.store.rows import row_count
from sinks.store.sqlstore import SqlStore
from sinks.store.tables import TABLES

__all__ = ["IDENTITY", "RECORD", "begin", "end", "unfinished"]

IDENTITY = "identity"
"""Holds the name of a store, which an empty one may have already."""

RECORD = "fillings"
"""The table in which a store records from what it is being filled, and whether that has come to its end."""


def begin(store: Store, origin: str) -> bool:
    """Note that rows of ``origin`` are to come; return whether some may be there, since the same was cut off before.

    A store in memory keeps no note: it ends with what fills it.

    Raises
    ------
    StoreError
        If the store has other rows: two histories would replace each other key by key.
    """
    if isinstance(store, SqlStore) and unfinished(store) == origin:
        return True
    filled = [name for name in TABLES if name != IDENTITY and has_rows(store, name)]
    if filled:
        other = f"; it holds a part of another, from {unfinished(store)}" if unfinished(store) else ""
        raise StoreError(f"only a store without rows can be filled; {', '.join(filled)} has some{other}")
    while earlier := unfinished(store):
        # Nothing of it is there.
        _note(store, earlier, is_done=1)
    _note(store, origin, is_done=0)
    return False


def end(store: Store, origin: str) -> None:
    """Note that everything is there."""
    _note(store, origin, is_done=1)


def unfinished(store: Store) -> str:
    """Return from what a store is being filled; empty if it is not.

    Raises
    ------
    StoreError
    """
    if not isinstance(store, SqlStore):
        return ""
    rows = store.query(f"SELECT origin FROM {RECORD} FINAL WHERE is_done = 0 ORDER BY origin")["origin"]
    return str(rows[0]) if rows else ""


def has_rows(store: Store, table: str) -> bool:
    """Whether a table has any."""
    if isinstance(store, SqlStore):
        # Replaced or not does not matter here, and FINAL would read the whole key.
        return row_count(store.query(f"SELECT 1 AS one FROM `{table}` LIMIT 1 SETTINGS final = 0")) > 0
    return row_count(store.read(Query(table, limit=1))) > 0


def _note(store: Store, origin: str, *, is_done: int) -> None:
    if isinstance(store, SqlStore):
        sql = f"INSERT INTO {RECORD} SELECT {{origin:String}}, max(number) + 1, {{is_done:Int64}} FROM {RECORD}"
        # Twice is no harm: the number grows once more.
        store.command_again(sql, {"origin": origin, "is_done": is_done})
