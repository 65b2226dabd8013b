"""People who subscribe are told beside the routes: at once, for as long as they wish, and not twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from monitor.clock import SystemClock
from monitor.delivery.target import Target
from monitor.errors import InputError
from monitor.routing.matchers import parse_matchers
from monitor.routing.plan import Plan
from monitor.routing.router import Router
from monitor.routing.routes import Route, RouteOptions
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from sinks.receivers.contract import Delivered, Notification, Outcome, Receiver, Retry
from sinks.receivers.memory import Memory
from sinks.store.contract import Query
from tests.routing.test_decision_log import decided
from tests.routing.test_router import MINUTE_MS, World, said
from tests.service.shop import wait_until


class Subscribed(World):
    """A router with subscribers; those who are no receiver of the routes have inboxes of their own."""

    def __init__(self, *, routes: bool = True) -> None:
        self.inboxes: dict[str, Memory] = {}
        self.has_routes = routes
        super().__init__(open_at_once=False)
        self.log = SubscriptionLog(self.store, self.clock)
        self.router = self.started()

    def started(self) -> Router:
        receivers = {Target("mail"): self.mail, Target("pager", send_resolved=False): self.pager}
        root = self.alerting.route.build() if self.has_routes else Route(RouteOptions())
        plan = Plan(root, receivers if self.has_routes else {}, reached=self.reached)
        router = Router(self.store, plan, self.clock, "", ["fraud", "churn"])
        router.open()
        return router

    def reached(self, subscription: Subscription) -> Mapping[Target, Callable[[], Receiver]]:
        if subscription.receiver == "gone":
            raise InputError("no receiver is named 'gone'")
        if not subscription.address:
            found = {"mail": self.mail, "pager": self.pager}[subscription.receiver]
            return {Target(subscription.told): lambda: found}
        inbox = self.inboxes.setdefault(subscription.address, Memory(subscription.told))
        return {Target(subscription.told): lambda: inbox}

    def wants(self, matchers: str, address: str = "", receiver: str = "email", **waits: Any) -> Subscription:
        options = RouteOptions(group_by=frozenset({"model"}), **waits)
        return self.log.add(Subscription(parse_matchers(matchers), receiver, address, options))


ANN, BOB = "ann@example.org", "bob@example.org"


def test_a_subscriber_is_told_what_the_matchers_match_whatever_routes_say() -> None:
    world = Subscribed()
    wanted = world.wants("model=fraud", ANN)
    world.passes(1)
    world.happens("a", severity="critical")
    world.happens("b", model="churn")
    world.passes(31)
    assert said(world.inboxes[ANN]) == [("fraud", ["a"], [])]
    assert sorted(said(world.mail)) == [("churn", ["b"], []), ("fraud", ["a"], [])], "routes tell as they would without"
    assert len(world.pager.received) == 1
    [mail] = world.inboxes[ANN].received
    assert mail.group_key == f'subscription/{wanted.id}{{model="fraud"}}:{{model="fraud"}}'
    world.happens("a", "resolved", severity="critical")
    world.passes(301)
    assert said(world.inboxes[ANN])[1:] == [("fraud", [], ["a"])]


def test_subscriptions_are_heeded_without_routes() -> None:
    world = Subscribed(routes=False)
    world.happens("a")
    world.passes(60)
    world.wants("severity=~warn.*", ANN)
    world.wants("model=churn", BOB)
    world.passes(2)
    assert said(world.inboxes[ANN]) == [("fraud", ["a"], [])], "what fires is told at once"
    assert said(world.inboxes[BOB]) == []
    assert [(receiver, why) for _, receiver, _, why, _ in decided(world.store)] == [(f"email:{ANN}/0", "delivered")]


def test_a_subscription_that_ends_tells_nothing_more_and_one_that_is_made_anew_tells_nothing_twice() -> None:
    world = Subscribed()
    wanted = world.wants("model=fraud", ANN, group_wait_ms=0)
    world.happens("a")
    world.passes(2)
    assert world.log.end(wanted.id)
    world.happens("b")
    world.passes(600, each=10)
    assert said(world.inboxes[ANN]) == [("fraud", ["a"], [])]
    assert world.router.backlog.keys() == {"mail", "pager"}, "the receiver was let go"
    world.wants("model=fraud", ANN, group_wait_ms=0)
    world.happens("a", "resolved")
    world.passes(600, each=10)
    assert said(world.inboxes[ANN])[1:] == [("fraud", ["b"], ["a"])]


def test_a_restart_tells_subscribers_nothing_again_and_forgets_none() -> None:
    world = Subscribed()
    world.wants("model=fraud", ANN)
    world.happens("a")
    world.passes(40)
    world.happens("b")
    world.router = world.started()
    world.passes(40)
    assert said(world.inboxes[ANN]) == [("fraud", ["a"], []), ("fraud", ["a", "b"], [])]


def test_a_subscription_to_a_receiver_of_the_routes_is_told_in_its_own_groups() -> None:
    world = Subscribed()
    world.wants("model=fraud", receiver="mail", group_wait_ms=0, group_interval_ms=MINUTE_MS)
    world.passes(1)
    world.happens("a")
    world.passes(40)
    keys = [one.group_key for one in world.mail.received]
    assert [key.startswith("subscription/") for key in keys] == [True, False]
    routes = {route for _, _, route, _, _ in decided(world.store)}
    assert len(routes) == 2, "both decisions are kept"


def test_what_is_silenced_is_not_told_to_subscribers_and_its_end_is_told_when_the_silence_is_over() -> None:
    world = Subscribed()
    world.wants("model=fraud", ANN)
    world.happens("a")
    world.passes(40)
    now_ms = world.clock.now_ms()
    SilenceLog(world.store, world.clock).set(
        Silence("", parse_matchers("alert_id=a"), now_ms, now_ms + 20 * MINUTE_MS, "ann", "known")
    )
    world.happens("a", "resolved")
    world.passes(900, each=10)
    assert said(world.inboxes[ANN]) == [("fraud", ["a"], [])]
    world.passes(900, each=10)
    assert said(world.inboxes[ANN])[1:] == [("fraud", [], ["a"])]


def test_a_subscription_whose_receiver_is_gone_disturbs_no_other() -> None:
    world = Subscribed()
    world.wants("model=fraud", receiver="gone")
    world.wants("model=fraud", ANN)
    world.happens("a")
    world.passes(40)
    assert said(world.inboxes[ANN]) == [("fraud", ["a"], [])]


def test_the_same_wishes_are_one_subscription() -> None:
    world = Subscribed()
    first = world.wants("model=fraud,severity=critical", ANN)
    world.clock.advance(60)
    assert world.wants("severity=critical,model=fraud", ANN).created_ms == first.created_ms
    world.wants("severity=critical", ANN)
    assert len(world.log.all()) == 2
    ended = world.log.end(first.id)
    assert ended
    assert sorted(world.store.read(Query("subscriptions"))["address"]) == ["", ANN], (
        "an address is forgotten with its subscription"
    )


class Hanging(Memory):
    """Answers when it is let."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.let, self.closed = threading.Event(), False

    def send(self, notification: Notification) -> Outcome:
        self.let.wait(120)
        return super().send(notification)

    def close(self) -> None:
        self.closed = True


