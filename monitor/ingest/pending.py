"""Rows that ingest has made and not written yet.

An insert costs the same few milliseconds for ten rows as for ten thousand. So what several partitions and polls made
is written together, in the one order that loses nothing: everything else before the progress that says that it is
there. Where one write ends and the next begins changes no row: a replay that cuts them otherwise overwrites them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sinks.store.batch import append, joined
from sinks.store.contract import Store

__all__ = ["Unwritten"]

_FIRST = ("dead_letters", "findings", "panes")
_LAST = ("progress", "label_progress")


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
        self._parts: dict[str, list[Mapping[str, Sequence[Any]]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, table: str, rows: Mapping[str, Sequence[Any]]) -> None:
        """Take rows, all of whose columns have the same length, and which nobody changes any more."""
        count = len(next(iter(rows.values()), ()))
        if count:
            self._parts.setdefault(table, []).append(rows)
            self._count += count

    def write(self, store: Store) -> int:
        """Write everything; return how many rows. After an error some of it may be written, and nothing is forgotten.

        Raises
        ------
        StoreError
        """
        middle = sorted(self._parts.keys() - {*_FIRST, *_LAST})
        order = [table for table in (*_FIRST, *middle, *_LAST) if table in self._parts]
        written = sum(append(store, table, joined(self._parts[table])) for table in order)
        self.clear()
        return written

    def clear(self) -> None:
        """Forget everything: its events are read again."""
        self._parts, self._count = {}, 0
