"""EWMA with its variance by the formula, and an exact baseline."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK, WARNING
from tests.detectors.baseline import Baseline
from tests.detectors.trial import Trial


class Ewma:
    def __init__(
        self,
        weight: float,
        limit: float,
        direction: str,
        warm_up: int,
        mean: float | None,
        sd: float | None,
        warning: float,
        scores: str,
        limits: str,
        neighbours: str,
    ) -> None:
        self.weight, self.limit, self.direction, self.warm_up = weight, limit, direction, warm_up
        self.given = (mean, sd)
        self.warning, self.scores, self.limits = warning, scores, limits
        self.neighbours = neighbours
        self.start()

    def start(self) -> None:
        self.baseline = Baseline(*self.given, self.warm_up, bounded=self.scores == "clipped")
        self.t, self.average = 0, 0.0
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        z = self.deviation(x)
        if z is None:
            return 0.0, OK
        if self.scores == "clipped":
            z = math.copysign(min(abs(z), 3.0), z)
        self.t += 1
        self.average += self.weight * (z - self.average)
        settled = 1.0 if self.limits == "steady" else 1.0 - (1.0 - self.weight) ** (2 * self.t)
        score = self.average / math.sqrt(self.weight / (2.0 - self.weight) * settled)
        beyond = {"up": score, "down": -score, "both": abs(score)}[self.direction]
        self.drifted = beyond > self.limit
        if self.drifted:
            return score, DRIFT
        return score, WARNING if beyond > self.warning * self.limit else OK

    def deviation(self, x: float) -> float | None:
        learned = self.neighbours == "learned"
        return self.baseline.innovation(x) if learned else self.baseline.standardised(x)


TRIAL = Trial(
    twin=Ewma,
    settings=(
        {"warm_up": 100},
        {"warm_up": 100, "neighbours": "independent"},
        {"warm_up": 2, "weight": 0.5, "limit": 3.0, "direction": "up", "warning": 0.5, "scores": "plain"},
        {"mean": 0.0, "sd": 1.0, "direction": "down", "weight": 0.1, "limits": "steady"},
    ),
    often={"warm_up": 50, "limit": 4.0, "warning": 0.5},
    length=700,
)
