"""Receivers are told about every transition at least once, in order, whatever breaks."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.alerts.lifecycle import Lifecycle, to_columns
from monitor.clock import ManualClock, SystemClock
from monitor.routing.notify import Notifier, Patience, why
from sinks.receivers.contract import Notification, Outcome, Refused, Retry
from sinks.receivers.memory import Memory
from sinks.store.contract import Columns, Query, StoreError
from sinks.store.memory import MemoryStore
from tests.alerts.verdicts import WINDOW_MS, lifecycle, verdict
from tests.sinks.receivers.listener import Answer, Listener
from tests.sinks.receivers.notifications import receiver_of
from tests.sinks.store.samples import plain

LATER_MS = 1_000 * WINDOW_MS

HOOK = {"kind": "webhook", "name": "hook", "allow_private": True}


class Service:
    """A store, a clock and the lifecycle of `flights`, as the stages share them."""

    def __init__(self, **alerts: Any) -> None:
        self.store = FlakyStore()
        self.clock = ManualClock()
        self.lifecycle: Lifecycle = lifecycle(**alerts)

    def judge(self, minute: int, *signals: str) -> None:
        """Judge a window and keep the transitions."""
        log = self.lifecycle.step(minute * WINDOW_MS, [verdict(minute, signal) for signal in signals])
        if log:
            self.store.append("alerts", to_columns(log), token=f"alerts/{minute}")

    def notifier(self, *receivers: Any, **options: Any) -> Notifier:
        notifier = Notifier(self.store, receivers, self.clock, "http://leeway.example/", ["flights"], **options)
        notifier.open()
        return notifier

    def log(self) -> list[tuple[int, str, str, int]]:
        """Sequence, receiver, outcome and attempts of what the notification log holds."""
        rows = self.store.read(Query("notifications", order=("sequence",)))
        return list(
            zip(rows["sequence"].tolist(), rows["receiver"], rows["outcome"], rows["attempts"].tolist(), strict=True)
        )


class FlakyStore(MemoryStore):
    """Fails appends to a table as often as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: dict[str, int] = {}
        self.retryable = True

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        if self.failing.get(table, 0) > 0:
            self.failing[table] -= 1
            raise StoreError("disk is full", retryable=self.retryable)
        super().append(table, columns, token)


def said(inbox: Memory) -> list[tuple[str, str]]:
    """Status and summary without the model's name."""
    return [(n.status, n.alerts[0].annotations["summary"].partition(": ")[2].split(" (")[0]) for n in inbox.received]


def test_a_receiver_is_told_when_an_alert_fires_grows_and_ends() -> None:
    service, inbox = Service(), Memory("inbox")
    notifier = service.notifier(inbox)
    for minute, signals in enumerate(["a", "a b", "", "", "", ""], start=1):
        service.judge(minute, *signals.split())
        notifier.step()
    together = "a and b moved together"
    assert said(inbox) == [
        ("firing", "a moved"),
        ("firing", together),
        ("resolved", together),
    ]
    assert len({n.group_key for n in inbox.received}) == 1
    assert service.log() == [(i, "inbox", "delivered", 1) for i in range(3)]


def test_a_notification_says_who_what_why_and_where() -> None:
    service, inbox = Service(), Memory("inbox")
    notifier = service.notifier(inbox)
    service.judge(1, *(f"feature:f{i:02d}" for i in range(13)))
    notifier.step()
    (sent,) = inbox.received
    (alert,) = sent.alerts
    alert_id = alert.labels["alert_id"]
    assert sent.receiver == "inbox"
    assert sent.group_key == f'{{}}:{{alert_id="{alert_id}"}}'
    assert sent.group_labels == {"alert_id": alert_id}
    assert (sent.external_url, alert.generator_url) == (
        "http://leeway.example/",
        f"http://leeway.example/alerts/{alert_id}",
    )
    assert alert.annotations["dashboard"] == alert.generator_url
    assert alert.annotations["summary"].startswith("flights: 13 features moved together")
    reasons = alert.annotations["description"].split("\n")
    assert [line.split()[0] for line in reasons[:10]] == [f"feature:f{i:02d}" for i in range(10)]
    assert reasons[10:] == ["and 3 more"]
    assert alert.labels.items() >= {"model": "flights", "namespace": "ops", "severity": "warning"}.items()


def test_pending_and_cancelled_alerts_are_told_to_nobody() -> None:
    service, inbox = Service(**{"for": 2 * WINDOW_MS}), Memory("inbox")
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    service.judge(2)
    notifier.step()
    assert (inbox.received, service.log()) == ([], [])


def test_a_receiver_without_send_resolved_hears_of_no_end() -> None:
    service, inbox = Service(), Memory("inbox", send_resolved=False)
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    service.judge(9)
    notifier.step()
    assert said(inbox) == [("firing", "a moved")]


