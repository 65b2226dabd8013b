"""A router goes on at once where another ended: only a receiver that is still being sent something is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from monitor.clock import SystemClock
from monitor.delivery.target import Target
from monitor.routing import router as routing
from monitor.routing.plan import Plan
from monitor.routing.router import Router
from monitor.routing.routers import Routers
from sinks.receivers.contract import Delivered, Notification, Outcome, Refused, Retry
from sinks.receivers.memory import Memory
from sinks.store.contract import Query
from sinks.store.rows import rows_of
from tests.routing.test_decision_log import decided
from tests.routing.test_digests import Summed
from tests.routing.test_router import ROUTES, World, said
from tests.routing.test_silence_notices import ALL, silenced
from tests.service.shop import wait_until


class Hanging(Memory):
    """Answers nothing until it may."""

    def __init__(self, name: str, *answers: Outcome) -> None:
        super().__init__(name, answers=answers)
        self.is_tried, self.may_answer, self.is_closed = threading.Event(), threading.Event(), threading.Event()

    def send(self, notification: Notification) -> Outcome:
        self.is_tried.set()
        self.may_answer.wait()
        return super().send(notification)

    def close(self) -> None:
        self.is_closed.set()


class Reloaded(World):
    """Routers one after the other, by the machine's clock; a receiver has an entry that hangs, and one that is well."""

    def __init__(self, *answers: Outcome) -> None:
        route = {**ROUTES["route"], "group_wait": "0s", "routes": []}
        super().__init__(open_at_once=False, route=route)
        self.clock = SystemClock()  # type: ignore[assignment]
        self.sick, self.well = Hanging("mail", *answers), Memory("mail")
        self.stop = threading.Event()

    def started(self) -> Router:
        receivers = {Target("mail", 0): self.sick, Target("mail", 1): self.well}
        plan = Plan(self.alerting.route.build(), receivers)
        return Router(self.store, plan, self.clock, "", ["fraud", "churn"])

    @contextmanager
    def runs(self) -> Iterator[Routers]:
        routers = Routers(self.started())
        routers.open()
        stage = threading.Thread(target=routers.run, args=(self.stop,))
        stage.start()
        try:
            yield routers
        finally:
            self.stop.set()
            stage.join(60)
            assert not stage.is_alive(), "it ends whatever hangs"
            routers.close()

    def outcomes(self, alert_id: str, receiver: str) -> list[str]:
        rows = rows_of(self.store.read(Query("notifications")))
        return [row["outcome"] for row in rows if (row["alert_id"], row["receiver"]) == (alert_id, receiver)]


def test_routes_are_taken_up_while_a_receiver_hangs_and_others_are_notified_at_once() -> None:
    world = Reloaded()
    former = world.sick
    with world.runs() as routers:
        world.happens("a")
        former.is_tried.wait()
        world.sick = Hanging("mail")
        world.sick.may_answer.set()
        for _ in range(2):  # and so does the next one
            routers.follow(world.started)
        world.happens("b", model="churn")
        wait_until(lambda: ("churn", ["b"], []) in said(world.well), "the one that is well is notified by new routes")
        assert (said(former), said(world.sick), former.is_closed.is_set()) == ([], [], False)
        former.may_answer.set()
        wait_until(lambda: said(world.sick) == [("churn", ["b"], [])], "what waited is sent once the other has ended")
        wait_until(former.is_closed.is_set, "it is closed behind what it was sent")
    assert said(former) == [("fraud", ["a"], [])]
    assert said(world.well) == [("fraud", ["a"], []), ("churn", ["b"], [])]
    assert world.outcomes("a", "mail/0") == ["delivered"]
    again = world.started()
    again.step()
    assert said(world.sick) == [("churn", ["b"], [])], "the log knows what was sent meanwhile"


@pytest.mark.parametrize("answer", [Retry("busy"), Retry("no answer in time", may_have_it=True)])
def test_what_was_not_taken_of_former_routes_is_sent_by_the_new_ones_at_once(answer: Retry) -> None:
    world = Reloaded(answer, Delivered())
    with world.runs() as routers:
        world.happens("a")
        world.sick.is_tried.wait()
        wait_until(lambda: said(world.well) == [("fraud", ["a"], [])], "the one that is well is notified")
        routers.follow(world.started)
        world.happens("b", model="churn")
        wait_until(lambda: ("churn", ["b"], []) in said(world.well), "the new routes are taken up")
        world.sick.may_answer.set()
        wait_until(lambda: world.outcomes("a", "mail/0") == ["delivered"], "it is sent again")
        wait_until(lambda: len(world.sick.received) == 3, "what waited is sent")
    assert sorted(said(world.sick)) == [("churn", ["b"], []), *[("fraud", ["a"], [])] * 2]
    assert said(world.well) == [("fraud", ["a"], []), ("churn", ["b"], [])]


