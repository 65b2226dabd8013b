"""A version that has served for long did not bring what begins with its first event in a segment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from monitor.config import Configuration
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, as_lines, configured, replayed_lines, rows

CAME_MS, LATE_MS = START_MS + 7 * DAY_MS, START_MS + 9 * DAY_MS + 7 * HOUR_MS
UNTIL_MS = LATE_MS + 5 * HOUR_MS


def watched() -> Configuration:
    fields = {"x": {"type": "numeric"}, "country": {"type": "category"}}
    return configured(
        detect={"false_alarms": "1 per 30d", "pane": "1h", "defaults": {"window": "1h"}},
        schema={"id": "id", "version": "version", "features": fields},
        segments=[{"by": ["country"], "values": ["DE", "FR"]}],
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Version v2 has served DE for two days when it first serves FR, whose values move in that hour."""
    rng, events = np.random.default_rng(3), []
    for number in range((UNTIL_MS - START_MS) * 40 // HOUR_MS):
        at_ms = START_MS + number * HOUR_MS // 40
        country = ("DE", "FR")[number % 2]
        is_late = country == "FR" and at_ms >= LATE_MS
        version = "v2" if at_ms >= (CAME_MS if country == "DE" else LATE_MS) else "v1"
        x = rng.normal() + 2 * is_late
        events.append({"id": str(number), "ts": at_ms, "version": version, "country": country, "x": x})
    return replayed_lines(tmp_path_factory.mktemp("late"), as_lines(events), watched())[0]


def in_france(signals: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [moved for moved in signals if (moved["segment"], moved["version"]) == ("country=FR", "v2")]


def test_a_version_is_not_blamed_for_a_segment_that_it_serves_later(store: Store) -> None:
    signals = [moved for alert in rows(store, "alerts") for moved in json.loads(alert["signals"])]
    assert in_france(signals)
    assert {moved["former_version"] for moved in in_france(signals)} == {None}
    assert {"v1"} == {moved["former_version"] for moved in signals if moved["signal"] == "feature:country"} - {None}
