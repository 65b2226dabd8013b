"""Tables of which the newest row of each key counts: to change something is to write its row once more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sinks.store.batch import append
from sinks.store.contract import TABLES, Query, Store
from sinks.store.rows import rows_of

__all__ = ["ChangeLog", "Row", "after"]

Row = dict[str, Any]


class ChangeLog:
    """Things that change, by their names, in one table: its key is the name, its ``newest_by`` the time of a change.

    Two processes that change one thing at once may take the same time for it; which of the changes stays is open then.

    Parameters
    ----------
    store : Store
    table : str

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> log = ChangeLog(MemoryStore(), "acknowledgements")
    >>> row = {"alert_id": "a", "updated_ms": 5, "sequence": 1, "taken_back": 0, "created_by": "ann", "comment": ""}
    >>> log.put([row])
    >>> log.put([row | {"created_by": "bob"}])
    >>> [(row["updated_ms"], row["created_by"]) for row in log.rows()]
    [(6, 'bob')]
    """

    def __init__(self, store: Store, table: str) -> None:
        self._store, self._table = store, table
        [self._name], self._time = TABLES[table].key, TABLES[table].newest_by

    def rows(self, low: Mapping[str, int] | None = None) -> list[Row]:
        """Return everything as it stands, by name; with ``low`` only rows whose columns are not below it.

        Raises
        ------
        StoreError
        """
        return rows_of(self._store.read(Query(self._table, low=low or {})))

    def named(self, names: Iterable[str]) -> dict[str, Row]:
        """Return what these names stand for.

        Raises
        ------
        StoreError
        """
        query = Query(self._table, where={self._name: sorted(set(names))})
        return {row[self._name]: row for row in rows_of(self._store.read(query))}

    def put(self, rows: Iterable[Row], replaced: Mapping[str, Row] | None = None) -> None:
        """Write changes, at most one of each name, with the times at which they were made.

        Parameters
        ----------
        rows : iterable of Row
        replaced : mapping of str to Row
            What :meth:`named` returned of their names, if somebody asked.

        Raises
        ------
        StoreError
        """
        changes = list(rows)
        if not changes:
            return
        stored = self.named(row[self._name] for row in changes) if replaced is None else replaced
        for row in changes:
            if row[self._name] in stored:
                row[self._time] = after(stored[row[self._name]][self._time], row[self._time])
        append(self._store, self._table, {column: [row[column] for row in changes] for column in changes[0]})


def after(newest: int, now_ms: int) -> int:
    """Return the time of a change that follows another one: of two in the same millisecond the later one counts.

    Examples
    --------
    >>> after(5, 5), after(5, 8), after(5, 3)
    (6, 8, 6)
    """
    return max(now_ms, newest + 1)
