"""Quantile filter with the P-square algorithm as its paper has it, box 1."""

from __future__ import annotations

import math

from tests.detectors.scorer_trials.tamed import tamed
from tests.detectors.trial import ScorerTrial


class PSquare:
    def __init__(self, p: float) -> None:
        self.q: list[float] = []
        self.n = [1, 2, 3, 4, 5]
        self.step = [0, p / 2, p, (1 + p) / 2, 1]
        self.seen = 0

    def update(self, x: float) -> None:
        self.seen += 1
        if len(self.q) < 5:
            self.q = sorted([*self.q, x])
            return
        self.q[0], self.q[4] = min(self.q[0], x), max(self.q[4], x)
        cell = max(i for i in range(4) if x >= self.q[i])
        for i in range(cell + 1, 5):
            self.n[i] += 1
        for i in (1, 2, 3):
            behind = 1 + (self.seen - 1) * self.step[i] - self.n[i]
            if behind >= 1 and self.n[i + 1] - self.n[i] > 1:
                self.move(i, 1)
            elif behind <= -1 and self.n[i - 1] - self.n[i] < -1:
                self.move(i, -1)

    def move(self, i: int, d: int) -> None:
        q, n = self.q, self.n
        parabolic = q[i] + d / (n[i + 1] - n[i - 1]) * (
            (n[i] - n[i - 1] + d) * (q[i + 1] - q[i]) / (n[i + 1] - n[i])
            + (n[i + 1] - n[i] - d) * (q[i] - q[i - 1]) / (n[i] - n[i - 1])
        )
        if not q[i - 1] < parabolic < q[i + 1]:
            parabolic = q[i] + d * (q[i + d] - q[i]) / (n[i + d] - n[i])
        q[i] = parabolic
        n[i] += d


class QuantileFilter:
    def __init__(self, q: float, warm_up: int, clip: float) -> None:
        self.low, self.high, self.warm_up, self.clip = PSquare(1 - q), PSquare(q), warm_up, clip
        self.seen: list[float] = []

    def update(self, x: list[float]) -> float:
        self.seen += x
        kept = min(self.warm_up, 32)
        if len(self.seen) < kept:
            return math.nan
        if len(self.seen) == kept:
            for value in tamed(self.seen, 4.65 * self.clip):
                self.learn(value)
            return math.nan
        score, value = self.score(x[0]), self.clipped(x[0])
        self.learn(value)
        return score if len(self.seen) > self.warm_up else math.nan

    def learn(self, value: float) -> None:
        self.low.update(value)
        self.high.update(value)

    def clipped(self, x: float) -> float:
        low, high = sorted((self.low.q[2], self.high.q[2]))
        most = self.clip * (high - low)
        return sorted((low - most, x, high + most))[1] if most > 0 else x

    def score(self, x: float) -> float:
        low, high = sorted((self.low.q[2], self.high.q[2]))
        excess = max(x - high, low - x)
        if high == low:
            return 1e100 if excess > 0 else 0.0
        return min(excess / (high - low), 1e100)


TRIAL = ScorerTrial(
    twin=QuantileFilter,
    settings=({}, {"q": 0.9, "warm_up": 20, "clip": 1.0}, {"q": 0.75, "warm_up": 5, "clip": 1e100}),
    quick={"q": 0.9, "warm_up": 20},
)
