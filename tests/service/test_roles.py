"""One service in several processes: which roles may be apart, and what they know of each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.config import Configuration, load
from monitor.config.roles import ROLES, check_roles, parse_roles
from monitor.errors import InputError
from monitor.evaluate.horizon import standing
from monitor.service import Service
from sinks.store.contract import Query, StoreError
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.service.process import Running, leeway

Log = list[bytes]
SERVER = {"kind": "clickhouse", "hosts": ["127.0.0.1:1"]}


@pytest.fixture(scope="module")
def logs() -> tuple[shop.Partitions, int]:
    return shop.traffic(9, windows=30, per_window=80, partitions=2)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.evaluate.loop.EVALUATE_EVERY_S", 0.02)


def followed(tmp_path: Path, logs: shop.Partitions, idle_after: str) -> Configuration:
    """Two files of one topic that are followed."""
    folder = tmp_path / "models"
    folder.mkdir()
    for number, log in enumerate(logs):
        (folder / f"events-{number}.jsonl").write_bytes(b"".join(line + b"\n" for line in log))
    document = shop.model("shop", {"file": "events-*.jsonl", "follow": True})
    return load(shop.configured(tmp_path, document, store={"kind": "memory"}, idle_after=idle_after))


@contextmanager
def running(configuration: Configuration, store: MemoryStore, *roles: str) -> Iterator[Service]:
    with shop.serving(configuration, store, roles=roles) as service:
        yield service


def _judged_all(service: Service) -> bool:
    return service.loop.windows["shop"] >= 30


def test_stages_in_services_of_their_own_give_the_rows_of_one(
    tmp_path: Path, logs: tuple[shop.Partitions, int]
) -> None:
    lines, end_ms = logs
    configuration, store = followed(tmp_path, lines, "1h"), MemoryStore()
    with ExitStack() as stack:
        evaluating = stack.enter_context(running(configuration, store, "evaluate"))
        stack.enter_context(running(configuration, store, "alert", "api"))
        for _ in range(2):
            stack.enter_context(running(configuration, store, "ingest"))
        shop.wait_until(shop.judged(evaluating, "shop", end_ms), "the last window is judged")
        assert evaluating.counters.records == 0
    expected = shop.results(shop.replayed(tmp_path, configuration, {"events-*.jsonl": lines}), end_ms)
    assert shop.results(store, end_ms) == expected


def test_two_processes_that_evaluate_write_the_same_rows(tmp_path: Path, logs: tuple[shop.Partitions, int]) -> None:
    lines, end_ms = logs
    configuration, store = followed(tmp_path, lines, "1h"), MemoryStore()
    with running(configuration, store, "ingest", "evaluate") as one, running(configuration, store, "evaluate") as two:
        for service in (one, two):
            shop.wait_until(partial(_judged_all, service), "it has judged the windows")
    expected = shop.results(shop.replayed(tmp_path, configuration, {"events-*.jsonl": lines}), end_ms)
    assert shop.results(store, end_ms) == expected


def test_a_partition_that_falls_silent_in_one_process_holds_nothing_back_in_another(
    tmp_path: Path, logs: tuple[shop.Partitions, int]
) -> None:
    lines, end_ms = logs
    configuration, store = followed(tmp_path, [lines[0], []], "300ms"), MemoryStore()
    with running(configuration, store, "ingest"), running(configuration, store, "evaluate") as evaluating:
        shop.wait_until(shop.judged(evaluating, "shop", end_ms), "the last window is judged without the silent one")
        assert standing(store)["events-*.jsonl", 1]
    said = set(store.read(Query("scores", {"model": "shop"}))["idle"])
    assert any("events-*.jsonl/1" in idle for idle in said)
    assert not any(standing(store).values()), "once nobody reads, nobody knows what is silent"


def test_windows_wait_until_somebody_has_seen_every_partition(
    tmp_path: Path, logs: tuple[shop.Partitions, int]
) -> None:
    lines, end_ms = logs
    configuration, store = followed(tmp_path, lines, "1h"), MemoryStore()
    with running(configuration, store, "evaluate") as evaluating:
        evaluating.loop.evaluate_now()
        assert evaluating.loop.windows == {}
        with running(configuration, store, "ingest"):
            shop.wait_until(shop.judged(evaluating, "shop", end_ms), "the last window is judged")


def test_a_process_waits_for_the_tables_and_says_who_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Empty(MemoryStore):
        def is_current(self) -> bool:
            return False

    monkeypatch.setattr("monitor.build.TABLES_WITHIN_S", 0.05)
    monkeypatch.setattr("monitor.build.RETRY_S", 0.01)
    configuration = followed(tmp_path, [[], []], "1h")
    with pytest.raises(StoreError, match="start the process that evaluates"):
        Service(configuration, SystemClock(), Empty(), roles=["ingest"])


@pytest.mark.parametrize(
    ("roles", "source", "store", "words"),
    [
        ("ingest", {"kafka": "t"}, {"kind": "chdb"}, "kind chdb belongs to one process.* run evaluate, alert too"),
        ("api", {"kafka": "t"}, {"kind": "memory"}, "run ingest, evaluate, alert too"),
        ("ingest", {"http": "shop"}, SERVER, "run ingest and api in one process"),
        ("evaluate,alert,api", {"http": "shop"}, SERVER, "'shop' comes by HTTP"),
        ("ingest,judge", {"kafka": "t"}, SERVER, "'judge' is no role; there are ingest, evaluate, alert, api"),
        ("", {"kafka": "t"}, SERVER, "'' is no role"),
    ],
)
def test_roles_that_cannot_be_apart_are_refused(
    tmp_path: Path, roles: str, source: dict[str, Any], store: dict[str, Any], words: str
) -> None:
    configuration = load(shop.configured(tmp_path, shop.model("shop", source), store=store))
    with pytest.raises(InputError, match=words):
        check_roles(parse_roles(roles), configuration)


@pytest.mark.parametrize(
    ("roles", "store"),
    [(",".join(ROLES), {"kind": "memory"}), ("ingest,evaluate,alert", {"kind": "chdb"}), ("ingest", SERVER)],
)
def test_roles_that_may_be_apart_are_taken(tmp_path: Path, roles: str, store: dict[str, Any]) -> None:
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"kafka": "t"}), store=store))
    check_roles(parse_roles(roles), configuration)


@pytest.mark.slow
def test_a_process_without_the_api_serves_its_health_alone(tmp_path: Path) -> None:
    log = tmp_path / "models" / "events.jsonl"
    log.parent.mkdir()
    log.write_bytes(b"")
    config = shop.configured(tmp_path, shop.model("shop", {"file": "events.jsonl", "follow": True}))
    with Running("run", config, "--port", 0, "--roles", "ingest,evaluate,alert") as service:
        shop.wait_until(lambda: service.get("/readyz").status_code == 200, "it is ready")
        assert service.get("/v1/status").json()["roles"] == ["ingest", "evaluate", "alert"]
        assert service.get("/v1/alerts").status_code == 404
    said = leeway("run", config, "--roles", "ingest")
    assert said.returncode == 2, said.stderr
    assert "belongs to one process" in said.stderr
