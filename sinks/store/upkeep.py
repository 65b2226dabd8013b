"""What a store holds, and how it gets rid of what nobody needs: for ``leeway store``, and for erasing.

All of it works while others write. On a cluster it speaks of all replicas, and of ``scores`` where each of them has
``scores_local``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sinks.store.connection import Connection
from sinks.store.contract import StoreError
from sinks.store.retention import AGING, present
from sinks.store.schema import RECORD, migrations, recorded, version

__all__ = [
    "DetachedPart",
    "Status",
    "TableStatus",
    "detached",
    "detached_parts",
    "drop_outdated",
    "merge",
    "mutate",
    "pause",
    "status",
    "tables_of",
    "vacuum",
]

POLL_S = 0.1
_HERE = "database = {database:String}"
_TABLE = "replaceRegexpOne(table, '_local$', '')"


@dataclass(frozen=True)
class TableStatus:
    """One table.

    Attributes
    ----------
    name : str
    rows : int
        Those that a merge will replace included.
    bytes, parts : int
        On the disk, of parts in use.
    outdated_bytes, outdated_parts : int
        Of parts that merges and mutations have replaced, and that are not removed yet.
    oldest_ms, newest_ms : int or None
        By the rows' own time; None without rows, and for tables whose rows do not grow old.
    ttl : str
        When rows go; empty is never.
    mutations : int
        Deletions and changes that are under way.
    """

    name: str
    rows: int
    bytes: int
    parts: int
    outdated_bytes: int
    outdated_parts: int
    oldest_ms: int | None
    newest_ms: int | None
    ttl: str
    mutations: int


@dataclass(frozen=True)
class Status:
    """A store.

    Attributes
    ----------
    where : str
    engine : str
        ClickHouse's version.
    schema_version, newest_version : int
        What the store has, and what this version of Leeway brings.
    disk_free_bytes : int
        What the store may still take: an embedded one leaves some room to others.
    tables : list of TableStatus
    """

    where: str
    engine: str
    schema_version: int
    newest_version: int
    disk_free_bytes: int
    tables: list[TableStatus] = field(default_factory=list)


@dataclass(frozen=True)
class DetachedPart:
    """A part that statements do not reach, since the engine or a person has set it aside.

    Attributes
    ----------
    table : str
    name : str
        That of its folder.
    reason : str
        The engine's word; empty for one set aside by hand.
    host : str
        The server that has it.
    """

    table: str
    name: str
    reason: str
    host: str

    @property
    def is_broken(self) -> bool:
        """Whether the engine could not read it; others are copies that it has no use for, as `covered-by-broken`."""
        return self.reason.startswith("broken")


def tables_of(store: Connection) -> list[str]:
    """Return the names of the tables that hold rows, sorted."""
    sql = f"SELECT name FROM system.tables WHERE {_HERE} AND engine LIKE '%MergeTree'"
    return sorted({name.removesuffix("_local") for name in _system_rows(store, sql)["name"]})


def _system_rows(store: Connection, sql: str, **parameters: Any) -> dict[str, Any]:
    """Read a system table; the database is named, since on another replica the present one is another."""
    database = store.query("SELECT currentDatabase() AS name")["name"][0]
    return store.query(sql, {"database": database, **parameters})


def status(store: Connection) -> Status:
    """Describe a store.

    Raises
    ------
    StoreError
    """
    parts = _by_table(
        store,
        f"""
        SELECT {_TABLE} AS name, sumIf(rows, active) AS n, sumIf(bytes_on_disk, active) AS used,
            countIf(active) AS parts, sumIf(bytes_on_disk, NOT active) AS outdated,
            countIf(NOT active) AS outdated_parts
        FROM {store.everywhere("system.parts")} WHERE {_HERE} GROUP BY name
        """,
    )
    mutations = _by_table(
        store,
        f"SELECT {_TABLE} AS name, count() AS pending FROM {store.everywhere('system.mutations')} "
        f"WHERE {_HERE} AND NOT is_done GROUP BY name",
    )
    ttls = present(store)
    disks = store.everywhere("system.disks")
    server = store.query(f"SELECT version() AS engine, min(free_space) AS free FROM {disks}")
    tables = [
        _table_status(store, name, parts.get(name, {}), mutations.get(name, {}), ttls.get(name, ""))
        for name in tables_of(store)
    ]
    newest = migrations()[-1].version
    return Status(store.where, server["engine"][0], version(recorded(store)), newest, int(server["free"][0]), tables)


def _table_status(
    store: Connection, name: str, parts: Mapping[str, Any], mutations: Mapping[str, Any], ttl: str
) -> TableStatus:
    oldest = newest = None
    if parts.get("n") and name in AGING:
        column = AGING[name].time
        # Merged or not does not matter here, and FINAL would read the whole key.
        sql = f"SELECT min({column}) AS a, max({column}) AS b FROM `{name}` SETTINGS final = 0"
        times = store.query(sql)
        oldest, newest = int(times["a"][0]), int(times["b"][0])
    return TableStatus(
        name,
        rows=int(parts.get("n", 0)),
        bytes=int(parts.get("used", 0)),
        parts=int(parts.get("parts", 0)),
        outdated_bytes=int(parts.get("outdated", 0)),
        outdated_parts=int(parts.get("outdated_parts", 0)),
        oldest_ms=oldest,
        newest_ms=newest,
        ttl=ttl,
        mutations=int(mutations.get("pending", 0)),
    )


def _by_table(store: Connection, sql: str) -> dict[str, dict[str, Any]]:
    columns = _system_rows(store, sql)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return {row["name"]: row for row in rows}


def mutate(store: Connection, table: str, action: str, parameters: Mapping[str, Any] | None = None) -> str:
    """Run ``ALTER TABLE … DELETE``, ``UPDATE`` or ``MATERIALIZE`` and wait for its end; return the mutation's id.

    What is bound is written into the mutation, which the engine keeps: it must not be personal.

    Raises
    ------
    StoreError
        If the engine gives up on it; it is then taken back.
    """
    earlier_ids = set(_mutations(store, table)["mutation_id"])
    # Not waited for by the statement, since a connection that hears nothing for long is taken for dead.
    store.command(f"ALTER TABLE {store.altered(table)} {action} SETTINGS mutations_sync = 0", parameters)
    while True:
        mutations = _mutations(store, table)
        rows = zip(mutations["mutation_id"], mutations["is_done"], mutations["latest_fail_reason"], strict=True)
        mine = [row for row in rows if row[0] not in earlier_ids]
        failed = [reason for _, _, reason in mine if reason]
        if failed:
            # The engine would try it again for ever.
            store.command(f"KILL MUTATION WHERE {_TABLE} = {{name:String}} AND NOT is_done", {"name": table})
            raise StoreError(f"store at {store.where}: table {table!r} could not be changed: {failed[0]}")
        if all(done for _, done, _ in mine):
            return ",".join(identity for identity, _, _ in mine)
        pause(store)


def _mutations(store: Connection, table: str) -> dict[str, Any]:
    sql = (
        f"SELECT mutation_id, min(is_done) AS is_done, max(latest_fail_reason) AS latest_fail_reason "
        f"FROM {store.everywhere('system.mutations')} WHERE {_HERE} AND {_TABLE} = {{table:String}} "
        "GROUP BY mutation_id ORDER BY mutation_id"
    )
    return _system_rows(store, sql, table=table)


def pause(store: Connection) -> None:
    """Wait a moment, on the server: nothing here may read this machine's clock."""
    store.query(f"SELECT sleep({POLL_S}) AS slept")


