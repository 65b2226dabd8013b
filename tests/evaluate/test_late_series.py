"""A version that has served for long did not bring what begins with its first event in a segment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from monitor.config import Configuration
from monitor.evaluate.change import Changes
from monitor.evaluate.model import follow, lifecycle_of
from monitor.evaluate.windows import first_window_end
from monitor.panes.reading import read_panes
from monitor.watch import compile_watch
from sinks.store.contract import Store
from tests.monitor.streams import DAY_MS, HOUR_MS, START_MS, as_lines, configured, replayed_lines, rows

CAME_MS, LATE_MS = START_MS + 7 * DAY_MS, START_MS + 9 * DAY_MS + 7 * HOUR_MS
UNTIL_MS = LATE_MS + 5 * HOUR_MS
EARLIER_UNTIL_MS = START_MS + 8 * DAY_MS


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


def test_when_a_version_came_stays_unknown_after_a_checkpoint_that_does_not_say_it(store: Store) -> None:
    watch = compile_watch(watched(), "loans")
    before, after = Changes(watch, None), Changes(watch, None)
    ends = range(first_window_end(watch, START_MS), UNTIL_MS, HOUR_MS)
    spans = ends[: ends.index(EARLIER_UNTIL_MS)], ends[ends.index(EARLIER_UNTIL_MS) :]
    list(before.advance(read_panes(store, watch, START_MS, spans[0][-1]), spans[0]))
    charts, *series = before.snapshot()
    for state in series:
        del state["version_ms"]
    after.restore([charts, *series])
    verdicts = list(after.advance(read_panes(store, watch, spans[0][-1], spans[1][-1]), spans[1]))
    transitions = follow(lifecycle_of(watch), verdicts, spans[1])
    moved = in_france([signal for transition in transitions for signal in transition.signals])
    assert moved
    assert {signal["former_version"] for signal in moved} == {None}
