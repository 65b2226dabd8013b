"""A clock that is set back: events are on time again, every one counts once, and a replay gives the same rows."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.checkpoint import decode_state, encode_state
from monitor.clock import ManualClock
from monitor.events import Events
from monitor.ingest.fold import Folded, PartitionFold
from monitor.ingest.ingest import Ingest
from monitor.ingest.readers import Readers
from monitor.ingest.set_clocks import SetClock, ask_to_set
from monitor.sources.http_log import HttpLog, HttpSource
from monitor.watch import compile_watch
from sinks.store.batch import append
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.ingest.test_fold import (
    MINUTE_MS,
    as_text,
    cutting,
    dicts,
    events_at,
    fold_of,
    folded,
    joined,
    steps,
    times_of,
    volume,
)
from tests.monitor.streams import HOUR_MS, START_MS, configured, detecting


def set_where_it_stands(fold: PartitionFold, to_ms: int, number: int = 0) -> SetClock:
    """What whoever reads the partition notes when somebody asks now."""
    asked = SetClock("loans", "loans", 3, to_ms, "ann", "wrong", updated_ms=number)
    return replace(asked, from_offset=fold.next_offset, newest_ms=fold.clock.newest_ms)


@settings(deadline=None, max_examples=30)
@given(steps, cutting, st.lists(st.tuples(st.integers(0, 80), st.integers(0, 2_000)), max_size=3), st.integers(0, 80))
def test_a_replay_and_a_crash_anywhere_give_the_rows_of_whoever_set_the_clock_back(
    minutes: list[int], cuts: list[int], asked: list[tuple[int, int]], at: int
) -> None:
    events = events_at(times_of(minutes))
    # given a fold whose clock is set back now and then, between batches
    first, pieces, set_clocks, done = fold_of(), [], [], 0
    for number, (place, back_minutes) in enumerate(sorted(asked)):
        stop = max(done, min(place, len(events)))
        pieces.append(first.process(events.slice(done, stop)))
        done = stop
        set_clock = set_where_it_stands(first, first.clock.newest_ms - back_minutes * MINUTE_MS, number)
        set_clocks += [set_clock] if set_clock.has_effect and first.next_offset else []
        first.know_set_clocks(set_clocks)
    pieces += [first.process(events.slice(done, len(events))), first.finish()]
    rows, findings, problems = joined(pieces)
    # when another reads the log again, in other batches, and a third one takes over from its checkpoint
    second = fold_of()
    second.know_set_clocks(set_clocks)
    at = min(at, len(events))
    before = in_pieces(second, events.slice(0, at), cuts)
    again = min([at, *(offset // 2 for offset in second.held_offsets)])
    third = fold_of()
    third.know_set_clocks(set_clocks)
    assert third.restore(decode_state(encode_state(second.snapshot())))
    replayed = joined(before + folded(third, events.slice(again, len(events)), cuts))
    # then the rows are the same, none stands for two sums, and every event counts once
    assert as_text(replayed[0]) == as_text(rows)
    assert replayed[1:] == (findings, problems)
    names = ("signal", "segment", "version", "pane_start_ms", "late_at_ms")
    keys = Counter(tuple(row[name] for name in names) for row in dicts(rows))
    assert set(keys.values()) <= {1}
    assert sum(volume(rows).values()) == len(events) - sum(reason == "future" for _, reason in problems)


def in_pieces(fold: PartitionFold, events: Events, cuts: list[int]) -> list[Folded]:
    bounds = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    return [fold.process(events.slice(a, b)) for a, b in itertools.pairwise(bounds)]


def test_after_a_clock_ran_ahead_events_of_now_are_on_time_again_and_add_up_in_their_panes() -> None:
    usual = [START_MS + k * MINUTE_MS for k in range(0, 120, 10)]
    ahead = [time + 24 * HOUR_MS for time in usual[:6]]
    fold = fold_of()
    first = [fold.process(events_at(usual + ahead + [ahead[-1] + hour * HOUR_MS for hour in (1, 2, 3)]))]
    going_on = [usual[-1] + k * MINUTE_MS for k in range(1, 60)]
    late = fold.process(events_at(going_on, first=1_000, ids=[f"l{k}" for k in range(59)]))
    assert late.late == len(going_on)

    fold.know_set_clocks([set_where_it_stands(fold, usual[-1])])
    on_time = fold.process(events_at(going_on, first=2_000, ids=[f"o{k}" for k in range(59)]))
    assert on_time.late == 0
    # a day later events come for panes that were written when the clock was ahead
    again = events_at([ahead[0] + k * MINUTE_MS for k in range(60)], first=3_000, ids=[f"a{k}" for k in range(60)])
    rows = joined([*first, late, on_time, fold.process(again), fold.finish()])[0]
    a_day_later = [row for row in dicts(rows) if row["pane_start_ms"] == START_MS + 24 * HOUR_MS]
    counts = {row["late_at_ms"]: row["n"] for row in a_day_later if (row["signal"], row["segment"]) == ("volume", "")}
    versions = {row["version"] for row in a_day_later}
    assert set(counts) == {0, -1}
    assert len(versions) <= 2
    assert np.sum([n for (_, is_late), n in volume(rows).items() if not is_late]) >= len(usual) + len(going_on)


@pytest.mark.parametrize("batch", [1, 60])
def test_progress_is_bounded_by_every_time_to_which_the_clock_is_still_to_go_back(batch: int) -> None:
    events = events_at([START_MS + k * MINUTE_MS for k in range(60)])
    fold, closed_ms = fold_of(), []
    fold.know_set_clocks(
        [
            SetClock("loans", "loans", 3, START_MS + to * MINUTE_MS, "ann", "", 1, at, START_MS + (at - 1) * MINUTE_MS)
            for at, to in ((30, 20), (40, 5))
        ]
    )
    for first in range(0, 60, batch):
        fold.process(events.slice(first, first + batch))
        closed_ms.append(fold.closed_ms)
    # else windows are complete of which events come on time
    assert closed_ms == sorted(closed_ms)


def ingest_of(store: MemoryStore, log: HttpLog) -> Ingest:
    source = {"http": "loans", "event_time": "ts", "allowed_lateness": "10s"}
    watch = compile_watch(configured(sources=[source], detect=detecting(pane="10s")), "loans")
    ingest = Ingest(Readers([watch]), store, HttpSource(log, ["loans"]))
    ingest.open()
    return ingest


def read_all(ingest: Ingest) -> None:
    while ingest.step(37, 0.0):
        pass


def test_after_a_crash_the_clock_is_set_back_at_the_same_event_and_another_store_gets_the_same_rows(
    tmp_path: Path,
) -> None:
    log, store = HttpLog(tmp_path / "ingest.log", ManualClock()), MemoryStore()
    times = [START_MS + k * 1_000 for k in range(400)]

    def post(event_ms: list[int]) -> None:
        log.append(
            "loans", [json.dumps({"ts": at_ms, "amount": 1.0, "id": f"e{at_ms}"}).encode() for at_ms in event_ms]
        )

    # given a clock that is a day ahead, and somebody who sets it back
    post(times[:100] + [at_ms + 24 * HOUR_MS for at_ms in times[:100]])
    crashing = ingest_of(store, log)
    read_all(crashing)
    ask_to_set(store, ManualClock(1), SetClock("loans", "loans", 0, times[100], "ann", "NTP was off"))
    crashing.save()
    crashing.set_clocks()
    # when the process ends before its next checkpoint
    post(times[100:250])
    read_all(crashing)
    post(times[250:])
    successor = ingest_of(store, log)
    read_all(successor)
    # then nothing is late, and a replay that knows of it writes the same
    assert successor.counters.late == 0
    copy = MemoryStore()
    append(copy, "set_clocks", store.read(Query("set_clocks")))
    replay = ingest_of(copy, log)
    read_all(replay)
    assert replay.counters.late == 0
    for table in ("panes", "dead_letters"):
        assert list(map(str, rows_of(copy.read(Query(table))))) == list(map(str, rows_of(store.read(Query(table)))))
    assert set(store.read(Query("panes"))["late_at_ms"].tolist()) == {0, -1}
    log.close()
