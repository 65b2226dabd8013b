"""A followed file that is rotated: every line once, whatever its file is called by the time that it is read."""

import gzip
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.messages import LIFE
from monitor.sources import followed, rotation
from monitor.sources.files import FileSource

PARTITION = ("t", 0)
Lines = list[tuple[int, bytes]]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was renamed counts as ended at the next look."""
    monkeypatch.setattr(followed, "STILL_S", 0.0)
    monkeypatch.setattr(followed, "ABSENT_S", 0.0)


class Reading:
    """A source that follows one file, and its checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines, self.gaps = path, Lines(), list[tuple[int, int]]()
        self._checkpoint: tuple[int | None, Mapping[str, Any]] = (None, {})
        self._source = self._opened()

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()

    def _opened(self) -> FileSource:
        source = FileSource({"t": [self.path]}, follow=True)
        offset, mark = self._checkpoint

        def resume(topic: str, number: int) -> int | None:
            source.recall((topic, number), mark)
            return offset

        source.open(resume)
        return source

    def read(self) -> list[bytes]:
        """Read everything up to the end as it is now, and return what was new."""
        count = len(self.lines)
        for _ in range(100):
            polled = self._source.poll(1000, 0.0)
            for records in polled:
                self.lines += zip(records.offsets.tolist(), map(bytes, filter(None, records.payloads)), strict=True)
            if not polled and self._source.at_end():
                break
        self.gaps += [gap[2:] for gap in self._source.gaps]
        self._source.gaps.clear()
        return [line for _, line in self.lines[count:]]

    def save(self) -> None:
        """Write a checkpoint behind all that was read."""
        after = self.lines[-1][0] + 1 if self.lines else None
        if self.gaps and (after is None or self.gaps[-1][1] > after):
            after = self.gaps[-1][1]
        self._checkpoint = after, self._source.mark(PARTITION)

    def restart(self) -> None:
        """Go on from the checkpoint, as after a kill: what was read behind it is forgotten."""
        self._source.close()
        after = self._checkpoint[0] or 0
        self.lines = [(offset, line) for offset, line in self.lines if offset < after]
        self.gaps = [gap for gap in self.gaps if gap[1] <= after]
        self._source = self._opened()

    @property
    def starts(self) -> Mapping[tuple[str, int], int]:
        return self._source.starts()

    @property
    def refused(self) -> Mapping[str, str]:
        return self._source.refused()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def reading(path: Path) -> Iterator[Reading]:
    """Of a file that has three lines, all of which were read."""
    append(path, *rows(0, 3))
    with closing(Reading(path)) as begun:
        assert begun.read() == as_read(0, 3)
        yield begun


def append(path: Path, *lines: str) -> None:
    with path.open("ab") as file:
        file.writelines(line.encode() + b"\n" for line in lines)


def rotate(path: Path, to: str = ".1") -> None:
    path.rename(path.with_name(path.name + to))


def rows(first: int, last: int) -> list[str]:
    return [f'{{"n": {n}, "at": "2026-03-01T00:00:{n:02}"}}' for n in range(first, last)]


def as_read(first: int, last: int) -> list[bytes]:
    return [row.encode() for row in rows(first, last)]


def test_what_is_renamed_is_read_to_its_end_and_then_the_next_file(reading: Reading, path: Path) -> None:
    with path.open("ab") as writer:
        rotate(path)
        writer.write("\n".join(rows(3, 5)).encode())
    append(path, *rows(5, 7))

    assert reading.read() == as_read(3, 7), "also a last line that has no newline"
    assert [offset for offset, _ in reading.lines] == [0, 1, 2, 3, 4, LIFE, LIFE + 1]
    assert reading.gaps == []
    assert reading.refused == {}


def test_what_is_renamed_may_still_be_written_to(reading: Reading, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "STILL_S", 3600.0)

    rotate(path)
    append(path, *rows(4, 5))
    assert reading.read() == []
    append(path.with_name("events.jsonl.1"), *rows(3, 4))
    assert reading.read() == as_read(3, 4)

    monkeypatch.setattr(followed, "STILL_S", 0.0)
    assert reading.read() == as_read(4, 5)