def merge(store: Connection, table: str) -> None:
    """Merge a table, so that rows which newer ones have replaced are in no part any more."""
    store.command(f"OPTIMIZE TABLE {store.altered(table)} FINAL")


def detached_parts(store: Connection) -> int:
    """Return how many parts the engine has set aside, for being broken or by hand: statements do not reach them."""
    return len(detached(store))


def detached(store: Connection) -> list[DetachedPart]:
    """Return every part that is set aside."""
    sql = (
        f"SELECT {_TABLE} AS of_table, name, ifNull(toString(reason), '') AS why, hostName() AS host "
        f"FROM {store.everywhere('system.detached_parts')} WHERE {_HERE} ORDER BY of_table, name, host"
    )
    rows = _system_rows(store, sql)
    return [DetachedPart(*row) for row in zip(rows["of_table"], rows["name"], rows["why"], rows["host"], strict=True)]


def drop_outdated(store: Connection, tables: Collection[str], attempts: int = 6_000) -> None:
    """Return once no part of ``tables`` that was replaced before is left on the disk.

    A table's cleaner comes by every second or two; right after the upgrade that set this, half a minute may pass.

    Parameters
    ----------
    store : Connection
    tables : collection of str
    attempts : int
        How often to look, ten times a second.

    Raises
    ------
    StoreError
        If some stay, as a long query that reads them makes them. May be tried again.
    """
    if not tables:
        return
    if store.mend():
        raise StoreError(f"store at {store.where}: a full disk has cut off what replaces old parts", retryable=True)
    replaced = _outdated(store, tables)
    concerned = sorted({table for table, _ in replaced})
    with _removed_at_once(store, concerned):
        for _ in range(attempts):
            if not replaced & _outdated(store, concerned):
                return
            pause(store)
    remaining_count = len(replaced & _outdated(store, concerned))
    raise StoreError(f"store at {store.where}: {remaining_count} replaced parts are still on the disk", retryable=True)


