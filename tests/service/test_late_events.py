"""Events that come late are alerted about, with how many they are, and why probably."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from monitor.alerts.own import LATE_EVENTS, MODEL
from monitor.clock import ManualClock, SystemClock
from monitor.config import load
from monitor.ingest.late_events import LateEvents, LateShare
from monitor.ingest.set_clocks import ASKED, SetClock, ask_to_set, read_set_clocks
from monitor.service import Service
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop

DAY_MS = 86_400_000


class TurnedClock(SystemClock):
    """The machine's clock, which somebody has turned."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.1)


def post(service: Service, clock: TurnedClock, first: int, count: int) -> None:
    """Post events that happen now, and wait until they are read."""
    events = [{"id": f"e{number}", "ts": clock.now_ms(), "amount": 1.0} for number in range(first, first + count)]
    service.accept("shop", [json.dumps(event).encode() for event in events])
    shop.wait_until(lambda: service.counters.events == first + count, "they are read")


def test_events_of_now_are_late_behind_a_clock_that_ran_a_day_ahead_until_it_is_set_back(tmp_path: Path) -> None:
    store, clock = MemoryStore(), TurnedClock()
    file = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), checkpoint_every="300ms")
    # Before it starts: a clock that it sees run ahead, and come back, it follows by itself.
    clock.ahead_ms = DAY_MS
    with shop.serving(load(file), store, clock=clock) as service:
        post(service, clock, 0, 400)
        clock.ahead_ms = 0
        post(service, clock, 400, 400)

        def alerts() -> list[dict[str, Any]]:
            """Beside that windows wait, which they do as well."""
            own = rows_of(store.read(Query("alerts", {"model": MODEL})))
            return [alert for alert in own if json.loads(alert["labels"])["alertname"] == LATE_EVENTS]

        [alert] = shop.wait_until(alerts, "it is alerted about")
        metrics = generate_latest(service.metrics).decode()

        asked = SetClock("shop", "shop", 0, clock.now_ms(), "ann", "NTP was off")
        ask_to_set(store, clock, asked)
        shop.wait_until(lambda: read_set_clocks(store)[0].from_offset != ASKED, "it is taken up")
        post(service, clock, 800, 200)
    assert service.counters.late == 400
    assert json.loads(alert["labels"]) == {"alertname": LATE_EVENTS, "severity": "critical", "stream": "shop shop/0"}
    assert alert["title"].startswith("400 of 800 events of shop from shop/0 came late in 10m, and count in no window")
    assert "ahead of the last of them. That time has not come yet: a clock was wrong. `leeway clocks" in alert["title"]
    assert 'leeway_late_share{model="shop",partition="0",topic="shop"} 0.5' in metrics


def test_events_that_are_later_than_allowed_are_told_from_a_wrong_clock() -> None:
    share = LateShare("shop", ("orders", 3), 1_000, 150, clock_ms=600_000, newest_late_ms=420_000)
    assert share.sentence(30_000, now_ms=601_000) == (
        "150 of 1,000 events of shop from orders/3 came late in 10m, and count in no window: its clock stands at "
        "1970-01-01 00:10 UTC, 3m ahead of the last of them. They come later than `allowed_lateness` (30s)"
    )


def test_a_few_late_events_alarm_nobody_and_many_are_forgotten_after_ten_minutes() -> None:
    clock = ManualClock()
    late_events, partition = LateEvents(clock), ("orders", 0)
    late_events.note("shop", partition, 19, 19)
    assert not late_events.shares()[0].is_alarming
    late_events.note("shop", partition, 200, 2)
    assert not late_events.shares()[0].is_alarming
    late_events.note("shop", partition, 0, 2)
    assert late_events.shares()[0].is_alarming
    clock.advance(590)
    late_events.note("shop", partition, 30, 0)
    assert late_events.shares() == [LateShare("shop", partition, 249, 23)]
    clock.advance(30)
    assert late_events.shares() == [LateShare("shop", partition, 30, 0)]
    late_events.forget([partition])
    assert late_events.shares() == []
