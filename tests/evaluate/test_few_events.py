"""What is told of a share in windows of few events is what a person counts in them."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

import numpy as np
import pytest

from monitor.api.detectable import smallest_shifts
from monitor.config import Configuration
from monitor.evaluate.expectations import read_day
from monitor.watch import compile_watch
from sinks.store.contract import Store
from tests.evaluate.batches import evaluated
from tests.monitor.streams import DAY_MS, START_MS, as_lines, configured, detecting, replayed_lines, rows

DAYS, CHANGE_MS = 14, START_MS + 12 * DAY_MS
HOURLY, MISSING, AFTER = 5, 0.2, 0.6
"""Events an hour, and how many of them lack a value, before and after."""


class Events(NamedTuple):
    """When each event was, and whether it lacks its value."""

    at_ms: np.ndarray
    is_missing: np.ndarray

    def missing(self, from_ms: float, to_ms: float) -> float:
        """Count how many of a span lack it."""
        return float(self.is_missing[(self.at_ms >= from_ms) & (self.at_ms < to_ms)].mean())


def of_few() -> Configuration:
    detect = detecting(defaults={"window": "1h"}, pane="1h", rule="change", false_alarms="1 per 30d", rules=[])
    schema = {"id": "id", "features": {"x": {"type": "numeric"}}}
    return configured(detect=detect, schema=schema, segments=[])


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Events]:
    rng = np.random.default_rng(4)
    # As many events as come by chance: some windows have one, others ten.
    at_ms = np.sort(START_MS + rng.integers(0, DAYS * DAY_MS, DAYS * 24 * HOURLY))
    is_missing = rng.random(len(at_ms)) < np.where(at_ms < CHANGE_MS, MISSING, AFTER)
    events = [
        {"id": str(i), "ts": int(at), "x": None if lacks else float(rng.normal())}
        for i, (at, lacks) in enumerate(zip(at_ms, is_missing, strict=True))
    ]
    store, _ = replayed_lines(tmp_path_factory.mktemp("few"), as_lines(events), of_few())
    return store, Events(at_ms, is_missing)


def test_alerts_say_of_few_events_what_is_counted(few: tuple[Store, Events]) -> None:
    store, events = few
    firing = rows(store, "alerts")[0]
    (signal,) = json.loads(firing["signals"])
    shares = re.search(r"missing (\S+) % → (\S+) %", firing["title"])
    assert shares is not None, firing["title"]
    usual, current = (float(share) / 100 for share in shares.groups())
    assert usual == pytest.approx(events.missing(START_MS, CHANGE_MS), abs=0.015)
    # Since about when it began, as the alert says.
    assert current == pytest.approx(events.missing(signal["onset_ms"], signal["last_ms"]), abs=0.005)


def test_what_is_usual_of_few_events_is_the_share_of_all_of_them(few: tuple[Store, Events]) -> None:
    store, events = few
    mornings = [
        row for row in rows(store, "expectations") if row["signal"] == "feature:x" and row["from_ms"] <= CHANGE_MS
    ]
    key = ("loans", "feature:x", "", "")
    missing = next(
        each for each in smallest_shifts({key: read_day(mornings[-1])})[key] if each["contrast"] == "missing"
    )
    assert missing["usual"] == pytest.approx(events.missing(START_MS, CHANGE_MS), abs=0.02)
    assert missing["usual"] < missing["week_high"] < missing["day_high"]


@pytest.mark.parametrize("at_once", [1, 7])
def test_what_is_counted_depends_on_no_batch_or_restart(at_once: int, few: tuple[Store, Events]) -> None:
    watch = compile_watch(of_few(), "loans")
    assert evaluated(few[0], watch, DAYS, [at_once]) == evaluated(few[0], watch, DAYS, [DAYS * 24])
