"""People are told by routes: in groups, once, whatever breaks."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.alerts.alert_log import FRESHNESS_ALERTS, PERFORMANCE, table_of
from monitor.alerts.own import MODEL
from monitor.clock import ManualClock, SystemClock
from monitor.config.alerting import Alerting
from monitor.delivery.target import Target
from monitor.routing.inhibition import Rule
from monitor.routing.matchers import parse_matchers
from monitor.routing.plan import Plan
from monitor.routing.router import Router
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from monitor.routing.transitions import OVER
from sinks.receivers.contract import Delivered, Notification, Outcome, Refused, Retry
from sinks.receivers.memory import Memory
from sinks.store.contract import Columns, Query, StoreError
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service.shop import wait_until

MINUTE_MS = 60_000
ROUTES: dict[str, Any] = {
    "route": {
        "receiver": "mail",
        "group_by": ["model"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "4h",
        "routes": [{"matchers": ["severity=critical"], "receiver": "pager", "group_wait": "0s", "continue": True}, {}],
    },
    "receivers": [{"name": "mail"}, {"name": "pager"}],
    "inhibit_rules": [
        {"source_matchers": ["cause=volume"], "target_matchers": ["cause!=volume"], "equal": ["model"]},
    ],
}


class FlakyStore(MemoryStore):
    """Fails the next append to a table, with or without taking it, or the next question about one."""

    failing = failing_read = unanswered = ""

    def read(self, query: Query) -> Columns:
        if query.table == self.failing_read:
            self.failing_read = ""
            raise StoreError("it went away", retryable=True)
        return super().read(query)

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        if table == self.failing:
            self.failing = ""
            raise StoreError("disk is full", retryable=True)
        super().append(table, columns, token)
        if table == self.unanswered:
            self.unanswered = ""
            raise StoreError("it timed out", retryable=True)


class World:
    """A store, a clock and inboxes that outlive routers."""

    mail_target = Target("mail")

    def __init__(self, *, open_at_once: bool = True, **changes: Any) -> None:
        self.alerting = Alerting.model_validate(ROUTES | changes)
        self.store, self.clock = FlakyStore(), ManualClock(now_ms=10**12)
        self.mail, self.pager = Memory("mail"), Memory("pager")
        self.sequence: dict[str, int] = {}
        if open_at_once:
            self.router = self.started()

    def started(self) -> Router:
        self.unopened().open()
        return self.router

    def unopened(self) -> Router:
        rules = [Rule(rule.source, rule.target, rule.equal) for rule in self.alerting.inhibit_rules]
        receivers = {self.mail_target: self.mail, Target("pager", send_resolved=False): self.pager}
        notices = self.alerting.leeway.silence_notices
        self.plan = Plan(self.alerting.route.build(), receivers, rules, self.alerting.intervals, notices)
        self.router = Router(self.store, self.plan, self.clock, "http://leeway.example", ["fraud", "churn"])
        return self.router

    def happens(
        self, alert_id: str, state: str = "firing", *, title: str = "", reason: str = "", **changes: str
    ) -> None:
        """Write a transition, an hour after what it is about began."""
        now_ms = self.clock.now_ms() - int(changes.pop("ago_ms", "0"))
        sequence = self.sequence[alert_id] = self.sequence.get(alert_id, -1) + 1
        labels = {"alertname": "LeewayDrift", "alert_id": alert_id, "model": "fraud", "severity": "warning", **changes}
        row = {
            **{"model": labels["model"], "alert_id": alert_id, "sequence": sequence, "state": state, "at_ms": now_ms},
            **{"starts_ms": now_ms - 60 * MINUTE_MS, "ends_ms": now_ms if state == "resolved" else 0, "version": ""},
            **{"segment": "", "severity": labels["severity"], "title": title or f"{alert_id} moved"},
            "signals": json.dumps([{"reason": reason}] if reason else []),
            "labels": json.dumps(labels),
        }
        columns = {name: [value] for name, value in row.items()}
        self.store.append(table_of(labels), columns, token=f"{alert_id}/{sequence}")

    def passes(self, seconds: int, each: int = 1) -> None:
        """Let time pass, with a step each second, or more seldom."""
        for _ in range(0, seconds, each):
            self.clock.advance(each)
            self.router.step()


def said(inbox: Memory) -> list[tuple[str, list[str], list[str]]]:
    """Group and alerts, firing and over."""
    found = []
    for notification in inbox.received:
        by_status: dict[str, list[str]] = {"firing": [], "resolved": []}
        for alert in notification.alerts:
            by_status[alert.status].append(alert.labels["alert_id"])
        found.append((notification.group_labels["model"], sorted(by_status["firing"]), sorted(by_status["resolved"])))
    return found


def test_alerts_that_fire_together_are_told_together_and_their_ends_with_the_next_look() -> None:
    world = World()
    world.happens("a")
    world.passes(20)
    world.happens("b")
    world.happens("c", model="churn")
    world.passes(9)
    assert said(world.mail) == []
    world.passes(25)
    assert said(world.mail) == [("fraud", ["a", "b"], []), ("churn", ["c"], [])]
    world.happens("a", "resolved")
    world.passes(330)
    assert said(world.mail)[2:] == [("fraud", ["b"], ["a"])]
    assert said(world.pager) == []
    world.passes(4 * 3_600 + 300, each=60)
    assert said(world.mail)[3:] == [("churn", ["c"], []), ("fraud", ["b"], [])], "told again after four hours"


class TickingClock(ManualClock):
    """A clock that goes on by itself, as real ones do: by a millisecond whenever it is read."""

    def now_ms(self) -> int:
        self.advance(0.001)
        return super().now_ms()


def test_what_ends_in_the_step_that_looks_at_its_group_is_over_in_that_look() -> None:
    world = World(open_at_once=False)
    world.clock = TickingClock(now_ms=10**12)
    world.router = world.started()
    world.happens("a")
    world.passes(40)
    world.router = world.started()
    world.happens("a", "resolved")
    world.passes(31, each=31)
    assert said(world.mail) == [("fraud", ["a"], []), ("fraud", [], ["a"])]


class Slow(Memory):
    """Takes some time to answer."""

    def __init__(self, name: str, clock: ManualClock, takes_s: float) -> None:
        super().__init__(name)
        self._clock, self._takes_s = clock, takes_s

    def send(self, notification: Notification) -> Outcome:
        self._clock.advance(self._takes_s)
        return super().send(notification)


def test_a_repetition_is_due_from_when_the_receiver_answered_however_late_that_is_noted() -> None:
    now = {"group_wait": "0s", "group_interval": "60s", "repeat_interval": "58s"}
    world = World(open_at_once=False, route=ROUTES["route"] | now)
    # What is sent is noted together, so when the last one has answered.
    world.mail, world.pager = Slow("mail", world.clock, 5), Slow("pager", world.clock, 0)
    world.router = world.started()
    world.happens("a", severity="critical")
    world.router.step()
    assert len(world.mail.received) == len(world.pager.received) == 1
    world.clock.advance(55)
    world.router.step()
    assert (len(world.mail.received), len(world.pager.received)) == (1, 2)


def test_a_notification_has_alertmanager_s_group_key_and_the_alert_s_own_times() -> None:
    world = World()
    world.happens("a", severity="critical")
    world.passes(1)
    [page] = world.pager.received
    assert page.group_key == '{}/{severity="critical"}:{model="fraud"}'
    [alert] = page.alerts
    assert alert.starts_at_ms == 10**12 - 60 * MINUTE_MS
    assert alert.annotations == {"summary": "a moved", "dashboard": "http://leeway.example/alerts/a"}
    world.passes(30)
    assert [notification.group_key for notification in world.mail.received] == ['{}/{}:{model="fraud"}']
    log = world.store.read(Query("notifications", order=("receiver",)))
    assert list(zip(log["alert_id"], log["receiver"], log["outcome"], strict=True)) == [
        ("a", "mail/0", "delivered"),
        ("a", "pager/0", "delivered"),
    ]


def test_a_severity_that_rises_ends_the_alert_under_its_former_labels() -> None:
    world = World()
    world.happens("a")
    world.passes(31)
    world.happens("a", "updated", severity="critical")
    world.passes(300)
    told = [[(alert.status, alert.labels["severity"]) for alert in said.alerts] for said in world.mail.received]
    assert told == [[("firing", "warning")], [("firing", "critical"), ("resolved", "warning")]]
    assert len(world.pager.received) == 1


def test_what_follows_from_another_alert_is_not_told() -> None:
    world = World()
    world.happens("v", cause="volume")
    world.happens("a", cause="feature:amount")
    world.happens("b", cause="feature:amount", model="churn")
    world.passes(31)
    assert sorted(said(world.mail)) == [("churn", ["b"], []), ("fraud", ["v"], [])]
    world.happens("v", "resolved", cause="volume")
    world.passes(300)
    assert said(world.mail)[2:] == [("fraud", ["a"], ["v"])]


def test_a_silence_counts_from_the_next_look_on_and_what_still_fires_then_is_told_when_it_is_over() -> None:
    world = World()
    log = SilenceLog(world.store, world.clock)
    world.happens("a")
    world.happens("b")
    world.passes(20)
    now_ms = world.clock.now_ms()
    name = log.set(Silence("", parse_matchers("alert_id=a"), now_ms, now_ms + 10 * MINUTE_MS, "ann", "known"))
    world.passes(11)
    assert said(world.mail) == [("fraud", ["b"], [])]
    world.passes(400)
    log.expire(name)
    world.passes(300)
    assert said(world.mail)[1:] == [("fraud", ["a", "b"], [])]


def test_a_restart_tells_nobody_again_and_what_ended_meanwhile_is_told() -> None:
    world = World()
    world.happens("a")
    world.happens("b")
    world.passes(31)
    world.happens("a", "resolved")
    world.happens("c", model="churn")
    world.router = world.started()
    world.passes(61)
    assert said(world.mail) == [("fraud", ["a", "b"], []), ("fraud", ["b"], ["a"]), ("churn", ["c"], [])]
    world.router = world.started()
    world.passes(600)
    assert len(world.mail.received) == 3


def test_labels_that_changed_while_the_service_was_down_end_the_alert_under_the_former_ones() -> None:
    world = World()
    world.happens("a")
    world.passes(31)
    world.happens("a", "updated", severity="critical")
    world.router = world.started()
    world.passes(31)
    told = [[(alert.status, alert.labels["severity"]) for alert in said.alerts] for said in world.mail.received]
    assert [sorted(said) for said in told[1:]] == [[("firing", "critical"), ("resolved", "warning")]]
    world.happens("a", "resolved", severity="critical")
    world.passes(400)
    ended_ms = world.clock.now_ms()
    world.happens("b")
    world.passes(120)
    begins_ms = world.store.read(Query("checkpoints", where={"stage": "route", "name": "fraud"}))["position"]
    assert begins_ms.tolist() == [ended_ms], "the alert under its former labels is forgotten, too"


def test_history_pages_nobody() -> None:
    world = World(open_at_once=False)
    world.happens("old")
    world.clock.advance(3_600)
    world.router = world.started()
    world.happens("new")
    world.passes(120)
    assert said(world.mail) == [("fraud", ["new"], [])]


def test_a_receiver_that_refuses_or_fails_is_told_at_the_next_look_with_the_same_key() -> None:
    world = World()
    world.mail = Memory("mail", answers=[Refused("no"), Delivered()])
    world.router = world.started()
    world.happens("a")
    world.passes(31)
    world.happens("a", "resolved")
    world.passes(300)
    # It was never told that `a` fired, and so need not know that it is over.
    assert said(world.mail) == [("fraud", ["a"], [])]
    world.happens("b")
    world.happens("c")
    world.passes(301)
    assert said(world.mail)[1:] == [("fraud", ["b", "c"], [])]
    assert {one.group_key for one in world.mail.received} == {'{}/{}:{model="fraud"}'}
    log = world.store.read(Query("notifications"))
    assert sorted(zip(log["alert_id"], log["outcome"], strict=True)) == [
        ("a", "refused"),
        ("b", "delivered"),
        ("c", "delivered"),
    ]


def test_what_was_delivered_without_its_pictures_is_noted_and_counted_and_not_sent_again() -> None:
    world = World()
    reason = "without its pictures: slack.com: missing_scope"
    world.mail = Memory("mail", answers=[Delivered(reason)])
    world.router = world.started()
    world.happens("a")
    world.passes(300)
    assert said(world.mail) == [("fraud", ["a"], [])]
    [row] = rows_of(world.store.read(Query("notifications")))
    assert (row["outcome"], row["reason"], row["attempts"]) == ("delivered", reason, 1)
    [decision] = [row for row in rows_of(world.store.read(Query("decisions"))) if row["why"] == "delivered"]
    assert decision["detail"] == f"it was never notified; {reason}"
    assert world.router.incomplete == {"mail": 1}


def test_a_process_that_dies_between_sending_and_noting_tells_again_under_the_same_key() -> None:
    world = World()
    world.happens("a")
    world.store.failing = "notifications"
    world.passes(31)
    world.router = world.started()
    world.passes(31)
    assert said(world.mail) == [("fraud", ["a"], []), ("fraud", ["a"], [])]
    assert len({one.group_key for one in world.mail.received}) == 1


def known_about(world: World) -> dict[str, int]:
    """When what is known of each group was written, by the receiver's entry and the group's digest."""
    rows = world.store.read(Query("checkpoints", where={"stage": "told"}))
    return dict(zip(rows["name"], rows["position"].tolist(), strict=True))


def test_a_repetition_says_after_which_notification_it_comes_and_another_try_says_the_same() -> None:
    world = World(open_at_once=False)
    world.mail = Memory("mail", answers=[Delivered(), Retry("busy"), Retry("busy")])
    world.router = world.started()
    world.happens("a")
    world.passes(5 * 3_600, each=30)
    first, *tries = world.mail.received
    assert first.after_ms == 0
    assert len(tries) == 3
    assert {notification.after_ms for notification in tries} == {first.at_ms}
    assert all(notification.at_ms - first.at_ms > 4 * 60 * MINUTE_MS for notification in tries)


DAY_S = 86_400


def test_what_is_known_of_groups_whose_alerts_are_over_is_forgotten_and_what_fires_is_kept_young() -> None:
    world = World(route=ROUTES["route"] | {"repeat_interval": "8760h"})
    world.router = world.started()
    world.happens("over")
    world.happens("fires", model="churn")
    world.passes(31)
    world.happens("over", "resolved")
    world.passes(3_600, each=60)
    written = known_about(world)
    log = world.router.sent_log
    assert len(written) == len(log.sent) == 2
    world.passes(40 * DAY_S, each=3_600)
    age_ms = {name: world.clock.now_ms() - at_ms for name, at_ms in known_about(world).items()}
    assert sorted(round(ms / 1000 / DAY_S) for ms in age_ms.values()) == [1, 40], "one is written anew every day"
    assert len(log.sent) == 2, "a year may pass until it is told again"
    world.passes(366 * DAY_S, each=86_400)
    assert len(log.sent) == 1
    world.router = world.started()
    world.passes(120)
    assert len(world.router.sent_log.sent) == 1, "a restart finds the same"
    assert said(world.mail)[2:] == [("fraud", [], ["over"]), ("churn", ["fires"], [])]


class Killing(Memory):
    """Kills the process that tells it something, once it has it; then it answers."""

    kills = True

    def send(self, notification: Notification) -> Outcome:
        answer = super().send(notification)
        if self.kills:
            self.kills = False
            raise SystemExit
        return answer


def test_an_end_is_told_to_whom_a_process_told_the_beginning_that_died_before_it_was_noted() -> None:
    world = World()
    world.mail = Killing("mail")
    world.router = world.started()
    world.happens("a")
    world.happens("b")
    with pytest.raises(SystemExit):
        world.passes(31)
    world.happens("a", "resolved")
    world.router = world.started()
    world.passes(31)
    assert said(world.mail) == [("fraud", ["a", "b"], []), ("fraud", ["b"], ["a"])]
    world.happens("b", "resolved")
    world.router = world.started()
    world.passes(301)
    world.router = world.started()
    world.passes(301)
    assert said(world.mail)[2:] == [("fraud", [], ["b"])]


def test_an_end_is_told_to_whom_the_beginning_may_have_reached_though_no_answer_came() -> None:
    world = World()
    world.mail = Memory("mail", answers=[Retry("no answer", after_s=10**9, may_have_it=True)])
    world.router = world.started()
    world.happens("a")
    world.passes(31)
    world.happens("a", "resolved")
    world.passes(301)
    assert said(world.mail) == [("fraud", ["a"], []), ("fraud", [], ["a"])]


def test_what_a_clock_ahead_has_dated_is_repeated_as_if_it_had_been_notified_now() -> None:
    world = World()
    world.clock.advance(86_400)
    world.happens("a")
    world.passes(31)
    world.clock = ManualClock(now_ms=10**12)
    world.router = world.started()
    world.passes(4 * 3_600 + 600, each=60)
    assert said(world.mail) == [("fraud", ["a"], [])] * 2


def test_what_was_notified_before_a_clock_ran_behind_is_not_repeated_when_it_is_right_again() -> None:
    world = World()
    world.happens("a", severity="critical")
    world.passes(2)
    right = world.clock
    world.clock = ManualClock(right.now_ms() - 24 * 60 * MINUTE_MS)
    world.router = world.started()
    world.passes(600, each=10)
    right.advance(600)
    vars(world.clock).update(vars(right))
    world.passes(600, each=10)
    assert len(world.pager.received) == 1
    world.passes(14_400, each=300)
    assert len(world.pager.received) == 2


@pytest.mark.parametrize("restarts", [0, 1, 2])
def test_what_a_clock_behind_has_dated_is_notified_once_it_is_right_whoever_restarts(restarts: int) -> None:
    world = World()
    world.passes(120)
    right_ms = world.clock.now_ms()
    # given a process that began with a clock a day behind
    world.clock = ManualClock(right_ms - 24 * 60 * MINUTE_MS)
    world.router = world.started()
    # when an alert that it dates so is written while the clock turns right, and others follow that process
    world.happens("a")
    world.clock = ManualClock(right_ms)
    for _ in range(restarts):
        world.router = world.started()
    world.router = world.started()
    world.passes(60)
    assert said(world.mail) == [("fraud", ["a"], [])]
    # then nobody begins there any more once everything of that time has been read
    world.happens("a", "resolved")
    world.passes(3_600, each=10)
    world.happens("b")
    world.passes(7_200, each=10)
    notes = world.store.read(Query("checkpoints", where={"stage": "route", "name": "fraud"}))
    assert [config for partition, config in zip(notes["partition"], notes["config"], strict=True) if partition] == [
        OVER
    ]


def test_a_service_that_first_ran_with_a_clock_ahead_notifies_once_it_is_right() -> None:
    world = World(open_at_once=False)
    right, world.clock = world.clock, ManualClock(world.clock.now_ms() + 24 * 60 * MINUTE_MS)
    world.router = world.started()
    world.passes(2)
    world.clock = right
    world.happens("a")
    world.router = world.started()
    world.passes(120)
    assert said(world.mail) == [("fraud", ["a"], [])]


def test_what_cannot_be_noted_before_it_is_told_is_told_when_it_can() -> None:
    world = World()
    world.happens("a")
    world.passes(30)
    world.store.failing = "checkpoints"
    world.passes(1)
    assert said(world.mail) == []
    world.passes(1)
    assert said(world.mail) == [("fraud", ["a"], [])]


def test_a_store_that_fails_for_a_moment_loses_nothing_and_repeats_nothing() -> None:
    world = World()
    world.happens("a")
    world.store.failing = "notifications"
    world.passes(120)
    assert said(world.mail) == [("fraud", ["a"], [])]
    assert len(world.store.read(Query("notifications"))["alert_id"]) == 1


def test_a_router_that_stops_while_the_store_is_away_fails_nothing_and_says_what_is_repeated() -> None:
    world = World()
    world.happens("a")
    world.store.failing = "notifications"
    world.passes(31)
    assert said(world.mail) == [("fraud", ["a"], [])]
    world.store.failing = "notifications"
    stop = threading.Event()
    stop.set()
    with capture_logs() as log:
        world.router.run(stop)
    assert log[-1]["event"] == "what was notified last is not stored, and is notified again after the next start"


def test_a_router_that_another_follows_while_the_store_is_away_waits_with_what_was_notified() -> None:
    world = World()
    world.happens("a")
    world.store.failing = "notifications"
    world.passes(31)
    world.store.failing = "notifications"
    world.router.run(threading.Event(), has_successor=lambda: True)
    assert len(world.store.read(Query("notifications"))["alert_id"]) == 1
    world.started()
    world.passes(120)
    assert said(world.mail) == [("fraud", ["a"], [])]


def test_what_labels_say_is_notified_although_windows_of_a_later_time_were_read_before() -> None:
    world = World()
    world.passes(6 * 3600, each=600)
    world.happens("a")
    world.passes(60, each=5)
    # Hours of predictions are judged hours later.
    world.happens("b", ago_ms=str(180 * MINUTE_MS), alertname=PERFORMANCE, model="churn")
    world.happens("c", ago_ms=str(120 * MINUTE_MS), alertname=PERFORMANCE, cause="performance:accuracy")
    world.passes(600, each=5)
    assert said(world.mail) == [("fraud", ["a"], []), ("churn", ["b"], []), ("fraud", ["a", "c"], [])]


def test_transitions_that_were_read_before_the_store_went_away_are_notified() -> None:
    world = World()
    world.happens("a")
    world.store.failing_read = FRESHNESS_ALERTS
    world.passes(120)
    assert not world.store.failing_read
    assert said(world.mail) == [("fraud", ["a"], [])]


def test_transitions_that_were_read_in_a_start_that_failed_are_notified() -> None:
    world = World()
    world.happens("a")
    world.store.failing_read = FRESHNESS_ALERTS
    with pytest.raises(StoreError):
        world.started()
    world.passes(120)
    assert said(world.mail) == [("fraud", ["a"], [])]


def test_what_ends_before_a_start_that_failed_is_tried_again_is_over() -> None:
    world = World()
    world.happens("a")
    world.store.failing_read = "decisions"
    with pytest.raises(StoreError):
        world.started()
    world.happens("a", "resolved")
    world.passes(120)
    assert said(world.mail) == []


def test_what_is_over_is_forgotten_and_the_next_process_begins_behind_it() -> None:
    world = World()
    world.happens("a")
    world.passes(31)
    world.happens("a", "resolved")
    world.passes(400)
    ended_ms = world.clock.now_ms()
    world.happens("b")
    world.passes(120)
    where = {"stage": "route", "name": "fraud"}
    [begins_ms] = world.store.read(Query("checkpoints", where=where))["position"].tolist()
    assert begins_ms == ended_ms


class Hanging(Memory):
    """Answers when it is let."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.let = threading.Event()

    def send(self, notification: Notification) -> Outcome:
        self.let.wait(120)
        return super().send(notification)


