"""CUSUM with an exact baseline."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK, WARNING
from tests.detectors.baseline import Baseline, RunningMean
from tests.detectors.trial import Trial, signed


class Cusum:
    def __init__(
        self,
        k: float,
        h: float,
        direction: str,
        warm_up: int,
        mean: float | None,
        sd: float | None,
        warning: float,
        scores: str,
        neighbours: str,
    ) -> None:
        self.k, self.h, self.direction, self.warm_up = k, h, direction, warm_up
        self.given = (mean, sd)
        self.warning, self.scores = warning, scores
        self.neighbours = neighbours
        self.start()

    def start(self) -> None:
        self.baseline, self.running = (
            Baseline(*self.given, self.warm_up, bounded=self.scores == "clipped"),
            RunningMean(),
        )
        self.high = self.low = 0.0
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        raw = self.scores == "raw"
        z = self.running.deviation(x) if raw else self.deviation(x)
        if z is None:
            return 0.0, OK
        most = 2.0 if self.scores == "clipped" else math.inf
        self.high = max(0.0, self.high + min(z, most) - self.k)
        self.low = max(0.0, self.low + min(-z, most) - self.k)
        up = self.high if self.direction != "down" else 0.0
        down = self.low if self.direction != "up" else 0.0
        judged = not raw or self.running.n > self.warm_up
        self.drifted = judged and max(up, down) > self.h
        if self.drifted:
            return signed(up, down), DRIFT
        return signed(up, down), WARNING if judged and max(up, down) > self.warning * self.h else OK

    def deviation(self, x: float) -> float | None:
        learned = self.neighbours == "learned"
        return self.baseline.innovation(x) if learned else self.baseline.standardised(x)


TRIAL = Trial(
    twin=Cusum,
    settings=(
        {"warm_up": 100},
        {"warm_up": 100, "neighbours": "independent"},
        {"warm_up": 2, "h": 4.0, "direction": "up", "warning": 0.5},
        {"mean": 0.0, "sd": 1.0, "direction": "down", "k": 0.1, "scores": "plain"},
        {"warm_up": 28, "k": 0.005, "h": 50.0, "scores": "raw"},
    ),
    often={"warm_up": 50, "h": 10.0, "warning": 0.5},
    length=700,
)
