"""A store has a name of its own, which is the same for everybody who opens it, and for nobody else."""

from __future__ import annotations

import threading
from pathlib import Path

from sinks.store.backup import backup, restore
from sinks.store.contract import Store
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


def test_a_restored_store_is_another_one(tmp_path: Path) -> None:
    original, restored = MemoryStore(), MemoryStore()
    name = identity_of(original)
    backup(original, tmp_path / "backup")
    restore(restored, tmp_path / "backup")
    assert identity_of(restored) != name
