"""A service that follows files: one that is not there, or is rotated, keeps no other from being read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.alerts.own import MODEL, TOPIC_REFUSED
from monitor.config import load
from monitor.service import Service
from sinks.store.contract import Query, Store
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.sources.followed.STILL_S", 0.0)


def write(path: Path, first: int, count: int) -> None:
    events = [{"id": f"e{n}", "ts": shop.START_MS + n, "amount": 60.0} for n in range(first, first + count)]
    with path.open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def states(store: Store) -> list[tuple[str, str]]:
    rows = rows_of(store.read(Query("alerts", {"model": MODEL}, order=("at_ms",))))
    return [(json.loads(row["labels"])["alertname"], row["state"]) for row in rows]


def following(folder: Path, *names: str) -> Path:
    spec = {"schema": {"features": {"amount": {"type": "numeric"}}}, "detect": {"rules": []}}
    sources = [{"file": f"{name}.jsonl", "follow": True} for name in names]
    return shop.configured(folder, shop.model("shop", *sources, **spec))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the model's file stands."""
    path = tmp_path / "models"
    path.mkdir()
    return path


def has_read(service: Service, count: int) -> None:
    shop.wait_until(lambda: service.counters.records == count, f"{count} events are read")


def test_a_file_that_is_not_there_is_named_and_the_others_are_read(tmp_path: Path, folder: Path) -> None:
    store = MemoryStore()
    write(folder / "there.jsonl", 0, 10)
    with shop.serving(load(following(tmp_path, "there", "absent")), store) as service:
        has_read(service, 10)
        shop.wait_until(lambda: states(store) == [(TOPIC_REFUSED, "firing")], "it is alerted about")
        assert service.ready() == [f"nothing of absent.jsonl is read: {folder / 'absent.jsonl'}: no such file"]

        write(folder / "absent.jsonl", 10, 5)
        has_read(service, 15)
        shop.wait_until(lambda: not service.ready(), "it is ready")


def test_files_are_rotated_while_it_runs_and_while_it_does_not(tmp_path: Path, folder: Path) -> None:
    store, path = MemoryStore(), folder / "there.jsonl"
    write(path, 0, 10)
    with shop.serving(load(following(tmp_path, "there")), store) as service:
        has_read(service, 10)
        path.rename(folder / "there.jsonl.1")
        write(path, 10, 10)
        has_read(service, 20)

    write(path, 20, 10)
    path.rename(folder / "there.jsonl.2")
    write(path, 30, 10)
    with shop.serving(load(following(tmp_path, "there")), store) as service:
        has_read(service, 20)
        assert service.ready() == []
    assert states(store) == []
