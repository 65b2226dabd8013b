"""What fires is posted again about each minute where it is forgotten, and nobody is notified by that."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.clock import SystemClock
from monitor.delivery.target import Target
from monitor.routing.matchers import parse_matchers
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from sinks.receivers.contract import Delivered, Notification, Outcome, Refused, Retry
from sinks.receivers.memory import Memory
from sinks.store.contract import Query
from tests.routing.test_acknowledgement_log import taking_on
from tests.routing.test_router import MINUTE_MS, ROUTES, World
from tests.service.shop import wait_until

AT_ONCE: dict[str, Any] = ROUTES["route"] | {"group_wait": "0s"}


class Forgetful(World):
    """One in which the mail forgets."""

    mail_target = Target("mail", forgets=True)


def posted(inbox: Memory) -> list[tuple[list[str], list[str]]]:
    """Alerts of each post, firing and over."""
    posts = []
    for notification in inbox.received:
        by_status: dict[str, list[str]] = {"firing": [], "resolved": []}
        for alert in notification.alerts:
            by_status[alert.status].append(alert.labels["alert_id"])
        posts.append((sorted(by_status["firing"]), sorted(by_status["resolved"])))
    return posts


A_FIRES: tuple[list[str], list[str]] = (["a"], [])
A_IS_OVER: tuple[list[str], list[str]] = ([], ["a"])


def notified(world: World) -> list[tuple[str, int, str]]:
    rows = world.store.read(Query("notifications", order=("alert_id", "sequence", "receiver")))
    return list(zip(rows["alert_id"], rows["sequence"], rows["outcome"], strict=True))


def test_what_fires_is_posted_again_each_minute_and_is_one_notification() -> None:
    world = Forgetful()
    world.happens("a")
    world.passes(31 + 300)
    assert posted(world.mail) == [A_FIRES] * 6
    assert notified(world) == [("a", 0, "delivered")]
    assert len(world.store.read(Query("decisions"))["alert_id"]) == 1
    assert world.router.reminders == {("mail", "delivered"): 5}


def test_whoever_forgets_nothing_is_not_reminded() -> None:
    world = World()
    world.happens("a")
    world.passes(600)
    assert posted(world.mail) == [A_FIRES]
    assert not world.router.reminders


def test_a_reminder_says_what_was_notified_and_not_what_has_become_of_the_alert_since() -> None:
    world = Forgetful(route=ROUTES["route"] | {"repeat_interval": "1h"})
    world.happens("a", title="amount moved", reason="8 % are missing")
    world.passes(31)
    world.happens("a", "updated", title="amount and age moved", reason="9 % are missing")
    world.passes(3_600 - 60)
    [first, *reminders] = [post.alerts for post in world.mail.received]
    assert len(reminders) > 50
    assert set(map(repr, reminders)) == {repr(first)}
    # So it stays whoever reminds, until the route repeats the alert.
    world.router = world.started()
    world.passes(60)
    assert repr(world.mail.received[-1].alerts) == repr(first)
    world.passes(660)
    assert world.mail.received[-1].alerts[0].annotations["summary"] == "amount and age moved"
    assert notified(world) == [("a", 0, "delivered"), ("a", 1, "delivered")]


def test_after_a_restart_of_leeway_what_fires_is_posted_at_once_and_what_is_over_only_as_that() -> None:
    world = Forgetful()
    world.happens("a")
    world.happens("b")
    world.passes(31)
    world.happens("b", "resolved")
    world.mail.received.clear()
    world.router = world.started()
    world.passes(1)
    assert posted(world.mail) == [A_FIRES]
    world.passes(60)
    assert posted(world.mail)[1:] == [(["a"], ["b"]), (["a"], ["b"])]


def test_an_end_is_repeated_for_a_quarter_of_an_hour_and_nothing_comes_back() -> None:
    world = Forgetful(route=ROUTES["route"] | {"group_interval": "40s"})
    world.happens("a")
    world.passes(31)
    world.happens("a", "resolved")
    world.passes(41)
    number = posted(world.mail).index(A_IS_OVER)
    world.passes(3_600)
    assert posted(world.mail)[number:] == [A_IS_OVER] * 16
    assert notified(world) == [("a", 0, "delivered"), ("a", 1, "delivered")]


def test_what_is_silenced_or_muted_or_inhibited_is_not_posted_meanwhile() -> None:
    world = Forgetful()
    log = SilenceLog(world.store, world.clock)
    world.happens("a")
    world.happens("b")
    world.passes(31)
    now_ms = world.clock.now_ms()
    log.set(Silence("", parse_matchers("alert_id=a"), now_ms, now_ms + 10 * MINUTE_MS, "ann", "known"))
    world.mail.received.clear()
    world.passes(590)
    assert posted(world.mail) == [(["b"], [])] * 10
    world.passes(360)
    assert posted(world.mail)[-1] == (["a", "b"], [])
    world.happens("c", cause="volume")
    world.passes(360)
    assert posted(world.mail)[-1] == (["c"], [])


def test_what_somebody_has_taken_on_is_not_posted_again() -> None:
    world = Forgetful()
    world.happens("a")
    world.passes(31)
    log = taking_on(world, "a")
    world.mail.received.clear()
    world.passes(300)
    assert posted(world.mail) == []
    log.take_back("a", created_by="ann")
    world.passes(120)
    assert posted(world.mail) == [A_FIRES] * 2


def test_a_higher_severity_is_posted_once_it_is_notified_and_the_lower_one_is_over() -> None:
    world = Forgetful(route=ROUTES["route"] | {"routes": []})
    world.happens("a")
    world.passes(31)
    world.happens("a", "updated", severity="critical")
    world.passes(420)
    posts = [[(alert.status, alert.labels["severity"]) for alert in post.alerts] for post in world.mail.received]
    changed = [("firing", "critical"), ("resolved", "warning")]
    assert [sorted(post) for post in posts] == [[("firing", "warning")], changed, changed, changed]


def test_one_that_takes_no_reminder_is_tried_once_a_minute_and_it_is_said_and_counted() -> None:
    world = Forgetful()
    is_away = Retry("it is away", after_s=3_600)
    world.mail = Memory("mail", answers=[Delivered(), is_away, is_away, is_away, Refused("what is that")])
    world.router = world.started()
    world.happens("a")
    world.happens("b", severity="critical")
    world.passes(31)
    with capture_logs() as log:
        world.passes(300)
    assert world.router.reminders == {("mail", "gave_up"): 3, ("mail", "refused"): 1, ("mail", "delivered"): 1}
    said = [(entry["event"], entry.get("reason")) for entry in log if "standing" in entry["event"]]
    assert said == [
        ("standing alerts were not posted again", "it is away"),
        ("standing alerts were not posted again", "what is that"),
        ("standing alerts are posted again", None),
    ]
    assert Counter(outcome for _, _, outcome in notified(world)) == {"delivered": 3}


def test_many_alerts_are_posted_by_the_hundred_and_what_one_that_fails_holds_back_comes_first_in_a_minute() -> None:
    world = Forgetful()
    world.mail = Memory("mail", answers=[Delivered()] * 4 + [Retry("it is away")])
    world.router = world.started()
    for number in range(250):
        world.happens(f"a{number:03}")
    world.passes(31)
    world.mail.received.clear()
    world.passes(60)
    assert [len(post.alerts) for post in world.mail.received] == [100, 100, 50]
    assert len({alert.fingerprint for post in world.mail.received for alert in post.alerts}) == 250
    world.mail.received.clear()
    world.passes(60)
    [failed] = world.mail.received
    assert len(failed.alerts) == 100
    world.passes(60)
    [first, second, third] = world.mail.received[1:]
    assert not {alert.fingerprint for alert in first.alerts} & {alert.fingerprint for alert in failed.alerts}
    assert len({alert.fingerprint for post in (first, second, third) for alert in post.alerts}) == 250


class Hesitant(Memory):
    """Takes the second notification about a model once it has been reminded some times since it came."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.notifications: list[int] = []

    def send(self, notification: Notification) -> Outcome:
        answer = super().send(notification)
        if notification.group_labels.get("model") == "fraud":
            self.notifications.append(len(self.received) - 1)
        tries = self.notifications[1:]
        is_early = notification.group_key != "reminder" and len(self.received) - (tries or [0])[0] < 6 + len(tries)
        return Retry("not yet", may_have_it=True) if tries and is_early else answer


