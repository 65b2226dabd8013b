"""What a backup holds comes back row for row, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.build import build_store
from monitor.clock import ManualClock
from sinks.store import backup as module
from sinks.store.backup import BACKED_UP, backup, contents, restore
from sinks.store.chdb import ChdbStore
from sinks.store.contract import TABLES, Query, Store, StoreError
from sinks.store.memory import MemoryStore
from tests.faults.test_kill import StoppingStore
from tests.monitor.streams import configured, outcome, replayed, troubled, written
from tests.sinks.store.conftest import emptied
from tests.sinks.store.samples import awkward, exact, plain


def everything(store: Store) -> dict[str, Any]:
    return {name: exact(table, store.read(Query(name))) for name, table in TABLES.items() if name in BACKED_UP}


@pytest.fixture(scope="module")
def full() -> MemoryStore:
    """A store in which every table has rows, ordinary and awkward ones."""
    store = MemoryStore()
    for name, table in TABLES.items():
        store.append(name, awkward(table), token="awkward")
        store.append(name, plain(name, 50, **_key(name, 50)), token="plain")
    return store


def _key(name: str, count: int) -> dict[str, Any]:
    table = TABLES[name]
    counter = next((n for n in reversed(table.key) if table.column(n).kind == "int"), None)
    return {table.key[-1]: [f"r{row}" for row in range(count)]} if counter is None else {counter: range(count)}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"panes": 20, "checkpoints": 30}
    tables = {name: replace(table, page_rows=small.get(name, 50)) for name, table in TABLES.items()}
    monkeypatch.setattr(module, "TABLES", tables)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    opened = ChdbStore(tmp_path_factory.mktemp("backup") / "store")
    opened.migrate()
    yield opened
    opened.close()


@pytest.mark.usefixtures("small_pages")
def test_a_backup_of_a_store_in_memory_comes_back_in_an_embedded_one_and_the_other_way_round(
    full: MemoryStore, embedded: ChdbStore, tmp_path: Path
) -> None:
    written_rows: list[tuple[str, int]] = []
    done = backup(full, tmp_path / "first", on_table=lambda table, rows: written_rows.append((table, rows)))
    assert contents(tmp_path / "first") == done
    assert {table.table for table in done} == set(BACKED_UP)
    assert all((table.table, table.rows) in written_rows for table in done)
    restore(embedded, tmp_path / "first")
    assert everything(embedded) == everything(full)
    backup(embedded, tmp_path / "second")
    again = MemoryStore()
    restore(again, tmp_path / "second")
    assert everything(again) == everything(full)


def test_a_replay_goes_on_from_a_restored_backup_to_the_rows_of_an_unbroken_one(tmp_path: Path) -> None:
    # given a replay that was cut off, and a backup of what it left
    paths = written(tmp_path / "events", [troubled(31, days=8)])
    unbroken, _ = replayed(configured(), paths)
    half = StoppingStore(60)
    with pytest.raises(InterruptedError):
        replayed(configured(), paths, half, batch=150, checkpoint_every=150)
    assert len(half.read(Query("checkpoints"))["name"]) == 2
    backup(half, tmp_path / "kept")
    # when it goes on from there, with everything else lost
    restored = MemoryStore()
    restore(restored, tmp_path / "kept")
    assert everything(restored) == everything(half)
    _, done = replayed(configured(), paths, restored)
    # then only the rest was read, and the rows are those of an unbroken replay
    assert 0 < done.counters.records < whole_records(paths)
    assert outcome(restored) == outcome(unbroken)


def whole_records(paths: list[Path]) -> int:
    return sum(len(path.read_bytes().splitlines()) for path in paths)


def test_a_store_with_rows_is_not_restored_into(full: MemoryStore, tmp_path: Path) -> None:
    backup(full, tmp_path / "kept")
    other = MemoryStore()
    other.append("progress", plain("progress", 1), token="one")
    with pytest.raises(StoreError, match="without rows can be filled; progress has some"):
        restore(other, tmp_path / "kept")
    assert len(other.read(Query("panes"))["n"]) == 0


@pytest.mark.usefixtures("small_pages")
def test_a_restore_that_was_cut_off_goes_on_where_it_was(
    full: MemoryStore, embedded: ChdbStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied(embedded)
    backup(full, tmp_path / "kept")
    backup(MemoryStore(), tmp_path / "other")
    append, tables = embedded.append, list[str]()

    def cut(table: str, columns: Any, token: str) -> None:
        if len(tables) == 30:
            raise StoreError("no room", retryable=True)
        tables.append(table)
        append(table, columns, token)

    def noted(table: str, columns: Any, token: str) -> None:
        tables.append(table)
        append(table, columns, token)

    monkeypatch.setattr(embedded, "append", cut)
    with pytest.raises(StoreError, match="no room"):
        restore(embedded, tmp_path / "kept")
    # then neither another backup nor a service takes the part for the whole
    with pytest.raises(StoreError, match="it holds a part of another, from backup"):
        restore(embedded, tmp_path / "other")
    with pytest.raises(StoreError, match="complete it, with the same `leeway store move`"):
        build_store(configured(), ManualClock(), ["evaluate"], embedded)
    # and the same restore goes on
    assert "checkpoints" in tables
    tables.clear()
    monkeypatch.setattr(embedded, "append", noted)
    restore(embedded, tmp_path / "kept")
    assert "checkpoints" not in tables, "what was there is written again"
    assert everything(embedded) == everything(full)
    build_store(configured(), ManualClock(), ["alert"], embedded)


def test_a_folder_that_exists_is_left_alone(full: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(StoreError, match="exists"):
        backup(full, tmp_path / "kept")
    (tmp_path / "other.partial").mkdir()
    with pytest.raises(StoreError, match="cut off"):
        backup(full, tmp_path / "other")


def test_what_cannot_be_written_is_no_backup(full: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        backup(full, tmp_path / "file" / "kept")


def _cut(folder: Path) -> None:
    path = folder / "scores.parquet"
    path.write_bytes(path.read_bytes()[:-1])


def _lose(folder: Path) -> None:
    (folder / "panes.parquet").unlink()


def _rename(folder: Path) -> None:
    document = json.loads((folder / "manifest.json").read_text())
    document["tables"][0]["columns"] += " more:int"
    (folder / "manifest.json").write_text(json.dumps(document))


def _newer(folder: Path) -> None:
    document = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(document | {"format": 2}))


def _unlist(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_cut, "scores.parquet is not the file"),
        (_lose, "not a whole backup"),
        (_rename, "other columns"),
        (_newer, "format 2"),
        (_unlist, "not a whole backup"),
    ],
)
def test_a_damaged_backup_is_refused_before_anything_is_written(
    damage: Any, words: str, full: MemoryStore, tmp_path: Path
) -> None:
    backup(full, tmp_path / "kept")
    damage(tmp_path / "kept")
    store = MemoryStore()
    with pytest.raises(StoreError, match=words):
        restore(store, tmp_path / "kept")
    assert everything(store) == everything(MemoryStore())
