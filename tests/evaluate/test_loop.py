"""One model's trouble is no other's, and nobody waits for one that has a year to catch up."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import pytest

from monitor.clock import ManualClock, SystemClock
from monitor.config import Configuration
from monitor.evaluate.failing_models import FailingModels, failing_stages
from monitor.evaluate.loop import EvaluateLoop
from monitor.ingest.partitions import Partitions
from monitor.threads import Threads
from monitor.watch import compile_watch
from sinks.store.contract import Columns, Query
from sinks.store.memory import MemoryStore
from tests.monitor.streams import (
    DAY_MS,
    START_MS,
    TOPIC,
    applications,
    as_lines,
    configured,
    outcome,
    replayed_lines,
)


class Poisoned(MemoryStore):
    """What is stored of one model is of no form that is known."""

    poisoned = ""

    def read(self, query: Query) -> Columns:
        if self.poisoned and query.where.get("model") == self.poisoned:
            raise KeyError("cells")
        return super().read(query)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Configuration, MemoryStore]:
    configuration = configured("a")
    models = {name: configured(name).models[name] for name in ("a", "b")}
    configuration = replace(configuration, models=models)
    lines = as_lines(applications(3, days=12, per_day=60))
    store, _ = replayed_lines(tmp_path_factory.mktemp("loop"), lines, configuration)
    assert isinstance(store, MemoryStore)
    return configuration, store


@pytest.fixture
def ingested(replayed: tuple[Configuration, MemoryStore]) -> Poisoned:
    """What a process that ingests has written."""
    store = Poisoned()
    store.migrate()
    for table in ("panes", "progress"):
        store.append(table, replayed[1].read(Query(table)), token=table)
    Partitions(store).know(frozenset({(TOPIC, 0)}))
    return store


def loop_over(replayed: tuple[Configuration, MemoryStore], store: MemoryStore, clock: ManualClock) -> EvaluateLoop:
    watches = {name: compile_watch(replayed[0], name) for name in replayed[0].models}
    return EvaluateLoop(watches, store, clock, 10.0, lambda model, seconds: None)


def test_without_models_nothing_is_asked_for() -> None:
    class Untouched(MemoryStore):
        def read(self, query: Query) -> Columns:
            raise AssertionError(query)

    EvaluateLoop(
        {}, Untouched(), ManualClock(START_MS + 365 * DAY_MS), 10.0, lambda model, seconds: None
    ).evaluate_now()


def test_a_model_that_cannot_be_evaluated_holds_up_no_other_and_misses_nothing(
    replayed: tuple[Configuration, MemoryStore], ingested: Poisoned
) -> None:
    clock = ManualClock(START_MS + 365 * DAY_MS)
    loop = loop_over(replayed, ingested, clock)
    ingested.poisoned = "a"
    for _ in range(3):
        loop.evaluate_now()
    assert outcome(ingested, ["b"])["scores"] == outcome(replayed[1], ["b"])["scores"] != []
    assert loop.failing.errors.keys() == {"a"}
    assert loop.failing.failures["a"] == 1, "it is not tried at each look"
    clock.advance(1.5)
    loop.evaluate_now()
    assert loop.failing.failures["a"] == 2
    ingested.poisoned = ""
    clock.advance(2.5)
    loop.evaluate_now()
    assert loop.failing.errors == {}
    assert outcome(ingested, ["a"])["scores"] == outcome(replayed[1], ["a"])["scores"] != []


def test_a_failure_of_a_model_is_counted_before_anybody_sees_it() -> None:
    seen: list[dict[str, Exception]] = []

    class Noting(Counter[str]):
        def __setitem__(self, model: str, count: int) -> None:
            seen.append(dict(failing.errors))
            super().__setitem__(model, count)

    failing = FailingModels(ManualClock(), ["a"])
    failing.failures = Noting()
    failing.note("a", KeyError("cells"))
    assert seen == [{}]
    assert failing.failures == {"a": 1}


def test_whoever_asks_what_fails_is_answered_although_another_model_fails_meanwhile() -> None:
    class Busy(FailingModels):
        @staticmethod
        def stage_of(model: str) -> str:
            failing.note("b", KeyError("cells"))
            return FailingModels.stage_of(model)

    failing = Busy(ManualClock(), ["a", "b"])
    failing.note("a", KeyError("cells"))
    assert failing_stages(Threads(SystemClock()), failing).keys() == {"evaluate/a"}
    assert failing.errors.keys() == {"a", "b"}


def test_a_turn_ends_when_it_is_asked_to_and_the_next_one_goes_on(
    replayed: tuple[Configuration, MemoryStore], ingested: Poisoned
) -> None:
    loop, stop = loop_over(replayed, ingested, ManualClock(START_MS + 365 * DAY_MS)), threading.Event()
    stop.set()
    loop.evaluate_now(stop.is_set)
    counts = [loop.windows[name] for name in ("a", "b")]
    assert 0 < counts[0] == counts[1] < 48, "each has its turn"
    notes = loop.waiting.catching_up.notes()
    assert [note.split(":")[0] for note in notes] == ["a", "b"]
    assert "catch up with events up to 2024-01-1" in notes[0]
    loop.evaluate_now()
    assert loop.waiting.catching_up.notes() == []
    for name in ("a", "b"):
        assert outcome(ingested, [name])["scores"] == outcome(replayed[1], [name])["scores"]
