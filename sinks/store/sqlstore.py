"""What the stores that speak ClickHouse's SQL share: tables by migrations, checked rows in, Arrow out.

A new one says how a block is inserted, a statement is run, and a result is fetched; the rest is here.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sinks.store.contract import READABLE, Buckets, Columns, Drifting, Query, Table
from sinks.store.derived import TIERS
from sinks.store.rollups import SETTLE_MS, read_buckets, read_drifting, refresh, tier_question
from sinks.store.rows import (
    checked_buckets,
    checked_columns,
    checked_drifting,
    checked_query,
    row_count,
    split,
    table_named,
)
from sinks.store.schema import Migration, pending
from sinks.store.sql import select

if TYPE_CHECKING:
    import pyarrow

__all__ = ["SqlStore", "token_digest"]


class SqlStore(ABC):
    """A store whose tables are ClickHouse's; see :class:`sinks.store.contract.Store` for what it promises.

    Attributes
    ----------
    where : str
        Names the store to people, in errors too: a directory, or hosts and database; never with a password.
    """

    where: str

    @abstractmethod
    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pyarrow.Table:
        """Run a statement that only reads, as :meth:`query` does, and return its result as an Arrow table.

        Raises
        ------
        StoreError
        """

    @abstractmethod
    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns nothing: DDL, a mutation, INSERT … SELECT. Done when it returns.

        Parameters
        ----------
        sql : str
            ``{name:Type}`` stands for a parameter.
        parameters : mapping of str to value

        Raises
        ------
        StoreError
        """

    def altered(self, table: str) -> str:
        """Return what ALTER TABLE, OPTIMIZE TABLE and DELETE FROM name in place of ``table``."""
        return f"`{table}`"

    def everywhere(self, table: str) -> str:
        """Return what to read in place of a system table, such as ``system.mutations``, to see every server's rows."""
        return table

    @abstractmethod
    def close(self) -> None:
        """Release the store once calls under way have ended; closing twice is allowed."""

    @abstractmethod
    def _insert(self, table: Table, rows: Columns, token: str) -> None:
        """Insert ``rows``, which are checked and not none, as one block under ``token``, a digest in hex."""

    def migrate(self) -> None:
        """Create or upgrade the tables; see :class:`sinks.store.contract.Store`."""
        for step in pending(self._versions(), self.where):
            for statement in self._statements(step):
                self.command(statement)
            self.command(
                "INSERT INTO schema_migrations SELECT {version:Int64}, {name:String}",
                {"version": step.version, "name": step.name},
            )

    def is_current(self) -> bool:
        """Return whether ``migrate`` would do nothing; see :class:`sinks.store.contract.Store`."""
        return not pending(self._versions(), self.where)

    def _statements(self, step: Migration) -> Sequence[str]:
        return step.statements

    def _versions(self) -> list[int]:
        sql = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name = 'schema_migrations'"
        if not self.query(sql)["name"]:
            return []
        return list(self.query("SELECT version FROM schema_migrations")["version"].tolist())

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        """Write rows as one block; see :class:`sinks.store.contract.Store`."""
        known = table_named(table)
        rows = checked_columns(known, columns)
        if row_count(rows):
            self._insert(known, rows, token_digest(token))

    def read(self, query: Query) -> Columns:
        """Return the rows that ``query`` asks for."""
        query = checked_query(query)
        statement = tier_question(self, query) if query.table in TIERS else select(query)
        return self.fetch(*statement, {column.name: column.kind for column in READABLE[query.table].columns})

    def fetch(self, sql: str, parameters: Mapping[str, Any], kinds: Mapping[str, str]) -> Columns:
        """Run a statement that only reads, and return its columns, each of the kind that ``kinds`` says."""
        found = self.arrow(sql, parameters)
        return {name: _DECODERS[kinds[name]](found[name]) for name in found.column_names}

    def buckets(self, buckets: Buckets) -> Columns:
        """Return what the scores were like in each stretch of time."""
        return read_buckets(self, checked_buckets(buckets))

    def drifting(self, drifting: Drifting) -> Columns:
        """Return the series that drifted, the worst first."""
        return read_drifting(self, checked_drifting(drifting))

    def refresh(self, settle_ms: int = SETTLE_MS) -> int:
        """Bring roll-ups up to date; see :func:`sinks.store.rollups.refresh`."""
        return refresh(self, settle_ms)

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
        found = self.arrow(sql, parameters)
        return {name: _generic(found[name]) for name in found.column_names}


def token_digest(token: str) -> str:
    """Return ``token`` as 32 hexadecimal digits: a setting cannot be bound like a value.

    Examples
    --------
    >>> token_digest("events/0/7")
    '2bc45ab440e8b51b0f990cb163d685de'
    """
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


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
