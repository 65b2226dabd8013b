"""Why was I told, or not?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.config import Service
from tests.api.test_alertmanager import ALERTING, world
from tests.api.world import Client, World, step

ROUTE = '{}/{severity="critical"}/0'


def made(at_ms: int, why: str, detail: str, **more: Any) -> dict[str, Any]:
    place = {"alert_id": "v", "sequence": 0, "receiver": "pager/0", "route": ROUTE}
    return {**place, "at_ms": at_ms, "why": why, "detail": detail, **more}


def explained(world: World, alert_id: str) -> dict[str, Any]:
    document: dict[str, Any] = Client(world).get(f"/v1/alerts/{alert_id}/explain").json()
    return document


def test_the_last_decision_about_each_receiver_stands_and_all_are_shown() -> None:
    shown = world()
    shown.add(
        "decisions", [made(2_000, "delivered", "it was never notified"), made(1_000, "silenced", "by silence s1")]
    )
    found = explained(shown, "v")
    assert [row["why"] for row in found["decisions"]] == ["silenced", "delivered"]
    first, second = found["receivers"]
    assert (first["receiver"], first["why"], first["at_ms"]) == ("pager/0", "delivered", 2_000)
    assert first["group_key"] == '{}/{severity="critical"}:{model="fraud"}'
    assert first["meaning"] == "the receiver took it"
    assert (second["receiver"], second["why"], second["at_ms"]) == ("pager/1", "none", None)


def test_a_receiver_of_which_nothing_was_decided_has_a_reason_too() -> None:
    shown = world()
    details = {row["receiver"]: row["detail"] for row in explained(shown, "a")["receivers"]}
    assert details == {"mail": "the receiver has no entry: it notifies nobody"}
    [first, _] = explained(shown, "v")["receivers"]
    assert "no process with the role `alert` has run" in first["detail"]
    shown.add("checkpoints", [{"stage": "route", "name": "another", "position": 5_001}])
    [first, _] = explained(shown, "v")["receivers"]
    assert "no process with the role `alert` has taken this model up" in first["detail"]
    shown.add("checkpoints", [{"stage": "route", "name": "fraud", "position": 5_001}])
    assert explained(shown, "v")["receivers"][0]["detail"] == (
        "it lies before 1970-01-01 00:00:05 UTC, where the receiver starts: nobody is notified of history"
    )
    shown.add("checkpoints", [{"stage": "route", "name": "churn", "position": 5_000}])
    [pager, _, log] = explained(shown, "c")["receivers"]
    assert pager["detail"] == "it was not looked at yet, or is being sent for the first time"
    assert log["receiver"] == "log/0"


def test_those_that_a_route_escalates_to_are_shown_too() -> None:
    steps = {"escalate": [{"after": "15m", "receiver": "log"}]}
    shown = world({**ALERTING, "route": {**ALERTING["route"], "leeway": steps}})
    assert [row["receiver"] for row in explained(shown, "v")["receivers"]] == ["pager/0", "pager/1", "log/0"]


def test_what_was_decided_under_another_configuration_is_still_shown() -> None:
    shown = world()
    shown.add("decisions", [made(1_000, "muted", "within nights", receiver="gone/0", route="{}/{}/9")])
    last = explained(shown, "v")["receivers"][-1]
    assert (last["receiver"], last["why"], last["group_key"]) == ("gone/0", "muted", None)


def test_without_routes_receivers_are_those_of_the_service() -> None:
    shown = World()
    spec = {"receivers": [{"kind": "log", "name": "stdout"}]}
    shown.configuration = replace(shown.configuration, service=Service.model_validate({"spec": spec}))
    shown.add("alerts", [step("a", 0, "pending", 5_000), step("b", 0, "firing", 5_000)])
    [waiting] = explained(shown, "a")["receivers"]
    assert (waiting["receiver"], waiting["detail"]) == ("stdout/0", "nobody is notified of pending alerts")
    shown.add(
        "decisions", [made(9, "refused", "answered 404", alert_id="b", receiver="stdout/0", route=waiting["route"])]
    )
    [refused] = explained(shown, "b")["receivers"]
    assert (refused["why"], refused["detail"], refused["group_key"]) == (
        "refused",
        "answered 404",
        waiting["group_key"],
    )


def test_an_alert_that_is_not_there_has_no_explanation() -> None:
    answer = Client(world()).get("/v1/alerts/nothing/explain")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "no alert has the id 'nothing'"
