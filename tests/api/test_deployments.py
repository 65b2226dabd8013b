"""Deployments over HTTP: announced, listed, and named by the incidents that follow."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_incidents import fires
from tests.api.world import MINUTE_MS, NOW_MS, Client, World


def post(client: Client, **said: Any) -> Any:
    answer = client.request("POST", "/v1/deployments", json={"name": "features 1.4", "models": ["fraud"], **said})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_deployment_is_announced_listed_and_changed_by_its_id() -> None:
    client = Client(World())
    said = post(client, id="build-7", at="2023-11-14T22:00Z", version="v2", link="https://ci.example/7")
    assert said == {
        "id": "build-7",
        "at_ms": NOW_MS - 800_000,
        "name": "features 1.4",
        "version": "v2",
        "models": ["fraud"],
        "topics": [],
        "labels": {},
        "link": "https://ci.example/7",
        "created_by": "",
    }
    assert client.items("/v1/deployments") == [said]
    later = post(client, id="build-7", at="-1m", models=["churn", "fraud"])
    assert client.items("/v1/deployments") == [later]
    assert later["at_ms"] == NOW_MS - MINUTE_MS
    assert later["models"] == ["churn", "fraud"]


def test_the_same_announcement_twice_is_one_deployment() -> None:
    client = Client(World())
    first = post(client, at=5, created_by="ann")
    assert post(client, at="5", created_by="bob")["id"] == first["id"]
    assert post(client, at=6)["id"] != first["id"]
    assert [row["at_ms"] for row in client.items("/v1/deployments")] == [6, 5]
    assert [row["at_ms"] for row in client.items("/v1/deployments", to=6)] == [5]
    assert client.items("/v1/deployments", model="churn") == []
    page = client.get("/v1/deployments", limit=1).json()
    assert [row["at_ms"] for row in client.items("/v1/deployments", cursor=page["next_cursor"])] == [5]


def test_an_incident_names_the_deployment_before_it_also_one_that_is_announced_afterwards() -> None:
    world = World()
    world.add("alerts", [fires("f", 30), fires("c", 50, "churn")])
    client = Client(world)
    assert len(client.items("/v1/incidents")) == 2
    post(client, id="b7", at=28 * MINUTE_MS, models=["fraud", "churn"], link="https://ci.example/7")
    [found] = client.items("/v1/incidents")
    [cause, _] = found["causes"]
    assert (cause["kind"], cause["name"], cause["score"]) == ("deployment", "features 1.4", 1.0)
    assert (cause["link"], cause["alerts"]) == ("https://ci.example/7", ["f", "c"])
    assert client.get("/v1/incidents/c").json()["alerts"][1]["because"] == "came after deployment features 1.4 too"


@pytest.mark.parametrize(
    ("said", "status", "detail"),
    [
        ({"models": []}, 422, "say what was changed: models, topics or labels"),
        ({"models": ["fruad"]}, 404, "no model is named 'fruad'; known are fraud, churn"),
        ({"link": "javascript:alert(1)"}, 422, "expected an address that begins with http:// or https://"),
        ({"at": "yesterday"}, 422, "'yesterday' is not a time"),
        ({"modles": ["fraud"]}, 422, "modles"),
    ],
)
def test_what_cannot_be_meant_is_refused(said: dict[str, Any], status: int, detail: str) -> None:
    client = Client(World())
    answer = client.request("POST", "/v1/deployments", json={"name": "x", "models": ["fraud"], **said})
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text
    assert client.items("/v1/deployments") == []


LONG = 10**400
NOT_TIMES = {
    "NaN": "not a time",
    "1e400": "not a time",
    str(LONG): "too far away",
    "1.5": "not a time",
    "true": "not a time",
}
NOT_TIMES |= {"[1]": "not a time", '"soon"': "not a time"}


@pytest.mark.parametrize("at", NOT_TIMES)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/deployments", '{"name": "x", "models": ["fraud"], "at": %s}'),
        ("/v1/clocks", '{"model": "fraud", "reason": "x", "created_by": "ann", "to": %s}'),
        ("/v1/marks", '{"model": "fraud", "signal": "volume", "says": "real", "created_by": "ann", "at": %s}'),
    ],
)
def test_what_is_no_time_is_refused_in_words_and_by_its_field(path: str, body: str, at: str) -> None:
    answer = Client(World()).request("POST", path, content=body % at, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["field"] == ("to" if path == "/v1/clocks" else "at")
    assert NOT_TIMES[at] in error["message"]
    assert "Input should" not in answer.text


@pytest.mark.parametrize("value", ["NaN", "[1]", "{}", str(LONG)])
def test_a_setting_of_a_baseline_that_is_none_is_refused_in_words(value: str) -> None:
    answer = Client(World()).request(
        "POST",
        "/v1/models/fraud/baseline",
        content=f'{{"baseline": {{"kind": "period", "from": {value}}}}}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == ["from"]
    assert answer.json()["detail"] == "from: expected a text, a number, true, false or null"
