"""Reading a data set of a baseline: CSV, JSON lines or Parquet, into columns."""

from __future__ import annotations

import codecs
import errno
import gzip
import json
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from io import BufferedIOBase, BytesIO
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import InputError
from monitor.values import digits_of, is_number

__all__ = ["DATA_SETS", "JSON_LINES", "TABLES", "Dataset", "kind_of", "read_dataset", "read_table"]

TABLES = (".csv", ".parquet")
JSON_LINES = (".jsonl", ".json", ".ndjson")
DATA_SETS = (*TABLES, *JSON_LINES)
"""Suffixes of files that are tables, or JSON lines, and of all that may be data sets."""

PACKED = ".gz"

SEPARATORS = (";", "\t", "|")
"""What stands between the values of files that are called CSV all the same."""

Value = str | int | bool
"""What a condition may ask for."""


class Dataset:
    """Columns of a file.

    Parameters
    ----------
    path : Path
    table : pyarrow.Table
    paths : mapping of str to str
        Where the values of a name stand: another column, or dots into what is nested. Where a path leads nowhere, a
        column of the name has them, as in a frame of features alone.
    """

    def __init__(self, path: Path, table: object, paths: Mapping[str, str] = MappingProxyType({})) -> None:
        self.path = path
        self.table = table
        self.paths = paths

    @property
    def columns(self) -> list[str]:
        return list(self.table.column_names)  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return int(self.table.num_rows)  # type: ignore[attr-defined]

    def has(self, name: str) -> bool:
        return self._at(name) is not None

    def numeric(self, name: str) -> NDArray[np.float64]:
        """Return a column as float64; missing values are NaN.

        Raises
        ------
        InputError
            If the column is absent or not numeric.
        """
        import pyarrow as pa

        column = self._column(name)
        try:
            # Of whole numbers that no float holds, as times in ns, the nearest one.
            values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)  # type: ignore[attr-defined]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            message = f"column {name!r} is not numeric: it holds {self._type(name)}{_first_text(column)}"
            raise InputError(f"{self.path}: {message}") from error
        return np.asarray(values, dtype=np.float64)

    def vectors(self, name: str, dimension: int) -> NDArray[np.float64]:
        """Return a column of lists as float64[n, dimension]: NaN where there is none, inf for one that is unusable.

        Raises
        ------
        InputError
            If the column is absent or holds no lists of numbers.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            lists = self._column(name).cast(pa.list_(pa.float64()))  # type: ignore[attr-defined]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            message = f"column {name!r} does not hold lists of numbers: it holds {self._type(name)}"
            raise InputError(f"{self.path}: {message}") from error
        out = np.full((len(self), dimension), np.nan)
        lengths = np.asarray(pc.list_value_length(lists).fill_null(-1).to_numpy(zero_copy_only=False))
        out[(lengths >= 0) & (lengths != dimension)] = np.inf
        fitting = np.equal(lengths, dimension)
        numbers = pc.list_flatten(lists.filter(pa.array(fitting))).to_numpy(zero_copy_only=False)
        vectors = np.asarray(numbers, dtype=np.float64).reshape(-1, dimension)
        out[fitting] = np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, np.inf)
        return out

    def text(self, name: str) -> list[str | None]:
        """Return a column as text; missing values are None.

        Raises
        ------
        InputError
            If the column is absent.
        """
        values = self._column(name).to_pylist()  # type: ignore[attr-defined]
        return [None if value is None else _as_text(value) for value in values]

    def only(self, conditions: Sequence[Mapping[str, Value]]) -> Dataset:
        """Return the rows that meet one of some conditions, as sources state them (`where`); all where there is none.

        What a data set has no column for, such as a header, is met: it is of that model alone.

        Raises
        ------
        InputError
            If no row does.
        """
        import pyarrow as pa

        if not conditions or not all(conditions):
            return self
        chosen = np.any([self._meets(condition) for condition in conditions], axis=0)
        if not chosen.any() and len(self):
            stated = " or ".join(", ".join(f"{path}={value}" for path, value in each.items()) for each in conditions)
            raise InputError(f"{self.path}: no row of it is this model's: `where` asks for {stated}")
        return Dataset(self.path, self.table.filter(pa.array(chosen)), self.paths)  # type: ignore[attr-defined]

    def _meets(self, condition: Mapping[str, Value]) -> NDArray[np.bool_]:
        chosen = np.ones(len(self), dtype=np.bool_)
        for path, value in condition.items():
            column = self._along(path)
            if column is not None:
                chosen &= [_equals(each, value) for each in column.to_pylist()]
        return chosen

    def _column(self, name: str) -> object:
        column = self._at(name)
        if column is None:
            raise InputError(f"{self.path}: no column {self.paths.get(name, name)!r}; it has {', '.join(self.columns)}")
        return column.combine_chunks()

    def _type(self, name: str) -> str:
        return str(self._at(name).type)

    def _at(self, name: str) -> Any:
        """Return the column of a name, or None."""
        path = self.paths.get(name, name)
        column = self._along(path)
        return self._along(name) if column is None and path != name else column

    def _along(self, path: str) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        column_name, *keys = [path] if path in self.columns else path.split(".")
        if column_name not in self.columns:
            return None
        column = self.table.column(column_name)  # type: ignore[attr-defined]
        for key in keys:
            if not pa.types.is_struct(column.type) or column.type.get_field_index(key) < 0:
                return None
            column = pc.struct_field(column, key)
        return column


def _equals(value: object, demanded: Value) -> bool:
    """Whether a value is what a condition asks for; that a CSV file writes numbers as texts is no difference."""
    if isinstance(value, float) and isinstance(demanded, int) and not isinstance(demanded, bool):
        return value == demanded
    return value is not None and _as_text(value) == _as_text(demanded)


def _as_text(value: object) -> str:
    """Return what decoders make of a category: of whole numbers their digits, however they are written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    digits = digits_of(value) if isinstance(value, (float, Decimal)) else None
    return str(value) if digits is None else digits


