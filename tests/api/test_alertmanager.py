"""Alertmanager's API over Leeway's alerts: `amtool` is the client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from monitor.clock import SystemClock
from monitor.config import Service
from tests.api.world import NOW_MS, Client, World, configured, model, serving, step
from tests.services.alertmanager import amtool
from tests.services.cache import UnavailableError

ALERTING: dict[str, Any] = {
    "route": {
        "receiver": "mail",
        "group_by": ["model"],
        "routes": [
            {"matchers": ['severity="critical"'], "receiver": "pager", "group_wait": "10s", "continue": True},
            {"matchers": ["model=churn"], "receiver": "log", "mute_time_intervals": ["always"]},
        ],
    },
    "receivers": [
        {"name": "mail"},
        {"name": "pager", "webhook_configs": [{"url": "https://hooks.example/hunter2"}] * 2},
    ],
    "inhibit_rules": [{"source_matchers": ["cause=volume"], "target_matchers": ["cause!=volume"], "equal": ["model"]}],
    "time_intervals": [
        {
            "name": "always",
            "time_intervals": [
                {
                    "times": [{"start_time": "00:00", "end_time": "24:00"}],
                    "weekdays": ["sunday:saturday"],
                    "days_of_month": ["1:-1"],
                    "months": ["1:12"],
                    "years": ["2000:2100"],
                    "location": "Europe/Berlin",
                }
            ],
        }
    ],
}


def world(alerting: dict[str, Any] | None = ALERTING) -> World:
    spec = {"alerting": alerting} if alerting else {}
    found = configured(model("fraud"), model("churn"))
    made = World(configuration=replace(found, service=Service.model_validate({"spec": spec})))
    for name, cause, severity in (("v", "volume", "critical"), ("a", "amount", "warning")):
        labels = {"alert_id": name, "model": "fraud", "cause": cause, "severity": severity}
        made.add(
            "alerts", [step(name, 0, "firing", 5_000, labels=json.dumps(labels), signals="[]", title=f"{name} moved")]
        )
    labels = {"alert_id": "c", "model": "churn", "cause": "amount", "severity": "critical"}
    made.add("alerts", [step("c", 0, "firing", 5_000, model="churn", labels=json.dumps(labels), signals="[]")])
    made.add("alerts", [step("old", 0, "resolved", 5_000, labels=json.dumps(labels), signals="[]")])
    return made


@pytest.fixture
def tool() -> Iterator[Callable[..., str]]:
    made = world()
    # `amtool` goes by the machine's clock.
    made.clock = SystemClock()  # type: ignore[assignment]
    with serving(made) as url:
        yield lambda *words: amtool(f"--alertmanager.url={url}", *words)


def named(said: str) -> list[str]:
    return [alert["labels"]["alert_id"] for alert in json.loads(said)]


def test_amtool_lists_alerts_with_what_keeps_them_quiet(tool: Callable[..., str]) -> None:
    everything = json.loads(
        tool("alert", "query", "-o", "json", "--inhibited", "--silenced", "--active", "--unprocessed")
    )
    by_name = {alert["labels"]["alert_id"]: alert for alert in everything}
    assert set(by_name) == {"v", "a", "c"}
    assert by_name["a"]["status"]["state"] == "suppressed"
    assert by_name["a"]["status"]["inhibitedBy"] == [by_name["v"]["fingerprint"]]
    assert [receiver["name"] for receiver in by_name["c"]["receivers"]] == ["pager", "log"]
    assert by_name["v"]["annotations"]["summary"] == "v moved"
    assert sorted(named(tool("alert", "query", "-o", "json"))) == ["c", "v"], "what is inhibited is left out"
    assert named(tool("alert", "query", "-o", "json", "model=~ch.*")) == ["c"]
    assert named(tool("alert", "query", "-o", "json", "--receiver=mail", "--inhibited")) == ["a"]


def test_amtool_adds_changes_lists_and_ends_silences(tool: Callable[..., str]) -> None:
    name = tool("silence", "add", "--author=ann", "--comment=new version", "--duration=2h", "model=fraud").strip()
    [silence] = json.loads(tool("silence", "query", "-o", "json"))
    assert (silence["id"], silence["status"]["state"], silence["createdBy"]) == (name, "active", "ann")
    assert silence["matchers"] == [{"name": "model", "value": "fraud", "isRegex": False, "isEqual": True}]
    assert named(tool("alert", "query", "-o", "json")) == ["c"]
    [silenced] = json.loads(tool("alert", "query", "-o", "json", "--silenced", "alert_id=v"))
    assert silenced["status"]["silencedBy"] == [name]
    assert tool("silence", "query", "-q", "model=churn").strip() == ""
    tool("silence", "expire", name)
    assert sorted(named(tool("alert", "query", "-o", "json"))) == ["c", "v"]
    with pytest.raises(UnavailableError):
        tool("silence", "expire", "no-such-silence")


def test_amtool_reads_the_routes_that_are_in_force_without_their_secrets(tool: Callable[..., str]) -> None:
    shown = tool("config", "show")
    assert "group_wait: 10s" in shown
    assert "hunter2" not in shown
    assert tool("config", "routes", "test", "severity=critical", "model=churn").strip() == "pager,log"


def test_alerts_are_found_and_silenced_by_what_is_said_of_them() -> None:
    client = Client(world())
    by_summary = {"name": "annotation:summary", "value": "v mov.*", "isRegex": True}
    name = post(client, matchers=[by_summary]).json()["silenceID"]
    found = client.get("/api/v2/alerts", filter_='annotation:summary=~"v.*"').json()
    assert [(one["labels"]["alert_id"], one["status"]["silencedBy"]) for one in found] == [("v", [name])]
    routes = [{"matchers": ['annotation:summary="v moved"'], "receiver": "pager"}]
    made = world({**ALERTING, "route": {"receiver": "mail", "routes": routes}})
    explained = Client(made).get("/v1/alerts/v/explain").json()
    assert [row["receiver"] for row in explained["receivers"]] == ["pager/0", "pager/1"]


def test_groups_are_those_in_which_alerts_are_told() -> None:
    found = Client(world()).get("/api/v2/alerts/groups").json()
    said = {
        (group["receiver"]["name"], group["labels"]["model"]): [
            (alert["labels"]["alert_id"], alert["status"]["mutedBy"]) for alert in group["alerts"]
        ]
        for group in found
    }
    assert said == {
        ("pager", "fraud"): [("v", [])],
        ("pager", "churn"): [("c", [])],
        ("log", "churn"): [("c", ["within always"])],
        ("mail", "fraud"): [("a", [])],
    }
    unmuted = Client(world()).get("/api/v2/alerts/groups", muted="false").json()
    assert len(unmuted) == 3
    assert [one["name"] for one in Client(world()).get("/api/v2/receivers").json()] == ["mail", "pager", "log"]


SILENCE: dict[str, Any] = {
    "matchers": [{"name": "model", "value": "fraud", "isRegex": False}],
    "startsAt": "2023-11-14T22:13:20Z",
    "endsAt": "2023-11-14T23:13:20+00:00",
    "createdBy": "ann",
    "comment": "",
}


def post(client: Client, **changes: Any) -> Any:
    content = json.dumps(SILENCE | changes).encode()
    return client.post("/api/v2/silences", content, content_type="application/json")


def test_a_silence_that_has_begun_is_ended_and_replaced_when_its_matchers_change() -> None:
    made = world()
    client = Client(made)
    first = post(client).json()["silenceID"]
    made.clock.advance(60)
    assert post(client, id=first, endsAt="2023-11-15T00:00:00Z").json() == {"silenceID": first}
    wider = [{"name": "model", "value": "fraud|churn", "isRegex": True}]
    second = post(client, id=first, matchers=wider).json()["silenceID"]
    assert second != first
    ended = client.get(f"/api/v2/silence/{first}").json()
    assert ended["endsAt"] == "2023-11-14T22:14:20.000Z"
    made.clock.advance(1)
    states = {one["id"]: one["status"]["state"] for one in client.get("/api/v2/silences").json()}
    assert states == {first: "expired", second: "active"}
    made.clock.advance(6 * 86_400)
    assert client.get("/api/v2/silences").json() == []


def test_amtool_shows_when_a_silence_counts_and_changes_it_without_losing_that() -> None:
    made = world()
    made.clock = SystemClock()  # type: ignore[assignment]
    intervals = [{"weekdays": ["monday:friday"], "times": [{"start_time": "22:00", "end_time": "24:00"}]}]
    with serving(made) as url:
        body = {**SILENCE, "endsAt": "2099-01-01T00:00:00Z", "comment": "loads", "leeway": {"intervals": intervals}}
        name = httpx.post(f"{url}/api/v2/silences", json=body, timeout=60).json()["silenceID"]
        [shown] = json.loads(amtool(f"--alertmanager.url={url}", "silence", "query", "-o", "json"))
        assert shown["comment"] == "loads [only monday:friday 22:00-24:00 UTC]"
        assert shown["status"]["state"] in ("active", "pending")
        amtool(f"--alertmanager.url={url}", "silence", "update", "--duration=48h", name)
        changed = httpx.get(f"{url}/api/v2/silence/{name}", timeout=60).json()
    assert changed["endsAt"] < "2099"
    assert (changed["comment"], changed["leeway"]) == (shown["comment"], {"intervals": intervals})


def test_what_a_silence_has_beyond_alertmanager_s_is_checked_and_taken_away_by_naming_none() -> None:
    client = Client(world())
    name = post(client, leeway={"intervals": [{"weekdays": ["sunday"]}]}).json()["silenceID"]
    assert client.get(f"/api/v2/silence/{name}").json()["status"] == {"state": "pending"}, "it is Tuesday"
    other = post(client, id=name, leeway={}).json()["silenceID"]
    assert "leeway" not in client.get(f"/api/v2/silence/{other}").json()
    wrong: Any
    for wrong in ({"interval": []}, {"intervals": [{"weekdays": ["funday"]}]}, {"tells": ["nobody"]}):
        assert post(client, leeway=wrong).status_code == 400


def test_what_became_of_a_silence_is_shown() -> None:
    made = world()
    client = Client(made)
    name = post(client, leeway={"tells": ["pager"]}).json()["silenceID"]
    same = {"route": "{}", "receiver": "pager/0", "sequence": 0}
    quiet = {**same, "alert_id": "v", "at_ms": NOW_MS + 5, "why": "silenced", "detail": f"by silence {name}"}
    quiet["silence"] = name
    other = {**quiet, "alert_id": "a", "detail": "by silence another", "silence": "another"}
    told = {**same, "alert_id": name, "at_ms": NOW_MS + 7, "why": "delivered", "detail": "it began"}
    made.add("decisions", [quiet, other, told])
    found = client.get(f"/v1/silences/{name}").json()
    assert (found["state"], found["matchers"], found["kept_quiet"]) == ("active", ['model="fraud"'], ["v"])
    assert found["leeway"] == {"intervals": [], "tells": ["pager"]}
    assert [(one["receiver"], one["why"], one["detail"]) for one in found["notices"]] == [
        ("pager/0", "delivered", "it began")
    ]
    assert client.get("/v1/silences/x").status_code == 404


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"matchers": [{"name": "model", "value": ".*", "isRegex": True}]}, 400, "this would silence everything"),
        ({"matchers": [{"name": "model", "value": "(", "isRegex": True}]}, 400, "no regular expression"),
        ({"endsAt": "2023-11-14T22:00:00Z"}, 400, "a silence ends after it starts"),
        ({"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-02T00:00:00Z"}, 400, "a silence ends in the future"),
        ({"startsAt": 1_700_000_000}, 400, "a time is a text"),
        ({"id": "no-such-silence"}, 404, "there is no silence no-such-silence"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(changes: dict[str, Any], status: int, said: str) -> None:
    answer = post(Client(world()), **changes)
    assert answer.status_code == status
    assert said in answer.json()


def test_a_service_without_alerting_takes_silences_and_says_which_receivers_it_notifies() -> None:
    client = Client(world(None))
    assert post(client).status_code == 200
    assert client.get("/api/v2/receivers").json() == [{"name": "log"}]
    assert client.get("/api/v2/alerts").status_code == 200


@pytest.mark.parametrize("text", ["a", "", " ", ","])
def test_filters_that_hold_no_matcher_are_refused_as_alertmanager_refuses_them(text: str) -> None:
    for path in ("/api/v2/alerts", "/api/v2/silences"):
        client = Client(world())
        assert client.get(path, filter=text).status_code == 400
        assert client.get(path, filter="team=risk").status_code == 200


def test_receivers_that_cannot_be_read_are_refused_and_an_unknown_silence_is_not_found() -> None:
    assert Client(world()).get("/api/v2/alerts", receiver="(").status_code == 400
    assert Client(world()).get("/api/v2/silence/x").status_code == 404


def test_a_client_has_no_more_silences_held_than_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.api.alertmanager_silences.MOST_SILENCES", 2)
    client = Client(world())
    matchers = [{"name": f"l{number}", "value": "x"} for number in range(101)]
    assert post(client, matchers=matchers).status_code == 400
    refused = post(client, comment="x" * 65_536)
    assert (refused.status_code, "65,536 characters" in refused.text) == (400, True)
    names = [post(client).json()["silenceID"] for _ in range(2)]
    refused = post(client)
    assert (refused.status_code, "there are 2 silences already" in refused.text) == (400, True)
    assert post(client, id=names[0], comment="changed").json()["silenceID"] == names[0]
    assert client.request("DELETE", f"/api/v2/silence/{names[0]}").status_code == 200
    assert post(client).status_code == 200