def test_a_risen_severity_ends_the_alert_under_its_former_labels() -> None:
    """Other systems know an alert by its labels, of which severity is one: none may be left firing for ever."""
    service, inbox = Service(), Memory("inbox")
    notifier = service.notifier(inbox)
    service.judge(1, "feature:a")
    service.judge(2, "feature:a", "prediction:score")
    service.judge(3, "feature:a", "prediction:score", "feature:b")
    service.judge(9)
    notifier.step()
    firing: set[str] = set()
    for sent in inbox.received:
        for alert in sent.alerts:
            (firing.add if alert.status == "firing" else firing.discard)(alert.fingerprint)
        assert len(firing) == (1 if sent.status == "firing" else 0)
    risen = inbox.received[1]
    assert [(a.status, a.labels["severity"]) for a in risen.alerts] == [("firing", "critical"), ("resolved", "warning")]
    assert risen.alerts[1].ends_at_ms == 2 * WINDOW_MS
    assert [len(sent.alerts) for sent in inbox.received] == [1, 2, 1, 1]


def test_a_retry_waits_longer_each_time_and_then_gets_through() -> None:
    service = Service()
    inbox = Memory("inbox", answers=[Retry("busy")] * 3)
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    tries = []
    for _ in range(10):
        before = len(inbox.received)
        notifier.step()
        tries += [service.clock.monotonic_s()] * (len(inbox.received) - before)
        service.clock.advance(1)
    assert tries == [0.0, 1.0, 3.0, 7.0]
    assert service.log() == [(0, "inbox", "delivered", 4)]


def test_retry_after_holds_back_everything_for_that_receiver_only() -> None:
    service = Service(group_by=["version"])
    busy, other = Memory("busy", answers=[Retry("slow down", after_s=30)]), Memory("other")
    notifier = service.notifier(busy, other)
    service.judge(1, "a")
    notifier.step()
    service.judge(4, "a", "b")  # an alert of its own
    notifier.step()
    service.clock.advance(29)
    notifier.step()
    assert (len(busy.received), len(other.received)) == (1, 2)
    service.clock.advance(1)
    notifier.step()
    assert [status for status, _ in said(busy)] == ["firing"] * 3


def test_transitions_of_one_alert_wait_for_each_other() -> None:
    service, inbox = Service(), Memory("inbox", answers=[Retry("busy")])
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    service.judge(9)
    notifier.step()
    notifier.step()
    assert [status for status, _ in said(inbox)] == ["firing"]
    service.clock.advance(1)
    notifier.step()
    assert [status for status, _ in said(inbox)] == ["firing", "firing", "resolved"]
    assert service.log() == [(0, "inbox", "delivered", 2), (1, "inbox", "delivered", 1)]


def test_a_message_that_always_fails_does_not_hold_back_other_alerts() -> None:
    class Picky(Memory):
        def send(self, notification: Notification) -> Outcome:
            super().send(notification)
            return Retry("no a") if "a" in notification.alerts[0].labels["cause"] else super().send(notification)

    service, inbox = Service(), Picky("inbox")
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    service.judge(4, "a", "b")
    for _ in range(3):
        notifier.step()
    assert [row[2] for row in service.log()] == ["delivered"]
    assert notifier.channels[0].backlog == 1


def test_a_silent_receiver_costs_one_try_a_step() -> None:
    service, inbox = Service(join_within=0), Memory("inbox", answers=[Retry("timed out")] * 100)
    notifier = service.notifier(inbox)
    for minute in range(1, 6):
        service.judge(minute, *"abcde"[:minute])
    for step in range(1, 6):
        notifier.step()
        assert len(inbox.received) == step


def test_patience_ends_and_the_log_says_so() -> None:
    service, inbox = Service(), Memory("inbox", answers=[Retry("down")] * 1000)
    notifier = service.notifier(inbox, patience=Patience(first_s=1, most_s=10, give_up_s=60))
    service.judge(1, "a")
    with capture_logs() as lines:
        for _ in range(80):
            notifier.step()
            service.clock.advance(1)
    ((sequence, receiver, outcome, attempts),) = service.log()
    assert (sequence, receiver, outcome) == (0, "inbox", "gave_up")
    assert attempts == len(inbox.received) == 10  # at 0, 1, 3, 7, 15, 25, 35, 45, 55, 65 s
    assert [line["reason"] for line in lines if line["log_level"] == "warning"] == ["down"]


def test_after_giving_up_the_end_is_still_told() -> None:
    """The other side may have taken what we timed out on; an end it does not know does no harm."""
    service, inbox = Service(), Memory("inbox", answers=[Retry("timed out")])
    notifier = service.notifier(inbox, patience=Patience(give_up_s=0))
    service.judge(1, "a")
    notifier.step()
    service.judge(9)
    notifier.step()
    assert [row[2] for row in service.log()] == ["gave_up", "delivered"]


