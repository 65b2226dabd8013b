"""Whether Leeway still detects, as it finds out itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.config import load
from monitor.heartbeat.pulses import pulse_of
from monitor.jobs.job import JOBS
from monitor.logs import log_to_stderr
from monitor.self_test.self_test import SelfTest, SelfTestError, SelfTestMetrics, SelfTestResult
from sinks.store.contract import TABLES, Query, StoreError
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.service import shop
from tests.service.test_job_runs import ClosedStore

NOW_MS = 1_800_000_000_000
FOUND = SelfTestResult(NOW_MS, 7_200_000, 0.1, 0, 7_200, 0.5, 0.001)


def test_a_drift_is_found_soon_by_itself_and_leaves_one_row_in_the_store_of_people(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_to_stderr(as_json=True)
    store, clock = MemoryStore(), ManualClock(NOW_MS)
    self_test = SelfTest.of(store)
    self_test.run(store, clock)
    assert capsys.readouterr().err == "", "nor a line in their log"
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


def test_a_run_that_fails_is_no_run_that_finds_its_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    store, clock = MemoryStore(), ManualClock(NOW_MS)
    self_test = SelfTest.of(store)
    self_test.result = FOUND

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("monitor.self_test.self_test.Replay.run", fail)
    with pytest.raises(RuntimeError):
        self_test.run(store, clock)
    [title] = self_test.holding().values()
    assert title.startswith("Leeway does not detect: the self-test failed with RuntimeError, and the log")
    [detects] = [metric for metric in SelfTestMetrics(self_test).collect() if metric.name.endswith("_detects")]
    assert [sample.value for sample in detects.samples] == [0.0]


def test_a_drift_is_found_also_while_the_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.self_test.self_test._detected", lambda *_: replace(FOUND, store_s=None))
    store = ClosedStore()
    store.is_away = True
    with pytest.raises(StoreError):
        SelfTest.of(store).run(store, ManualClock(NOW_MS))
    result = SelfTest.of(store).result
    assert result is not None
    assert (result.delay_ms, result.store_s) == (7_200_000, None)
    assert SelfTest.of(store).holding() == {}


def test_people_hear_that_leeway_does_not_detect_and_when_it_does_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.service.WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("monitor.heartbeat.lookout.PULSE_EVERY_S", 0.05)
    store = MemoryStore()

    def own_alerts() -> list[dict[str, Any]]:
        return [row for row in rows_of(store.read(Query("alerts"))) if '"self_test_failed"' in row["labels"]]

    def pulse() -> int:
        rows = rows_of(store.read(Query("pulses")))
        return max([0, *(int(row["number"]) for row in rows if row["stage"].startswith(pulse_of("")))])

    path = shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), self_test={})
    with shop.serving(load(path), store) as service:
        SelfTest.of(service.store).result = replace(FOUND, delay_ms=None)
        [alert] = shop.wait_until(own_alerts, "it is alerted about")
        assert (alert["state"], alert["severity"]) == ("firing", "critical")
        assert alert["title"].startswith(
            "Leeway does not detect: a drift of two deviations that lasts 12 h was not found"
        )
    with shop.serving(load(path), store) as service:
        stated = pulse()
        shop.wait_until(lambda: pulse() > stated + 1, "others are to leave it alone")
        assert len(own_alerts()) == 1, "a restart detects nothing"
        SelfTest.of(service.store).result = FOUND
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
