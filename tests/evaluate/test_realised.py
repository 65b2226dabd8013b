"""The alerts of a model beside the false alarms that it accepts, as `/metrics` has them."""

from __future__ import annotations

import pytest

from monitor.evaluate.realised import RealisedAlerts
from tests.api.test_status import DAY_MIN, HOUR_MIN, fill, watched
from tests.api.world import MINUTE_MS, Client


def test_what_metrics_say_is_what_status_says() -> None:
    world = fill(watched())
    [realised] = RealisedAlerts(world.store, world.watches).read()
    [summary] = Client(world).items("/v1/series/summary", model="fraud")
    assert realised.model == "fraud"
    assert realised.fired == summary["alerts"] == 1
    assert realised.accepted == pytest.approx(summary["accepted"])
    assert realised.since_ms == summary["protects_since_ms"] - HOUR_MIN * MINUTE_MS == 0


def test_a_model_that_learns_has_no_rate_yet_and_the_newest_window_counts() -> None:
    world = watched()
    rates = RealisedAlerts(world.store, world.watches)
    assert list(rates.read()) == []
    fill(world)
    [realised] = rates.read()
    assert realised.accepted == pytest.approx(3 / 30)
    world.add(
        "scores", [{"model": "fraud", "signal": "x", "detector": "change", "window_end_ms": 6 * DAY_MIN * 60_000}]
    )
    [realised] = rates.read()
    assert realised.accepted == pytest.approx(6 / 30)
