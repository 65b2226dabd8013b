"""A new version of a model is compared with the one before it, from its first window on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.config import Configuration
from monitor.watch import compile_watch
from sinks.store.contract import Store
from tests.evaluate.batches import evaluated
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, configured, replayed_lines, rows, scored

DAYS, PER_HOUR = 18, 120
DEPLOYED_MS = START_MS + 15 * DAY_MS + 7 * HOUR_MS + HOUR_MS // 2

Versioned = Callable[[int], str]
"""Returns the version that answers at a time."""


def watched() -> Configuration:
    detect = {"false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}}
    schema = {"id": "id", "version": "version", "features": {"x": {"type": "numeric"}}}
    return configured(detect=detect, schema=schema, segments=[])


def deployed(at_ms: int) -> str:
    return "v2" if at_ms >= DEPLOYED_MS else "v1"


def daily(at_ms: int) -> str:
    return f"v{(at_ms - START_MS - 5 * HOUR_MS) // DAY_MS + 10}"


def replayed_with(folder: Path, version: Versioned, shift: float, seed: int = 3) -> Store:
    """A day's season, and a shift of all values from the deployment on."""
    rng, events = np.random.default_rng(seed), []
    for hour in range(DAYS * 24):
        season = 0.6 * np.sin(2 * np.pi * hour / 24)
        for number, value in enumerate(rng.normal(season, 1, PER_HOUR).tolist()):
            at_ms = START_MS + hour * HOUR_MS + number * HOUR_MS // PER_HOUR
            x = value + shift * (at_ms >= DEPLOYED_MS)
            events.append({"id": f"{hour}/{number}", "ts": at_ms, "version": version(at_ms), "x": x})
    return replayed_lines(folder, [json.dumps(event).encode() for event in events], watched())[0]


def fired(store: Store) -> list[dict[str, Any]]:
    alerts = [alert for alert in rows(store, "alerts") if alert["state"] == "firing"]
    return sorted(alerts, key=lambda alert: int(alert["at_ms"]))


def test_a_bad_deployment_alarms_within_hours_and_is_dated(tmp_path: Path) -> None:
    alerts = fired(replayed_with(tmp_path, deployed, 0.5))
    assert alerts[0]["version"] == "v2"
    assert DEPLOYED_MS < alerts[0]["at_ms"] <= DEPLOYED_MS + 3 * HOUR_MS
    (signal,) = json.loads(alerts[0]["signals"])
    assert abs(signal["onset_ms"] - DEPLOYED_MS) <= HOUR_MS
    came = "version v2 came at 2024-01-16 07:00 UTC, after v1"
    assert alerts[0]["title"].startswith("loans: feature:x moved (typical value ")
    assert alerts[0]["title"].endswith(f") since {came}")
    assert f"; it began when {came}; " in signal["reason"]


@pytest.mark.parametrize("version", [deployed, daily])
def test_a_deployment_that_changes_nothing_is_quiet(tmp_path: Path, version: Versioned) -> None:
    assert fired(replayed_with(tmp_path, version, 0.0)) == []


def test_it_is_judged_in_its_first_window_and_what_was_expected_of_that_is_stored(tmp_path: Path) -> None:
    store = replayed_with(tmp_path, deployed, 0.0)
    first_end_ms = DEPLOYED_MS + HOUR_MS // 2
    (score,) = scored(store, signal="feature:x", version="v2", detector="change", window_end_ms=first_end_ms)
    assert score["status"] == "ok"
    expected = [row for row in rows(store, "expectations") if row["version"] == "v2" and row["signal"] == "feature:x"]
    assert min(row["from_ms"] for row in expected) == first_end_ms - HOUR_MS


def test_a_change_is_found_in_a_model_that_is_deployed_every_day(tmp_path: Path) -> None:
    alerts = fired(replayed_with(tmp_path, daily, 0.5))
    assert DEPLOYED_MS < alerts[0]["at_ms"] <= DEPLOYED_MS + 3 * HOUR_MS


def replayed_without_values(folder: Path, share: float, share_of_new: float) -> Store:
    """Values that are missing from two days before the deployment on, more or fewer of them in the new version."""
    rng, events = np.random.default_rng(5), []
    for number, value in enumerate(rng.normal(0, 1, DAYS * 24 * PER_HOUR).tolist()):
        at_ms = START_MS + number * HOUR_MS // PER_HOUR
        lost = 0.0 if at_ms < DEPLOYED_MS - 2 * DAY_MS else share if at_ms < DEPLOYED_MS else share_of_new
        event = {"id": str(number), "ts": at_ms, "version": deployed(at_ms), "x": value}
        events.append(event if rng.random() >= lost else {**event, "x": None})
    return replayed_lines(folder, [json.dumps(event).encode() for event in events], watched())[0]


def test_a_fault_that_stood_when_a_version_came_is_not_its_own_and_goes_on_with_its_alert(tmp_path: Path) -> None:
    alerts = rows(replayed_without_values(tmp_path, 0.05, 0.06), "alerts")
    assert len({alert["alert_id"] for alert in alerts}) == 1
    assert [alert["state"] for alert in alerts if alert["state"] != "updated"] == ["firing"]
    newest = max(alerts, key=lambda alert: int(alert["sequence"]))
    assert newest["at_ms"] > DEPLOYED_MS
    was_off = "off under v1 already when version v2 came at 2024-01-16 07:00 UTC"
    assert newest["title"].startswith("loans: feature:x moved (missing 0 % → ")
    assert newest["title"].endswith(f"), {was_off}")
    (signal,) = [signal for signal in json.loads(newest["signals"]) if signal["version"] == "v2"]
    assert f"; it was {was_off}; " in signal["reason"]
    assert signal["former_version"] is None


def test_what_stood_when_a_version_came_is_known_whatever_comes_at_a_time_and_after_restarts(tmp_path: Path) -> None:
    store, watch = replayed_without_values(tmp_path, 0.05, 0.06), compile_watch(watched(), "loans")
    at_a_time = evaluated(store, watch, DAYS, [1])
    assert evaluated(store, watch, DAYS, [1000]) == evaluated(store, watch, DAYS, [7, 30, 11]) == at_a_time
    assert "off under v1 already" in at_a_time["alerts"][-1]


def test_a_version_that_makes_a_standing_fault_much_worse_is_named(tmp_path: Path) -> None:
    newest = fired(replayed_without_values(tmp_path, 0.05, 0.4))[-1]
    assert newest["version"] == "v2"
    assert newest["title"].endswith(" since version v2 came at 2024-01-16 07:00 UTC, after v1")
