"""A way to the engine: statements in, columns out.

Roll-ups, lifetimes and upkeep are written against this, not against the stores that have it: what they do is SQL.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sinks.store.arrow import number_array
from sinks.store.contract import Columns, StoreError
from sinks.store.failures import EngineError
from sinks.store.rows import split

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Connection"]


class Connection(ABC):
    """Runs statements in ClickHouse's SQL, in one database; any thread may call it.

    Attributes
    ----------
    where : str
        Names the store to people, in errors too: a directory, or hosts and database; never with a password.
    """

    where: str

    @property
    def is_replicated(self) -> bool:
        """Whether several servers may have the same rows."""
        return False

    @cached_property
    def damaged_reads(self) -> dict[str, tuple[str, Mapping[str, Any] | None]]:
        """The last statement with its parameters that met damage, by the table in which it did."""
        return {}

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pyarrow.Table:
        """Run a statement that only reads, as :meth:`query` does, and return its result as an Arrow table.

        Raises
        ------
        StoreError
        """
        try:
            return self._arrow(sql, parameters)
        except EngineError as error:
            if error.damaged_table:
                self.damaged_reads[error.damaged_table] = (sql, parameters)
            raise

    @abstractmethod
    def _arrow(self, sql: str, parameters: Mapping[str, Any] | None) -> pyarrow.Table:
        """Run a statement that only reads."""

    def read_damaged_again(self) -> None:
        """Forget those of :attr:`damaged_reads` that succeed now."""
        for table, (sql, parameters) in list(self.damaged_reads.items()):
            try:
                self._arrow(f"SELECT count() FROM (\n{sql.rstrip().rstrip(';')}\n) WHERE NOT ignore(*)", parameters)
            except StoreError:
                continue
            self.damaged_reads.pop(table, None)

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

    def command_again(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run an INSERT … SELECT as :meth:`command` does, and repeat it where that may help.

        Only for one that may run twice, since what it writes replaces itself.

        Raises
        ------
        StoreError
        """
        self.command(sql, parameters)

    def unwritable(self) -> str:
        """Return why nothing is written, as for want of room, for people; empty if it is, or a server knows."""
        return ""

    def hear_answers(self, hear: Callable[[str], None]) -> bool:
        """Have ``hear`` called whenever a server has answered, with nothing, or has not, with the reason.

        It is called in the thread that has asked.

        Returns
        -------
        bool
            Whether there is a server: an engine within this process is never away.
        """
        return False

    def mend(self) -> bool:
        """Go back to what parts have replaced that a full disk cut off, where the engine itself does not see to that.

        Returns
        -------
        bool
            Whether there were such parts: what changed their tables last may have to be done again.

        Raises
        ------
        StoreError
        """
        return False

    def keep_replaced(self, table: str) -> None:
        """Have the engine keep what merges of ``table`` replace for as long as it is configured to.

        Raises
        ------
        StoreError
        """
        self.command(f"ALTER TABLE {self.altered(table)} RESET SETTING old_parts_lifetime")

    def altered(self, table: str) -> str:
        """Return what ALTER TABLE, OPTIMIZE TABLE and DELETE FROM name in place of ``table``."""
        return f"`{table}`"

    def stored(self, table: str) -> str:
        """Return the name of the table that holds the rows on the server that answers."""
        return f"`{table}`"

    def everywhere(self, table: str) -> str:
        """Return what to read in place of a system table, such as ``system.mutations``, to see every server's rows."""
        return table

    def fetch(self, sql: str, parameters: Mapping[str, Any], kinds: Mapping[str, str]) -> Columns:
        """Run a statement that only reads, and return its columns, each of the kind that ``kinds`` says."""
        result = self.arrow(sql, parameters)
        return {name: _DECODERS[kinds[name]](result[name]) for name in result.column_names}

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
        result = self.arrow(sql, parameters)
        return {name: _generic(result[name]) for name in result.column_names}


def _decoded(strings: Any) -> list[str]:
    return list(strings.to_pylist())


def _as_bytes(strings: Any) -> list[bytes]:
    import pyarrow

    return list(strings.cast(pyarrow.binary()).to_pylist())


def _number_array(numbers: Any) -> Any:
    # Copied, since what Arrow lends is read-only, and the twin in memory gives arrays of the caller's own.
    return np.array(number_array(numbers))


def _number_arrays(lists: Any) -> list[Any]:
    import pyarrow.compute

    lengths = number_array(pyarrow.compute.list_value_length(lists))
    return split(_number_array(pyarrow.compute.list_flatten(lists)), lengths)


def _string_tuples(lists: Any) -> list[tuple[str, ...]]:
    return [tuple(strings) for strings in lists.to_pylist()]


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "int": _number_array,
    "float": _number_array,
    "str": _decoded,
    "bytes": _as_bytes,
    "ints": _number_arrays,
    "floats": _number_arrays,
    "strs": _string_tuples,
}


def _generic(column: Any) -> Any:
    import pyarrow

    # NULL has no form in numpy's integers, and NaN is a value of its own: columns with NULLs are lists.
    if column.null_count == 0 and pyarrow.types.is_floating(column.type):
        return number_array(column).astype(np.float64)
    if column.null_count == 0 and pyarrow.types.is_integer(column.type) and column.type != pyarrow.uint64():
        return number_array(column).astype(np.int64)
    return column.to_pylist()
