"""A worker that stalls, is thought dead, and wakes up when another one has its partition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.evaluate.horizon import standing
from monitor.events import Partition
from monitor.ingest.ingest import Ingest
from monitor.ingest.partitions import Partitions
from monitor.ingest.readers import Readers
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store import open_store
from sinks.store.contract import Query, Store
from tests.faults.killing import SPEC
from tests.monitor.streams import TOPIC, configured, rows, troubled, written

PARTITION = (TOPIC, 0)
TABLES = ("panes", "findings", "dead_letters", "progress", "partitions", "checkpoints")


@pytest.fixture(params=["memory", "chdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    opened = open_store(request.param, **({"path": str(tmp_path / "store")} if request.param == "chdb" else {}))
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def log(tmp_path: Path) -> list[Path]:
    return written(tmp_path, [troubled(3, days=4, per_day=200)])


def worker(
    store: Store, log: list[Path], begin: Callable[[Partition, int], None] = lambda partition, position: None
) -> Ingest:
    """A worker that has just been given the partition."""
    configuration = configured(**SPEC)
    ingest = Ingest(Readers([compile_watch(configuration, "loans")]), store, FileSource({TOPIC: log}))
    ingest.open(begin)
    return ingest


def read(ingest: Ingest, records: int, batch: int) -> None:
    for _ in range(0, records, batch):
        ingest.step(batch, timeout_s=0.0)


def everything(store: Store) -> dict[str, list[str]]:
    return {table: [repr(row) for row in rows(store, table)] for table in TABLES}


def position(store: Store) -> int:
    return int(store.read(Query("checkpoints", {"stage": "ingest"}))["position"][0])


def test_what_it_still_writes_changes_nothing(store: Store, log: list[Path]) -> None:
    # given a worker that stalls with messages in hand and no checkpoint for a while
    stalled = worker(store, log)
    read(stalled, 200, batch=50)
    stalled.save()
    read(stalled, 100, batch=100)
    # and another one that goes on at the checkpoint and gets further
    owner = worker(store, log)
    read(owner, 500, batch=70)
    owner.save()
    before = everything(store)
    # when the first one wakes up: it writes the rows of what it holds, and a checkpoint
    read(stalled, 60, batch=60)
    stalled.save()
    # then every row is as it was
    assert everything(store) == before
    stalled.source.close()
    owner.source.close()


def test_a_late_checkpoint_of_an_older_place_loses_and_one_of_a_later_place_serves(
    store: Store, log: list[Path]
) -> None:
    behind, ahead, owner = worker(store, log), worker(store, log), worker(store, log)
    read(behind, 100, batch=50)
    read(ahead, 700, batch=100)
    read(owner, 400, batch=80)
    owner.save()
    at_owner = position(store)
    behind.save()
    assert position(store) == at_owner
    # what the other one has read further is read, and its rows are there: whoever comes next goes on from it
    ahead.save()
    assert position(store) > at_owner
    read(owner, 80, batch=80)
    owner.save()
    successor = worker(store, log)
    assert successor.positions.begun[PARTITION] == position(store)
    read(successor, 200, batch=33)
    whole = open_store("memory")
    unbroken = worker(whole, log)
    read(unbroken, successor.positions.begun[PARTITION], batch=1_000)
    found, expected = everything(store), everything(whole)
    for table in ("panes", "findings"):
        assert found[table] == expected[table]
    for ingest in (behind, ahead, owner, successor, unbroken):
        ingest.source.close()


def test_it_cannot_say_that_a_partition_is_silent_which_others_read_on(store: Store) -> None:
    stalled, owner = Partitions(store), Partitions(store)
    stalled.know(frozenset({PARTITION}))
    stalled.say({PARTITION: 70}, silent=set())
    owner.say({PARTITION: 50}, silent=set())
    owner.wake(PARTITION, 90)
    stalled.say({PARTITION: 70}, silent={PARTITION})
    assert standing(store) == {PARTITION: False}


def test_it_cannot_wake_a_partition_that_is_silent(store: Store) -> None:
    stalled, owner = Partitions(store), Partitions(store)
    owner.wake(PARTITION, 90)
    owner.say({PARTITION: 90}, silent={PARTITION})
    stalled.wake(PARTITION, 80)
    assert standing(store) == {PARTITION: True}


def test_a_partition_that_was_silent_when_nobody_read_it_any_more_counts_again_before_it_is_read(
    store: Store, log: list[Path]
) -> None:
    killed = worker(store, log)
    read(killed, 200, batch=50)
    killed.save()
    Partitions(store).say({PARTITION: position(store)}, silent={PARTITION})
    assert standing(store) == {PARTITION: True}
    successor = worker(store, log, begin=Partitions(store).begin)
    assert standing(store) == {PARTITION: False}
    killed.source.close()
    successor.source.close()


def test_a_partition_falls_silent_and_wakes_up_as_often_as_it_likes(store: Store) -> None:
    said = Partitions(store)
    for _ in range(3):
        said.say({PARTITION: 5}, silent={PARTITION})
        assert standing(store) == {PARTITION: True}
        said.leave({PARTITION: 5})
        assert standing(store) == {PARTITION: False}
