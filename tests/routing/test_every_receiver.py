"""Without routes every receiver is notified of every transition at least once, in order, whatever breaks."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.alerts.lifecycle import Lifecycle
from monitor.alerts.own import MODEL, STAGE_FAILED, StandingAlerts
from monitor.alerts.transition import to_columns
from monitor.clock import Clock, ManualClock, SystemClock
from monitor.config.every_receiver import alerting_by_alert
from monitor.delivery.patience import Patience
from monitor.delivery.target import Target
from monitor.routing.matchers import parse_matchers
from monitor.routing.plan import Plan
from monitor.routing.router import FORGET_EVERY_MS, Router
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from sinks.receivers.contract import Notification, Outcome, Refused, Retry
from sinks.receivers.memory import Memory
from sinks.store.contract import Columns, Query, StoreError
from sinks.store.memory import MemoryStore
from tests.alerts.verdicts import WINDOW_MS, lifecycle, verdict
from tests.service.shop import wait_until
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

    def router(self, *receivers: Any, clock: Clock | None = None, **options: Any) -> Router:
        root = alerting_by_alert([receiver.name for receiver in receivers]).route.build()
        named = {Target(receiver.name, 0, receiver.send_resolved): receiver for receiver in receivers}
        plan = Plan(root, named)
        models = ["flights", MODEL]
        router = Router(self.store, plan, clock or self.clock, "http://leeway.example/", models, **options)
        router.open()
        return router

    def log(self) -> list[tuple[int, str, str, int]]:
        """Sequence, receiver, outcome and attempts of what the notification log holds."""
        rows = self.store.read(Query("notifications", order=("sequence",)))
        return list(
            zip(rows["sequence"].tolist(), rows["receiver"], rows["outcome"], rows["attempts"].tolist(), strict=True)
        )

    def counts(self) -> Counter[str]:
        """How many notifications it holds, by receiver."""
        return Counter(receiver for _, receiver, _, _ in self.log())


class Timed(Memory):
    """Notes when it is tried."""

    def __init__(self, name: str, clock: Clock, **options: Any) -> None:
        super().__init__(name, **options)
        self.tries_s: list[float] = []
        self._clock = clock

    def send(self, notification: Notification) -> Outcome:
        self.tries_s.append(self._clock.monotonic_s())
        return super().send(notification)


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


@pytest.mark.parametrize("restarts", [False, True])
def test_alerts_with_the_same_labels_are_told_each_time(restarts: bool) -> None:
    service, inbox = Service(), Memory("inbox")
    router, alerts = service.router(inbox), StandingAlerts(service.store, service.clock, STAGE_FAILED, "stage")
    for holding in ({"ingest": "it fails"}, {}, {"ingest": "it fails again"}, {}):
        alerts.step(holding)
        service.clock.advance(1)
        router.step()
        router = service.router(inbox) if restarts else router
        router.step()
    assert [(n.status, n.alerts[0].annotations["summary"]) for n in inbox.received] == [
        ("firing", "it fails"),
        ("resolved", "over: it fails"),
        ("firing", "it fails again"),
        ("resolved", "over: it fails again"),
    ]


def test_a_receiver_is_told_when_an_alert_fires_grows_and_ends() -> None:
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    for minute, signals in enumerate(["a", "a b", "", "", "", ""], start=1):
        service.judge(minute, *signals.split())
        router.step()
    together = "a and b moved together"
    assert said(inbox) == [
        ("firing", "a moved"),
        ("firing", together),
        ("resolved", together),
    ]
    assert len({n.group_key for n in inbox.received}) == 1
    assert service.log() == [(i, "inbox/0", "delivered", 1) for i in range(3)]


def test_a_notification_says_who_what_why_and_where() -> None:
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    service.judge(1, *(f"feature:f{i:02d}" for i in range(13)))
    router.step()
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
    router = service.router(inbox)
    service.judge(1, "a")
    service.judge(2)
    router.step()
    assert (inbox.received, service.log()) == ([], [])


def test_a_receiver_without_send_resolved_hears_of_no_end() -> None:
    service, inbox = Service(), Memory("inbox", send_resolved=False)
    router = service.router(inbox)
    service.judge(1, "a")
    service.judge(9)
    router.step()
    assert said(inbox) == [("firing", "a moved")]


def test_a_risen_severity_ends_the_alert_under_its_former_labels() -> None:
    """Other systems know an alert by its labels, of which severity is one: none may be left firing for ever."""
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    service.judge(1, "feature:a")
    service.judge(2, "feature:a", "prediction:score")
    service.judge(3, "feature:a", "prediction:score", "feature:b")
    service.judge(9)
    router.step()
    firing: set[str] = set()
    for sent in inbox.received:
        for alert in sent.alerts:
            (firing.add if alert.status == "firing" else firing.discard)(alert.fingerprint)
        assert len(firing) == (1 if sent.status == "firing" else 0)
    risen = inbox.received[1]
    assert [(a.status, a.labels["severity"]) for a in risen.alerts] == [("firing", "critical"), ("resolved", "warning")]
    assert risen.alerts[1].ends_at_ms == 2 * WINDOW_MS
    assert [len(sent.alerts) for sent in inbox.received] == [1, 2, 1, 1]


def test_an_alert_whose_severity_rose_and_that_ended_while_the_service_was_down_is_over() -> None:
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    service.judge(1, "feature:a")
    router.step()
    service.judge(2, "feature:a", "prediction:score")
    service.judge(9)
    for _ in range(2):
        service.router(inbox).step()
    assert [[(a.status, a.labels["severity"]) for a in sent.alerts] for sent in inbox.received] == [
        [("firing", "warning")],
        [("firing", "critical"), ("resolved", "warning")],
        [("resolved", "critical")],
    ]


def test_a_retry_waits_longer_each_time_and_then_gets_through() -> None:
    service = Service()
    inbox = Timed("inbox", service.clock, answers=[Retry("busy")] * 3)
    router = service.router(inbox)
    service.judge(1, "a")
    router.step()
    assert inbox.tries_s == [0.0, 1.0, 3.0, 7.0]
    assert service.log() == [(0, "inbox/0", "delivered", 4)]


def test_a_receiver_that_asks_to_be_left_alone_is_tried_when_that_is_over() -> None:
    service = Service()
    busy = Timed("busy", service.clock, answers=[Retry("slow down", after_s=30)])
    router = service.router(busy)
    service.judge(1, "a")
    router.step()
    assert busy.tries_s == [0.0, 30.0]


def test_transitions_of_one_alert_wait_for_each_other() -> None:
    service, inbox = Service(), Memory("inbox", answers=[Retry("busy")])
    router = service.router(inbox)
    service.judge(1, "a")
    service.judge(9)
    router.step()
    assert [status for status, _ in said(inbox)] == ["firing", "firing"]
    router.step()
    assert [status for status, _ in said(inbox)] == ["firing", "firing", "resolved"]
    assert service.log() == [(0, "inbox/0", "delivered", 2), (1, "inbox/0", "delivered", 1)]


def test_a_message_that_always_fails_does_not_hold_back_other_alerts() -> None:
    class Picky(Memory):
        def send(self, notification: Notification) -> Outcome:
            super().send(notification)
            return Retry("no a") if "a" in notification.alerts[0].labels["cause"] else super().send(notification)

    service, inbox = Service(), Picky("inbox")
    router = service.router(inbox)
    service.judge(1, "a")
    service.judge(4, "a", "b")
    for _ in range(3):
        router.step()
    assert sorted(row[2] for row in service.log()) == ["delivered", "gave_up"]


def test_an_alert_that_is_not_taken_is_tried_again_for_as_long_as_it_fires() -> None:
    service, inbox = Service(), Memory("inbox", answers=[Retry("down")] * 25)
    router = service.router(inbox)
    service.judge(1, "a")
    for _ in range(4):
        router.step()
        service.clock.advance(300)
    assert {row[2] for row in service.log()} == {"delivered"}, "a later outcome of a transition is the one that stays"


def test_patience_ends_and_the_log_says_so() -> None:
    service, inbox = Service(), Memory("inbox", answers=[Retry("down")] * 1000)
    router = service.router(inbox, patience=Patience(first_s=1, most_s=10))
    service.judge(1, "a")
    with capture_logs() as lines:
        router.step()
    ((sequence, receiver, outcome, attempts),) = service.log()
    assert (sequence, receiver, outcome) == (0, "inbox/0", "gave_up")
    assert attempts == len(inbox.received) == 33  # at 0, 1, 3, 7, 15, 25, 35 … 295 s: within `group_interval`
    assert [(line["event"], line["reason"]) for line in lines if line["log_level"] == "warning"] == [
        ("a receiver does not take notifications", "down"),
        ("notification was not delivered", "down"),
    ]


def test_an_end_is_notified_to_whom_the_beginning_may_have_reached() -> None:
    """The other side may have taken what we timed out on; an end it does not know does no harm."""
    service, inbox = Service(), Memory("inbox", answers=[Retry("timed out", may_have_it=True)] * 9)
    router = service.router(inbox)
    service.judge(1, "a")
    router.step()
    service.judge(9)
    router.step()
    assert [row[2] for row in service.log()] == ["gave_up", "delivered"]


def test_a_refusal_is_final_and_its_end_is_not_told() -> None:
    service, inbox = Service(), Memory("inbox", answers=[Refused("404 Not Found")])
    router = service.router(inbox)
    service.judge(1, "a")
    router.step()
    service.judge(9)
    router.step()
    assert service.log() == [(0, "inbox/0", "refused", 1)]
    rows = service.store.read(Query("notifications"))
    assert rows["reason"] == ["404 Not Found"]
    assert len(inbox.received) == 1


def test_a_restart_sends_nothing_twice_and_leaves_nothing_out() -> None:
    service, inbox = Service(), Memory("inbox")
    service.router(inbox).step()
    service.judge(1, "a")
    service.router(inbox).step()  # another process
    service.judge(2, "a", "b")  # while the stage is down
    for _ in range(3):
        service.router(inbox).step()
    service.judge(9)
    service.router(inbox).step()
    assert [status for status, _ in said(inbox)] == ["firing", "firing", "resolved"]


def test_a_restart_between_tries_loses_nothing() -> None:
    class Dying(Memory):
        def send(self, notification: Notification) -> Outcome:
            super().send(notification)
            raise SystemExit

    service, inbox = Service(group_by=["version"]), Memory("inbox")
    router = service.router(Dying("inbox"))
    service.judge(1, "a")
    with pytest.raises(SystemExit):
        router.step()
    service.judge(4, "a", "b")
    service.router(inbox).step()
    assert [text for _, text in said(inbox)] == ["a moved", "b moved"]


def test_a_process_that_dies_before_its_log_is_written_sends_again_under_the_same_key() -> None:
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    service.judge(1, "a")
    service.store.failing = {"notifications": 1}
    router.step()  # delivered, not logged; and the process dies
    service.router(inbox).step()
    first, second = inbox.received
    assert first == second


def test_a_process_that_lives_on_writes_its_log_later_and_sends_once() -> None:
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    service.judge(1, "a")
    service.store.failing = {"notifications": 2}
    for _ in range(4):
        router.step()
    assert len(inbox.received) == 1
    assert service.log() == [(0, "inbox/0", "delivered", 1)]


def test_a_store_that_fails_for_good_is_an_error() -> None:
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    service.judge(1, "a")
    service.store.failing, service.store.retryable = {"notifications": 1}, False
    with pytest.raises(StoreError, match="disk is full"):
        router.step()


def test_history_from_before_the_first_start_pages_nobody() -> None:
    service, inbox = Service(), Memory("inbox")
    service.clock.advance(LATER_MS / 1000)
    router = service.router(inbox)
    service.judge(1, "a")  # a month of history is worked through
    service.judge(9)
    service.judge(990, "old")
    service.judge(1001, "old", "b")
    router.step()
    assert [alert.labels["cause"] for n in inbox.received for alert in n.alerts] == ["b"]


def test_the_end_of_an_alert_nobody_was_told_of_is_not_told() -> None:
    service, inbox = Service(), Memory("inbox")
    service.judge(1, "a")
    service.clock.advance(2 * WINDOW_MS / 1000)
    router = service.router(inbox)
    service.judge(9)
    router.step()
    assert inbox.received == []


def test_a_receiver_that_is_added_is_notified_of_what_fires_and_not_of_what_is_over() -> None:
    service, old, new = Service(), Memory("old"), Memory("new")
    service.router(old).step()
    service.judge(1, "a")
    service.judge(6)
    router = service.router(old)
    router.step()
    service.judge(7, "b")
    router.step()
    service.router(old, new).step()
    assert [status for status, _ in said(old)] == ["firing", "resolved", "firing"]
    assert said(new) == [("firing", "b moved")]


class Slow(Memory):
    """Answers when it is let."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.tried, self.let = threading.Event(), threading.Event()

    def send(self, notification: Notification) -> Outcome:
        self.tried.set()
        self.let.wait(120)
        return super().send(notification)


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_waits_for_a_slow_receiver_is_notified_by_the_next_process(is_killed: bool) -> None:
    service, quick, slow, stop = Service(), Memory("quick"), Slow("slow"), threading.Event()
    clock, is_noted = SystemClock(), threading.Event()
    router = service.router(quick, Memory("slow"), clock=clock)
    alerts = StandingAlerts(service.store, clock, STAGE_FAILED, "stage")
    alerts.step({"ingest": "it fails"})
    router.step()
    for holding in ({}, {"ingest": "it fails again"}, {}):
        alerts.step(holding)
    former = service.router(quick, slow, clock=clock)

    def on_round() -> None:
        # What a receiver knows is written behind the log, at the end of a round.
        if service.counts()["quick/0"] == 4:
            is_noted.set()

    thread = threading.Thread(target=former.run, args=(stop, 0.01), kwargs={"on_round": on_round})
    thread.start()
    try:
        # What is sent and not yet noted is sent again by the next process, if this one is killed.
        wait_until(
            lambda: slow.tried.is_set() and is_noted.is_set(), "all is notified to the one that is quick, and noted"
        )
        stop.set()
        if not is_killed:
            slow.let.set()
            thread.join(120)
        heard = Memory("slow")
        router = service.router(quick, heard, clock=clock)
        for _ in range(3):
            router.step()
    finally:
        stop.set()
        slow.let.set()
        thread.join(120)
    end = ("resolved", "over: it fails")
    assert [(n.status, n.alerts[0].annotations["summary"]) for n in heard.received] == [
        *[end] * is_killed,
        ("firing", "it fails again"),
        ("resolved", "over: it fails again"),
    ]
    assert len(quick.received) == 4
    assert service.counts() == {"quick/0": 4, "slow/0": 4}