def test_a_refusal_is_final_and_its_end_is_not_told() -> None:
    service, inbox = Service(), Memory("inbox", answers=[Refused("404 Not Found")])
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    notifier.step()
    service.judge(9)
    notifier.step()
    assert service.log() == [(0, "inbox", "refused", 1)]
    rows = service.store.read(Query("notifications"))
    assert rows["reason"] == ["404 Not Found"]
    assert len(inbox.received) == 1


def test_a_restart_sends_nothing_twice_and_leaves_nothing_out() -> None:
    service, inbox = Service(), Memory("inbox")
    service.notifier(inbox).step()
    service.judge(1, "a")
    service.notifier(inbox).step()  # another process
    service.judge(2, "a", "b")  # while the stage is down
    for _ in range(3):
        service.notifier(inbox).step()
    service.judge(9)
    service.notifier(inbox).step()
    assert [status for status, _ in said(inbox)] == ["firing", "firing", "resolved"]


def test_a_restart_between_tries_loses_nothing() -> None:
    service, inbox = Service(group_by=["version"]), Memory("inbox", answers=[Retry("busy")])
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    for _ in range(3):
        notifier.step()
    assert (len(inbox.received), notifier.channels[0].backlog) == (1, 1)
    service.judge(4, "a", "b")
    notifier.step()
    service.notifier(inbox).step()
    assert [text for _, text in said(inbox)] == ["a moved", "b moved", "a moved"]


def test_a_stage_that_is_stopping_sends_nothing_more() -> None:
    service, inbox, stop = Service(), Memory("inbox"), threading.Event()
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    stop.set()
    assert (notifier.channels[0].step(stop), inbox.received) == (0, [])
    assert (notifier.channels[0].step(), len(inbox.received)) == (1, 1)


def test_a_process_that_dies_before_its_log_is_written_sends_again_under_the_same_key() -> None:
    service, inbox = Service(), Memory("inbox")
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    service.store.failing = {"notifications": 1}
    notifier.step()  # delivered, not logged; and the process dies
    service.notifier(inbox).step()
    first, second = inbox.received
    assert first == second


def test_a_process_that_lives_on_writes_its_log_later_and_sends_once() -> None:
    service, inbox = Service(), Memory("inbox")
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    service.store.failing = {"notifications": 2}
    for _ in range(4):
        notifier.step()
    assert len(inbox.received) == 1
    assert service.log() == [(0, "inbox", "delivered", 1)]


def test_a_store_that_fails_for_good_is_an_error() -> None:
    service, inbox = Service(), Memory("inbox")
    notifier = service.notifier(inbox)
    service.judge(1, "a")
    service.store.failing, service.store.retryable = {"notifications": 1}, False
    with pytest.raises(StoreError, match="disk is full"):
        notifier.step()


def test_history_from_before_the_first_start_pages_nobody() -> None:
    service, inbox = Service(), Memory("inbox")
    service.clock.advance(LATER_MS / 1000)
    notifier = service.notifier(inbox)
    service.judge(1, "a")  # a month of history is worked through
    service.judge(9)
    service.judge(990, "old")
    service.judge(1001, "old", "b")
    notifier.step()
    assert [alert.labels["cause"] for n in inbox.received for alert in n.alerts] == ["b"]


def test_history_is_told_when_asked_for_and_only_once() -> None:
    service, inbox = Service(), Memory("inbox")
    service.clock.advance(LATER_MS / 1000)
    service.judge(1, "a")
    service.judge(9)
    service.notifier(inbox).step()
    assert inbox.received == []
    for _ in range(2):
        service.notifier(inbox, since_ms=0).step()
    assert [status for status, _ in said(inbox)] == ["firing", "resolved"]


def test_the_end_of_an_alert_nobody_was_told_of_is_not_told() -> None:
    service, inbox = Service(), Memory("inbox")
    service.judge(1, "a")
    service.clock.advance(2 * WINDOW_MS / 1000)
    notifier = service.notifier(inbox)
    service.judge(9)
    notifier.step()
    assert inbox.received == []


def test_a_new_receiver_starts_when_it_is_added() -> None:
    service, old, new = Service(), Memory("old"), Memory("new")
    service.notifier(old).step()
    service.judge(1, "a")
    service.clock.advance(5 * WINDOW_MS / 1000)
    both = service.notifier(old, new)
    service.judge(6, "b")  # after a gap that ended the first alert
    both.step()
    assert [status for status, _ in said(old)] == ["firing", "resolved", "firing"]
    assert [n.alerts[0].labels["cause"] for n in new.received] == ["b"]


