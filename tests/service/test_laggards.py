"""Which processes do not go by the last version of a model, and of which nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from monitor.clock import ManualClock
from monitor.configurations.taken import Taken, laggards
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore

AT_MS = 10_000_000


@dataclass
class Going:
    """By a version of the model `m`."""

    version: int

    @property
    def stated(self) -> dict[str, tuple[int, str]]:
        return {"m": (self.version, "")}


def state(taken: Taken, version: int) -> None:
    going: Any = Going(version)
    taken.state(going)


def test_a_process_that_is_stuck_lags_behind_until_it_is_taken_for_gone_or_was_stopped(store: MemoryStore) -> None:
    clock = ManualClock(now_ms=AT_MS)
    ahead, stuck, stopped = (Taken(store, clock, instance) for instance in ("ahead", "stuck", "stopped"))
    for each in (ahead, stuck, stopped):
        state(each, 1)
    stopped.stop()
    silences: list[str] = []
    for _ in range(11):
        clock.advance(60)
        state(ahead, 2)
        silences.append("".join(f"{each.instance}: {each.why}" for each in laggards(store, clock.now_ms(), "m", 2)))
    assert silences[0].startswith("stuck: it has said nothing for 60 s")
    assert silences[8].startswith("stuck: it has said nothing for 540 s")
    assert silences[-1] == ""


def test_a_process_says_all_of_it_again_each_day_since_rows_go_after_a_month(store: MemoryStore) -> None:
    clock = ManualClock(now_ms=AT_MS)
    taken = Taken(store, clock, "a")
    for _ in range(25):
        state(taken, 1)
        clock.advance(3_600)
    stated = store.read(Query("configurations_taken", {"model": "m"}))
    assert stated["at_ms"].tolist() == [AT_MS + 86_400_000]


def test_a_model_that_goes_when_all_is_said_again_is_said_to_be_gone(store: MemoryStore) -> None:
    clock = ManualClock(now_ms=AT_MS)
    taken = Taken(store, clock, "a")
    state(taken, 1)
    clock.advance(86_400)
    nothing: Any = SimpleNamespace(stated={})
    taken.state(nothing)
    assert store.read(Query("configurations_taken", {"model": "m"}))["version"].tolist() == [0]


def test_a_clock_that_was_set_back_holds_back_nothing_that_a_process_states(store: MemoryStore) -> None:
    state(Taken(store, ManualClock(now_ms=AT_MS), "a"), 1)
    # given that it is started again an hour earlier
    clock = ManualClock(now_ms=AT_MS - 3_600_000)
    state(Taken(store, clock, "a"), 2)
    assert laggards(store, clock.now_ms(), "m", 2) == []
