"""A running service says so, and alerts, where nearly everything that comes is rejected."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.alerts.own import MESSAGES_REJECTED, MODEL
from monitor.config import load
from monitor.service import Service
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.heartbeat.rejected_streams.AFTER_S", 0.2)
    monkeypatch.setattr("monitor.ingest.misfits.AFTER_S", 0.2)


def post(service: Service, first: int, count: int, *, is_good: bool) -> None:
    events = [
        {"id": f"e{n}", "ts": shop.START_MS + n if is_good else "never", "amount": 60.0, "country": "DE", "score": 0.5}
        for n in range(first, first + count)
    ]
    service.accept("events", [json.dumps(event).encode() for event in events])


def transitions(store: Store) -> list[tuple[str, str, str]]:
    rows = rows_of(store.read(Query("alerts", {"model": MODEL}, order=("at_ms",))))
    labels = [json.loads(row["labels"]) for row in rows]
    return [(each["alertname"], each.get("stream", ""), row["state"]) for each, row in zip(labels, rows, strict=True)]


FIRING, RESOLVED = (MESSAGES_REJECTED, "shop events", "firing"), (MESSAGES_REJECTED, "shop events", "resolved")


def test_it_is_noted_and_alerted_about_until_messages_count(tmp_path: Path) -> None:
    store = MemoryStore()
    with shop.serving(load(shop.configured(tmp_path, shop.model("shop", {"http": "events"}))), store) as service:
        shop.wait_until(lambda: not service.ready(), "it is ready")
        post(service, 0, 1_500, is_good=False)
        shop.wait_until(lambda: transitions(store) == [FIRING], "it is alerted about, and about nothing else")
        [title] = store.read(Query("alerts", {"model": MODEL}))["title"]
        assert title == (
            "shop: 1,500 of the last 1,500 messages of events were rejected, and count nowhere, most of them as"
            " event_time_unreadable, such as offset 1499 of partition 0."
            " `leeway dead-letters show events 0 1499` says what it holds"
        )
        assert title in service.notes()
        post(service, 1_500, 500, is_good=True)
        shop.wait_until(lambda: transitions(store) == [FIRING, RESOLVED], "it is over")
        assert not [note for note in service.notes() if "rejected" in note]


def test_a_tenth_that_counts_is_enough_and_so_are_few_that_do_not(tmp_path: Path) -> None:
    store = MemoryStore()
    with shop.serving(load(shop.configured(tmp_path, shop.model("shop", {"http": "events"}))), store) as service:
        post(service, 0, 99, is_good=False)
        shop.wait_until(lambda: service.counters.rejected == 99, "they are read")
        assert not [note for note in service.notes() if "rejected" in note]
        post(service, 99, 20, is_good=True)
        post(service, 119, 60, is_good=False)
        shop.wait_until(lambda: service.counters.rejected == 159, "they are read")
        assert not [note for note in service.notes() if "rejected" in note]


def test_what_once_came_well_is_noted_as_well_when_the_rest_is_rejected(tmp_path: Path) -> None:
    store = MemoryStore()
    with shop.serving(load(shop.configured(tmp_path, shop.model("shop", {"http": "events"}))), store) as service:
        post(service, 0, 20, is_good=True)
        post(service, 20, 600, is_good=False)
        shop.wait_until(lambda: transitions(store) == [FIRING], "it is alerted about")


@pytest.mark.parametrize("is_absolute", [False, True])
def test_rows_of_parquet_count_without_a_format(tmp_path: Path, *, is_absolute: bool) -> None:
    events = [{"id": f"e{n}", "ts": shop.START_MS + n, "amount": 60.0, "country": "DE"} for n in range(300)]
    pq.write_table(pa.Table.from_pylist([event | {"score": 0.5} for event in events]), tmp_path / "events.parquet")
    file = shop.configured(tmp_path, shop.model("shop", {"file": f"{tmp_path if is_absolute else '..'}/events.*"}))
    with shop.serving(load(file), MemoryStore()) as service:
        shop.wait_until(lambda: service.counters.records >= 300, "it is read")
        shop.wait_until(lambda: service.counters.events == 300, "all of it counts")
        assert service.counters.rejected == 0
