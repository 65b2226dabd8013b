"""One deployment that moves 200 features, and several models, wakes people once: from events to webhooks."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.api.app import create_app
from monitor.client.inprocess import InProcess
from monitor.clock import ManualClock
from monitor.config import ConfigError, Configuration, load
from monitor.service import Service
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.sinks.receivers.listener import Listener

FEATURES = [f"f{number:03}" for number in range(200)]
MODELS = {"fraud": FEATURES, "churn": FEATURES[:3], "risk": FEATURES[5:6]}
PER_WINDOW = 60
MOVED = range(40, 43)
WINDOWS = 48
DETECT = {
    "false_alarms": "1 per 1h",
    "pane": "10s",
    "defaults": {"window": "20s", "min_samples": 50, "learn_windows": 6},
}


def model(name: str, features: list[str]) -> dict[str, Any]:
    schema = {"features": {feature: {"type": "numeric", "range": [0, 300]} for feature in features}}
    return shop.model(name, {"http": "payments"}, schema=schema, detect=DETECT)


def configured(folder: Path, listener: Listener) -> Configuration:
    hooks = [
        {"kind": "webhook", "name": name, "url": listener.url(f"/{name}"), "allow_private": True}
        for name in ("mail", "pager")
    ]
    models = [model(name, features) for name, features in MODELS.items()]
    return load(shop.configured(folder, *models, receivers=hooks, incidents={"notify": True}))


def events(windows: range) -> list[bytes]:
    draw = random.Random(windows.start)
    found = []
    for window in windows:
        centre = 150 if window in MOVED else 60
        for number in range(PER_WINDOW):
            ts = shop.START_MS + window * shop.WINDOW_MS + number * shop.WINDOW_MS // PER_WINDOW
            found.append(
                json.dumps({"ts": ts} | {name: round(draw.gauss(centre, 15), 1) for name in FEATURES}).encode()
            )
    return found


class World:
    """A service that reads and judges, and one that tells people, whose time a test moves."""

    def __init__(self, configuration: Configuration, reading: Service, telling: Service, clock: ManualClock) -> None:
        self.reading, self._clock = reading, clock
        assert telling._routers is not None
        self._router = telling._routers.current
        self._router.open()
        self.api = httpx.Client(transport=InProcess(create_app(reading)), base_url="http://leeway")

    def reads(self, windows: range, states: set[str]) -> None:
        """Events come in, all of their windows are judged, and every model's alert stands as it should then."""
        last = [json.dumps({"ts": shop.START_MS + windows.stop * shop.WINDOW_MS + 6_000}).encode()]
        self.reading.accept("payments", events(windows) + last)
        end_ms = shop.START_MS + windows.stop * shop.WINDOW_MS
        for name in MODELS:
            shop.wait_until(shop.judged(self.reading, name, end_ms), f"{name} is judged up to {windows.stop}")
            # Scores are written before alerts, and windows are counted behind both.
            shop.wait_until(lambda: self.reading.loop.windows[name] >= windows.stop, "its alerts are written")  # noqa: B023
        shop.wait_until(lambda: self._standing().keys() == set(MODELS), "every model has alarmed")
        shop.wait_until(lambda: set(self._standing().values()) <= states, f"alerts are {states}")

    def _standing(self) -> dict[str, str]:
        rows = self.reading.store.read(Query("alerts", order=("at_ms",)))
        return dict(zip(rows["model"], rows["state"], strict=True))

    def passes(self, seconds: int) -> None:
        for _ in range(0, seconds, 10):
            self._clock.advance(10)
            self._router.step()


def test_200_features_and_three_models_moved_by_one_deployment_are_one_notification_and_one_end(tmp_path: Path) -> None:
    with Listener() as listener:
        configuration, store, clock = configured(tmp_path, listener), MemoryStore(), ManualClock(shop.START_MS)
        store.migrate()
        telling = Service(configuration, clock, shop._Kept(store), roles=["alert"])
        with shop.serving(configuration, store, roles=["ingest", "evaluate"]) as reading:
            world = World(configuration, reading, telling, clock)
            deployed_ms = shop.START_MS + MOVED.start * shop.WINDOW_MS
            said = {"name": "features 1.4", "topics": ["payments"], "at": deployed_ms, "link": "https://ci.example/7"}
            assert world.api.post("/v1/deployments", json=said).status_code == 200
            world.reads(range(MOVED.stop), {"firing", "updated"})
            world.passes(1_200)
            assert sorted(request.path for request in listener.requests) == ["/mail", "/pager"]
            for request in listener.requests:
                alerts = request.body["alerts"]
                assert request.body["status"] == "firing"
                assert {alert["labels"]["model"] for alert in alerts} == set(MODELS)
                [cause] = {alert["annotations"]["likely_cause"] for alert in alerts}
                assert cause == (
                    "deployment features 1.4 was at 2023-11-14 22:26:40 UTC, 20 s before the first alert: 3 of 3 alerts"
                )
            [incident] = world.api.get("/v1/incidents").json()["items"]
            assert incident["id"] == listener.requests[0].body["groupLabels"]["incident"]
            alerts = store.read(Query("alerts", {"model": "fraud"}))
            moved = {signal["signal"] for text in alerts["signals"] for signal in json.loads(text)}
            assert {f"feature:{name}" for name in FEATURES} <= moved
            world.reads(range(MOVED.stop, WINDOWS), {"resolved"})
            world.passes(1_200)
            ends = [(request.path, request.body["status"]) for request in listener.requests[2:]]
            assert sorted(ends) == [("/mail", "resolved"), ("/pager", "resolved")]
            assert world.api.get("/v1/incidents").json()["items"][0]["state"] == "resolved"
        telling.stop()


def test_routes_and_incidents_do_not_both_say_how_alerts_are_grouped(tmp_path: Path) -> None:
    with Listener() as listener:
        configured(tmp_path, listener)
    file = tmp_path / "leeway.yaml"
    document = json.loads(file.read_text())
    document["spec"]["alerting"] = {"route": {"receiver": "mail", "group_by": ["incident"]}}
    file.write_text(json.dumps(document, indent=1))
    with pytest.raises(ConfigError, match=r"incidents\.notify is for services without alerting"):
        load(file)