FAILED_BEFORE: Mapping[str, str] = {"ingest": "it failed before"}
FAILS, FAILS_AGAIN = {"ingest": "it fails"}, {"ingest": "it fails again"}


@pytest.mark.parametrize(
    ("standing", "leaps_s"),
    [((FAILS, {}, FAILS_AGAIN), 0), ((FAILS, {}), 86_400)],
    ids=["it fires again", "a clock that leaps a day"],
)
def test_what_waits_for_a_slow_receiver_is_kept_while_others_are_further(
    standing: Sequence[Mapping[str, str]], leaps_s: float
) -> None:
    # given changes of an alert that all wait for one receiver, and are known to the other
    service, quick, slow, stop = Service(), Memory("quick"), Slow("slow"), threading.Event()
    alerts = StandingAlerts(service.store, service.clock, STAGE_FAILED, "stage")
    router = service.router(Memory("slow"), quick)
    for holding in (FAILED_BEFORE, {}):
        alerts.step(holding)
        router.step()
    former = service.router(slow, quick)
    for holding in standing:
        alerts.step(holding)
        service.clock.advance(1)
    notified_s, has_forgotten = list[float](), threading.Event()

    def on_round() -> None:
        if service.counts()["quick/0"] == 2 + len(standing):
            service.clock.sleep(0 if notified_s else leaps_s)
            notified_s.append(service.clock.monotonic_s())
        if notified_s and service.clock.monotonic_s() > notified_s[0] + 2 * FORGET_EVERY_MS / 1000:
            has_forgotten.set()
            slow.let.wait(120)

    thread = threading.Thread(target=former.run, args=(stop,), kwargs={"on_round": on_round})
    thread.start()
    try:
        assert has_forgotten.wait(120)
        # when the process is killed after it has dropped what it needs no more
        heard = Memory("slow")
        service.router(heard, quick).step()
    finally:
        stop.set()
        slow.let.set()
        thread.join(120)
    # then the next one notifies the slow receiver of all of them
    assert [(n.status, n.alerts[0].annotations["summary"]) for n in heard.received] == [
        ("firing", "it fails"),
        ("resolved", "over: it fails"),
        ("firing", "it fails again"),
    ][: len(standing)]
    assert len(quick.received) == 2 + len(standing)


