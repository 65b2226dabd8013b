"""A running service takes up who is notified from files that have changed, and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest

from monitor.api.app import create_app
from monitor.client.inprocess import InProcess
from monitor.clock import Clock
from monitor.config import load
from monitor.routing.routers import Routers
from monitor.service import Service
from sinks.store.contract import Columns, Query, Store, StoreError
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.test_late_events import DAY_MS, TurnedClock
from tests.sinks.receivers.listener import Listener


def written(folder: Path, listener: Listener, receiver: str, **spec: Any) -> Path:
    """Write a service that watches nothing, and notifies one of two receivers of what others post."""
    hooks = [
        {"name": name, "webhook_configs": [{"url": listener.url(f"/{name}"), "allow_private": True}]}
        for name in ("day", "night")
    ]
    route = {"receiver": receiver, "group_wait": "0s", "group_by": ["alertname"]}
    alerting = {"route": route, "receivers": hooks}
    return shop.configured(folder, models=[], receivers=[], alerting=alerting, **spec)


class AwayStore(MemoryStore):
    """A store that may be away."""

    is_away, refused = False, 0

    def read(self, query: Query) -> Columns:
        if self.is_away:
            self.refused += 1
            raise StoreError("Connection refused", retryable=True)
        return super().read(query)


@contextmanager
def serving(
    path: Path, *roles: str, store: Store | None = None, clock: Clock | None = None
) -> Iterator[tuple[Service, httpx.Client]]:
    with (
        shop.serving(load(path), store or MemoryStore(), ["evaluate", *roles], clock) as service,
        httpx.Client(transport=InProcess(create_app(service)), base_url="http://leeway") as client,
    ):
        yield service, client


def test_routes_that_have_changed_are_taken_up_by_a_post(tmp_path: Path, listener: Listener) -> None:
    path = written(tmp_path, listener, "day")
    with serving(path, "alert") as (_, client):
        assert client.post("/api/v2/alerts", json=[{"labels": {"alertname": "Disk"}}]).is_success
        shop.wait_until(lambda: [request.path for request in listener.requests] == ["/day"], "the day is notified")
        written(tmp_path, listener, "night")
        assert client.post("/-/reload").is_success
        shop.wait_until(lambda: [request.path for request in listener.requests][1:] == ["/night"], "then the night")


def test_a_group_that_stays_is_not_notified_again_and_one_with_another_key_is_and_the_former_gets_no_end(
    tmp_path: Path, listener: Listener
) -> None:
    path = written(tmp_path, listener, "day")

    def reloads(client: httpx.Client, **route: Any) -> None:
        document = json.loads(path.read_text())
        document["spec"]["alerting"]["route"] |= {"group_interval": "1s", **route}
        path.write_text(json.dumps(document))
        assert client.post("/-/reload").is_success

    def post(client: httpx.Client, name: str, **times: str) -> None:
        labels = {"alertname": name, "host": "a"}
        assert client.post("/api/v2/alerts", json=[{"labels": labels, **times}]).is_success

    with serving(path, "alert") as (service, client):
        post(client, "Disk")
        shop.wait_until(lambda: len(listener.requests) == 1 and not any(service.backlog().values()), "it is notified")
        reloads(client)
        post(client, "Fan")
        shop.wait_until(lambda: len(listener.requests) == 2 and not any(service.backlog().values()), "so is another")
        reloads(client, group_by=["alertname", "host"])
        shop.wait_until(lambda: len(listener.requests) == 4 and not any(service.backlog().values()), "both once more")
        post(client, "Disk", endsAt="2024-01-01T00:00:00Z", startsAt="2023-12-31T00:00:00Z")
        shop.wait_until(lambda: len(listener.requests) == 5, "and the end of one")
    told = [(request.body["groupKey"], request.body["status"]) for request in listener.requests]
    assert told[:2] == [('{}:{alertname="Disk"}', "firing"), ('{}:{alertname="Fan"}', "firing")]
    disk, fan = '{}:{alertname="Disk", host="a"}', '{}:{alertname="Fan", host="a"}'
    assert sorted(told[2:4]) == [(disk, "firing"), (fan, "firing")]
    assert told[4:] == [(disk, "resolved")]


def test_routes_are_taken_up_while_the_store_is_away_and_no_stage_fails(tmp_path: Path, listener: Listener) -> None:
    path, store = written(tmp_path, listener, "day"), AwayStore()
    with serving(path, "alert", store=store) as (service, client):
        store.is_away = True
        written(tmp_path, listener, "night")
        assert client.post("/-/reload").is_success
        shop.wait_until(lambda: store.refused > 5, "it is asked again and again")
        store.is_away = False
        assert client.post("/api/v2/alerts", json=[{"labels": {"alertname": "Disk"}}]).is_success
        shop.wait_until(lambda: [request.path for request in listener.requests] == ["/night"], "the night is notified")
        assert service.ready() == []
        assert 'leeway_stage_failures_total{stage="alert"} 0.0' in generate_latest(service.metrics).decode()


def test_a_clock_that_is_set_back_during_a_reload_brings_no_former_routes_back(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, follow, is_followed = TurnedClock(), Routers.follow, threading.Event()

    def follow_and_set_back(routers: Routers, successor: Any) -> None:
        follow(routers, successor)
        if clock.ahead_ms:
            is_followed.set()
        else:
            clock.ahead_ms = -DAY_MS
            assert is_followed.wait(120)

    monkeypatch.setattr(Routers, "follow", follow_and_set_back)
    path = written(tmp_path, listener, "day")
    with serving(path, "alert", clock=clock) as (_, client):
        written(tmp_path, listener, "night")
        assert client.post("/-/reload").is_success
        clock.ahead_ms = 0
        assert client.post("/api/v2/alerts", json=[{"labels": {"alertname": "Disk"}}]).is_success
        shop.wait_until(lambda: listener.requests, "somebody is notified")
        assert [request.path for request in listener.requests] == ["/night"]


def test_what_is_wrong_or_needs_a_restart_changes_nothing(tmp_path: Path, listener: Listener) -> None:
    path = written(tmp_path, listener, "day")
    with serving(path) as (service, client):
        changes: list[tuple[str, dict[str, str], str]] = [
            ("dawn", {}, "no receiver is named 'dawn'"),
            ("night", {"idle_after": "5s"}, "only a restart takes up: spec.idle_after"),
        ]
        for receiver, spec, reason in changes:
            written(tmp_path, listener, receiver, **spec)
            refused = client.post("/-/reload")
            assert refused.status_code == 500
            assert reason in refused.text
            assert service.configuration.service.spec.routing.route.receiver == "day"


def test_a_service_may_have_no_model_of_a_file_if_it_says_so(tmp_path: Path) -> None:
    assert load(shop.configured(tmp_path, models=[])).models == {}
    with pytest.raises(Exception, match="no file matches"):
        load(shop.configured(tmp_path, models=["none/*.yaml"]))
