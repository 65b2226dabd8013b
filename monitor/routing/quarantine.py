"""Stored rows that cannot be used: they are passed over, and people learn of them.

An earlier version, or somebody else, may have written what this one cannot read. Such a row must not keep the others
from being used, for ever and again after each restart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import structlog

from sinks.store.contract import Store, StoreError

__all__ = ["Quarantine"]

T = TypeVar("T")
Row = dict[str, Any]
log = structlog.get_logger("leeway.route")


class Quarantine:
    """What cannot be used of one store.

    Attributes
    ----------
    counts : Counter of str
        How many rows were passed over, by table; a row counts once.

    Examples
    --------
    >>> quarantine = Quarantine()
    >>> quarantine.counts["silences"]
    0
    >>> quarantine.usable("silences", "id", [{"id": "a", "ends_ms": 5}], lambda row: row["ends_ms"])
    [5]
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._names: set[tuple[str, str]] = set()

    @staticmethod
    def of(store: Store) -> Quarantine:
        """Return the one of a store, which everybody shares who reads it."""
        return _BY_STORE.setdefault(store, Quarantine())

    def usable(self, table: str, key: str, rows: Iterable[Row], read: Callable[[Row], T]) -> list[T]:
        """Return what ``read`` makes of rows, without those of which it makes nothing but an error.

        Parameters
        ----------
        table : str
        key : str
            The column that names a row.
        rows : iterable of Row
        read : callable

        Raises
        ------
        StoreError
        """
        usable: list[T] = []
        for row in rows:
            try:
                usable.append(read(row))
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 -- whatever is wrong with one row, the others are used
                self._set_aside(table, str(row[key]), error)
        return usable

    def _set_aside(self, table: str, name: str, error: Exception) -> None:
        if (table, name) not in self._names:
            self._names.add((table, name))
            self.counts[table] += 1
            log.error("a stored row cannot be used", table=table, row=name, reason=f"{type(error).__name__}: {error}")


_BY_STORE: WeakKeyDictionary[Store, Quarantine] = WeakKeyDictionary()