def test_what_was_rotated_twice_has_ended(reading: Reading, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "STILL_S", 3600.0)

    rotate(path, ".1")
    append(path, *rows(3, 5))
    assert reading.read() == []
    rotate(path, ".2")
    append(path, *rows(5, 6))
    assert reading.read() == as_read(3, 5)


def test_files_that_are_removed_before_their_turn_are_read(
    reading: Reading, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "STILL_S", 3600.0)
    for first in (3, 5, 7):
        rotate(path)
        append(path, *rows(first, first + 2))
        assert reading.read() == ([] if first == 3 else as_read(first - 2, first))
        path.with_name("events.jsonl.1").unlink()

    monkeypatch.setattr(followed, "STILL_S", 0.0)
    assert reading.read() == as_read(7, 9)
    assert reading.gaps == []


def test_files_that_were_removed_while_nobody_looked_are_a_gap(
    reading: Reading, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "WATCHED_S", -1.0)
    for first in (3, 5, 7):
        rotate(path)  # in place of the one before
        append(path, *rows(first, first + 2))

    assert reading.read() == as_read(5, 9)
    assert reading.gaps == [(3, LIFE)]
    assert [offset for offset, _ in reading.lines[3:]] == [LIFE, LIFE + 1, 2 * LIFE, 2 * LIFE + 1]


def test_what_is_moved_elsewhere_while_it_is_read_is_no_gap(reading: Reading, path: Path) -> None:
    (path.parent / "old").mkdir()
    path.rename(path.parent / "old" / path.name)
    append(path, *rows(3, 5))
    assert reading.read() == as_read(3, 5)
    assert reading.gaps == []


def test_the_file_that_has_the_name_is_read_whatever_the_clock_said(reading: Reading, path: Path) -> None:
    hour_ns = 3_600_000_000_000
    os.utime(path, ns=(path.stat().st_mtime_ns + hour_ns,) * 2)
    assert reading.read() == []
    rotate(path)
    append(path, *rows(3, 5))
    assert reading.read() == as_read(3, 5)

    prepared = path.with_name("prepared")
    append(prepared, *rows(5, 7))
    os.utime(prepared, ns=(path.stat().st_mtime_ns - hour_ns,) * 2)
    prepared.replace(path)
    assert reading.read() == as_read(5, 7)


def test_a_file_that_begins_like_one_that_was_read_is_named(reading: Reading, path: Path) -> None:
    rotate(path)
    append(path, *rows(3, 5))
    assert reading.read() == as_read(3, 5)
    path.unlink()
    rotated = path.with_name("events.jsonl.1")
    rotated.rename(path)

    assert reading.read() == []
    assert reading.refused == {"t": f"{path}: begins like a file that was read before"}


@pytest.mark.parametrize("packed", [False, True])
def test_a_restart_finds_the_files_that_were_rotated_meanwhile(reading: Reading, path: Path, packed: bool) -> None:
    reading.save()

    append(path, *rows(3, 5))
    rotate(path, ".2026-03-01")
    append(path, *rows(5, 8))
    rotate(path, ".2026-03-02")
    append(path, *rows(8, 9))
    for day in ("01", "02") if packed else ():
        plain = path.with_name(f"events.jsonl.2026-03-{day}")
        packed_path = plain.with_name(plain.name + ".gz")
        packed_path.write_bytes(gzip.compress(plain.read_bytes()))
        shutil.copystat(plain, packed_path)
        plain.unlink()

    reading.restart()
    assert reading.read() == as_read(3, 9)
    assert reading.gaps == []
    assert reading.lines[-1][0] == 2 * LIFE


