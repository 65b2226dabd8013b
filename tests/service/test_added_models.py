"""Whoever is to be notified is notified of models, too, that are added while the service runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.config import load
from monitor.service import Service
from sinks.store.memory import MemoryStore
from tests.api.world import serving as served
from tests.service import shop
from tests.sinks.receivers.listener import Listener

WINDOWS = 40
"""Of which the 25th to the 28th are off."""

DAY_MS = 86_400_000

ALL_ROLES = (("ingest", "evaluate", "alert", "api"),)
APART = (("ingest", "evaluate", "api"), ("alert",))


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.FOLLOW_EVERY_S", 0.1)


@dataclass
class Served:
    """A service of one or more processes, the first of which is asked over HTTP."""

    services: list[Service]
    client: httpx.Client

    def reload(self) -> None:
        """Have each process read the files again, as a signal does."""
        for service in self.services:
            service.reload()

    def alerts(self, **asked: Any) -> list[dict[str, Any]]:
        answer = self.client.get("/v1/alerts", params={"model": "orders", **asked})
        # A model that registers itself is not known yet.
        rows: list[dict[str, Any]] = answer.json()["items"] if answer.is_success else []
        return rows

    def fires(self) -> bool:
        return bool(self.alerts(state="firing"))

    def is_watched(self) -> bool:
        return "orders" in self.services[0].watches

    def post(self, events: list[dict[str, Any]]) -> None:
        assert self.client.post("/v1/events/orders", json=events).status_code == 202


@contextmanager
def serving(path: Path, store: MemoryStore, roles: tuple[tuple[str, ...], ...] = ALL_ROLES) -> Iterator[Served]:
    with (
        shop.apart(lambda: load(path), store, roles) as services,
        served(services[0]) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield Served(services, client)


def notifying(folder: Path, listener: Listener, *models: dict[str, Any]) -> Path:
    """Write a service that has a model already, and notifies a receiver of every alert."""
    hook = {"kind": "webhook", "name": "hook", "url": listener.url(), "allow_private": True}
    return shop.configured(folder, usual(), *models, models=["models/*.yaml"], receivers=[hook])


def usual() -> dict[str, Any]:
    return shop.model("usual", {"http": "usual"})


def orders() -> dict[str, Any]:
    return shop.model("orders", {"http": "orders"})


def events(start_ms: int) -> list[dict[str, Any]]:
    [lines], _ = shop.traffic(1, windows=WINDOWS, partitions=1, start_ms=start_ms)
    return [json.loads(line) | {"model": "orders"} for line in lines]


def live() -> list[dict[str, Any]]:
    """Traffic that was as usual until now, and is off in the minute to come, which is all that there is."""
    next_ms = (int(time.time() * 1000) // shop.WINDOW_MS + 1) * shop.WINDOW_MS
    start_ms = next_ms - 24 * shop.WINDOW_MS
    return [event for event in events(start_ms) if event["ts"] < start_ms + 28.5 * shop.WINDOW_MS]


def noon_of_yesterday_ms() -> int:
    """A time at which the same happens whenever the test runs: windows lie alike, and none is the first of its day."""
    return (int(time.time() * 1000) // DAY_MS - 1) * DAY_MS + DAY_MS // 2


def notified_models(listener: Listener) -> set[str]:
    return {alert["labels"]["model"] for request in listener.requests for alert in request.body["alerts"]}


def by_file(folder: Path, there: Served) -> None:
    (folder / "models" / "orders.yaml").write_text(json.dumps(orders()))
    there.reload()


def by_the_api(folder: Path, there: Served) -> None:
    headers = {"Content-Type": "application/yaml"}
    document = json.dumps(orders())
    accepted = there.client.put("/v1/models/orders/configuration", content=document, headers=headers)
    assert accepted.is_success
    shop.wait_until(there.is_watched, "it is watched")


def by_template(folder: Path, there: Served) -> None:
    template = shop.model("any-order", {"http": "orders", "models": {"by": "model", "at_most": 2}})
    (folder / "models" / "any-order.yaml").write_text(json.dumps(template))
    there.reload()


@pytest.mark.parametrize("roles", [ALL_ROLES, APART], ids=["together", "apart"])
@pytest.mark.parametrize("add", [by_file, by_the_api, by_template])
def test_receivers_are_notified_of_a_model_that_is_added_while_the_service_runs(
    tmp_path: Path,
    store: MemoryStore,
    listener: Listener,
    add: Callable[[Path, Served], None],
    roles: tuple[tuple[str, ...], ...],
) -> None:
    with serving(notifying(tmp_path, listener), store, roles) as there:
        add(tmp_path, there)
        there.post(live())
        shop.wait_until(there.fires, "it fires", 120)
        shop.wait_until(lambda: "orders" in notified_models(listener), "the receiver is notified", 20)


def test_what_fires_after_a_model_came_into_force_is_notified_by_whoever_notifies_next(
    tmp_path: Path, store: MemoryStore, listener: Listener
) -> None:
    path = notifying(tmp_path, listener)
    with serving(path, store):
        pass
    # Nobody notifies while the model is added, and fires.
    with serving(path, store, APART[:1]) as there:
        by_the_api(tmp_path, there)
        there.post(live())
        shop.wait_until(there.fires, "it fires", 120)
        [alert] = there.alerts(state="firing")
        explained = there.client.get(f"/v1/alerts/{alert['alert_id']}/explain").json()["receivers"]
        [detail] = [each["detail"] for each in explained]
        assert detail.endswith("no process with the role `alert` has taken this model up")
    with serving(path, store):
        shop.wait_until(lambda: "orders" in notified_models(listener), "the receiver is notified", 20)


def test_nobody_is_notified_of_what_lies_before_a_model_came_into_force(
    tmp_path: Path, store: MemoryStore, listener: Listener
) -> None:
    with serving(notifying(tmp_path, listener), store) as there:
        by_the_api(tmp_path, there)
        there.post(events(noon_of_yesterday_ms()))
        shop.wait_until(lambda: there.alerts(state="resolved"), "it has fired, and is over", 120)
        [alert] = there.alerts()
        explained = there.client.get(f"/v1/alerts/{alert['alert_id']}/explain").json()["receivers"]
        assert "nobody is notified of history" in explained[0]["detail"]
        assert notified_models(listener) == set()
