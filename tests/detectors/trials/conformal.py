"""A conformal test martingale that keeps every value since its last start."""

from __future__ import annotations

import math
from statistics import NormalDist

from detectors.contract import DRIFT, OK
from tests.detectors.ranks import Ranks
from tests.detectors.trial import Trial

NORMAL = NormalDist()
BETS = [(shift, 1.0) for size in (0.25, 0.5, 1.0, 2.0) for shift in (size, -size)] + [(0.0, 2.0), (0.0, 0.5)]


class Conformal:
    def __init__(self, run_length: float, warm_up: int, edges: int, seed: int) -> None:
        self.run_length, self.warm_up, self.most, self.seed = run_length, warm_up, edges, seed
        self.start()

    def start(self) -> None:
        self.ranks = Ranks(self.warm_up // 2, self.most, self.seed)
        self.sums = [0.0] * len(BETS)
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        u = self.ranks.update(x)
        if u is None or len(self.ranks.seen) <= self.warm_up:
            return 0.0, OK
        z = NORMAL.inv_cdf(u)
        self.sums = [(1 + r) * NormalDist(*bet).pdf(z) / NORMAL.pdf(z) for r, bet in zip(self.sums, BETS, strict=True)]
        mean = math.fsum(self.sums) / len(BETS)
        self.drifted = mean >= self.run_length
        rising = math.fsum(self.sums[0:8:2]) >= math.fsum(self.sums[1:8:2])
        return math.copysign(math.log1p(mean), 1.0 if rising else -1.0), DRIFT if self.drifted else OK


TRIAL = Trial(
    twin=Conformal,
    settings=(
        {"warm_up": 100},
        {"warm_up": 30, "edges": 5, "run_length": 300.0, "seed": 7},
    ),
    often={"warm_up": 40, "edges": 10, "run_length": 50.0},
    length=700,
)
