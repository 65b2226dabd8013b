"""Columns of rows on their way to the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import xxhash

from sinks.store.contract import TABLES, Store

__all__ = ["Rows", "add_row", "append", "content_token", "empty_rows", "extend", "joined"]

Rows = dict[str, list[Any]]


def empty_rows(table: str) -> Rows:
    """Columns of ``table`` without rows."""
    return {column.name: [] for column in TABLES[table].columns}


def add_row(rows: Rows, row: Mapping[str, Any]) -> None:
    """Append one row."""
    for name, value in row.items():
        rows[name].append(value)


def extend(rows: Rows, added_rows: Mapping[str, Sequence[Any]]) -> None:
    """Append the rows of ``added_rows``."""
    for name, values in added_rows.items():
        rows[name].extend(values)


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put the rows of several parts together, the columns of all of them being the same; arrays stay arrays.

    Examples
    --------
    >>> joined([{"a": [1], "b": np.zeros(1)}, {"a": [2], "b": np.ones(1)}])
    {'a': [1, 2], 'b': array([0., 1.])}
    """
    if len(parts) == 1:
        return dict(parts[0])
    all_rows: dict[str, Any] = {}
    for name, first in parts[0].items():
        columns = [part[name] for part in parts]
        is_array = isinstance(first, np.ndarray)
        all_rows[name] = np.concatenate(columns) if is_array else list(chain.from_iterable(columns))
    return all_rows


def append(store: Store, table: str, rows: Mapping[str, Sequence[Any]]) -> int:
    """Write rows under a token made from their content; returns how many."""
    count = len(next(iter(rows.values()), ()))
    if count:
        store.append(table, rows, token=content_token(table, rows))
    return count


def content_token(table: str, rows: Mapping[str, Sequence[Any]]) -> str:
    """Name rows by their content.

    A crash may cut a replay's rows into other blocks. A token that named a span of the log would then drop rows
    that it does not stand for; one made from the content recognises a repetition and nothing else.

    Examples
    --------
    >>> content_token("progress", {"a": [1]}) == content_token("progress", {"a": [1]})
    True
    """
    # Sorted, since a dict's order of columns is the caller's.
    packed = _ENCODER.encode(sorted(rows.items()))
    return f"{table}/{xxhash.xxh3_128_hexdigest(packed)}"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a row cannot hold {type(value).__name__}")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)
