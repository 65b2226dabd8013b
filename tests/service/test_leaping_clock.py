"""The machine's own clock runs ahead for minutes: no window is evaluated by it, and events of now are counted after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.alerts.own import MODEL
from monitor.config import load
from monitor.ingest.set_clocks import ASKED, read_set_clocks
from monitor.service import Service
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop
from tests.service.test_late_events import DAY_MS, TurnedClock

MINUTE_MS = 60_000


class DrivenClock(TurnedClock):
    """A clock that somebody has turned, on a machine where time passes faster when the test says so."""

    elapsed_s = 0.0

    def now_ms(self) -> int:
        return super().now_ms() + round(1000 * self.elapsed_s)

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.elapsed_s

    def boottime_s(self) -> float:
        return super().boottime_s() + self.elapsed_s


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)


class Traffic:
    """An event a second, stamped by the machine's clock."""

    def __init__(self, service: Service, clock: DrivenClock) -> None:
        self.service, self.clock, self.count = service, clock, 0

    def flow(self, minutes: int) -> None:
        for _ in range(minutes):
            events = []
            for _ in range(60):
                self.clock.elapsed_s += 1.0
                events.append({"id": f"e{self.count}", "ts": self.clock.now_ms(), "amount": 1.0})
                self.count += 1
            self.service.accept("shop", [json.dumps(event).encode() for event in events])
            shop.wait_until(lambda: self.service.counters.events == self.count, "they are read")

    def is_judged(self, end_ms: int) -> bool:
        query = Query("scores", {"model": "shop", "signal": "volume"}, low={"window_end_ms": end_ms}, limit=1)
        return bool(len(self.service.store.read(query)["model"]))


def volumes(store: MemoryStore, low_ms: int, high_ms: int) -> list[int]:
    """How many events were counted in the windows that end there."""
    query = Query(
        "scores", {"model": "shop", "signal": "volume"}, {"window_end_ms": low_ms}, {"window_end_ms": high_ms}
    )
    return [int(n) for n in store.read(query)["n"]]


def own_alerts(store: MemoryStore, name: str) -> list[tuple[str, str]]:
    alerts = rows_of(store.read(Query("alerts", {"model": MODEL})))
    return [(row["state"], row["title"]) for row in alerts if json.loads(row["labels"])["alertname"] == name]


def test_events_of_now_are_counted_in_their_windows_after_the_clock_ran_a_day_ahead_for_minutes(tmp_path: Path) -> None:
    store, clock = MemoryStore(), DrivenClock()
    file = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), checkpoint_every="100ms", idle_after="1h")
    with shop.serving(load(file), store, clock=clock) as service:
        traffic = Traffic(service, clock)
        traffic.flow(10)
        before_ms = clock.now_ms()
        shop.wait_until(lambda: traffic.is_judged(before_ms - MINUTE_MS), "windows are evaluated")

        clock.ahead_ms = DAY_MS
        traffic.flow(3)
        shop.wait_until(lambda: own_alerts(store, "windows_wait"), "it is alerted about")

        clock.ahead_ms = 0
        back_ms = clock.now_ms()
        shop.wait_until(lambda: [c for c in read_set_clocks(store) if c.from_offset != ASKED], "it is set back")
        traffic.flow(10)
        after_ms = clock.now_ms() - MINUTE_MS
        shop.wait_until(lambda: traffic.is_judged(after_ms), "windows of now are evaluated")
        shop.wait_until(lambda: len(own_alerts(store, "windows_wait")) > 1, "the alert is over")
        late = service.counters.late
    assert late == 0
    # An event a second, and the time that the test takes, in windows of 20 s.
    assert min(volumes(store, back_ms + MINUTE_MS, after_ms)) >= 18
    assert int(store.read(Query("scores"))["window_end_ms"].max()) <= clock.now_ms()
    assert [state for state, _ in own_alerts(store, "windows_wait")] == ["firing", "resolved"]
    assert "the clock of this machine went 1d ahead at once" in own_alerts(store, "windows_wait")[0][1]
