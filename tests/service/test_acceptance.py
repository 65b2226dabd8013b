"""Somebody accepts a level while a service runs: its alert ends, and a replay with the same log gives the same rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from monitor.api.app import create_app
from monitor.client.inprocess import InProcess
from monitor.config import Configuration, load
from monitor.replay import Replay
from monitor.service import Service
from monitor.sources.files import FileSource
from sinks.store.batch import append
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from tests.evaluate.test_acceptance import AGAIN_DAY, at, lines, shifted
from tests.service import shop

DETECT = {"rule": "change", "false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "6h"}}
SCHEMA = {"id": "id", "features": {"x": {"type": "numeric"}}}


def configuration_of(folder: Path) -> Configuration:
    model = shop.model("loans", {"http": "loans", "max_ahead": "6h"}, schema=SCHEMA, detect=DETECT)
    return load(shop.configured(folder, model, checkpoint_every="300ms"))


def read_until(service: Service, events: list[bytes], day: float) -> None:
    """Take events in, and wait until the windows before a day are evaluated."""
    service.accept("loans", events)
    shop.wait_until(shop.judged(service, "loans", at(day)), f"windows up to day {day} are judged")


def alerts(store: Store) -> list[Any]:
    return shop.rows(store, "alerts", only=["state", "at_ms"])


def test_a_level_is_accepted_while_the_service_runs_and_holds_after_a_restart(tmp_path: Path) -> None:
    events = lines(lambda day: shifted(day) + 1.5 * (day >= AGAIN_DAY), days=28)
    by_day = [[line for line in events if at(day) <= json.loads(line)["ts"] < at(day + 1)] for day in range(28)]
    configuration, store = configuration_of(tmp_path), MemoryStore()
    with shop.serving(configuration, store) as service:
        read_until(service, [line for day in by_day[:20] for line in day], 19)
        with httpx.Client(transport=InProcess(create_app(service)), base_url="http://leeway") as client:
            body = {"model": "loans", "signal": "feature:x", "says": "accepted", "reason": "sale", "created_by": "ann"}
            assert client.post("/v1/marks", json=body).status_code == 200
            read_until(service, [line for day in by_day[20:22] for line in day], 21)
            [mark] = client.get("/v1/marks").json()["items"]
        assert at(19) < mark["effective_ms"] <= at(21)
        resolved = "resolved", mark["effective_ms"]
        shop.wait_until(lambda: resolved in alerts(store), "the alert is over; scores are written before it")
    with shop.serving(configuration, store) as service:
        read_until(service, [line for day in by_day[22:] for line in day], 27)
    assert len([state for state, _ in alerts(store) if state == "firing"]) == 2
    twin = MemoryStore()
    twin.migrate()
    append(twin, "marks", store.read(Query("marks")))
    path = tmp_path / "loans.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in events))
    Replay(configuration, twin, FileSource({"loans": [path]})).run()
    decided = shop.results(store, at(27))
    assert {name: shop.results(twin, at(27))[name] for name in ("scores", "alerts")} == {
        name: decided[name] for name in ("scores", "alerts")
    }
