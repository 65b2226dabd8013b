"""Subscriptions through the API: who may be told, what is refused, and what is shown of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from monitor.config import Service
from sinks.store.memory import MemoryStore
from tests.api.test_alertmanager import ALERTING, world
from tests.api.world import Client, World

HOOK = "https://hooks.example.org/services/hunter2"
SPEC: dict[str, Any] = {
    "receivers": [
        {"kind": "log", "name": "log"},
        {"kind": "email", "name": "post", "host": "smtp.example.org", "sender": "leeway@example.org", "to": ["x@y.z"]},
    ],
    "subscriptions": {
        "email": {"through": "post", "hosts": ["example.org", "*.Example.org"]},
        "webhook": {"hosts": ["hooks.example.org", "10.1.2.3", "8.8.8.8"]},
    },
}


def subscribed(spec: dict[str, Any] = SPEC, *, routes: bool = True) -> Client:
    made = world()
    service = Service.model_validate({"spec": {**spec, **({"alerting": ALERTING} if routes else {})}})
    made.configuration = replace(made.configuration, service=service)
    return Client(made)


def post(client: Client, **given: Any) -> httpx.Response:
    body = {"created_by": "ann", **given}
    return client.post("/v1/subscriptions", json.dumps(body).encode(), content_type="application/json")


def test_a_subscription_is_added_shown_and_ended() -> None:
    client = subscribed()
    said = post(client, matchers=["model=fraud, severity=~crit.*"], receiver="pager", group_by=["..."]).json()
    assert said == {
        "id": said["id"],
        "matchers": ['model="fraud"', 'severity=~"crit.*"'],
        **{"receiver": "pager", "email": None, "webhook": None},
        **{"group_by": ["..."], "group_wait_ms": 30_000, "group_interval_ms": 300_000},
        **{"repeat_interval_ms": 14_400_000, "created_by": "ann", "comment": "", "created_ms": 1_700_000_000_000},
        "told": "pager",
        "route": f'subscription/{said["id"]}{{model="fraud",severity=~"crit.*"}}',
        "problem": None,
    }
    second = post(client, email="ann@ml.example.org", group_wait="0s", group_interval="1m", repeat_interval="1d").json()
    assert (second["matchers"], second["email"], second["group_by"]) == ([], "ann@ml.example.org", ["model"])
    assert [second[name] for name in ("group_wait_ms", "group_interval_ms", "repeat_interval_ms")] == [
        0,
        60_000,
        86_400_000,
    ]
    assert client.items("/v1/subscriptions") == sorted((said, second), key=lambda one: str(one["id"]))
    assert client.get(f"/v1/subscriptions/{said['id']}").json() == said
    assert client.request("DELETE", f"/v1/subscriptions/{said['id']}").status_code == 200
    assert client.request("DELETE", f"/v1/subscriptions/{said['id']}").status_code == 404
    assert client.get(f"/v1/subscriptions/{said['id']}").status_code == 404
    assert client.items("/v1/subscriptions") == [second]


def test_of_the_address_of_a_webhook_only_the_host_is_shown() -> None:
    client = subscribed()
    said = post(client, webhook=HOOK, matchers=["alert_id=v"])
    assert said.json()["webhook"] == "https://hooks.example.org/…"
    assert said.json()["told"].startswith("webhook:hooks.example.org#")
    for path in (
        "/v1/subscriptions",
        "/v1/alerts/v/explain",
        "/api/v2/status",
        f"/v1/subscriptions/{said.json()['id']}",
    ):
        assert "hunter2" not in client.get(path).text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "say whom to notify"),
        ({"receiver": "log", "email": "ann@example.org"}, "only one"),
        ({"receiver": "lgo"}, "no receiver is named 'lgo'; there are log, post, mail, pager"),
        ({"receiver": "mail"}, "the receiver 'mail' has no entry: it notifies nobody"),
        ({"receiver": "log", "matchers": ["a"]}, "a"),
        ({"receiver": "log", "group_by": ["...", "model"]}, "expected names of labels, or `...` alone"),
        ({"receiver": "log", "group_wait": "soon"}, "expected a duration"),
        ({"receiver": "log", "repeat_interval": "0s"}, "must not be zero"),
        ({"receiver": "log", "matcher": ["model=fraud"]}, "Extra inputs"),
        ({"email": "ann@example.com"}, "'example.com' is not among spec.subscriptions.email.hosts"),
        ({"email": "ann@example.org, eve@evil.com"}, "no mail address"),
        ({"email": "ann@example.org\r\nBcc: eve@evil.com"}, "no mail address"),
        ({"email": "ann"}, "no mail address"),
        ({"webhook": "https://hooks.example.com/x"}, "'hooks.example.com' is not among"),
        ({"webhook": "https://hooks.example.org@evil.com/x"}, "no password"),
        ({"webhook": "https://evil.com/hooks.example.org"}, "'evil.com' is not among"),
        ({"webhook": "https://hooks.example.org.evil.com/x"}, "'hooks.example.org.evil.com' is not among"),
        ({"webhook": "https://evil.com\\@hooks.example.org/x"}, "expected an address"),
        ({"webhook": "https://hooks.example.org/x\ty"}, "expected an address"),
        ({"webhook": "https://[::1/x"}, "cannot be read"),
        ({"webhook": "https://hooks.example.org/x?token=hunter2"}, "no ?"),
        ({"webhook": "https://10.1.2.3/x"}, "not a public one"),
        ({"webhook": "file:///etc/passwd"}, "expected an address"),
        ({"webhook": "https://hooks.example.org/" + "x" * 3_000}, "expected an address"),
    ],
)
def test_what_makes_no_sense_or_is_not_allowed_is_refused(given: dict[str, Any], said: str) -> None:
    client = subscribed()
    answer = post(client, **given)
    assert answer.status_code == 422, answer.text
    assert said in answer.text
    assert "hunter2" not in answer.text
    assert client.items("/v1/subscriptions") == []


def test_without_a_word_in_the_configuration_no_address_may_subscribe() -> None:
    client = subscribed({})
    assert "no spec.subscriptions.email" in post(client, email="ann@example.org").text
    assert "no spec.subscriptions.webhook" in post(client, webhook=HOOK).text


def test_a_subscription_that_the_configuration_no_longer_allows_says_so() -> None:
    client = subscribed()
    post(client, webhook=HOOK)
    service: World = client.app.state.service
    service.configuration = replace(service.configuration, service=Service())
    [kept] = client.items("/v1/subscriptions")
    assert kept["problem"] == "no webhook address may subscribe: the service's file has no spec.subscriptions.webhook"


@pytest.mark.parametrize("routes", [True, False])
def test_an_alert_that_is_explained_names_its_subscribers(routes: bool) -> None:
    client = subscribed(routes=routes)
    told = post(client, email="ann@example.org", matchers=["alert_id=v"]).json()
    post(client, email="bob@example.org", matchers=["alert_id=a"])
    receivers = client.get("/v1/alerts/v/explain").json()["receivers"]
    mine = [row for row in receivers if row["receiver"] == "email:ann@example.org/0"]
    assert [(row["route"], row["why"]) for row in mine] == [(told["route"], "none")]
    assert mine[0]["group_key"] == f'{told["route"]}:{{model="fraud"}}'
    assert "nobody has been notified about this model yet" in mine[0]["detail"]
    assert not [row for row in receivers if "bob" in row["receiver"]]


def test_a_subscription_says_what_its_address_does_not_take() -> None:
    client = subscribed()
    store: MemoryStore = client.app.state.service.store
    made = [post(client, webhook=HOOK, matchers=["model=fraud"]).json(), post(client, receiver="pager").json()]
    assert [one["problem"] for one in made] == [None, None]
    row = {"alert_id": "v", "sequence": 0, "receiver": f"{made[0]['told']}/0", "outcome": "refused"}
    written = {**row, "reason": "hooks.example.org: 410 Gone", "attempts": 1, "at_ms": 1_700_000_000_000}
    store.append("notifications", {name: [value] for name, value in written.items()}, "refused")
    problem = "it did not take the newest notification, at 2023-11-14 22:13:20 UTC: hooks.example.org: 410 Gone"
    problems = {one["id"]: one["problem"] for one in client.items("/v1/subscriptions")}
    assert problems == {made[0]["id"]: problem, made[1]["id"]: None}
    assert client.get(f"/v1/subscriptions/{made[0]['id']}").json()["problem"] == problem
