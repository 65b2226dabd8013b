"""GMA with an exact baseline."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK
from tests.detectors.baseline import Baseline, RunningMean
from tests.detectors.trial import Trial


class Gma:
    def __init__(
        self,
        alpha: float,
        threshold: float,
        direction: str,
        min_instances: int,
        mean: float | None,
        sd: float | None,
        scores: str,
    ) -> None:
        self.alpha, self.threshold, self.direction = alpha, threshold, direction
        self.min_instances, self.scores = min_instances, scores
        self.given = (mean, sd)
        self.start()

    def start(self) -> None:
        self.baseline, self.running = (
            Baseline(*self.given, self.min_instances, running=True, bounded=self.scores == "clipped"),
            RunningMean(),
        )
        self.average = 0.0
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        raw = self.scores == "raw"
        deviation = self.running.deviation(x) if raw else self.baseline.standardised(x)
        if deviation is None:
            return 0.0, OK
        if self.scores == "clipped":
            deviation = math.copysign(min(abs(deviation), 3.0), deviation)
        self.average = self.alpha * self.average + (1.0 - self.alpha) * deviation
        beyond = {"up": self.average, "down": -self.average, "both": abs(self.average)}[self.direction]
        self.drifted = (not raw or self.running.n >= self.min_instances) and beyond > self.threshold
        return self.average, DRIFT if self.drifted else OK


TRIAL = Trial(
    twin=Gma,
    settings=(
        {},
        {"min_instances": 1, "threshold": 0.4, "direction": "up", "scores": "plain"},
        {"mean": 0.0, "sd": 1.0, "direction": "down", "alpha": 0.9, "threshold": 1.0},
        {"scores": "raw", "alpha": 0.99, "threshold": 1.0},
    ),
    often={"threshold": 0.5, "min_instances": 50},
    length=700,
)
