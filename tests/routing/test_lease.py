"""Several processes of one store may notify: one does, and another goes on once that one is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from monitor.alerts.own import MODEL, STAGE_FAILED, StandingAlerts
from monitor.clock import ManualClock, SystemClock
from monitor.config.every_receiver import alerting_by_alert
from monitor.delivery.target import Target
from monitor.routing.lease import LEASE_S, RENEW_S, Lease
from monitor.routing.plan import Plan
from monitor.routing.router import Router
from monitor.routing.routers import Routers
from sinks.receivers.memory import Memory
from sinks.store.contract import Columns, Query, StoreError
from sinks.store.memory import MemoryStore
from tests.service.shop import wait_until


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.routing.lease.RENEW_S", 0.05)
    monkeypatch.setattr("monitor.routing.lease.LEASE_S", 1.0)
    monkeypatch.setattr("monitor.routing.lease.AGAIN_S", 0.02)


class StoppableClock(SystemClock):
    """The clock of a process that somebody stops, and has go on."""

    def __init__(self) -> None:
        self.goes, self.is_stopped = threading.Event(), threading.Event()
        self.goes.set()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        is_set = super().wait(event, timeout_s)
        if not self.goes.is_set():
            self.is_stopped.set()
            self.goes.wait(60)
        return is_set


class Process:
    """One that notifies when it may."""

    def __init__(self, store: MemoryStore, name: str) -> None:
        self.store, self.clock, self.stop = store, StoppableClock(), threading.Event()
        self.inbox = Memory("inbox")
        self.routers = Routers(self.router(), lease=Lease(store, self.clock, name), build=self.router)
        self._thread = threading.Thread(target=self.routers.run, args=(self.stop,))

    def router(self) -> Router:
        plan = Plan(alerting_by_alert(["inbox"]).route.build(), {Target("inbox"): self.inbox})
        return Router(self.store, plan, self.clock, "", [MODEL])

    @property
    def titles(self) -> list[str]:
        return [alert.annotations["summary"] for sent in self.inbox.received for alert in sent.alerts]

    def has_notified(self, title: str) -> bool:
        return title in self.titles

    def __enter__(self) -> Self:
        self.routers.open()
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        self.stop.set()
        self.clock.goes.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@contextmanager
def two() -> Iterator[tuple[Process, Process, StandingAlerts]]:
    store = MemoryStore()
    with Process(store, "a:1") as first, Process(store, "b:1") as second:
        yield first, second, StandingAlerts(store, SystemClock(), STAGE_FAILED, "stage")


@pytest.mark.usefixtures("_impatient")
def test_one_of_two_processes_notifies_and_the_other_says_so_and_goes_on_when_that_one_ends() -> None:
    with two() as (first, second, alerts):
        alerts.step({"ingest": "reading fails"})
        wait_until(lambda: first.titles == ["reading fails"], "it is notified")
        wait_until(lambda: second.routers.notes() != [], "the other stands by")
        assert second.routers.notes() == ["a:1 notifies receivers now; this one does once that one is gone"]
        assert (first.routers.notes(), first.routers.is_in_turn) == ([], True)
        first.end()
        alerts.step({"ingest": "reading fails", "evaluate": "evaluating fails"})
        wait_until(lambda: second.titles == ["evaluating fails"], "the other notifies, and what is new alone")
        assert first.titles == ["reading fails"]


@pytest.mark.usefixtures("_impatient")
def test_a_process_that_stood_still_for_too_long_notifies_nobody_when_it_wakes_up() -> None:
    with two() as (first, second, alerts), capture_logs() as logs:
        alerts.step({"ingest": "reading fails"})
        wait_until(lambda: first.titles == ["reading fails"], "it is notified")
        wait_until(lambda: len(first.store.read(Query("notifications"))["receiver"]) == 1, "it is noted")
        first.clock.goes.clear()
        assert first.clock.is_stopped.wait(60)
        # then what it would have notified of is notified by the other
        alerts.step({})
        wait_until(lambda: second.titles == ["over: reading fails"], "the other has taken over")
        first.clock.goes.set()
        wait_until(lambda: bool(first.routers.notes()), "it has seen that the other has")
        for stage in ("freshness", "watch"):
            alerts.step({stage: f"{stage} fails"})
            wait_until(partial(second.has_notified, f"{stage} fails"), "the other goes on")
    assert first.titles == ["reading fails"]
    assert second.titles.count("over: reading fails") == second.titles.count("watch fails") == 1
    assert [line["instance"] for line in logs if line["event"] == "another process notifies from now on"] == ["b:1"]


def test_who_starts_again_under_its_name_need_not_wait_for_itself_and_two_of_one_name_are_two() -> None:
    store, clock = MemoryStore(), ManualClock(now_ms=1_000)
    killed = Lease(store, clock, "a:1")
    assert killed.look()
    again = Lease(store, clock, "a:1")
    assert (again.look(), again.holder) == (True, "a:1")
    clock.advance(RENEW_S)
    assert (killed.look(), killed.is_lost, again.look()) == (False, True, True)


def test_of_two_that_find_it_free_at_one_moment_one_has_it() -> None:
    class Both(MemoryStore):
        """Gives the other its turn between what one reads and what it writes."""

        other: Lease | None = None

        def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
            other, self.other = self.other, None
            if other is not None:
                other.look()
            super().append(table, columns, token)

    store, clock = Both(), ManualClock(now_ms=1_000)
    first, second = Lease(store, clock, "a:1"), Lease(store, clock, "b:1")
    store.other = second
    assert (first.look(), second.is_held, first.holder) == (False, True, "b:1")


def test_as_long_as_the_store_does_not_answer_nothing_is_notified_and_nothing_is_lost() -> None:
    class Away(MemoryStore):
        is_away = False

        def read(self, query: Query) -> Columns:
            if self.is_away:
                raise StoreError("no answer", retryable=True)
            return super().read(query)

    store, clock = Away(), ManualClock(now_ms=1_000)
    lease = Lease(store, clock, "a:1")
    assert lease.look()
    store.is_away = True
    clock.advance(RENEW_S)
    assert lease.look(), "nobody else can have it yet"
    clock.advance(LEASE_S)
    assert (lease.look(), lease.is_lost) == (False, False)
    store.is_away = False
    assert lease.look(), "nobody has taken it"


def test_it_is_taken_over_by_a_clock_that_does_not_leap() -> None:
    store = MemoryStore()
    here, elsewhere = ManualClock(now_ms=1_000), ManualClock(now_ms=86_400_000)
    holder, other = Lease(store, here, "a:1"), Lease(store, elsewhere, "b:1")
    assert holder.look()
    for _ in range(20):
        for clock, look in ((here, holder.look), (elsewhere, other.look)):
            clock.advance(RENEW_S)
            look()
        here.sleep(3_600)
    assert (holder.is_held, other.is_held) == (True, False)
    looks = []
    for _ in range(5):
        elsewhere.advance(RENEW_S)
        looks.append(other.look())
    assert looks == [False] * 3 + [True] * 2
    here.advance(RENEW_S)
    assert (holder.look(), holder.is_lost) == (False, True)
