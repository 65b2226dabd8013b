"""A server of the store that goes away is not hidden behind a service that only waits."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from monitor.clock import SystemClock
from monitor.config import load
from monitor.logs import log_to_stderr
from monitor.service import Service
from tests.service import shop
from tests.services.clickhouse import Endpoint
from tests.sinks.store.conftest import settings_of


def written(folder: Path, endpoint: Endpoint) -> Path:
    store: dict[str, Any] = {"kind": "clickhouse", **settings_of(endpoint.within("answers"))}
    kept = {name: value for name, value in store.items() if value is not None}
    return shop.configured(folder, shop.model("shop", {"http": "shop"}), store=kept, checkpoint_every="100ms")


def is_ready(service: Service) -> bool:
    return "leeway_ready 1.0" in generate_latest(service.metrics).decode()


def test_a_service_whose_store_is_gone_is_not_ready_until_it_is_back(
    tmp_path: Path,
    clickhouse_endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("monitor.heartbeat.store_answers.SILENT_FOR_S", 1.0)
    monkeypatch.setattr(logging.root, "handlers", [])
    service = Service(load(written(tmp_path, clickhouse_endpoint)), SystemClock())
    with shop.running(service):
        shop.wait_until(lambda: not service.ready(), "its source is open")
        assert is_ready(service)
        log_to_stderr(as_json=False)
        with clickhouse_endpoint.refusing():
            shop.wait_until(service.ready, "it is said")
            [reason] = service.ready()
            assert reason.startswith("the store has not answered since 20")
            assert f" UTC: store at {clickhouse_endpoint.address}/answers: " in reason
            assert not is_ready(service)
            shop.wait_until(lambda: service.store.retries > 30, "it is tried again and again")  # type: ignore[attr-defined]
        shop.wait_until(lambda: not service.ready(), "it is ready again")
        assert is_ready(service)
    lines = capsys.readouterr().err.splitlines()
    repeated = [line for line in lines if "the store does not answer; trying again" in line and "attempt=" in line]
    assert 0 < len(repeated) <= 6, lines
    assert any("(more of this kind is left out for ten minutes)" in line for line in repeated)
    assert [sum(text in line for line in lines) for text in ("the store has not answered", "answers again")] == [1, 1]
