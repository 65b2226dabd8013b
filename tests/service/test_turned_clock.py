"""After a machine's clock ran a day ahead, everything goes on at once, and not when that time has come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from monitor.alerts.own import OwnAlerts
from monitor.api.app import create_app
from monitor.client.inprocess import InProcess
from monitor.config import load
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.test_late_events import DAY_MS, TurnedClock
from tests.service.test_routes import configured, end_loss
from tests.sinks.receivers.listener import Listener


def posted(name: str, **more: Any) -> dict[str, Any]:
    return {"labels": {"alertname": "DiskFull", "disk": name, "severity": "critical"}, **more}


def test_who_is_notified_hears_of_what_begins_and_ends_after_the_clock_was_set_back(tmp_path: Path) -> None:
    with Listener() as listener:
        configuration = load(configured(tmp_path, listener, group_interval="1s"))
        store, clock = MemoryStore(), TurnedClock()
        own = OwnAlerts(store, clock)

        def heard() -> set[tuple[str, str]]:
            alerts = [alert for request in listener.requests for alert in request.body["alerts"]]
            return {
                (alert["labels"].get("disk", alert["labels"].get("partition")), alert["status"]) for alert in alerts
            }

        def wait(*expected: tuple[str, str]) -> None:
            shop.wait_until(lambda: heard() >= set(expected), f"it is notified of {expected}")

        with (
            shop.serving(configuration, store, roles=["evaluate", "alert"], clock=clock) as service,
            httpx.Client(transport=InProcess(create_app(service)), base_url="http://leeway") as client,
        ):
            clock.ahead_ms = DAY_MS
            own.lost(("orders", 0, 5, 9))
            assert client.post("/api/v2/alerts", json=[posted("a"), posted("b")]).status_code == 200
            wait(("0", "firing"), ("a", "firing"), ("b", "firing"))
            ended = {"startsAt": "2024-01-01T00:00:00Z", "endsAt": "2024-01-02T00:00:00Z"}
            assert client.post("/api/v2/alerts", json=[posted("b", **ended)]).status_code == 200
            wait(("b", "resolved"))

            clock.ahead_ms = 0
            own.lost(("orders", 1, 5, 9))
            end_loss(store, "orders", 0)
            assert client.post("/api/v2/alerts", json=[posted("a", **ended), posted("c")]).status_code == 200
            wait(("0", "resolved"), ("1", "firing"), ("a", "resolved"), ("c", "firing"))
