"""Page–Hinkley that keeps every observation and every sum."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK
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
        self.mean, self.sd = self.given
        self.seen: list[float] = []
        self.running, self.due = 0.0, self.min_instances
        # The leading zero is where the sums start from; for raw deviations it is not a sum itself.
        self.rising: list[float] = [0.0]
        self.falling: list[float] = [0.0]
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
        most = 2.0 if self.scores == "clipped" else math.inf
        self.rising.append(self.alpha * self.rising[-1] + min(deviation, most) - self.delta)
        self.falling.append(self.alpha * self.falling[-1] - min(-deviation, most) + self.delta)
        first = 1 if self.scores == "raw" else 0
        up = self.rising[-1] - min(self.rising[first:]) if self.mode != "down" else 0.0
        down = max(self.falling[first:]) - self.falling[-1] if self.mode != "up" else 0.0
        judged = self.scores != "raw" or len(self.seen) >= self.min_instances
        self.drifted = judged and max(up, down) > self.threshold
        return signed(up, down), DRIFT if self.drifted else OK

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
    twin=PageHinkley,
    settings=(
        {},
        {"min_instances": 1, "threshold": 10.0, "mode": "up", "scores": "plain"},
        {"mean": 0.0, "sd": 1.0, "mode": "down", "alpha": 0.99},
        {"scores": "raw", "delta": 0.005, "threshold": 50.0, "alpha": 0.9999},
        {"scores": "raw", "mode": "down", "threshold": 5.0, "min_instances": 1, "alpha": 0.9},
    ),
    often={"threshold": 8.0, "min_instances": 50},
    length=800,
)
