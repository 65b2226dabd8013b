"""Page–Hinkley that keeps every sum, with an exact baseline."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK
from tests.detectors.baseline import Baseline, RunningMean
from tests.detectors.trial import Trial, signed


class PageHinkley:
    def __init__(
        self,
        min_instances: int,
        delta: float,
        threshold: float,
        alpha: float,
        mode: str,
        mean: float | None,
        sd: float | None,
        scores: str,
    ) -> None:
        self.min_instances, self.delta, self.threshold = min_instances, delta, threshold
        self.alpha, self.mode, self.scores = alpha, mode, scores
        self.given = (mean, sd)
        self.start()

    def start(self) -> None:
        self.baseline, self.running = (
            Baseline(*self.given, self.min_instances, running=True, bounded=self.scores == "clipped"),
            RunningMean(),
        )
        self.high = self.low = 0.0
        self.rising: list[float] = [0.0]
        self.falling: list[float] = [0.0]
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
        high, low = self.of_all_sums(deviation) if raw else self.heights(deviation)
        up = high if self.mode != "down" else 0.0
        down = low if self.mode != "up" else 0.0
        self.drifted = (not raw or self.running.n >= self.min_instances) and max(up, down) > self.threshold
        return signed(up, down), DRIFT if self.drifted else OK

    def of_all_sums(self, deviation: float) -> tuple[float, float]:
        """The leading zero is where the sums start from, not a sum."""
        self.rising.append(self.alpha * self.rising[-1] + deviation - self.delta)
        self.falling.append(self.alpha * self.falling[-1] + deviation + self.delta)
        return self.rising[-1] - min(self.rising[1:]), max(self.falling[1:]) - self.falling[-1]

    def heights(self, deviation: float) -> tuple[float, float]:
        most = 2.0 if self.scores == "clipped" else math.inf
        self.high = max(0.0, self.alpha * self.high + min(deviation, most) - self.delta)
        self.low = max(0.0, self.alpha * self.low + min(-deviation, most) - self.delta)
        return self.high, self.low


TRIAL = Trial(
    twin=PageHinkley,
    settings=(
        {},
        {"min_instances": 1, "threshold": 10.0, "mode": "up", "scores": "plain"},
        {"mean": 0.0, "sd": 1.0, "mode": "down", "alpha": 0.99},
        {"scores": "raw", "delta": 0.005, "threshold": 50.0, "alpha": 0.9999},
        {"scores": "raw", "mode": "down", "threshold": 5.0, "min_instances": 1, "alpha": 0.9},
    ),
    often={"threshold": 8.0, "min_instances": 50},
    length=600,
)
