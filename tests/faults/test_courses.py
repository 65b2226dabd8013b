"""What changes of configurations leave behind in `epochs` is enough to write the rows of panes again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.configurations.log import Change, ConfigurationLog
from monitor.ingest.readers import Readers
from monitor.replay import Replay, assign_files, courses, replay_course
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.faults.killing import SPEC
from tests.faults.test_epochs import BOTH, OLD, Worker
from tests.monitor.streams import SPEC as USUAL
from tests.monitor.streams import TOPIC, configured, rows, troubled, written

MOVED_TO = "loans-eu"


@pytest.fixture
def log(tmp_path: Path) -> list[Path]:
    return written(tmp_path, [troubled(3, days=3, per_day=200)])


def again(store: MemoryStore, configuration: Configuration, files: dict[str, list[Path]]) -> MemoryStore:
    """As `leeway replay --decisions` does it."""
    changed = courses(store, configuration, ManualClock(now_ms=0))
    replayed = MemoryStore()
    replayed.migrate()
    of_others = {name: model for name, model in configuration.models.items() if name not in changed}
    if of_others:
        Replay(replace(configuration, models=of_others), replayed, FileSource(files)).run()
    for course in changed.values():
        replay_course(course, replayed, lambda: FileSource(files))
    return replayed


def panes(store: MemoryStore) -> set[str]:
    return {repr(row) for row in rows(store, "panes")}


def test_a_model_that_comes_to_a_topic_which_another_one_reads_is_replayed_from_where_it_came(log: list[Path]) -> None:
    store = MemoryStore()
    Worker(store, log, OLD).take().read(300).save()
    both = Worker(store, log, BOTH).take().read(1_000)
    both.ingest.finish()
    both.die()
    assert len(set(store.read(Query("epochs"))["from_offset"].tolist())) == 2
    assert panes(again(store, BOTH, {TOPIC: log})) == panes(store)


def test_a_model_that_goes_over_to_another_topic_is_replayed_from_both(log: list[Path], tmp_path: Path) -> None:
    document: dict[str, Any] = {
        "apiVersion": "leeway/v1",
        "kind": "Model",
        "metadata": {"name": "loans"},
        "spec": {**USUAL, **SPEC},
    }
    store = MemoryStore()
    ConfigurationLog(store, ManualClock(now_ms=1)).put(Change("loans", json.dumps(document)))
    worker = Worker(store, log, OLD).take().read(300)
    worker.ingest.save()
    moved = configured(**{**SPEC, "sources": [{**USUAL["sources"][0], "kafka": MOVED_TO}]})
    elsewhere = written(tmp_path / "eu", [troubled(4, days=3, per_day=200)])
    files = FileSource({MOVED_TO: elsewhere})
    worker.die()
    worker.ingest.read_as(Readers([compile_watch(moved, "loans")]), files, is_saved=True)
    worker.ingest.forget()
    worker.ingest.open()
    worker.read(1_000)
    worker.ingest.finish()
    files.close()
    epochs = {(row["topic"], row["from_offset"], bool(row["config"])) for row in rows(store, "epochs")}
    assert epochs == {(TOPIC, 0, True), (TOPIC, 300, False), (MOVED_TO, 0, True)}
    [course] = courses(store, moved, ManualClock(now_ms=2)).values()
    named = assign_files(moved, [f"{TOPIC}={log[0]}", f"{MOVED_TO}={elsewhere[0]}"], course.topics)
    assert panes(again(store, moved, named)) == panes(store)
