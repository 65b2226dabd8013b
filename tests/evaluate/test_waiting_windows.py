"""No window is evaluated before its time by the machine's clock, which may have leapt; rows do not depend on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.clock import DOUBTED_FOR_S, Leaps, ManualClock
from monitor.evaluate.evaluate import Evaluation
from monitor.evaluate.horizon import Horizon
from monitor.evaluate.loop import EvaluateLoop
from monitor.ingest.activity import Activity
from monitor.ingest.ingest import Ingest
from monitor.ingest.partitions import Partitions
from monitor.ingest.readers import Readers
from monitor.ingest.returned_clock import ReturnedClock
from monitor.ingest.set_clocks import read_set_clocks
from monitor.replay import decisions
from monitor.sources.http_log import HttpLog, HttpSource
from monitor.watch import compile_watch
from sinks.store.batch import append
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.monitor.streams import HOUR_MS, START_MS, configured, detecting

MINUTE_MS, LEAP_MS = 60_000, 3 * HOUR_MS
SOURCE = {"http": "loans", "event_time": "ts", "allowed_lateness": "10s", "max_ahead": "30m"}
DEFAULTS = {"window": "1m", "min_samples": 10, "learn_windows": 6}
WATCH = compile_watch(configured(sources=[SOURCE], detect=detecting(pane="10s", defaults=DEFAULTS, rules=[])), "loans")


class TurnedClock(ManualClock):
    """A clock that somebody has turned."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


