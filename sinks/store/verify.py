"""Whether what a store has on the disk is what it wrote: every part of every table, against its checksums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sinks.store.connection import Connection
from sinks.store.contract import StoreError
from sinks.store.derived import SERIES
from sinks.store.tables import EVERY_TABLE
from sinks.store.upkeep import detached, tables_of

__all__ = ["Damage", "Verified", "damage_of", "repair", "verify"]

_SERIES = ", ".join(f"`{name}`" for name in SERIES)
_HOURS = {
    "scores": "SELECT DISTINCT model, window_end_ms - 1 - positiveModulo(window_end_ms - 1, 3600000) AS hour_ms "
    "FROM scores",
    "panes": "SELECT DISTINCT model, pane_start_ms - positiveModulo(pane_start_ms, 3600000) AS hour_ms FROM panes",
}
_EVERY_HOUR = " UNION ALL ".join(
    f"SELECT '{name}' AS source, model, hour_ms FROM ({sql})" for name, sql in _HOURS.items()
)
_LACKING = {
    "latest": f"SELECT {_SERIES} "
    f"FROM (SELECT {_SERIES}, max(window_end_ms) AS newest FROM scores GROUP BY {_SERIES}) AS a "
    f"LEFT ANY JOIN (SELECT {_SERIES}, window_end_ms AS shown FROM latest FINAL) AS b USING ({_SERIES}) "
    "WHERE newest > shown",
    "touched": f"SELECT source, model, hour_ms FROM ({_EVERY_HOUR}) "
    "WHERE (source, model, hour_ms) NOT IN (SELECT source, model, hour_ms FROM touched)",
}
"""Which rows of a table are not there that follow from others."""


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
    lacking : int
        Of `latest` and `touched`: how many rows are not there that follow from others. An append that was cut off, and
        never repeated, leaves that; :func:`repair` writes them.
    """

    table: str
    parts: int
    damage: tuple[Damage, ...]
    lacking: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged, and nothing lacking."""
        return not self.damage and not self.lacking


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
    for part in detached(store):
        missing = Damage(part.name, f"set aside by the engine ({part.reason or 'by hand'}): its rows are missing")
        set_aside.setdefault(part.table, []).append(missing)
    verified = []
    for name in tables_of(store):
        on_table(name)
        parts = _checked(store, name)
        damage = [Damage(part, reason) for part, is_whole, reason in parts if not is_whole]
        verified.append(Verified(name, len(parts), (*damage, *set_aside.get(name, ()))))
    # What cannot be read says nothing of what follows from it.
    if not any(table.damage for table in verified):
        lacking = {name: _count(store, sql) for name, sql in _LACKING.items()}
        verified = [replace(table, lacking=lacking.get(table.table, 0)) for table in verified]
    return verified


def damage_of(store: Connection, table: str) -> list[Damage]:
    """Read all of one table, and return which of its parts cannot be read.

    Raises
    ------
    StoreError
    """
    return [Damage(part, reason) for part, is_whole, reason in _checked(store, table) if not is_whole]


def repair(store: Connection) -> None:
    """Write what follows from rows, and is not there: newest scores, and marks of hours to be added up anew.

    Hours that have a mark are left alone: some of their rows may be gone, and their sums outlive these.

    Raises
    ------
    StoreError
    """
    columns = ", ".join(f"`{column.name}`" for column in EVERY_TABLE["latest"].columns)
    store.command_again(
        f"INSERT INTO latest ({columns}) SELECT {columns} FROM scores FINAL "
        f"WHERE ({_SERIES}) IN ({_LACKING['latest']}) "
        f"ORDER BY {_SERIES}, window_end_ms DESC LIMIT 1 BY {_SERIES}"
    )
    marks = f"SELECT source, model, hour_ms, toUnixTimestamp64Milli(now64(3)), 0 FROM ({_LACKING['touched']})"
    store.command_again(f"INSERT INTO touched {marks}")


def _count(store: Connection, sql: str) -> int:
    return int(store.query(f"SELECT count() AS lacking FROM ({sql})")["lacking"][0])


def _checked(store: Connection, table: str) -> list[tuple[str, bool, str]]:
    sql = f"CHECK TABLE {store.stored(table)} SETTINGS check_query_single_value_result = 0"
    columns: dict[str, Any] = store.query(sql)
    if "part_path" not in columns:
        raise StoreError(f"store at {store.where}: the engine does not say which parts of {table} it has checked")
    rows = zip(columns["part_path"], columns["is_passed"], columns["message"], strict=True)
    return [(str(part), bool(is_passed), str(reason)) for part, is_passed, reason in rows]
