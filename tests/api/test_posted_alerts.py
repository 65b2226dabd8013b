"""Alerts from elsewhere through Alertmanager's API: a real Alertmanager is asked the same, and `amtool` is a client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.clock import SystemClock
from monitor.routing.posted import OWN_NAMES
from monitor.routing.posting import Posting
from tests.api.test_alertmanager import world
from tests.api.world import Client, serving
from tests.routing.test_posted_log import CountingStore
from tests.services.alertmanager import alertmanager, amtool

ROUTES = """\
global: {resolve_timeout: 5m}
route: {receiver: mail, group_by: [model]}
receivers: [{name: mail}]
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "alertmanager.yml").write_text(ROUTES)
    with alertmanager(folder / "alertmanager.yml", folder / "data") as url:
        yield url


@pytest.fixture(scope="module")
def ours() -> Iterator[str]:
    made = world()
    made.clock = SystemClock()  # type: ignore[assignment]
    with serving(made) as url:
        yield url


LABELS = {"alertname": "Disk", "instance": "a"}
# What is posted, post after post; a number is a time, in minutes from when the test asks.
SCRIPTS: dict[str, list[list[dict[str, Any]]]] = {
    "nothing": [[]],
    "no_times": [[{}]],
    "start": [[{"startsAt": -10}]],
    "zero_times": [[{"startsAt": "0001-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}]],
    "end": [[{"endsAt": 10}]],
    "both": [[{"startsAt": -10, "endsAt": 10}]],
    "over": [[{"startsAt": -10, "endsAt": -5}]],
    "starts_later": [[{"startsAt": 5, "endsAt": 10}]],
    "ends_before_it_starts": [[{"startsAt": 5, "endsAt": 1}]],
    "again_with_a_later_start": [[{"startsAt": -10}], [{"startsAt": -3}]],
    "again_with_an_earlier_start": [[{"startsAt": -3}], [{"startsAt": -10}]],
    "a_stated_end_stands": [[{"startsAt": -10, "endsAt": 60}], [{"startsAt": -5}]],
    "a_time_out_does_not": [[{"startsAt": -10}], [{"startsAt": -9, "endsAt": 1}]],
    "an_earlier_end": [[{"startsAt": -10, "endsAt": 60}], [{"startsAt": -10, "endsAt": 1}]],
    "resolved": [[{"startsAt": -10}], [{"startsAt": -10, "endsAt": -1}]],
    "resolved_and_fires_again": [
        [{"startsAt": -10}],
        [{"startsAt": -10, "endsAt": -2}],
        [{"startsAt": -1}],
    ],
    "annotations": [[{"annotations": {"summary": "first"}}], [{"annotations": {"summary": "second", "x": "ü"}}]],
    "two_in_one_post": [[{"startsAt": -3}, {"startsAt": -9, "generatorURL": "http://prometheus/graph"}]],
    "an_empty_label": [[{"labels": LABELS | {"team": "", "größe.x": "1"}}]],
    "only_empty_labels": [[{"labels": {"team": ""}}]],
    "no_labels": [[{"labels": {}}]],
    "an_unnamed_label": [[{"labels": {"": "a"}}]],
    "an_unnamed_annotation": [[{"annotations": {"": "a"}}]],
    "one_of_two": [[{"labels": {}}, {}]],
    "unknown_keys": [[{"severity": "x"}]],
}


def told(url: str, mark: str, now: datetime) -> tuple[list[bool], list[dict[str, Any]]]:
    """Post the alerts of a script with a mark of their own, and return which were taken and what is there then."""
    taken = []
    for post in SCRIPTS[mark]:
        alerts: list[dict[str, Any]] = [{"labels": LABELS, **alert} for alert in post]
        for alert in alerts:
            if any(alert["labels"].values()):
                alert["labels"] = alert["labels"] | {"mark": mark}
            for name in ("startsAt", "endsAt"):
                if isinstance(alert.get(name), int):
                    alert[name] = (now + timedelta(minutes=alert[name])).isoformat()
        taken.append(httpx.post(f"{url}/api/v2/alerts", json=alerts, timeout=60).is_success)
    query = {"filter": f'mark="{mark}"'}
    found = httpx.get(f"{url}/api/v2/alerts", params=query, timeout=60).json()
    return taken, [
        {name: alert.get(name) for name in ("labels", "annotations", "startsAt", "endsAt")} for alert in found
    ]


def seconds(alerts: list[dict[str, Any]], name: str) -> list[float]:
    return [datetime.fromisoformat(alert[name]).timestamp() for alert in alerts]


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_is_posted_is_what_alertmanager_makes_of_it(script: str, ours: str, theirs: str) -> None:
    now = datetime.now(UTC)
    mine, reference = (told(url, script, now) for url in (ours, theirs))
    assert mine[0] == reference[0]
    same = ("labels", "annotations")
    assert [[alert[name] for name in same] for alert in mine[1]] == [
        [alert[name] for name in same] for alert in reference[1]
    ]
    for name in ("startsAt", "endsAt"):
        # Where they are not stated, they follow from when the one and the other was asked.
        assert seconds(mine[1], name) == pytest.approx(seconds(reference[1], name), abs=20.0), name


@pytest.mark.parametrize(
    "body", [b"{}", b"[1]", b"[{}]", b'[{"labels": {"a": 1}}]', b'[{"labels": {"a": "b"}, "startsAt": "soon"}]', b"["]
)
def test_what_is_no_list_of_alerts_is_refused_by_both(body: bytes, ours: str, theirs: str) -> None:
    kind = {"Content-Type": "application/json"}
    codes = [
        httpx.post(f"{url}/api/v2/alerts", content=body, headers=kind, timeout=60).status_code for url in (ours, theirs)
    ]
    assert [code // 100 for code in codes] == [4, 4]


def test_amtool_adds_alerts_and_finds_them_among_leeway_s_own(ours: str) -> None:
    flag = f"--alertmanager.url={ours}"
    amtool(flag, "alert", "add", "Cpu", "severity=critical", "model=churn", "--annotation=summary=too hot")
    [found] = json.loads(amtool(flag, "alert", "query", "-o", "json", "alertname=Cpu"))
    assert found["annotations"] == {"summary": "too hot"}
    assert [receiver["name"] for receiver in found["receivers"]] == ["pager", "log"]
    groups = httpx.get(f"{ours}/api/v2/alerts/groups", params={"filter": "model=churn"}, timeout=60).json()
    together = [{alert["labels"].get("alertname", "") for alert in group["alerts"]} for group in groups]
    assert {"", "Cpu"} in together, "told together with Leeway's own"
    amtool(flag, "silence", "add", "--comment=x", "--author=ann", "alertname=Cpu")
    [silenced] = json.loads(amtool(flag, "alert", "query", "-o", "json", "--silenced", "alertname=Cpu"))
    assert silenced["status"]["state"] == "suppressed"


@pytest.mark.parametrize("labels", [{"alert_id": "v"}, *({"alertname": name} for name in sorted(OWN_NAMES))])
def test_leeway_s_own_alerts_cannot_be_posted(labels: dict[str, str]) -> None:
    client = Client(world())
    body = json.dumps([{"labels": labels}, {"labels": {"alertname": "Disk"}}]).encode()
    answer = client.post("/api/v2/alerts", body, content_type="application/json")
    assert answer.status_code == 400
    assert "1 of 2 alerts were not taken: alert 0: " in answer.json()
    assert "Leeway's own" in answer.json()
    names = [alert["labels"].get("alertname", "own") for alert in client.get("/api/v2/alerts").json()]
    assert sorted(names) == ["Disk", "own", "own", "own"], "what can be taken is"


def test_the_page_about_alerts_names_all_of_them() -> None:
    text = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    assert [name for name in sorted(OWN_NAMES) if f"`{name}`" not in text] == []


def test_what_was_posted_is_listed_and_shown_like_leeway_s_own() -> None:
    made = world()
    client = Client(made)
    body = json.dumps([{"labels": {"alertname": "Disk", "model": "fraud"}, "annotations": {"summary": "full"}}])
    assert client.post("/api/v2/alerts", body.encode(), content_type="application/json").status_code == 200
    Posting(made.store, made.clock).step()
    [row] = client.items("/v1/alerts", matcher="alertname=Disk, annotation:summary=full")
    assert (row["model"], row["title"], row["state"]) == ("_posted", "full", "firing")
    for path in ("", "/explain"):
        assert client.get(f"/v1/alerts/{row['alert_id']}{path}").json()["alert"]["alert_id"] == row["alert_id"]
    for path in ("/v1/incidents", "/v1/top", "/v1/alerts/summary", "/v1/alerts?transitions=true", "/v1/alerts"):
        for form in ("json", "parquet"):
            answer = client.request("GET", path, params={"format": form})
            assert answer.status_code == 200, (path, answer.text)
    acked = client.post(f"/v1/alerts/{row['alert_id']}/ack", b'{"created_by": "ann"}', content_type="application/json")
    assert acked.status_code == 200
    [shown] = client.get("/api/v2/alerts", filter_="alertname=Disk").json()
    assert shown["annotations"] == {"summary": "full", "acknowledged": "by ann at 2023-11-14T22:13:20.000Z"}


def test_a_filter_shows_what_keeps_an_alert_quiet_that_it_leaves_out() -> None:
    client = Client(world())
    alerts = [
        {"labels": {"alertname": name, "cause": name, "model": "prices"}} for name in ("volume", "amount", "rate")
    ]
    body = json.dumps(alerts).encode()
    assert client.post("/api/v2/alerts", body, content_type="application/json").status_code == 200
    [shown] = client.get("/api/v2/alerts", filter_='alertname="amount"').json()
    [source] = client.get("/api/v2/alerts", filter_='alertname="volume",model="prices"').json()
    assert shown["status"]["inhibitedBy"] == [source["fingerprint"]]
    assert len(client.get("/api/v2/alerts", filter_='model=~"pri.*"').json()) == 3


def test_one_alert_is_shown_without_reading_the_others() -> None:
    made, store = world(), CountingStore()
    made.store = store
    client = Client(made)
    alerts = [{"labels": {"alertname": "Disk", "instance": f"host-{number}"}} for number in range(300)]
    assert client.post("/api/v2/alerts", json.dumps(alerts).encode(), content_type="application/json").is_success
    Posting(store, made.clock).step()
    store.rows.clear()
    for path in ("/api/v2/alerts", "/api/v2/alerts/groups"):
        [shown] = client.get(path, filter_='instance="host-77"').json()
        assert "host-77" in json.dumps(shown)
    assert store.rows["posted"] == 2
    assert store.rows["alerts"] <= 6, "Leeway's own alone"


def test_a_service_without_alerting_takes_alerts_from_elsewhere() -> None:
    answer = Client(world(None)).post("/api/v2/alerts", b"[]", content_type="application/json")
    assert answer.status_code == 200
