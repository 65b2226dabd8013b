"""CUSUM with two-pass means."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK, WARNING
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
    ) -> None:
        self.k, self.h, self.direction, self.warm_up = k, h, direction, warm_up
        self.given = (mean, sd)
        self.warning, self.scores = warning, scores
        self.start()

    def start(self) -> None:
        self.mean, self.sd = self.given
        self.seen: list[float] = []
        self.running = 0.0
        self.high = self.low = 0.0
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        if self.scores == "raw":
            self.seen.append(x)
            self.running += (x - self.running) / len(self.seen)
            z, judged = x - self.running, len(self.seen) > self.warm_up
        elif self.mean is None or self.sd is None:
            self.learn(x)
            return 0.0, OK
        else:
            z, judged = (x - self.mean) / self.sd, True
        most = 2.0 if self.scores == "clipped" else math.inf
        self.high = max(0.0, self.high + min(z, most) - self.k)
        self.low = max(0.0, self.low + min(-z, most) - self.k)
        up = self.high if self.direction != "down" else 0.0
        down = self.low if self.direction != "up" else 0.0
        self.drifted = judged and max(up, down) > self.h
        if self.drifted:
            return signed(up, down), DRIFT
        return signed(up, down), WARNING if judged and max(up, down) > self.warning * self.h else OK

    def learn(self, x: float) -> None:
        """Two passes over all that was kept, with exact sums."""
        self.seen.append(x)
        n = len(self.seen)
        mean = math.fsum(self.seen) / n
        squares = math.fsum((y - mean) ** 2 for y in self.seen)
        # Squares of the smallest numbers are zero, although these differ.
        if n >= self.warm_up and len(set(self.seen)) > 1 and squares > 0.0:
            self.mean, self.sd = mean, math.sqrt(squares / (n - 1))


TRIAL = Trial(
    twin=Cusum,
    settings=(
        {"warm_up": 100},
        {"warm_up": 2, "h": 4.0, "direction": "up", "warning": 0.5},
        {"mean": 0.0, "sd": 1.0, "direction": "down", "k": 0.1, "scores": "plain"},
        {"warm_up": 28, "k": 0.005, "h": 50.0, "scores": "raw"},
    ),
    often={"warm_up": 50, "h": 10.0, "warning": 0.5},
)
