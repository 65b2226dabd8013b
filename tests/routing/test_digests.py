"""A digest collects what it is told, and sends one summary at fixed times."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.config.alerting import Alerting
from monitor.config.service import ServiceSpec
from monitor.delivery.attempts import Delivery
from monitor.delivery.patience import Patience
from monitor.delivery.senders import Senders
from monitor.delivery.target import Target
from monitor.routing.digests import Collected, Digests
from monitor.routing.matchers import parse_matchers
from monitor.routing.plan import Plan
from monitor.routing.router import Router
from monitor.routing.routes import Route, RouteOptions
from monitor.routing.silence_log import SilenceLog
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from monitor.routing.timetable import Digest, Timetable
from monitor.subscribers import reached
from sinks.receivers.contract import Alert, Notification, Outcome, Receiver, Refused
from sinks.receivers.memory import Memory
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.api.test_alertmanager import ALERTING
from tests.api.test_alertmanager import world as api_world
from tests.api.test_explain import explained
from tests.routing.test_decision_log import decided, silenced
from tests.routing.test_router import ROUTES, World

HOUR_S, STEP_S = 3_600, 120
FIRST_MS = 10**12
"""2001-09-09 01:46:40 UTC, 03:46:40 in Berlin."""

DAILY = {"name": "daily", "receiver": "mail", "at": ["08:00", "18:00"], "location": "Europe/Berlin"}


class Summed(World):
    """Everything goes into a digest."""

    def __init__(self, *answers: Outcome, routes_to: str = "daily", late_ends: bool = False, **changes: Any) -> None:
        route = {**ROUTES["route"], "receiver": routes_to, "routes": [], "leeway": {"late_ends": late_ends}}
        super().__init__(open_at_once=False, route=route, leeway={"digests": [DAILY | changes]})
        self.mail = Memory("daily/0", answers=answers)
        self.router = self.started()

    def started(self) -> Router:
        digests = {digest.name: digest.build() for digest in self.alerting.leeway.digests}
        entries = {Target("daily"): self.mail}
        plan = Plan(self.alerting.route.build(), entries, digests=digests, reached=self.reached)
        router = Router(self.store, plan, self.clock, "http://leeway.example", ["fraud", "churn"])
        router.open()
        return router

    def reached(self, subscription: Subscription) -> dict[Target, Callable[[], Receiver]]:
        return {Target(subscription.told): lambda: self.mail}

    def reaches(self, hour: int) -> None:
        """Let time pass until a few minutes after a full hour of the first two days, UTC."""
        seconds = (hour - 1) * HOUR_S - 2_800 + 180 - (self.clock.now_ms() - FIRST_MS) // 1000
        self.passes(seconds, each=STEP_S)


def kinds(notification: Notification) -> dict[str, str]:
    return {alert.labels["alert_id"]: alert.annotations["digest"] for alert in notification.alerts}


def local(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def test_what_began_ended_and_still_fires_is_told_at_the_times_of_the_place() -> None:
    world = Summed()
    world.happens("a")
    world.happens("b", severity="critical")
    world.happens("c", model="churn")
    world.passes(600, each=60)
    world.happens("a", "resolved")
    world.reaches(5)
    assert world.mail.received == []
    world.reaches(6)
    [first] = world.mail.received
    assert kinds(first) == {"a": "began and ended", "b": "began", "c": "began"}
    assert first.title == "daily: 3 began, 1 ended, 0 still fire"
    assert first.text == "\n".join(
        [
            "churn",
            "- began: c moved (warning), since 2001-09-09 00:46:40 UTC",
            "fraud",
            "- began: b moved (critical), since 2001-09-09 00:46:40 UTC",
            "- began and ended: a moved (warning), since 2001-09-09 00:56:40 UTC, until 2001-09-09 01:56:40 UTC",
        ]
    )
    assert first.group_key == "digest/daily/2001-09-09T06:00:00Z"
    world.happens("b", "resolved", severity="critical")
    world.reaches(16)
    [_, second] = world.mail.received
    assert (kinds(second), second.status) == ({"b": "ended", "c": "still fires"}, "firing")
    assert second.title == "daily: 0 began, 1 ended, 1 still fire"
    world.reaches(30)
    assert kinds(world.mail.received[2]) == {"c": "still fires"}


def test_each_decision_says_when_the_summary_comes_and_that_it_came() -> None:
    world = Summed()
    world.happens("a")
    world.reaches(6)
    assert [row[1:] for row in decided(world.store)] == [
        ("daily/0", "{}", "digest", "it is notified at 2001-09-09 06:00 UTC; it was never notified"),
        ("daily/0", "{}", "delivered", "in the digest of 2001-09-09 06:00 UTC"),
    ]


def test_nothing_is_said_when_there_is_nothing_unless_it_is_asked_for() -> None:
    quiet, asked = Summed(), Summed(send_empty=True)
    for world in (quiet, asked):
        world.reaches(30)
    assert quiet.mail.received == []
    assert [said.text for said in asked.mail.received] == ["Nothing began, nothing ended, and nothing fires."] * 3


def test_a_restart_forgets_nothing_and_a_time_that_was_missed_is_made_up_for_once() -> None:
    world = Summed()
    world.happens("a")
    world.passes(600, each=60)
    world.router = world.started()
    world.happens("b")
    world.passes(600, each=60)
    world.clock.advance(40 * HOUR_S)
    world.router = world.started()
    world.passes(60, each=60)
    world.router = world.started()
    world.passes(60, each=60)
    [said] = world.mail.received
    assert (kinds(said), said.group_key) == ({"a": "began", "b": "began"}, "digest/daily/2001-09-10T16:00:00Z")


def test_one_that_is_not_taken_is_tried_again_and_holds_what_came_meanwhile() -> None:
    world = Summed(Refused("no"), Refused("no"))
    world.happens("a")
    world.reaches(6)
    world.happens("b")
    world.passes(900, each=60)
    began = {"a": "began"}
    assert [kinds(said) for said in world.mail.received] == [began, began, began | {"b": "began"}]
    assert len({said.group_key for said in world.mail.received}) == 1
    told = world.store.read(Query("notifications", order=("at_ms",)))
    assert sorted(set(zip(told["alert_id"], told["receiver"], told["outcome"], strict=True))) == [
        ("a", "daily/0", "delivered"),
        ("b", "daily/0", "delivered"),
    ]
    world.reaches(16)
    assert kinds(world.mail.received[3]) == {"a": "still fires", "b": "still fires"}


def test_what_ends_while_a_summary_is_sent_is_in_the_next_one() -> None:
    sent: list[tuple[Notification, Future[Delivery]]] = []

    class Slow(Senders):
        def send(self, target: Target, notification: Notification, for_s: float) -> Future[Delivery]:
            sent.append((notification, Future()))
            return sent[-1][1]

    clock, target = ManualClock(now_ms=FIRST_MS), Target("hourly")
    senders = Slow({target: Memory("hourly")}, clock, Patience())
    digests = Digests(MemoryStore(), clock, senders, {"hourly": Digest(Timetable())}, "")
    digests.open()
    fires = Alert("firing", {"alert_id": "a"}, {}, 0)
    digests.collect(target, [Collected(fires, True, "a", 0, "{}")], ())
    clock.advance(HOUR_S)
    digests.step(lambda _: None)
    digests.collect(target, [Collected(replace(fires, status="resolved", ends_at_ms=1), True, "a", 1, "{}")], ())
    sent[0][1].set_result(Delivery("delivered", "", 1))
    clock.advance(HOUR_S)
    digests.step(lambda _: None)
    sent[1][1].set_result(Delivery("delivered", "", 1))
    clock.advance(HOUR_S)
    digests.step(lambda _: None)
    assert [kinds(said) for said, _ in sent] == [{"a": "began"}, {"a": "ended"}]


def test_a_process_that_dies_between_sending_and_noting_says_it_again_under_the_same_key() -> None:
    world = Summed()
    world.happens("a")
    world.reaches(5)
    world.store.failing = "checkpoints"
    while not world.mail.received:
        world.passes(STEP_S, each=STEP_S)
    assert not world.store.failing
    world.router = world.started()
    world.passes(60, each=60)
    first, again = world.mail.received
    assert (first.group_key, kinds(first)) == (again.group_key, kinds(again))


def test_a_store_that_fails_for_a_moment_loses_nothing() -> None:
    world = Summed()
    world.happens("a")
    world.passes(60, each=60)
    world.store.failing = "checkpoints"
    world.passes(60, each=60)
    world.router = world.started()
    world.reaches(6)
    assert [kinds(said) for said in world.mail.received] == [{"a": "began"}]


def test_an_end_that_was_kept_quiet_is_in_the_summary() -> None:
    world = Summed()
    world.happens("a")
    world.reaches(6)
    silenced(world, "alert_id=a", 300)
    world.happens("a", "resolved")
    world.reaches(16)
    assert [kinds(said) for said in world.mail.received] == [{"a": "began"}, {"a": "ended"}]


def test_an_end_that_is_told_after_a_summary_had_it_is_not_told_twice() -> None:
    world = Summed(late_ends=True)
    world.happens("a")
    world.reaches(5)
    name = silenced(world, "alert_id=a", 300)
    world.happens("a", "resolved")
    world.reaches(6)
    SilenceLog(world.store, world.clock).expire(name)
    world.reaches(16)
    assert [kinds(said) for said in world.mail.received] == [{"a": "began and ended"}]
    assert decided(world.store)[-1][3:] == ("digest", "it is notified at 2001-09-09 16:00 UTC; all are over")


def test_a_severity_that_rises_is_no_end() -> None:
    world = Summed()
    world.happens("a")
    world.passes(600, each=60)
    world.happens("a", "updated", severity="critical")
    world.reaches(6)
    [said] = world.mail.received
    assert [(alert.labels["severity"], alert.annotations["digest"]) for alert in said.alerts] == [("critical", "began")]


def test_without_times_it_comes_each_full_hour() -> None:
    world = Summed(at=[], location=None)
    world.happens("a")
    world.passes(2 * HOUR_S, each=STEP_S)
    assert [said.group_key[-20:] for said in world.mail.received] == ["2001-09-09T02:00:00Z", "2001-09-09T03:00:00Z"]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-03-28", "2026-03-28T01:30Z"),
        ("2026-03-29", "2026-03-29T01:30Z"),
        ("2026-10-24", "2026-10-24T00:30Z"),
        ("2026-10-25", "2026-10-25T00:30Z"),
    ],
)
def test_a_time_that_clocks_skip_or_repeat_comes_once_a_day(day: str, expected: str) -> None:
    table = Timetable([150], ZoneInfo("Europe/Berlin"))
    noon_ms = local(f"{day}T12:00", "Europe/Berlin")
    expected_ms = int(datetime.fromisoformat(expected).timestamp() * 1000)
    assert table.last(noon_ms) == expected_ms
    assert table.next(expected_ms - 1) == expected_ms
    assert table.last(table.next(noon_ms) - 1) == expected_ms


def test_a_timetable_names_every_time_once_and_in_order() -> None:
    for table in (Timetable([0, 150, 1439], ZoneInfo("Europe/Berlin")), Timetable()):
        at_ms = int(datetime(2026, 3, 20, tzinfo=UTC).timestamp() * 1000)
        for _ in range(2_000):
            later = table.next(at_ms)
            assert at_ms < later
            assert table.last(later) == later
            assert table.last(later - 1) <= at_ms
            at_ms = later


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"receiver": "male"}, "receiver", "no receiver is named 'male'"),
        ({"name": "mail"}, "name", "there is a receiver named 'mail' already"),
        ({"receiver": "pager"}, "receiver", "'pager' opens and closes incidents, and takes no summaries"),
    ],
)
def test_a_digest_for_nobody_is_named_with_its_place(changes: dict[str, str], place: str, message: str) -> None:
    alerting = Alerting.model_validate(ROUTES | {"leeway": {"digests": [DAILY | changes]}})
    assert list(alerting.wrong_names([], ["pager"])) == [(("leeway", "digests", 0, place), message)]


@pytest.mark.parametrize(
    "changes",
    [
        {"at": ["24:00"]},
        {"at": ["8 o'clock"]},
        {"location": "Berlin"},
        {"location": "localtime"},
        {"every": "1h"},
        {"at": []},
    ],
)
def test_a_timetable_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        Alerting.model_validate(ROUTES | {"leeway": {"digests": [DAILY | changes]}})


def test_a_subscription_may_name_a_digest() -> None:
    log = {"kind": "log", "name": "log"}
    alerting = {"route": {"receiver": "log"}, "leeway": {"digests": [{"name": "daily", "receiver": "log"}]}}
    spec = ServiceSpec.model_validate({"receivers": [log], "alerting": alerting})
    wanted = Subscription(parse_matchers("model=churn"), "daily")
    found = reached(spec, wanted)
    assert {target: settings.name for target, settings in found.items()} == {Target("daily"): "daily/0"}
    world = Summed(routes_to="nobody")
    SubscriptionLog(world.store, world.clock).add(wanted)
    world.passes(60, each=60)
    world.happens("a")
    world.happens("b", model="churn")
    world.reaches(6)
    assert [kinds(said) for said in world.mail.received] == [{"b": "began"}]


def test_whoever_asks_sees_the_entries_of_a_digest() -> None:
    digests = {"digests": [{"name": "daily", "receiver": "pager"}]}
    route = {**ALERTING["route"], "receiver": "daily", "routes": []}
    shown = api_world({**ALERTING, "route": route, "leeway": digests})
    assert [row["receiver"] for row in explained(shown, "a")["receivers"]] == ["daily/0", "daily/1"]


def test_a_clock_that_was_a_week_ahead_puts_off_no_summary() -> None:
    world, week_s = Summed(), 7 * 24 * HOUR_S
    world.happens("a")
    world.clock = ManualClock(FIRST_MS + 1000 * week_s)
    world.router = world.started()
    world.passes(5 * HOUR_S, each=600)
    assert len(world.mail.received) == 1, "by a clock that is wrong"
    world.clock = ManualClock(FIRST_MS + 600_000)
    world.router = world.started()
    world.happens("b")
    world.reaches(6)
    assert [kinds(summary) for summary in world.mail.received[1:]] == [{"a": "still fires", "b": "began"}]
    world.clock = ManualClock(world.clock.now_ms() - 600_000)
    world.reaches(15)
    assert len(world.mail.received) == 2


def test_what_a_digest_had_collected_that_is_gone_says_so_and_is_sent_if_it_comes_back() -> None:
    world = Summed()
    world.happens("a")
    world.passes(40)
    world.happens("a", "resolved")
    world.passes(400, each=10)
    for _ in range(2):
        plan = Plan(Route(RouteOptions("mail")), {Target("mail"): Memory("mail")})
        with capture_logs() as lines:
            world.router = Router(world.store, plan, world.clock, "", ["fraud"])
            world.passes(60, each=10)
        assert [line["receiver"] for line in lines if line["event"].startswith("a digest is not")] == ["daily/0"]
    rows = rows_of(world.store.read(Query("decisions", {"receiver": "daily/0", "alert_id": "a"})))
    last = max(rows, key=lambda row: (row["at_ms"], row["sequence"]))
    assert (last["why"], last["detail"]) == ("gave_up", "the digest is not configured")
    world.router = world.started()
    world.reaches(6)
    assert [kinds(summary) for summary in world.mail.received] == [{"a": "began and ended"}]
