"""Whether what a store has on the disk is what it wrote: every part of every table, against its checksums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sinks.store.connection import Connection
from sinks.store.contract import StoreError
from sinks.store.upkeep import detached, tables_of

__all__ = ["Damage", "Verified", "verify"]


@dataclass(frozen=True)
class Damage:
    """One part of a table whose bytes are not those that were written.

    Attributes
    ----------
    part : str
        Its name, which is that of its folder.
    reason : str
        As the engine says it, with the file.
    """

    part: str
    reason: str


@dataclass(frozen=True)
class Verified:
    """One table.

    Attributes
    ----------
    table : str
    parts : int
        How many were read.
    damage : tuple of Damage
    """

    table: str
    parts: int
    damage: tuple[Damage, ...]


def verify(store: Connection, on_table: Callable[[str], None] = lambda table: None) -> list[Verified]:
    """Read every byte of every table, and compare it with its checksums; others may write meanwhile.

    Parts that the engine has set aside, since it could not read them when it started, are damage too: their rows are
    missing. On a cluster the server that answers is verified.

    Parameters
    ----------
    store : Connection
    on_table : callable
        Called with each table before it is read.

    Raises
    ------
    StoreError
        If the store does not answer.
    """
    set_aside: dict[str, list[Damage]] = {}
    for table, part, reason in detached(store):
        missing = Damage(part, f"set aside by the engine ({reason or 'by hand'}): its rows are missing")
        set_aside.setdefault(table, []).append(missing)
    verified = []
    for name in tables_of(store):
        on_table(name)
        parts = _checked(store, name)
        damage = [Damage(part, reason) for part, is_whole, reason in parts if not is_whole]
        verified.append(Verified(name, len(parts), (*damage, *set_aside.get(name, ()))))
    return verified


def _checked(store: Connection, table: str) -> list[tuple[str, bool, str]]:
    sql = f"CHECK TABLE {store.stored(table)} SETTINGS check_query_single_value_result = 0"
    columns: dict[str, Any] = store.query(sql)
    if "part_path" not in columns:
        raise StoreError(f"store at {store.where}: the engine does not say which parts of {table} it has checked")
    rows = zip(columns["part_path"], columns["is_passed"], columns["message"], strict=True)
    return [(str(part), bool(is_passed), str(reason)) for part, is_passed, reason in rows]
