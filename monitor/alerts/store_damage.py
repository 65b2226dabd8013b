"""Damage to the store: parts that reads fail at, and those that the engine has set aside.

The rows of the latter are gone, and no read fails; unless the parts that they were merged from are still there, as they
are for minutes, and the engine has gone back to these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

import structlog

from monitor.alerts.wording import listed
from sinks.receivers.times import utc
from sinks.store.connection import Connection
from sinks.store.contract import Store, StoreError
from sinks.store.upkeep import DetachedPart, detached, tables_of
from sinks.store.verify import damage_of

__all__ = ["LOOK_THROUGH_EVERY_MS", "StoreDamage", "unreadable"]

LOOK_THROUGH_EVERY_MS = 3_600_000
"""All of a table may take long to read."""

log = structlog.get_logger("leeway.service")


def unreadable(store: Store) -> dict[str, str]:
    """Return what people should know of tables that reads fail at, by table."""
    tables = sorted(store.damaged_reads) if isinstance(store, Connection) else []
    return {
        table: f"a part of the table {table} is damaged, and what reads it waits. `leeway store verify` lists all"
        " damage; restore a backup, or replay the log, into a new store"
        for table in tables
    }


class StoreDamage:
    """What was last seen of the parts that are set aside.

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> damage = StoreDamage.of(store)
    >>> damage.look(store, now_ms=0)
    >>> damage.parts, damage.holding()
    ({}, {})
    """

    def __init__(self) -> None:
        self._since_ms: dict[DetachedPart, int] | None = None
        self._has_replicas = False
        self._failure = ""
        self._doubted: dict[str, int] = {}
        self._sound: set[str] = set()

    @staticmethod
    def of(store: Store) -> StoreDamage:
        """Return what was seen of a store, which everybody shares who reads it."""
        return _BY_STORE.setdefault(store, StoreDamage())

    @property
    def parts(self) -> dict[str, int] | None:
        """How many are set aside, by table; None before the store has answered."""
        since_ms = self._since_ms
        return None if since_ms is None else dict(Counter(part.table for part in since_ms))

    def look(self, store: Store, now_ms: int) -> None:
        """Look for them; what was seen before stays if the store does not answer."""
        if not isinstance(store, Connection):
            self._since_ms = {}
            return
        store.read_damaged_again()
        self._look_through(store, now_ms)
        try:
            parts = detached(store)
        except StoreError as error:
            if str(error) != self._failure:
                log.warning("nobody knows whether parts of the store are set aside", reason=str(error))
            self._failure = str(error)
            return
        self._failure = ""
        earlier = self._since_ms or {}
        broken = [part for part in parts if part.is_broken]
        _log([part for part in broken if part not in earlier])
        self._has_replicas = store.is_replicated
        self._since_ms = {part: earlier.get(part, now_ms) for part in broken}

    def is_readable(self, store: Store, table: str) -> bool:
        """Whether all of a table has been read since somebody asked: the first to ask has it looked through."""
        if isinstance(store, Connection) and table not in self._sound:
            self._doubted.setdefault(table, 0)
            return False
        return True

    def _look_through(self, store: Connection, now_ms: int) -> None:
        """Read all of the tables that are doubted: at once, and those that are damaged now and then."""
        for table, due_ms in list(self._doubted.items()):
            if now_ms < due_ms:
                continue
            try:
                is_whole = table not in tables_of(store) or not damage_of(store, table)
            except StoreError as error:
                log.warning("nobody knows whether a table can be read", table=table, reason=str(error))
                continue
            self._doubted[table] = now_ms + LOOK_THROUGH_EVERY_MS
            if is_whole:
                self._sound.add(table)
                del self._doubted[table]

    def holding(self) -> dict[str, str]:
        """Return what people should know, by table."""
        of_tables: dict[str, dict[DetachedPart, int]] = {}
        for part, since_ms in (self._since_ms or {}).items():
            of_tables.setdefault(part.table, {})[part] = since_ms
        unless = ", unless another replica has them," if self._has_replicas else ""
        return {table: _sentence(table, unless, since_ms) for table, since_ms in sorted(of_tables.items())}


def _sentence(table: str, unless: str, since_ms: Mapping[DetachedPart, int]) -> str:
    count = f"{len(since_ms)} parts" if len(since_ms) > 1 else "a part"
    names = listed([f"{part.name} on {part.host}" for part in since_ms])
    return (
        f"rows of the table {table} may be missing{unless} since {utc(min(since_ms.values()))} or earlier: the store"
        f" cannot read {count}, and has set aside {names}. `leeway store verify` lists all damage; after a full disk"
        " the rows are often there, in the parts that were merged. Else restore a backup, or replay the log, into a new"
        " store"
    )


def _log(parts: Sequence[DetachedPart]) -> None:
    for table, count in Counter(part.table for part in parts).items():
        names = listed([part.name for part in parts if part.table == table])
        log.error("parts of the store are set aside: their rows may be missing", table=table, count=count, parts=names)


_BY_STORE: WeakKeyDictionary[Store, StoreDamage] = WeakKeyDictionary()
