"""What only the embedded store promises: its tables, its directory, and what it survives."""

from __future__ import annotations

import base64
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from chdb.session import Session
from structlog.testing import capture_logs

import sinks.store.chdb
import sinks.store.full_disk
import sinks.store.sessions
from sinks.store import open_store
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query, Store, StoreError
from sinks.store.cut_parts import CutPart, PartsOnDisk
from sinks.store.full_disk import FullDisk
from sinks.store.schema import migrations
from sinks.store.upkeep import drop_outdated
from sinks.store.verify import repair, verify
from tests.sinks.store.samples import plain
from tests.sources.reading import until

WORKER = """
import os, resource, signal, sys
from sinks.store import open_store
from sinks.store.contract import Query, StoreError
from tests.sinks.store.samples import plain
path = sys.argv[1]
"""


def run(script: str, path: Path, *, kill_at: str = "") -> str:
    """Run ``script`` in a process of its own; with ``kill_at``, kill it once it has printed that line."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER + script, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    with process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if kill_at and line.strip() == kill_at:
                process.send_signal(signal.SIGKILL)
        assert process.wait(60) == (-signal.SIGKILL if kill_at else 0), "".join(lines)
    return "".join(lines)


# --- tables


def test_migrations_have_numbers_of_their_own_and_say_why() -> None:
    versions = [step.version for step in migrations()]
    assert versions == sorted(set(versions))
    for step in migrations():
        # A statement like the one before it, for another table, has its reason there.
        bare = [statement for statement in step.statements if not statement.startswith("--")]
        assert step.statements[0] not in bare
        assert all(statement.startswith("ALTER") for statement in bare)


def test_the_applied_migrations_are_on_record(chdb: ChdbStore) -> None:
    chdb.migrate()
    records = chdb.query("SELECT version, name FROM schema_migrations ORDER BY version")
    assert records["version"].tolist() == [step.version for step in migrations()]
    assert records["name"] == [step.name for step in migrations()]


def test_an_interrupted_migration_is_finished_by_running_it_again(tmp_path: Path) -> None:
    store = ChdbStore(tmp_path)
    with store._writers.session() as session:
        for statement in migrations()[0].statements[:4]:
            session.query(statement)
    store.migrate()
    store.append("dead_letters", plain("dead_letters", 1), "a")
    assert len(store.read(Query("dead_letters"))["topic"]) == 1
    store.close()


def test_a_store_from_a_newer_version_is_refused_and_left_alone(tables: Path) -> None:
    store = open_store("chdb", str(tables))
    assert isinstance(store, ChdbStore)
    with store._writers.session() as session:
        session.query("INSERT INTO schema_migrations VALUES (999, 'from the future')")
    store.close()
    with pytest.raises(StoreError, match=r"schema version 999.*knows \d+.*newer version") as refusal:
        open_store("chdb", str(tables))
    assert str(tables) in str(refusal.value)
    open_store("chdb", str(tables.parent / "another")).close()


# --- its directory


def test_a_second_process_is_refused_with_the_way_out(chdb: ChdbStore) -> None:
    script = """
try:
    open_store("chdb", path)
except StoreError as error:
    print(error)
"""
    output = run(script, chdb.path)
    assert str(chdb.path) in output
    assert f"in use by process {os.getpid()}" in output
    assert "API lives with the store" in output
    chdb.append("scores", plain("scores", 1), "a")


@pytest.mark.parametrize("other", ["store", "another"])
def test_a_second_store_in_one_process_is_refused_with_the_way_out(chdb: ChdbStore, other: str) -> None:
    with pytest.raises(StoreError, match=r"already has the store at .* open.*close it first"):
        ChdbStore(chdb.path.parent / other)
    chdb.append("scores", plain("scores", 1), "a")


def test_rows_and_tokens_are_there_after_close_and_reopen(tmp_path: Path) -> None:
    store = open_store("chdb", str(tmp_path / "one"))
    store.append("scores", plain("scores", 1, statistic=0.1), "a")
    store.append("scores", plain("scores", 1, statistic=0.2), "b")
    store.close()
    open_store("chdb", str(tmp_path / "another")).close()
    store = open_store("chdb", str(tmp_path / "one"))
    store.append("scores", plain("scores", 1, statistic=0.1), "a")
    assert store.read(Query("scores"))["statistic"].tolist() == [0.2]
    store.close()


def test_what_was_acknowledged_survives_a_kill(tables: Path) -> None:
    script = """
