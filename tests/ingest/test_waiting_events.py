"""Events that wait for witnesses: what is said of a checkpoint that they hold back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from monitor.clock import ManualClock
from monitor.config import load
from monitor.events import Gap, Partition, Records
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.messages import OFFSETS_LOST
from monitor.sources.contract import Resume, Source
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop

SCORES = ("scores", 0)


class Log(Source):
    """A partition in memory, of which more may come."""

    guarantee = "once from the checkpoint on"
    bounded = False

    def __init__(self, messages: list[bytes]) -> None:
        self.messages = messages
        self.gaps = []
        self.begins = 0
        """Before that everything is gone."""
        self._next = 0

    def open(self, resume: Resume) -> None:
        position = resume(*SCORES) or 0
        self._next = max(position, self.begins)
        if position < self.begins:
            self.gaps.append((*SCORES, position, self.begins))

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        first, payloads = self._next, self.messages[self._next : self._next + max_records]
        if not payloads:
            return []
        self._next += len(payloads)
        times = np.array([json.loads(payload)["ts"] for payload in payloads])
        return [Records(*SCORES, np.arange(first, self._next), times, payloads)]

    def partitions(self) -> frozenset[Partition]:
        return frozenset([SCORES])

    assigned = partitions

    def at_end(self) -> frozenset[Partition]:
        return self.partitions() if self._next == len(self.messages) else frozenset()

    def ends(self) -> dict[Partition, int]:
        return {SCORES: len(self.messages)}

    def close(self) -> None:
        pass


def events(model: str, count: int, from_s: int = 0) -> list[bytes]:
    """A hundred events of a model each second, from so long after the beginning on."""
    times = shop.START_MS + 1_000 * from_s + 10 * np.arange(count)
    return [
        json.dumps({"id": f"{model}-{at_ms}", "model": model, "ts": at_ms, "amount": 1}).encode()
        for at_ms in times.tolist()
    ]


def models(folder: Path) -> list[Watch]:
    names = ("busy", "rare")
    documents = [shop.model(name, {"kafka": "scores", "where": {"model": name}}) for name in names]
    configuration = load(shop.configured(folder, *documents, models=[f"models/{name}.yaml" for name in names]))
    return [compile_watch(configuration, name) for name in names]


def saved(ingest: Ingest, log: Log) -> int:
    """Read what is there and write a checkpoint; where it says to go on."""
    while ingest.step(1_000, 0):
        pass
    return ingest.save()[SCORES]


def test_a_checkpoint_that_waiting_events_hold_back_gets_old_and_lags(tmp_path: Path) -> None:
    # given an event that waits for witnesses of its model, and traffic of another
    store = MemoryStore()
    store.migrate()
    log, clock = Log([*events("rare", 1), *events("busy", 500)]), ManualClock(now_ms=shop.START_MS)
    ingest = Ingest(Readers(models(tmp_path)), store, log, clock=clock)
    ingest.open()
    clock.advance(60)
    assert saved(ingest, log) == 0
    # then the checkpoint is current as long as no more lies behind it than may wait
    assert ingest.positions.checkpoint_ages_s() == {SCORES: 0}
    # when much more comes
    log.messages += events("busy", 9_000, from_s=5)
    clock.advance(360)
    assert saved(ingest, log) == 0
    # then it is as old as it is, and lags by the time of the event that waits
    assert ingest.positions.checkpoint_ages_s() == {SCORES: 360}
    lag = next(lag for lag in ingest.positions.lags(log.ends()) if lag.at == "checkpoint")
    assert (lag.records, lag.seconds) == (9_501, 420)
    # when the event's witnesses have come
    log.messages += events("rare", 3, from_s=1)
    assert saved(ingest, log) == len(log.messages)
    # then the checkpoint is current again
    assert ingest.positions.checkpoint_ages_s() == {SCORES: 0}
    lag = next(lag for lag in ingest.positions.lags(log.ends()) if lag.at == "checkpoint")
    assert (lag.records, lag.seconds) == (0, 0)


@pytest.mark.parametrize(
    ("begins", "lost", "lacking"),
    [
        (300, [(*SCORES, 0, 2)], {"rare": (0, 2)}),
        (1, [(*SCORES, 0, 1)], {"rare": (0, 1)}),
        (700, [(*SCORES, 0, 700)], {"busy": (502, 700), "rare": (0, 700)}),
        (0, [], {}),
    ],
    ids=["what was read", "one of two that wait", "what nobody has read, too", "nothing"],
)
def test_what_was_read_behind_an_event_that_waits_is_lacking_to_nobody(
    tmp_path: Path, begins: int, lost: list[Gap], lacking: dict[str, tuple[int, int]]
) -> None:
    # given two events that wait, and traffic of another model behind them, which a checkpoint says to read again
    store = MemoryStore()
    store.migrate()
    log = Log([*events("rare", 2), *events("busy", 500)])
    watches = models(tmp_path)
    ingest = Ingest(Readers(watches), store, log)
    ingest.open()
    assert saved(ingest, log) == 0
    panes = rows_of(store.read(Query("panes", {"model": "busy"})))
    # when the log has lost its beginning before a successor reads it
    log.messages += events("busy", 500, from_s=5)
    log.begins = begins
    successor = Ingest(Readers(watches), store, log)
    successor.open()
    saved(successor, log)
    # then only that is lost which nobody has read, and what waited
    assert successor.lost == lost
    gaps = rows_of(store.read(Query("gaps")))
    assert {row["model"]: (row["first_offset"], row["next_offset"]) for row in gaps} == lacking
    letters = rows_of(store.read(Query("dead_letters", {"reason": OFFSETS_LOST})))
    assert [row["offset"] for row in letters] == [gap[2] for gap in lost]
    assert rows_of(store.read(Query("panes", {"model": "busy"})))[: len(panes)] == panes


def test_a_model_that_begins_anew_lacks_nothing_before_it(tmp_path: Path) -> None:
    store = MemoryStore()
    store.migrate()
    log = Log([*events("rare", 1), *events("busy", 500)])
    rare, busy = sorted(models(tmp_path), key=lambda watch: watch.name, reverse=True)
    ingest = Ingest(Readers([rare, busy]), store, log)
    ingest.open()
    assert saved(ingest, log) == 0
    # when a configuration comes into force behind what was read of it, and another model is new
    documents = [
        shop.model(name, {"kafka": "scores", "where": {"model": of}, "allowed_lateness": "7s"})
        for name, of in (("busy", "busy"), ("new", "rare"))
    ]
    files = ["models/busy.yaml", "models/new.yaml"]
    configuration = load(shop.configured(tmp_path / "changed", *documents, models=files))
    changed = [compile_watch(configuration, name) for name in ("busy", "new")]
    ingest.read_as(Readers([rare, *changed]), is_saved=True)
    ingest.forget()
    log.begins = 300
    ingest.open()
    while ingest.step(1_000, 0):
        pass
    # then it lacks nothing of what is gone before that
    gaps = rows_of(store.read(Query("gaps")))
    spans = {row["model"]: (row["first_offset"], row["next_offset"]) for row in gaps}
    assert spans == {"rare": (0, 1), "new": (0, 300)}
