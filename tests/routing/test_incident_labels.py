"""Alerts of an incident are told together, under a name that stays."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from monitor.api.standing_alerts import standing_alerts
from monitor.clock import ManualClock
from monitor.incidents.deployments import Deployment, announce
from monitor.incidents.incidents import Reach
from monitor.routing.incident_labels import IncidentNames, with_incidents
from monitor.routing.matchers import parse_matchers
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.router import Router
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from sinks.receivers.contract import Notification
from sinks.store.contract import Query
from tests.routing.test_router import MINUTE_MS, World

REACH = Reach(together_ms=10 * MINUTE_MS, shared_ms=60 * MINUTE_MS)


class Incidents(World):
    """A router whose routes group by incident."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(route={"receiver": "mail", "group_by": ["incident"]}, inhibit_rules=[], **changes)

    def started(self) -> Router:
        super().started()
        self.names = IncidentNames(self.store, {}, REACH)
        plan = replace(self.plan, incidents=self.names)
        router = Router(self.store, plan, self.clock, "http://leeway.example", ["fraud", "churn", "risk"])
        router.open()
        return router

    def happened(self, ago_ms: int, alert_id: str, **changes: str) -> None:
        now, self.clock = self.clock, ManualClock(self.clock.now_ms() - ago_ms)
        self.happens(alert_id, **changes)
        self.clock = now

    @property
    def told(self) -> list[tuple[str, list[str], list[str]]]:
        return [of(notification) for notification in self.mail.received]


def of(notification: Notification) -> tuple[str, list[str], list[str]]:
    """Incident, and alerts, firing and over."""
    firing = [alert.labels["alert_id"] for alert in notification.alerts if alert.status == "firing"]
    over = [alert.labels["alert_id"] for alert in notification.alerts if alert.status == "resolved"]
    return notification.group_labels["incident"], sorted(firing), sorted(over)


def test_what_one_deployment_moves_is_told_once_and_so_is_its_end() -> None:
    world = Incidents()
    rollout = Deployment("b7", "features 1.4", world.clock.now_ms() - MINUTE_MS, models=("fraud", "churn", "risk"))
    announce(world.store, world.clock, rollout)
    for alert_id, model in (("f", "fraud"), ("c", "churn"), ("r", "risk")):
        world.happens(alert_id, model=model)
        world.passes(5)
    world.passes(600)
    assert world.told == [("f", ["c", "f", "r"], [])]
    assert {alert.annotations["likely_cause"] for alert in world.mail.received[0].alerts} == {
        "deployment features 1.4 was at 2001-09-09 01:45:40 UTC, 1 min before the first alert: 3 of 3 alerts"
    }
    for alert_id, model in (("f", "fraud"), ("c", "churn"), ("r", "risk")):
        world.happens(alert_id, "resolved", model=model)
    world.passes(600)
    assert world.told[1:] == [("f", [], ["c", "f", "r"])]


def test_what_is_announced_before_the_first_look_is_named_and_what_fires_later_is_another_incident() -> None:
    world = Incidents()
    world.happens("f")
    world.passes(20)
    announce(world.store, world.clock, Deployment("b7", "late", 10**12 - MINUTE_MS, models=("fraud",)))
    world.passes(20)
    [first] = world.mail.received
    assert first.alerts[0].annotations["likely_cause"].startswith("deployment late was at")
    world.passes(11 * 60, each=10)
    world.happens("c", model="churn")
    world.passes(40)
    assert world.told == [("f", ["f"], []), ("c", ["c"], [])]
    assert "likely_cause" not in world.mail.received[1].alerts[0].annotations


def test_an_earlier_alert_that_becomes_known_late_joins_under_the_name_that_was_told_also_after_a_restart() -> None:
    world = Incidents()
    world.passes(600, each=60)
    world.happens("f")
    world.passes(31)
    assert world.told == [("f", ["f"], [])]
    world.router = world.started()
    world.passes(1)
    world.happened(8 * MINUTE_MS, "c", model="churn")
    world.passes(400, each=5)
    assert world.told[1:] == [("f", ["c", "f"], [])]
    world.happens("r", model="risk")
    world.passes(400, each=5)
    assert world.told[2:] == [("r", ["r"], [])], "the incident begins with `c` now, which is too long ago"
    names = world.store.read(Query("incident_alerts"))
    assert dict(zip(names["alert_id"], names["incident"], strict=True)) == {"c": "f", "f": "f", "r": "r"}


def test_a_silence_of_an_incident_keeps_quiet_what_joins_it() -> None:
    world = Incidents()
    world.happens("f")
    world.passes(40)
    now_ms = world.clock.now_ms()
    silence = Silence("", parse_matchers("incident=f"), now_ms, now_ms + 60 * MINUTE_MS, "ann", "rolling back")
    SilenceLog(world.store, world.clock).set(silence)
    world.happens("c", model="churn")
    world.passes(400, each=10)
    assert world.told == [("f", ["f"], [])]


def test_an_alert_that_comes_back_in_another_incident_is_of_the_same_condition() -> None:
    first = RoutedAlert({"model": "fraud", "alert_id": "a", "incident": "a"}, 0)
    assert first.condition == RoutedAlert({"model": "fraud", "alert_id": "b", "incident": "c"}, 0).condition


def test_a_store_that_fails_while_incidents_are_named_loses_nothing() -> None:
    world = Incidents()
    world.happens("f")
    world.store.failing = "incident_alerts"
    world.passes(60)
    assert world.told == [("f", ["f"], [])]
    world.happened(8 * MINUTE_MS, "c", model="churn")
    world.router = world.started()
    world.passes(900, each=10)
    assert len(world.told) == 1, "the alert keeps the name under which it was notified"
    world.happens("f", "resolved")
    world.passes(900, each=10)
    assert world.told[1:] == [("f", [], ["f"])]


def test_names_are_forgotten_with_their_alerts_and_shown_where_routes_group_by_them() -> None:
    world = Incidents()
    world.happens("f")
    world.happens("c", model="churn")
    world.passes(40)
    root = world.alerting.route.build()
    shown = with_incidents(world.store, root, standing_alerts(world.store))
    assert {alert["alert_id"]: alert["labels"]["incident"] for alert in shown} == {"c": "c", "f": "c"}
    [plain] = {json.dumps(alert["labels"].get("incident")) for alert in standing_alerts(world.store)}
    assert plain == "null", "stored alerts stay as the lifecycle wrote them"
    for alert_id, model in (("f", "fraud"), ("c", "churn")):
        world.happens(alert_id, "resolved", model=model)
    world.passes(900, each=10)
    assert world.names._names == {}
