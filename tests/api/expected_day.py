"""A day of which something was expected, as it is stored, without the days that would teach it."""

from __future__ import annotations

import json
from typing import Any

from detectors.change.residuals import expectation_of
from tests.api.world import HOUR_MS, MINUTE_MS, score

SCALE = {
    "level": 0, "variance": 0, "carry": 0, "level_variance": 0, "noise": 0, "step": 0, "day_step": 0.001,
    "calibration": 1, "freedom": 20, "freedom_fresh": 10, "zone": 0.01,
}  # fmt: skip


def day_of_volume(from_ms: int, window_ms: int, events: float, version: str = "v1") -> dict[str, Any]:
    """A row of ``expectations``: about so many events of the model `fraud` in each window of a day."""
    contrast = {
        "name": "events", "kind": 2, "family": 4, "unit_sum": 0, "unit_seen": 0, "uncertainty": 0,
        "in_hour": window_ms / HOUR_MS, "standing": 0, "sampling": {"window": 1 / events, "day": 0.001},
        "window": SCALE, "day": SCALE, "expected": [expectation_of(events, 1.0)] * 24, "learned_events": [None] * 24,
    }  # fmt: skip
    document = {"signal": "volume", "rows": 1, "is_number": False, "groups": None, "contrasts": [contrast]}
    return {
        "model": "fraud", "signal": "volume", "version": version, "from_ms": from_ms, "window_ms": window_ms,
        "windows": 99, "windows_needed": 10, "days": 9, "days_needed": 7, "threshold": 8.0, "day_threshold": 6.0,
        "contrasts": json.dumps(document),
    }  # fmt: skip


def expected_volume(windows: int) -> dict[str, list[dict[str, Any]]]:
    """Rows, by table, of so many minutes with 60 events, as was expected."""
    of_window = {"signal": "volume", "detector": "change", "window_ms": MINUTE_MS, "n": 60}
    scores = [score(minute, **of_window) for minute in range(1, windows + 1)]
    return {"expectations": [day_of_volume(0, MINUTE_MS, 60)], "scores": scores}