store = open_store("chdb", path)
for number in range(1000):
    store.append("scores", plain("scores", 50, window_end_ms=range(number * 50, number * 50 + 50)), str(number))
    print(number, flush=True)
"""
    output = run(script, tables, kill_at="20")
    acknowledged = int(output.split()[-1])
    store = open_store("chdb", str(tables))
    stored_ends = store.read(Query("scores"))["window_end_ms"]
    # The append under way at the kill may have been written or not, but never in part.
    assert len(stored_ends) in ((acknowledged + 1) * 50, (acknowledged + 2) * 50)
    for number in range(acknowledged + 2):
        rows = plain("scores", 50, window_end_ms=range(number * 50, number * 50 + 50))
        store.append("scores", rows, str(number))
    stored_ends = store.read(Query("scores"))["window_end_ms"]
    assert stored_ends.tolist() == list(range((acknowledged + 2) * 50))
    store.close()


@pytest.mark.parametrize("path", ["/proc/leeway", "/dev/null/leeway", "/sys/leeway"])
def test_a_directory_that_cannot_be_written_is_refused_by_name(path: str) -> None:
    with pytest.raises(StoreError, match=f"cannot write to the store directory {path}"):
        ChdbStore(path)


def test_a_directory_that_may_only_be_read_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    store = open_store("chdb", str(tmp_path / "store"))
    store.append("scores", plain("scores", 1), "a")
    store.close()
    modified_ns = {file: file.stat().st_mtime_ns for file in (tmp_path / "store").rglob("*")}
    script = """
import sinks.store.chdb
import sinks.store.sessions
if os.geteuid() == 0:  # whom no permission stops
    os.setgid(65534)
    os.setuid(65534)
try:
    open_store("chdb", path)
except StoreError as error:
    print(error.retryable, error)
"""
    (tmp_path / "store").chmod(0o555)
    (tmp_path / "store" / "leeway.lock").chmod(0o444)
    output = run(script, tmp_path / "store")
    (tmp_path / "store").chmod(0o755)
    (tmp_path / "store" / "leeway.lock").chmod(0o644)
    assert output == f"False cannot write to the store directory {tmp_path / 'store'}: Permission denied\n"
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "store").rglob("*")} == modified_ns
    store = open_store("chdb", str(tmp_path / "store"))
    assert len(store.read(Query("scores"))["n"]) == 1
    store.close()


def test_a_part_that_is_damaged_may_be_read_again_once_it_is_repaired(tables: Path) -> None:
    store = ChdbStore(tables)
    store.append("identity", {"id": ["ours"]}, "a")
    for part in store.query("SELECT path FROM system.parts WHERE active AND table = 'identity'")["path"]:
        marks = Path(part) / "data.cmrk4"
        whole = marks.read_bytes()
        marks.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(StoreError, match="run leeway store verify") as damage:
        store.read(Query("identity"))
    assert damage.value.retryable
    store.close()


def test_on_a_full_disk_rows_can_be_read_and_an_append_may_be_tried_again(tables: Path) -> None:
    store = open_store("chdb", str(tables))
    store.append("scores", plain("scores", 1, window_end_ms=1), "a")
    store.close()
    store = open_store("chdb", str(tables), free_bytes=2**60)
    with pytest.raises(StoreError, match="free space") as refusal:
        store.append("scores", plain("scores", 1, window_end_ms=2), "b")
    assert refusal.value.retryable
    assert isinstance(store, ChdbStore)
    with pytest.raises(StoreError, match="free space"):
        store.command("ALTER TABLE scores MODIFY COMMENT 'the engine would empty its definition'")
    # What a move off this store and a deletion that failed end with.
    for statement in ("SYSTEM STOP TTL MERGES", "SYSTEM START TTL MERGES", "KILL MUTATION WHERE NOT is_done"):
        store.command(statement)
    assert store.read(Query("scores"))["window_end_ms"].tolist() == [1]
    store.close()
    store = open_store("chdb", str(tables))
    store.append("scores", plain("scores", 1, window_end_ms=2), "b")
    assert store.read(Query("scores"))["window_end_ms"].tolist() == [1, 2]
    store.close()


def test_a_store_on_a_full_disk_is_refused_and_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StoreError, match=f"cannot write to the store directory {tmp_path}: No space left") as refusal:
        open_store("chdb", str(tmp_path))
    assert refusal.value.retryable
    monkeypatch.undo()
    open_store("chdb", str(tmp_path)).close()


def test_an_append_that_fails_at_its_end_is_not_acknowledged(chdb: ChdbStore) -> None:
    with chdb._writers.session() as session:
        session.query("ALTER TABLE scores MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 0")
        session.query("SYSTEM STOP MERGES scores")
    chdb.append("scores", plain("scores", 1, window_end_ms=1), "a")
    with pytest.raises(StoreError, match="TOO_MANY_PARTS") as refusal:
        chdb.append("scores", plain("scores", 1, window_end_ms=2), "b")
    assert refusal.value.retryable
    with chdb._writers.session() as session:
        session.query("ALTER TABLE scores MODIFY SETTING parts_to_throw_insert = 3000")
    chdb.append("scores", plain("scores", 1, window_end_ms=2), "b")
    assert chdb.read(Query("scores"))["window_end_ms"].tolist() == [1, 2]


def test_an_append_that_finds_no_room_on_its_way_may_be_tried_again(tables: Path) -> None:
    script = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = open_store("chdb", path)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
try:
    store.append("checkpoints", plain("checkpoints", 1, state=bytes(1_000_000)), "a")
except StoreError as error:
    print(error.retryable, error)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
store.append("checkpoints", plain("checkpoints", 1, state=b"now"), "a")
print(store.read(Query("checkpoints"))["state"])
store.close()
"""
    output = run(script, tables).splitlines()
    assert output[0].startswith("True no room for 1000")
    assert output[1] == "[b'now']"


