"""A service with routes takes alerts of others, tells them together with its own, and keeps them over a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from monitor.alerts.own import ALERTS_REFUSED, OwnAlerts
from monitor.api.app import create_app
from monitor.client.inprocess import InProcess
from monitor.clock import SystemClock
from monitor.config import load
from monitor.routing.posted_bounds import ALERT_BYTES
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.test_routes import configured
from tests.sinks.receivers.listener import Listener

ROLES = ["evaluate", "alert"]


def test_what_is_posted_reaches_those_whom_routes_name_and_its_end_too_after_a_restart(tmp_path: Path) -> None:
    with Listener() as listener:
        configuration, store = load(configured(tmp_path, listener, group_interval="1s")), MemoryStore()
        disk: dict[str, Any] = {"labels": {"alertname": "offsets", "severity": "critical"}}
        with (
            shop.serving(configuration, store, roles=ROLES) as service,
            httpx.Client(transport=InProcess(create_app(service)), base_url="http://leeway") as client,
        ):
            said = disk | {"annotations": {"summary": "too many"}, "generatorURL": "http://prometheus.example/g"}
            assert client.post("/api/v2/alerts", json=[said]).status_code == 200
            OwnAlerts(store, SystemClock()).lost(("payments", 0, 5, 9))
            shop.wait_until(lambda: len(listener.requests) == 2, "both groups are told")
            shop.wait_until(lambda: not any(service.backlog().values()), "and noted")
            ended = disk | {"startsAt": "2024-01-01T00:00:00Z", "endsAt": "2024-01-02T00:00:00Z"}
            [shown] = client.get("/api/v2/alerts", params={"filter": "alertname=offsets"}).json()
            assert shown["receivers"] == [{"name": "pager"}]
        told = {request.body["groupLabels"]["alertname"]: request.body["alerts"][0] for request in listener.requests}
        assert told.keys() == {"offsets", "offsets_lost"}
        assert told["offsets"]["annotations"] == {"summary": "too many"}
        assert told["offsets"]["generatorURL"] == "http://prometheus.example/g"
        with (
            shop.serving(configuration, store, roles=ROLES) as service,
            httpx.Client(transport=InProcess(create_app(service)), base_url="http://leeway") as client,
        ):
            assert client.post("/api/v2/alerts", json=[ended]).status_code == 200
            shop.wait_until(lambda: len(listener.requests) == 3, "its end is told")
        [alert] = listener.requests[2].body["alerts"]
        assert (alert["status"], alert["labels"]["alertname"]) == ("resolved", "offsets")


def test_posts_that_are_refused_are_an_alert_of_leeways_own(tmp_path: Path) -> None:
    with Listener() as listener:
        configuration, store = load(configured(tmp_path, listener)), MemoryStore()
        with (
            shop.serving(configuration, store, roles=["evaluate", "api"]) as service,
            httpx.Client(transport=InProcess(create_app(service)), base_url="http://leeway") as client,
        ):
            huge = {"labels": {"alertname": "disk"}, "annotations": {"summary": "x" * ALERT_BYTES}}
            assert client.post("/api/v2/alerts", json=[huge]).status_code == 429
            shop.wait_until(
                lambda: any(ALERTS_REFUSED in labels for labels in store.read(Query("alerts"))["labels"]),
                "an alert says that posts are refused",
            )
