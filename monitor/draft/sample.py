"""The first rows of a file, or the newest messages of a topic, as columns by path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from monitor.dataset import TABLES, kind_of
from monitor.decoders.document import Refused, parse
from monitor.errors import InputError
from monitor.events import Records
from monitor.sources.lines import LineReader

__all__ = ["Sample", "of_file", "of_records"]

MOST_BYTES = 64 << 20
"""Of messages that are looked at: a sample ends there, however few rows they are."""

MOST_FIELDS = 2_000
MOST_DEPTH = 8

PORTION = 1_000

EACH_LINE = "; each line is one, of a file whose name does not end in .csv or .parquet"
"""What a file of which no line is a JSON object should be."""


@dataclass
class Sample:
    """Rows in the order in which they were read, column by column.

    Attributes
    ----------
    columns : dict of str to list
        Values by path, dots for nesting; None where a row has none.
    rows : int
    partitions : list of int
        Of each row: those of a file are one partition.
    record_ms : list of int
        Of each row, the record's own time; -1 where it has none.
    ended : str
        Why it holds no more rows, though there are; empty if it holds as many as it should.
    broken : int
    first_broken : str
        Messages that are no JSON objects, and where and how the first of them is broken.
    unreachable : dict of str to str
        Fields that are not looked at, each with its reason: no path leads to them, or they are too many.
    """

    columns: dict[str, list[Any]] = field(default_factory=dict)
    rows: int = 0
    partitions: list[int] = field(default_factory=list)
    record_ms: list[int] = field(default_factory=list)
    ended: str = ""
    broken: int = 0
    first_broken: str = ""
    unreachable: dict[str, str] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any], partition: int, record_ms: int) -> None:
        """Add a row."""
        for path, value in self._leaves(row, ""):
            column = self.columns.get(path)
            if column is None:
                if len(self.columns) >= MOST_FIELDS:
                    self._leave_out(path, f"the first {MOST_FIELDS:,} fields are looked at")
                    continue
                column = self.columns[path] = [None] * self.rows
            column.append(value)
        self.rows += 1
        for column in self.columns.values():
            if len(column) < self.rows:
                column.append(None)
        self.partitions.append(partition)
        self.record_ms.append(record_ms)

    def only(self, path: str, value: object) -> Sample:
        """Return the rows that have ``value`` at ``path``."""
        rows = [i for i, each in enumerate(self.columns[path]) if each == value]
        columns = {name: [column[i] for i in rows] for name, column in self.columns.items()}
        partitions, record_ms = ([of[i] for i in rows] for of in (self.partitions, self.record_ms))
        return replace(self, columns=columns, rows=len(rows), partitions=partitions, record_ms=record_ms)

    def _leaves(self, row: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
        for key, value in row.items():
            path = f"{above}{key}"
            if unreachable := _unreachable(key, above.count(".")):
                self._leave_out(path, unreachable)
            elif isinstance(value, dict) and value:
                yield from self._leaves(value, f"{path}.")
            else:
                yield path, None if isinstance(value, dict) else value

    def _leave_out(self, path: str, reason: str) -> None:
        if len(self.unreachable) < MOST_FIELDS:
            self.unreachable[path] = reason
        else:
            self.unreachable["…"] = "others like these"


def _unreachable(key: str, depth: int) -> str:
    """Say why no path leads to a key; empty if one does."""
    if not key:
        return "it has no name"
    if "." in key:
        return "a dot in its name: a path takes it for an object with a field; name it otherwise, or nest it"
    if key.startswith("header:"):
        return "its name begins as those of headers do"
    return f"it is nested more than {MOST_DEPTH} deep" if depth >= MOST_DEPTH else ""


def of_file(path: Path, most_rows: int) -> Sample:
    """Return the first rows of a file of JSON lines, Parquet or CSV, as a replay reads them.

    Raises
    ------
    InputError
        It cannot be read, or holds no usable row.
    """
    sample = Sample()
    _take(sample, _messages_of(path, most_rows), most_rows)
    if not sample.ended and kind_of(path) == ".csv" and path.stat().st_size > MOST_BYTES:
        sample.ended = f"the first {MOST_BYTES >> 20} MiB were looked at, {sample.rows:,} rows"
    return _usable(sample, str(path), "" if kind_of(path) in TABLES else EACH_LINE)


def of_records(batches: Iterable[Records], origin: str, most_rows: int) -> Sample:
    """Return messages of a topic as a sample.

    Raises
    ------
    InputError
        There is none, or they are no JSON objects.
    """
    sample = Sample()
    messages = (
        (f"{batch.topic}/{batch.partition}/{offset}", payload, batch.partition, int(record_ms))
        for batch in batches
        for offset, payload, record_ms in zip(
            batch.offsets.tolist(), batch.payloads, batch.timestamps_ms.tolist(), strict=True
        )
    )
    _take(sample, messages, most_rows)
    return _usable(sample, origin)


Message = tuple[str, "bytes | None", int, int]
"""Where it stands, in words; its payload, partition and record's time."""


def _messages_of(path: Path, most_rows: int) -> Iterator[Message]:
    if kind_of(path) in TABLES:
        # Only here: Arrow takes a while.
        from monitor.sources.parquet import RowReader

        rows = RowReader(path, most_bytes=MOST_BYTES)
        try:
            yield from _numbered(rows, path, most_rows, "row")
        finally:
            rows.close()
        return
    lines = LineReader(path)
    try:
        yield from _numbered(lines, path, most_rows, "line")
    finally:
        lines.close()


def _numbered(reader: Any, path: Path, most_rows: int, unit: str) -> Iterator[Message]:
    rows_to_take = most_rows + 1
    while rows_to_take > 0:
        numbers, payloads = reader.take(min(PORTION, rows_to_take))
        rows_to_take -= len(payloads)
        if not payloads:
            break
        for number, payload in zip(numbers, payloads, strict=True):
            yield f"{path}, {unit} {number + 1}", payload, 0, -1
    if reader.failure:
        raise InputError(reader.failure)


def _take(sample: Sample, messages: Iterator[Message], most_rows: int) -> None:
    taken_bytes = 0
    for log_position, payload, partition, record_ms in messages:
        if sample.rows >= most_rows:
            sample.ended = f"the first {most_rows:,} rows were looked at: --rows N takes another number of them"
            return
        taken_bytes += len(payload or b"")
        if taken_bytes > MOST_BYTES:
            sample.ended = f"the first {sample.rows:,} rows are {MOST_BYTES >> 20} MiB: no more were looked at"
            return
        try:
            row = _object(payload or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            sample.broken += 1
            sample.first_broken = sample.first_broken or f"{log_position}: not a JSON object: {error}"
            continue
        sample.add(row, partition, record_ms)


def _object(payload: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        # Messages may hold what is no JSON, as NaN.
        try:
            return parse(payload)
        except Refused:
            pass  # what the first parser says is told
        raise


def _usable(sample: Sample, origin: str, advice: str = "") -> Sample:
    if sample.broken > sample.rows:
        raise InputError(sample.first_broken + advice)
    if not sample.rows:
        raise InputError(f"{origin}: there is nothing in it to draft a model from")
    return sample
