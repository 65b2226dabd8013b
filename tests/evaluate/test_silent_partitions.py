"""Windows that did not wait for a silent partition: with what they were evaluated is written down, and stays so."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from monitor import checkpoint
from monitor.checkpoint import Checkpoint
from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.evaluate.backtest import backtest, span_of
from monitor.evaluate.horizon import NOTHING_MS
from monitor.evaluate.loop import EvaluateLoop
from monitor.ingest.ingest import Ingest
from monitor.ingest.partitions import Partitions
from monitor.ingest.readers import Readers
from monitor.replay import decisions
from monitor.sources.files import FileSource
from monitor.watch import compile_watch
from sinks.store.batch import append
from sinks.store.contract import Query, Store, StoreError
from sinks.store.memory import MemoryStore
from tests.monitor.streams import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    TOPIC,
    applications,
    as_lines,
    configured,
    detecting,
    replayed,
    rows,
)

STEP_MS = 2 * HOUR_MS
SLIDING = detecting(
    false_alarms="1 per 1d",
    rules=[],
    defaults={"window": "6h", "every": "2h", "min_samples": 20, "learn_windows": 6},
)
CONFIGURATION = configured(detect=SLIDING, segments=[])

Events = Sequence[dict[str, Any]]


class Live:
    """Partitions that grow, whoever reads them, and whoever evaluates."""

    def __init__(self, folder: Path, partitions: int = 2) -> None:
        self.store, self.folder = Mortal(), folder
        self._ingest: Ingest | None = None
        self.begin_to_read(partitions)
        self.begin_to_evaluate()

    def begin_to_read(self, partitions: int) -> None:
        """A process reads so many partitions, from the checkpoints."""
        self.paths = [self.folder / f"{number}.jsonl" for number in range(partitions)]
        for path in self.paths:
            path.touch()
        self.close()
        watch = compile_watch(CONFIGURATION, "loans")
        self._ingest = Ingest(Readers([watch]), self.store, FileSource({TOPIC: self.paths}, follow=True))
        self._ingest.open()
        self._stated = Partitions(self.store)
        self._stated.know(frozenset((TOPIC, number) for number in range(partitions)))

    def close(self) -> None:
        """Nobody reads any more."""
        if self._ingest is not None:
            self._ingest.source.close()

    def begin_to_evaluate(self, configuration: Configuration = CONFIGURATION) -> None:
        """A process evaluates, from the checkpoint."""
        watches = {"loans": compile_watch(configuration, "loans")}
        self.loop = EvaluateLoop(
            watches, self.store, ManualClock(START_MS + 365 * DAY_MS), 10.0, lambda model, seconds: None
        )

    def send(self, number: int, events: Events) -> None:
        with self.paths[number].open("ab") as file:
            file.writelines(line + b"\n" for line in as_lines(events))

    def read(self, silent: Collection[int] = ()) -> None:
        """Everything is read; these partitions are silent then."""
        assert self._ingest is not None
        while self._ingest.step(97, 0.0):
            pass
        self._stated.say(self._ingest.positions.begun, {(TOPIC, number) for number in silent})

    def save(self) -> None:
        """Write checkpoints."""
        assert self._ingest is not None
        self.loop.save()
        self._ingest.save()

    def evaluate(self) -> dict[str, list[str]]:
        """Evaluate what there is, and return everything that was stored so far."""
        self.loop.evaluate_now()
        return found_in(self.store)

    @property
    def last_end_ms(self) -> int:
        """The end of the last window that was evaluated."""
        return int(self.store.read(Query("scores"))["window_end_ms"].max(initial=0))


class Mortal(MemoryStore):
    """A store that survives the process, which may die before its scores are written."""

    dying = False
    rival_windows: int | None = None
    """Of so many of the last windows another process decides at the same moment, without the second partition."""

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        if self.dying and table == "scores":
            raise StoreError("the process dies")
        super().append(table, columns, token)
        if table == "horizons" and self.rival_windows:
            super().append(table, rival(columns, self.rival_windows), f"rival {token}")


def rival(decided: Mapping[str, Sequence[Any]], windows: int) -> Mapping[str, Sequence[Any]]:
    spans = zip(decided["from_ms"], decided["to_ms"], strict=True)
    from_ms = [max(first_ms, last_ms - (windows - 1) * STEP_MS) for first_ms, last_ms in spans]
    counted_ms = [[counted[0], NOTHING_MS] for counted in decided["counted_ms"]]
    return {**decided, "from_ms": from_ms, "counted_ms": counted_ms}


def found_in(store: Store, to_ms: int = 1 << 62) -> dict[str, list[str]]:
    """What was found in the windows that end by some time, and on the days that had begun before their last step."""
    times = {"scores": "window_end_ms", "alerts": "at_ms", "expectations": "from_ms"}
    ends = {"scores": to_ms, "alerts": to_ms, "expectations": to_ms - STEP_MS}
    return {table: [repr(row) for row in rows(store, table) if row[times[table]] <= ends[table]] for table in times}


def part(events: Events, from_day: float, to_day: float, partition: int) -> Events:
    low, high = START_MS + from_day * DAY_MS, START_MS + to_day * DAY_MS
    return [event for event in events if low <= event["ts"] < high and int(event["id"][1:]) % 2 == partition]


def drifting(event: dict[str, Any]) -> None:
    if event["ts"] >= START_MS + 5.5 * DAY_MS:
        event["score"] = 0.9


@pytest.fixture(scope="module")
def events() -> Events:
    return applications(11, days=8, per_day=240, change=drifting)


@pytest.fixture
def live(tmp_path: Path, events: Events) -> Iterator[Live]:
    """Evaluated to the fifth day with two partitions, and to the seventh without the second."""
    live = Live(tmp_path)
    for number in (0, 1):
        live.send(number, part(events, 0, 5, number))
    live.read()
    live.evaluate()
    live.save()
    live.send(0, part(events, 5, 7, 0))
    live.read(silent=[1])
    live.evaluate()
    yield live
    live.close()


def test_what_a_silent_partition_brings_later_changes_no_stored_row_whenever_a_crash_comes(
    live: Live, events: Events
) -> None:
    end_ms, before = live.last_end_ms, found_in(live.store)
    assert before["alerts"]
    # when it brings what it had kept, all of it on time, and whoever evaluates starts again from the checkpoint
    live.send(1, part(events, 5, 7, 1))
    live.read()
    live.begin_to_evaluate()
    assert live.evaluate() == before
    # then later windows count it, those with the last hours of the silence too
    for number in (0, 1):
        live.send(number, part(events, 7, 8, number))
    live.read()
    after = live.evaluate()
    assert found_in(live.store, end_ms) == before
    volume = {row["window_end_ms"]: row for row in rows(live.store, "scores", signal="volume")}
    last, following = volume[end_ms], volume[end_ms + STEP_MS]
    assert (last["idle"], following["idle"]) == (f"{TOPIC}/1", "")
    assert following["n"] > 1.4 * last["n"]
    live.begin_to_evaluate()
    assert live.evaluate() == after


def test_a_second_run_that_knows_what_was_decided_gives_the_same_rows(live: Live, events: Events) -> None:
    # given a partition that returns, and falls silent once more
    live.send(1, part(events, 5, 7.5, 1))
    live.send(0, part(events, 7, 8, 0))
    live.read()
    live.evaluate()
    live.read(silent=[1])
    expected, end_ms = live.evaluate(), live.last_end_ms
    live.send(1, part(events, 7.5, 8, 1))
    # when others read the same log, of whom one knows what was decided
    informed, ignorant = MemoryStore(), MemoryStore()
    for table, decided in decisions(live.store, ["loans"]).items():
        append(informed, table, decided)
    for store in (informed, ignorant):
        replayed(CONFIGURATION, live.paths, store, batch=100)
    # then its rows are the same, and the other's up to the first window that did not wait
    assert found_in(informed, end_ms) == expected
    first_ms = min(row["window_end_ms"] for row in rows(live.store, "scores") if row["idle"])
    assert found_in(ignorant, first_ms - 1) == found_in(live.store, first_ms - 1)
    assert found_in(ignorant, end_ms)["scores"] != expected["scores"]
    # and each event counts once
    assert sum(row["n"] for row in rows(informed, "panes", signal="volume", segment="")) == len(events)


def test_a_partition_that_is_new_changes_no_window_that_was_evaluated_before_it_was_there(
    live: Live, events: Events
) -> None:
    end_ms, before = live.last_end_ms, found_in(live.store)
    live.begin_to_read(3)
    live.send(2, [event | {"id": f"new {event['id']}"} for event in part(events, 4, 8, 1)])
    live.send(0, part(events, 7, 8, 0))
    live.read(silent=[1])
    live.begin_to_evaluate()
    live.evaluate()
    assert found_in(live.store, end_ms) == before
    volume = {row["window_end_ms"]: row["n"] for row in rows(live.store, "scores", signal="volume")}
    assert volume[end_ms + STEP_MS] > 1.4 * volume[end_ms]


def test_a_decision_that_was_written_down_holds_though_the_process_died_before_its_scores(
    live: Live, events: Events
) -> None:
    live.send(0, part(events, 7, 8, 0))
    live.read(silent=[1])
    live.store.dying = True
    with pytest.raises(StoreError):
        live.evaluate()
    live.store.dying = False
    live.send(1, part(events, 5, 8, 1))
    live.read()
    live.begin_to_evaluate()
    live.evaluate()
    idle = {row["window_end_ms"]: row["idle"] for row in rows(live.store, "scores")}
    assert idle[live.last_end_ms] == f"{TOPIC}/1"
    assert idle[START_MS + 5 * DAY_MS - 2 * HOUR_MS] == ""


def test_a_backtest_names_partitions_that_windows_did_not_wait_for(live: Live, events: Events) -> None:
    live.send(1, part(events, 5, 8, 1))
    live.send(0, part(events, 7, 8, 0))
    live.read()
    live.evaluate()
    watch = compile_watch(CONFIGURATION, "loans")
    done = backtest(live.store, watch, span_of(live.store, watch))
    assert done.not_judged[f"without {TOPIC}/1"].startswith("windows up to 2024-01-07 ")


def test_a_process_that_stood_still_evaluates_as_the_one_that_took_over(live: Live, events: Events) -> None:
    stalled = live.loop
    live.begin_to_evaluate()
    live.send(0, part(events, 7, 8, 0))
    live.read(silent=[1])
    expected = live.evaluate()
    live.send(1, part(events, 5, 8, 1))
    live.read()
    stalled.evaluate_now()
    assert found_in(live.store) == expected


@pytest.mark.parametrize("windows", [4, 1_000])
def test_what_two_processes_decide_at_once_holds_for_both_as_it_is_stored(
    live: Live, events: Events, windows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given one that returns for a while and is silent again, of which the other has seen nothing
    live.send(1, part(events, 5, 7.6, 1))
    live.send(0, part(events, 7, 8, 0))
    live.read(silent=[1])
    live.store.rival_windows = windows
    expected = live.evaluate()
    # when another evaluates with what is stored, in other batches
    live.store.rival_windows = None
    monkeypatch.setattr("monitor.evaluate.evaluate.WINDOWS_AT_ONCE", 1)
    live.begin_to_evaluate()
    assert live.evaluate() == expected


def test_a_checkpoint_of_an_earlier_version_says_by_its_position_where_to_go_on(live: Live, events: Events) -> None:
    live.loop.save()
    position, state = checkpoint.load(live.store, "evaluate", "loans", 0) or (0, {})
    assert state.pop("next_end_ms") == position
    checkpoint.save(live.store, Checkpoint("evaluate", "loans", 0, position, state["config"], state))
    twin = live.loop
    live.send(0, part(events, 7, 8, 0))
    live.read(silent=[1])
    live.begin_to_evaluate()
    expected = live.evaluate()
    twin.evaluate_now()
    assert found_in(live.store) == expected


@pytest.mark.parametrize("every", ["2h", "1h"])
def test_what_a_changed_configuration_has_learned_stays_too(live: Live, events: Events, every: str) -> None:
    detect = SLIDING | {"defaults": SLIDING["defaults"] | {"every": every}}
    changed = configured(detect=detect, segments=[], baseline={"kind": "rolling", "span": "3d"})
    live.loop.save()
    live.begin_to_evaluate(changed)
    live.send(0, part(events, 7, 8, 0))
    live.read(silent=[1])
    expected = live.evaluate()
    # when it dies before its next checkpoint, and there is more now that could be learned from
    live.send(1, part(events, 5, 8, 1))
    live.read()
    live.begin_to_evaluate(changed)
    assert live.evaluate() == expected


@pytest.mark.parametrize("seed", range(2))
def test_whatever_falls_silent_and_whoever_dies_no_stored_row_changes(
    seed: int, tmp_path: Path, events: Events
) -> None:
    rng, live = random.Random(seed), Live(tmp_path)
    until_day = [0.0, 0.0]
    while min(until_day) < 5:
        stored, end_ms = found_in(live.store), live.last_end_ms
        for number in rng.choice([[0], [1], [0, 1], []]):
            day = min(5.0, until_day[number] + rng.choice([0.2, 0.5, 1.5]))
            live.send(number, part(events, until_day[number], day, number))
            until_day[number] = day
        live.read(silent=rng.choice([[], [0], [1], [0, 1]]))
        if rng.random() < 0.4:
            live.begin_to_evaluate()
        live.evaluate()
        assert found_in(live.store, end_ms) == stored
        if rng.random() < 0.3:
            live.loop.save()
    live.close()
    again = MemoryStore()
    for table, decided in decisions(live.store, ["loans"]).items():
        append(again, table, decided)
    replayed(CONFIGURATION, live.paths, again, batch=rng.choice([30, 100, 1_000]))
    assert found_in(again, live.last_end_ms) == found_in(live.store)
    assert any(row["idle"] for row in rows(live.store, "scores"))