def _first_text(column: Any) -> str:
    """Say which text is the first that is no number; not what it says, which may be somebody's."""
    import pyarrow as pa

    if not pa.types.is_string(column.type):
        return ""
    texts = enumerate(column.to_pylist(), start=1)
    first = next((number for number, text in texts if text is not None and not is_number(text)), None)
    return "" if first is None else f", and row {first:,} is the first that is no number"


def kind_of(path: PurePath) -> str:
    """Return the suffix that says how a file is read, in small letters; of a packed one, the suffix before ``.gz``.

    Examples
    --------
    >>> [kind_of(PurePath(name)) for name in ("a.CSV", "a.csv.gz", "a.gz", "a")]
    ['.csv', '.csv', '.gz', '']
    """
    unpacked = PurePath(path.stem).suffix.lower() if path.suffix == PACKED else ""
    return unpacked if unpacked in DATA_SETS else path.suffix.lower()


def read_dataset(
    path: Path, paths: Mapping[str, str] = MappingProxyType({}), conditions: Sequence[Mapping[str, Value]] = ()
) -> Dataset:
    """Read a data set; its suffix says how. ``paths`` and ``conditions`` are those of :class:`Dataset`.

    A column of JSON lines that holds values of several kinds is one of text.

    Raises
    ------
    InputError
        If the file is missing, of an unknown kind, or broken, or none of its rows is chosen.
    """
    return Dataset(path, read_table(path), paths).only(conditions)


def read_table(path: Path, most_bytes: int | None = None) -> Any:
    """Read a file as :func:`read_dataset` does, into an Arrow table.

    Cells of a CSV file with nothing in them are missing; ``NA`` among texts is one, since it may be a country.

    Parameters
    ----------
    path : Path
    most_bytes : int or None
        Of a CSV file: the lines that are whole within so many bytes are read. None: all.

    Raises
    ------
    InputError
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    readers: dict[str, Callable[[Any], Any]] = {
        ".csv": pyarrow.csv.read_csv,
        ".parquet": pyarrow.parquet.read_table,
        **dict.fromkeys(JSON_LINES, pyarrow.json.read_json),
    }
    kind = kind_of(path)
    reader = readers.get(kind)
    if reader is None:
        raise InputError(f"{path}: unknown kind of file; expected one of {', '.join(sorted(readers))}")
    try:
        # Arrow unpacks what is named so by itself.
        with _readable(path):
            table = reader(str(path) if most_bytes is None else _head(path, most_bytes))
    except pa.ArrowInvalid as error:
        with _readable(path):
            if kind in JSON_LINES:
                return _of_mixed_lines(path)
            message = _separated(path) or _place(_with_row(path, str(error))) if kind == ".csv" else str(error)
        raise InputError(f"{path}: not a readable {kind[1:]} file: {message}") from error
    names = Counter(table.column_names)
    if twice := [name for name, count in names.items() if count > 1]:
        raise InputError(f"{path}: several columns are called {twice[0]!r}")
    if kind == ".csv":
        if len(names) == 1 and (message := _separated(path)):
            raise InputError(f"{path}: not a readable csv file: {message}")
        for column in table.schema:
            if pa.types.is_binary(column.type):
                raise InputError(f"{path}: the texts of column {column.name!r} are not UTF-8")
        table = _without_empty_texts(table)
    return table


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say of a file that cannot be opened, or unpacked, why."""
    try:
        yield
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip data ({error})") from error
    except OSError as error:
        # Arrow gives no reason but its own sentence, and of a file that is not there its name alone.
        reason = os.strerror(errno.ENOENT) if isinstance(error, FileNotFoundError) else error.strerror or error
        raise InputError(f"{path}: {reason}") from error