@pytest.fixture
def each_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.routing.reminders.REMINDED_EVERY_S", 0.05)


@pytest.mark.usefixtures("each_moment")
@pytest.mark.parametrize(("state", "then"), [("updated", (["a", "b"], [])), ("resolved", (["b"], ["a"]))])
def test_an_alert_is_left_to_its_notification_while_that_is_on_its_way(
    state: str, then: tuple[list[str], list[str]]
) -> None:
    world = Forgetful(route=AT_ONCE | {"routes": [], "leeway": {"every_change": True}})
    world.clock = SystemClock()  # type: ignore[assignment]
    world.mail = hesitant = Hesitant("mail")
    world.router = world.started()
    stop = threading.Event()
    thread = threading.Thread(target=world.router.run, args=(stop, 0.01))
    thread.start()
    try:
        world.happens("a")
        world.happens("b", model="churn")
        wait_until(lambda: (["a", "b"], []) in posted(hesitant), "both are posted again")
        world.happens("a", state)
        wait_until(lambda: ("a", 1, "delivered") in notified(world), "it is taken in the end")
        count = world.router.reminders["mail", "delivered"]
        wait_until(lambda: world.router.reminders["mail", "delivered"] > count + 5, "and posted again, too")
    finally:
        stop.set()
        thread.join(120)
    posts, [_, first, *others] = posted(hesitant), hesitant.notifications
    meanwhile = [posts[number] for number in range(first + 1, others[-1]) if number not in others]
    assert len(meanwhile) >= 5
    assert all(post == (["b"], []) for post in meanwhile)
    # The first may have been composed before it was noted that the receiver has taken the notification.
    early, *later = posts[others[-1] + 1 :]
    assert early in ((["b"], []), then)
    assert all(post == then for post in later)


