"""A new store gets its tables as they are today, instead of by every migration that there has been.

``migrations/new_store.sql`` holds them as the migrations up to one have left them; what has come since runs after it.
A start with an empty store takes a third of the time. ``python -m tests.sinks.store.new_store`` writes the file anew,
which is worth it now and then; a test compares the tables of both ways.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources

from sinks.store.connection import Connection
from sinks.store.contract import StoreError
from sinks.store.schema import RECORD, migrations, recorded, split_statements

__all__ = ["FILE", "create_tables", "is_new"]

_MARK = "new_store"
"""A table that is there while the others are made: a store that was cut off then is still a new one."""

FILE = resources.files("sinks.store").joinpath("migrations").joinpath("new_store.sql")


def is_new(store: Connection) -> bool:
    """Return whether a store is empty, or was cut off while its tables were made.

    Raises
    ------
    StoreError
        If other tables than today's were begun: those that are there would be taken for today's.
    """
    sql = "SELECT name, comment FROM system.tables WHERE database = currentDatabase()"
    rows = store.query(sql)
    comments = dict(zip(rows["name"], rows["comment"], strict=True))
    if _MARK not in comments:
        return not comments
    if recorded(store):
        # Every table is there, whoever else began to make them, or was cut off before the mark went.
        store.command(f"DROP TABLE IF EXISTS {_MARK}")
        return False
    if comments[_MARK] != _digest():
        raise StoreError(
            f"the store at {store.where} is new, and another version of Leeway was cut off while it made its tables: "
            "nothing is stored there yet, so empty it and start again, or start that version"
        )
    return True


def _digest() -> str:
    return hashlib.sha256(FILE.read_bytes()).hexdigest()[:16]


def create_tables(store: Connection) -> None:
    """Make the tables of a new store, and record the migrations that they stand for.

    Every statement is harmless when repeated, here or by another process that starts at the same time.

    Raises
    ------
    StoreError
    """
    text = FILE.read_text("utf-8")
    store.command(f"CREATE TABLE IF NOT EXISTS {_MARK} (x UInt8) ENGINE = Memory COMMENT '{_digest()}'")
    for statement in split_statements(text):
        store.command(statement)
    # After all tables, and before the mark goes: a store without either is one that migrations have begun to make.
    newest = re.search(r"^-- .*migration (\d+)", text)
    if newest is None:
        raise StoreError(f"{FILE}: its first line does not name the last migration that it stands for")
    rows = ", ".join(f"({step.version}, '{step.name}')" for step in migrations() if step.version <= int(newest[1]))
    store.command_again(f"INSERT INTO {RECORD} SELECT step.1, step.2 FROM (SELECT arrayJoin([{rows}]) AS step)")
    store.command(f"DROP TABLE IF EXISTS {_MARK}")
