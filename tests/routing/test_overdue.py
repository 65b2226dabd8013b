"""A flush ends in time, whoever has not taken it: others go on, and what was not sent is decided on anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from monitor.clock import SystemClock
from monitor.delivery.target import Target
from monitor.routing import groups
from monitor.routing.plan import Plan
from monitor.routing.router import Router
from sinks.receivers.contract import Delivered, Notification, Outcome, Retry
from sinks.receivers.memory import Memory
from tests.routing.test_decision_log import decided
from tests.routing.test_router import ROUTES, World, said
from tests.routing.test_taken_over import Hanging
from tests.service.shop import wait_until

INTERVAL_MS = 300


class Timed(Memory):
    """Notes when it is tried."""

    def __init__(self, name: str, *answers: Outcome) -> None:
        super().__init__(name, answers=answers)
        self.tries_s: list[float] = []

    def send(self, notification: Notification) -> Outcome:
        self.tries_s.append(time.monotonic())
        return super().send(notification)


class Hurried(World):
    """A group for each alert that is looked at every now and then, by the machine's clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *entries: Memory) -> None:
        monkeypatch.setattr(groups, "PATIENCE_MS", INTERVAL_MS)
        waits = {"group_wait": "0s", "group_interval": f"{INTERVAL_MS}ms"}
        route = {**ROUTES["route"], **waits, "group_by": ["model", "alert_id"], "routes": []}
        super().__init__(open_at_once=False, route=route)
        self.clock = SystemClock()  # type: ignore[assignment]
        self.entries = entries

    @contextmanager
    def runs(self) -> Iterator[Router]:
        receivers = {Target("mail", number): entry for number, entry in enumerate(self.entries)}
        router = Router(self.store, Plan(self.alerting.route.build(), receivers), self.clock, "", ["fraud"])
        router.open()
        stop = threading.Event()
        stage = threading.Thread(target=router.run, args=(stop, INTERVAL_MS / 1000))
        stage.start()
        try:
            yield router
        finally:
            stop.set()
            stage.join(60)
            router.close()


def test_an_entry_that_hangs_does_not_delay_what_another_one_hears_and_hears_nothing_that_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sick, well = Hanging("mail"), Memory("mail")
    world = Hurried(monkeypatch, sick, well)
    with world.runs():
        for alert_id in "abc":
            world.happens(alert_id)
        wait_until(lambda: len(well.received) == 3, "the one that is well hears what fires")
        sick.is_tried.wait()
        for alert_id in "abc":
            world.happens(alert_id, "resolved")
        wait_until(lambda: len(well.received) == 6, "and what is over, while the other one hangs")
        assert sick.received == []
        sick.may_answer.set()
        wait_until(lambda: len(sick.received) == 2, "the other one hears of the end of what it took")
    (_, (tried,), _), ended = said(sick)
    assert ended == ("fraud", [], [tried]), "of the others it never heard that they fire"


def test_what_is_taken_only_after_its_flush_is_over_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sick, well = Hanging("mail"), Memory("mail")
    world = Hurried(monkeypatch, sick, well)
    with world.runs() as router:
        world.happens("a")
        sick.is_tried.wait()
        wait_until(lambda: router.backlog["mail"] == 2 and well.received != [], "its group was looked at again")
        sick.may_answer.set()
        wait_until(lambda: router.backlog["mail"] == 0, "it has answered")
        world.happens("b")
        wait_until(lambda: len(sick.received) == 2, "it hears what comes next")
    assert said(sick) == [("fraud", ["a"], []), ("fraud", ["b"], [])]


def test_a_receiver_that_asks_to_be_left_alone_for_longer_than_a_flush_lasts_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = Timed("mail", Retry("slow down", after_s=2), Delivered())
    world = Hurried(monkeypatch, busy)
    with world.runs():
        world.happens("a")
        wait_until(lambda: busy.received != [], "it is tried")
        world.happens("b")
        wait_until(lambda: len(busy.received) == 3, "both are sent after all")
    assert busy.tries_s[1] - busy.tries_s[0] >= 2
    assert sorted(alert_id for _, (alert_id,), _ in said(busy)) == ["a", "a", "b"]
    reasons = [reason for *_, why, reason in decided(world.store) if why == "gave_up"]
    assert reasons[0] == "slow down"
    assert any(reason.startswith("the receiver asks to be sent nothing before 2") for reason in reasons)