def test_a_service_that_stops_while_a_receiver_hangs_says_which_and_notifies_it_after_the_next_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(routing, "LEAVE_S", 0.05)
    world = Reloaded()
    with capture_logs() as log, world.runs():
        world.happens("a")
        world.sick.is_tried.wait()
        wait_until(lambda: said(world.well) == [("fraud", ["a"], [])], "the other one is notified")
    event = "receivers have not answered: they are notified again after the next start"
    assert {"event": event, "receivers": ["mail/0"], "log_level": "warning"} in log
    world.sick.may_answer.set()
    wait_until(world.sick.is_closed.is_set, "it is closed behind what it was sent")
    world.started().step()
    assert said(world.sick) == [("fraud", ["a"], [])] * 2
    assert said(world.well) == [("fraud", ["a"], [])]


def summed() -> tuple[World, Hanging]:
    world, sick = Summed(), Hanging("daily/0")
    world.happens("a")
    world.passes(60)
    world.mail = sick
    world.router = world.started()
    return world, sick


def noticed() -> tuple[World, Hanging]:
    world, sick = World(**ALL), Hanging("pager")
    silenced(world, minutes=10**6)  # the clock runs on while a thread begins
    world.pager = sick
    world.router = world.started()
    return world, sick


@pytest.mark.parametrize("begun", [summed, noticed])
def test_a_summary_or_a_notice_that_is_being_sent_when_routes_change_is_sent_once(
    begun: Callable[[], tuple[World, Hanging]],
) -> None:
    world, sick = begun()
    former = world.router
    former.run(threading.Event(), has_successor=sick.is_tried.is_set)
    world.router = world.started()
    world.router.take_over(former)
    sick.may_answer.set()
    wait_until(lambda: len(sick.received) == 1, "it is sent")
    world.passes(60)
    world.router = world.started()
    world.passes(60)
    assert len(sick.received) == 1


def test_routes_that_are_taken_up_again_and_again_keep_no_alert_waiting() -> None:
    """As where models register themselves, a few a minute: each time whoever notifies begins anew."""
    world = World()

    def passes_with_reloads(seconds: int) -> None:
        for _ in range(0, seconds, 20):
            world.passes(20)
            former, unopened = world.router, world.unopened()
            unopened.take_over(former)
            unopened.open()

    world.happens("a")
    passes_with_reloads(40)
    assert said(world.mail) == [("fraud", ["a"], [])]
    world.happens("b")
    passes_with_reloads(40)
    assert said(world.mail)[1:] == [("fraud", ["a", "b"], [])]
    world.happens("a", "resolved")
    passes_with_reloads(340)
    assert said(world.mail)[2:] == [("fraud", ["b"], ["a"])], "once"


def test_the_log_says_once_that_a_receiver_which_is_gone_hears_of_no_end() -> None:
    world = World()
    world.happens("a", severity="critical")
    world.happens("b", severity="critical")
    world.passes(2)
    assert len(world.pager.received) == 1
    world.happens("b", "resolved", severity="critical")
    world.passes(2)
    receivers = {world.mail_target: world.mail}
    with capture_logs() as lines:
        for _ in range(2):
            Router(world.store, Plan(world.alerting.route.build(), receivers), world.clock, "", ["fraud"]).open()
    gone = [line for line in lines if "configured no more" in line["event"]]
    assert [(line["receiver"], line["alerts"], line["log_level"]) for line in gone] == [("pager/0", 1, "warning")]


def test_what_is_tried_again_says_so_and_why_until_it_is_taken() -> None:
    world = Reloaded(Retry("busy", after_s=3))
    world.sick.may_answer.set()

    def decisions() -> list[tuple[str, str]]:
        return [(why, detail) for _, name, _, why, detail in decided(world.store) if name == "mail/0"]

    with world.runs():
        world.happens("a")
        wait_until(lambda: [why for why, _ in decisions()] == ["retried"], "it is said that it is tried again")
        [(_, detail)] = decisions()
        wait_until(
            lambda: decisions() == [("delivered", "it was never notified")], "what came of it stands in its place"
        )
    assert detail.startswith("it has taken nothing since 2")
    assert detail.endswith(" UTC: busy")


@pytest.mark.parametrize("every_change", [False, True])
@pytest.mark.parametrize("is_taken", [False, True])
def test_an_end_is_for_those_who_took_that_it_fires(every_change: bool, is_taken: bool) -> None:
    """Also where other routes have been taken up since, or the process has ended, which know no more than is stored."""
    route = {**ROUTES["route"], "group_wait": "0s", "routes": [], "leeway": {"every_change": every_change}}
    world = World(open_at_once=False, route=route)
    world.mail = Memory("mail", answers=[] if is_taken else [Refused("no")])
    world.started()
    world.happens("a")
    world.passes(2)
    assert len(world.mail.received) == 1
    # when it has ended by the time that somebody else goes on
    world.happens("a", "resolved")
    world.started()
    world.passes(700)
    assert said(world.mail)[1:] == [("fraud", [], ["a"])] * is_taken
