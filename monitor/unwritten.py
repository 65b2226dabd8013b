"""Rows that ingest has made and not written yet.

An insert costs the same few milliseconds for ten rows as for ten thousand. So what several partitions and polls made
is written together, in the one order that loses nothing: everything else before the progress that says that it is
there. Where one write ends and the next begins changes no row: a replay that cuts them otherwise overwrites them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.rows import Rows, append, empty_rows, extend
from sinks.store.contract import Store

__all__ = ["Unwritten"]

_FIRST = ("dead_letters", "findings", "panes")
_LAST = "progress"


class Unwritten:
    """Rows by table.

    Examples
    --------
    >>> from sinks.store.contract import Query
    >>> from sinks.store.memory import MemoryStore
    >>> store, rows = MemoryStore(), Unwritten()
    >>> columns = ("model", "topic", "partition", "closed_ms", "newest_ms", "next_offset")
    >>> rows.add("progress", {name: [value] for name, value in zip(columns, ("m", "t", 0, 5, 9, 3))})
    >>> len(rows), rows.write(store), len(rows), store.read(Query("progress"))["closed_ms"].tolist()
    (1, 1, 0, [5])
    """

    def __init__(self) -> None:
        self._tables: dict[str, Rows] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, table: str, rows: Mapping[str, Sequence[Any]]) -> None:
        """Take rows, all of whose columns have the same length."""
        count = len(next(iter(rows.values()), ()))
        if count:
            extend(self._tables.setdefault(table, empty_rows(table)), rows)
            self._count += count

    def write(self, store: Store) -> int:
        """Write everything; return how many rows. After an error some of it may be written, and nothing is forgotten.

        Raises
        ------
        StoreError
        """
        middle = sorted(self._tables.keys() - {*_FIRST, _LAST})
        written = sum(append(store, table, self._tables.get(table, {})) for table in (*_FIRST, *middle, _LAST))
        self.clear()
        return written

    def clear(self) -> None:
        """Forget everything: its events are read again."""
        self._tables, self._count = {}, 0
