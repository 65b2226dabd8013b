"""KSWIN that sorts both samples anew for every observation, and counts orders with integers of any size."""

from __future__ import annotations

import math
from bisect import bisect_right
from fractions import Fraction
from functools import cache

from detectors.contract import DRIFT, OK
from tests.detectors.ranks import uniform
from tests.detectors.trial import Trial


@cache
def p_value(m: int, n: int, height: int) -> Fraction:
    """How likely ``m * n * D`` is `height` or more: orders of both samples that never get so far, and the others."""
    counts: dict[tuple[int, int], int] = {}
    for i in range(m + 1):
        for j in range(n + 1):
            ways = 1 if i == j == 0 else counts.get((i - 1, j), 0) + counts.get((i, j - 1), 0)
            counts[i, j] = ways if abs(i * n - j * m) < height else 0
    return 1 - Fraction(counts[m, n], math.comb(m + n, m))


class Kswin:
    def __init__(
        self,
        run_length: float,
        window_size: int,
        stat_size: int | None,
        older: str,
        alpha: float | None,
        min_distance: float,
        seed: int,
    ) -> None:
        self.width, self.newest = window_size, stat_size or window_size // 4
        self.sampled, self.seed, self.least = older == "sample", seed, min_distance
        self.alpha = alpha or 0.5 / run_length
        self.start()

    def start(self) -> None:
        self.window: list[tuple[float, float]] = []
        self.n = 0
        self.wait = 0  # how many more observations cannot be an alarm
        self.score = 0.0
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        self.n += 1
        # Numbered when it becomes one of the older, by how many had come in before that.
        self.window.append((x, uniform(self.seed, self.n + self.newest - 1)))
        self.window = self.window[-self.width :]
        if len(self.window) < self.width:
            return 0.0, OK
        new = sorted(value for value, _ in self.window[-self.newest :])
        old = self.window[: -self.newest]
        if self.sampled:
            old = sorted(old, key=lambda pair: pair[1])[: self.newest]
        height = self.height(new, sorted(value for value, _ in old))
        sizes = (len(new), len(old))
        self.drifted = self.is_rare(*sizes, abs(height)) and abs(height) > self.least * len(new) * len(old)
        if self.wait > 0:
            assert not self.drifted, "an alarm was let pass"
            self.wait -= 1
            return self.score, OK
        while not self.is_rare(*sizes, abs(height) + (self.wait + 1) * sum(sizes)):
            self.wait += 1
        self.score = height / (len(new) * len(old))
        return self.score, DRIFT if self.drifted else OK

    def is_rare(self, m: int, n: int, height: int) -> bool:
        return p_value(m, n, height) <= self.alpha

    @staticmethod
    def height(new: list[float], old: list[float]) -> int:
        """The largest difference of both distribution functions, above zero where more of the older are below."""
        gaps = [bisect_right(old, x) * len(new) - bisect_right(new, x) * len(old) for x in (*new, *old)]
        return max(gaps) if max(gaps) >= -min(gaps) else min(gaps)


TRIAL = Trial(
    twin=Kswin,
    settings=(
        {"window_size": 60, "run_length": 1e4},
        {"window_size": 40, "stat_size": 12, "alpha": 0.01, "older": "sample", "seed": 3},
        {"window_size": 41, "stat_size": 30, "alpha": 0.05, "min_distance": 0.5},
    ),
    often={"window_size": 40, "stat_size": 10, "alpha": 0.001, "older": "sample"},
    length=500,
)