FULL = """
import sinks.store.chdb
import sinks.store.sessions
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
@contextmanager
def full_disk(bytes_left):
    # Nobody else's disk has to be filled: files may not grow, and the system says that there is no room.
    look, limits = os.statvfs, resource.getrlimit(resource.RLIMIT_FSIZE)
    os.statvfs = lambda path: SimpleNamespace(f_bavail=0, f_frsize=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        os.statvfs = look
def ends():
    return store.read(Query("scores"))["window_end_ms"].tolist()
store = open_store("chdb", path)
"""


def test_a_merge_that_a_full_disk_cuts_off_loses_no_row(tables: Path) -> None:
    script = """
for number in range(4):
    store.append("scores", plain("scores", 1, window_end_ms=number), str(number))
with store._writers.session() as session, full_disk(1):
    session.query("OPTIMIZE TABLE scores FINAL")
merged = "SELECT name FROM system.parts WHERE table = 'scores' AND rows = 4 AND active = "
print(len(store.query(merged + "1")["name"]), store.mend(), len(store.query(merged + "1")["name"]), ends())
print(store.query("SELECT DISTINCT reason AS r FROM system.detached_parts")["r"], store.mend())
print(store.query("SELECT value AS v FROM system.merge_tree_settings WHERE name = 'old_parts_lifetime'")["v"])
store.append("scores", plain("scores", 1, window_end_ms=4), "4")
print(ends(), store.query("SELECT count() AS n FROM latest")["n"])
store.close()
"""
    lines = [line for line in run(FULL + script, tables).splitlines() if "a full disk has cut off" not in line]
    assert lines == ["1 True 0 [0, 1, 2, 3]", "['broken-on-start'] False", "['480']", "[0, 1, 2, 3, 4] [1]"]


def test_a_wrong_statement_does_not_look_for_parts_that_were_cut_off_and_damage_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[ChdbStore] = []

    def mend(store: ChdbStore) -> bool:
        looks.append(store)
        return False

    monkeypatch.setattr(ChdbStore, "mend", mend)
    store = ChdbStore(tmp_path)
    store.command("CREATE TABLE numbers (n Int64) ENGINE = MergeTree ORDER BY n")
    store.command("INSERT INTO numbers VALUES (1)")
    for sql in ("SELEC 1", "SELECT m FROM numbers", "SELECT 1 FROM number", "SELECT plu(n, 1) FROM numbers"):
        with pytest.raises(StoreError):
            store.query(sql)
    assert not looks
    [part] = store.query("SELECT path FROM system.parts WHERE table = 'numbers' AND active")["path"]
    Path(part, "data.bin").write_bytes(b"")
    with pytest.raises(StoreError, match="while reading from part"):
        store.query("SELECT n FROM numbers")
    assert looks
    store.close()


