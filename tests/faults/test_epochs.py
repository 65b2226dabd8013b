"""A configuration that changes between two messages: rows depend on no crash, nor on who still has the old one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.configurations.log import Change, ConfigurationLog
from monitor.errors import CheckpointError, SourceError
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.faults.killing import SPEC
from tests.monitor.streams import TOPIC, configured, detecting, rows, troubled, written

OLD = configured(**SPEC)
NEW = configured(**{**SPEC, "detect": detecting(pane="2h", defaults=SPEC["detect"]["defaults"])})
TABLES = ("panes", "findings", "progress", "epochs")


@pytest.fixture
def log(tmp_path: Path) -> list[Path]:
    return written(tmp_path, [troubled(3, days=4, per_day=200)])


class Worker:
    """A process of one configuration; it has the partition from :meth:`take` on."""

    def __init__(self, store: MemoryStore, log: list[Path], configuration: Configuration, **readers: Any) -> None:
        self.source = FileSource({TOPIC: log})
        self.watches = {name: compile_watch(configuration, name) for name in configuration.models}
        self.ingest = Ingest(Readers(self.watches.values(), **readers), store, self.source)

    def take(self) -> Worker:
        self.ingest.open()
        return self

    def read(self, records: int, batch: int = 50) -> Worker:
        for _ in range(0, records, batch):
            self.ingest.step(batch, timeout_s=0.0)
        return self

    def save(self) -> None:
        self.ingest.save()
        self.die()

    def die(self) -> None:
        self.source.close()


def everything(store: MemoryStore) -> dict[str, list[str]]:
    return {table: [repr(row) for row in rows(store, table)] for table in TABLES}


def epochs(store: MemoryStore) -> list[tuple[int, str]]:
    found = store.read(Query("epochs", order=("number",)))
    return list(zip(found["from_offset"].tolist(), found["config"], strict=True))


def hash_of(configuration: Configuration) -> str:
    return compile_watch(configuration, "loans").fold_hash


def changed(log: list[Path]) -> MemoryStore:
    """A store in which the configuration has changed at a checkpoint, and the log is read to its end."""
    store = MemoryStore()
    Worker(store, log, OLD).take().read(300).save()
    Worker(store, log, NEW).take().read(1_000).save()
    return store


def test_a_configuration_is_noted_once_with_the_offset_from_which_it_is_in_force(log: list[Path]) -> None:
    store = MemoryStore()
    for records in (100, 100, 0):
        Worker(store, log, OLD).take().read(records).save()
    assert epochs(store) == [(0, hash_of(OLD))]
    Worker(store, log, NEW).take().read(100).save()
    [_, (offset, config)] = epochs(store)
    assert (150 < offset <= 200, config) == (True, hash_of(NEW))
    saved = store.read(Query("checkpoints", {"stage": "ingest"}))["config"]
    assert saved == [f"loans={hash_of(NEW)}"]


def test_a_crash_behind_the_change_gives_the_rows_of_none(log: list[Path]) -> None:
    store = MemoryStore()
    Worker(store, log, OLD).take().read(300).save()
    for records in (70, 0, 200):
        Worker(store, log, NEW).take().read(records, batch=30).die()
    Worker(store, log, NEW).take().read(1_000, batch=33).save()
    assert everything(store) == everything(changed(log))


def test_a_late_checkpoint_of_the_old_configuration_does_not_move_the_change(log: list[Path]) -> None:
    # given a worker of the old configuration that has read on beyond its checkpoint, and stalls
    store = MemoryStore()
    Worker(store, log, OLD).take().read(300).save()
    stalled = Worker(store, log, OLD).take().read(200)
    # when a new one takes over, and the stalled one writes a checkpoint further on than the new one's
    Worker(store, log, NEW).take().read(60).die()
    stalled.save()
    # then whoever comes next goes on where the new configuration came into force
    with capture_logs() as said:
        Worker(store, log, NEW).take().read(1_000, batch=60).save()
    [warning] = [entry for entry in said if entry["log_level"] == "warning"]
    assert warning["checkpoint_offset"] > warning["from_offset"]
    found, expected = everything(store), everything(changed(log))
    assert found["epochs"] == expected["epochs"]
    assert found["progress"] == expected["progress"]
    # what the stalled one had written under the old one stands beside, as panes of the old length
    new = [row for row in found["panes"] if "'pane_ms': 7200000" in row]
    assert new == [row for row in expected["panes"] if "'pane_ms': 7200000" in row]


def test_a_replay_from_before_the_change_says_so_and_begins_at_the_change(log: list[Path]) -> None:
    store = MemoryStore()
    Worker(store, log, OLD).take().read(100).save()
    early = store.read(Query("checkpoints", {"stage": "ingest"}))
    Worker(store, log, OLD).take().read(200).save()
    Worker(store, log, NEW).take().read(1_000).save()
    after = everything(store)
    # given that newer checkpoints are lost
    bare = MemoryStore()
    for table in ("epochs", "panes", "findings", "progress"):
        bare.append(table, store.read(Query(table)), token=table)
    bare.append("checkpoints", early, token="early")
    with capture_logs() as said:
        Worker(bare, log, NEW).take().read(1_000).save()
    [warning] = [entry for entry in said if entry["log_level"] == "warning"]
    assert warning["checkpoint_offset"] < warning["from_offset"]
    assert everything(bare) == after


def test_a_process_of_an_older_configuration_is_refused_once_a_newer_one_has_had_the_partition(
    log: list[Path],
) -> None:
    store = MemoryStore()
    Worker(store, log, OLD).take().read(100).save()
    old, new = Worker(store, log, OLD), Worker(store, log, NEW)
    new.take().read(100).save()
    with pytest.raises(CheckpointError, match=r"loans/0 has been read under another configuration of model 'loans'"):
        old.take()
    old.die()
    # started again it means to go back
    Worker(store, log, OLD).take().read(100).save()
    assert [config for _, config in epochs(store)] == [hash_of(OLD), hash_of(NEW), hash_of(OLD)]


def test_a_configuration_that_is_back_before_any_message_came_begins_anew_as_its_epoch_says(log: list[Path]) -> None:
    store = MemoryStore()
    Worker(store, log, OLD).take().read(300).save()
    Worker(store, log, NEW).take().die()
    Worker(store, log, OLD).take().die()
    # given that it is taken up once more, of the checkpoint of before
    back = Worker(store, log, OLD).take().read(1_000)
    back.save()
    [(_, begun), (offset, config)] = epochs(store)
    assert (begun, config) == (hash_of(OLD), hash_of(OLD))
    # then its rows are those of one that begins there, and knows no more than the epoch's row
    bare = MemoryStore()
    bare.append("epochs", store.read(Query("epochs", low={"from_offset": offset})), token="epochs")
    Worker(bare, log, OLD).take().read(1_000).save()
    assert set(everything(bare)["panes"]) <= set(everything(store)["panes"])


def test_a_model_that_was_taken_out_begins_anew_where_it_comes_back(log: list[Path]) -> None:
    both = Configuration(OLD.service, {**OLD.models, **configured("other", **SPEC).models}, OLD.root)
    store = MemoryStore()
    Worker(store, log, both).take().read(100).save()
    Worker(store, log, OLD).take().read(100).save()
    back = Worker(store, log, both).take().read(100)
    found = store.read(Query("epochs", {"model": "other"}))
    assert [bool(config) for config in found["config"]] == [True, False, True]
    first, out, again = found["from_offset"].tolist()
    assert first == 0 < out < again
    assert rows(store, "checkpoints", stage="ingest")[0]["position"] == again
    back.save()


BOTH = Configuration(OLD.service, {**OLD.models, **configured("other", **SPEC).models}, OLD.root)


def test_a_partition_waits_for_a_model_that_is_not_ready_and_goes_on_with_it(log: list[Path]) -> None:
    store = MemoryStore()
    Worker(store, log, BOTH).take().read(100).save()
    began = epochs(store)
    waiting = Worker(store, log, OLD, unread=["other"])
    with pytest.raises(SourceError, match=r"loans/0 waits for model 'other'") as refused:
        waiting.take()
    waiting.die()
    assert refused.value.retryable
    Worker(store, log, BOTH).take().read(1_000).save()
    assert epochs(store) == began
    of_each = [[{**row, "model": ""} for row in rows(store, "panes", model=name)] for name in BOTH.models]
    assert of_each[0] == of_each[1]


def test_a_model_that_has_never_read_a_partition_holds_it_back_neither_before_nor_when_it_is_gone(
    log: list[Path],
) -> None:
    store = MemoryStore()
    Worker(store, log, OLD, unread=["other"]).take().read(100).save()
    Worker(store, log, BOTH).take().read(100).save()
    Worker(store, log, OLD).take().read(100).save()
    Worker(store, log, OLD, unread=["other"]).take().read(100).save()


def test_a_process_that_has_a_model_as_a_files_waits_for_what_the_api_has_made_of_it(log: list[Path]) -> None:
    store = MemoryStore()
    versions = ConfigurationLog(store, ManualClock())
    lagging = Worker(store, log, OLD, taken_over=versions.is_of_api)
    Worker(store, log, NEW).take().read(100).save()
    with pytest.raises(CheckpointError, match="start this one anew"):
        lagging.take()
    versions.put(Change("loans", "spec: {}", "api"))
    with pytest.raises(SourceError, match="which is not known here yet") as refused:
        lagging.take()
    assert refused.value.retryable
    lagging.die()


def test_a_process_that_lags_behind_overrules_no_newer_version_when_another_model_changes(log: list[Path]) -> None:
    store = MemoryStore()
    lagging = Worker(store, log, BOTH, changing=BOTH.models)
    Worker(store, log, BOTH).take().read(100).save()
    ahead = Configuration(OLD.service, {**BOTH.models, **NEW.models}, OLD.root)
    current = Worker(store, log, ahead, changing=BOTH.models).take().read(100)
    current.save()
    before = epochs(store)
    # given that the lagging one takes up a version of the other model
    other = configured("other", **{**SPEC, "detect": detecting(pane="2h", defaults=SPEC["detect"]["defaults"])})
    watches = {**lagging.watches, "other": compile_watch(other, "other")}
    lagging.ingest.read_as(Readers(watches.values(), changing=BOTH.models))
    with pytest.raises(SourceError, match="newer configuration of model 'loans'"):
        lagging.take()
    lagging.die()
    assert epochs(store) == before
    # and then the newest of this one
    watches["loans"] = compile_watch(NEW, "loans")
    lagging.ingest.read_as(Readers(watches.values(), changing=BOTH.models))
    lagging.take().read(100).save()
    assert [config for _, config in epochs(store)[len(before) :]] == [watches["other"].fold_hash]
