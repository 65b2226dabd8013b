"""Follows a file of lines that grows, and goes on in the one that takes its place when logs are rotated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from monitor.clock import Clock
from monitor.errors import InputError
from monitor.messages import in_log, life_of, of_life
from monitor.sources.lines import LineReader
from monitor.sources.rotation import HEAD_BYTES, Head, Rotation

__all__ = ["FollowedFile"]

HEADS_KEPT = 64
"""Files whose beginnings are known: none is read twice, and events that wait may hold a checkpoint back into one."""

STILL_S = 1.0
"""What was renamed may still be written to: it has ended once nothing has come for so long."""

OVER_S = 60.0
"""What was written to last so long ago has ended."""

ABSENT_S = 10.0
"""Between two files of a rotation there may be none to read for so long, before that is said."""

log = structlog.get_logger("leeway.files")


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
        self._rotation = Rotation(path, clock)
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
        """Close the present file, and those that follow."""
        self._rotation.close()
        if self._reader is not None:
            self._reader.close()

    def _take(self, count: int) -> tuple[Sequence[int], list[bytes]]:
        while (reader := self._reader or self._begin()) is not None:
            self._rotation.watch(reader, self._is_new, self._written_ns)
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
        if head is not None and head.size == 0 and in_log(self.next_offset) == 0:
            # Of a file that was empty nothing is known but when it was: what is older was never begun.
            oldest = self._rotation.oldest(self._is_new, self._written_ns)
            if oldest is not None or is_there:
                return self._take_up(oldest) if oldest is not None else self._read(self._path)
        elif head is not None:
            # A file that was rotated before the one that has the name now, which may begin with the same lines.
            paths = (*reversed(self._rotation.former()), *[self._path] * is_there)
            if (reader := self._rotation.first(paths, self._is_own, in_log(self.next_offset))) is not None:
                return self._take_up(reader)
        if is_there:
            return self._lose(None, f"{self._path}: is another file than the one that was read")
        self._say_absent()
        return None

    def _is_own(self, reader: LineReader) -> bool:
        """Whether a file is the one that is read, and not known as another one."""
        return self._heads[life_of(self.next_offset)].fits(reader) and not self._is_of_another_life(reader)

    def _is_of_another_life(self, reader: LineReader) -> bool:
        """Whether more of a file is known as that of another one: a short beginning may be common to both."""
        own = life_of(self.next_offset)
        size = self._heads[own].size
        return any(life != own and head.size > size and head.fits(reader) for life, head in self._heads.items())

    def _read(self, path: Path) -> LineReader:
        return self._take_up(LineReader(path, in_log(self.next_offset), follow=True))

    def _take_up(self, reader: LineReader) -> LineReader:
        self._reader = reader
        self._rotation.take_up(reader)
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

    def _go_on(self, reader: LineReader) -> bool:
        """At the end of a file, go on in the next one if there is one by now."""
        if reader.is_at(self._path):
            self._written_ns = reader.modified_ns
            self._absent_since_s, self.trouble = None, reader.failure
            self.ended = not reader.failure
            return False
        following = self._rotation.following()
        if following is None:
            return self._goes_on_in_a_copy(reader)
        if not self._is_over(reader, following.reader):
            return False
        if reader.failure:
            self._lose(reader, reader.failure)
        elif reader.finish():
            return True
        elif not following.is_direct:
            self._lose(reader, f"{reader.path}: was removed, and with it what may have come after it", is_told=True)
        else:
            reader.close()
            self.next_offset = of_life(life_of(self.next_offset) + 1, 0)
            log.info("a file was rotated", path=str(self._path), offset=self.next_offset)
            self._take_up(following.reader)
        return True

    def _is_over(self, reader: LineReader, following: LineReader) -> bool:
        """Whether nothing is written any more to a file that was renamed."""
        now_s = self._clock.monotonic_s()
        if self._still_since_s is None:
            self._still_since_s = now_s
        written_s_ago = self._clock.now_ms() / 1_000 - reader.modified_ns / 1e9
        # Who still writes to a file that was rotated once no longer does once the next one was rotated, too.
        return now_s - self._still_since_s >= STILL_S or written_s_ago > OVER_S or not following.is_at(self._path)

    def _goes_on_in_a_copy(self, reader: LineReader) -> bool:
        """Where a file was written anew as a whole, with what was read and more, go on in it."""
        if not self._path.is_file():
            self._say_absent()
            return False
        own = self._heads[life_of(self.next_offset)]
        copy = self._rotation.first([self._path], own.fits, in_log(self.next_offset))
        if copy is None:
            if self._path.stat().st_size:
                self._say_after_a_while(f"{self._path}: begins like a file that was read before")
            return False
        reader.close()
        self._take_up(copy)
        return True

    def _is_new(self, other: LineReader) -> bool:
        return not any(head.names(other) for head in self._heads.values())

    # -- what is lost ------------------------------------------------------------------------------------------

    def _is_cut(self, reader: LineReader) -> bool:
        """Whether a file that was read to its end has less now, or begins otherwise."""
        if reader.has_shrunk or not self._heads[life_of(self.next_offset)].fits(reader):
            return True
        self._note_head(reader)
        return False

    def _recover(self, reader: LineReader) -> None:
        """Of a file that was cut short go on in its copy, which a rotation has made before; else it is a gap."""
        others = (path for path in self._rotation.former() if not reader.is_at(path))
        own = self._heads[life_of(self.next_offset)]
        if (copy := self._rotation.first(others, own.fits, in_log(self.next_offset))) is not None:
            reader.close()
            self._take_up(copy)
            return
        self._lose(reader, f"{reader.path}: was cut short after line {reader.next_offset}")

    def _lose(self, reader: LineReader | None, why: str, *, is_told: bool = False) -> LineReader | None:
        """Go on at the beginning of the next file in the next life, or of the one that has the name."""
        if reader is not None and reader.failure:
            self._rotation.leave_out(reader.path)
        following = None if reader is None or reader.is_at(self._path) else self._rotation.following()
        if reader is not None:
            reader.close()
        self._reader = None
        lost_from = self.next_offset
        if in_log(lost_from) or is_told or (reader is not None and reader.failure):
            self.next_offset = of_life(life_of(lost_from) + 1, 0)
            log.error("lines may be lost", reason=why, offset=lost_from, next_offset=self.next_offset)
            self._on_cut(lost_from, self.next_offset)
        else:
            self._heads.pop(life_of(lost_from), None)
        if following is not None:
            return self._take_up(following.reader)
        return self._read(self._path) if self._path.is_file() else None

    def _say_absent(self) -> None:
        self._say_after_a_while(f"{self._path}: no such file")

    def _say_after_a_while(self, trouble: str) -> None:
        now_s = self._clock.monotonic_s()
        if self._absent_since_s is None:
            self._absent_since_s = now_s
        if self._reader is None or now_s - self._absent_since_s >= ABSENT_S:
            self._say(trouble)

    def _say(self, trouble: str) -> None:
        # What cannot be read is not read to its end: windows wait for it.
        self.ended, self.trouble = False, trouble


def _in_life(life: int, numbers: Sequence[int]) -> Sequence[int]:
    """Return the offsets of lines in a life; of a range a range, which costs nothing line by line."""
    if isinstance(numbers, range):
        return range(of_life(life, numbers.start), of_life(life, numbers.stop))
    return [of_life(life, number) for number in numbers]