class Engine:
    """Two tables of one database, each with a part of empty files.

    Attributes
    ----------
    refused : set of str
        Statements that fail.
    on_detach : callable
        Called once.
    """

    def __init__(self, folder: Path) -> None:
        self.refused: set[str] = set()
        self.on_detach: Callable[[], None] = lambda: None
        self.parts = {name: folder / name for name in ("alerts", "scores")}
        for part in self.parts.values():
            part.mkdir()
            (part / "checksums.txt").touch()
        self.set_aside: list[str] = []

    def ask(self, sql: str) -> str:
        verb, name = sql.split(maxsplit=1)[0], sql.rsplit(maxsplit=1)[-1].rpartition(".")[2].strip("`")
        if f"{verb} {name}" in self.refused:
            raise StoreError(f"no {verb} of {name}")
        if verb == "ATTACH" and name in self.parts:
            raise StoreError(f"Table {name} already exists")
        if verb == "DETACH":
            on_detach, self.on_detach = self.on_detach, lambda: None
            on_detach()
            self.set_aside.append(str(self.parts.pop(name)))
        if "system.detached_parts" in sql:
            return "\n".join(json.dumps(["db", path, path]) for path in self.set_aside)
        return "\n".join(json.dumps(["db", name, str(path), "1"]) for name, path in self.parts.items())