def test_what_began_and_ended_while_the_service_was_down_is_notified_in_order() -> None:
    service, inbox = Service(), Memory("inbox")
    service.router(inbox).step()
    service.judge(1, "a")
    service.judge(2, "a", "b")
    service.judge(9)
    for _ in range(2):
        service.router(inbox).step()
    assert [status for status, _ in said(inbox)] == ["firing", "firing", "resolved"]


class Curious(Memory):
    """Looks up what is decided about an end at the time at which it is notified."""

    def __init__(self, name: str, store: MemoryStore) -> None:
        super().__init__(name)
        self._store, self.decided = store, list[str]()

    def send(self, notification: Notification) -> Outcome:
        self.decided += self._store.read(Query("decisions", where={"sequence": 1}))["why"]
        return super().send(notification)


def test_nothing_is_decided_about_an_end_before_it_is_looked_at() -> None:
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    service.judge(1, "a")
    router.step()
    service.judge(9)
    curious = Curious("inbox", service.store)
    service.router(curious).step()
    assert (len(curious.received), curious.decided) == (1, [])


def test_what_was_silenced_until_it_was_over_is_not_notified_after_a_restart() -> None:
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    silences = SilenceLog(service.store, service.clock)
    silences.set(Silence("", parse_matchers("model=flights"), 0, 60_000, "ann", "a rollout"))
    service.judge(1, "a")
    router.step()
    service.judge(9)
    router.step()
    service.clock.advance(120)
    service.router(inbox).step()
    assert inbox.received == []


