"""Reads the rows of one Parquet or CSV file as JSON objects, by number."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from monitor.dataset import kind_of, read_table
from monitor.errors import InputError, SourceError

__all__ = ["RowReader"]

_ROWS = 4096


class RowReader:
    """The rows of a Parquet file, read by row groups, or of a CSV file, held as a whole, from a given one on.

    NaN and null become null; ±infinity stays, written as Python's ``json`` does; timestamps become ISO 8601 with µs;
    decimals become floats. A column whose name has dots is nested, as paths are, unless another one is named as its
    parent. The columns of a CSV file have the types that a data set of the same file has.

    Parameters
    ----------
    path : Path
        Taken for CSV if it ends in ``.csv``, or packed in ``.csv.gz``.
    first : int
        The first row to return, counted from 0.
    most_bytes : int or None
        So much of a CSV file is read; all of it if None.

    Attributes
    ----------
    next_offset : int
    ended : bool
    failure : str
    done_bytes : int
        See :class:`~monitor.sources.lines.LineReader`.

    Raises
    ------
    InputError
        The file is not there, cannot be opened, or is neither Parquet nor CSV.
    SourceError
        The file has fewer rows than were read before.
    """

    def __init__(self, path: Path, first: int = 0, *, most_bytes: int | None = None) -> None:
        self.path = path
        self.next_offset = first
        self.ended = False
        self.failure = ""
        self.done_bytes = 0
        self._file: _Rows = _CsvRows(path, most_bytes) if kind_of(path) == ".csv" else _ParquetRows(path)
        self._size_bytes = path.stat().st_size
        self._rows = self._file.count
        if first > self._rows:
            message = f"{path}: has {self._rows} rows, but {first} of it were read before; it was replaced"
            raise SourceError(message, retryable=False)
        self._batches = map(_to_json, self._file.batches(first))
        self._waiting: list[bytes] = []
        self._taken = 0

    def take(self, count: int) -> tuple[range, list[bytes]]:
        """Return at most ``count`` rows with their numbers; none where there are no more."""
        if self._taken == len(self._waiting):
            self._waiting, self._taken = self._next_batch(), 0
        taken = self._waiting[self._taken : self._taken + count]
        self._taken += len(taken)
        first, self.next_offset = self.next_offset, self.next_offset + len(taken)
        self.done_bytes = self._size_bytes * self.next_offset // max(self._rows, 1)
        if not taken:
            self.ended, self.done_bytes = True, self._size_bytes
        return range(first, self.next_offset), taken

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _next_batch(self) -> list[bytes]:
        try:
            return next(self._batches, [])
        except (OSError, pa.ArrowException) as error:
            self.failure = f"{self.path}: after row {self.next_offset}: {error}"
            return []


class _Rows(Protocol):
    """The rows of a file, in batches from a given row on."""

    count: int

    def batches(self, first: int) -> Iterator[pa.RecordBatch]: ...

    def close(self) -> None: ...


class _ParquetRows:
    def __init__(self, path: Path) -> None:
        self._file = _open(path)
        self.count = int(self._file.metadata.num_rows)

    def batches(self, first: int) -> Iterator[pa.RecordBatch]:
        start = 0
        for group in range(self._file.metadata.num_row_groups):
            rows = self._file.metadata.row_group(group).num_rows
            skipped = min(max(first - start, 0), rows)
            start += rows
            if skipped == rows:
                continue
            for batch in self._file.iter_batches(batch_size=_ROWS, row_groups=[group]):
                if skipped >= batch.num_rows:
                    skipped -= batch.num_rows
                else:
                    yield batch.slice(skipped)
                    skipped = 0

    def close(self) -> None:
        self._file.close()


class _CsvRows:
    def __init__(self, path: Path, most_bytes: int | None) -> None:
        # As a whole: what type a column has may show in the last row.
        self._table: Any = read_table(path, most_bytes)
        self.count = int(self._table.num_rows)

    def batches(self, first: int) -> Iterator[pa.RecordBatch]:
        yield from self._table.slice(first).to_batches(max_chunksize=_ROWS)

    def close(self) -> None:
        """Nothing is open."""


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not a Parquet file: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _to_json(batch: pa.RecordBatch) -> list[bytes]:
    columns = [column.cast(_plain(column.type), safe=False) for column in batch.columns]
    batch = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
    rows = _nested(batch.to_pylist(), batch.schema.names)
    if any(map(_has_infinity, columns)):
        return [json.dumps(_with_infinity(msgspec.to_builtins(row))).encode() for row in rows]
    return list(map(msgspec.json.encode, rows))


def _nested(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """Return rows in which ``{"a.b": 1}`` is ``{"a": {"b": 1}}``."""
    dotted = [name for name in names if "." in name and not _parents(name) & set(names)]
    for row in rows:
        for name in dotted:
            *above, key = name.split(".")
            inner = row
            for part in above:
                inner = inner.setdefault(part, {})
            inner[key] = row.pop(name)
    return rows


def _parents(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:depth]) for depth in range(1, len(parts))}


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type that Python and JSON can hold: no ns, no decimals."""
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", tz=kind.tz)
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _plain(field.type)) for field in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain(kind.value_type))
    return _plain(kind.value_type) if pa.types.is_dictionary(kind) else kind


def _has_infinity(column: Any) -> bool:
    if pa.types.is_floating(column.type):
        return bool(pc.any(pc.is_inf(column)).as_py())
    if pa.types.is_struct(column.type):
        return any(map(_has_infinity, column.flatten()))
    return pa.types.is_list(column.type) and _has_infinity(column.flatten())


def _with_infinity(value: object) -> object:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        return {key: _with_infinity(item) for key, item in value.items()}
    return [_with_infinity(item) for item in value] if isinstance(value, list) else value
