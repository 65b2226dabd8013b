"""An e-detector that keeps its bets and its warm-up as lists."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK
from tests.detectors.trial import Trial

SHARES = (1.0, 0.5, 0.25, 0.125)


class Mean:
    """Sums of e-processes for one mean of values between 0 and 1."""

    def __init__(self, mean: float, tolerance: float) -> None:
        self.high, self.low = min(mean + tolerance, 1.0), max(mean - tolerance, 0.0)
        self.rise, self.fall = [0.0] * 4, [0.0] * 4

    def update(self, y: float) -> None:
        up = 1 / self.high if self.high < 1 else 0.0
        down = 1 / (1 - self.low) if self.low > 0 else 0.0
        self.rise = [(1 + m) * (1 + f * up * (y - self.high)) for m, f in zip(self.rise, SHARES, strict=True)]
        self.fall = [(1 + m) * (1 + f * down * (self.low - y)) for m, f in zip(self.fall, SHARES, strict=True)]


class EDetector:
    def __init__(self, run_length: float, warm_up: int, tolerance: float, target: float | None) -> None:
        self.run_length, self.warm_up, self.tolerance, self.target = run_length, warm_up, tolerance, target
        self.start()

    def start(self) -> None:
        self.sample: list[float] = []
        self.means = [Mean(self.target, self.tolerance)] if self.target is not None else []
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        if self.target is not None:
            watched = [min(max(x, 0.0), 1.0)]
        elif len(self.sample) < self.warm_up:
            self.learn(x)
            return 0.0, OK
        else:
            watched = [self.rank(x), (2 * self.rank(x) - 1) ** 2]
        for mean, y in zip(self.means, watched, strict=True):
            mean.update(y)
        sums = [m for mean in self.means for m in mean.rise + mean.fall]
        total = math.fsum(sums) / len(sums)
        self.drifted = total >= self.run_length
        rising = math.fsum(self.means[0].rise) >= math.fsum(self.means[0].fall)
        return math.copysign(math.log1p(total), 1.0 if rising else -1.0), DRIFT if self.drifted else OK

    def learn(self, x: float) -> None:
        self.sample.append(x)
        if len(self.sample) == self.warm_up:
            ranks = {y: self.rank(y) for y in set(self.sample)}
            square = math.fsum((2 * ranks[y] - 1) ** 2 for y in self.sample) / self.warm_up
            self.means = [Mean(0.5, self.tolerance), Mean(square, self.tolerance)]

    def rank(self, x: float) -> float:
        return sum((y < x) + 0.5 * (y == x) for y in self.sample) / len(self.sample)


TRIAL = Trial(
    twin=EDetector,
    settings=(
        {"warm_up": 100},
        {"target": 0.3, "run_length": 100.0, "tolerance": 0.01},
        {"warm_up": 20, "tolerance": 0.35, "run_length": 10.0},
    ),
    often={"warm_up": 40, "run_length": 50.0},
    length=600,
)
