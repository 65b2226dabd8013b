"""Times that no calendar has are refused where they come in, and what an earlier version stored of them is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.routing.posted import Posted
from monitor.routing.posted_log import PostedLog
from tests.api.test_alertmanager import world
from tests.api.world import NOW_MS, Client, World

TOO_EARLY, TOO_LATE = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
FOR_EVER = "9999-12-31T23:59:59Z"
OUTSIDE = "times lie between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z"
SILENCE = {
    "matchers": [{"name": "model", "value": "fraud"}],
    "startsAt": "2024-01-01T00:00:00Z",
    "endsAt": FOR_EVER,
    "createdBy": "ann",
    "comment": "for ever",
}
DEPLOYMENT = {"name": "fraud v2", "models": ["fraud"]}
MARK = {"model": "fraud", "signal": "volume", "says": "accepted", "created_by": "ann", "reason": "new shop"}


def post(client: Client, path: str, body: Any) -> tuple[int, str]:
    response = client.post(path, json.dumps(body).encode(), Content_Type="application/json")
    return response.status_code, response.text


@pytest.mark.parametrize("times", [{"startsAt": TOO_EARLY}, {"endsAt": TOO_LATE}])
def test_an_alert_at_no_time_is_refused_and_those_beside_it_are_taken(times: dict[str, str]) -> None:
    client = Client(world())
    status, text = post(client, "/api/v2/alerts", [{"labels": {"alertname": "a"}, **times}, {"labels": {"b": "c"}}])
    assert (status, OUTSIDE in text) == (400, True)
    shown = client.get("/api/v2/alerts").json()
    assert {"b": "c"} in [alert["labels"] for alert in shown]
    assert "a" not in [alert["labels"].get("alertname") for alert in shown]


@pytest.mark.parametrize("times", [{"startsAt": TOO_EARLY}, {"endsAt": TOO_LATE}])
def test_a_silence_at_no_time_is_refused_and_one_for_ever_is_not(times: dict[str, str]) -> None:
    client = Client(world())
    status, text = post(client, "/api/v2/silences", SILENCE | times)
    assert (status, OUTSIDE in text) == (400, True)
    assert post(client, "/api/v2/silences", SILENCE)[0] == 200
    [shown] = client.get("/api/v2/silences").json()
    assert shown["endsAt"] == "9999-12-31T23:59:59.000Z"


def is_refused_for_distance(text: str) -> bool:
    return "too far away" in text or "at most a hundred years" in text


@pytest.mark.parametrize("at", [TOO_EARLY, TOO_LATE, "9" * 18, int("9" * 18), "-9000000d", "+9000000d"])
@pytest.mark.parametrize(("path", "body"), [("/v1/deployments", DEPLOYMENT), ("/v1/marks", MARK)])
def test_what_is_announced_for_no_time_is_refused(path: str, body: dict[str, Any], at: str | int) -> None:
    client = Client(world())
    status, text = post(client, path, body | {"at": at})
    assert (status, is_refused_for_distance(text)) == (422, True)
    assert client.get(path).json()["items"] == []


@pytest.mark.parametrize("end", [TOO_EARLY, TOO_LATE, "9" * 18, "-9000000d", "+9000000d"])
def test_every_question_about_a_span_refuses_such_an_end_of_it(end: str) -> None:
    client = Client(World())
    asked = 0
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        parameters = {each["name"] for each in methods.get("get", {}).get("parameters", ())}
        # From one version to another lies no time.
        for name in () if path.endswith("/configuration/diff") else parameters & {"from", "to"}:
            more = {"model": "fraud"} if "model" in parameters else {}
            more |= {"signal": "feature:amount"} if "signal" in parameters else {}
            response = client.get(path.replace("{model}", "fraud"), **more, **{name: end})
            assert (path, response.status_code) == (path, 422), response.text
            assert is_refused_for_distance(response.text)
            asked += 1
    assert asked > 10


@pytest.mark.parametrize("wild_ms", [-(1 << 61), 1 << 61])
def test_what_was_stored_of_no_time_is_shown_at_the_first_or_last_of_all(wild_ms: int) -> None:
    made = world()
    PostedLog(made.store).put([Posted({"alertname": "wild"}, {}, wild_ms, max(wild_ms, 2 * NOW_MS), NOW_MS)])
    row = {"id": "s1", "updated_ms": 1, "starts_ms": wild_ms, "ends_ms": 1 << 61, "matchers": "model=x"}
    made.add("silences", [row])
    client = Client(made)
    [alert] = client.get("/api/v2/alerts", filter="alertname=wild").json()
    [silence] = client.get("/api/v2/silences").json()
    first_or_last = "0001-01-01T00:00:00.000Z" if wild_ms < 0 else "9999-12-31T23:59:59.999Z"
    assert (alert["startsAt"], silence["startsAt"]) == (first_or_last, first_or_last)
