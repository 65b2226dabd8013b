"""HDDM-W with weighted means that are objects."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from detectors.contract import DRIFT, OK, WARNING
from tests.detectors.trial import Trial


@dataclass
class Weighted:
    """An exponentially weighted mean, and the sum of its squared weights."""

    weight: float
    of_one: float
    mean: float = 0.0
    squares: float = 0.0

    def add(self, x: float) -> None:
        if self.squares:
            self.mean = self.weight * x + (1.0 - self.weight) * self.mean
            self.squares = self.weight**2 + (1.0 - self.weight) ** 2 * self.squares
        else:
            self.mean, self.squares = x, self.of_one


class Side:
    """HDDM-W in one direction."""

    def __init__(self, delta: float, warning_delta: float, weight: float, weights: str) -> None:
        self.delta, self.warning_delta = delta, warning_delta
        empty = Weighted(weight, 1.0 if weights == "paper" else weight**2 + (1.0 - weight) ** 2)
        self.all, self.older, self.newer, self.empty = replace(empty), replace(empty), replace(empty), empty
        self.lowest = math.inf

    def update(self, x: float) -> tuple[float, int, float]:
        """Return how much higher the newer mean is, the flag, and the difference as a share of what it may be."""
        self.all.add(x)
        high = self.all.mean + math.sqrt(self.all.squares * math.log(1.0 / self.delta) / 2.0)
        if high < self.lowest:
            self.lowest, self.older, self.newer = high, replace(self.all), replace(self.empty)
            return 0.0, OK, 0.0
        self.newer.add(x)
        rise, spread = self.newer.mean - self.older.mean, self.older.squares + self.newer.squares
        flag = WARNING if rise > math.sqrt(spread * math.log(1.0 / self.warning_delta) / 2.0) else OK
        flag = DRIFT if rise > math.sqrt(spread * math.log(1.0 / self.delta) / 2.0) else flag
        return max(rise, 0.0), flag, max(rise, 0.0) / math.sqrt(spread)


class Hddm:
    def __init__(self, direction: str, **settings: float | str) -> None:
        self.direction, self.settings = direction, settings
        self.start()

    def start(self) -> None:
        self.sides = Side(**self.settings), Side(**self.settings)  # type: ignore[arg-type]

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
        {"delta": 0.001, "warning_delta": 0.005, "weight": 0.05, "direction": "up"},
        {"delta": 0.01, "warning_delta": 0.1, "weight": 0.2, "weights": "river", "direction": "down"},
    ),
    often={"delta": 0.01, "warning_delta": 0.05, "weight": 0.05},
    in_time=220,
)