@pytest.mark.parametrize(
    ("state", "at_ms", "send_resolved", "recorded", "told", "reason"),
    [
        ("firing", 9, True, "delivered", True, "firing was settled before (delivered)"),
        ("firing", 9, True, "gave_up", True, "firing was settled before (gave_up)"),
        ("pending", 9, True, None, False, "nobody is told about pending alerts"),
        ("cancelled", 9, True, None, False, "nobody is told about cancelled alerts"),
        ("firing", 4, True, None, False, "firing at 4 lies before 5, where the receiver starts"),
        ("resolved", 9, False, None, True, "the receiver does not want ends (send_resolved: false)"),
        ("resolved", 9, True, None, False, "the receiver was never told that it fired"),
    ],
)
def test_a_decision_not_to_send_has_its_reason(
    state: str, at_ms: int, send_resolved: bool, recorded: Any, told: bool, reason: str
) -> None:
    decision = why({"state": state, "at_ms": at_ms}, 5, send_resolved, recorded, told)
    assert (decision.send, decision.reason) == (False, reason)


def test_a_hanging_webhook_delays_no_other_receiver() -> None:
    service = Service()
    stop, told = threading.Event(), threading.Event()

    class Quick(Memory):
        def send(self, notification: Notification) -> Outcome:
            told.set()
            return super().send(notification)

    with Listener(Answer(hang=True), Answer(hang=True)) as listener:
        sick = receiver_of(HOOK | {"name": "sick", "url": listener.url(), "timeout": "1m"})
        notifier = Notifier(service.store, [sick, Quick("quick")], SystemClock(), "", ["flights"], since_ms=0)
        service.judge(1, "a")
        stage = threading.Thread(target=notifier.run, args=(stop, 0.01))
        stage.start()
        arrived = told.wait(30)
        stop.set()
    # Closing the listener broke the hanging connection, or `run` would wait for its time-out.
    stage.join(30)
    notifier.close()
    assert arrived
    assert not stage.is_alive()
    assert ("quick", "delivered") in [row[1:3] for row in service.log()]


def test_a_channel_that_breaks_ends_the_stage_with_its_error() -> None:
    service = Service()
    notifier = Notifier(service.store, [Memory("a"), Memory("b")], SystemClock(), "", ["flights"], since_ms=0)
    notifier.open()
    service.judge(1, "a")
    service.store.failing, service.store.retryable = {"notifications": 1}, False
    stop = threading.Event()
    with pytest.raises(StoreError, match="disk is full"):
        notifier.run(stop, 0.01)
    assert stop.is_set()


def test_what_goes_over_the_wire_is_what_was_stored() -> None:
    service = Service()
    with Listener(Answer(503)) as listener:
        webhook = receiver_of(HOOK | {"url": listener.url()})
        notifier = service.notifier(webhook)
        service.judge(1, "feature:a")
        notifier.step()
        service.clock.advance(1)
        notifier.step()
        webhook.close()
    rows = service.store.read(Query("alerts"))
    first, second = (request.body for request in listener.requests)
    assert first == second
    assert second["alerts"][0]["labels"] == json.loads(rows["labels"][0])
    assert second["commonAnnotations"]["summary"] == rows["title"][0]
    assert service.log() == [(0, "hook", "delivered", 2)]


class Counting(MemoryStore):
    """Counts what it is asked, by table."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def read(self, query: Query) -> Columns:
        self.asked[query.table] += 1
        return super().read(query)


def firing(model: str, *times_ms: int) -> dict[str, Any]:
    """Rows of alerts that fire at these times."""
    texts = {"state": "firing", "labels": "{}", "signals": "[]", "ends_ms": 0}
    named = [f"{model}-{at_ms}" for at_ms in times_ms]
    return plain("alerts", len(times_ms), model=model, alert_id=named, at_ms=list(times_ms), **texts)


def test_however_many_models_there_are_a_receiver_asks_once_whether_there_is_something_new() -> None:
    # given alerts of two of five models, one of them far behind the other in event time
    store, inbox = Counting(), Memory("inbox")
    notifier = Notifier(store, [inbox], ManualClock(), "", [f"model-{number}" for number in range(5)], since_ms=0)
    notifier.open()
    store.append("alerts", firing("model-1", 10, 20), "a")
    store.append("alerts", firing("model-3", 9_000_000, 9_000_010), "b")
    # when it looks, and looks again after one more came to the model that lags
    store.asked.clear()
    assert notifier.step() == 4
    store.append("alerts", firing("model-1", 30), "c")
    assert [notifier.step() for _ in range(3)] == [1, 0, 0]
    # then it has asked once each time, besides for what came before each of the five
    assert store.asked["alerts"] == 4 + 5