def test_a_silence_keeps_an_alert_quiet_and_its_end_lets_it_through() -> None:
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    silences = SilenceLog(service.store, service.clock)
    silences.set(Silence("", parse_matchers("model=flights"), 0, 60_000, "ann", "a rollout"))
    service.judge(1, "a")
    router.step()
    assert inbox.received == []
    service.clock.advance(301)
    router.step()
    assert said(inbox) == [("firing", "a moved")]


def test_an_alert_that_does_not_change_is_notified_once() -> None:
    service, inbox = Service(), Memory("inbox")
    router = service.router(inbox)
    service.judge(1, "a")
    for _ in range(90):
        router.step()
        service.clock.advance(86_400)
    assert said(inbox) == [("firing", "a moved")]


def test_a_hanging_webhook_delays_no_other_receiver() -> None:
    service = Service()
    stop, told = threading.Event(), threading.Event()

    class Quick(Memory):
        def send(self, notification: Notification) -> Outcome:
            told.set()
            return super().send(notification)

    with Listener(Answer(hang=True), Answer(hang=True)) as listener:
        sick = receiver_of(HOOK | {"name": "sick", "url": listener.url(), "timeout": "1m"})
        service.router()  # whose clock is at the beginning of time: what follows is no history
        router = service.router(sick, Quick("quick"), clock=SystemClock())
        service.judge(1, "a")
        stage = threading.Thread(target=router.run, args=(stop, 0.01))
        stage.start()
        arrived = told.wait(120)
        stop.set()
    # Closing the listener broke the hanging connection, or `run` would wait for its time-out.
    stage.join(120)
    router.close()
    assert arrived
    assert not stage.is_alive()
    assert ("quick/0", "delivered") in [row[1:3] for row in service.log()]


