"""Incidents over HTTP: which alerts belong together, and why."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from monitor.alerts.own import OwnAlerts
from monitor.api.reading import encode_cursor
from monitor.config import Service
from monitor.incidents.incidents import incidents
from monitor.incidents.reading import firing_of, read_changes, read_topics
from sinks.store.contract import Columns, Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import row_count, rows_of
from tests.api.world import MINUTE_MS, NOW_MS, Client, World, step


def fires(alert_id: str, minute: int, model: str = "fraud", **more: Any) -> dict[str, Any]:
    at_ms = minute * MINUTE_MS
    labels = json.dumps({"model": model, "cause": "volume", "alert_id": alert_id})
    return step(alert_id, 0, "firing", at_ms, model=model, starts_ms=at_ms - 5 * MINUTE_MS, labels=labels, **more)


def ends(alert_id: str, minute: int, model: str = "fraud", **more: Any) -> dict[str, Any]:
    return fires(alert_id, minute, model) | {
        "sequence": 1,
        "state": "resolved",
        "ends_ms": minute * MINUTE_MS,
        **more,
    }


def rollout() -> World:
    """Two models that alarm after a new version of one of them, a day after an alert of the other."""
    world = World()
    day = 24 * 60
    world.add(
        "versions",
        [
            {"model": "fraud", "version": "v1", "first_ms": 1},
            {"model": "fraud", "version": "v2", "first_ms": (day + 3) * MINUTE_MS},
            {"model": "churn", "version": "v1", "first_ms": (day + 4) * MINUTE_MS},
        ],
    )
    alerts = [fires("old", 5, "churn"), fires("f", day + 5), fires("c", day + 10, "churn", severity="critical")]
    world.add("alerts", [*alerts, ends("old", 30, "churn"), ends("f", day + 60)])
    return world


def test_incidents_are_listed_with_what_may_be_behind_them_the_latest_first() -> None:
    new, old = Client(rollout()).items("/v1/incidents")
    assert (new["id"], new["state"], new["severity"], new["models"]) == ("f", "firing", "critical", ["churn", "fraud"])
    assert (new["alert_count"], new["ends_ms"]) == (2, None)
    assert new["title"] == "f moved; and 1 more alert (churn)"
    [first, second] = new["causes"]
    assert (first["kind"], first["alerts"], first["at_ms"]) == ("version", ["f"], (24 * 60 + 3) * MINUTE_MS)
    assert first["reason"].startswith("version v2 of fraud was first seen at 1970-01-02 00:03 UTC, 2 min before")
    assert (second["kind"], second["at_ms"]) == ("together", None)
    assert (old["id"], old["state"], old["ends_ms"], old["causes"]) == ("old", "resolved", 30 * MINUTE_MS, [])


def test_incidents_are_chosen_by_model_state_severity_and_time() -> None:
    client = Client(rollout())

    def found(**parameters: Any) -> list[str]:
        return [item["id"] for item in client.items("/v1/incidents", **parameters)]

    assert found(model="churn") == ["f", "old"], "an incident is of all models whose alerts it has"
    assert found(model="fraud") == ["f"]
    assert found(namespace="fraud-team") == ["f"]
    assert found(state="resolved") == ["old"]
    assert found(severity="critical") == ["f"]
    assert found(to=24 * 60 * MINUTE_MS) == ["old"]
    assert found(from_=30 * MINUTE_MS) == ["f"]
    page = client.get("/v1/incidents", limit=1).json()
    assert [item["id"] for item in page["items"]] == ["f"]
    assert found(limit=1, cursor=page["next_cursor"]) == ["old"]
    assert client.get("/v1/incidents", format="csv").text.count("\n") == 3


def test_any_alert_s_id_finds_its_incident() -> None:
    client = Client(rollout())
    said = client.get("/v1/incidents/c").json()
    assert said == client.get("/v1/incidents/f").json()
    assert said["id"] == "f"
    assert [(one["alert_id"], one["state"], one["because"]) for one in said["alerts"]] == [
        ("f", "resolved", "first"),
        ("c", "firing", "fired 5 min after it"),
    ]
    unknown = client.get("/v1/incidents/nothing")
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "no alert that fired has the id 'nothing'")


def test_taking_an_incident_on_takes_on_its_alerts_that_fire() -> None:
    world = rollout()
    world.add("alerts", [fires("g", 24 * 60 + 6)])
    client = Client(world)

    def acked(incident_id: str, **more: Any) -> Any:
        return client.request("POST", f"/v1/incidents/{incident_id}/ack", json={"created_by": "ann", **more})

    assert acked("f", comment="rollback").json() == {"incident_id": "f", "alerts": ["g", "c"]}
    said = client.get("/v1/alerts/c/explain").json()["acknowledged"]
    assert (said["created_by"], said["comment"], said["holds"]) == ("ann", "rollback", True)
    assert client.get("/v1/alerts/f/explain").json()["acknowledged"] is None
    assert acked("c", undo=True).json()["alerts"] == ["g", "c"]
    assert client.get("/v1/alerts/c/explain").json()["acknowledged"] is None
    over = acked("old")
    assert (over.status_code, over.json()["detail"]) == (422, "incident 'old' is over: there is nothing to take on")
    assert acked("nothing").status_code == 404


def test_thousands_of_alerts_of_an_incident_are_taken_on_at_once() -> None:
    class Counting(MemoryStore):
        appends = 0

        def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
            self.appends += table == "acknowledgements"
            super().append(table, columns, token)

    store = Counting()
    world = World(store=store)
    world.add("alerts", [fires(f"a{number}", 5) for number in range(1_500)])
    answer = Client(world).request("POST", "/v1/incidents/a0/ack", json={"created_by": "ann"})
    assert len(answer.json()["alerts"]) == 1_500
    assert store.appends == 2


def test_groups_and_explanations_name_the_incident_where_routes_group_by_it() -> None:
    world = rollout()
    routes = {"route": {"receiver": "log", "group_by": ["incident"]}}
    service = Service.model_validate({"spec": {"alerting": routes}})
    world.configuration = replace(world.configuration, service=service)
    world.add("incident_alerts", [{"alert_id": "c", "incident": "f", "fired_ms": 1}])
    client = Client(world)
    [group] = client.get("/api/v2/alerts/groups").json()
    assert group["labels"] == {"incident": "f"}
    [receiver] = client.get("/v1/alerts/c/explain").json()["receivers"]
    assert receiver["group_key"] == '{}:{incident="f"}'


def test_models_that_read_one_topic_are_one_incident_for_longer() -> None:
    world = World()
    world.add("alerts", [fires("f", 5), fires("c", 50, "churn")])
    assert len(Client(world).items("/v1/incidents")) == 2
    read = {"topic": "fraud", "partition": 0, "next_offset": 1}
    world.add("progress", [{"model": "fraud", **read}, {"model": "churn", **read}])
    assert len(Client(world).items("/v1/incidents")) == 2, "`churn` does not read the topic any more"
    world.configuration.models.clear()
    [found] = Client(world).items("/v1/incidents")
    assert found["causes"][0]["reason"] == "2 of the 2 models that read fraud have alerts: 2 of 2 alerts"


def test_alerts_that_others_post_belong_to_incidents_by_the_model_or_the_topic_that_they_name() -> None:
    world = World()
    world.add("progress", [{"model": "fraud", "topic": "fraud", "partition": 0, "next_offset": 1}])
    broker = json.dumps({"alertname": "BrokerDown", "topic": "fraud"})
    serving = json.dumps({"alertname": "Latency", "model": "fraud"})
    world.add(
        "alerts",
        [
            fires("b", 5, "_posted") | {"labels": broker},
            fires("l", 40, "_posted") | {"labels": serving},
            fires("f", 50),
        ],
    )
    [found] = Client(world).items("/v1/incidents")
    assert (found["id"], found["alert_count"], found["models"]) == ("b", 3, ["_posted", "fraud"])
    first, second, last = found["causes"]
    assert (first["kind"], first["name"], first["alerts"]) == ("alert", "BrokerDown", ["b", "f"])
    assert first["reason"] == ("BrokerDown was posted 45 min before the first alert of what it is about: 2 of 3 alerts")
    assert (second["name"], second["alerts"]) == ("Latency", ["l", "f"])
    assert last["kind"] == "together", "no messages were lost, and one model reads the topic"


def test_messages_that_were_lost_are_the_likeliest_cause_of_alerts_of_their_topic() -> None:
    world = World()
    world.add("progress", [{"model": "fraud", "topic": "fraud", "partition": 0, "next_offset": 1}])
    OwnAlerts(world.store, world.clock).lost(("fraud", 0, 5, 9))
    world.add("alerts", [fires("f", NOW_MS // MINUTE_MS + 30)])
    [found] = Client(world).items("/v1/incidents")
    assert found["causes"][0]["reason"] == "messages of fraud were lost: 2 of 2 alerts"


def test_what_never_fired_is_no_incident() -> None:
    world = World()
    world.add("alerts", [fires("p", 5) | {"state": "pending"}, ends("p", 6, state="cancelled")])
    assert Client(world).items("/v1/incidents") == []


def scattered(seed: int) -> World:
    """Alerts of two models that fire now close together, now hours apart, some of them again later."""
    draw, world, minute = random.Random(seed), World(), 0
    rows = []
    for number in range(80):
        minute += draw.choice([0, 1, 5, 12, 40, 61, 300])
        model = draw.choice(["fraud", "churn"])
        rows.append(fires(f"a{number}", minute, model, severity=draw.choice(["warning", "critical"])))
        if draw.random() < 0.7:
            rows.append(ends(f"a{number}", minute + draw.choice([1, 90]), model))
        if draw.random() < 0.2:
            again = {"sequence": 2, "at_ms": (minute + 20) * MINUTE_MS}
            rows.append(fires(f"a{number}", minute, model) | again)
    world.add("alerts", rows)
    world.add("deployments", [{"id": "d", "at_ms": 200 * MINUTE_MS, "labels": "{}", "models": ["fraud"]}])
    return world


@pytest.mark.parametrize("seed", range(4))
def test_pages_of_incidents_are_those_that_the_whole_log_makes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.incidents.reading.FEWEST_ROWS", 3)
    monkeypatch.setattr("monitor.api.incidents.MOST_NAMED", [2, 1_000][seed % 2])
    world = scattered(seed)
    client, topics = Client(world), read_topics(world.store, world.configuration.is_watched)
    fired = rows_of(world.store.read(Query("alerts", {"state": "firing"})))
    whole = incidents([firing_of(row, topics) for row in fired], read_changes(world.store))
    latest_first = sorted(whole, key=lambda incident: (incident.began_ms, incident.id), reverse=True)
    states = {row["alert_id"]: row["state"] for row in rows_of(world.store.read(Query("alerts")))}
    firing = [i for i in latest_first if any(states[alert.alert_id] == "firing" for alert in i.firings)]
    assert 0 < len(firing) < len(whole)
    for limit, state, chosen in ((3, {}, latest_first), (100, {}, latest_first), (2, {"state": "firing"}, firing)):
        expected = [(incident.id, len(incident.alerts)) for incident in chosen]
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = client.get("/v1/incidents", limit=limit, **state, **cursor).json()
            items += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert [(item["id"], item["alert_count"]) for item in items] == expected
    for incident in whole[::9]:
        shown = client.get(f"/v1/incidents/{incident.alerts[-1].firing.alert_id}").json()
        earliest = next(i for i in whole if any(f.alert_id == incident.alerts[-1].firing.alert_id for f in i.firings))
        assert (shown["id"], len(shown["alerts"])) == (earliest.id, len(earliest.alerts))


class Counting(MemoryStore):
    rows = 0

    def read(self, query: Query) -> Columns:
        columns = super().read(query)
        self.rows += row_count(columns)
        return columns


def test_each_storm_of_alerts_is_read_once_however_many_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.api.incidents.MOST_NAMED", 2)
    store = Counting()
    world = World(store=store)
    world.add("alerts", [fires(f"{storm}-{number}", 120 * storm) for storm in range(20) for number in range(5)])
    items = Client(world).items("/v1/incidents")
    assert [item["alert_count"] for item in items] == [5] * 20
    assert store.rows == 2 * 100


def test_what_fires_is_looked_for_no_further_back_than_the_first_alert_that_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.incidents.reading.FEWEST_ROWS", 8)
    store = Counting()
    world = World(store=store)
    rows = [[fires(f"a{number}", 120 * number), ends(f"a{number}", 120 * number + 5)] for number in range(1_000)]
    world.add("alerts", [*(row for pair in rows for row in pair), fires("open", 120 * 990 + 1)])
    assert [item["id"] for item in Client(world).items("/v1/incidents", state="firing")] == ["a990"]
    assert store.rows < 2_001 + 100


def test_a_page_of_incidents_reads_little_of_a_long_log_and_an_open_one_of_long_ago_is_found() -> None:
    store = Counting()
    world = World(store=store)
    rows = [fires("old", 1)]
    for number in range(4_000):
        rows += [fires(f"a{number}", 120 * (number + 1)), ends(f"a{number}", 120 * (number + 1) + 5)]
    world.add("alerts", rows)
    client = Client(world)
    page = client.get("/v1/incidents", limit=10).json()
    assert [item["id"] for item in page["items"]] == [f"a{number}" for number in range(3_999, 3_989, -1)]
    assert store.rows < 2_000
    assert [item["id"] for item in client.items("/v1/incidents", state="firing")] == ["old"]
    store.rows = 0
    assert client.get("/v1/incidents/old").json()["state"] == "firing"
    assert store.rows < 100


@pytest.mark.parametrize(("at_ms", "expected"), [(2**63 - 1, ["f", "old"]), (-(2**63), [])])
def test_a_cursor_may_be_of_any_time_that_a_column_can_hold(at_ms: int, expected: list[str]) -> None:
    class Strict(MemoryStore):
        def read(self, query: Query) -> Columns:
            assert all(-(2**63) <= bound < 2**63 for bound in query.high.values())
            return super().read(query)

    world = World(store=Strict())
    world.add("alerts", rows_of(rollout().store.read(Query("alerts"))))
    cursor = encode_cursor("incidents", [at_ms, ""])
    assert [item["id"] for item in Client(world).items("/v1/incidents", cursor=cursor)] == expected
