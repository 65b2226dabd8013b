"""Who is looked for, what was found, and how a condition can speak of somebody without naming them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from monitor.config.model import Model
from monitor.erasure.mentions import Mentions
from sinks.store.sqlstore import SqlStore
from sinks.store.upkeep import mutate

__all__ = ["ASKING", "Condition", "Seal", "Subject", "Trace", "count", "deleting", "parts"]

ASKING = "SETTINGS log_queries = 0, final = 0"
"""Replaced rows count too, and what is asked for must not end up in a server's log of queries."""

_SHOWN = 40
"""Characters of a name that a score's detail shows."""

_AT_ONCE = 500


@dataclass(frozen=True)
class Subject:
    """Who is looked for, and where.

    Attributes
    ----------
    key : str
    models : mapping of str to Model
        The models concerned.
    fields : mapping of str to frozenset of str
        Category signals in which the name is replaced, by model.
    marker : str
        The replacement.
    """

    key: str
    models: Mapping[str, Model]
    fields: Mapping[str, frozenset[str]]
    marker: str

    @property
    def shown(self) -> str:
        """The name as details of scores show it."""
        return repr(self.key[:_SHOWN])

    @cached_property
    def mentions(self) -> Mentions:
        """How words that others chose name the subject."""
        return Mentions(self.key, self.marker)

    @property
    def marker_shown(self) -> str:
        """The replacement as details of scores show it."""
        return repr(self.marker[:_SHOWN])


Condition = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Trace:
    """Rows of one table that hold the subject, and what removes them.

    Attributes
    ----------
    table : str
    rows : int
        Replaced rows that are still there included.
    remove : callable
        Returns the ids of the mutations.
    conditions : tuple of (str, mapping)
        Which rows they are, in SQL, and its parameters: a row may meet several.
    """

    table: str
    rows: int
    remove: Callable[[], list[str]]
    conditions: tuple[Condition, ...]


class Seal:
    """Stands in for texts in conditions: their hashes under a key of this run."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._key = f"(toUInt64({secrets.randbits(64)}), toUInt64({secrets.randbits(64)}))"

    def over(self, expression: str) -> str:
        """The hash of an expression, in SQL."""
        return f"hex(sipHash128Keyed({self._key}, {expression}))"

    def of(self, texts: Sequence[str]) -> list[str]:
        """The hashes of texts."""
        if not texts:
            return []
        sql = f"SELECT arrayMap(x -> {self.over('x')}, {{texts:Array(String)}}) AS hashes SETTINGS log_queries = 0"
        return list(self._store.query(sql, {"texts": list(texts)})["hashes"][0])


def count(store: SqlStore, table: str, where: str, parameters: Mapping[str, Any]) -> int:
    """Return how many rows meet a condition, those included that newer ones have replaced."""
    return int(store.query(f"SELECT count() AS n FROM {table} WHERE {where} {ASKING}", parameters)["n"][0])


def deleting(store: SqlStore, table: str, where: str, parameters: Mapping[str, Any]) -> Callable[[], list[str]]:
    """Return what deletes the rows that meet a condition."""
    return lambda: [mutate(store, table, f"DELETE WHERE {where}", parameters)]


def parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut what is named one by one in a statement."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
