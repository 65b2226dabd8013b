"""A conformal test martingale that keeps every value since its last start."""

from __future__ import annotations

import math
from bisect import bisect_left
from statistics import NormalDist

from detectors.contract import DRIFT, OK
from tests.detectors.trial import Trial, uniform

NORMAL = NormalDist()
BETS = [(shift, 1.0) for size in (0.25, 0.5, 1.0, 2.0) for shift in (size, -size)] + [(0.0, 2.0), (0.0, 0.5)]


class Conformal:
    def __init__(self, run_length: float, warm_up: int, edges: int, seed: int) -> None:
        self.run_length, self.warm_up, self.most, self.seed = run_length, warm_up, edges, seed
        self.start()

    def start(self) -> None:
        self.seen: list[float] = []
        self.bins: list[tuple[int, bool]] = []
        self.sums = [0.0] * len(BETS)
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        self.seen.append(x)
        first = self.warm_up // 2
        if len(self.seen) == first:
            self.edges = self.chosen(sorted(self.seen))
        if len(self.seen) <= first:
            return 0.0, OK
        bin_ = self.bin_of(x)
        self.bins.append(bin_)
        if len(self.seen) <= self.warm_up:
            return 0.0, OK
        below, same = sum(other < bin_ for other in self.bins), self.bins.count(bin_)
        u = (below + uniform(self.seed, len(self.seen)) * same) / len(self.bins)
        z = NORMAL.inv_cdf(u)
        self.sums = [(1 + r) * NormalDist(*bet).pdf(z) / NORMAL.pdf(z) for r, bet in zip(self.sums, BETS, strict=True)]
        mean = math.fsum(self.sums) / len(BETS)
        self.drifted = mean >= self.run_length
        rising = math.fsum(self.sums[0:8:2]) >= math.fsum(self.sums[1:8:2])
        return math.copysign(math.log1p(mean), 1.0 if rising else -1.0), DRIFT if self.drifted else OK

    def chosen(self, ordered: list[float]) -> list[float]:
        shares = [j / (self.most - 1) for j in range(self.most)]
        places = {int((len(ordered) - 1) * share * share * (3 - 2 * share)) for share in shares}
        return sorted({ordered[place] for place in places})

    def bin_of(self, x: float) -> tuple[int, bool]:
        """How many edges are below, and whether `x` is one."""
        return bisect_left(self.edges, x), x in self.edges


TRIAL = Trial(
    twin=Conformal,
    settings=(
        {"warm_up": 100},
        {"warm_up": 30, "edges": 5, "run_length": 300.0, "seed": 7},
    ),
    often={"warm_up": 40, "edges": 10, "run_length": 50.0},
    length=700,
)