@contextmanager
def _removed_at_once(store: Connection, tables: Sequence[str]) -> Iterator[None]:
    """Have the engine keep nothing that merges replace; afterwards it does again, but for tables where that fails."""
    with ExitStack() as afterwards:
        for table in tables:
            # First, since a statement that fails may have been carried out; each is tried, whatever another one raises.
            afterwards.callback(store.keep_replaced, table)
            store.command(f"ALTER TABLE {store.altered(table)} MODIFY SETTING old_parts_lifetime = 0")
        yield


def _outdated(store: Connection, tables: Collection[str]) -> set[tuple[str, str]]:
    """Table and name of every part that others have replaced, or of which nothing is left."""
    sql = (
        f"SELECT {_TABLE} AS of_table, name FROM {store.everywhere('system.parts')} "
        f"WHERE {_HERE} AND (NOT active OR rows = 0) AND of_table IN {{tables:Array(String)}}"
    )
    parts = _system_rows(store, sql, tables=list(tables)) if tables else {"of_table": [], "name": []}
    return set(zip(parts["of_table"], parts["name"], strict=True))


def vacuum(
    store: Connection, tables: Sequence[str] = (), on_table: Callable[[str], None] = lambda table: None
) -> dict[str, tuple[int, int]]:
    """Remove rows whose time is over and rows that newer ones have replaced, and give their room back.

    Parameters
    ----------
    store : Connection
    tables : sequence of str
        All that grow if empty.
    on_table : callable
        Called with each table before it is worked on.

    Returns
    -------
    dict
        Bytes on the disk before and after, by table.

    Raises
    ------
    StoreError
    """
    names = list(tables) or [name for name in tables_of(store) if name != RECORD]
    bytes_before = _disk_bytes(store)
    ttls = present(store)
    for name in names:
        on_table(name)
        if name in ttls:
            mutate(store, name, "MATERIALIZE TTL")
        store.command(f"OPTIMIZE TABLE {store.altered(name)} FINAL SETTINGS optimize_skip_merged_partitions = 1")
    # Until then the disk holds the replaced parts beside the new ones, and nothing would have become smaller.
    drop_outdated(store, names)
    bytes_after = _disk_bytes(store)
    return {name: (bytes_before.get(name, 0), bytes_after.get(name, 0)) for name in names}


def _disk_bytes(store: Connection) -> dict[str, int]:
    parts = store.everywhere("system.parts")
    sql = f"SELECT {_TABLE} AS name, sum(bytes_on_disk) AS used FROM {parts} WHERE {_HERE} GROUP BY name"
    return {name: int(row["used"]) for name, row in _by_table(store, sql).items()}
