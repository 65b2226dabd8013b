"""Reads files of JSON lines, Parquet or CSV, once from end to end or while they grow."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.clock import SystemClock
from monitor.dataset import TABLES, kind_of
from monitor.errors import InputError, SourceError
from monitor.events import Gap, Partition, Records
from monitor.sources.contract import Mark, Resume, Source
from monitor.sources.followed import FollowedFile
from monitor.sources.lines import LineReader

__all__ = ["FileSource"]

_LOOK_AGAIN_S = 0.1
_PARQUET = b"PAR1"
EVENLY_FROM_MS = 1_704_067_200_000
"""Monday, 2024-01-01T00:00Z."""


class _Reader(Protocol):
    next_offset: int
    ended: bool
    failure: str

    @property
    def done_bytes(self) -> int: ...

    def take(self, count: int) -> tuple[Sequence[int], list[bytes]]: ...

    def close(self) -> None: ...


def _reader(format: str, most_csv_bytes: int | None, path: Path, first: int) -> _Reader:
    if format == "parquet" or kind_of(path) in TABLES or _is_parquet(path):
        from monitor.sources.parquet import RowReader

        return RowReader(path, first, most_bytes=most_csv_bytes)
    return LineReader(path, first)


def _is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does, and no text: engines that export rows leave the end of its name out."""
    if not (path.is_file() and os.access(path, os.R_OK)):
        return False  # the reader says why it cannot be opened, and what a pipe holds is read once
    with path.open("rb") as file:
        return file.read(len(_PARQUET)) == _PARQUET


