"""EWMA residual, with the deviation as a weighted sum."""

from __future__ import annotations

import math

from tests.detectors.scorer_trials.tamed import tamed
from tests.detectors.trial import ScorerTrial


class EwmaResidual:
    def __init__(self, alpha: float, alpha_sd: float, clip: float, warm_up: int) -> None:
        self.alpha, self.alpha_sd, self.clip, self.warm_up = alpha, alpha_sd, clip, warm_up
        self.n, self.mean, self.variance = 0, 0.0, 0.0
        self.first: list[float] = []

    def update(self, x: list[float]) -> float:
        kept = min(self.warm_up, 32)
        if len(self.first) == kept:
            return self.step(x[0])
        self.first += x
        if len(self.first) == kept:
            for value in tamed(self.first, 2 * self.clip):
                self.step(value)
        return math.nan

    def step(self, value: float) -> float:
        self.n += 1
        if self.n == 1:
            self.mean = value
            return math.nan
        residual, sd = value - self.mean, math.sqrt(self.variance)
        score = 0.0 if residual == 0.0 else min(abs(residual) / sd, 1e100) if sd > 0.0 else 1e100
        learned = math.copysign(min(abs(residual), self.clip * sd), residual) if sd > 0.0 else residual
        weight = max(self.alpha, 1 / self.n)
        self.mean += weight * learned
        weight = max(self.alpha_sd, 1 / (self.n - 1))
        self.variance = weight * learned**2 + (1 - weight) * self.variance
        return score if self.n > self.warm_up else math.nan


TRIAL = ScorerTrial(
    twin=EwmaResidual,
    settings=({}, {"alpha": 0.5, "alpha_sd": 0.2, "clip": 1e6}, {"alpha": 1e-6, "alpha_sd": 1e-6, "warm_up": 2}),
    quick={"alpha": 0.1, "alpha_sd": 0.1, "warm_up": 16},
)
