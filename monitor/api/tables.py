"""Columns with types: what a list of the API is as CSV, Parquet or Arrow.

Names are those of the JSON answer; what is nested there has its parent's name before its own: ``worst_effect``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pyarrow

from monitor.resources.contract import LengthMs, Row, TimeMs, hints
from sinks.store.contract import Columns
from sinks.store.rows import as_list, rows_of

__all__ = ["batch", "flat", "nested", "schema"]

TYPES = {
    str: pyarrow.string(),
    int: pyarrow.int64(),
    float: pyarrow.float64(),
    bool: pyarrow.bool_(),
    TimeMs: pyarrow.timestamp("ms", tz="UTC"),
    LengthMs: pyarrow.int64(),
    dict[str, str]: pyarrow.map_(pyarrow.string(), pyarrow.string()),
    dict[str, Any]: pyarrow.string(),  # as JSON
}


@cache
def schema(row: type[Row]) -> pyarrow.Schema:
    """Return the columns of a row.

    Examples
    --------
    >>> from monitor.resources.history import Bucket
    >>> print(pyarrow.schema([schema(Bucket).field(name) for name in ("bucket_end_ms", "statuses_ok", "worst_effect")]))
    bucket_end_ms: timestamp[ms, tz=UTC]
    statuses_ok: int64
    worst_effect: double
    """
    return pyarrow.schema(list(_fields(row)))


def _fields(row: type[Row]) -> Iterator[Any]:
    types = hints(row)
    for each in fields(row):  # type: ignore[arg-type]  # every row is a dataclass
        kind = _required(types[each.name])
        if each.metadata.get("nested"):
            continue
        if isinstance(kind, type) and issubclass(kind, Row):
            shared = each.metadata.get("shared", ())
            inner = (part for part in _fields(kind) if part.name not in shared)
            yield from (part.with_name(f"{each.name}_{part.name}") for part in inner)
        elif get_origin(kind) is dict and kind not in TYPES:
            members, values = get_args(kind)
            yield from (pyarrow.field(f"{each.name}_{member}", _type(values)) for member in get_args(members))
        else:
            columns = each.metadata.get("columns")
            yield pyarrow.field(each.name, _type(kind) if columns is None else pyarrow.list_(_type(columns)))


def _type(kind: Any) -> pyarrow.DataType:
    kind = _required(kind)
    if get_origin(kind) is list:
        return pyarrow.list_(_type(get_args(kind)[0]))
    if get_origin(kind) is Literal:
        return pyarrow.string()
    if isinstance(kind, type) and issubclass(kind, Row):
        return pyarrow.struct(list(_fields(kind)))
    return TYPES[kind]


def _required(kind: Any) -> Any:
    """Return a type without its None: every column may hold null."""
    members = [member for member in get_args(kind) if member is not NoneType]
    return members[0] if NoneType in get_args(kind) else kind


def batch(columns: Columns, types: pyarrow.Schema) -> pyarrow.RecordBatch:
    """Return columns as a record batch of ``types``; columns beyond those are left out, NaN is null.

    Examples
    --------
    >>> types = pyarrow.schema([("x", pyarrow.float64())])
    >>> batch({"n": [1, 2], "x": [0.5, float("nan")]}, types).to_pylist()
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
