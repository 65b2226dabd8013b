"""Follows a file of lines that grows, and goes on in the one that takes its place when logs are rotated."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from monitor.clock import Clock
from monitor.errors import InputError
from monitor.messages import in_log, life_of, of_life
from monitor.sources.lines import LineReader

__all__ = ["FollowedFile"]

HEAD_BYTES = 16_384
"""So much of a file's beginning tells it from others, which may have the same first lines."""

HEADS_KEPT = 64
"""Files whose beginnings are known: none is read twice, and events that wait may hold a checkpoint back into one."""

STILL_S = 1.0
"""What was renamed may still be written to: it has ended once nothing has come for so long."""

OVER_S = 60.0
"""What was written to last so long ago has ended."""

ABSENT_S = 10.0
"""Between two files of a rotation there may be none for so long, before that is said."""

ROTATED = re.compile(r"[._-]\d[\d._:T-]*(\.gz)?")
"""What a rotation adds to a name: a number or a time."""

log = structlog.get_logger("leeway.files")


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


class FollowedFile:
    """The lines of a growing file, and of those that take its place, by offset.

    A file that was renamed is read to its end, and then the next one that was begun, up to the one that has the name
    now: each is another life of the partition (`monitor.messages`). They are told apart by how they begin, so that a
    restart finds the one in which it stopped, though it has another name or is packed by then. If it is not found, or
    was cut short, nobody knows what is lost: that is a gap.

    Parameters
    ----------
    path : Path
        It need not be there yet.
    offset : int
        The first to return.
    mark : mapping
        What :meth:`mark` said when the checkpoint was written that gives the offset.
    on_cut : callable
        Called with an offset, and the one of the next life at which reading goes on instead.
    clock : Clock

    Attributes
    ----------
    next_offset : int
        Behind the last line that was looked at.
    ended : bool
        Whether every line that exists by now was returned.
    failure : str
        Always empty: what cannot be read is tried again.
    trouble : str
        Why nothing is read, if so.

    Raises
    ------
    InputError
        The file is gzip.
    """

    failure = ""
    is_new = False
    """Whether no checkpoint says yet in which file it is."""

    def __init__(
        self, path: Path, offset: int, mark: Mapping[str, Any], on_cut: Callable[[int, int], None], clock: Clock
    ) -> None:  # fmt: skip
        if path.suffix == ".gz":
            raise InputError(f"{path}: a gzip file cannot be followed")
        self.next_offset, self.ended, self.trouble = offset, False, ""
        self._path, self._on_cut, self._clock = path, on_cut, clock
        # Checkpoints of earlier versions do not know how files begin.
        self._heads = {life: Head(size, digest) for life, size, digest in mark.get("heads", ())}
        # When the file that has the name was written to last, as far as it was read: what came after it is newer.
        self._written_ns = int(mark.get("written_ns", 0))
        self._damaged: set[Path] = set()
        self._reader: LineReader | None = None
        self._absent_since_s: float | None = None
        self._still_since_s: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a file to read."""
        return self._reader is not None

    @property
    def done_bytes(self) -> int:
        """How much of the present file was read."""
        return 0 if self._reader is None else self._reader.done_bytes

    def mark(self) -> dict[str, Any]:
        """Return how the newest files begin, for the checkpoint."""
        heads = [[life, *head] for life, head in sorted(self._heads.items())]
        return {"heads": heads, "written_ns": self._written_ns}

    def take(self, count: int) -> tuple[Sequence[int], list[bytes]]:
        """Return at most ``count`` lines with their offsets; none where there are no more by now."""
        try:
            return self._take(count)
        except (OSError, InputError) as error:
            self._say(str(error) if isinstance(error, InputError) else f"{self._path}: {error.strerror or error}")
            return range(0), []

    def close(self) -> None:
        """Close the present file."""
        if self._reader is not None:
            self._reader.close()

    def _take(self, count: int) -> tuple[Sequence[int], list[bytes]]:
        while (reader := self._reader or self._begin()) is not None:
            if self.ended and self._is_cut(reader):
                self._recover(reader)
                continue
            numbers, lines = reader.take(count)
            life = life_of(self.next_offset)
            self.next_offset = of_life(life, max(reader.next_offset, in_log(self.next_offset)))
            self.ended = reader.ended
            if lines:
                self._still_since_s = None
                self._note_head(reader)
                return _in_life(life, numbers), lines
            if reader.next_offset < in_log(self.next_offset):
                self._lose(reader, f"{reader.path}: ends after line {reader.next_offset}")
            elif not self._go_on(reader):
                break
        return range(0), []

    # -- which file --------------------------------------------------------------------------------------------

    def _begin(self) -> LineReader | None:
        """Open the file in which the next line stands, if it is there."""
        head, is_there = self._heads.get(life_of(self.next_offset)), self._path.is_file()
        if head is None and is_there:
            return self._read(self._path)
        if head is not None:
            # A file that was rotated before the one that has the name now, which may begin with the same lines.
            for path in (*reversed(self._rotated()), *[self._path] * is_there):
                reader = self._opened(path)
                if head.fits(reader) and not self._is_of_another_life(reader):
                    return self._take_up(reader)
                reader.close()
        if is_there:
            return self._lose(None, f"{self._path}: is another file than the one that was read")
        self._say_absent()
        return None

    def _is_of_another_life(self, reader: LineReader) -> bool:
        """Whether more of a file is known as that of another one: a short beginning may be common to both."""
        own = life_of(self.next_offset)
        size = self._heads[own].size
        return any(life != own and head.size > size and head.fits(reader) for life, head in self._heads.items())

    def _opened(self, path: Path) -> LineReader:
        return LineReader(path, in_log(self.next_offset), follow=True)

    def _read(self, path: Path) -> LineReader:
        return self._take_up(self._opened(path))

    def _take_up(self, reader: LineReader) -> LineReader:
        self._reader = reader
        if reader.is_at(self._path):
            self._written_ns = reader.modified_ns
        self._note_head(reader)
        self.ended, self.trouble = False, ""
        self._absent_since_s = self._still_since_s = None
        return reader

    def _note_head(self, reader: LineReader) -> None:
        life = life_of(self.next_offset)
        if life not in self._heads or self._heads[life].size < HEAD_BYTES:
            self._heads[life] = Head.of(reader.beginning(HEAD_BYTES))
            self._heads.pop(life - HEADS_KEPT, None)

    def _rotated(self) -> list[Path]:
        """Return the files that had the name before, in the order in which they ended."""
        own, folder = self._path.name, self._path.parent
        others = [path for path in folder.glob(f"{own}?*") if ROTATED.fullmatch(path.name[len(own) :])]
        return sorted(filter(Path.is_file, others), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def _go_on(self, reader: LineReader) -> bool:
        """At the end of a file, go on in the next one if there is one by now."""
        if reader.is_at(self._path):
            self._written_ns = reader.modified_ns
            self._absent_since_s, self.trouble = None, reader.failure
            self.ended = not reader.failure
            return False
        following = self._following(reader)
        if following is None:
            return self._goes_on_in_a_copy(reader)
        now_s = self._clock.monotonic_s()
        if self._still_since_s is None:
            self._still_since_s = now_s
        is_long_over = self._clock.now_ms() - reader.modified_ns // 1_000_000 > 1_000 * OVER_S
        if now_s - self._still_since_s < STILL_S and not is_long_over:
            return False
        if reader.failure:
            self._lose(reader, reader.failure)
        elif not reader.finish():
            reader.close()
            self.next_offset = of_life(life_of(self.next_offset) + 1, 0)
            log.info("a file was rotated", path=str(self._path), reading=str(following), offset=self.next_offset)
            self._read(following)
        return True

    def _goes_on_in_a_copy(self, reader: LineReader) -> bool:
        """Where a file was written anew as a whole, with what was read and more, go on in it."""
        if not self._path.is_file():
            self._say_absent()
            return False
        copy = self._opened(self._path)
        if not self._heads[life_of(self.next_offset)].fits(copy):
            copy.close()
            return False
        reader.close()
        self._take_up(copy)
        return True

    def _following(self, reader: LineReader) -> Path | None:
        """Return the file that was begun after another one and has something, if there is one."""
        for path in (*self._rotated(), self._path):
            # Whatever is written late to what was renamed is older than what was written to the next one.
            is_older = path.is_file() and path.stat().st_mtime_ns < self._written_ns
            if not path.is_file() or is_older or reader.is_at(path) or path in self._damaged:
                continue
            other = self._opened(path)
            is_next = other.beginning(1) != b"" and not any(head.names(other) for head in self._heads.values())
            other.close()
            if is_next:
                return path
        return None

    # -- what is lost ------------------------------------------------------------------------------------------

    def _is_cut(self, reader: LineReader) -> bool:
        """Whether a file that was read to its end has less now, or begins otherwise."""
        if reader.has_shrunk or not self._heads[life_of(self.next_offset)].fits(reader):
            return True
        self._note_head(reader)
        return False

    def _recover(self, reader: LineReader) -> None:
        """Of a file that was cut short go on in its copy, which a rotation has made before; else it is a gap."""
        head = self._heads[life_of(self.next_offset)]
        for path in self._rotated():
            copy = self._opened(path)
            if not reader.is_at(path) and head.fits(copy):
                reader.close()
                self._take_up(copy)
                return
            copy.close()
        self._lose(reader, f"{reader.path}: was cut short after line {reader.next_offset}")

    def _lose(self, reader: LineReader | None, why: str) -> LineReader | None:
        """Go on at the beginning of the next file in the next life, or of the one that has the name."""
        if reader is not None and reader.failure:
            self._damaged.add(reader.path)
        following = None if reader is None or reader.is_at(self._path) else self._following(reader)
        if reader is not None:
            reader.close()
        self._reader = None
        lost_from = self.next_offset
        if in_log(lost_from) or (reader is not None and reader.failure):
            self.next_offset = of_life(life_of(lost_from) + 1, 0)
            log.error("lines may be lost", reason=why, offset=lost_from, next_offset=self.next_offset)
            self._on_cut(lost_from, self.next_offset)
        else:
            self._heads.pop(life_of(lost_from), None)
        path = following or self._path
        return self._read(path) if path.is_file() else None

    def _say_absent(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._absent_since_s is None:
            self._absent_since_s = now_s
        if self._reader is None or now_s - self._absent_since_s >= ABSENT_S:
            self._say(f"{self._path}: no such file")

    def _say(self, trouble: str) -> None:
        # What cannot be read is not read to its end: windows wait for it.
        self.ended, self.trouble = False, trouble


def _in_life(life: int, numbers: Sequence[int]) -> Sequence[int]:
    """Return the offsets of lines in a life; of a range a range, which costs nothing line by line."""
    if isinstance(numbers, range):
        return range(of_life(life, numbers.start), of_life(life, numbers.stop))
    return [of_life(life, number) for number in numbers]
