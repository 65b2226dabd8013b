"""Events that wait for witnesses: what is said of a checkpoint that they hold back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from monitor.clock import ManualClock
from monitor.config import load
from monitor.events import Partition, Records
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.sources.contract import Resume, Source
from monitor.watch import Watch, compile_watch
from sinks.store.memory import MemoryStore
from tests.service import shop

SCORES = ("scores", 0)


class Log(Source):
    """A partition in memory, of which more may come."""

    guarantee = "once from the checkpoint on"
    bounded = False

    def __init__(self, messages: list[bytes]) -> None:
        self.messages = messages
        self.gaps = []
        self._next = 0

    def open(self, resume: Resume) -> None:
        self._next = resume(*SCORES) or 0

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