def test_a_receiver_is_let_go_when_it_has_been_told_what_it_was_being_told() -> None:
    world = Subscribed(routes=False)
    world.clock = SystemClock()  # type: ignore[assignment]
    world.log = SubscriptionLog(world.store, world.clock)
    world.inboxes[ANN] = hanging = Hanging("slow")
    wanted = world.wants("model=fraud", ANN, group_wait_ms=0)
    world.router = world.started()
    stop = threading.Event()
    thread = threading.Thread(target=world.router.run, args=(stop, 0.01))
    thread.start()
    try:
        world.happens("a")
        wait_until(lambda: sum(world.router.backlog.values()) == 1, "it is being told")
        world.log.end(wanted.id)
        world.wants("model=fraud", BOB, group_wait_ms=0)
        wait_until(lambda: said(world.inboxes.get(BOB, Memory("none"))), "another one is told meanwhile")
        assert not hanging.closed
        hanging.let.set()
        wait_until(lambda: hanging.closed, "it is closed")
        assert said(hanging) == [("fraud", ["a"], [])]
        wait_until(lambda: not any(world.router.backlog.values()), "what it answered is noted")
    finally:
        hanging.let.set()
        stop.set()
        thread.join()


def test_a_subscriber_that_does_not_answer_is_told_at_the_next_look() -> None:
    world = Subscribed()
    world.inboxes[ANN] = Memory("email", answers=[Retry("busy", after_s=1_000), Delivered()])
    world.wants("model=fraud", ANN)
    world.happens("a")
    world.passes(340)
    assert said(world.inboxes[ANN]) == [("fraud", ["a"], []), ("fraud", ["a"], [])]
