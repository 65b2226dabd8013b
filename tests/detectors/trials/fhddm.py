"""FHDDM that keeps the errors in every window."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK, WARNING
from tests.detectors.trial import Trial, signed


class Fhddm:
    def __init__(self, window: int, delta: float, warning_delta: float, direction: str) -> None:
        self.window, self.direction = window, direction
        self.drift, self.warning = (math.sqrt(math.log(1 / d) / (2 * window)) for d in (delta, warning_delta))
        self.start()

    def start(self) -> None:
        self.seen: list[float] = []
        self.errors: list[float] = []

    def update(self, x: float) -> tuple[float, int]:
        self.seen.append(x)
        if len(self.seen) < self.window:
            return 0.0, OK
        self.errors.append(sum(self.seen[-self.window :]))
        up = (self.errors[-1] - min(self.errors)) / self.window if self.direction != "down" else 0.0
        down = (max(self.errors) - self.errors[-1]) / self.window if self.direction != "up" else 0.0
        if max(up, down) > self.drift:
            self.start()
            return signed(up, down), DRIFT
        return signed(up, down), WARNING if max(up, down) > self.warning else OK


TRIAL = Trial(
    twin=Fhddm,
    settings=(
        {"window": 100, "delta": 1e-6},
        {"window": 33, "delta": 0.01, "warning_delta": 0.1, "direction": "up"},
        {"window": 10, "delta": 0.01, "warning_delta": 0.5, "direction": "down"},
    ),
    often={"window": 20, "delta": 1e-5, "warning_delta": 0.01},
    in_time=200,
)
