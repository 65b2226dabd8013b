"""Late events of any times: what is held of them is bounded, and each counts once, whatever the batches and crashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.checkpoint import decode_state, encode_state
from monitor.ingest import fold as fold_module
from monitor.ingest.additions import MOST_HELD
from monitor.ingest.fold import PartitionFold
from monitor.ingest.set_clocks import SetClock
from monitor.watch import compile_watch
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
from tests.monitor.streams import START_MS, configured, detecting

PANE_MS = 10_000
SOURCE = {"kafka": "loans", "event_time": "ts", "allowed_lateness": "1m"}


@contextmanager
def three_are_held() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_module, "MOST_HELD", 3)
        yield


def fold_of_short_panes(pane: str = "10s") -> PartitionFold:
    return fold_of(compile_watch(configured(sources=[SOURCE], detect=detecting(pane=pane)), "loans"))


def test_a_stretch_of_late_events_under_a_watermark_that_stands_still_is_not_held_in_memory() -> None:
    fold = fold_of_short_panes()
    fold.process(events_at([START_MS + 10**9 + k for k in range(10)]))
    held, rows = [], []
    for batch in range(3):
        # One event for each pane, a pane in each 10 s.
        late = [START_MS + (1_000 * batch + k) * PANE_MS for k in range(1_000)]
        names: list[str | None] = [f"{batch}/{k}" for k in range(1_000)]
        rows.append(fold.process(events_at(late, batch, names, first=100 + 2_000 * batch)))
        held.append(len({(key[0], key[1]) for key in fold.snapshot()["keys"]}))
    assert max(held) <= MOST_HELD + 1
    assert sum(volume(joined([*rows, fold.finish()])[0]).values()) == 3_010
    assert sum(piece.late for piece in rows) == 3_000


def test_additions_for_which_no_key_is_left_are_rejected_by_name() -> None:
    with three_are_held():
        fold = fold_of_short_panes(pane="100ms")
    fold.process(events_at([START_MS + 10**9 + k for k in range(10)]))
    late = [START_MS + k * 100 for k in range(310)]
    piece = fold.process(events_at(late, ids=[f"l{k}" for k in range(310)], first=100))
    reasons = Counter((problem.action, problem.reason) for problem in piece.problems)
    counted = sum(volume(joined([piece, fold.finish()])[0]).values())
    assert reasons[("rejected", "too_late")] == 320 - counted
    assert 0 < reasons[("rejected", "too_late")] < 30


@settings(deadline=None, max_examples=40)
@given(steps, cutting, st.integers(0, 80), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 2_000)), max_size=2))
def test_neither_batches_nor_crashes_nor_clocks_that_are_set_back_change_what_is_written(
    minutes: list[int], cuts: list[int], at: int, asked: list[tuple[int, int]]
) -> None:
    with three_are_held():
        whole, second, third = fold_of(), fold_of(), fold_of()
    events, at = events_at(times_of(minutes)), min(at, len(minutes))
    # given a fold whose clock is set back now and then
    set_clocks: list[SetClock] = []
    pieces, done = [], 0
    for number, (place, back_minutes) in enumerate(sorted(asked)):
        stop = max(done, min(place, len(events)))
        pieces.append(whole.process(events.slice(done, stop)))
        done, newest_ms = stop, whole.clock.newest_ms
        to_ms = newest_ms - back_minutes * MINUTE_MS
        if whole.next_offset and newest_ms > to_ms:
            set_clock = SetClock("loans", "loans", 3, to_ms, "ann", "wrong", number, whole.next_offset, newest_ms)
            set_clocks.append(set_clock)
        whole.know_set_clocks(set_clocks)
    rows, _, problems = joined([*pieces, whole.process(events.slice(done, len(events))), whole.finish()])
    # when another one reads the same in other batches, and a third one goes on from its checkpoint
    for fold in (second, third):
        fold.know_set_clocks(set_clocks)
    before = [second.process(events.slice(0, at))]
    assert third.restore(decode_state(encode_state(second.snapshot())))
    again = min([at, *(offset // 2 for offset in second.held_offsets)])
    replayed = joined(before + folded(third, events.slice(again, len(events)), cuts))
    # then the rows are the same, none stands for two sums, and every event counts once
    assert as_text(replayed[0]) == as_text(rows)
    names = ("signal", "segment", "version", "pane_start_ms", "late_at_ms")
    assert set(Counter(tuple(row[name] for name in names) for row in dicts(rows)).values()) <= {1}
    assert sum(volume(rows).values()) == len(events) - sum(reason == "future" for _, reason in problems)
    assert np.all(np.array(rows["n"]) >= 0)
