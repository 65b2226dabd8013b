"""Erasing while the service reads, judges and checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.checkpoint import decode_state
from monitor.clock import SystemClock
from monitor.config import load
from monitor.erasure.erase import Request
from monitor.service import Service
from sinks.store.chdb import ChdbStore
from sinks.store.contract import Query
from tests.service import shop

KEY = "anna@example.org"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.evaluate.loop.EVALUATE_EVERY_S", 0.02)


def holding(store: Any) -> set[str]:
    """Tables that hold the key in a row that counts."""
    found = set()
    for table in ("events", "panes", "scores", "dead_letters", "labels", "predictions"):
        if KEY in str(store.read(Query(table))) or KEY.encode() in str(store.read(Query(table))).encode():
            found.add(table)
    for state in store.read(Query("checkpoints", {"stage": ["ingest", "evaluate"]}))["state"]:
        if KEY in str(decode_state(state)) or _in_arrays(decode_state(state)):
            found.add("checkpoints")
    return found


def _in_arrays(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_in_arrays, value.values()))
    if isinstance(value, list):
        return any(map(_in_arrays, value))
    return hasattr(value, "tobytes") and KEY.encode() in value.tobytes()


def test_a_service_that_reads_erases_goes_on_and_loses_no_event(tmp_path: Path) -> None:
    # given a service with an open pane that counts the subject by name, and an event in the log that it has not read
    schema = {**shop.SCHEMA, "features": {**shop.SCHEMA["features"], "user": {"type": "category"}}}
    keep = {"events": True, "subject": "user", "for": {"events": "forever"}}
    source = {"http": "shop", "allowed_lateness": "10m"}
    made = ChdbStore(tmp_path / "store")
    made.migrate()
    made.close()
    path = shop.configured(tmp_path, shop.model("shop", source, schema=schema, keep=keep), checkpoint_every="100ms")
    service = Service(load(path), SystemClock())
    service.start()
    try:
        events = [event(n) for n in range(300)]
        service.accept("shop", events[:200])
        shop.wait_until(lambda: service.counters.events == 200, "events are read")
        shop.wait_until(lambda: "checkpoints" in holding(service.store), "a checkpoint names the subject")
        # when the subject is erased, and more of the same stream comes
        done = service.erase(Request(KEY))
        assert (done.state, done.remaining) == ("done", 0)
        assert done.rows["events"] == 20
        assert done.rows["checkpoints"] >= 1
        assert holding(service.store) == set()
        service.accept("shop", events[200:])
        shop.wait_until(lambda: len(service.store.read(Query("events"))["id"]) == 270, "the others' events are kept")
    finally:
        service.stop()
    service.raise_failure()
    # then nothing of the old log came back, all events count, and the names of others are as they were
    store = ChdbStore(tmp_path / "store")
    try:
        assert holding(store) == set()
        [position] = store.read(Query("checkpoints", {"stage": "ingest"}))["position"].tolist()
        assert position == 300
        [state] = [decode_state(s) for s in store.read(Query("checkpoints", {"stage": "ingest"}))["state"]]
        assert state["folds"]["shop"]["counts"].sum() == 300
    finally:
        store.close()


def event(n: int) -> bytes:
    user = KEY if n % 10 == 0 else f"u{n % 7}"
    fields = {"id": f"e{n}", "ts": shop.START_MS + n * 100, "amount": 10.0, "country": "DE", "score": 0.5, "user": user}
    return json.dumps(fields).encode()


def digests(store: Any) -> str:
    """What digests have collected, as it stands in the store."""
    return str([decode_state(state) for state in store.read(Query("checkpoints", {"stage": "digest"}))["state"]])


def test_what_a_digest_has_collected_names_the_subject_no_longer_nor_does_what_it_collects_next(tmp_path: Path) -> None:
    # given a service whose digest has collected an alert that quotes the subject
    schema = {**shop.SCHEMA, "features": {**shop.SCHEMA["features"], "user": {"type": "category"}}}
    document = shop.model("shop", {"http": "shop"}, schema=schema, keep={"subject": "user"})
    later = f"{(SystemClock().now_ms() // 3_600_000 + 12) % 24:02d}:30"
    alerting = {
        "route": {"receiver": "daily", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"},
        "leeway": {"digests": [{"name": "daily", "receiver": "people", "at": [later]}]},
    }
    made = ChdbStore(tmp_path / "store")
    made.migrate()
    made.close()
    receivers = [{"kind": "log", "name": "people"}]
    path = shop.configured(tmp_path, document, alerting=alerting, receivers=receivers)
    service = Service(load(path), SystemClock())
    service.start()
    try:
        store = service.store
        happens(store, service.clock.now_ms(), 0, f"shop: feature:user: share of {KEY!r} 1 % → 9 %")
        shop.wait_until(lambda: KEY in digests(store), "the digest has collected it")
        # when
        done = service.erase(Request(KEY))
        assert done.rows["checkpoints"] >= 1
        assert KEY not in digests(store)
        assert "erased-" in digests(store)
        # then it has forgotten the name, too, when it collects the next alert
        happens(store, service.clock.now_ms(), 1, "shop: feature:amount moved")
        shop.wait_until(lambda: "feature:amount moved" in digests(store), "the digest goes on")
        assert KEY not in digests(store)
    finally:
        service.stop()
    service.raise_failure()


def happens(store: Any, at_ms: int, number: int, title: str) -> None:
    """An alert fires."""
    labels = {"alertname": "LeewayDrift", "alert_id": f"a{number}", "model": "shop", "severity": "warning"}
    row = {
        **{"model": "shop", "alert_id": f"a{number}", "sequence": 0, "state": "firing", "at_ms": at_ms},
        **{"starts_ms": at_ms, "ends_ms": 0, "version": "", "segment": "", "severity": "warning", "title": title},
        **{"labels": json.dumps(labels), "signals": json.dumps([{"signal": "feature:user", "reason": title}])},
    }
    store.append("alerts", {name: [value] for name, value in row.items()}, token=f"a{number}")
