"""What people decide has effect behind every window that is stored, though a crash may have some evaluated anew."""

from __future__ import annotations

import pytest

from monitor.clock import ManualClock
from monitor.evaluate.mark_log import Mark, log_mark, take_up
from monitor.rollouts.rollout_log import Metric, Rollout, log_rollout, log_stop
from monitor.rollouts.rollout_log import take_up as take_up_rollouts
from sinks.store.batch import add_row, append, empty_rows
from sinks.store.contract import Store
from sinks.store.memory import MemoryStore

STEP_MS, NEXT_MS = 1_000, 10_000


@pytest.fixture
def store() -> Store:
    store = MemoryStore()
    store.migrate()
    return store


def scored(store: Store, signal: str, *ends_ms: int, model: str = "fraud") -> None:
    rows = empty_rows("scores")
    for end_ms in ends_ms:
        nothing = {name: "" if name in ("segment", "version", "idle", "detail") else 0 for name in rows}
        add_row(rows, {**nothing, "model": model, "signal": signal, "detector": "change", "status": "ok",
                       "window_end_ms": end_ms})  # fmt: skip
    append(store, "scores", rows)


def effective_ms(store: Store, signal: str) -> int:
    mark = Mark("fraud", signal, "", "", "accepted", 4_500, 0, "ann", "new prices", 0)
    log_mark(store, ManualClock(now_ms=9_000), mark)
    [settled] = take_up(store, "fraud", NEXT_MS, STEP_MS, judged=signal.startswith("performance:"))
    return settled.effective_ms


def test_nothing_is_stored_of_the_next_window(store: Store) -> None:
    scored(store, "feature:x", 8_000, 9_000)
    scored(store, "feature:x", 15_000, model="other")
    assert effective_ms(store, "feature:x") == NEXT_MS


@pytest.mark.parametrize("signal", ["feature:x", "performance:accuracy"])
def test_windows_are_stored_that_are_evaluated_once_more(store: Store, signal: str) -> None:
    scored(store, "feature:x" if signal.startswith("performance:") else "performance:accuracy", 30_000)
    scored(store, signal, 9_000, 10_000, 11_000, 12_000)
    assert effective_ms(store, signal) == 13_000


def test_a_rollout_begins_and_ends_behind_what_was_seen(store: Store) -> None:
    scored(store, "feature:x", 10_000, 11_000)
    clock, metrics = ManualClock(now_ms=9_000), (Metric("missing:score", "lower", 0.01),)
    started = log_rollout(store, clock, Rollout("", "fraud", "2", "1", metrics, 0.05, 86_400_000, "ann"))
    [begun] = take_up_rollouts(store, "fraud", NEXT_MS, STEP_MS)
    assert begun.from_ms == 11_000
    log_stop(store, clock, started, "ann", "a bug")
    scored(store, "feature:x", 12_000)
    [stopped] = take_up_rollouts(store, "fraud", NEXT_MS, STEP_MS)
    assert (stopped.from_ms, stopped.ends_ms) == (11_000, 13_000)