class FileSource(Source):
    r"""Each file is one partition, and a line's number (a row's, in Parquet), counted from 0, is its offset.

    Blank lines are skipped but counted. A last line without a newline is a line, unless the file is followed: then it
    is not complete yet. Records have no time of their own. Parquet rows become JSON objects: NaN and null are null,
    timestamps are ISO 8601.

    A file that cannot be read any further (a gzip file cut off in the middle, say) ends there: what stands before
    that place is returned, and :attr:`failures` says what happened. A followed file may be rotated
    (`monitor.sources.followed`), and need not be there yet.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        Topics with their files; the position in the sequence is the partition, so new files belong at its end.
    format : {"suffix", "parquet"}
        ``suffix``: each file by the end of its name, ``.parquet``, ``.csv`` (with a row of names), or anything else for
        one JSON object per line, unless it begins as Parquet does; with ``.gz`` behind that, CSV and JSON lines are
        packed. ``parquet``: whatever the names are.
    follow : bool
        Wait for more at the end of each file. Not for Parquet or gzip.
    rows_per_hour : float or None
        Gives records a time all the same, for models that read none from their events: those of a file come evenly, so
        many an hour, from :data:`EVENLY_FROM_MS` on.
    most_csv_bytes : int or None
        So much of each CSV file is read, as if it ended there; all of it if None.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "events.jsonl")
    ...     _ = path.write_text('{"x": 1}\n\n{"x": 2}')
    ...     source = FileSource({"events": [path]})
    ...     source.open(lambda topic, partition: None)
    ...     [records] = source.poll(100, 0.0)
    ...     source.close()
    >>> records.offsets, records.payloads
    (array([0, 2]), [b'{"x": 1}', b'{"x": 2}'])
    """

    guarantee = (
        "Every line of a file that stays as it is, exactly once per offset; a replay reads the same lines again."
    )

    def __init__(
        self,
        files: Mapping[str, Sequence[Path]],
        format: Literal["suffix", "parquet"] = "suffix",
        follow: bool = False,
        rows_per_hour: float | None = None,
        most_csv_bytes: int | None = None,
    ) -> None:
        if follow and format == "parquet":
            raise InputError("a Parquet file cannot be followed: its index stands at its end")
        self.bounded = not follow
        self.failures: list[str] = []
        self.gaps: list[Gap] = []
        self.total_bytes = 0
        self._files = {(topic, number): path for topic, paths in files.items() for number, path in enumerate(paths)}
        self._open = partial(_reader, format, most_csv_bytes)
        self._marks: dict[Partition, Mark] = {}
        self._rows_per_hour = rows_per_hour
        self._readers: dict[Partition, _Reader] = {}
        self._turns: list[Partition] = []
        self._error: SourceError | None = None
        self._closed = threading.Event()

    @property
    def done_bytes(self) -> int:
        """How much of :attr:`total_bytes` was read."""
        return sum(reader.done_bytes for reader in self._readers.values())

    def open(self, resume: Resume) -> None:
        """Open every file at the offset that ``resume`` gives.

        Raises
        ------
        InputError
            A file is not there, cannot be opened, or is not of the stated format. One that is followed need not be
            there.
        """
        for (topic, number), path in self._files.items():
            offset = resume(topic, number)
            self._readers[topic, number] = (
                self._open(path, offset or 0) if self.bounded else self._followed((topic, number), path, offset)
            )
        self.total_bytes = sum(path.stat().st_size for path in self._files.values()) if self.bounded else 0
        self._turns = list(self._readers)
        self._closed.clear()

    def _followed(self, partition: Partition, path: Path, offset: int | None) -> FollowedFile:
        if kind_of(path) in TABLES:
            raise InputError(f"{path}: a table cannot be followed: only JSON lines grow at their end")

        def note_cut(lost_from: int, following: int) -> None:
            self.gaps.append((*partition, lost_from, following))

        followed = FollowedFile(path, offset or 0, self._marks.pop(partition, {}), note_cut, SystemClock())
        followed.is_new = offset is None
        return followed

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        """Return what is there, from one file after the other in turn; wait only where files are followed.

        Raises
        ------
        SourceError
            A file ends before the line at which to go on.
        """
        polled = self._look(max_records)
        waits = 0 if self.bounded else int(timeout_s / _LOOK_AGAIN_S)
        while not polled and waits > 0 and not self._closed.wait(_LOOK_AGAIN_S):
            waits -= 1
            polled = self._look(max_records)
        return polled

    def partitions(self) -> frozenset[Partition]:
        """Every file."""
        return self.assigned()

    def assigned(self) -> frozenset[Partition]:
        """Every file's partition."""
        return frozenset(self._readers)

    def at_end(self) -> frozenset[Partition]:
        """Partitions whose file was read to its end, or to where it cannot be read any further."""
        return frozenset(partition for partition, reader in self._readers.items() if reader.ended)

    def starts(self) -> Mapping[Partition, int]:
        """Return, once, the files that are followed from now on: the first checkpoint has to say which they are."""
        begun = {}
        for partition, reader in self._readers.items():
            if isinstance(reader, FollowedFile) and reader.is_new and reader.is_open:
                reader.is_new = False
                begun[partition] = 0
        return begun

    def mark(self, partition: Partition) -> Mark:
        """Say how the files of a partition begin that are followed."""
        reader = self._readers.get(partition)
        return reader.mark() if isinstance(reader, FollowedFile) else {}

    def recall(self, partition: Partition, mark: Mark) -> None:
        """Take up how the files of a partition began."""
        self._marks[partition] = mark

    def refused(self) -> Mapping[str, str]:
        """Return files that are followed and cannot be read now, with the reason; they are tried again."""
        readers = ((topic, reader) for (topic, _), reader in self._readers.items() if isinstance(reader, FollowedFile))
        return {topic: reader.trouble for topic, reader in readers if reader.trouble}

    def close(self) -> None:
        """Close the files and end a waiting ``poll``."""
        self._closed.set()
        for reader in self._readers.values():
            reader.close()

    def _look(self, max_records: int) -> list[Records]:
        self._raise_kept()
        batches: list[Records] = []
        room = max_records
        for partition in list(self._turns):
            if room <= 0:
                break
            self._turns.remove(partition)
            self._turns.append(partition)
            records = self._take(partition, room)
            if len(records):
                batches.append(records)
                room -= len(records)
            reader = self._readers[partition]
            if reader.failure:
                self.failures.append(reader.failure)
            if reader.failure or (reader.ended and self.bounded):
                self._turns.remove(partition)
        if not batches:
            self._raise_kept()
        return batches

    def _raise_kept(self) -> None:
        if self._error is not None:
            raise self._error

    def _take(self, partition: Partition, count: int) -> Records:
        offsets: list[NDArray[np.int64]] = []
        payloads: list[bytes] = []
        try:
            while len(payloads) < count:
                numbers, lines = self._readers[partition].take(count - len(payloads))
                if not lines:
                    break
                offsets.append(_array(numbers))
                payloads += lines
        except SourceError as error:
            self._error = error  # raised once what was read before is delivered
        joined = np.concatenate(offsets) if offsets else np.empty(0, dtype=np.int64)
        is_even = self._rows_per_hour is not None
        return Records(*partition, joined, self._times_of(joined), payloads, are_times_given=is_even)

    def _times_of(self, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._rows_per_hour is None:
            return np.full(len(offsets), -1, dtype=np.int64)
        return EVENLY_FROM_MS + (offsets * (3_600_000 / self._rows_per_hour)).astype(np.int64)


def _array(numbers: Sequence[int]) -> NDArray[np.int64]:
    if isinstance(numbers, range):  # many times faster than going through its numbers
        return np.arange(numbers.start, numbers.stop, dtype=np.int64)
    return np.array(numbers, dtype=np.int64)
