"""ADWIN as a list of buckets."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detectors.contract import DRIFT, OK
from tests.detectors.baseline import usual
from tests.detectors.trial import Trial


@dataclass
class Bucket:
    size: int
    total: float
    squares: float


class Adwin:
    def __init__(
        self,
        delta: float,
        clock: int,
        max_buckets: int,
        min_window_length: int,
        grace_period: int,
        after_drift: str,
        clip: float,
    ) -> None:
        self.delta, self.clock, self.max_buckets = delta, clock, max_buckets
        self.shortest, self.grace, self.after_drift = min_window_length, grace_period, after_drift
        self.clip = clip
        self.start()

    def start(self) -> None:
        self.buckets: list[Bucket] = []  # oldest first
        self.n, self.width, self.total, self.squares = 0, 0, 0.0, 0.0
        self.waiting: list[float] = []
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted and self.after_drift == "forget":
            self.start()
        self.waiting.append(x)
        self.n += 1
        gaps: list[float] = []
        look = self.n % self.clock == 0 and self.n > self.grace
        if look or len(self.waiting) == min(max(self.clock, self.grace + 1), 32):
            lowest, highest = self.limits()
            for value in self.waiting:
                self.insert(min(max(value, lowest), highest))
            self.waiting = []
        if look and self.width > self.grace:
            while (gap := self.first_cut()) is not None:
                gaps.append(gap)
                self.forget_oldest()
        self.drifted = bool(gaps)
        return (max(gaps, key=abs), DRIFT) if gaps else (0.0, OK)

    def limits(self) -> tuple[float, float]:
        if self.clip >= 1e15 or (self.width <= self.grace and len(self.waiting) < 8):
            return -math.inf, math.inf
        if self.width > self.grace:
            centre, deviation = self.total / self.width, math.sqrt(max(0.0, self.squares) / self.width)
        else:
            centre, deviation = usual(self.waiting)
        reach = max(1.0, self.clip * deviation)
        return centre - reach, centre + reach

    def insert(self, x: float) -> None:
        if self.width:
            gap = x - self.total / self.width
            self.squares += self.width * gap * gap / (self.width + 1)
        self.width += 1
        self.total += x
        self.buckets.append(Bucket(1, x, 0.0))
        size = 1
        while len(of_one_size := [i for i, b in enumerate(self.buckets) if b.size == size]) > self.max_buckets:
            older, newer = self.buckets[of_one_size[0]], self.buckets[of_one_size[1]]
            gap = older.total / size - newer.total / size
            squares = older.squares + newer.squares + size * size * gap * gap / (2 * size)
            self.buckets[of_one_size[0] : of_one_size[1] + 1] = [Bucket(2 * size, older.total + newer.total, squares)]
            size *= 2

    def forget_oldest(self) -> None:
        oldest = self.buckets.pop(0)
        self.width -= oldest.size
        self.total -= oldest.total
        gap = oldest.total / oldest.size - self.total / self.width
        between = oldest.size * self.width * gap * gap / (oldest.size + self.width)
        self.squares -= oldest.squares + between

    def first_cut(self) -> float | None:
        n0, total0, total1 = 0, 0.0, self.total
        for bucket in self.buckets[:-1]:
            n0 += bucket.size
            total0 += bucket.total
            total1 -= bucket.total
            n1 = self.width - n0
            if n0 < self.shortest or n1 < self.shortest or self.squares < 0:
                continue
            gap = total0 / n0 - total1 / n1
            log_term = math.log(2 * math.log(self.width) / self.delta)
            recip = 1 / (n0 - self.shortest + 1) + 1 / (n1 - self.shortest + 1)
            bound = math.sqrt(2 * recip * (self.squares / self.width) * log_term)
            if abs(gap) > bound + 2 / 3 * log_term * recip:
                return -gap
        return None


TRIAL = Trial(
    twin=Adwin,
    settings=(
        {},
        {"clock": 1, "max_buckets": 2, "min_window_length": 1, "grace_period": 0, "clip": 1e15},
        {"clock": 70, "clip": 1.5},
        {"clock": 8, "after_drift": "keep", "delta": 0.1, "clip": 2.0},
        {"clock": 1, "grace_period": 20},
    ),
    often={"clock": 4},
)
