"""Holt–Winters by the three equations of Winters, which weigh observations and not errors."""

from __future__ import annotations

import math
from statistics import fmean

from tests.detectors.scorer_trials.tamed import tamed
from tests.detectors.trial import ScorerTrial


class HoltWinters:
    level: float
    trend: float
    season: list[float]

    def __init__(self, season: int, alpha: float, beta: float, gamma: float, alpha_sd: float, clip: float) -> None:
        self.m, self.alpha, self.beta, self.gamma = season, alpha, beta, gamma
        self.alpha_sd, self.clip = alpha_sd, clip
        self.seen: list[float] = []
        self.residuals = 0
        self.variance = 0.0

    def update(self, x: list[float]) -> float:
        (value,) = x
        self.seen.append(value)
        n, m = len(self.seen), self.m
        if n <= 2 * m:
            if n == 2 * m:
                self.start()
            return math.nan
        season = self.season[-m]
        forecast = self.level + self.trend + season
        residual, sd = value - forecast, math.sqrt(self.variance)
        if abs(residual) <= 1e-13 * (abs(value) + abs(forecast)):
            residual = 0.0
        score = 0.0 if residual == 0.0 else min(abs(residual) / sd, 1e100) if sd > 0.0 else 1e100
        learned = math.copysign(min(abs(residual), self.clip * sd), residual) if sd > 0.0 else residual
        y, level_before = forecast + learned, self.level
        self.level = self.alpha * (y - season) + (1 - self.alpha) * (level_before + self.trend)
        self.trend = self.beta * (self.level - level_before) + (1 - self.beta) * self.trend
        self.season.append(self.gamma * (y - self.level) + (1 - self.gamma) * season)
        self.residuals += 1
        weight = max(self.alpha_sd, 1 / self.residuals)
        self.variance = weight * learned**2 + (1 - weight) * self.variance
        return score if n > 3 * m else math.nan

    def start(self) -> None:
        seen = tamed(self.seen, 2 * self.clip)
        first, second = seen[: self.m], seen[self.m :]
        self.trend = (fmean(second) - fmean(first)) / self.m
        middle = (self.m - 1) / 2
        self.level = fmean(second) + self.trend * middle
        self.season = [
            fmean([a - fmean(first) - self.trend * (j - middle), b - fmean(second) - self.trend * (j - middle)])
            for j, (a, b) in enumerate(zip(first, second, strict=True))
        ]


TRIAL = ScorerTrial(
    twin=HoltWinters,
    settings=(
        {},
        {"season": 7, "alpha": 0.3, "beta": 0.2, "gamma": 0.4, "clip": 1e6},
        {"season": 2, "alpha": 0.5, "beta": 0.0, "gamma": 0.0, "alpha_sd": 0.3},
    ),
    quick={"season": 8, "alpha_sd": 0.1},
    rounding=2e-6,
)
