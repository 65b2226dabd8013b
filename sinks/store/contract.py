"""What a store promises, and the tables it holds. Read this page first.

A store keeps what Leeway found: columns in, columns out. Rows carry natural keys; a row whose key is already
there replaces it, so that a replay overwrites itself. Inside one ``append`` keys do not repeat.

Guarantee: when ``append`` returns, the rows survive the end of the process, and every later ``read`` sees them.
``append`` of the same rows with the same token any number of times is one append.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["TABLES", "Column", "Query", "Store", "StoreError", "Table"]

Columns = dict[str, Any]
"""A name for every column; int64 and float64 arrays for numbers, lists for the rest."""


class StoreError(Exception):
    """The store cannot do what was asked.

    Parameters
    ----------
    message : str
    retryable : bool
        Whether the same call with the same token may succeed later.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True)
class Column:
    """One column: its name, and its kind: ``str``, ``bytes``, ``int``, ``float``, ``ints`` or ``strs`` (arrays)."""

    name: str
    kind: str


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes
    ----------
    name : str
    columns : tuple of Column
    key : tuple of str
        The natural key, which is also the order in which rows are read.
    newest_by : str
        Of rows with the same key the one with the largest value here stays; empty: the one appended last.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    newest_by: str = ""

    def column(self, name: str) -> Column:
        """Return the column ``name``; KeyError if the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name!r} has no column {name!r}")


def _table(name: str, columns: str, key: str, newest_by: str = "") -> Table:
    pairs = (item.split(":") for item in columns.split())
    return Table(name, tuple(Column(n, k) for n, k in pairs), tuple(key.split()), newest_by)


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        # One row per series, pane, partition; late_at_ms is 0 for the events that came in time. Late events of a
        # pane are additions to it, keyed by the pane in which the partition's watermark stood when they came.
        _table(
            "panes",
            "model:str signal:str segment:str version:str pane_start_ms:int late_at_ms:int topic:str partition:int "
            "pane_ms:int layout:str n:int missing:int invalid:int out_of_range:int cells:ints counts:ints names:strs "
            "other:int sum_q:int sum_q2:int min:float max:float",
            "model signal segment version pane_start_ms late_at_ms topic partition",
        ),
        _table(
            "scores",
            "model:str signal:str segment:str version:str detector:str window_end_ms:int window_ms:int statistic:float "
            "effect:float min_effect:float p_value:float surprise:float surprise_limit:float status:str n:int "
            "baseline_n:int baseline_from_ms:int baseline_to_ms:int idle:str detail:str",
            "model signal segment version detector window_end_ms",
        ),
        _table(
            "findings",
            "model:str signal:str version:str detector:str topic:str partition:int offset:int event_ms:int value:float "
            "score:float status:str",
            "model signal version detector topic partition offset",
        ),
        # The log of alert transitions; signals and labels are JSON.
        _table(
            "alerts",
            "model:str alert_id:str sequence:int state:str at_ms:int starts_ms:int ends_ms:int version:str segment:str "
            "severity:str title:str labels:str signals:str",
            "model alert_id sequence",
        ),
        _table(
            "notifications",
            "alert_id:str sequence:int receiver:str outcome:str reason:str attempts:int at_ms:int",
            "alert_id sequence receiver",
        ),
        _table(
            "checkpoints",
            "stage:str name:str partition:int position:int config:str state:bytes",
            "stage name partition",
            newest_by="position",
        ),
        # How far a partition has closed its panes: written after the rows it speaks of.
        _table(
            "progress",
            "model:str topic:str partition:int closed_ms:int newest_ms:int next_offset:int",
            "model topic partition",
            newest_by="next_offset",
        ),
        _table(
            "dead_letters",
            "topic:str partition:int offset:int model:str field:str action:str reason:str detail:str record_ms:int "
            "payload:bytes payload_bytes:int",
            "topic partition offset model field",
        ),
    )
}
"""Every table, by name; ``migrations/*.sql`` creates the same."""


@dataclass(frozen=True)
class Query:
    """Which rows to read.

    Attributes
    ----------
    table : str
    where : mapping of column to value, or to a list of values of which one must match
    low, high : mapping of column to bound
        ``low <= column < high``.
    order : tuple of str
        Columns to sort by; the natural key if empty. Ties are settled by the natural key. NaN comes last.
    descending : bool
        Turns the whole order around, that of ties too.
    after : tuple
        Only rows behind this one: values of ``order`` and the natural key's remaining columns, as ``cursor``
        gives them. Not with an order by a float column.
    limit : int or None
    columns : tuple of str
        All if empty.
    """

    table: str
    where: Mapping[str, Any] = field(default_factory=dict)
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    descending: bool = False
    after: tuple[Any, ...] = ()
    limit: int | None = None
    columns: tuple[str, ...] = ()

    def sort_columns(self) -> tuple[str, ...]:
        """The columns that settle the order completely."""
        return self.order + tuple(name for name in TABLES[self.table].key if name not in self.order)

    def cursor(self, rows: Columns) -> tuple[Any, ...]:
        """Return the ``after`` of the page behind ``rows``, which this query returned; empty if ``rows`` is.

        ``columns`` must hold ``sort_columns()``; KeyError if not.

        Examples
        --------
        >>> page = {"alert_id": ["a", "a"], "sequence": [1, 2], "receiver": ["ops", "ops"]}
        >>> Query("notifications").cursor(page)
        ('a', 2, 'ops')
        """
        columns = [rows[name] for name in self.sort_columns()]
        return tuple(column[-1] for column in columns) if len(columns[0]) else ()


class Store(Protocol):
    """Where results are kept."""

    def migrate(self) -> None:
        """Create or upgrade the tables; does nothing when they are current.

        Raises
        ------
        StoreError
            If the store was written by a newer version.
        """
        ...

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        """Write rows; acknowledged when it returns.

        Parameters
        ----------
        table : str
        columns : mapping of str to sequence
            Every column of the table, all of one length; an empty append does nothing.
        token : str
            Names these very rows: a repetition is recognised by it.

        Raises
        ------
        StoreError
        """
        ...

    def read(self, query: Query) -> Columns:
        """Return the rows that ``query`` asks for, newest version of each key only."""
        ...

    def close(self) -> None:
        """Release the store; what was acknowledged is kept."""
        ...
