"""A service whose file holds Alertmanager's configuration: people are told by its routes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from monitor.alerts.own import MODEL, RECEIVER_FAILING, OwnAlerts, end_alerts, firing_alerts
from monitor.checkpoint import encode_state
from monitor.clock import SystemClock
from monitor.config import load
from monitor.messages import OFFSETS_LOST
from monitor.routing.digests import DIGEST
from monitor.routing.matchers import parse_matchers
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import Silence
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.cli.console import Console
from tests.service import shop
from tests.sinks.receivers.listener import Answer, Listener

SPEC: dict[str, Any] = {"schema": {"features": {"amount": {"type": "numeric"}}}, "detect": {"rules": []}}


def configured(folder: Path, listener: Listener, **root: str) -> Path:
    def hook(path: str) -> dict[str, Any]:
        return {"url": listener.url(path), "allow_private": True}

    alerting = {
        "route": {
            "receiver": "nobody",
            "group_by": ["alertname"],
            "group_wait": "1s",
            **root,
            "routes": [
                {"matchers": ["severity=critical"], "receiver": "pager", "continue": True},
                {"matchers": ["topic=orders"], "receiver": "orders"},
            ],
        },
        "receivers": [{"name": "nobody"}, {"name": "pager", "webhook_configs": [hook("/pager/hunter2")]}],
    }
    orders = {"kind": "webhook", "name": "orders", **hook("/orders")}
    return shop.configured(folder, shop.model("shop", {"http": "shop"}, **SPEC), alerting=alerting, receivers=[orders])


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


def end_loss(store: MemoryStore, topic: str, partition: int) -> None:
    """End an alert about lost messages, as time does."""
    of_partition = {"topic": topic, "partition": str(partition)}.items()
    alerts = [alert for alert in firing_alerts(store, [OFFSETS_LOST]) if of_partition <= alert.labels.items()]
    end_alerts(store, SystemClock(), alerts)


def said(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(alert["status"], alert["labels"]["topic"], alert["labels"]["partition"]) for alert in body["alerts"]]


def test_alerts_reach_those_whom_routes_name_in_groups_and_not_again_after_a_restart(tmp_path: Path) -> None:
    with Listener() as listener:
        # What happens in a row is in one notification, however slowly this machine goes.
        configuration, store = load(configured(tmp_path, listener, group_wait="3s")), MemoryStore()
        alerts = OwnAlerts(store, SystemClock())
        with shop.serving(configuration, store, roles=["evaluate", "alert"]) as service:
            for number in range(2):
                alerts.lost(("orders", number, 5, 9))
            shop.wait_until(lambda: len(listener.requests) == 2, "both are told")
            shop.wait_until(lambda: service.backlog() == {"orders": 0, "pager": 0}, "and noted")
        with shop.serving(configuration, store, roles=["evaluate", "alert"]):
            alerts.lost(("payments", 0, 5, 9))
            end_loss(store, "orders", 0)
            shop.wait_until(lambda: len(listener.requests) == 4, "what is new is told")
        told = {(request.path, request.body["groupKey"]): said(request.body) for request in listener.requests[2:]}
        assert {path for path, _ in told} == {"/pager/hunter2", "/orders"}
        key = '{}/{severity="critical"}:{alertname="offsets_lost"}'
        assert sorted(told["/pager/hunter2", key]) == [
            ("firing", "orders", "1"),
            ("firing", "payments", "0"),
            ("resolved", "orders", "0"),
        ]
        first = {request.path: request.body for request in listener.requests[:2]}
        assert first["/orders"]["receiver"] == "orders"
        assert first["/pager/hunter2"]["groupLabels"] == {"alertname": "offsets_lost"}
        assert first["/pager/hunter2"]["groupKey"] == key
    rows = store.read(Query("notifications", order=("receiver",)))
    assert set(rows["receiver"]) == {"orders/0", "pager/0"}
    assert set(rows["outcome"]) == {"delivered"}
    assert MODEL in store.read(Query("alerts"))["model"]


def test_a_receiver_that_refuses_everything_is_in_metrics_notes_and_status_and_an_alert_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.heartbeat.failing_receivers.LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.heartbeat.failing_receivers.HOLDS_S", 0.5)
    store = MemoryStore()
    with Listener(*[Answer(410)] * 1000) as revoked, Listener() as pager:
        file = configured(tmp_path, pager)
        document = json.loads(file.read_text())
        document["spec"]["receivers"][0]["url"] = revoked.url("/orders")
        file.write_text(json.dumps(document))
        with shop.serving(load(file), store, roles=["evaluate", "alert", "api"]) as service:
            OwnAlerts(store, SystemClock()).lost(("orders", 0, 5, 9))
            shop.wait_until(lambda: firing_alerts(store, [RECEIVER_FAILING]), "it is alerted about")
            shop.wait_until(lambda: len(pager.requests) == 2, "those who can be are notified")
            metrics = generate_latest(service.metrics).decode()
            [note] = service.notes()
            [failing] = service.status()["failing_receivers"]
            [alert] = firing_alerts(store, [RECEIVER_FAILING])
    assert {'leeway_receiver_failing{receiver="orders"} 1.0', 'leeway_receiver_failing{receiver="pager"} 0.0'} <= set(
        metrics.splitlines()
    )
    assert 'leeway_notifications_total{outcome="refused",receiver="orders"} 1.0' in metrics
    assert note.startswith("the receiver orders has taken nothing since ")
    assert alert.title.startswith("the receiver orders has taken nothing since ")
    assert "410 Gone" in alert.title
    assert (failing["receiver"], failing["reason"]) == ("orders", f"http://{revoked.address}: 410 Gone")
    assert failing["since_ms"] <= alert.at_ms
    assert {request.body["groupLabels"]["alertname"] for request in pager.requests} == {OFFSETS_LOST, RECEIVER_FAILING}


def test_lost_messages_are_notified_though_their_group_waits_and_are_over_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start without events finds the gap at once, and is at its next checkpoint long before the group has waited."""
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.heartbeat.lost_messages.LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.heartbeat.lost_messages.STANDS_S", 4.0)
    with Listener() as listener:
        configuration, store = load(configured(tmp_path, listener, group_interval="1s")), MemoryStore()
        with shop.serving(configuration, store, roles=["evaluate", "alert"]):
            OwnAlerts(store, SystemClock()).lost(("payments", 0, 5, 9))
            shop.wait_until(lambda: len(listener.requests) == 2, "it fires and ends")
        assert [said(request.body) for request in listener.requests] == [
            [("firing", "payments", "0")],
            [("resolved", "payments", "0")],
        ]