class Hanging(Memory):
    """Answers no reminder before it is let."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.let = threading.Event()

    def send(self, notification: Notification) -> Outcome:
        answer = super().send(notification)
        if notification.group_key == "reminder":
            self.let.wait(120)
        return answer


@pytest.mark.usefixtures("each_moment")
def test_a_reminder_that_hangs_delays_no_other_receiver_and_nothing_piles_up_behind_it() -> None:
    world = Forgetful(route=AT_ONCE | {"group_interval": "1s"})
    world.clock = SystemClock()  # type: ignore[assignment]
    world.mail = hanging = Hanging("mail")
    world.router = world.started()
    stop = threading.Event()
    thread = threading.Thread(target=world.router.run, args=(stop, 0.01))
    thread.start()
    try:
        world.happens("a")
        wait_until(lambda: len(hanging.received) == 2, "it is posted again, and that hangs")
        world.happens("b", severity="critical")
        wait_until(lambda: world.pager.received, "another receiver is notified")
        wait_until(lambda: world.router.backlog["mail"] == 1, "the next notification waits behind it")
        assert len(hanging.received) == 2
        hanging.let.set()
        wait_until(lambda: not world.router.backlog["mail"], "and comes next")
        assert hanging.received[2].group_key != "reminder"
    finally:
        hanging.let.set()
        stop.set()
        thread.join(120)
    assert not thread.is_alive()
