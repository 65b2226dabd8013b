"""Whether Leeway still detects, as it finds out itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.config import load
from monitor.jobs.job import JOBS
from monitor.self_test.self_test import SelfTest, SelfTestError, SelfTestResult
from sinks.store.contract import TABLES, Query
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop

NOW_MS = 1_800_000_000_000
FOUND = SelfTestResult(NOW_MS, 7_200_000, 0.1, 0, 7_200, 0.5, 0.001)


def test_a_drift_is_found_soon_by_itself_and_leaves_one_row_in_the_store_of_people() -> None:
    store, clock = MemoryStore(), ManualClock(NOW_MS)
    self_test = SelfTest.of(store)
    self_test.run(store, clock)
    assert self_test.result is not None
    assert (self_test.result.delay_ms, self_test.result.false_alarms) == (2 * 3_600_000, 0)
    assert self_test.holding() == {}
    rows = {table: rows_of(store.read(Query(table))) for table in TABLES}
    assert {table for table, of_table in rows.items() if of_table} == {"pulses"}
    assert rows["pulses"] == [{"stage": "self-test", "number": NOW_MS}]


def test_what_never_alarms_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.self_test.canary.SHIFT", 0.0)
    store = MemoryStore()
    with pytest.raises(SelfTestError, match="the canary's drift was not found"):
        SelfTest.of(store).run(store, ManualClock(NOW_MS))
    assert set(SelfTest.of(store).holding()) == {"detection"}


def test_people_hear_that_leeway_does_not_detect_and_when_it_does_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    store = MemoryStore()

    def own_alerts() -> list[dict[str, Any]]:
        return [row for row in rows_of(store.read(Query("alerts"))) if '"self_test_failed"' in row["labels"]]

    path = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), self_test={})
    with shop.serving(load(path), store) as service:
        self_test = SelfTest.of(service.store)
        self_test.result = replace(FOUND, delay_ms=None)
        [alert] = shop.wait_until(own_alerts, "it is alerted about")
        assert (alert["state"], alert["severity"]) == ("firing", "critical")
        assert alert["title"].startswith(
            "Leeway does not detect: a drift of two deviations that lasts 12 h was not found"
        )
        self_test.result = FOUND
        shop.wait_until(lambda: len(own_alerts()) == 2, "it is over")
        assert service.status()["self_test"]["delay_ms"] == 7_200_000
        assert service.status()["models"] == ["shop"]


def test_a_service_runs_it_only_if_somebody_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.jobs.schedule.JOBS", {"self_test": JOBS["self_test"]})
    options: dict[str, dict[str, Any]] = {"with": {"self_test": {}}, "without": {}}
    for folder, asks in options.items():
        path = shop.configured(tmp_path / folder, shop.model("shop", {"http": "shop"}), **asks)
        with shop.serving(load(path), MemoryStore()) as service:
            assert service._jobs is not None
            assert list(service._jobs.states) == (["self_test"] if asks else [])
