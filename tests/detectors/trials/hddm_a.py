"""HDDM-A that keeps the mean of every beginning of the stream."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK, WARNING
from tests.detectors.trial import Trial


def bound(spread: float, delta: float) -> float:
    return math.sqrt(spread / 2.0 * math.log(1.0 / delta))


class Side:
    """HDDM-A in one direction."""

    def __init__(self, delta: float, warning_delta: float) -> None:
        self.delta, self.warning_delta = delta, warning_delta
        self.n, self.total = 0, 0.0
        self.cut = (0, 0.0)

    def update(self, x: float) -> tuple[float, int, float]:
        """Return how far the mean has risen, the flag, and the rise as a share of what it may be."""
        self.n += 1
        self.total += x
        n, mean = self.n, self.total / self.n
        cut_n, cut_mean = self.cut
        if cut_n == 0 or mean + bound(1 / n, self.delta) <= cut_mean + bound(1 / cut_n, self.delta):
            self.cut = (n, mean)
            return 0.0, OK, 0.0
        rise, spread = mean - cut_mean, 1 / cut_n - 1 / n
        flag = WARNING if rise >= bound(spread, self.warning_delta / 2) else OK
        flag = DRIFT if rise >= bound(spread, self.delta / 2) else flag
        return max(rise, 0.0), flag, max(rise, 0.0) / math.sqrt(spread)


class Hddm:
    def __init__(self, direction: str, **settings: float) -> None:
        self.direction, self.settings = direction, settings
        self.start()

    def start(self) -> None:
        self.sides = Side(**self.settings), Side(**self.settings)

    def update(self, x: float) -> tuple[float, int]:
        up, rise, rising = self.sides[0].update(x) if self.direction != "down" else (0.0, OK, 0.0)
        down, fall, falling = self.sides[1].update(-x) if self.direction != "up" else (0.0, OK, 0.0)
        if DRIFT in (rise, fall):
            self.start()
        return (up if rising > falling else -down), max(rise, fall)


TRIAL = Trial(
    twin=Hddm,
    settings=(
        {},
        {"delta": 0.001, "warning_delta": 0.005, "direction": "up"},
        {"delta": 0.01, "warning_delta": 0.1, "direction": "down"},
    ),
    often={"delta": 0.01, "warning_delta": 0.05},
    in_time=170,
)