def test_a_digest_is_sent_by_the_receiver_that_it_names(tmp_path: Path, leeway: Console) -> None:
    long_ago = {"stage": DIGEST, "name": "hourly/0", "partition": 0, "position": 1, "config": ""}
    store = MemoryStore()
    state = encode_state({"sent_ms": 0, "alerts": {}})
    store.append("checkpoints", {name: [value] for name, value in (long_ago | {"state": state}).items()}, "t")
    with Listener() as listener:
        file = configured(tmp_path, listener)
        document = json.loads(file.read_text())
        alerting = document["spec"]["alerting"]
        alerting["leeway"] = {"digests": [{"name": "hourly", "receiver": "pager", "send_empty": True}]}
        alerting["route"]["routes"][1]["receiver"] = "hourly"
        file.write_text(json.dumps(document))
        assert leeway("check", file).code == 0
        with shop.serving(load(file), store, roles=["alert"]):
            shop.wait_until(lambda: len(listener.requests) == 1, "the one that was missed comes")
    [request] = listener.requests
    assert request.path == "/pager/hunter2"
    assert request.body["groupKey"] == f"digest/hourly/{request.body['groupLabels']['at']}"
    assert request.body["alerts"] == []


def test_whom_the_file_names_is_told_of_silences(tmp_path: Path, leeway: Console) -> None:
    store, clock = MemoryStore(), SystemClock()
    now_ms = clock.now_ms()
    SilenceLog(store, clock).set(Silence("", parse_matchers("model=shop"), now_ms, now_ms + 3_600_000, "ann", "sale"))
    with Listener() as listener:
        file = configured(tmp_path, listener)
        document = json.loads(file.read_text())
        document["spec"]["alerting"]["leeway"] = {"silence_notices": ["ordres"]}
        file.write_text(json.dumps(document))
        refused = leeway("check", file)
        assert (refused.code, "no receiver is named 'ordres'" in refused.err) == (2, True)
        document["spec"]["alerting"]["leeway"] = {"silence_notices": ["orders"]}
        file.write_text(json.dumps(document))
        with shop.serving(load(file), store, roles=["alert"]):
            shop.wait_until(lambda: len(listener.requests) == 1, "it began")
    [request] = listener.requests
    assert (request.path, request.body["status"]) == ("/orders", "firing")
    assert request.body["alerts"][0]["annotations"]["summary"] == 'silence of model="shop" began'


