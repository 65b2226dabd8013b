"""An Alertmanager that restarts, and has forgotten everything, learns again what fires."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.alerts.own import OwnAlerts
from monitor.clock import SystemClock
from monitor.config import load
from monitor.service import Service
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.test_routes import SPEC, end_loss
from tests.services.alertmanager import alertmanager
from tests.services.processes import free_port
from tests.sinks.receivers.listener import Listener

FIRST, SECOND = "0", "1"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.routing.reminders.REMINDED_EVERY_S", 0.2)


def active(port: int) -> dict[str, dict[str, Any]]:
    """What fires at the Alertmanager, by partition; what it says of its own about times is left out."""
    alerts = httpx.get(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=60).json()
    names = ("annotations", "endsAt", "fingerprint", "labels", "startsAt")
    return {alert["labels"]["partition"]: {name: alert[name] for name in names} for alert in alerts}


def reminders(service: Service, outcome: str) -> float:
    labels = {"receiver": "am", "outcome": outcome}
    return service.metrics.get_sample_value("leeway_reminders_total", labels) or 0.0


def test_what_fires_is_there_again_after_alertmanager_has_lost_it_and_what_is_over_is_not(tmp_path: Path) -> None:
    file, port, store = tmp_path / "alertmanager.yml", free_port(), MemoryStore()
    file.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with Listener() as listener:
        receivers = [
            {"kind": "alertmanager", "name": "am", "url": f"http://127.0.0.1:{port}", "allow_private": True},
            {"kind": "webhook", "name": "hook", "url": listener.url("/hook"), "allow_private": True},
        ]
        configuration = load(
            shop.configured(tmp_path, shop.model("shop", {"http": "shop"}, **SPEC), receivers=receivers)
        )
        alerts = OwnAlerts(store, SystemClock())
        with shop.serving(configuration, store, roles=["alert"]) as service:
            with alertmanager(file, tmp_path / "first", port):
                for number in range(2):
                    alerts.lost(("orders", number, 5, 9))
                shop.wait_until(lambda: len(active(port)) == 2, "both fire there")
                first = active(port)
            shop.wait_until(lambda: reminders(service, "gave_up") > 0, "it is away, and asked again")
            with alertmanager(file, tmp_path / "second", port):
                shop.wait_until(lambda: active(port) == first, "both fire there again")
                end_loss(store, "orders", int(FIRST))
                shop.wait_until(lambda: list(active(port)) == [SECOND], "one is over")
                shop.wait_until(lambda: len(listener.requests) == 3, "and another receiver is notified, too")
        # Leeway itself restarts, too.
        with (
            alertmanager(file, tmp_path / "third", port),
            shop.serving(configuration, store, roles=["alert"]) as service,
        ):
            shop.wait_until(lambda: reminders(service, "delivered") > 3, "it is posted again")
            assert active(port) == {SECOND: first[SECOND]}
        assert len(listener.requests) == 3
    rows = store.read(Query("notifications"))
    counts = [(name, list(rows["receiver"]).count(name)) for name in sorted(set(rows["receiver"]))]
    assert counts == [("am/0", 3), ("hook/0", 3)]
    assert set(rows["outcome"]) == {"delivered"}
