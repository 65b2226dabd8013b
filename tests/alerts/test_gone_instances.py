"""Alerts about a process end when nothing is heard of it any more, whoever is left, and not before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest

from monitor.alerts.own import ALERTS_REFUSED, STAGE_FAILED, StandingAlerts
from monitor.clock import ManualClock
from monitor.heartbeat.gone_instances import GoneInstances
from monitor.heartbeat.pulses import Pulses
from sinks.store.contract import Columns, Query, StoreError
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of

MINUTES = 10


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now_ms=1_767_571_200_000)


def passes(store: MemoryStore, clock: ManualClock, *alive: str) -> list[str]:
    """Let time pass before the eyes of a process, and return the titles of what ended."""
    gone = GoneInstances(store, clock, [STAGE_FAILED, ALERTS_REFUSED], "here:8080")
    pulses = {instance: Pulses(store, clock) for instance in alive}
    for _ in range(MINUTES):
        clock.advance(60)
        for instance, pulse in pulses.items():
            pulse.state([], {}, instance)
        gone.step()
    return sorted(store.read(Query("alerts", {"state": "resolved"}))["title"])


def test_the_alerts_of_a_process_end_when_it_is_gone_and_those_of_others_stay(
    store: MemoryStore, clock: ManualClock
) -> None:
    for instance in ("here:8080", "lives:8080", "gone:8080"):
        StandingAlerts(store, clock, STAGE_FAILED, "stage", instance=instance).step({"ingest": f"fails at {instance}"})
    alerts = StandingAlerts(store, clock, ALERTS_REFUSED, "posted", instance="gone:8080")
    alerts.step({"alerts": "too many at gone:8080"})
    assert passes(store, clock, "here:8080", "lives:8080", "gone:8080") == []
    assert passes(store, clock, "here:8080", "lives:8080") == [
        "its process is gone: fails at gone:8080",
        "its process is gone: too many at gone:8080",
    ]


def test_an_alert_from_before_alerts_named_their_process_ends_too(store: MemoryStore, clock: ManualClock) -> None:
    StandingAlerts(store, clock, STAGE_FAILED, "stage").step({"ingest": "fails"})
    assert passes(store, clock) == ["over: fails"]


def test_who_restarts_goes_on_with_its_alert(store: MemoryStore, clock: ManualClock) -> None:
    for holding in ({"ingest": "fails"}, {"ingest": "fails"}, {}):
        StandingAlerts(store, clock, STAGE_FAILED, "stage", instance="a:8080").step(holding, lambda _: True)
        clock.advance(60)
    assert store.read(Query("alerts"))["state"] == ["firing", "resolved"]


class CutOff(MemoryStore):
    """A store that others reach, and one process does not for a while."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self.store, self.is_away = store, False

    def read(self, query: Query) -> Columns:
        if self.is_away:
            raise StoreError("it is away", retryable=True)
        return self.store.read(query)

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        self.store.append(table, columns, token)


@pytest.mark.parametrize("is_paused", [True, False])
def test_who_comes_back_and_still_fails_is_alerted_about_anew(
    store: MemoryStore, clock: ManualClock, is_paused: bool
) -> None:
    cut_off = CutOff(store)
    alerts = StandingAlerts(cut_off, clock, STAGE_FAILED, "stage", instance="back:8080")
    alerts.step({"ingest": "fails"})
    gone = GoneInstances(store, clock, [STAGE_FAILED], "here:8080")
    cut_off.is_away = True
    for _ in range(MINUTES):
        clock.advance(59)
        if not is_paused:
            with suppress(StoreError):
                alerts.step({"ingest": "fails"})
        clock.advance(1)
        gone.step()
    cut_off.is_away = False
    for _ in range(3):
        clock.advance(59)
        alerts.step({"ingest": "fails"})
    alerts.step({})
    titles = [row["title"] for row in rows_of(store.read(Query("alerts", order=("at_ms",))))]
    assert titles == ["fails", "its process is gone: fails", "fails", "over: fails"]
