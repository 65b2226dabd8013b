"""A running service alerts about a configuration that does not fit its messages, and not about what once came."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.own import MISFIT, MODEL
from monitor.config import load
from monitor.service import Service
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop

ENOUGH = 1_000


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.ingest.misfits.AFTER_S", 0.2)


def misplaced(name: str, path: str, **source: Any) -> dict[str, Any]:
    schema = copy.deepcopy(shop.SCHEMA)
    schema["features"]["amount"]["path"] = path
    return shop.model(name, {"http": "events", **source}, schema=schema)


def post(service: Service, first: int, count: int, stream: str = "events", **fields: Any) -> None:
    events = [
        {"id": f"e{n}", "ts": shop.START_MS + 1_000 * n, "country": "DE", "score": 0.5, **fields}
        for n in range(first, first + count)
    ]
    service.accept(stream, [json.dumps(event).encode() for event in events])


def transitions(store: Store) -> list[tuple[str, str]]:
    rows = rows_of(store.read(Query("alerts", {"model": MODEL}, order=("at_ms",))))
    labels = [json.loads(row["labels"]) for row in rows]
    assert {label["alertname"] for label in labels} <= {MISFIT}
    return [(label["model"], row["state"]) for label, row in zip(labels, rows, strict=True)]


def test_a_path_that_no_message_has_is_alerted_about_until_it_comes(tmp_path: Path) -> None:
    store = MemoryStore()
    configuration = load(shop.configured(tmp_path, misplaced("shop", "amuont")))
    with shop.serving(configuration, store) as service:
        post(service, 0, ENOUGH, amount=60.0)
        shop.wait_until(lambda: transitions(store) == [("shop", "firing")], "it is alerted about")
        [title] = store.read(Query("alerts", {"model": MODEL}))["title"]
        assert title == (
            "shop: none of 1,000 events has ever had a value of feature:amount at `amuont`."
            " `leeway check --live` shows what they have instead"
        )
        post(service, ENOUGH, 1, amuont=60.0)
        shop.wait_until(lambda: transitions(store)[1:] == [("shop", "resolved")], "it is over")


def test_a_where_that_matches_nothing_is_alerted_about_and_a_field_that_once_came_is_not(tmp_path: Path) -> None:
    store = MemoryStore()
    models = misplaced("shop", "amount"), misplaced("risk", "amount", where={"country": "XX"})
    file = shop.configured(tmp_path, *models)
    with shop.serving(load(file), store) as service:
        post(service, 0, 200, amount=60.0)
        shop.wait_until(lambda: len(store.read(Query("panes", {"signal": "feature:amount"}))["n"]), "it is stored")
    with shop.serving(load(file), store) as service:
        post(service, 200, ENOUGH)
        shop.wait_until(lambda: transitions(store) == [("risk", "firing")], "it is alerted about")
        [title] = store.read(Query("alerts", {"model": MODEL}))["title"]
        assert "none of 1,000 messages of events became an event; `where` asks for country=XX. `leeway" in title
    mended = shop.configured(tmp_path, *models[:1], misplaced("risk", "amount", where={"country": "DE"}))
    with shop.serving(load(mended), store) as service:
        # What came before it is open may be what a killed process has read, and is read as that one did.
        shop.wait_until(lambda: not service.ready(), "it is open")
        post(service, 200 + ENOUGH, 1, amount=60.0)
        shop.wait_until(lambda: transitions(store)[1:] == [("risk", "resolved")], "it is over")


def test_what_comes_from_one_source_says_nothing_of_another_of_the_same_model(tmp_path: Path) -> None:
    store = MemoryStore()
    sources: list[dict[str, Any]] = [{"http": "events"}, {"http": "more", "where": {"country": "XX"}}]
    file = shop.configured(tmp_path, shop.model("shop", *sources))
    with shop.serving(load(file), store) as service:
        post(service, 0, ENOUGH, amount=60.0)
        shop.wait_until(lambda: len(store.read(Query("panes", {"signal": "volume"}))["n"]), "it is stored")
        post(service, 0, ENOUGH, stream="more", amount=60.0)
        shop.wait_until(lambda: transitions(store) == [("shop", "firing")], "it is alerted about")
        [title] = store.read(Query("alerts", {"model": MODEL}))["title"]
        assert "none of 1,000 messages of more became an event; `where` asks for country=XX" in title
        post(service, ENOUGH, 1, stream="more", country="XX", amount=60.0)
        shop.wait_until(lambda: transitions(store)[1:] == [("shop", "resolved")], "it is over")