def test_a_store_that_breaks_ends_the_stage_with_its_error() -> None:
    service = Service()
    router = service.router(Memory("a"), Memory("b"))
    service.judge(1, "a")
    service.store.failing, service.store.retryable = {"notifications": 1}, False
    with pytest.raises(StoreError, match="disk is full"):
        router.run(threading.Event(), 0.01)


def test_what_goes_over_the_wire_is_what_was_stored() -> None:
    service = Service()
    with Listener(Answer(503)) as listener:
        webhook = receiver_of(HOOK | {"url": listener.url()})
        router = service.router(webhook)
        service.judge(1, "feature:a")
        router.step()
        service.clock.advance(1)
        router.step()
        webhook.close()
    rows = service.store.read(Query("alerts"))
    first, second = (request.body for request in listener.requests)
    assert first == second
    assert second["alerts"][0]["labels"] == json.loads(rows["labels"][0])
    assert second["commonAnnotations"]["summary"] == rows["title"][0]
    assert service.log() == [(0, "hook/0", "delivered", 2)]


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
    named = [f"{model}-{at_ms}" for at_ms in times_ms]
    labels = [json.dumps({"alert_id": name, "model": model}) for name in named]
    texts = {"state": "firing", "labels": labels, "signals": "[]", "ends_ms": 0}
    return plain("alerts", len(times_ms), model=model, alert_id=named, at_ms=list(times_ms), **texts)


def test_however_many_models_there_are_a_receiver_asks_once_whether_there_is_something_new() -> None:
    # given alerts of two of five models, one of them far behind the other in event time
    store, inbox = Counting(), Memory("inbox")
    plan = Plan(alerting_by_alert(["inbox"]).route.build(), {Target("inbox"): inbox})
    router = Router(store, plan, ManualClock(), "", [f"model-{number}" for number in range(5)])
    router.open()
    store.append("alerts", firing("model-1", 10, 20), "a")
    store.append("alerts", firing("model-3", 9_000_000, 9_000_010), "b")
    # when it looks, and looks again after one more came to the model that lags
    store.asked.clear()
    assert router.step() == 4
    store.append("alerts", firing("model-1", 30), "c")
    assert [router.step() for _ in range(3)] == [1, 0, 0]
    # then it has asked once each time
    assert store.asked["alerts"] == 4
