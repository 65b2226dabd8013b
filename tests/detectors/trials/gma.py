"""GMA that keeps every observation."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK
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
        self.mean, self.sd = self.given
        self.seen: list[float] = []
        self.running, self.due = 0.0, self.min_instances
        self.average = 0.0
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        self.seen.append(x)
        deviation = self.from_the_running_mean(x) if self.scores == "raw" else self.standardised(x)
        if deviation is None:
            return 0.0, OK
        if self.scores == "clipped":
            deviation = math.copysign(min(abs(deviation), 3.0), deviation)
        self.average = self.alpha * self.average + (1.0 - self.alpha) * deviation
        beyond = {"up": self.average, "down": -self.average, "both": abs(self.average)}[self.direction]
        judged = self.scores != "raw" or len(self.seen) >= self.min_instances
        self.drifted = judged and beyond > self.threshold
        return self.average, DRIFT if self.drifted else OK

    def from_the_running_mean(self, x: float) -> float:
        self.running += 1.0 / len(self.seen) * (x - self.running)
        return x - self.running

    def standardised(self, x: float) -> float | None:
        """By the baseline as it was before `x`."""
        deviation = None if self.mean is None or self.sd is None else (x - self.mean) / self.sd
        if self.given == (None, None) and len(self.seen) >= self.due:
            self.learn()
        return deviation

    def learn(self) -> None:
        """Two passes over all that was kept, with exact sums."""
        n = len(self.seen)
        mean = math.fsum(self.seen) / n
        squares = math.fsum((y - mean) ** 2 for y in self.seen)
        self.due = n + 1
        # Squares of the smallest numbers are zero, although these differ.
        if len(set(self.seen)) > 1 and squares > 0.0:
            self.mean, self.sd = mean, math.sqrt(squares / (n - 1))
            self.due = n + math.ceil(n / 8)


TRIAL = Trial(
    twin=Gma,
    settings=(
        {},
        {"min_instances": 1, "threshold": 0.4, "direction": "up", "scores": "plain"},
        {"mean": 0.0, "sd": 1.0, "direction": "down", "alpha": 0.9, "threshold": 1.0},
        {"scores": "raw", "alpha": 0.99, "threshold": 1.0},
    ),
    often={"threshold": 0.5, "min_instances": 50},
)
