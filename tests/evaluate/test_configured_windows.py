"""From which window on which configuration is evaluated, as a replay of what was decided goes by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.evaluate.evaluate import Evaluation
from monitor.watch import compile_watch
from sinks.store.contract import Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import START_MS, configured, rows


def begin(store: Store, digest: str) -> None:
    """Begin to evaluate one version of the model's configuration."""
    Evaluation(replace(compile_watch(configured(), "loans"), document_digest=digest), store)


def written(store: Store) -> list[tuple[int, str]]:
    return [(row["from_ms"], row["digest"]) for row in rows(store, "configured_windows")]


def test_the_last_of_several_that_begin_before_the_first_window_is_the_one_that_counts() -> None:
    store = MemoryStore()
    store.migrate()
    for digest in ("first", "second", "first", "second", "first"):
        begin(store, digest)
    assert written(store) == [(0, "first")]


def test_what_was_to_begin_later_does_not_begin_once_another_version_does_before() -> None:
    store = MemoryStore()
    store.migrate()
    # given a version of longer windows, the next of which ends later
    later: dict[str, Any] = {"model": ["loans"], "from_ms": [START_MS], "digest": ["of longer windows"]}
    store.append("configured_windows", later, token="later")
    begin(store, "first")
    assert written(store) == [(0, "first"), (START_MS, "first")]