def _without_empty_texts(table: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    for index, column in enumerate(table.schema):
        if pa.types.is_string(column.type):
            texts = table.column(index)
            nothing = pa.scalar(None, column.type)
            table = table.set_column(index, column, pc.if_else(pc.equal(texts, ""), nothing, texts))
    return table


def _place(message: str) -> str:
    """Leave out of what Arrow says of a CSV file the row that it quotes: who names the file may not see that.

    Examples
    --------
    >>> _place("CSV parse error: Row #3: Expected 2 columns, got 3: ann,hunter2,3")
    'Row #3: Expected 2 columns, got 3'
    """
    row = re.search(r"Empty CSV file|(Row #\d+: )?Expected \d+ columns, got \d+|Row #\d+|column #\d+", message)
    return "its rows do not fit together" if row is None else row[0]


def _with_row(path: Path, message: str) -> str:
    """Return what Arrow says of a broken CSV file if it reads row by row, and so knows the row."""
    import pyarrow as pa
    import pyarrow.csv

    try:
        pyarrow.csv.read_csv(path, read_options=pyarrow.csv.ReadOptions(use_threads=False))
    except pa.ArrowInvalid as error:
        return str(error)
    return message


def _separated(path: Path) -> str:
    """Say what separates the values of a CSV file, if that is no comma; empty if it is, or cannot be told.

    Names of columns have no others in them but by design.
    """
    with _opened(path) as file:
        header = file.readline(1 << 20).removeprefix(codecs.BOM_UTF8).decode(errors="replace").rstrip("\r\n")
    counts = {separator: header.count(separator) for separator in SEPARATORS}
    separator = max(counts, key=lambda each: counts[each])
    if not counts[separator] or "," in header:
        return ""
    return (
        f"values have to be separated by ',', not by {separator!r}, and decimals by a point: write it anew, as with "
        f"pandas.read_csv(…, sep={separator!r}, decimal=',').to_csv(…, index=False)"
    )


def _opened(path: Path) -> BufferedIOBase:
    """Open a file, and unpack it as it is read where its name says that it is packed."""
    return gzip.open(path) if path.suffix == PACKED else path.open("rb")


def _head(path: Path, most_bytes: int) -> BytesIO:
    """Return the first whole lines of a file."""
    with _opened(path) as file:
        head = file.read(most_bytes)
        is_all = not file.read(1)
    return BytesIO(head if is_all else head[: head.rfind(b"\n") + 1])


def _of_mixed_lines(path: Path) -> object:
    """Read JSON lines of which Arrow does not know what type a column has, or that have NaN in them."""
    import pyarrow as pa

    columns: dict[str, list[object]] = {}
    rows = 0
    with _opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            written = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if not written.strip():
                continue
            row = _object(written, f"{path}:{number}")
            for name in row:
                columns.setdefault(name, [None] * rows)
            for name, values in columns.items():
                values.append(row.get(name))
            rows += 1
    return pa.table({name: _array(values) for name, values in columns.items()})


def _object(line: bytes, log_position: str) -> dict[str, Any]:
    import msgspec

    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{log_position}: not a JSON object: {error}; each line of such a file is one"
        try:
            # NaN and Infinity, as Python writes them, are no JSON, and are read in messages, too.
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(message) from error
        if not isinstance(row, dict):
            raise InputError(message) from error
        return row


def _array(values: list[object]) -> object:
    """Return values as an Arrow array: as text if they are of several kinds."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else _as_text(value) for value in values])
