"""A model with a bad night: what docs/history.md asks about."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from monitor.clock import ManualClock
from tests.api.world import World, configured, model, score, step

HOUR_MS = 3_600_000
NOW_MS = 1_715_673_600_000  # 2024-05-14T08:00:00Z
SIGNALS = ("feature:amount", "feature:country", "prediction:score")
ALERT = "fraud-20240513-2300"


def bad_night(world: World) -> World:
    """Fill a world with a week of hours; from 22:00 to 04:00 of the last night, version v8 saw other countries."""
    rng = np.random.default_rng(5)
    panes, scores = [], []
    for hour in range(-7 * 24, 0):
        start_ms, night = NOW_MS + hour * HOUR_MS, -10 <= hour < -4
        for version in ("v7", "v8"):
            panes += _panes(world, start_ms, version, 100, moved=night and version == "v8", rng=rng)
        effects = {"feature:amount": 0.28, "feature:country": 0.91} if night else {}
        scores += [_score(signal, start_ms + HOUR_MS, effects.get(signal), rng) for signal in SIGNALS]
    world.add("panes", panes)
    world.add("scores", scores)
    start_ms = NOW_MS - 9 * HOUR_MS
    moved = {"signal": "feature:country", "segment": "", "version": "v8", "detector": "psi", "effect": 0.91}
    moved_signals = json.dumps([moved | {"reason": "country has changed"}])
    steps = [("firing", start_ms), ("resolved", start_ms + 5 * HOUR_MS)]
    world.add(
        "alerts",
        [
            step(ALERT, n, state, at_ms, starts_ms=start_ms, title="fraud: country has changed", signals=moved_signals)
            for n, (state, at_ms) in enumerate(steps)
        ],
    )
    return world


def watched() -> World:
    found = model("fraud", detect=HOURLY)
    risk = found.model_copy(update={"metadata": found.metadata.model_copy(update={"namespace": "risk"})})
    return World(clock=ManualClock(NOW_MS), configuration=configured(risk))


HOURLY = {"defaults": {"window": "1h"}, "rules": [{"on": "feature:*", "use": ["psi", "missing_rate"]}]}


def _panes(
    world: World, start_ms: int, version: str, n: int, *, moved: bool, rng: np.random.Generator
) -> list[dict[str, Any]]:
    amounts = rng.normal(52 if moved else 50, 10, n).clip(0, 100).tolist()
    germans = round(n * (0.05 if moved else 0.6))
    return [
        world.pane_of_numbers("feature:amount", start_ms, amounts, version=version),
        world.pane_of_numbers("prediction:score", start_ms, rng.beta(2, 5, n).tolist(), version=version),
        world.pane_of_names("feature:country", start_ms, {"DE": germans, "FR": n - germans}, version=version),
    ]


def _score(signal: str, end_ms: int, effect: float | None, rng: np.random.Generator) -> dict[str, object]:
    quiet = float(rng.uniform(0.005, 0.03))
    found = {"effect": effect or quiet, "statistic": effect or quiet, "status": "drift" if effect else "ok"}
    row = score(0, signal=signal, version="v8", window_end_ms=end_ms, window_ms=HOUR_MS, n=60)
    return row | found
