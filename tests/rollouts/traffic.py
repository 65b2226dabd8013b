"""Traffic of two versions of one model, hour by hour."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from monitor.clock import ManualClock
from monitor.config import Configuration
from monitor.rollouts.rollout_log import Metric, Rollout, log_rollout
from sinks.store.contract import Store
from sinks.store.memory import MemoryStore
from tests.monitor.streams import HOUR_MS, START_MS, configured, rows

PER_HOUR = 300
METRICS = (Metric("missing:x", "lower", 0.05), Metric("prediction:y", "same", 0.5))


def watched(window: str = "1h", pane: str = "1h") -> Configuration:
    detect = {"false_alarms": "1 per 30d", "pane": pane, "defaults": {"window": window}}
    fields = {"features": {"x": {"type": "numeric"}}, "prediction": {"y": {"type": "numeric"}}}
    return configured(detect=detect, schema={"id": "id", "version": "version", **fields}, segments=[])


def traffic(
    hours: int = 48,
    missing: float = 0.1,
    shift: float = 0.0,
    share: Callable[[int], float] = lambda hour: 0.3,
    *,
    slope: float = 0.0,
    is_turned: bool = False,
) -> list[bytes]:
    """Events of `v1` and `v2`: of the second another share of `x` is missing, and `y` is shifted.

    Both rise by ``slope`` within each hour. If it ``is_turned`` the candidate takes over in the middle of hour 30.
    """
    rng, lines = np.random.default_rng(11), []
    for hour in range(hours):
        season = np.sin(2 * np.pi * hour / 24)
        is_candidate = rng.random(PER_HOUR) < share(hour)
        if is_turned:
            is_candidate = np.arange(PER_HOUR) + hour * PER_HOUR >= 30.5 * PER_HOUR
        y = rng.normal(season + shift * is_candidate + slope * np.arange(PER_HOUR) / PER_HOUR, 1)
        is_missing = rng.random(PER_HOUR) < np.where(is_candidate, missing, 0.1)
        for number in range(PER_HOUR):
            at_ms = START_MS + hour * HOUR_MS + number * HOUR_MS // PER_HOUR
            event: dict[str, Any] = {"id": f"{hour}/{number}", "ts": at_ms, "y": round(float(y[number]), 6)}
            event |= {} if is_missing[number] else {"x": 1.0 + number}
            lines.append(json.dumps(event | {"version": "v2" if is_candidate[number] else "v1"}).encode())
    return lines


def started(store: Store | None = None, **changes: Any) -> tuple[Store, Rollout]:
    """A store in which a rollout waits for its first window."""
    if store is None:
        store = MemoryStore()
    store.migrate()
    rollout = Rollout("", "loans", "v2", "v1", METRICS, 0.05, 40 * HOUR_MS, "ann", "faster")
    clock = ManualClock(START_MS)
    return store, log_rollout(store, clock, Rollout(**{**vars(rollout), **changes}))


def notified(store: Store) -> list[dict[str, Any]]:
    """The alerts about verdicts."""
    alerts = [row | {"labels": json.loads(row["labels"]), "signals": json.loads(row["signals"])}
              for row in rows(store, "alerts")]  # fmt: skip
    return [alert for alert in alerts if alert["labels"]["alertname"] == "LeewayRollout"]
