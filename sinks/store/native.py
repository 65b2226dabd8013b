"""ClickHouse's Native format: what its wire and files call a block, column after column.

Written here since it is the fastest way in, needs no other library, and keeps every bit of a float: numbers are
copied as they lie in memory. Strings go as ``String``; ClickHouse turns them into ``LowCardinality(String)`` where
the table says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.store.contract import Columns, Table
from sinks.store.rows import row_count

__all__ = ["CLICKHOUSE_TYPES", "block"]

CLICKHOUSE_TYPES = {
    "int": "Int64",
    "float": "Float64",
    "str": "String",
    "bytes": "String",
    "ints": "Array(Int64)",
    "floats": "Array(Float64)",
    "strs": "Array(String)",
}
"""The type in which a block carries each kind of column."""


def block(table: Table, rows: Columns) -> bytes:
    r"""Return ``rows`` as one block.

    Parameters
    ----------
    table : Table
    rows : dict
        Every column of ``table``, as :func:`sinks.store.rows.checked_columns` returns them.

    Returns
    -------
    bytes
        Number of columns and of rows as varints; then for each column its name and type as strings with their
        lengths before them, and its values.

    Examples
    --------
    >>> from sinks.store.contract import Column
    >>> block(Table("visits", (Column("n", "int"),), ("n",)), {"n": np.array([3])})
    b'\x01\x01\x01n\x05Int64\x03\x00\x00\x00\x00\x00\x00\x00'
    """
    parts = [_varint(len(table.columns)), _varint(row_count(rows))]
    for column in table.columns:
        parts += [_string(column.name.encode()), _string(CLICKHOUSE_TYPES[column.kind].encode())]
        parts.append(_VALUES[column.kind](rows[column.name]))
    return b"".join(parts)


def _varint(number: int) -> bytes:
    # Seven bits a byte, the lowest first; the eighth says that more follow (LEB128).
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _string(value: bytes) -> bytes:
    return _varint(len(value)) + value


def _numbers(values: NDArray[Any]) -> bytes:
    return values.tobytes()


def _byte_strings(values: Sequence[bytes]) -> bytes:
    return b"".join(map(_string, values))


def _strings(values: Sequence[str]) -> bytes:
    # Names repeat thousands of times in a block: each is encoded once.
    encoded = {value: _string(value.encode()) for value in set(values)}
    return b"".join(map(encoded.__getitem__, values))


def _ends(values: Sequence[Any]) -> bytes:
    return np.cumsum(np.fromiter(map(len, values), np.uint64, len(values)), dtype=np.uint64).tobytes()


def _int_arrays(values: Sequence[NDArray[np.int64]]) -> bytes:
    return _ends(values) + np.concatenate([np.zeros(0, np.int64), *values]).tobytes()


def _float_arrays(values: Sequence[NDArray[np.float64]]) -> bytes:
    return _ends(values) + np.concatenate([np.zeros(0, np.float64), *values]).tobytes()


def _string_arrays(values: Sequence[tuple[str, ...]]) -> bytes:
    return _ends(values) + _strings([item for value in values for item in value])


_VALUES: dict[str, Callable[[Any], bytes]] = {
    "int": _numbers,
    "float": _numbers,
    "str": _strings,
    "bytes": _byte_strings,
    "ints": _int_arrays,
    "floats": _float_arrays,
    "strs": _string_arrays,
}
