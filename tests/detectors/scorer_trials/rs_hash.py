"""RS-Hash whose counts fade at every observation."""

from __future__ import annotations

import math

import numpy as np

from detectors.anomaly.vectors import mixed
from tests.detectors.trial import ScorerTrial, centre_and_unit, outside

Vector = list[float]


class RsHash:
    def __init__(self, components: int, buckets: int, half_life: float, window: int, seed: int) -> None:
        self.components, self.buckets, self.window, self.seed = components, buckets, window, seed
        self.kept = 0.5 ** (1 / half_life)
        self.sample = max(4.0, half_life / math.log(2))
        self.rows: list[Vector] = []
        self.low: Vector = []
        self.high: Vector = []
        self.scales: list[tuple[float, float]] = []

    def update(self, x: Vector) -> float:
        score = self.score(x) if self.scales else math.nan
        self.rows.append(x)
        self.low, self.high = list(map(min, self.low or x, x)), list(map(max, self.high or x, x))
        if len(self.rows) % self.window == 0:
            recent = self.rows[-self.window :]
            scales = [centre_and_unit(column) for column in zip(*recent, strict=True)]
            if not self.scales or any(map(differ, self.scales, scales)):
                self.scales = scales
                self.grids = [Grid(mixed(self.seed, g), g, self.sample, len(x)) for g in range(self.components)]
                self.counts = np.zeros((self.components, 2, self.buckets))
                self.seen = 0.0
                for row in recent:
                    self.bits(row)
        return score

    def score(self, x: Vector) -> float:
        most = math.log2(1 + self.seen)
        return 1 - self.bits(x) / self.components / most + max(map(outside, x, self.low, self.high))

    def bits(self, x: Vector) -> float:
        """Count `x`, after everything before it has faded."""
        z = [min(max((v - c) / u, -64.0), 64.0) for v, (c, u) in zip(x, self.scales, strict=True)]
        bits = 0.0
        for grid, counts in zip(self.grids, self.counts, strict=True):
            key = grid.cell(z)
            first_bucket = key * self.buckets >> 32
            two = (key * 0x1E3779B9 % 2**32) * self.buckets >> 32
            bits += math.log2(1 + min(counts[0, first_bucket], counts[1, two]))
            counts[0, first_bucket] += 1
            counts[1, two] += 1
        self.counts *= self.kept
        self.seen = (self.seen + 1) * self.kept
        return bits


class Grid:
    def __init__(self, key: int, number: int, sample: float, d: int) -> None:
        self.number = number
        least = 1 / math.sqrt(sample)
        width = least + (1 - 2 * least) * mixed(key, 0) / 2**32
        most = math.log(sample) / math.log(max(2.0, 1 / width))
        fewest = 1 + most / 2
        count = min(round(fewest + max(most - fewest, 0.0) * mixed(key, 1) / 2**32), d, 20)
        self.per_unit = 1 / width
        self.begins: dict[int, float] = {}
        for j in range(count):
            attempt = 2 + 65536 * j
            while mixed(key, attempt) % d in self.begins:
                attempt += 1
            self.begins[mixed(key, attempt) % d] = mixed(key, 1 + 65536 * (j + 1)) / 2**32

    def cell(self, z: Vector) -> int:
        key = self.number
        for q, begin in self.begins.items():
            key = ((key ^ math.floor(z[q] * self.per_unit + begin)) * 0x7FEB352D) % 2**32
            key ^= key >> 15
        return key


def differ(old: tuple[float, float], new: tuple[float, float]) -> bool:
    return abs(new[0] - old[0]) > old[1] or new[1] > 2 * old[1] or old[1] > 2 * new[1]


TRIAL = ScorerTrial(
    twin=RsHash,
    settings=(
        {"components": 9, "buckets": 64, "window": 60},
        {"components": 5, "buckets": 16, "window": 100, "half_life": 5.0, "seed": 9},
    ),
    quick={"components": 10, "buckets": 64, "window": 40, "half_life": 50.0},
    dimension=3,
)
