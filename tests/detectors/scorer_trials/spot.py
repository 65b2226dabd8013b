"""SPOT with one tail that is used twice, of the observations and of their negatives."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from tests.detectors.scorer_trials.tamed import spread_of, tamed
from tests.detectors.trial import ScorerTrial

FRACTIONS = [1 - 4.0**-j for j in range(13, 0, -1)] + [0.5 * 4.0**-j for j in range(6)]
BEYOND = [4.0**j for j in range(-6, 10)]


def grimshaw(peaks: NDArray[np.float64]) -> tuple[float, float]:
    """Shape and scale of largest likelihood: every root of the equation, and the exponential."""
    mean = float(np.mean(peaks))
    if mean == 0.0:
        return 0.0, float(np.max(peaks))
    y = peaks / mean

    def equation(x: float) -> float:
        return float(np.mean(1 / (1 + x * y)) * (1 + np.mean(np.log1p(x * y))) - 1)

    candidates = [(0.0, 1.0)]
    if len(y) >= 10:
        for side in ([-f / float(y.max()) for f in FRACTIONS], BEYOND):
            signs = [equation(x) > 0 for x in side]
            for a, b, sign, next_sign in zip(side, side[1:], signs, signs[1:], strict=False):
                if sign != next_sign:
                    x = brentq(equation, a, b, xtol=1e-300, rtol=1e-14)
                    shape = float(np.mean(np.log1p(x * y)))
                    candidates += [(shape, shape / x)] if shape / x > 0 else []
    shape, scale = max(candidates, key=lambda c: -math.log(c[1]) - c[0] - 1)
    return shape, scale * mean


class Tail:
    def __init__(self, threshold: float, beyond: list[float], peaks: int, refit: int, margin: float) -> None:
        self.threshold, self.most, self.refit, self.margin = threshold, peaks, refit, margin
        self.peaks = [x - threshold for x in beyond]
        if self.peaks:
            self.fit()

    def fit(self) -> None:
        newest = np.array(self.peaks[-self.most :])
        self.shape, self.scale = grimshaw(newest)
        if self.margin > 0:
            self.shape = max(self.shape, -0.5)
            self.shape += self.margin * (1 + self.shape) / math.sqrt(len(newest))

    def score(self, excess: float, n: int) -> float:
        if not self.peaks:
            return math.log10(n + 1)
        relative = min(excess / self.scale, 1e100) if self.scale * 1e100 > excess else 1e100
        exponent, shape = relative, self.shape
        if abs(shape) >= 1e-12:
            # Beyond 99 % of the way to the end, the tangent: its slope is 1 / (1 - 0.99).
            near = min(relative, -0.99 / shape) if shape < 0 else relative
            exponent = math.log(1 + shape * near) / shape + (relative - near) * 100
        return min(math.log10(n / len(self.peaks)) + exponent / math.log(10), 1e100)

    def quantile(self, risk: float, n: int) -> float:
        """z_q of the paper, eq. 1, less the threshold."""
        ratio = risk * n / len(self.peaks)
        if abs(self.shape) < 1e-12:
            return max(-self.scale * math.log(ratio), self.scale)
        excess: float = self.scale / self.shape * (ratio**-self.shape - 1)
        return max(excess, self.scale)

    def learn(self, excess: float) -> None:
        self.peaks.append(excess)
        if len(self.peaks) <= 10 or len(self.peaks) % self.refit == 0:
            self.fit()


class Spot:
    def __init__(
        self,
        quantile: float,
        risk: float,
        warm_up: int,
        peaks: int,
        refit: int,
        anomalies: str,
        margin: float,
        depth: int = 0,
    ) -> None:
        self.level, self.risk, self.warm_up, self.most = quantile, risk, warm_up, peaks
        self.refit, self.skip, self.margin, self.depth = refit, anomalies == "skip", margin, depth
        self.recent: list[float] = []
        self.seen: list[float] = []
        self.n, self.believed = 0, math.inf

    def update(self, x: list[float]) -> float:
        mean = 0.0
        for value in self.recent:
            mean += value / self.depth
        full = len(self.recent) == self.depth
        score, learned = self.left_over(x[0] - mean) if full else (math.nan, x[0] - mean)
        if learned is not None:
            if not full:
                self.recent.append(learned + mean)
                if len(self.recent) == self.depth >= 10:
                    self.believed = 20 * spread_of(self.recent) or math.inf
                    self.recent = tamed(self.recent, 20)
            elif self.depth:
                self.recent[(self.n - 1) % self.depth] = learned + mean
        return score

    def left_over(self, x: float) -> tuple[float, float | None]:
        if self.n < self.warm_up:
            self.n += 1
            self.seen.append(x)
            if self.n == self.warm_up:
                self.start()
            return math.nan, sorted((-self.believed, x, self.believed))[1]
        for tail, sign in ((self.up, 1.0), (self.down, -1.0)):
            excess = sign * x - tail.threshold
            if excess > 0:
                score = tail.score(excess, self.n)
                if tail.peaks and excess > (most := tail.quantile(self.risk, self.n)):
                    if self.skip:
                        return score, None
                    excess = most
                tail.learn(excess)
                self.n += 1
                return score, sign * (tail.threshold + excess)
        low, high = -self.down.threshold, self.up.threshold
        middle = (low + high) / 2
        half = max(high - middle, middle - low)
        share = max(len((self.up if x > middle else self.down).peaks) / self.n, 1 - self.level)
        base = -math.log10(share)
        self.n += 1
        return (base * min(abs(x - middle) / half, 1.0) if half else 0.0), x

    def start(self) -> None:
        ordered = sorted(self.seen)
        high = ordered[int(self.level * self.warm_up)]
        low = ordered[self.warm_up - 1 - int(self.level * self.warm_up)]
        self.up = Tail(high, [x for x in ordered if x > high], self.most, self.refit, self.margin)
        self.down = Tail(-low, [-x for x in ordered if x < low], self.most, self.refit, self.margin)


QUICK = {"warm_up": 100, "quantile": 0.9, "refit": 16, "peaks": 20}

TRIAL = ScorerTrial(
    twin=Spot,
    settings=(
        {"warm_up": 150, "quantile": 0.92, "refit": 3, "anomalies": "skip", "margin": 0.0},
        {"warm_up": 100, "quantile": 0.8, "peaks": 30, "refit": 8, "risk": 1e-3},
    ),
    quick=QUICK,
    length=350,
)
