"""ECDD with explicit weights, and control limits interpolated by numpy."""

from __future__ import annotations

import math

import numpy as np

from detectors.contract import DRIFT, OK, WARNING
from detectors.drift.ecdd import EXCESS, RUN_LENGTHS, WEIGHTS
from tests.detectors.trial import Trial


class Ecdd:
    def __init__(
        self,
        warm_up: int,
        min_errors: int,
        weight: float,
        arl: float,
        warning: float,
        direction: str,
        limits: str,
    ) -> None:
        self.warm_up, self.min_errors, self.weight, self.arl = warm_up, min_errors, weight, arl
        self.warning, self.direction, self.limits = warning, direction, limits
        self.start()

    def start(self) -> None:
        self.n, self.z, self.errors = 0, {"up": 0.0, "down": 0.0}, {"up": 0.0, "down": 0.0}

    def update(self, x: float) -> tuple[float, int]:
        self.n += 1
        up, down = self.side("up", x), self.side("down", 1.0 - x)
        most = max(up, down)
        if most > 1.0:
            self.start()
        return (up if up >= down else -down), DRIFT if most > 1.0 else WARNING if most > self.warning else OK

    def side(self, direction: str, error: float) -> float:
        self.z[direction] += self.weight * (error - self.z[direction])
        self.errors[direction] += error
        if self.n <= self.warm_up or self.errors[direction] < self.min_errors:
            return 0.0
        rate = self.errors[direction] / self.n
        settled = math.sqrt(1.0 - (1.0 - self.weight) ** (2 * self.n))
        limit = settled * (self.table(rate) if self.limits == "computed" else self.polynomial(rate))
        watched = self.direction in (direction, "both")
        return max(self.z[direction] - rate, 0.0) / max(limit, 1e-9) if watched else 0.0

    def table(self, rate: float) -> float:
        def at(weight: float) -> float:
            rows = EXCESS[WEIGHTS.index(weight)]
            across = [float(np.interp(math.sqrt(rate), np.arange(33) / 32, row)) for row in rows]
            return float(np.interp(math.log10(self.arl), np.log10(RUN_LENGTHS), across))

        logs = [math.log(weight) for weight in WEIGHTS]
        in_sd = [at(weight) / math.sqrt(weight / (2.0 - weight)) for weight in WEIGHTS]
        return float(np.interp(math.log(self.weight), logs, in_sd)) * math.sqrt(self.weight / (2.0 - self.weight))

    def polynomial(self, p: float) -> float:
        sd = math.sqrt(p * (1.0 - p) * self.weight / (2.0 - self.weight))
        powers = (1.0, p, p**3, p**5, p**7)
        factors = {
            "paper_100": (2.76, -6.23, 18.12, -312.45, 1002.18),
            "paper_400": (3.97, -6.56, 48.73, -330.13, 848.18),
            "paper_1000": (1.17, 7.56, -21.24, 112.12, -987.23),
        }
        return sd * max(0.0, sum(f * power for f, power in zip(factors[self.limits], powers, strict=True)))


TRIAL = Trial(
    twin=Ecdd,
    settings=(
        {"warm_up": 100, "arl": 20_000.0},
        {"warm_up": 50, "weight": 0.1, "arl": 1e3, "direction": "up"},
        {"warm_up": 29, "min_errors": 0, "weight": 0.2, "warning": 0.5, "limits": "paper_400"},
        {"warm_up": 29, "min_errors": 20, "weight": 0.1, "limits": "paper_1000", "direction": "down"},
        {"warm_up": 29, "weight": 0.2, "limits": "paper_100", "direction": "up"},
    ),
    often={"warm_up": 30, "min_errors": 5, "arl": 1e3},
    length=500,
    in_time=80,
)
