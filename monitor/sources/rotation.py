"""The files of a rotation: which has a name, which had it before, and in which order they were begun."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from monitor.clock import Clock
from monitor.sources.lines import LineReader

__all__ = ["HEAD_BYTES", "Head", "Rotation", "Successor"]

HEAD_BYTES = 16_384
"""So much of a file's beginning tells it from others, which may have the same first lines."""

WATCHED_S = 1.0
"""A name changes hands at most once in so short a time: what took it meanwhile follows what had it."""

MOST_OPEN = 16
"""Files that took the name one after the other are kept open, at most so many: what is removed can still be read."""

ROTATED = re.compile(r"[._-]\d([\d._:TWZ+-]|[AP]M)*(\.gz)?")
"""What a rotation adds to a name: a number or a time."""

Wanted = Callable[[LineReader], bool]


class Head(NamedTuple):
    """How a file begins.

    Attributes
    ----------
    size : int
        Bytes of its beginning, at most `HEAD_BYTES`.
    digest : str
        Of these.
    """

    size: int
    digest: str

    @classmethod
    def of(cls, beginning: bytes | None) -> Head:
        """Return the head of a file that begins so."""
        return cls(len(beginning or b""), hashlib.sha256(beginning or b"").hexdigest())

    def fits(self, reader: LineReader) -> bool:
        """Whether a file begins so; it may have grown since."""
        return Head.of(reader.beginning(self.size)) == self

    def names(self, reader: LineReader) -> bool:
        """Whether a file is known by it: of a file that was empty nothing is known."""
        return self.size > 0 and self.fits(reader)


class Successor(NamedTuple):
    """A file that was begun after another one.

    Attributes
    ----------
    reader : LineReader
    is_direct : bool
        Whether no file can have been begun between the two, and removed.
    """

    reader: LineReader
    is_direct: bool


class Rotation:
    """The files that have a name one after the other.

    Parameters
    ----------
    path : Path
        The name.
    clock : Clock
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._begun: list[Successor] = []
        self._watched_s = -math.inf
        self._damaged: set[Path] = set()

    def watch(self, reader: LineReader, is_new: Wanted, written_ns: int) -> None:
        """Keep open what was begun after the file that is read: it may be removed before its turn comes.

        Parameters
        ----------
        reader : LineReader
        is_new : callable
            Whether nothing of a file was read.
        written_ns : int
            When what had the name was written to last: files that ended before that are older ones.
        """
        newest, now_s = (self._begun[-1].reader if self._begun else reader), self._clock.monotonic_s()
        is_watched = now_s - self._watched_s <= WATCHED_S
        is_newest = newest.is_at(self._path)
        if is_newest or (is_watched and not self._path.exists()):
            self._watched_s = now_s
        if not is_newest and len(self._begun) < MOST_OPEN:
            self._search(newest, is_new, written_ns, is_watched=is_watched)

    def former(self) -> list[Path]:
        """Return the files that had the name before, in the order in which they ended."""
        own, folder = self._path.name, self._path.parent
        others = [path for path in folder.glob(f"{own}?*") if ROTATED.fullmatch(path.name[len(own) :])]
        return sorted(filter(Path.is_file, others), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def first(self, paths: Iterable[Path], is_wanted: Wanted, first_line: int) -> LineReader | None:
        """Open the first file that is wanted, if there is one."""
        for path in paths:
            reader = LineReader(path, first_line, follow=True)
            if is_wanted(reader):
                return reader
            reader.close()
        return None

    def following(self) -> Successor | None:
        """Return the file that was begun after the one that is read and has something; it stays open."""
        return next((successor for successor in self._begun if successor.reader.beginning(1) != b""), None)

    def oldest(self, is_new: Wanted, written_ns: int) -> LineReader | None:
        """Open the file that was begun first of those that were written to since, if there is one."""
        self._search(None, is_new, written_ns, is_watched=True)
        return None if (following := self.following()) is None else following.reader

    def take_up(self, reader: LineReader) -> None:
        """Forget what was begun before a file, which is read from now on."""
        positions = [position for position, successor in enumerate(self._begun) if successor.reader is reader]
        end = positions[0] + 1 if positions else len(self._begun)
        passed, self._begun = self._begun[:end], self._begun[end:]
        for successor in passed:
            if successor.reader is not reader:
                successor.reader.close()
        if not positions:
            self._watched_s = -math.inf

    def leave_out(self, path: Path) -> None:
        """Never go on in a file again: it is damaged."""
        self._damaged.add(path)

    def close(self) -> None:
        """Close what is kept open."""
        for successor in self._begun:
            successor.reader.close()

    def _search(self, newest: LineReader | None, is_new: Wanted, written_ns: int, *, is_watched: bool) -> None:
        """Look in the folder for the file that was begun after the newest one that is known."""
        listing, is_direct, newer = self._listing(), is_watched, None
        head = Head.of(newest.beginning(HEAD_BYTES) if newest is not None else b"")
        for path, _ in listing:
            if newest is not None and newest.is_at(path):
                is_direct = True
                continue
            other = LineReader(path, follow=True)
            # Rotations remove the oldest: as long as one is there, packed or not, so is all that came after it.
            is_direct = is_direct or head.names(other)
            if newer is None and self._is_newer(other, written_ns) and is_new(other):
                newer = other
            else:
                other.close()
        if newer is None:
            return
        if self._listing() != listing:  # renamed meanwhile: one may have been passed over
            newer.close()
            return
        self._begun.append(Successor(newer, is_direct))
        self._watched_s = self._clock.monotonic_s() if newer.is_at(self._path) else -math.inf

    def _is_newer(self, other: LineReader, written_ns: int) -> bool:
        if other.path == self._path:  # whatever the clock says; it may have nothing yet
            return True
        # Whatever is written late to what was renamed is older than what was written to the next one.
        is_older = other.modified_ns < written_ns or other.path in self._damaged or other.beginning(1) == b""
        return not is_older and not any(self._is_copy(other, successor.reader) for successor in self._begun)

    @staticmethod
    def _is_copy(other: LineReader, reader: LineReader) -> bool:
        is_packed = other.path.suffix == ".gz" and Head.of(reader.beginning(HEAD_BYTES)).names(other)
        return is_packed or reader.is_at(other.path)

    def _listing(self) -> list[tuple[Path, int]]:
        """Return all files with what tells them apart under any name, the one that has the name at the end."""
        paths = [*self.former(), *[self._path] * self._path.is_file()]
        return [(path, path.stat().st_ino) for path in paths]
