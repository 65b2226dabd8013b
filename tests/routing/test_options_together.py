"""All that routes may say beyond Alertmanager at once, in random scripts with restarts and failures."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from monitor.delivery.target import Target
from monitor.routing.acknowledgement_log import AcknowledgementLog
from monitor.routing.plan import Plan
from monitor.routing.router import Router
from sinks.receivers.contract import Delivered, Notification, Outcome, Refused
from sinks.receivers.memory import Memory
from tests.routing.test_decision_log import decided, silenced
from tests.routing.test_digests import DAILY
from tests.routing.test_router import ROUTES, World

EVENTS = 50
OPTIONS = {
    "only_changes": True,
    "late_ends": True,
    "hold": {"changes": 4, "within": "2h", "until_steady": "40m"},
    "escalate": [{"after": "10m", "receiver": "boss"}],
}


class Inbox(Memory):
    """Keeps what it took."""

    def __init__(self, name: str, answers: Iterable[Outcome]) -> None:
        super().__init__(name, answers=answers)
        self.taken: list[Notification] = []

    def send(self, notification: Notification) -> Outcome:
        answer = super().send(notification)
        if isinstance(answer, Delivered):
            self.taken.append(notification)
        return answer


class Everything(World):
    """Mail with all options, and a digest beside it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.is_calm = rng, False
        children = [{"receiver": "daily", "continue": True, "leeway": {"escalate": []}}, {}]
        route = {**ROUTES["route"], "routes": children, "leeway": OPTIONS}
        super().__init__(open_at_once=False, route=route, inhibit_rules=[], leeway={"digests": [DAILY]})
        self.inboxes = {name: Inbox(name, self.answers()) for name in ("mail", "boss", "daily")}
        self.firing: dict[str, tuple[str, str]] = {}
        self.router = self.started()

    def answers(self) -> Iterator[Outcome]:
        while True:
            yield Refused("no") if not self.is_calm and self.rng.random() < 0.2 else Delivered()

    def started(self) -> Router:
        digests = {digest.name: digest.build() for digest in self.alerting.leeway.digests}
        receivers = {Target(name): inbox for name, inbox in self.inboxes.items()}
        router = Router(
            self.store, Plan(self.alerting.route.build(), receivers, digests=digests), self.clock, "", ["fraud"]
        )
        router.open()
        return router

    def something_happens(self, number: int) -> None:
        rng = self.rng
        cause = rng.choice("abc")
        what = rng.choice(["change"] * 6 + ["rise", "silence", "ack", "restart", "fail", "wait"])
        if what == "change":
            self.change(cause, number)
        elif what == "rise" and cause in self.firing:
            self.firing[cause] = self.firing[cause][0], "critical"
            self.happens(self.firing[cause][0], "updated", cause=cause, severity="critical")
        elif what == "silence":
            silenced(self, f"cause={cause}", rng.randint(1, 40))
        elif what == "ack" and cause in self.firing:
            name = self.firing[cause][0]
            AcknowledgementLog(self.store, self.clock).set(name, self.sequence[name], "ann", "")
        elif what == "restart":
            self.router = self.started()
        elif what == "fail":
            self.store.failing = rng.choice(["checkpoints", "decisions", "notifications"])
        self.passes(60 * rng.choice([1, 2, 7, 20]), each=30)

    def change(self, cause: str, number: int) -> None:
        if cause in self.firing:
            name, severity = self.firing.pop(cause)
            self.happens(name, "resolved", cause=cause, severity=severity)
        else:
            self.firing[cause] = f"{cause}{number}", "warning"
            self.happens(f"{cause}{number}", cause=cause)

    def calms_down(self) -> None:
        """Everything ends, everybody takes what they are told, and long silences are over."""
        self.is_calm = True
        for cause in list(self.firing):
            self.change(cause, 0)
        self.passes(4 * 3_600, each=60)
        self.router = self.started()
        self.passes(26 * 3_600, each=300)


def believed(inbox: Inbox) -> dict[str, str]:
    return {alert.fingerprint: alert.status for said in inbox.taken for alert in said.alerts}


def told_of(inbox: Inbox) -> set[str]:
    return {alert.labels["alert_id"] for said in inbox.taken for alert in said.alerts}


@pytest.mark.parametrize("seed", range(4))
def test_whoever_was_told_that_an_alert_fires_is_told_its_end_and_nothing_is_left_out(seed: int) -> None:
    world = Everything(random.Random(seed))
    for number in range(EVENTS):
        world.something_happens(number)
    world.calms_down()
    for inbox in world.inboxes.values():
        assert "firing" not in believed(inbox).values(), inbox.name
    mail, boss, daily = (told_of(inbox) for inbox in world.inboxes.values())
    assert len(mail) > 5
    assert boss | mail <= daily
    for said in world.inboxes["mail"].taken:
        assert said.unchanged <= len(mail)
    summaries = {said.group_key: said for said in world.inboxes["daily"].taken}
    began = Counter(
        (alert.labels["alert_id"], alert.labels["severity"])
        for said in summaries.values()
        for alert in said.alerts
        if alert.annotations["digest"].startswith("began")
    )
    for (name, _), times in began.items():
        # One that is held fires again.
        assert times == 1 or "held" in [row[3] for row in decided(world.store, name)]
