"""STEPD that counts anew at each observation, with the normal distribution of the standard library."""

from __future__ import annotations

import math
from statistics import NormalDist

from detectors.contract import DRIFT, OK, WARNING
from tests.detectors.trial import Trial


class Stepd:
    def __init__(self, window: int, alpha: float, warning_alpha: float, direction: str) -> None:
        self.window, self.direction = window, direction
        self.drift, self.warning = (-NormalDist().inv_cdf(a / 2.0) for a in (alpha, warning_alpha))
        self.seen: list[float] = []

    def update(self, x: float) -> tuple[float, int]:
        self.seen.append(x)
        z = self.statistic(self.seen[: -self.window], self.seen[-self.window :])
        if (z < 0.0 and self.direction == "up") or (z > 0.0 and self.direction == "down"):
            z = 0.0
        if abs(z) > self.drift:
            self.seen = []
            return z, DRIFT
        return z, WARNING if abs(z) > self.warning else OK

    def statistic(self, older: list[float], newer: list[float]) -> float:
        if len(older) < self.window or len(set(older + newer)) == 1:
            return 0.0
        a, b = sum(older) / len(older), sum(newer) / len(newer)
        p = sum(self.seen) / len(self.seen)
        lengths = 1.0 / len(older) + 1.0 / len(newer)
        apart = abs(a - b) - lengths / 2.0
        # A difference of just as much as the correction is none, which rounding must not decide.
        return math.copysign(apart / math.sqrt(p * (1.0 - p) * lengths), b - a) if apart > 1e-12 else 0.0


TRIAL = Trial(
    twin=Stepd,
    settings=(
        {"window": 100},
        {"window": 30, "alpha": 0.003, "warning_alpha": 0.05},
        {"window": 33, "alpha": 0.003, "warning_alpha": 0.05, "direction": "up"},
        {"window": 10, "alpha": 0.01, "warning_alpha": 0.1, "direction": "down"},
    ),
    often={"window": 20, "alpha": 1e-4, "warning_alpha": 0.01},
    length=900,
    in_time=200,
)
