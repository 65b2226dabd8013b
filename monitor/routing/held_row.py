"""A row to hold very many of: a third of a dict's memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

__all__ = ["HeldRow"]

SHARED = frozenset({"model", "state", "version", "segment", "severity"})
"""Columns of few values, of which one copy is enough."""


class HeldRow(Mapping[str, Any]):
    """A row that does not change.

    Parameters
    ----------
    row : mapping

    Examples
    --------
    >>> row = HeldRow({"model": "fraud", "sequence": 1})
    >>> row["sequence"], {**row}
    (1, {'model': 'fraud', 'sequence': 1})
    """

    __slots__ = ("_positions", "_values")

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._positions = _positions(tuple(row))
        self._values = tuple(sys.intern(value) if name in SHARED else value for name, value in row.items())

    def __getitem__(self, name: str) -> Any:
        return self._values[self._positions[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._values)


@cache
def _positions(names: tuple[str, ...]) -> dict[str, int]:
    return {name: position for position, name in enumerate(names)}
