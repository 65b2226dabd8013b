"""Forecast residual with all that was seen, in statistics of lists."""

from __future__ import annotations

import math
from statistics import fmean

from tests.detectors.scorer_trials.tamed import tamed
from tests.detectors.trial import ScorerTrial


class Forecast:
    level: float
    trend: float
    season: list[float]

    def __init__(
        self, season: int, alpha: float, beta: float, gamma: float, alpha_sd: float, clip: float, warm_up: int
    ) -> None:
        self.m, self.alpha, self.beta, self.gamma = season, alpha, beta, gamma
        self.alpha_sd, self.clip, self.warm_up = alpha_sd, clip, warm_up
        self.start = 2 * season or warm_up
        self.seen: list[float] = []
        self.before = self.product = self.power = 0.0

    def update(self, x: list[float]) -> float:
        self.seen += x
        if len(self.seen) <= self.start:
            if len(self.seen) == self.start:
                self.begin(tamed(self.seen, 8.0))
            return math.nan
        score = self.step(x[0])
        return score if len(self.seen) > self.start + self.warm_up else math.nan

    def begin(self, values: list[float]) -> None:
        self.level, self.trend, self.season = fmean(values), 0.0, [0.0]
        if self.m == 0:
            self.long = self.short = fmean((value - self.level) ** 2 for value in values)
            return
        first, second = values[: self.m], values[self.m :]
        rise = fmean(b - a for a, b in zip(first, second, strict=True))
        self.trend = rise / self.m
        line = [self.level + self.trend * (j - (self.m - 1) / 2) for j in range(self.m)]
        self.season = [(a + b) / 2 - expected for a, b, expected in zip(first, second, line, strict=True)]
        self.long = self.short = fmean((b - a - rise) ** 2 / 2 for a, b in zip(first, second, strict=True))
        self.level += self.trend * (self.start - 1) / 2

    def step(self, value: float) -> float:
        place = (len(self.seen) - 1) % max(self.m, 1)
        phi = sorted((-0.98, self.product / self.power, 0.98))[1] if self.power > 0 else 0.0
        usual = self.level + self.trend + self.season[place]
        expected = usual + phi * self.before
        new = value - expected
        if abs(new) <= 1e-13 * (abs(value) + abs(expected)):
            new = 0.0
        sd = math.sqrt(max(self.long, self.short))
        score = 0.0 if new == 0.0 else min(abs(new) / sd, 1e100) if sd > 0.0 else 1e100
        learned = math.copysign(min(abs(new), self.clip * sd), new) if sd > 0.0 else new
        residual = phi * self.before + learned
        w, faster = self.alpha_sd, min(10 * self.alpha_sd, 1.0)
        self.product = (1 - w) * self.product + w * residual * self.before
        self.power = (1 - w) * self.power + w * self.before**2
        self.long = (1 - w) * self.long + w * learned**2
        self.short = (1 - faster) * self.short + faster * learned**2
        self.level += self.trend + self.alpha * residual
        self.trend += self.alpha * self.beta * residual
        if self.m:
            self.season[place] += (1 - self.alpha) * self.gamma * residual
        self.before = residual
        return score


TRIAL = ScorerTrial(
    twin=Forecast,
    settings=(
        {},
        {"season": 7, "alpha": 0.3, "beta": 0.1, "gamma": 0.4, "clip": 1e6, "warm_up": 20},
        {"season": 2, "alpha": 0.5, "beta": 0.0, "gamma": 0.0, "alpha_sd": 0.3, "warm_up": 8},
    ),
    quick={"season": 8, "alpha_sd": 0.05, "warm_up": 16},
    rounding=2e-6,
)
