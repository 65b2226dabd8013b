"""Columns with types: what a list of the API is as CSV, Parquet or Arrow.

Names are those of the JSON answer; what is nested there has its parent's name before its own: ``worst_effect``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow

from sinks.store.contract import TABLES, Columns
from sinks.store.rows import as_list, rows_of

__all__ = ["TIME", "batch", "flat", "nested", "of_table", "schema"]

TIME = pyarrow.timestamp("ms", tz="UTC")
# Of the columns that end with `_ms`, those that are lengths.
LENGTHS = ("window_ms", "step_ms", "pane_ms", "resolve_ms", "lasted_ms")
TYPES = {
    "str": pyarrow.string(),
    "bytes": pyarrow.binary(),
    "int": pyarrow.int64(),
    "float": pyarrow.float64(),
    "bool": pyarrow.bool_(),
    "time": TIME,
    "ints": pyarrow.list_(pyarrow.int64()),
    "floats": pyarrow.list_(pyarrow.float64()),
    "strs": pyarrow.list_(pyarrow.string()),
    "map": pyarrow.map_(pyarrow.string(), pyarrow.string()),
}


@cache
def schema(columns: str) -> pyarrow.Schema:
    """Return the schema that ``columns`` names, as ``name:type`` with spaces between them.

    Parameters
    ----------
    columns : str
        Types are the kinds of the store's columns, and ``time``, ``bool``, ``floats``, ``map`` (text to text), and
        ``name:[…]``: a list of rows with columns of their own. A column of ints that ends with ``_ms`` is a time,
        unless it is a length.

    Examples
    --------
    >>> print(schema("model:str at_ms:int window_ms:int"))
    model: string
    at_ms: timestamp[ms, tz=UTC]
    window_ms: int64
    """
    return pyarrow.schema(list(_fields(iter(columns.replace("[", "[ ").replace("]", " ]").split()))))


def _fields(words: Iterator[str]) -> Iterator[Any]:
    for word in words:
        if word == "]":
            return
        name, _, kind = word.partition(":")
        if kind == "[":
            yield pyarrow.field(name, pyarrow.list_(pyarrow.struct(list(_fields(words)))))
        else:
            is_time = kind == "int" and name.endswith("_ms") and not name.endswith(LENGTHS)
            yield pyarrow.field(name, TIME if is_time else TYPES[kind])


def of_table(name: str, *, without: Sequence[str] = (), more: str = "") -> pyarrow.Schema:
    """Return the schema of a table of the store, less some columns, and with others behind them.

    Examples
    --------
    >>> of_table("progress", without=["topic", "partition"]).names
    ['model', 'closed_ms', 'newest_ms', 'next_offset']
    """
    kept = " ".join(f"{c.name}:{c.kind}" for c in TABLES[name].columns if c.name not in without)
    return schema(f"{kept} {more}")


def batch(columns: Columns, types: pyarrow.Schema) -> pyarrow.RecordBatch:
    """Return columns as a record batch of ``types``; columns beyond those are left out, NaN is null.

    Examples
    --------
    >>> batch({"n": [1, 2], "x": [0.5, float("nan")]}, schema("x:float")).to_pylist()
    [{'x': 0.5}, {'x': None}]
    """
    arrays = [_array(columns[field.name], field.type) for field in types]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=types)


def _array(values: Any, kind: pyarrow.DataType) -> Any:
    if isinstance(values, np.ndarray) and pyarrow.types.is_timestamp(kind):
        return pyarrow.array(values, pyarrow.int64()).cast(kind)
    if pyarrow.types.is_map(kind):
        return pyarrow.array([list(value.items()) for value in values], kind)
    return pyarrow.array(values, kind, from_pandas=True)


def nested(columns: Columns, groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return columns as rows in which each group is an object of its own.

    Parameters
    ----------
    columns : dict
    groups : mapping of str to sequence of str
        From the object's name to its members; the member ``x`` of ``worst`` is the column ``worst_x``, or where there
        is none, ``x``: what all of a row's objects share.

    Examples
    --------
    >>> nested({"n": [2], "worst_n": [1], "model": ["a"]}, {"worst": ["model", "n"]})
    [{'n': 2, 'model': 'a', 'worst': {'model': 'a', 'n': 1}}]
    """
    lists = {name: as_list(values) for name, values in columns.items()}
    inner = {
        group: {member: lists.get(f"{group}_{member}", lists.get(member)) for member in members}
        for group, members in groups.items()
    }
    taken = {f"{group}_{member}" for group, members in groups.items() for member in members}
    outer = {name: values for name, values in lists.items() if name not in taken}
    parts = {group: rows_of(members) for group, members in inner.items()}
    return rows_of(outer | parts)


def flat(value: Any) -> str:
    """Return what a cell of CSV cannot hold as JSON.

    Examples
    --------
    >>> flat([1, None])
    '[1,null]'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
