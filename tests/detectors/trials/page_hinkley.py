"""Page–Hinkley that keeps every sum."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK
from tests.detectors.trial import Trial, signed


class PageHinkley:
    def __init__(self, min_instances: int, delta: float, threshold: float, alpha: float, mode: str) -> None:
        self.min_instances, self.delta, self.threshold = min_instances, delta, threshold
        self.alpha, self.mode = alpha, mode
        self.start()

    def start(self) -> None:
        self.n, self.mean = 0, 0.0
        self.rising: list[float] = [0.0]
        self.falling: list[float] = [0.0]
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        self.n += 1
        self.mean += 1.0 / self.n * (x - self.mean)
        self.rising.append(self.alpha * self.rising[-1] + (x - self.mean) - self.delta)
        self.falling.append(self.alpha * self.falling[-1] + (x - self.mean) + self.delta)
        # The leading zero is where the sums start from, not a sum.
        up = self.rising[-1] - min(self.rising[1:]) if self.mode != "down" else 0.0
        down = max(self.falling[1:]) - self.falling[-1] if self.mode != "up" else 0.0
        self.drifted = self.n >= self.min_instances and max(up, down) > self.threshold
        return signed(up, down), DRIFT if self.drifted else OK


TRIAL = Trial(
    twin=PageHinkley,
    settings=(
        {},
        {"mode": "up", "threshold": 5.0},
        {"mode": "down", "threshold": 5.0, "min_instances": 1, "alpha": 0.9},
    ),
    often={"threshold": 5.0},
)
