"""Reads the lines of one file, plain or gzip, by number."""

from __future__ import annotations

import codecs
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from monitor.errors import InputError, SourceError

__all__ = ["CHUNK_BYTES", "MAX_LINE_BYTES", "LineReader"]

CHUNK_BYTES = 1 << 20
MAX_LINE_BYTES = 16 << 20
"""Of a longer line only this much is kept: enough for every decoder to see that it is too large."""

_GZIP = 16 + zlib.MAX_WBITS


class LineReader:
    """The lines of a file from a given one on; blank lines count but are not returned, nor is a byte-order mark.

    A file that was cut short while its writer went on where it was begins with a hole, which reads as NULs. They are no
    part of the first line of a file that is followed.

    Parameters
    ----------
    path : Path
        Taken for gzip if it ends in ``.gz``.
    first : int
        The first line to return, counted from 0.
    follow : bool
        Whether the file may grow: then a last line without a newline is not complete yet, until :meth:`finish`.

    Attributes
    ----------
    next_offset : int
        Number of the line after the last one that was looked at.
    ended : bool
        Whether every line that exists by now was returned.
    failure : str
        Why the rest of the file cannot be read, if so; lines before that place were returned.
    done_bytes : int
        How much of the file was read.

    Raises
    ------
    InputError
        The file is not there or cannot be opened.
    """

    def __init__(self, path: Path, first: int = 0, *, follow: bool = False) -> None:
        self.path = path
        self.next_offset = 0
        self.ended = False
        self.failure = ""
        self.done_bytes = 0
        self._first = first
        self._follow = follow
        self._file = _open(path)
        chunks = self._gunzip() if path.suffix == ".gz" else self._read()
        self._chunks = _behind_mark(_behind_hole(chunks) if follow else chunks)
        self._lines: list[bytes] = []
        self._taken = 0
        self._tail = bytearray()

    def take(self, count: int) -> tuple[list[int] | range, list[bytes]]:
        """Return at most ``count`` lines with their numbers; none where there are no more by now.

        Raises
        ------
        SourceError
            The file ends before the line to start at, and is not followed.
        """
        numbers: list[int] | range = range(0)
        lines: list[bytes] = []
        while not lines and self._fill():
            start = self._taken
            lines = self._lines[start : start + count]
            self._taken += len(lines)
            first, self.next_offset = self.next_offset, self.next_offset + len(lines)
            numbers = range(first, self.next_offset)
            if b"" in lines or any(map(bytes.isspace, lines)):
                filled = [(n, line) for n, line in zip(numbers, lines, strict=True) if line and not line.isspace()]
                numbers, lines = [number for number, _ in filled], [line for _, line in filled]
        return numbers, lines

    def finish(self) -> bool:
        """Follow the file no longer; return whether it has a last line without a newline, which is complete then."""
        self._follow = False
        return bool(self._tail)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    # -- which file it is --------------------------------------------------------------------------------------

    def is_at(self, path: Path) -> bool:
        """Whether the file has a name now."""
        try:
            on_disk = path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self._file.fileno())
        return (mine.st_dev, mine.st_ino) == (on_disk.st_dev, on_disk.st_ino)

    @property
    def has_shrunk(self) -> bool:
        """Whether the file is shorter than what was read of it."""
        return os.fstat(self._file.fileno()).st_size < self.done_bytes

    @property
    def modified_ns(self) -> int:
        """When the file was written to last."""
        return os.fstat(self._file.fileno()).st_mtime_ns

    def beginning(self, size: int) -> bytes | None:
        """Return its first bytes behind a hole, unpacked: so many, or all that there are; None of what is damaged."""
        begun = b""
        try:
            for piece in _behind_hole(self._unpacked() if self.path.suffix == ".gz" else self._pieces(size)):
                begun += piece
                if len(begun) >= size:
                    break
        except zlib.error:
            return begun[:size] or None
        return begun[:size]

    def _pieces(self, size: int) -> Iterator[bytes]:
        piece, at = os.pread(self._file.fileno(), size, 0), 0
        if piece[:1] != b"\x00":
            yield piece
            return
        at = self._hole_bytes()
        while piece := os.pread(self._file.fileno(), CHUNK_BYTES, at):
            at += len(piece)
            yield piece

    def _unpacked(self) -> Iterator[bytes]:
        stream, at = zlib.decompressobj(_GZIP), 0
        while not stream.eof and (packed := os.pread(self._file.fileno(), CHUNK_BYTES, at)):
            at += len(packed)
            while packed:
                yield stream.decompress(packed, CHUNK_BYTES)
                packed = stream.unconsumed_tail

    def _hole_bytes(self) -> int:
        """Return how much of its beginning takes no room on the disk."""
        descriptor = self._file.fileno()
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            return os.lseek(descriptor, 0, os.SEEK_DATA)
        except OSError:  # nothing behind it, or a file system that knows no holes
            return 0
        finally:
            os.lseek(descriptor, position, os.SEEK_SET)

    def _fill(self) -> bool:
        """Make sure that there is a line to take, if there is one by now."""
        while True:
            skipped = min(self._first - self.next_offset, len(self._lines) - self._taken)
            if skipped > 0:
                self._taken += skipped
                self.next_offset += skipped
            if self._taken < len(self._lines):
                return True
            if not self._load():
                self._check_first()
                return False

    def _load(self) -> bool:
        """Read the next lines; return whether there were any."""
        while chunk := next(self._chunks, b""):
            self.ended = False
            cut = chunk.rfind(b"\n")
            if cut < 0:
                self._keep(chunk)
                continue
            first = chunk.find(b"\n")
            self._keep(chunk[:first])
            self._lines, self._taken = [bytes(self._tail)], 0
            if first < cut:
                self._lines += chunk[first + 1 : cut].split(b"\n")
            self._tail = bytearray(chunk[cut + 1 :])
            return True
        self.ended = True
        return self._load_last()

    def _load_last(self) -> bool:
        # What stands before a damaged place is half a record; what stands at the end of a whole file is one.
        if self._follow or self.failure or not self._tail:
            return False
        self._lines, self._taken, self._tail = [bytes(self._tail)], 0, bytearray()
        return True

    def _keep(self, part: bytes) -> None:
        self._tail += part[: MAX_LINE_BYTES + 1 - len(self._tail)]

    def _check_first(self) -> None:
        if self.next_offset < self._first and not self.failure and not self._follow:
            raise SourceError(
                f"{self.path}: ends after line {self.next_offset}, but {self._first} lines of it were read before;"
                " it was cut short or replaced",
                retryable=False,
            )

    def _read(self) -> Iterator[bytes]:
        if self._follow:
            self.done_bytes = self._file.seek(self._hole_bytes())
        # A followed file gives an empty chunk at its end, and goes on from there at the next call.
        while (chunk := self._read_raw()) or (self._follow and not self.failure):
            yield chunk

    def _read_raw(self) -> bytes:
        try:
            chunk = self._file.read(CHUNK_BYTES)
        except OSError as error:
            self._fail(error.strerror or str(error))
            return b""
        self.done_bytes += len(chunk)
        return chunk

    def _gunzip(self) -> Iterator[bytes]:
        stream = zlib.decompressobj(_GZIP)
        raw = self._read_raw()
        while raw:
            try:
                chunk = stream.decompress(raw, CHUNK_BYTES)
            except zlib.error as error:
                self._fail(f"damaged gzip data ({error})")
                return
            if chunk:
                yield chunk
            raw = stream.unconsumed_tail
            if stream.eof:  # another member may follow, or padding
                raw = stream.unused_data.lstrip(b"\x00") or self._read_raw().lstrip(b"\x00")
                stream = zlib.decompressobj(_GZIP) if raw else stream
            raw = raw or self._read_raw()
        if rest := stream.flush():
            yield rest
        if not stream.eof and self.done_bytes and not self.failure:
            self._fail("the gzip data ends in the middle")

    def _fail(self, why: str) -> None:
        complete = self.next_offset + len(self._lines) - self._taken
        self.failure = f"{self.path}: after line {complete}: {why}"


def _behind_hole(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out NULs before anything else."""
    is_hole = True
    for chunk in chunks:
        rest = chunk.lstrip(b"\x00") if is_hole else chunk
        is_hole = is_hole and not rest
        if rest or not chunk:
            yield rest


def _behind_mark(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out the byte-order mark that editors and PowerShell put in front of UTF-8."""
    begun = b""
    for chunk in chunks:
        begun += chunk
        if chunk and (len(begun) >= len(codecs.BOM_UTF8) or not codecs.BOM_UTF8.startswith(begun)):
            yield begun.removeprefix(codecs.BOM_UTF8)
            break
        if not chunk:
            yield b""
    else:
        yield begun
        return
    yield from chunks


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