def test_a_table_that_the_engine_does_not_give_back_is_named_and_attached_later(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    disk = FullDisk(tmp_path, 0, engine.ask)
    engine.refused = {"ATTACH alerts"}
    assert disk.mend()
    assert len(engine.set_aside) == 2, "the other table is attached anew"
    assert "alerts (no ATTACH of alerts)" in disk.tables_away()
    with pytest.raises(StoreError, match="nothing is written") as refusal, disk.writing():
        pass
    assert refusal.value.retryable
    engine.refused = set()
    assert disk.mend()
    assert disk.tables_away() == ""
    with disk.writing():
        pass
    assert not disk.mend()


def test_a_table_that_cannot_be_detached_keeps_no_other_from_being_mended(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    disk = FullDisk(tmp_path, 0, engine.ask)
    engine.refused = {"DETACH alerts"}
    with pytest.raises(StoreError, match="no DETACH of alerts"):
        disk.mend()
    assert list(engine.parts) == ["alerts"]
    assert disk.tables_away() == "", "it is still there, and attaching it says so"
    engine.refused = set()
    assert disk.mend()
    assert not engine.parts


def test_what_one_write_doubts_another_that_ends_at_the_same_moment_does_not_take_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(tmp_path, 100, Engine(tmp_path).ask)

    def free_before_another_fills_it() -> int:
        monkeypatch.setattr(disk, "free", lambda: 0)
        with pytest.raises(StoreError, match="free space"), disk.writing():
            pass
        return 100

    monkeypatch.setattr(disk, "free", free_before_another_fills_it)
    with pytest.raises(StoreError, match="free space") as refusal, disk.writing() as suffix:
        assert suffix == ""
    assert refusal.value.retryable
    monkeypatch.setattr(disk, "free", lambda: 100)
    with disk.writing() as suffix:
        assert suffix == "-1", "what is written again is no repetition that the engine passes over"


def test_a_write_that_waits_for_tables_to_be_attached_anew_is_acknowledged(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    suffixes: list[str] = []
    threads: list[threading.Thread] = []
    disk = FullDisk(tmp_path, 0, engine.ask)

    def write() -> None:
        with disk.writing() as suffix:
            suffixes.append(suffix)
        suffixes.append("acknowledged")

    def is_waiting(thread: threading.Thread) -> bool:
        return sys._current_frames()[thread.ident or 0].f_code is threading.Condition.wait.__code__

    def begin() -> None:
        threads.append(threading.Thread(target=write))
        threads[0].start()
        until(lambda: is_waiting(threads[0]))

    engine.on_detach = begin
    assert disk.mend()
    threads[0].join()
    assert [bool(suffix) for suffix in suffixes] == [True, True]
    assert suffixes[-1] == "acknowledged"


def tables_not_keeping(store: Store) -> list[str]:
    assert isinstance(store, ChdbStore)
    sql = "SELECT name FROM system.tables WHERE engine_full LIKE '%old_parts_lifetime%' ORDER BY name"
    return list(store.query(sql)["name"])


def test_what_merges_replace_is_kept_again_once_there_is_room(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FullDisk, "__init__", partialmethod(FullDisk.__init__, look_every_s=0.1))
    store = open_store("chdb", str(tables))
    assert isinstance(store, ChdbStore)
    for table in ("identity", "progress"):
        store.append(table, plain(table, 1), "a")
        store.command(f"OPTIMIZE TABLE {table} FINAL")
    with monkeypatch.context() as full:
        carried_out = store.command

        def command(sql: str, parameters: Mapping[str, Any] | None = None) -> None:
            if "RESET" in sql or ("MODIFY" in sql and tables_not_keeping(store)):
                raise StoreError("not enough free space", retryable=True)
            carried_out(sql, parameters)

        full.setattr(store, "command", command)
        with pytest.raises(StoreError, match="free space"):
            drop_outdated(store, ["identity", "progress"])
        assert tables_not_keeping(store) == ["identity"]
    until(lambda: not tables_not_keeping(store))
    store.command("ALTER TABLE scores MODIFY SETTING old_parts_lifetime = 0")  # and the process ends
    store.close()
    store = open_store("chdb", str(tables))
    assert tables_not_keeping(store) == []
    store.close()


def test_an_append_that_a_full_disk_cuts_off_is_refused_and_written_when_it_is_repeated(tables: Path) -> None:
    script = """
lend, filled = sinks.store.chdb._file_of, ExitStack()
@contextmanager
def lend_while_it_fills(data):
    with lend(data) as file:
        filled.enter_context(full_disk(500))
        yield file
def append_cut_off(token, end_ms):
    sinks.store.chdb._file_of = lend_while_it_fills
    try:
        with filled:
            store.append("scores", plain("scores", 1, window_end_ms=end_ms), token)
    except StoreError as error:
        print(error.retryable, "free space" in str(error))
    finally:
        sinks.store.chdb._file_of = lend
# repeated at once
append_cut_off("a", 1)
store.append("scores", plain("scores", 1, window_end_ms=1), "a")
print(ends())
# repeated by a process that was started again
append_cut_off("b", 2)
store.close()
store = open_store("chdb", path)
store.append("scores", plain("scores", 1, window_end_ms=2), "b")
print(ends(), store.query("SELECT max(window_end_ms) AS last FROM latest")["last"].tolist())
store.close()
"""
    lines = [line for line in run(FULL + script, tables).splitlines() if "a full disk has cut off" not in line]
    assert lines == ["True True", "[1]", "True True", "[1, 2] [2]"]


def test_a_large_append_is_one_part_and_its_repetition_none(chdb: ChdbStore) -> None:
    rows = plain("progress", 150_000, partition=range(150_000))
    for _ in range(2):
        chdb.append("progress", rows, "large")
    stored = chdb.query("SELECT count() AS n FROM progress SETTINGS final = 0")["n"]
    parts = chdb.query("SELECT max_block_number AS last FROM system.parts WHERE table = 'progress' AND active")["last"]
    assert (stored, len(parts)) == ([150_000], 1)


def test_an_append_needs_no_file_in_memory(chdb: ChdbStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "it's temporary").mkdir()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "it's temporary"))
    chdb.append("checkpoints", plain("checkpoints", 1, state=bytes(range(256))), "a")
    assert chdb.read(Query("checkpoints"))["state"] == [bytes(range(256))]


def test_nobody_else_may_enter_a_directory_that_the_store_makes(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        ChdbStore(tmp_path / "store").close()
    finally:
        os.umask(umask)
    assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "store" / "leeway.lock").stat().st_mode & 0o777 == 0o600


# --- an engine that does not open


@pytest.mark.timeout(60)
def test_an_engine_that_does_not_load_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setitem(sys.modules, "chdb.session", None)
    # when
    with pytest.raises(StoreError, match="the package chdb, does not load: ModuleNotFoundError: ") as refusal:
        ChdbStore(tmp_path / "store")
    # then
    assert not refusal.value.retryable
    monkeypatch.undo()
    ChdbStore(tmp_path / "store").close()


def test_an_interrupt_while_the_engine_loads_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package says then that its engine is not there."""

    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> Any:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt:
                raise ImportError("chdb-core engine not found") from None

    monkeypatch.setitem(sys.modules, "chdb.session", Interrupted("chdb.session"))
    with pytest.raises(KeyboardInterrupt):
        ChdbStore(tmp_path / "store")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), MemoryError(), ValueError("no")])
def test_whatever_ends_the_opening_gives_the_directory_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    # given
    def fail(path: str) -> Any:
        raise error

    monkeypatch.setattr("chdb.session.Session", fail)
    # when
    with pytest.raises(type(error)):
        ChdbStore(tmp_path / "store")
    # then
    monkeypatch.undo()
    ChdbStore(tmp_path / "store").close()


@pytest.mark.timeout(60)
def test_a_session_that_does_not_end_is_given_back_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    def fail(session: Any) -> None:
        monkeypatch.undo()
        session.close()
        raise OSError("no")

    store = ChdbStore(tmp_path / "store")
    # when
    monkeypatch.setattr(Session, "close", fail)
    with pytest.raises((StoreError, OSError)):
        store.query("SELECT nothing")
    # then
    store.close()
    ChdbStore(tmp_path / "store").close()


@pytest.mark.timeout(60)
def test_whoever_closes_the_store_does_not_wait_for_itself(tmp_path: Path) -> None:
    """As after an interrupt that came between taking a session and using it."""
    store = ChdbStore(tmp_path / "store")
    with store._readers.session():
        store.close()
        with pytest.raises(StoreError, match="is closed"):
            store.query("SELECT 1")
    ChdbStore(tmp_path / "store").close()


@pytest.mark.timeout(60)
def test_a_call_that_does_not_end_keeps_the_directory_and_not_whoever_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    def stay() -> None:
        with store._readers.session():
            begun.set()
            go_on.wait(60)

    monkeypatch.setattr(sinks.store.sessions, "CLOSE_WITHIN_S", 0.0)
    begun, go_on, store = threading.Event(), threading.Event(), ChdbStore(tmp_path / "store")
    staying = threading.Thread(target=stay)
    staying.start()
    assert begun.wait(60)
    # when
    store.close()
    # then
    with pytest.raises(StoreError, match="already has the store"):
        ChdbStore(tmp_path / "store")
    go_on.set()
    staying.join()
    store.close()
    ChdbStore(tmp_path / "store").close()


@pytest.mark.timeout(60)
def test_a_look_for_cut_parts_that_does_not_end_keeps_the_directory_and_not_whoever_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    def stay(parts: PartsOnDisk) -> list[CutPart]:
        with store._menders.session():
            begun.set()
            go_on.wait(60)
        return []

    for module in (sinks.store.sessions, sinks.store.full_disk):
        monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.0)
    monkeypatch.setattr(PartsOnDisk, "cut", stay)
    begun, go_on, store = threading.Event(), threading.Event(), ChdbStore(tmp_path / "store")
    looking = threading.Thread(target=store.mend, name="looking")
    looking.start()
    assert begun.wait(60)
    # when
    with capture_logs() as log:
        closing = threading.Thread(target=store.close)
        closing.start()
        closing.join(30)
        is_closed = not closing.is_alive()
    # then
    go_on.set()
    looking.join()
    closing.join()
    assert is_closed
    assert [line["threads"] for line in log] == [["looking"]]
    store.close()
    ChdbStore(tmp_path / "store").close()


# --- statements


def test_close_waits_for_the_statement_under_way(tables: Path) -> None:
    script = """
import threading
store = open_store("chdb", path)
begun, found = threading.Event(), []
def slow():
    begun.set()
    found.append(store.query("SELECT sum(sleepEachRow(0.01)) AS s FROM numbers(30)")["s"])
thread = threading.Thread(target=slow)
thread.start()
begun.wait()
store.close()
thread.join()
print(found, flush=True)
"""
    # Either the statement came first and ended, or the store was closed before it began: never a crash.
    assert re.search(r"^\[\[0\]\]$|is closed", run(script, tables), re.MULTILINE)


def test_an_append_for_which_a_disk_has_too_little_room_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its rows found room, and what follows from them did not: `scores` held rows that `latest` lacked."""
    # given a disk that these rows fill
    folder = _on_disk_of_its_own(tmp_path)
    store = open_store("chdb", str(folder))
    store.close()
    free_bytes = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - 30 * 2**20
    noise = [base64.b64encode(os.urandom(10 * 2**20)).decode() for _ in range(2)]
    rows = plain("scores", 2, window_end_ms=range(1, 3), detail=noise)
    try:
        store = open_store("chdb", str(folder), free_bytes=free_bytes)
        with pytest.raises(StoreError, match="free space") as refusal:
            store.append("scores", rows, "a")
        assert refusal.value.retryable
        assert held(store) == {"scores": 0, "latest": 0, "touched": 0}
        store.close()
        # then there is room, and it is tried again
        store = open_store("chdb", str(folder))
        store.append("scores", rows, "a")
        assert held(store) == {"scores": 2, "latest": 1, "touched": 1}
    finally:
        store.close()
        shutil.rmtree(folder)


def test_appends_at_the_same_time_do_not_count_on_the_same_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, lend = threading.Event(), threading.Event(), sinks.store.chdb._file_of

    @contextmanager
    def lend_slowly(data: bytes) -> Iterator[str]:
        begun.set()
        go_on.wait(60)
        with lend(data) as path:
            yield path

    # given room for one of them
    folder = _on_disk_of_its_own(tmp_path)
    disk = os.statvfs(folder)
    store = open_store("chdb", str(folder), free_bytes=disk.f_bavail * disk.f_frsize - 80 * 2**20)
    rows = plain("scores", 1, window_end_ms=1, detail=base64.b64encode(os.urandom(10 * 2**20)).decode())
    try:
        monkeypatch.setattr("sinks.store.chdb._file_of", lend_slowly)
        first = threading.Thread(target=store.append, args=("scores", rows, "a"))
        first.start()
        assert begun.wait(120)
        with pytest.raises(StoreError, match="free space"):
            store.append("scores", rows, "b")
        go_on.set()
        first.join()
        # then there is room for what is small
        store.append("scores", plain("scores", 1, window_end_ms=2), "c")
        assert held(store) == {"scores": 2, "latest": 1, "touched": 1}
    finally:
        go_on.set()
        store.close()
        shutil.rmtree(folder)


def _on_disk_of_its_own(tmp_path: Path) -> Path:
    """A folder where nobody else writes megabytes meanwhile, if there is one."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else tmp_path))


def held(store: Store) -> dict[str, int]:
    assert isinstance(store, ChdbStore)
    return {t: int(store.query(f"SELECT count() AS c FROM {t}")["c"][0]) for t in ("scores", "latest", "touched")}


def test_what_an_append_left_out_is_completed_by_its_repetition_or_found_and_repaired(chdb: ChdbStore) -> None:
    # given an hour that is added up, and rows for which what follows from them found no room
    chdb.append("scores", plain("scores", 1, signal="whole", window_end_ms=7_200_001), "whole")
    chdb.refresh(0)
    for table in ("latest", "touched"):
        chdb.command(f"ALTER TABLE {table} MODIFY SETTING min_free_disk_bytes_to_perform_insert = {2**62}")
    for number in range(2):
        with pytest.raises(StoreError, match="free space"):
            chdb.append("scores", plain("scores", 1, signal=f"s{number}", window_end_ms=3_600_001), f"t{number}")
    for table in ("latest", "touched"):
        chdb.command(f"ALTER TABLE {table} RESET SETTING min_free_disk_bytes_to_perform_insert")
    assert held(chdb) == {"scores": 3, "latest": 1, "touched": 1}
    assert lacking(chdb) == {"latest": 2, "touched": 1}
    # when one is repeated
    chdb.append("scores", plain("scores", 1, signal="s0", window_end_ms=3_600_001), "t0")
    assert lacking(chdb) == {"latest": 1}
    # and the other is repaired
    repair(chdb)
    assert lacking(chdb) == {}
    assert chdb.read(Query("latest"))["signal"] == ["s0", "s1", "whole"]


def test_a_repair_leaves_hours_alone_that_lack_no_mark(chdb: ChdbStore) -> None:
    # given two hours that are added up, of which one has lost its mark
    chdb.append("scores", plain("scores", 2, window_end_ms=[3_600_001, 7_200_001]), "a")
    chdb.append("panes", plain("panes", 2, pane_start_ms=[3_600_000, 7_200_000]), "a")
    chdb.refresh(0)
    chdb.command("ALTER TABLE touched DELETE WHERE hour_ms = 3600000 SETTINGS mutations_sync = 1")
    assert lacking(chdb) == {"touched": 2}
    repair(chdb)
    assert lacking(chdb) == {}
    marked = chdb.query("SELECT source, hour_ms FROM touched FINAL WHERE touched_ms > refreshed_ms ORDER BY source")
    assert (marked["source"], marked["hour_ms"].tolist()) == (["panes", "scores"], [3_600_000, 3_600_000])


def lacking(store: ChdbStore) -> dict[str, int]:
    return {table.table: table.lacking for table in verify(store) if not table.is_whole}
