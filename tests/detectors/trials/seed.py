"""SEED whose blocks are lists of the values in them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from detectors.contract import DRIFT, OK
from tests.detectors.baseline import usual
from tests.detectors.trial import Trial


@dataclass
class Block:
    values: list[float] = field(default_factory=list)
    spread: float = 0.0  # what MOA adds up for the values in it

    @property
    def mean(self) -> float:
        return mean(self.values)


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


class Seed:
    def __init__(
        self,
        delta: float,
        block_size: int,
        epsilon: float,
        growth: float,
        compress_every: int,
        max_blocks: int,
        reach: float,
        after_drift: str,
        compatible: str,
    ) -> None:
        self.delta, self.size, self.step, self.every = delta, block_size, epsilon * growth, compress_every
        self.most, self.reach, self.keep, self.moa = max_blocks, reach, after_drift == "keep", compatible == "moa"
        self.start()

    def start(self) -> None:
        self.blocks = [Block()]
        self.n = self.since = 0
        self.spread = 0.0
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted and not self.keep:
            self.start()
        self.drifted = False
        if self.n > 0 and self.n % self.size == 0:
            self.make_room()
        self.insert(x)
        self.n += 1
        if self.n % self.size == 0:
            if not self.moa:
                self.clip()
            variance = self.variance()
            for first in range(len(self.blocks) - 1, 0, -1):
                gap = self.gap(first, variance)
                if gap is not None:
                    if self.keep:
                        self.spread -= sum(block.spread for block in self.blocks[:first])
                        self.blocks = self.blocks[first:]
                    self.drifted = True
                    return gap, DRIFT
        return 0.0, OK

    def window(self) -> list[float]:
        return [x for block in self.blocks for x in block.values]

    def insert(self, x: float) -> None:
        window = self.window() if self.moa else []
        if window:
            with_it = (math.fsum(window) + x) / len(window)
            between = len(window) * (x - with_it) ** 2 / (len(window) + 1)
            self.spread += between
            self.blocks[-1].spread += between
        self.blocks[-1].values.append(x)

    def clip(self) -> None:
        *older, newest = self.blocks
        window = [x for block in older for x in block.values]
        centre, deviation = usual(newest.values)
        if window:
            centre = mean(window)
            deviation = math.sqrt(mean([(x - centre) ** 2 for x in window]))
        most = max(10.0, self.reach) * deviation
        if deviation > 1e-12 * abs(centre):
            newest.values = [min(max(x, centre - most), centre + most) for x in newest.values]

    def variance(self) -> float:
        if self.moa:
            return self.spread / len(self.window())
        centre = mean(self.window())
        return mean([(x - centre) ** 2 for x in self.window()])

    def make_room(self) -> None:
        if self.since > self.every and len(self.blocks) > 1:
            self.since = 0
            unit = 1.0 if self.moa else math.sqrt(self.variance())
            for steps, i in enumerate(range(len(self.blocks) - 1, 0, -1), start=1):
                if abs(self.blocks[i - 1].mean - self.blocks[i].mean) < steps * self.step * unit:
                    self.join(i)
        if len(self.blocks) == self.most:
            self.join(1)
        self.blocks.append(Block())
        self.since += 1

    def join(self, i: int) -> None:
        older, newer = self.blocks[i - 1 : i + 1]
        self.blocks[i - 1 : i + 1] = [Block(older.values + newer.values, older.spread + newer.spread)]

    def gap(self, first: int, variance: float) -> float | None:
        old = [x for block in self.blocks[:first] for x in block.values]
        new = [x for block in self.blocks[first:] for x in block.values]
        log_term = math.log(2 * math.log(len(old) + len(new)) / self.delta)
        recip = 1 / len(old) + 1 / len(new)
        farthest = 1.0 if self.moa else self.reach * math.sqrt(variance)
        bound = math.sqrt(2 * recip * variance * log_term) + 2 / 3 * log_term * recip * farthest
        least = 0.0 if self.moa else 1e-12 * (abs(mean(old)) + abs(mean(new)))
        gap = mean(new) - mean(old)
        return gap if abs(gap) > bound + least else None


TRIAL = Trial(
    twin=Seed,
    settings=(
        {"delta": 0.1, "compress_every": 5},
        {"block_size": 10, "max_blocks": 6, "after_drift": "keep", "epsilon": 0.05, "compress_every": 3},
        {"compatible": "moa", "delta": 0.05, "compress_every": 4, "block_size": 20},
    ),
    often={"block_size": 5, "delta": 0.1, "max_blocks": 8, "compress_every": 3, "reach": 0.5},
    length=600,
)
