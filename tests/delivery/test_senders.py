"""Each receiver has a thread of its own: what one does not take delays neither others nor other notifications."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from monitor.clock import ManualClock, SystemClock
from monitor.delivery.attempts import Attempts, Delivery, Pause
from monitor.delivery.patience import Patience
from monitor.delivery.senders import Senders
from monitor.delivery.target import Target
from sinks.receivers.contract import Alert, Notification, Outcome, Retry
from sinks.receivers.memory import Memory

BUSY, OTHER = Target("busy"), Target("other")


class Timed(Memory):
    """Notes when it is tried."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.tries_s: list[float] = []

    def send(self, notification: Notification) -> Outcome:
        self.tries_s.append(time.monotonic())
        return super().send(notification)


def notification(key: str) -> Notification:
    return Notification("busy", key, {}, (Alert("firing", {}, {}, 0),))


def test_a_receiver_that_asks_to_be_left_alone_gets_nothing_until_then_and_others_get_theirs() -> None:
    busy, other = Timed("busy", answers=[Retry("slow down", after_s=0.4)]), Memory("other")
    senders = Senders({BUSY: busy, OTHER: other}, SystemClock(), Patience(first_s=0.01))
    senders.start()
    first = senders.send(BUSY, notification("a"), 60)
    while not busy.received:
        time.sleep(0.001)
    second, elsewhere = senders.send(BUSY, notification("b"), 60), senders.send(OTHER, notification("a"), 60)
    assert elsewhere.result(120) == Delivery("delivered", "", 1)
    assert (first.result(120).attempts, second.result(120).attempts) == (2, 1)
    assert min(busy.tries_s[1:]) - busy.tries_s[0] >= 0.4
    senders.stop()


def test_a_notification_that_is_not_taken_lets_others_pass_and_is_given_up_when_the_service_stops() -> None:
    class Picky(Memory):
        def send(self, notification: Notification) -> Outcome:
            super().send(notification)
            return Retry("no a") if notification.group_key == "a" else super().send(notification)

    senders = Senders({BUSY: Picky("busy")}, SystemClock(), Patience(first_s=60))
    senders.start()
    refused, taken = senders.send(BUSY, notification("a"), 600), senders.send(BUSY, notification("b"), 600)
    assert taken.result(120).outcome == "delivered"
    assert not refused.done()
    senders.stop()
    assert refused.result(120) == Delivery("gave_up", "no a", 1)


def test_a_receiver_that_is_dropped_is_closed_behind_what_waits_for_it() -> None:
    closed = threading.Event()

    class Closing(Memory):
        def close(self) -> None:
            assert [sent.group_key for sent in self.received] == ["a", "a"]
            closed.set()

    senders = Senders({BUSY: Closing("busy", answers=[Retry("busy")])}, SystemClock(), Patience(first_s=0.05))
    senders.start()
    last = senders.send(BUSY, notification("a"), 60)
    senders.drop(BUSY)
    assert closed.wait(120)
    assert last.result(120).outcome == "delivered"
    senders.stop()
    assert senders.send(BUSY, notification("b"), 60).result(120).outcome == "gave_up"


def test_without_threads_it_is_done_when_send_returns() -> None:
    busy = Memory("busy", answers=[Retry("busy")] * 3)
    senders = Senders({BUSY: busy}, ManualClock(), Patience())
    assert senders.send(BUSY, notification("a"), 60).result(0) == Delivery("delivered", "", 4)


def test_a_receiver_that_raises_refuses_and_repeats_no_secret() -> None:
    class Broken(Memory):
        def send(self, notification: Notification) -> Outcome:
            raise KeyError("token-1234")

    senders = Senders({BUSY: Broken("busy"), OTHER: Memory("other")}, SystemClock(), Patience())
    senders.start()
    broken, other = senders.send(BUSY, notification("a"), 60), senders.send(OTHER, notification("a"), 60)
    assert broken.result(120).outcome == "refused"
    assert broken.result().reason.startswith("the receiver fails: KeyError at send, line ")
    assert other.result(120).outcome == "delivered"
    senders.stop()


def test_an_answer_that_asks_for_years_is_heeded_for_an_hour() -> None:
    busy = Memory("busy", answers=[Retry("come back", after_s=1e9)])
    attempts = Attempts(busy, notification("a"), 1e12, ManualClock(), Patience())
    assert attempts.next() == Pause(3600.0)
    assert attempts.held_s == 3600.0


def test_what_is_given_up_because_it_would_have_to_wait_for_longer_has_the_others_wait_even_so() -> None:
    busy = Timed("busy", answers=[Retry("slow down", after_s=0.4)])
    senders = Senders({BUSY: busy}, SystemClock(), Patience(first_s=0.01))
    senders.start()
    first, second = senders.send(BUSY, notification("a"), 0.1), senders.send(BUSY, notification("b"), 60)
    assert first.result(120) == Delivery("gave_up", "slow down", 1)
    assert second.result(120) == Delivery("delivered", "", 1)
    assert busy.tries_s[1] - busy.tries_s[0] >= 0.4
    senders.stop()


def test_a_date_that_an_answer_names_counts_by_our_clock() -> None:
    busy = Memory("busy", answers=[Retry("busy", until_ms=90_000), Retry("busy", until_ms=10_000)])
    attempts = Attempts(busy, notification("a"), 600, ManualClock(now_ms=30_000), Patience(first_s=1))
    assert [attempts.next(), attempts.next()] == [Pause(60.0), Pause(2.0)]


@pytest.mark.parametrize(("configuration", "is_held"), [("as before", True), ("another address", False)])
def test_who_asks_to_be_left_alone_is_left_alone_by_those_who_go_on_unless_it_is_another(
    configuration: str, is_held: bool
) -> None:
    former_busy = Memory("busy", answers=[Retry("slow down", after_s=3600)])
    former_target = Target("busy", configuration="as before")
    former = Senders({former_target: former_busy}, SystemClock(), Patience())
    former.start()
    assert former.send(former_target, notification("a"), 60).result(120).outcome == "gave_up"
    former.stop()
    # Several may follow each other before there is anything to send.
    for _ in range(2):
        busy, target = Memory("busy"), Target("busy", configuration=configuration)
        senders = Senders({target: busy}, SystemClock(), Patience())
        senders.follow(former)
        senders.start()
        former = senders
    sending = senders.send(target, notification("b"), 60)
    if not is_held:
        assert sending.result(120).outcome == "delivered"
    else:
        senders.withdraw(target, [sending])
        assert sending.result(120).reason.startswith("the receiver asks to be sent nothing before ")
        assert busy.received == []
    senders.stop()
