"""From the blocks of ClickHouse's native protocol to Arrow, with the types that ClickHouse's own Arrow output has.

A server sends no Arrow over that protocol; a statement should give the same, whichever store it is sent to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sinks.store.contract import StoreError

if TYPE_CHECKING:
    import pyarrow

__all__ = ["arrow_array", "arrow_type", "number_array"]

Convert = Callable[[Any], Any]

_PLAIN = {
    **{f"{sign}Int{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "Float32": "float32",
    "Float64": "float64",
    "Bool": "bool_",
    "String": "string",
    "Date": "date32",
    "Date32": "date32",
    "Nothing": "null",
}
_NUMPY_NAMES = {"double": "float64", "float": "float32", "halffloat": "float16"}
_WRAPPERS = re.compile(r"(?:Nullable|LowCardinality|SimpleAggregateFunction)\((.*)\)", re.DOTALL)
_WIDE = re.compile(r"(U?)Int(128|256)")
_DATETIME64 = re.compile(r"DateTime64\((\d)(?:, '([^']*)')?\)")
_DECIMAL = re.compile(r"Decimal\((\d+), (\d+)\)")
_ENUM_ITEM = re.compile(r"'((?:[^'\\]|\\.)*)' = (-?\d+)")
_UNITS: dict[int, Literal["s", "ms", "us", "ns"]] = {0: "s", 3: "ms", 6: "us", 9: "ns"}


def number_array(column: Any) -> Any:
    """Return an Arrow column of numbers as an array, which is read-only where nothing had to be copied.

    By DLPack wherever nothing is NULL: ``to_numpy`` loads pandas if it is installed, which takes longer than all else
    that a command does.

    Parameters
    ----------
    column : pyarrow.Array or pyarrow.ChunkedArray

    Examples
    --------
    >>> import pyarrow
    >>> number_array(pyarrow.chunked_array([[1, 2], [3]])).tolist()
    [1, 2, 3]
    """
    if column.null_count:
        return column.to_numpy(zero_copy_only=False)
    parts = [np.from_dlpack(part) for part in getattr(column, "chunks", (column,))]
    if len(parts) == 1:
        return parts[0]
    name = str(column.type)
    return np.concatenate([np.empty(0, _NUMPY_NAMES.get(name, name)), *parts])


def arrow_array(kind: str, values: Any) -> pyarrow.Array[Any]:
    """Return a column as Arrow.

    Parameters
    ----------
    kind : str
        ClickHouse's name of the type.
    values : sequence or pyarrow.Array
        As clickhouse-driver gives them, strings as bytes; or an Arrow array, which is returned as it is.

    Raises
    ------
    StoreError
        If the type has no counterpart.

    Examples
    --------
    >>> arrow_array("LowCardinality(String)", [b"a", b"b"]).to_pylist()
    ['a', 'b']
    """
    import pyarrow

    if isinstance(values, pyarrow.Array):
        return values
    data_type, convert = arrow_type(kind)
    if convert is not None:
        values = [None if value is None else convert(value) for value in values]
    if data_type == pyarrow.string():
        # Strings are bytes to ClickHouse: what is no UTF-8 passes here, as it does in its own Arrow output.
        binary = pyarrow.array(values, pyarrow.binary())
        return pyarrow.Array.from_buffers(data_type, len(binary), binary.buffers(), binary.null_count)
    if data_type == pyarrow.uuid():
        return pyarrow.ExtensionArray.from_storage(data_type, pyarrow.array(values, pyarrow.binary(16)))
    return pyarrow.array(values, data_type)


def arrow_type(kind: str) -> tuple[pyarrow.DataType, Convert | None]:
    """Return the Arrow type of ClickHouse's ``kind``, and what turns the driver's values into those it takes.

    Examples
    --------
    >>> arrow_type("Array(Nullable(Int64))")
    (ListType(list<item: int64>), None)
    """
    import pyarrow

    if kind in _PLAIN:
        return getattr(pyarrow, _PLAIN[kind])(), None
    wrapped = _WRAPPERS.fullmatch(kind)
    if wrapped is not None:
        return arrow_type(_arguments(wrapped[1])[-1])
    name, _, rest = kind.partition("(")
    if name in _NESTED:
        return _NESTED[name](rest.removesuffix(")"))
    return _special(kind, name)


def _special(kind: str, name: str) -> tuple[pyarrow.DataType, Convert | None]:
    import pyarrow

    if name == "DateTime":
        return pyarrow.uint32(), lambda value: round(value.timestamp())
    if match := _DATETIME64.fullmatch(kind):
        digits = int(match[1])
        unit = next(_UNITS[precision] for precision in _UNITS if precision >= digits)
        return pyarrow.timestamp(unit, match[2] or None), None
    if match := _DECIMAL.fullmatch(kind):
        digits, scale = int(match[1]), int(match[2])
        return (pyarrow.decimal128 if digits <= 38 else pyarrow.decimal256)(digits, scale), None
    if match := _WIDE.fullmatch(kind):
        width, signed = int(match[2]) // 8, not match[1]
        return pyarrow.binary(width), lambda value: value.to_bytes(width, "little", signed=signed)
    if name in ("Enum8", "Enum16"):
        numbers = {item.replace("\\'", "'"): int(number) for item, number in _ENUM_ITEM.findall(kind)}
        narrow = pyarrow.int8() if name == "Enum8" else pyarrow.int16()
        return narrow, lambda value: numbers[value.decode() if isinstance(value, bytes) else value]
    return _identifier(kind, name)


def _identifier(kind: str, name: str) -> tuple[pyarrow.DataType, Convert | None]:
    import pyarrow

    if name == "FixedString":
        width = int(kind[len("FixedString(") : -1])
        return pyarrow.binary(width), lambda value: value.ljust(width, b"\0")
    if name == "UUID":
        return pyarrow.uuid(), lambda value: value.bytes
    if name == "IPv4":
        return pyarrow.uint32(), int
    if name == "IPv6":
        return pyarrow.binary(16), lambda value: value.packed
    if name.startswith("Interval"):
        return pyarrow.int64(), None
    raise StoreError(f"a column of type {kind} cannot be fetched: turn it into another in the query, as by toString()")


def _list(inner: str) -> tuple[pyarrow.DataType, Convert | None]:
    import pyarrow

    item, convert = arrow_type(inner)
    if convert is None:
        return pyarrow.list_(item), None
    return pyarrow.list_(item), lambda values: [None if value is None else convert(value) for value in values]


def _struct(inner: str) -> tuple[pyarrow.DataType, Convert | None]:
    import pyarrow

    members = [_member(position, text) for position, text in enumerate(_arguments(inner), 1)]
    types = [(name, arrow_type(kind)) for name, kind in members]
    fields = pyarrow.struct([(name, data_type) for name, (data_type, _) in types])

    def convert(value: Any) -> dict[str, Any]:
        items = value.values() if isinstance(value, dict) else value
        return {
            name: item if change is None or item is None else change(item)
            for (name, (_, change)), item in zip(types, items, strict=True)
        }

    return fields, convert


def _map(inner: str) -> tuple[pyarrow.DataType, Convert | None]:
    import pyarrow

    (key, change_key), (item, change_item) = (arrow_type(text) for text in _arguments(inner))
    keep = _keep
    keys, items = change_key or keep, change_item or keep
    return pyarrow.map_(key, item), lambda value: [(keys(k), None if v is None else items(v)) for k, v in value.items()]


def _keep(value: Any) -> Any:
    return value


_NESTED: dict[str, Callable[[str], tuple[Any, Convert | None]]] = {"Array": _list, "Tuple": _struct, "Map": _map}


def _arguments(text: str) -> list[str]:
    """Split ``A, B(C, D)`` into ``A`` and ``B(C, D)``; texts in quotes are left whole."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[(),]", text):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
        elif match[0] == "," and depth == 0:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [*parts, text[start:].strip()]


def _member(position: int, text: str) -> tuple[str, str]:
    """Return the name of a tuple's member, or its place, and its type."""
    named = re.fullmatch(r"(`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*) ([A-Z].*)", text, re.DOTALL)
    return (named[1].strip("`"), named[2]) if named else (str(position), text)
