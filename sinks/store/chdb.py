"""ClickHouse inside the process. The store for one machine.

Guarantee: what ``append`` acknowledged survives the end of the process, a kill included. Not covered: the end of the
machine may cost the newest seconds, since files are not forced to the disk; and a disk that another program fills
within the milliseconds of an insert, which the engine does not notice (``free_bytes`` keeps away from that edge).
One directory per process and one process per directory: the engine allows no more. ``close`` waits for calls under
way.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np

from sinks.store.contract import TABLES, Columns, Query, StoreError
from sinks.store.native import block
from sinks.store.rows import checked_columns, checked_query, row_count, split, table_named
from sinks.store.schema import pending
from sinks.store.sessions import DirectoryLock, Sessions
from sinks.store.sql import bound, quoted_text, select

__all__ = ["ChdbStore"]

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


class ChdbStore:
    """Tables in a directory, kept by ClickHouse within this process; any thread may call it.

    Parameters
    ----------
    path : str or os.PathLike
        Made if it is not there.
    free_bytes : int
        An append is refused, to be tried again, while the disk has less room than this.

    Raises
    ------
    StoreError
        If the directory cannot be written, or is in use.
    """

    def __init__(self, path: str | os.PathLike[str], *, free_bytes: int = 128 * 2**20) -> None:
        self.path = Path(path).resolve()
        self._lock = DirectoryLock(self.path)
        room = {"min_free_disk_bytes_to_perform_insert": free_bytes}
        self._writers = Sessions(self.path, _SETTINGS | _WRITING | room)
        self._readers = Sessions(self.path, _SETTINGS | _READ_ONLY)
        try:
            with self._writers.session():  # opens the engine, so that a directory it cannot use is refused here
                pass
        except BaseException:
            self.close()
            raise

    def migrate(self) -> None:
        """Create or upgrade the tables; see :class:`sinks.store.contract.Store`."""
        for step in pending(self._versions(), str(self.path)):
            with self._writers.session() as session:
                for statement in step.statements:
                    session.query(statement)
                session.query(
                    "INSERT INTO schema_migrations SELECT {version:Int64}, {name:String}",
                    params={"version": step.version, "name": step.name},
                )

    def _versions(self) -> list[int]:
        sql = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name = 'schema_migrations'"
        if not self.query(sql)["name"]:
            return []
        return list(self.query("SELECT version FROM schema_migrations")["version"].tolist())

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        """Write rows as one block; see :class:`sinks.store.contract.Store`."""
        known = table_named(table)
        rows = checked_columns(known, columns)
        if row_count(rows) == 0:
            return
        # A digest, since a setting cannot be bound like a value.
        digest = hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        names = ", ".join(f"`{column.name}`" for column in known.columns)
        # Not chDB's streaming insert (26.9.0), which is 1 ms faster but reports success when the commit has failed.
        with _file_of(block(known, rows)) as path, self._writers.session() as session:
            session.query(
                f"INSERT INTO `{table}` ({names}) FROM INFILE {quoted_text(path)} "
                f"SETTINGS insert_deduplication_token = '{digest}' FORMAT Native"
            )

    def read(self, query: Query) -> Columns:
        """Return the rows that ``query`` asks for."""
        query = checked_query(query)
        sql, values = select(query)
        kinds = {column.name: column.kind for column in TABLES[query.table].columns}
        found = self._fetch(sql, values)
        return {name: _DECODERS[kinds[name]](found[name]) for name in query.columns}

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Columns:
        """Run a statement that only reads, in ClickHouse's SQL; tables show the newest row of each key.

        Parameters
        ----------
        sql : str
            ``{name:Type}`` stands for a parameter. Must come from someone who may read the machine's files: the
            engine's ``file()`` can, and ``INTO OUTFILE`` can write new ones.
        parameters : mapping of str to value

        Returns
        -------
        dict
            Integers up to 64 bits with a sign and floats as arrays; everything else, NULLs included, as lists.

        Raises
        ------
        StoreError
            If the statement is wrong, or wants to write.
        """
        found = self._fetch(sql, parameters or {})
        return {name: _generic(found[name]) for name in found.column_names}

    def _fetch(self, sql: str, values: Mapping[str, Any]) -> Any:
        import pyarrow

        with self._readers.session() as session:
            params = {name: bound(value) for name, value in values.items()}
            stream = session.query(sql, "ArrowStream", params=params).bytes()
            if not stream:  # a SET, for one; inside the `with`, so that the session is not used again
                raise StoreError("the statement returns no table; only those that read are allowed")
        return pyarrow.ipc.open_stream(stream).read_all()

    def close(self) -> None:
        """Release the directory once calls under way have ended; closing twice is allowed."""
        self._readers.close()
        self._writers.close()
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


def _decoded(strings: Any) -> list[str]:
    return list(strings.to_pylist())


def _as_bytes(strings: Any) -> list[bytes]:
    import pyarrow

    return list(strings.cast(pyarrow.binary()).to_pylist())


def _number_array(numbers: Any) -> Any:
    # Copied, since what Arrow lends is read-only, and the twin in memory gives arrays of the caller's own.
    return np.array(numbers.to_numpy())


def _int_arrays(lists: Any) -> list[Any]:
    import pyarrow.compute

    lengths = pyarrow.compute.list_value_length(lists).to_numpy()
    return split(_number_array(pyarrow.compute.list_flatten(lists)), lengths)


def _string_tuples(lists: Any) -> list[tuple[str, ...]]:
    return [tuple(strings) for strings in lists.to_pylist()]


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "int": _number_array,
    "float": _number_array,
    "str": _decoded,
    "bytes": _as_bytes,
    "ints": _int_arrays,
    "strs": _string_tuples,
}


def _generic(column: Any) -> Any:
    import pyarrow

    if column.null_count == 0 and pyarrow.types.is_floating(column.type):
        return column.to_numpy().astype(np.float64)
    if column.null_count == 0 and pyarrow.types.is_integer(column.type) and column.type != pyarrow.uint64():
        return column.to_numpy().astype(np.int64)
    return column.to_pylist()