class Machine:
    """A process that reads and evaluates one stream of an event a second."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.store, self.count = TurnedClock(START_MS), MemoryStore(), 0
        self.log = HttpLog(folder / "ingest.log", self.clock)
        self.ingest = ingest_of(self.store, self.log)
        Partitions(self.store).know(frozenset({("loans", 0)}))
        self.loop = EvaluateLoop({"loans": WATCH}, self.store, self.clock, 10.0, lambda model, seconds: None)
        self.returned = ReturnedClock(self.store, self.clock)

    def run(self, seconds: int, wrong_by_ms: int = 0) -> None:
        """Events of so many seconds come, stamped elsewhere by a clock that is wrong by so much, and are evaluated."""
        messages = []
        self.clock.ahead_ms += wrong_by_ms
        for _ in range(seconds):
            self.clock.advance(1.0)
            at_ms = self.clock.now_ms()
            messages.append(json.dumps({"ts": at_ms, "amount": 1.0, "id": f"e{self.count}"}).encode())
            self.count += 1
        self.log.append("loans", messages)
        self.clock.ahead_ms -= wrong_by_ms
        while self.ingest.step(37, 0.0):
            pass
        self.returned.step(self.ingest.positions.late_events.shares())
        self.loop.evaluate_now()
        self.ingest.save()
        self.ingest.set_clocks()

    @property
    def last_end_ms(self) -> int:
        return int(self.store.read(Query("scores"))["window_end_ms"].max(initial=0))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.log.close()


def ingest_of(store: MemoryStore, log: HttpLog) -> Ingest:
    ingest = Ingest(Readers([WATCH]), store, HttpSource(log, ["loans"]))
    ingest.open()
    return ingest


def scores(store: MemoryStore) -> list[tuple[object, ...]]:
    columns = store.read(Query("scores"))
    return list(zip(*(map(str, columns[name]) for name in columns), strict=True))


def replayed(machine: Machine, batch: int) -> MemoryStore:
    """The same log, with what was decided, so many messages at a time."""
    store = MemoryStore()
    for table, rows in decisions(machine.store, ["loans"]).items():
        append(store, table, rows)
    ingest, evaluation = ingest_of(store, machine.log), Evaluation(WATCH, store)
    while ingest.step(batch, 0.0):
        evaluation.advance(Horizon(frozenset({("loans", 0)})))
    return store


def test_windows_of_a_clock_that_ran_ahead_for_minutes_wait_and_then_hold_the_events_of_now(machine: Machine) -> None:
    machine.run(600)
    machine.clock.ahead_ms = LEAP_MS
    machine.run(180)
    assert machine.last_end_ms <= machine.clock.now_ms() - LEAP_MS
    [title] = machine.loop.waiting.titles().values()
    assert title == (
        "the windows of loans up to 2024-01-01 03:12:50 UTC wait: the clock of this machine went 3h ahead at once, and"
        " is doubted for 30m. If it is wrong, set it right; if it is right, restart Leeway to go on at once"
    )

    machine.clock.ahead_ms = 0
    machine.run(1)
    [set_clock] = read_set_clocks(machine.store)
    assert (set_clock.created_by, set_clock.has_effect) == ("leeway", True)
    back_ms = machine.clock.now_ms()
    for _ in range(10):
        machine.run(60)
    assert machine.loop.waiting.titles() == {}
    volumes = Query("scores", {"signal": "volume", "segment": ""}, low={"window_end_ms": back_ms + 120_000})
    assert set(machine.store.read(volumes)["n"].tolist()) == {60}
    assert machine.ingest.counters.late == 1
    for batch in (7, 100_000):
        assert scores(replayed(machine, batch)) == scores(machine.store)


def test_a_clock_that_ran_ahead_by_less_than_events_may_be_has_no_window_evaluated_without_its_events(
    machine: Machine,
) -> None:
    machine.run(600)
    machine.clock.ahead_ms = 20 * MINUTE_MS
    machine.run(300)
    assert machine.last_end_ms <= machine.clock.now_ms() - 20 * MINUTE_MS
    machine.clock.ahead_ms = 0
    machine.run(1)
    # between the request and the next checkpoint too
    assert machine.last_end_ms <= machine.clock.now_ms()
    back_ms = machine.clock.now_ms()
    for _ in range(4):
        machine.run(60)
    volumes = Query("scores", {"signal": "volume", "segment": ""}, low={"window_end_ms": back_ms + 120_000})
    assert set(machine.store.read(volumes)["n"].tolist()) == {60}
    assert scores(replayed(machine, 100)) == scores(machine.store)


def test_events_of_a_wrong_clock_elsewhere_have_no_window_evaluated_before_its_time(machine: Machine) -> None:
    machine.run(600)
    machine.run(180, wrong_by_ms=LEAP_MS)
    assert machine.last_end_ms <= machine.clock.now_ms()
    [title] = machine.loop.waiting.titles().values()
    assert title == (
        "the windows of loans up to 2024-01-01 03:12:50 UTC wait: their time has not come yet, the clock of this"
        " machine says 2024-01-01 00:13 UTC. If that is wrong, set it right; else a clock of producers is wrong:"
        " `leeway clocks back loans`"
    )
    assert read_set_clocks(machine.store) == []


def test_nobody_waits_for_the_windows_of_a_model_that_is_watched_no_more(machine: Machine) -> None:
    machine.run(600)
    machine.run(180, wrong_by_ms=LEAP_MS)
    assert set(machine.loop.waiting.titles()) == {"loans"}
    machine.loop.watch({})
    assert machine.loop.waiting.titles() == {}


def test_a_clock_that_stays_ahead_is_believed_after_half_an_hour(machine: Machine) -> None:
    machine.run(600)
    machine.clock.ahead_ms = LEAP_MS
    machine.run(60)
    machine.clock.advance(DOUBTED_FOR_S)
    machine.run(60)
    assert machine.last_end_ms > machine.clock.now_ms() - 180_000
    assert machine.loop.waiting.titles() == {}


def test_a_clock_that_runs_behind_for_a_while_moves_no_clock_of_partitions_when_it_is_right_again(
    machine: Machine,
) -> None:
    machine.run(600)
    machine.clock.ahead_ms = -LEAP_MS
    machine.run(60)
    machine.clock.ahead_ms = 0
    machine.run(600)
    assert read_set_clocks(machine.store) == []
    assert machine.last_end_ms > machine.clock.now_ms() - 120_000


def test_leaps_are_told_from_a_clock_that_is_adjusted_and_from_one_that_stays() -> None:
    clock = TurnedClock(START_MS)
    leaps = Leaps(clock)
    for _ in range(10):
        clock.ahead_ms += 30_000
        assert leaps.ahead_ms() == 0
    clock.ahead_ms += LEAP_MS
    assert leaps.ahead_ms() == LEAP_MS
    clock.ahead_ms += LEAP_MS
    clock.advance(DOUBTED_FOR_S - 1)
    assert (leaps.ahead_ms(), leaps.take_return_ms()) == (2 * LEAP_MS, 0)
    clock.ahead_ms -= 2 * LEAP_MS
    assert (leaps.ahead_ms(), leaps.take_return_ms(), leaps.take_return_ms()) == (0, 2 * LEAP_MS, 0)


def test_a_clock_that_was_behind_leapt_ahead_and_was_set_right_has_come_back() -> None:
    clock = TurnedClock(START_MS)
    leaps = Leaps(clock)
    clock.ahead_ms = LEAP_MS
    assert leaps.ahead_ms() == LEAP_MS
    clock.ahead_ms = 2 * MINUTE_MS
    assert leaps.take_return_ms() == LEAP_MS - 2 * MINUTE_MS


def test_a_machine_that_slept_has_no_clock_that_leapt_and_no_partition_that_was_silent() -> None:
    clock = ManualClock(START_MS)
    leaps, activity = Leaps(clock), Activity(clock, idle_after_s=60)
    activity.note(("loans", 0))
    clock.sleep(3_600)
    assert (leaps.ahead_ms(), activity.idle([("loans", 0)])) == (0, set())