@pytest.mark.parametrize("is_down", [False, True], ids=["running", "down"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_files_of_a_writer_that_goes_on_behind_a_hole_are_told_apart(path: Path, packed: bool, is_down: bool) -> None:
    with path.open("wb", buffering=0) as writer, closing(Reading(path)) as reading:
        writer.write(b"\n" * 50_000)
        for number in range(4):
            write(writer, 5 * number, 5 * number + 2)
            reading.read()
            reading.save()
            write(writer, 5 * number + 2, 5 * number + 5)
            copy = path.with_name(f"events.jsonl.{number}{'.gz' * packed}")
            copy.write_bytes(gzip.compress(path.read_bytes()) if packed else path.read_bytes())
            os.truncate(path, 0)
            if is_down:
                reading.restart()
        write(writer, 20, 21)
        reading.read()
        assert [line for _, line in reading.lines] == as_read(0, 21)
        assert reading.lines[-1][0] == 4 * LIFE, "a hole is part of the line behind it"
        assert reading.gaps == []


def write(writer: BinaryIO, first: int, last: int) -> None:
    writer.write("".join(f"{row}\n" for row in rows(first, last)).encode())


def test_a_file_that_is_copied_and_cut_short_goes_on_in_its_copy(reading: Reading, path: Path) -> None:
    append(path, *rows(3, 5))
    shutil.copy(path, path.with_name("events.jsonl.1"))
    os.truncate(path, 0)
    append(path, *rows(5, 6))

    assert reading.read() == as_read(3, 6)
    assert reading.gaps == []


SETTINGS = '{"settings": "' + "x" * 1_200 + '"}'


def test_files_that_begin_with_the_same_lines_are_told_apart(path: Path) -> None:
    append(path, SETTINGS, *rows(0, 300))
    with closing(Reading(path)) as reading:
        reading.read()
        reading.save()

        rotate(path)
        append(path, SETTINGS, *rows(300, 310))
        reading.restart()
        assert reading.read() == [SETTINGS.encode(), *as_read(300, 310)]
        reading.save()
        append(path, *rows(310, 330))
        reading.restart()
        assert reading.read() == as_read(310, 330)
        assert reading.gaps == []


def test_what_is_written_late_to_a_renamed_file_hides_no_newer_one(reading: Reading, path: Path) -> None:
    reading.save()
    with path.open("ab") as held:
        rotate(path, ".20260101")
        append(path, *rows(4, 6))
        rotate(path, ".20260102")
        held.write(rows(3, 4)[0].encode() + b"\n")
    written_last(path.with_name("events.jsonl.20260101"))
    append(path, *rows(6, 7))

    reading.restart()
    assert reading.read() == as_read(3, 7)
    assert reading.gaps == []


def test_a_file_that_was_read_is_not_read_again_when_it_is_packed_later(reading: Reading, path: Path) -> None:
    rotate(path, ".1")
    append(path, *rows(3, 5))
    assert reading.read() == as_read(3, 5)
    rotate(path, ".2")
    plain = path.with_name("events.jsonl.1")
    path.with_name("events.jsonl.1.gz").write_bytes(gzip.compress(plain.read_bytes()))
    written_last(path.with_name("events.jsonl.1.gz"))
    plain.unlink()
    append(path, *rows(5, 6))

    assert reading.read() == as_read(5, 6)


def test_what_cannot_be_unpacked_is_a_gap_and_the_rest_is_read(reading: Reading, path: Path) -> None:
    rotate(path, ".1")
    path.with_name("events.jsonl.2.gz").write_bytes(b"no gzip at all")
    append(path, *rows(9, 12))

    assert reading.read() == as_read(9, 12)
    assert reading.gaps == [(LIFE, 2 * LIFE)]


def test_which_file_it_is_stands_in_the_first_checkpoint(reading: Reading, path: Path) -> None:
    assert reading.starts == {PARTITION: 0}


def written_last(path: Path) -> None:
    """Have a file be written to after all others."""
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))


@pytest.mark.parametrize("grows", [False, True], ids=["shorter", "longer"])
def test_lines_that_nobody_can_read_any_more_are_a_gap(reading: Reading, path: Path, grows: bool) -> None:
    os.truncate(path, 0)
    append(path, *(rows(10, 20) if grows else rows(10, 11)))

    assert reading.read() == as_read(10, 20 if grows else 11)
    assert reading.gaps == [(3, LIFE)]
    assert reading.lines[3][0] == LIFE


def test_a_restart_does_not_go_on_in_the_middle_of_another_file(reading: Reading, path: Path) -> None:
    reading.save()

    path.unlink()
    append(path, *rows(20, 30))
    reading.restart()

    assert reading.read() == as_read(20, 30)
    assert reading.gaps == [(3, LIFE)]
    reading.save()
    append(path, *rows(30, 31))
    reading.restart()
    assert reading.read() == as_read(30, 31)