def test_a_receiver_that_hangs_delays_no_other() -> None:
    world = World(route=ROUTES["route"] | {"group_wait": "0s"})
    world.pager = hanging = Hanging("pager")
    world.clock = SystemClock()  # type: ignore[assignment]
    world.router = world.started()
    stop = threading.Event()
    thread = threading.Thread(target=world.router.run, args=(stop, 0.01))
    thread.start()
    try:
        world.happens("a", severity="critical")
        wait_until(lambda: len(world.mail.received) == 1, "the mail is told while the pager hangs")
        assert world.router.backlog["pager"] == 1
        hanging.let.set()
        wait_until(lambda: len(hanging.received) == 1 and not world.router.backlog["pager"], "the pager is told, too")
    finally:
        hanging.let.set()
        stop.set()
        thread.join()


class Picky(Memory):
    """Never takes what is about one model."""

    def send(self, notification: Notification) -> Outcome:
        super().send(notification)
        return Retry("not this one") if notification.group_labels["model"] == "fraud" else Delivered()


def test_a_notification_that_is_not_taken_holds_up_no_other_and_no_end_of_the_service() -> None:
    world = World(route=ROUTES["route"] | {"group_wait": "0s"})
    world.mail = picky = Picky("mail")
    world.clock = SystemClock()  # type: ignore[assignment]
    world.router = world.started()
    stop = threading.Event()
    thread = threading.Thread(target=world.router.run, args=(stop, 0.01))
    thread.start()
    try:
        world.happens("a")
        wait_until(lambda: picky.received, "the one that is not taken is tried, for five minutes")
        world.happens("b", model="churn")
        wait_until(lambda: ("churn", ["b"], []) in said(picky), "the other is told meanwhile")
        wait_until(lambda: said(picky).count(("fraud", ["a"], [])) == 2, "and the first one tried again")
    finally:
        stop.set()
        thread.join(120)
    assert not thread.is_alive()
    log = world.store.read(Query("notifications"))
    assert set(zip(log["alert_id"], log["outcome"], strict=True)) == {("a", "gave_up"), ("b", "delivered")}


