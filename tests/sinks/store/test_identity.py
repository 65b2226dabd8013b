"""A store has a name of its own, which is the same for everybody who opens it, and for nobody else."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import cast

from sinks.store.backup import backup, restore
from sinks.store.contract import Columns, Query, Store
from sinks.store.identity import identity_of
from sinks.store.memory import MemoryStore


def test_all_that_ask_a_store_at_once_get_one_name(store: Store) -> None:
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(identity_of(store))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == [identity_of(store)] * 4


class Interleaved:
    """A store of which a second starter appends its identity just before the first one does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.second_name = ""

    def read(self, query: Query) -> Columns:
        return self._store.read(query)

    def append(self, table: str, columns: Columns, token: str) -> None:
        self.second_name = identity_of(self._store)
        self._store.append(table, columns, token)


def test_two_that_find_no_name_and_append_one_after_the_other_have_the_same(store: Store) -> None:
    interleaved = Interleaved(store)
    assert identity_of(cast(Store, interleaved)) == interleaved.second_name == identity_of(store)


def test_of_several_names_all_take_the_same(store: Store) -> None:
    """As two shards of an earlier version may hold them."""
    for name in ("b", "a", "c"):
        store.append("identity", {"id": [name]}, f"shard {name}")
    assert identity_of(store) == "a"


def test_a_restored_store_is_another_one(tmp_path: Path) -> None:
    original, restored = MemoryStore(), MemoryStore()
    name = identity_of(original)
    backup(original, tmp_path / "backup")
    restore(restored, tmp_path / "backup")
    assert identity_of(restored) != name
