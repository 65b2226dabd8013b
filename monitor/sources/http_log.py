"""Keeps what was posted to ``/v1/events`` until it has been read, and reads it.

The log is one SQLite file. It does for HTTP what Kafka does for its topics: a position to go on from, so that an event
whose receipt was confirmed outlives the process.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from monitor.clock import Clock, SystemClock
from monitor.errors import SourceError
from monitor.events import Gap, Partition, Records
from monitor.messages import LogPosition, Message
from monitor.sources.contract import Resume, Source
from monitor.sources.set_aside import SetAside

__all__ = ["HttpLog", "HttpSource"]

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS streams (
    stream TEXT PRIMARY KEY, first_offset INTEGER NOT NULL, next_offset INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    stream TEXT, offset INTEGER, received_ms INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (stream, offset)
) WITHOUT ROWID;
"""
_RETRYABLE = {"SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_NOMEM"}
_BUSY_S = 10.0
_LOOKED_AT = 500
"""Messages that are read at one time to be looked through."""


@dataclass(slots=True)
class _Append:
    """A caller's payloads, and what became of them."""

    stream: str
    payloads: Sequence[bytes]
    first_offset: int = -1
    error: SourceError | None = None


class HttpLog:
    """A durable log of streams. Safe to use from many threads.

    Parameters
    ----------
    path : Path
        Made if it is not there, with its folder, for this user alone. ``path-wal``, ``path-shm`` and ``path-lock``
        beside it belong to it.
    clock : Clock
        Gives the time of receipt.

    Raises
    ------
    SourceError
        The file cannot be opened, is no log, or another process has it open: each would drop what the other has not
        read yet.

    Examples
    --------
    >>> import tempfile
    >>> from monitor.clock import ManualClock
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = HttpLog(Path(folder, "ingest.log"), ManualClock(now_ms=5))
    ...     log.append("scores", [b"{}", b"{}"]), log.append("scores", [b"[]"])
    ...     log.read("scores", from_offset=1, limit=10).payloads
    ...     log.close()
    ((0, 1), (2, 2))
    [b'{}', b'[]']
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._queue: list[_Append] = []
        self._queue_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._news = threading.Condition()
        self._appends = 0
        with self._explained("cannot be opened"):
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise SourceError(f"{path}: {error.strerror or error}", retryable=False) from error
            self._lock = _locked(path)
            try:
                # SQLite gives the files beside a database its rights.
                path.touch(mode=0o600)
                self._writer = self._connect()
                self._reader = self._connect()
            except OSError as error:
                self._lock.close()
                raise SourceError(f"{path}: {error.strerror or error}", retryable=False) from error
            except sqlite3.Error:
                self._lock.close()
                raise

    def append(self, stream: str, payloads: Sequence[bytes]) -> tuple[int, int]:
        """Add messages, in order; return once they are on disk.

        Callers that arrive while another one's are being written share one write to the disk.

        Parameters
        ----------
        stream : str
        payloads : sequence of bytes
            At least one.

        Returns
        -------
        first_offset, last_offset : int
            Dense within the stream, from 0.

        Raises
        ------
        SourceError
            Nothing was added. Retryable if the disk is full, since that may pass.
        """
        if not payloads:
            raise ValueError("nothing to append")
        mine = _Append(stream, payloads)
        with self._queue_lock:
            self._queue.append(mine)
        with self._write_lock:
            if mine.first_offset < 0 and mine.error is None:
                self._write_queue()
        if mine.error is not None:
            raise mine.error
        return mine.first_offset, mine.first_offset + len(payloads) - 1

    def read(self, stream: str, from_offset: int, limit: int) -> Records:
        """Return at most ``limit`` messages from an offset on, with their time of receipt; partition 0.

        Raises
        ------
        SourceError
        """
        query = """
            SELECT offset, received_ms, payload FROM events WHERE stream = ? AND offset >= ? ORDER BY offset LIMIT ?
        """
        with self._read_lock, self._explained("cannot be read"):
            rows = self._reader.execute(query, (stream, from_offset, limit)).fetchall()
        offsets = np.array([row[0] for row in rows], dtype=np.int64)
        received_ms = np.array([row[1] for row in rows], dtype=np.int64)
        return Records(stream, 0, offsets, received_ms, [row[2] for row in rows])

    def lookup(self, places: Iterable[LogPosition]) -> dict[LogPosition, Message]:
        """Return the messages at places (stream, 0, offset) that are still there.

        Raises
        ------
        SourceError
        """
        messages = {}
        for stream, partition, offset in places:
            records = self.read(stream, offset, 1)
            if len(records) and int(records.offsets[0]) == offset:
                messages[stream, partition, offset] = Message(records.payloads[0], int(records.timestamps_ms[0]))
        return messages

    def bounds(self, stream: str) -> tuple[int, int]:
        """Return the first offset that is still there and the next one to be given."""
        with self._read_lock, self._explained("cannot be read"):
            return _bounds(self._reader, stream)

    def ends(self) -> dict[str, int]:
        """Return the next offset to be given in each stream that ever had a message."""
        query = "SELECT stream, next_offset FROM streams"
        with self._read_lock, self._explained("cannot be read"):
            return dict(self._reader.execute(query).fetchall())

    def trim(self, stream: str, before_offset: int) -> None:
        """Forget messages before an offset; offsets are never given again.

        Raises
        ------
        SourceError
        """
        with self._write_lock, self._explained("cannot be trimmed"), self._transaction():
            first, following = _bounds(self._writer, stream)
            before_offset = min(max(first, before_offset), following)
            self._writer.execute("DELETE FROM events WHERE stream = ? AND offset < ?", (stream, before_offset))
            self._writer.execute("UPDATE streams SET first_offset = ? WHERE stream = ?", (before_offset, stream))

    def copy_to(self, path: Path) -> None:
        """Write a whole copy of the log, as it is now.

        Raises
        ------
        SourceError
        """
        with self._read_lock, self._explained("cannot be copied"):
            copy = sqlite3.connect(path)
            try:
                self._reader.backup(copy)
            finally:
                copy.close()

    def count(self, chosen: Mapping[str, Callable[[bytes], bool]]) -> int:
        """Return how many messages of each stream are among the chosen.

        Parameters
        ----------
        chosen : mapping of str to callable
            By stream, whether a payload is meant.
        """
        return sum(1 for _ in self.select(chosen))

    def select(self, chosen: Mapping[str, Callable[[bytes], bool]]) -> Iterator[tuple[str, int, bytes]]:
        """Yield stream, offset and payload of each message that is among the chosen."""
        for stream, is_chosen in sorted(chosen.items()):
            following, end = self.bounds(stream)
            # In parts: whoever reads and writes events waits for none of them to be looked at.
            while following < end and len(part := self.read(stream, following, _LOOKED_AT)):
                following = int(part.offsets[-1]) + 1
                for offset, payload in zip(part.offsets.tolist(), part.payloads, strict=True):
                    if payload is not None and is_chosen(payload):
                        yield stream, offset, payload

    def erase(self, chosen: Mapping[str, Callable[[bytes], bool]]) -> int:
        """Delete chosen messages, read or not, so that no byte of them stays in the file; return how many.

        Offsets stay as they are: readers find a gap.

        Raises
        ------
        SourceError
        """
        with self._write_lock, self._read_lock, self._explained("cannot be erased from"):
            matching = list(self._chosen(chosen))
            with self._transaction():
                for stream, offsets in matching:
                    rows = [(stream, offset) for offset in offsets]
                    self._writer.executemany("DELETE FROM events WHERE stream = ? AND offset = ?", rows)
            # Also where there is nothing to delete: an erasure may have been cut off between the two.
            self._writer.execute("VACUUM")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return sum(len(offsets) for _, offsets in matching)

    def _chosen(self, chosen: Mapping[str, Callable[[bytes], bool]]) -> Iterator[tuple[str, list[int]]]:
        """Yield by stream which messages are chosen; the caller holds the lock of reading."""
        for stream, is_chosen in sorted(chosen.items()):
            rows = self._reader.execute("SELECT offset, payload FROM events WHERE stream = ?", (stream,))
            yield stream, [offset for offset, payload in rows if is_chosen(payload)]

    def wait(self, appends: int, timeout_s: float) -> int:
        """Wait until there were more than ``appends`` writes in this process, or for a time; return how many."""
        with self._news:
            self._news.wait_for(lambda: self._appends > appends, timeout_s)
            return self._appends

    def close(self) -> None:
        """Close the file. What was appended stays."""
        with self._write_lock, self._read_lock:
            self._writer.close()
            self._reader.close()
            self._lock.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _write_queue(self) -> None:
        with self._queue_lock:
            batch, self._queue = self._queue, []
        try:
            with self._explained("cannot be written"), self._transaction():
                firsts = [self._write(item) for item in batch]
        except BaseException as error:
            failed = error if isinstance(error, SourceError) else _not_written(self.path, error)
            for item in batch:
                item.error = failed
            if failed is not error:
                raise  # a bug, or an interrupt; those who shared the write must hear of it all the same
            return
        for item, first in zip(batch, firsts, strict=True):
            item.first_offset = first
        with self._news:
            self._appends += 1
            self._news.notify_all()

    def _write(self, item: _Append) -> int:
        received_ms = self._clock.now_ms()
        first, start = _bounds(self._writer, item.stream)
        rows = [(item.stream, offset, received_ms, payload) for offset, payload in enumerate(item.payloads, start)]
        self._writer.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
        bounds = (item.stream, first, start + len(rows))
        self._writer.execute("INSERT OR REPLACE INTO streams VALUES (?, ?, ?)", bounds)
        return start

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:  # a full disk has rolled back already
                self._writer.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", "")
            retryable = code.startswith(tuple(_RETRYABLE))
            raise SourceError(f"{self.path}: {action}: {error}", retryable=retryable) from error


class HttpSource(Source):
    """Reads streams of an :class:`HttpLog`; each has one partition, 0. A record's time is that of its receipt.

    Parameters
    ----------
    log : HttpLog
        Stays open when the source is closed.
    streams : sequence of str

    Attributes
    ----------
    gaps : list of Gap
        Messages that were trimmed before they were read.
    """

    guarantee = (
        "Every event whose receipt was confirmed, at least once from its checkpoint on; confirmed means on disk."
    )
    bounded = False

    def __init__(self, log: HttpLog, streams: Sequence[str]) -> None:
        self.gaps: list[Gap] = []
        self._log = log
        # Other threads look at it, so its keys stay as they are.
        self._next: dict[str, int] = dict.fromkeys(streams, 0)
        self._turns = list(self._next)
        self._appends = -1
        self._resume: Resume = lambda topic, partition: None
        self._begun: frozenset[str] = frozenset()
        self._set_aside = SetAside(SystemClock())

    def open(self, resume: Resume) -> None:
        """Start each stream at its checkpoint, or at the oldest message that is there.

        Raises
        ------
        SourceError
            A checkpoint is ahead of the log: it is not the log that was read before.
        """
        self._resume = resume
        self._begin()

    def _begin(self) -> None:
        for stream in self._next:
            if stream not in self._begun and not self._set_aside.waits(stream):
                self._start(stream)
                self._begun |= {stream}

    def _start(self, stream: str) -> None:
        first, following = self._log.bounds(stream)
        saved = self._resume(stream, 0)
        if saved is not None and saved > following:
            raise SourceError(
                f"{self._log.path}: {stream!r} ends before offset {following}, but was read up to {saved};"
                " the log was replaced",
                retryable=False,
                topics=[stream],
            )
        if saved is not None and saved < first:
            self.gaps.append((stream, 0, saved, first))
        self._next[stream] = max(first, saved or 0)

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        """Return what is there, from one stream after the other in turn; wait for the first if there is none.

        Raises
        ------
        SourceError
            As of :meth:`open`, of a stream that was set aside and is begun now.
        """
        self._begin()
        polled = self._look(max_records)
        if not polled and timeout_s > 0:
            self._appends = self._log.wait(self._appends, timeout_s)
            polled = self._look(max_records)
        return polled

    def partitions(self) -> frozenset[Partition]:
        """Partition 0 of every stream."""
        return frozenset((stream, 0) for stream in self._next)

    def assigned(self) -> frozenset[Partition]:
        """Partition 0 of every stream, but for those that are set aside."""
        return frozenset((stream, 0) for stream in self._begun)

    def at_end(self) -> frozenset[Partition]:
        """Streams of which every message was returned."""
        ends = self._log.ends()
        return frozenset((stream, 0) for stream in self._begun if self._next[stream] >= ends.get(stream, 0))

    def ends(self) -> dict[Partition, int]:
        """The next offset to be given in each stream."""
        ends = self._log.ends()
        return {(stream, 0): ends.get(stream, 0) for stream in self._next}

    def set_aside(self, topics: Collection[str], why: str) -> bool:
        """Read nothing of streams that cannot be begun, until they are tried again."""
        self._set_aside.note(topics, why)
        return True

    def refused(self) -> dict[str, str]:
        """Streams that are set aside, each with the reason."""
        return self._set_aside.reasons

    def close(self) -> None:
        """Let go of the streams: they are begun anew when it is opened again."""
        self._begun = frozenset()
        self._set_aside.try_now()

    def _look(self, max_records: int) -> list[Records]:
        batches: list[Records] = []
        ends = self._log.ends()
        # Of a thousand streams few have anything new.
        waiting = [s for s in self._turns if s in self._begun and self._next[s] < ends.get(s, 0)]
        for stream in waiting:
            if max_records <= 0:
                break
            records = self._log.read(stream, self._next[stream], max_records)
            self._turns.remove(stream)
            self._turns.append(stream)
            if len(records):
                self._next[stream] = int(records.offsets[-1]) + 1
                batches.append(records)
                max_records -= len(records)
        return batches


def _locked(path: Path) -> IO[str]:
    """Take the log for this process, until the file that is returned is closed or the process ends."""
    try:
        # A file of its own: SQLite's locks on the log would be lost with the first descriptor of it that is closed.
        lock_path = path.with_name(f"{path.name}-lock")
        lock_path.touch(mode=0o600)
        lock = lock_path.open("a+")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}", retryable=False) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise SourceError(
            f"{path} is in use by {f'process {owner}' if owner else 'another process'}: stop it, or give each service a"
            " spec.ingest_log of its own",
            retryable=False,
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _not_written(path: Path, error: BaseException) -> SourceError:
    return SourceError(f"{path}: cannot be written: {error!r} in a write shared with others", retryable=True)


def _bounds(connection: sqlite3.Connection, stream: str) -> tuple[int, int]:
    query = "SELECT first_offset, next_offset FROM streams WHERE stream = ?"
    first, following = connection.execute(query, (stream,)).fetchone() or (0, 0)
    return first, following
