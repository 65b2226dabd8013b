"""Tables of which the newest row of each key counts: to change something is to write its row once more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from sinks.store.batch import append
from sinks.store.contract import TABLES, Query, Store, StoreError
from sinks.store.rows import rows_of

__all__ = ["ChangeLog", "Row", "after", "append_first"]

Row = dict[str, Any]
Stored = TypeVar("Stored")

MOST_TRIES = 100


class ChangeLog:
    """Things that change, by their names, in one table: its key is the name, its ``newest_by`` the time of a change.

    What has to follow from how a thing stands is a :meth:`change`: of several at once, in any processes, the store
    takes one, and the others follow it. Two that :meth:`put` one thing at once may take the same time for it; which of
    these changes stays is open then.

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

    def change(self, name: str, decide: Callable[[Row | None], Row | None]) -> Row | None:
        """Write how one thing stands from now on, and return it as it stands then.

        Parameters
        ----------
        name : str
        decide : callable
            Takes how it stands, None if it is not there; returns its next row, or None to leave it. Called again if
            somebody else has changed the thing meanwhile.

        Raises
        ------
        StoreError

        Examples
        --------
        >>> from sinks.store.memory import MemoryStore
        >>> log = ChangeLog(MemoryStore(), "acknowledgements")
        >>> row = {"alert_id": "a", "updated_ms": 5, "sequence": 1, "taken_back": 0, "created_by": "ann", "comment": ""}
        >>> log.change("a", lambda stored: row if stored is None else None)["created_by"]
        'ann'
        >>> log.change("a", lambda stored: row | {"created_by": "bob"} if stored is None else None)["created_by"]
        'ann'
        """
        for _ in range(MOST_TRIES):
            stored = self.named([name]).get(name)
            decided = decide(stored)
            if decided is None:
                return stored
            former_ms = 0 if stored is None else stored[self._time]
            row = decided if stored is None else decided | {self._time: after(former_ms, decided[self._time])}
            taken = append_first(self._store, self._table, row, f"{name}/{former_ms}", self._unless(name, stored))
            if taken == row:
                return taken
        raise StoreError(f"{self._table}: others change {name} all the time", retryable=True)

    def _unless(self, name: str, stored: Row | None) -> Callable[[], Row | None]:
        def read() -> Row | None:
            row = self.named([name]).get(name)
            return None if row == stored else row

        return read


def append_first(store: Store, table: str, row: Row, follows: str, read: Callable[[], Stored | None]) -> Stored:
    """Write a row, unless another one that follows the same is written already, and return what is there then.

    The order of the store decides: all rows that follow one state of things have one token, of which a store takes the
    first. On a cluster the rows have to be of one shard, which those of one key are.

    Parameters
    ----------
    store : Store
    table : str
    row : Row
    follows : str
        What the row was decided by, such as the name and the time of the row that it replaces.
    read : callable
        Reads what has been written, None if nothing has: a row may be gone, and its token remembered.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> from sinks.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> read = lambda: next(iter(store.read(Query("identity"))["id"]), None)
    >>> [append_first(store, "identity", {"id": name}, "nothing", read) for name in ("a", "b")]
    ['a', 'a']
    """
    for turn in range(MOST_TRIES):
        store.append(table, {column: [value] for column, value in row.items()}, f"{table}/after/{follows}/{turn}")
        if (stored := read()) is not None:
            return stored
    raise StoreError(f"{table}: nothing is stored of what was written", retryable=True)


def after(newest: int, now_ms: int) -> int:
    """Return the time of a change that follows another one: of two in the same millisecond the later one counts.

    Examples
    --------
    >>> after(5, 5), after(5, 8), after(5, 3)
    (6, 8, 6)
    """
    return max(now_ms, newest + 1)
