"""Whatever an editor sends, or many of them: operators stay able to act, and other models go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.configurations.log import Change, ConfigurationLog
from sinks.store.batch import append
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.test_configurations import nothing, orders, serving


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.service.FOLLOW_EVERY_S", 0.1)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.migrate()
    return store


def test_what_fills_the_room_of_the_api_keeps_nobody_from_files_and_from_giving_models_up(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.configurations.log.MOST_MODELS", 2)
    monkeypatch.setattr("monitor.configurations.log.MOST_VERSIONS", 2)
    log = ConfigurationLog(store, SystemClock())
    for name in "abc":
        log.put(Change(name, json.dumps(shop.model(name, {"http": name}))))
        log.put(Change(name, "", "nobody"))
    with serving(nothing(tmp_path), store) as there:
        for resolve_after in ("80s", "90s"):
            assert there.put(orders(alerts={"resolve_after": resolve_after})).is_success
        refused = there.put(orders())
        assert (refused.status_code, refused.json()["detail"]) == (
            422, "orders has 2 versions, which is the most: it may only be given up"
        )  # fmt: skip
        assert there.client.delete("/v1/models/orders/configuration").is_success
    for name in "de":
        log.put(Change(name, json.dumps(shop.model(name, {"http": name}))))
    path = shop.configured(tmp_path, orders(), shop.model("a", {"http": "a"}), models=["models/*.yaml"])
    with serving(path, store) as there:
        assert {"orders", "a"} <= there.service.watches.keys()
        assert there.versions()["items"][0]["owner"] == "file"
        assert there.service.ready() == []
        document = json.dumps(shop.model("f", {"http": "f"}))
        refused = there.client.put(
            "/v1/models/f/configuration", content=document, headers={"Content-Type": "application/json"}
        )
        assert refused.json()["detail"] == "the API owns 2 models already: give one up first"


class ContestedStore(MemoryStore):
    """Whose first version of a configuration another process replaces at the same moment."""

    contests = True

    def append(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        super().append(table, columns, token)
        if table == "configurations" and self.contests:
            self.contests = False
            append(self, table, {**columns, "digest": ["an0ther"]})


def test_a_file_that_another_process_has_otherwise_at_the_same_moment_ends_nothing_and_is_said(tmp_path: Path) -> None:
    store = ContestedStore()
    store.migrate()
    path = shop.configured(tmp_path, orders(), models=["models/*.yaml"])
    with serving(path, store) as there:
        [reason] = there.service.ready()
        assert "is another one here than where version 1 was read" in reason
        assert there.versions()["not_converged"]
