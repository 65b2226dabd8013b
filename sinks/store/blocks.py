"""Blocks of a result, with numbers, arrays of them and names read as they lie in memory.

The driver makes a Python object of every number; with panes, whose cells are most of what there is, a read took four
times as long as an embedded one, now it takes half as long again. Types that are rare, or sent in another form
(sparse), are still read by the driver's own columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow
from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock
from clickhouse_driver.columns.service import read_column
from clickhouse_driver.reader import read_binary_str, read_binary_uint8, read_binary_uint64
from clickhouse_driver.varint import read_varint

__all__ = ["BlockReader"]

_NUMBERS = {
    **{
        f"{sign}Int{8 * size}": np.dtype(f"<{sign.lower() or 'i'}{size}") for sign in ("", "U") for size in (1, 2, 4, 8)
    },
    "Float32": np.dtype("<f4"),
    "Float64": np.dtype("<f8"),
}
_KEYS = (np.dtype("<u1"), np.dtype("<u2"), np.dtype("<u4"), np.dtype("<u8"))


class BlockReader:
    """Stands in for the driver's stream of blocks.

    Parameters
    ----------
    stream : clickhouse_driver.streams.native.BlockInputStream
        Of a connection to a server that sends block info and forms of serialization, as all have since 2022.
    """

    def __init__(self, stream: Any) -> None:
        self._bytes = stream.fin
        self._context = stream.context

    def read(self, use_numpy: bool | None = None) -> Any:
        """Return the next block; its columns are numpy arrays, Arrow arrays, or the driver's tuples."""
        info = BlockInfo()
        info.read(self._bytes)
        columns, rows = read_varint(self._bytes), read_varint(self._bytes)
        described, data = [], []
        for _ in range(columns):
            name, kind = read_binary_str(self._bytes), read_binary_str(self._bytes)
            described.append((name, kind))
            special = bool(read_binary_uint8(self._bytes))
            if rows:
                data.append(self._column(kind, rows, special=special))
        return ColumnOrientedBlock(described, data, info)

    def _column(self, kind: str, rows: int, *, special: bool) -> Any:
        read = self._reader(kind)
        if special or read is None:
            return read_column(self._context, kind, rows, self._bytes, has_custom_serialization=special)
        return read(rows)

    def _reader(self, kind: str) -> Callable[[int], Any] | None:
        if kind in _NUMBERS:
            return lambda rows: self._numbers(_NUMBERS[kind], rows)
        inner = kind.removeprefix("Array(").removesuffix(")")
        if inner in _NUMBERS:
            return lambda rows: self._lists(_NUMBERS[inner], rows)
        return self._names if kind == "LowCardinality(String)" else None

    def _numbers(self, dtype: np.dtype[Any], count: int) -> Any:
        return np.frombuffer(self._bytes.read(count * dtype.itemsize), dtype)

    def _lists(self, dtype: np.dtype[Any], rows: int) -> Any:
        ends = self._numbers(np.dtype("<u8"), rows)
        offsets = np.concatenate([np.zeros(1, np.int32), ends.astype(np.int32)])
        numbers = pyarrow.array(self._numbers(dtype, int(ends[-1])))
        return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), numbers)

    def _names(self, rows: int) -> Any:
        read_binary_uint64(self._bytes)  # the version of the form, of which there is one
        width = read_binary_uint64(self._bytes) & 0xFF
        names = pyarrow.array(self._bytes.read_strings(read_binary_uint64(self._bytes)), pyarrow.binary())
        read_binary_uint64(self._bytes)  # the number of keys, which is that of rows
        values = names.take(pyarrow.array(self._numbers(_KEYS[width], rows)))
        return pyarrow.Array.from_buffers(pyarrow.string(), len(values), values.buffers(), 0)
