"""Alerts about Leeway itself that stand for a time: one for all who see the same, and none about what is no more."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.alerts.own import LATE_EVENTS, TOPIC_GONE, StandingAlerts
from monitor.clock import ManualClock
from sinks.store.contract import Query, StoreError
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.routing.test_router import FlakyStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now_ms=1_767_571_200_000)


def states(store: MemoryStore) -> list[tuple[str, str]]:
    return [(row["alert_id"], row["state"]) for row in rows_of(store.read(Query("alerts")))]


def test_processes_that_see_the_same_at_once_make_one_alert(store: MemoryStore, clock: ManualClock) -> None:
    class Slow(MemoryStore):
        """Answers what was there when it was made."""

        def read(self, query: Query) -> Any:
            return MemoryStore().read(query)

        def append(self, table: str, columns: Any, token: str) -> None:
            store.append(table, columns, token)

    for seen_by in (store, Slow()):
        StandingAlerts(seen_by, clock, TOPIC_GONE, "topic", shared=True).step({"payments": "it is gone"})
        clock.advance(0.1)
    assert len({alert_id for alert_id, _ in states(store)}) == 1


def test_what_happens_again_is_another_alert(store: MemoryStore, clock: ManualClock) -> None:
    alerts = StandingAlerts(store, clock, TOPIC_GONE, "topic", shared=True)
    for holding in ({"payments": "it is gone"}, {}, {"payments": "it is gone"}):
        alerts.step(holding)
        clock.advance(60)
    assert sorted(state for _, state in states(store)) == ["firing", "firing", "resolved"]
    assert len({alert_id for alert_id, _ in states(store)}) == 2


def test_what_is_looked_at_no_more_is_over_and_what_is_not_known_yet_is_not(
    store: MemoryStore, clock: ManualClock
) -> None:
    StandingAlerts(store, clock, LATE_EVENTS, "stream").step({"shop a/0": "late", "former a/0": "late"})
    StandingAlerts(store, clock, LATE_EVENTS, "stream").step({}, lambda stream: stream.startswith("former"))
    newest = {row["labels"]: row["state"] for row in rows_of(store.read(Query("alerts")))}
    assert [state for labels, state in newest.items() if "former" in labels] == ["resolved"]
    assert [state for labels, state in newest.items() if "shop" in labels] == ["firing"]


@pytest.mark.parametrize("holds_on", [True, False])
def test_an_alert_that_the_store_took_without_saying_so_is_one_and_ends(clock: ManualClock, *, holds_on: bool) -> None:
    store = FlakyStore()
    store.unanswered = "alerts"
    alerts = StandingAlerts(store, clock, LATE_EVENTS, "stream")
    with pytest.raises(StoreError):
        alerts.step({"shop a/0": "late"})
    clock.advance(60)
    if holds_on:
        alerts.step({"shop a/0": "late"})
        clock.advance(60)
    alerts.step({})
    assert sorted(state for _, state in states(store)) == ["firing", "resolved"]
    assert len({alert_id for alert_id, _ in states(store)}) == 1


def test_an_end_that_the_store_took_without_saying_so_is_not_taken_back(clock: ManualClock) -> None:
    store = FlakyStore()
    alerts = StandingAlerts(store, clock, LATE_EVENTS, "stream")
    alerts.step({"shop a/0": "late"})
    clock.advance(60)
    store.unanswered = "alerts"
    with pytest.raises(StoreError):
        alerts.step({})
    clock.advance(60)
    alerts.step({"shop a/0": "late"})
    assert sorted(state for _, state in states(store)) == ["firing", "firing", "resolved"]
