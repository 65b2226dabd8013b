"""LODA that makes its histograms of the last complete window anew for each observation that needs them."""

from __future__ import annotations

import math
from collections import Counter

from detectors.anomaly.vectors import mixed
from tests.detectors.trial import ScorerTrial, centre_and_unit, outside


class Loda:
    def __init__(self, projections: int, bins: int, window: int, seed: int) -> None:
        self.projections, self.bins, self.window, self.seed = projections, bins, window, seed
        self.rows: list[list[float]] = []
        self.histograms: list[Histogram] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def update(self, x: list[float]) -> float:
        score = self.score(x) if self.histograms else math.nan
        self.rows.append(x)
        self.low, self.high = list(map(min, self.low or x, x)), list(map(max, self.high or x, x))
        if len(self.rows) % self.window == 0:
            self.judge_by(self.rows[-self.window :])
        return score

    def judge_by(self, rows: list[list[float]]) -> None:
        self.centres, self.units = zip(*map(centre_and_unit, zip(*rows, strict=True)), strict=True)
        scaled = [self.scaled(row) for row in rows]
        self.weights = [self.weights_of(k, len(rows[0])) for k in range(self.projections)]
        self.histograms = [Histogram([dot(w, z) for z in scaled], self.bins) for w in self.weights]

    def weights_of(self, k: int, d: int) -> dict[int, float]:
        """What the features of projection `k` are multiplied by."""
        weights: dict[int, float] = {}
        for term in range(k * math.ceil(math.sqrt(d)), (k + 1) * math.ceil(math.sqrt(d))):
            key = mixed(self.seed, term)
            u, v = (mixed(key, 1) + 0.5) / 2**32, mixed(key, 2) / 2**32
            attempt = 3
            while mixed(key, attempt) % d in weights:
                attempt += 1
            weights[mixed(key, attempt) % d] = math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)
        return weights

    def scaled(self, x: list[float]) -> list[float]:
        return [min(max((v - c) / u, -2.0), 2.0) for v, c, u in zip(x, self.centres, self.units, strict=True)]

    def score(self, x: list[float]) -> float:
        z = self.scaled(x)
        bits = [histogram.bits(dot(w, z)) for w, histogram in zip(self.weights, self.histograms, strict=True)]
        most = math.log2((self.window + self.bins / 2) / 0.5)
        return sum(bits) / len(bits) / most + max(map(outside, x, self.low, self.high))


class Histogram:
    def __init__(self, values: list[float], bins: int) -> None:
        self.low, high = min(values), max(values)
        if self.low == high:
            self.low, high = self.low - 0.5, self.low + 0.5
        self.width, self.bins, self.n = (high - self.low) / bins, bins, len(values)
        self.counts = Counter(min(int((v - self.low) * bins / (high - self.low)), bins - 1) for v in values)

    def bits(self, value: float) -> float:
        position = (value - self.low) / self.width - 0.5
        cell = math.floor(position)
        if not -1 <= cell < self.bins:
            return self.bits_of_bin(-1)
        return (1 - position + cell) * self.bits_of_bin(cell) + (position - cell) * self.bits_of_bin(cell + 1)

    def bits_of_bin(self, b: int) -> float:
        return -math.log2((self.counts[b] + 0.5) / (self.n + self.bins / 2))


def dot(weights: dict[int, float], z: list[float]) -> float:
    return sum(weight * z[q] for q, weight in weights.items())


TRIAL = ScorerTrial(
    twin=Loda,
    settings=(
        {"projections": 10, "window": 60},
        {"projections": 7, "window": 100, "bins": 5, "seed": 9},
    ),
    quick={"projections": 10, "window": 40, "bins": 10},
    dimension=3,
)
