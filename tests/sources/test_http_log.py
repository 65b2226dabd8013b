from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.clock import ManualClock, SystemClock
from monitor.errors import SourceError
from monitor.sources.http_log import HttpLog, HttpSource


@pytest.fixture
def log(tmp_path: Path) -> Iterator[HttpLog]:
    log = HttpLog(tmp_path / "folder" / "ingest.log", ManualClock(now_ms=7))
    yield log
    log.close()


def test_offsets_are_dense_within_a_stream(log: HttpLog) -> None:
    assert log.append("a", [b"1", b"2"]) == (0, 1)
    assert log.append("b", [b"x"]) == (0, 0)
    assert log.append("a", [b"3"]) == (2, 2)

    records = log.read("a", from_offset=1, limit=10)

    assert (records.topic, records.partition) == ("a", 0)
    assert records.offsets.tolist() == [1, 2]
    assert records.payloads == [b"2", b"3"]
    assert records.timestamps_ms.tolist() == [7, 7]


def test_a_reopened_log_goes_on_where_it_was_even_if_all_was_trimmed(tmp_path: Path) -> None:
    path = tmp_path / "ingest.log"
    log = HttpLog(path, ManualClock())
    log.append("a", [b"1", b"2"])
    log.trim("a", before_offset=99)
    log.close()

    again = HttpLog(path, ManualClock())
    assert again.bounds("a") == (2, 2)
    assert again.append("a", [b"3"]) == (2, 2)
    assert again.read("a", 0, 10).payloads == [b"3"]
    again.close()


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    """Two services with stores of their own would each drop what the other has not read."""
    path = tmp_path / "ingest.log"
    process = subprocess.Popen([sys.executable, "-c", APPENDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(SourceError, match=rf"ingest\.log is in use by process {process.pid}: stop it") as caught:
        HttpLog(path, ManualClock())
    assert not caught.value.retryable
    process.kill()
    process.communicate()
    HttpLog(path, ManualClock()).close()


def test_many_threads_append_without_loss_or_mixing(log: HttpLog) -> None:
    given: dict[int, tuple[int, int]] = {}

    def work(name: int) -> None:
        for turn in range(20):
            given[name * 100 + turn] = log.append("s", [f"{name}-{turn}-{n}".encode() for n in range(3)])

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    records = log.read("s", 0, 1000)
    assert records.offsets.tolist() == list(range(360))
    for key, (first, last) in given.items():
        name, turn = divmod(key, 100)
        assert records.payloads[first : last + 1] == [f"{name}-{turn}-{n}".encode() for n in range(3)]


APPENDER = """
import sys
from pathlib import Path
from monitor.clock import SystemClock
from monitor.sources.http_log import HttpLog
log = HttpLog(Path(sys.argv[1]), SystemClock())
while True:
    print(log.append("s", [b"x" * 100] * 5)[1], flush=True)
"""


def test_what_was_confirmed_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "ingest.log"
    confirmed = -1
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", APPENDER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(20):
            confirmed = int(process.stdout.readline())
        process.kill()
        rest = process.communicate()[0].split()
        confirmed = int(rest[-1]) if rest else confirmed

    log = HttpLog(path, SystemClock())
    offsets = log.read("s", 0, 1_000_000).offsets
    assert offsets.tolist() == list(range(len(offsets)))
    assert len(offsets) > confirmed
    assert len(offsets) % 5 == 0
    log.close()


FILLER = """
import resource, signal, sys
from pathlib import Path
from monitor.clock import SystemClock
from monitor.errors import SourceError
from monitor.sources.http_log import HttpLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = HttpLog(Path(sys.argv[1]), SystemClock())
log.append("s", [b"first"])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
kept = 1
try:
    while True:
        log.append("s", [b"x" * 10_000])
        kept += 1
except SourceError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(kept, log.append("s", [b"after"])[0])
"""


def test_a_full_disk_is_reported_and_passes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(tmp_path / "ingest.log")], capture_output=True, text=True, check=True
    )
    message, numbers = done.stdout.splitlines()
    assert "ingest.log: cannot be written: " in message
    kept, after = numbers.split()
    assert int(kept) > 5
    assert kept == after


@pytest.mark.parametrize("kind", ["folder", "text", "inside a file"])
def test_a_path_that_cannot_be_a_log_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ingest.log"
    if kind == "folder":
        path.mkdir()
    else:
        path.write_text("hello, this is not a database at all" * 100)
    with pytest.raises(SourceError, match=r"ingest\.log") as caught:
        HttpLog(path / "log" if kind == "inside a file" else path, SystemClock())
    assert not caught.value.retryable


def test_the_source_starts_at_the_checkpoint_and_streams_take_turns(log: HttpLog) -> None:
    log.append("a", [b"0", b"1", b"2", b"3"])
    log.append("b", [b"x", b"y"])
    source = HttpSource(log, ["a", "b"])
    source.open(lambda stream, _partition: 1 if stream == "a" else None)

    polled = [[(r.topic, r.payloads) for r in source.poll(2, 0.0)] for _ in range(3)]

    assert polled == [[("a", [b"1", b"2"])], [("b", [b"x", b"y"])], [("a", [b"3"])]]
    assert source.at_end() == source.assigned() == {("a", 0), ("b", 0)}
    log.append("b", [b"z"])
    assert source.at_end() == {("a", 0)}


def test_a_waiting_poll_is_woken_by_an_append(log: HttpLog) -> None:
    source = HttpSource(log, ["a"])
    source.open(lambda _stream, _partition: None)
    assert source.poll(10, 0.01) == []
    found: list[bytes | None] = []
    waiter = threading.Thread(target=lambda: found.extend(source.poll(10, 60.0)[0].payloads))
    waiter.start()

    log.append("a", [b"1"])
    waiter.join(120)

    assert found == [b"1"]


def test_a_trimmed_checkpoint_is_a_gap_and_one_ahead_of_the_log_an_error(log: HttpLog) -> None:
    log.append("a", [b"0", b"1", b"2"])
    log.trim("a", before_offset=2)
    source = HttpSource(log, ["a"])

    source.open(lambda _stream, _partition: 1)
    assert source.gaps == [("a", 0, 1, 2)]
    assert [r.offsets.tolist() for r in source.poll(10, 0.0)] == [[2]]

    with pytest.raises(SourceError, match="was read up to 4"):
        HttpSource(log, ["a"]).open(lambda _stream, _partition: 4)


def test_a_payload_of_the_wrong_kind_adds_nothing(log: HttpLog) -> None:
    with pytest.raises(ValueError, match="nothing"):
        log.append("a", [])
    with pytest.raises(UnicodeEncodeError):
        log.append("\ud800", [b"1"])
    assert log.append("a", [b"1"]) == (0, 0)


def test_nobody_else_may_read_what_came(tmp_path: Path) -> None:
    folder, umask = tmp_path / "log", os.umask(0o022)
    log = HttpLog(folder / "ingest.log", SystemClock())
    try:
        log.append("scores", [b"{}"])
        modes = {file.name: file.stat().st_mode & 0o777 for file in (folder, *folder.iterdir())}
        assert modes.pop("log") == 0o700
        assert {"ingest.log", "ingest.log-wal"} <= modes.keys()
        assert {*modes.values()} == {0o600}
    finally:
        os.umask(umask)
        log.close()
