"""A model whose version is a request id: people hear of it, and it holds no more than others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from monitor.alerts.own import MODEL, TOO_MANY_VERSIONS
from monitor.config import load
from sinks.store.contract import Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop


def test_people_hear_that_versions_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.1)
    schema = {"version": "request", "max_versions": 5, "features": {"amount": {"type": "numeric"}}}
    detect = {**shop.DETECT, "rules": []}
    configuration = load(
        shop.configured(tmp_path, shop.model("loans", {"http": "loans"}, schema=schema, detect=detect))
    )
    events = [{"ts": shop.START_MS + 1_000 * n, "request": f"r{n}", "amount": n % 7} for n in range(60)]
    store = MemoryStore()

    def alerts() -> list[dict[str, Any]]:
        return rows_of(store.read(Query("alerts", {"model": MODEL})))

    with shop.serving(configuration, store) as service:
        service.accept("loans", [json.dumps(event).encode() for event in events])
        shop.wait_until(alerts, "it is alerted about")
        metrics = generate_latest(service.metrics).decode()
    (alert,) = alerts()
    assert json.loads(alert["labels"]) == {"alertname": TOO_MANY_VERSIONS, "severity": "warning", "model": "loans"}
    assert alert["title"] == (
        "loans has more versions than the 5 that are told apart at one time: 35 of the last hour's 40 events count as"
        " version `other`. Is 'request' (schema.version) a request id? Name a field that changes with a deployment, or"
        " raise schema.max_versions"
    )
    assert 'leeway_other_version_events_total{model="loans"} 35.0' in metrics