def test_a_digest_is_not_for_what_opens_incidents(tmp_path: Path, leeway: Console) -> None:
    with Listener() as listener:
        file = configured(tmp_path, listener)
    document = json.loads(file.read_text())
    document["spec"]["receivers"].append({"kind": "pagerduty", "name": "on-call", "routing_key": "hunter2"})
    document["spec"]["alerting"]["leeway"] = {"digests": [{"name": "hourly", "receiver": "on-call"}]}
    file.write_text(json.dumps(document, indent=1))
    answer = leeway("check", file)
    assert answer.code == 2
    assert "spec.alerting.leeway.digests.0.receiver: 'on-call' opens and closes incidents" in answer.err


def test_a_route_of_a_service_that_leads_nowhere_is_named_with_its_place(tmp_path: Path, leeway: Console) -> None:
    with Listener() as listener:
        file = configured(tmp_path, listener)
    document = json.loads(file.read_text())
    document["spec"]["alerting"]["route"]["routes"][1]["receiver"] = "order"
    file.write_text(json.dumps(document, indent=1))
    answer = leeway("check", file)
    assert answer.code == 2
    assert "spec.alerting.route.routes.1.receiver: no receiver is named 'order'" in answer.err
    document["spec"]["alerting"]["route"]["routes"][1]["receiver"] = "orders"
    unsupported = {"name": "orders", "victorops_configs": [{"api_key": "hunter2"}]}
    wrong = {"name": "risk", "slack_configs": [{"api_url": "hunter2"}]}
    document["spec"]["alerting"]["receivers"] += [unsupported, wrong]
    file.write_text(json.dumps(document, indent=1))
    answer = leeway("check", file)
    assert "victorops_configs: Alertmanager knows this key, but Leeway does not support it" in answer.err
    assert "slack_configs.0.api_url: expected an address that begins with http:// or https://" in answer.err
    assert "hunter2" not in answer.err


def test_the_routes_of_a_service_s_file_are_tested_too(tmp_path: Path, leeway: Console) -> None:
    with Listener() as listener:
        file = configured(tmp_path, listener)
    answer = leeway("route", "test", file, "severity=critical", "topic=orders", "--json")
    assert [row["receiver"] for row in answer.lines] == ["pager", "orders"]
    document = json.loads(file.read_text())
    document["spec"]["alerting"]["route"]["leeway"] = {"escalate": [{"after": "15m", "receiver": "pager"}]}
    file.write_text(json.dumps(document))
    assert "pager after 15m" in leeway("route", "test", file, "severity=critical").out
    del document["spec"]["alerting"]
    file.write_text(json.dumps(document))
    [row] = leeway("route", "test", file, "alert_id=a", "--json").lines
    assert (row["receiver"], row["group_key"], row["group_wait_ms"]) == ("orders", '{}:{alert_id="a"}', 0)
