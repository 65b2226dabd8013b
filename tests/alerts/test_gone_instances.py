"""Alerts about a process end when nothing is heard of it any more, whoever is left, and not before."""

from __future__ import annotations

import pytest

from monitor.alerts.own import ALERTS_REFUSED, STAGE_FAILED, StandingAlerts
from monitor.clock import ManualClock
from monitor.heartbeat.gone_instances import GoneInstances
from monitor.heartbeat.pulses import Pulses
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore

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
