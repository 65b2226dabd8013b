"""Alerts about lost messages stand until everybody can have been notified, whatever is read and restarted meanwhile."""

from __future__ import annotations

import pytest

from monitor.alerts.own import OwnAlerts
from monitor.clock import ManualClock
from monitor.events import Gap
from monitor.heartbeat.lost_messages import LOOK_EVERY_S, NOTIFIES_WITHIN_S, STANDS_S, LostMessages
from monitor.messages import of_life
from monitor.values import DAY_MS
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore

START_MS = 1_767_571_200_000
GAP: Gap = ("orders", 0, 5, 9)
CUT: Gap = ("orders", 1, 5, of_life(1, 0))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now_ms=START_MS)


def told(store: MemoryStore) -> list[tuple[str, str, float]]:
    """What was written: which partition, its state, and how many seconds after the start."""
    columns = store.read(Query("alerts", order=("at_ms", "sequence")))
    partitions = [title.split()[0 if "made anew" in title else 3].rstrip(",") for title in columns["title"]]
    seconds = ((columns["at_ms"] - START_MS) / 1000).tolist()
    return list(zip(partitions, columns["state"], seconds, strict=True))


def passes(lost: LostMessages, clock: ManualClock, seconds: float) -> None:
    """Have a process look on for so long."""
    for _ in range(int(seconds / LOOK_EVERY_S)):
        lost.step()
        clock.advance(LOOK_EVERY_S)
    lost.step()


def test_they_stand_for_an_hour_and_are_over_by_themselves(store: MemoryStore, clock: ManualClock) -> None:
    for gap in (GAP, CUT):
        OwnAlerts(store, clock).lost(gap)
    lost = LostMessages(store, clock)
    passes(lost, clock, STANDS_S - LOOK_EVERY_S)
    assert {state for _, state, _ in told(store)} == {"firing"}
    passes(lost, clock, LOOK_EVERY_S)
    ended = sorted(row for row in told(store) if row[1] == "resolved")
    assert ended == [("orders/0", "resolved", STANDS_S), ("orders/1", "resolved", STANDS_S)]
    passes(lost, clock, STANDS_S)
    assert len(told(store)) == 4


def test_a_gap_that_is_found_again_is_neither_dated_anew_nor_fires_again(
    store: MemoryStore, clock: ManualClock
) -> None:
    """As of a partition that was emptied: no checkpoint passes the gap, and each start finds it."""
    for _ in range(4):
        OwnAlerts(store, clock).lost(GAP)
        passes(LostMessages(store, clock), clock, STANDS_S / 2)
    assert told(store) == [("orders/0", "firing", 0.0), ("orders/0", "resolved", STANDS_S)]


def test_a_gap_that_has_grown_is_told(store: MemoryStore, clock: ManualClock) -> None:
    alerts = OwnAlerts(store, clock)
    alerts.lost(GAP)
    alerts.lost((*GAP[:3], GAP[3] + 1))
    titles = store.read(Query("alerts", order=("at_ms",)))["title"]
    assert [title.split()[0] for title in titles] == ["4", "5"]


def test_a_process_that_begins_to_notify_later_has_time_to(store: MemoryStore, clock: ManualClock) -> None:
    OwnAlerts(store, clock).lost(GAP)
    clock.advance(10 * STANDS_S)
    lost = LostMessages(store, clock)
    passes(lost, clock, NOTIFIES_WITHIN_S - LOOK_EVERY_S)
    assert len(told(store)) == 1
    passes(lost, clock, LOOK_EVERY_S)
    assert [state for _, state, _ in told(store)] == ["firing", "resolved"]


def test_what_a_clock_that_ran_ahead_has_dated_does_not_stand_longer(store: MemoryStore, clock: ManualClock) -> None:
    OwnAlerts(store, ManualClock(now_ms=START_MS + DAY_MS)).lost(GAP)
    passes(LostMessages(store, clock), clock, STANDS_S)
    assert store.read(Query("alerts", order=("at_ms",)))["state"] == ["firing", "resolved"]
