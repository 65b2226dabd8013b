"""DDM that keeps every sum of rate and standard deviation."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK, WARNING
from tests.detectors.trial import Trial


class Side:
    """DDM in one direction."""

    def __init__(self, warm_up: int, min_errors: int, warning: float, drift: float) -> None:
        self.warm_up, self.min_errors, self.warning, self.drift = warm_up, min_errors, warning, drift
        self.seen: list[float] = []
        self.lowest = (math.inf, math.inf)

    def update(self, error: float) -> tuple[float, int]:
        self.seen.append(error)
        n, errors = len(self.seen), sum(self.seen)
        if n <= self.warm_up or errors < self.min_errors:
            return 0.0, OK
        rate = errors / n
        sd = math.sqrt(rate * (1.0 - rate) / n)
        if rate + sd <= sum(self.lowest):
            self.lowest = (rate, sd)
        low_rate, low_sd = self.lowest
        high = rate + sd
        flag = WARNING if high > low_rate + self.warning * low_sd else OK
        return high - (low_rate + low_sd), DRIFT if high > low_rate + self.drift * low_sd else flag


class Ddm:
    def __init__(self, direction: str, **limits: float) -> None:
        self.direction, self.limits = direction, limits
        self.start()

    def start(self) -> None:
        self.wrong, self.right = Side(**self.limits), Side(**self.limits)  # type: ignore[arg-type]

    def update(self, x: float) -> tuple[float, int]:
        up, rise = self.wrong.update(x) if self.direction != "down" else (0.0, OK)
        down, fall = self.right.update(1.0 - x) if self.direction != "up" else (0.0, OK)
        if DRIFT in (rise, fall):
            self.start()
        return (up if (rise, up) >= (fall, down) else -down), max(rise, fall)


TRIAL = Trial(
    twin=Ddm,
    settings=(
        {"warm_up": 100},
        {"warm_up": 30, "min_errors": 0, "direction": "up"},
        {"warm_up": 10, "min_errors": 5, "warning": 1.5, "drift": 2.0, "direction": "down"},
    ),
    often={"warm_up": 20, "min_errors": 5, "warning": 1.5, "drift": 2.0},
    in_time=900,
)
