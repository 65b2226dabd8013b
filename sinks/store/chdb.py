"""ClickHouse inside the process. The store for one machine.

Guarantee: what ``append`` acknowledged survives the end of the process, a kill included. Not covered: the end of the
machine may cost the newest seconds, since files are not forced to the disk; and a disk that another program both fills
and frees within the milliseconds of an insert, which the engine does not notice. ``free_bytes`` keeps away from that
edge; an append that finds less room at its end is refused, and its repetition written anew. Merges that a full disk cut
off are undone (:mod:`sinks.store.cut_parts`).
An insert also feeds what follows from its rows, table after table, each with a look of its own at the room that is
left: an append therefore asks for more at its start (``MARGIN_BYTES``) than it, and those under way, can use. Should it
be cut off all the same, its repetition under the same token completes it, and ``leeway store verify`` finds what nobody
has repeated.
One directory per process and one process per directory: the engine allows no more. ``close`` waits for calls under
way.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import structlog

from sinks.store.contract import Columns, StoreError, Table
from sinks.store.cut_parts import engine_configuration
from sinks.store.failures import EngineError
from sinks.store.full_disk import FullDisk
from sinks.store.native import block
from sinks.store.sessions import DirectoryLock, Sessions
from sinks.store.sql import bound, quoted_text
from sinks.store.sqlstore import SqlStore

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ChdbStore"]

log = structlog.get_logger("leeway.store")

_SETTINGS: dict[str, int | str] = {
    "final": 1,  # queries see the newest row of each key, those of users too
    "do_not_merge_across_partitions_select_final": 1,  # a key never lies in two partitions
    "async_insert": 0,  # an asynchronous insert ignores its token, and is acknowledged before it is written
    "max_partitions_per_insert_block": 0,  # a backfill may reach over years
    "output_format_arrow_compression_method": "none",  # results never leave the process
}
# An insert is one block: more threads only take time to start (1 to 2 ms of an insert of 100 rows).
_WRITING: dict[str, int | str] = {"max_threads": 1}
_READ_ONLY: dict[str, int | str] = {"readonly": 2}  # 2 rather than 1, which would refuse a query's own SETTINGS clause

_WRITING_NOTHING = ("SYSTEM ", "KILL ")
_UNKNOWN_TABLE = 60


MARGIN_BYTES = 16 * 2**20
"""What other programs may take of the disk while an append writes."""

TABLES_AT_MOST = 3
"""Tables into which an append writes its rows, or what follows from them."""


class ChdbStore(SqlStore):
    """Tables in a directory, kept by ClickHouse within this process; any thread may call it.

    Parameters
    ----------
    path : str or os.PathLike
        Made if it is not there.
    free_bytes : int
        An append is refused, to be tried again, while the disk has less room than this, and no merge begins.

    Raises
    ------
    StoreError
        If the directory cannot be written, or is in use.
    """

    def __init__(self, path: str | os.PathLike[str], *, free_bytes: int = 128 * 2**20) -> None:
        self.path = Path(path).resolve()
        self.where = str(self.path)
        self._free_bytes = free_bytes
        self._reserved, self._reserving = 0, threading.Lock()
        self._lock, self._files = DirectoryLock(self.path), ExitStack()
        configuration = self._files.enter_context(_file_of(engine_configuration(free_bytes)))
        self._writers = Sessions(self.path, _SETTINGS | _WRITING, configuration)
        self._readers = Sessions(self.path, _SETTINGS | _READ_ONLY, configuration)
        self._menders = Sessions(self.path, _SETTINGS, configuration)
        self._not_keeping: set[str] = set()
        self._disk = FullDisk(self.path, free_bytes, self._asked, self._keep_all_replaced)
        try:
            self._disk.start()  # opens the engine, so that a directory it cannot use is refused here
            self._not_keeping |= self._tables_not_keeping()
            self._keep_all_replaced()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _room(self, size: int) -> Iterator[None]:
        """Refuse what would find room for its rows, and none for what follows from them, or from those of others."""
        most = TABLES_AT_MOST * size
        with self._reserving:
            if self._disk.free() < self._free_bytes + MARGIN_BYTES + self._reserved + most:
                raise StoreError(
                    f"store at {self.where}: not enough free space to take {size:,} bytes and keep "
                    f"{self._free_bytes:,} free",
                    retryable=True,
                )
            self._reserved += most
        try:
            yield
        finally:
            with self._reserving:
                self._reserved -= most

    def unwritable(self) -> str:
        """Return why nothing is written; see :meth:`Connection.unwritable`."""
        free, needed = self._disk.free(), self._free_bytes + MARGIN_BYTES
        if free >= needed:
            return self._disk.tables_away()
        return (
            f"the disk of the store at {self.where} has {free / 2**20:,.0f} MiB free: nothing is written below "
            f"{needed / 2**20:,.0f} MiB, and what comes waits"
        )

    def _insert(self, table: Table, rows: Columns, token: str) -> None:
        names = ", ".join(f"`{column.name}`" for column in table.columns)
        data = block(table, rows)
        # Not chDB's streaming insert (26.9.0), which is 1 ms faster but reports success when the commit has failed.
        with self._room(len(data)), self._disk.writing() as suffix, _file_of(data) as path:
            insert = (
                f"INSERT INTO `{table.name}` ({names}) FROM INFILE {quoted_text(path)} "
                f"SETTINGS insert_deduplication_token = '{token}{suffix}' FORMAT Native"
            )
            with self._writers.session() as session:
                session.query(insert)

    def mend(self) -> bool:
        """Go back to what parts have replaced that a full disk cut off; see :meth:`Connection.mend`."""
        return self._disk.mend()

    def keep_replaced(self, table: str) -> None:
        """Have the engine keep what merges of ``table`` replace; tried again later if there is no room for that now."""
        self._not_keeping.add(table)
        super().keep_replaced(table)
        self._not_keeping.discard(table)

    def _keep_all_replaced(self) -> None:
        for table in sorted(self._not_keeping):
            if self.unwritable():
                return
            try:
                self.keep_replaced(table)
            except StoreError as error:
                log.warning("a full disk could cut off merges of a table for good", table=table, reason=str(error))

    def _tables_not_keeping(self) -> set[str]:
        """Those that upkeep has left so which a full disk, or the end of the process, has interrupted."""
        not_keeping = "database = currentDatabase() AND engine_full LIKE '%old_parts_lifetime = 0%'"
        lines = self._asked(f"SELECT name FROM system.tables WHERE {not_keeping}").splitlines()
        return {json.loads(line)[0] for line in lines}

    def _asked(self, sql: str) -> str:
        with self._menders.session() as session:
            return str(session.query(sql, "JSONCompactEachRow"))

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns nothing: DDL, a mutation, INSERT … SELECT.

        Refused where an append would be, if it may write: the engine would empty the definition of a table, and not
        notice.
        """
        if sql.startswith(_WRITING_NOTHING):
            with self._disk.reading(), self._writers.session() as session:
                session.query(sql, params=_bound(parameters))
            return
        with self._room(0), self._disk.writing(), self._writers.session() as session:
            session.query(sql, params=_bound(parameters))

    def _arrow(self, sql: str, parameters: Mapping[str, Any] | None) -> pyarrow.Table:
        try:
            return self._read(sql, parameters)
        except EngineError as error:
            is_unknown = error.code == _UNKNOWN_TABLE and bool(self._disk.tables_away())
            if not (is_unknown or error.may_be_damage):
                raise
            is_mended = self.mend()
            if is_unknown and (reason := self._disk.tables_away()):
                raise StoreError(reason, retryable=True) from error
            if not is_mended:
                raise
            return self._read(sql, parameters)

    def _read(self, sql: str, parameters: Mapping[str, Any] | None) -> pyarrow.Table:
        import pyarrow

        with self._disk.reading(), self._readers.session() as session:
            stream = session.query(sql, "ArrowStream", params=_bound(parameters)).bytes()
            if not stream:  # a SET, for one; inside the `with`, so that the session is not used again
                raise StoreError("the statement returns no table; only those that read are allowed")
        return pyarrow.ipc.open_stream(stream).read_all()

    def close(self) -> None:
        """Release the directory once calls under way have ended; closing twice is allowed.

        With calls that do not end, the directory is released with the end of the process.
        """
        self._disk.close()
        users = {name for sessions in (self._readers, self._writers, self._menders) for name in sessions.close()}
        if users:
            log.warning("the store is left open: calls under way do not end", path=self.where, threads=sorted(users))
            return
        self._files.close()
        self._lock.release()


@contextmanager
def _file_of(data: bytes) -> Iterator[str]:
    """Lend ``data`` as a file, in memory where the system can, and return its path."""
    with _empty_file() as file:
        try:
            file.write(data)
            file.flush()
        except OSError as error:
            raise StoreError(f"no room for {len(data)} bytes on their way: {error.strerror}", retryable=True) from error
        yield f"/proc/self/fd/{file.fileno()}" if sys.platform == "linux" else file.name


def _empty_file() -> Any:
    return open(os.memfd_create("leeway"), "wb") if sys.platform == "linux" else NamedTemporaryFile()


def _bound(parameters: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: bound(value) for name, value in (parameters or {}).items()}