def test_a_file_that_is_written_anew_with_more_at_its_end_is_read_on(
    reading: Reading, path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "new"
    append(other, *rows(0, 5))
    other.replace(path)

    assert reading.read() == as_read(3, 5)
    assert [offset for offset, _ in reading.lines] == [0, 1, 2, 3, 4]


def test_a_file_need_not_be_there_yet_and_is_said_to_be_absent(path: Path) -> None:
    with closing(Reading(path)) as reading:
        assert reading.read() == []
        assert reading.refused == {"t": f"{path}: no such file"}

        append(path, *rows(0, 2))
        assert reading.read() == as_read(0, 2)
        assert reading.refused == {}

        path.unlink()
        assert reading.read() == []
        assert reading.refused == {"t": f"{path}: no such file"}


def test_after_a_start_on_an_empty_file_older_ones_are_left_alone(path: Path) -> None:
    append(path.with_name("events.jsonl.1"), *rows(50, 60))
    os.utime(path.with_name("events.jsonl.1"), ns=(10**18, 10**18))
    append(path)
    with closing(Reading(path)) as reading:
        assert reading.read() == []
        reading.save()
        reading.restart()
        assert reading.read() == []

        append(path, *rows(0, 2))
        rotate(path, ".2")
        append(path, *rows(2, 4))
        rotate(path, ".3")
        append(path, *rows(4, 5))
        reading.restart()
        assert reading.read() == as_read(0, 5)
        assert reading.gaps == []


TIMES = (
    "-20260301",
    "-20260301-1772323200",
    ".2026-03-01_00-00-00",
    ".2026-03-01T16:00:00Z",
    ".20260301T160000.123+0000",
)


@pytest.mark.parametrize("name", [*TIMES, ".2026-03-01-PM", ".2026-W09", ".2026-03-01.1.gz"])
def test_a_restart_knows_names_with_a_time(reading: Reading, path: Path, name: str) -> None:
    reading.save()
    append(path, *rows(3, 5))
    rotate(path, name)
    rotated = path.with_name(path.name + name)
    if rotated.suffix == ".gz":
        rotated.write_bytes(gzip.compress(rotated.read_bytes()))
    append(path, *rows(5, 6))
    reading.restart()
    assert reading.read() == as_read(3, 6)
    assert reading.gaps == []


@pytest.mark.parametrize("name", ["events.jsonl.bak", "events.jsonl.copy-1", "events.jsonl2"])
def test_a_file_of_another_kind_of_name_is_none_of_a_rotation(
    reading: Reading, path: Path, tmp_path: Path, name: str
) -> None:
    append(tmp_path / name, *rows(50, 60))
    rotate(path)
    append(path, *rows(3, 4))
    assert reading.read() == as_read(3, 4)


def test_a_table_and_a_packed_file_cannot_be_followed(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "a.csv", "a.parquet"):
        with pytest.raises(InputError, match="cannot be followed"):
            Reading(tmp_path / name)


ACTIONS = st.lists(st.sampled_from(["append", "append", "rotate", "read", "save", "restart"]), max_size=30)


@given(ACTIONS)
@settings(deadline=None)
def test_every_line_is_read_once_and_has_one_offset(actions: list[str]) -> None:
    written, rotations, offsets = 0, 0, dict[bytes, int]()
    with TemporaryDirectory() as folder, closing(Reading(path := Path(folder) / "events.jsonl")) as reading:
        # What was rotated before any of it was saved is of another time.
        for action in ["append", "read", "save", *actions, "read"]:
            if action == "append":
                append(path, *rows(written, written + 2))
                written += 2
            elif action == "rotate" and path.exists():
                rotations += 1
                rotate(path, f".{rotations}")
            elif action == "read":
                reading.read()
                offsets |= {line: offset for offset, line in reading.lines if line not in offsets}
            elif action == "save":
                reading.save()
            elif action == "restart":
                reading.restart()
        assert [line for _, line in reading.lines] == as_read(0, written)
        assert [offsets[line] for _, line in reading.lines] == [offset for offset, _ in reading.lines]
        assert reading.gaps == []