def test_a_receiver_that_is_busy_is_tried_again_until_the_next_look() -> None:
    world = World()
    world.mail = Memory("mail", answers=[Retry("busy", after_s=10), Retry("busy")] + [Retry("gone", after_s=200)] * 2)
    world.router = world.started()
    world.happens("a")
    world.passes(31)
    assert len(world.mail.received) == 4
    [reason] = world.store.read(Query("notifications"))["reason"]
    assert reason == "gone"


def test_what_a_process_whose_clock_is_behind_says_of_itself_is_notified_though_later_things_were_read() -> None:
    world = World(route=ROUTES["route"] | {"routes": []})

    def restarted() -> None:
        world.router = Router(world.store, world.plan, world.clock, "", [MODEL])
        world.router.open()

    restarted()
    world.passes(120, each=10)
    world.happens("a", model=MODEL)
    world.passes(2)
    world.happens("b", model=MODEL, ago_ms="30000")
    world.passes(340, each=10)
    assert said(world.mail) == [(MODEL, ["a", "b"], [])]
    world.happens("a", "resolved", model=MODEL)
    world.passes(2)
    world.sequence["a"] = -1
    world.happens("a", model=MODEL, ago_ms="30000")
    world.passes(340, each=10)
    restarted()
    world.passes(340, each=10)
    assert said(world.mail)[1:] == [(MODEL, ["b"], ["a"])], "behind its end, that it fires is no news"
