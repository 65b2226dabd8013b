"""The slow obvious twins: each detector as its paper has it, in plain Python, one observation after another.

Each takes the values of the parameters and has ``update(x) -> (score, flag)``; :data:`NAIVE` has one for every
detector in the table, which a test checks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from detectors.contract import DRIFT, OK, WARNING


class Naive(Protocol):
    def __init__(self, **params: Any) -> None: ...

    def update(self, x: float) -> tuple[float, int]: ...


def signed(up: float, down: float) -> float:
    return up if up >= down else -down


class PageHinkley:
    def __init__(self, min_instances: int, delta: float, threshold: float, alpha: float, mode: str) -> None:
        self.min_instances, self.delta, self.threshold = min_instances, delta, threshold
        self.alpha, self.mode = alpha, mode
        self.start()

    def start(self) -> None:
        self.n, self.mean = 0, 0.0
        self.rising: list[float] = [0.0]
        self.falling: list[float] = [0.0]
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        self.n += 1
        self.mean += 1.0 / self.n * (x - self.mean)
        self.rising.append(self.alpha * self.rising[-1] + (x - self.mean) - self.delta)
        self.falling.append(self.alpha * self.falling[-1] + (x - self.mean) + self.delta)
        # The leading zero is where the sums start from, not a sum.
        up = self.rising[-1] - min(self.rising[1:]) if self.mode != "down" else 0.0
        down = max(self.falling[1:]) - self.falling[-1] if self.mode != "up" else 0.0
        self.drifted = self.n >= self.min_instances and max(up, down) > self.threshold
        return signed(up, down), DRIFT if self.drifted else OK


class Cusum:
    def __init__(
        self,
        k: float,
        h: float,
        direction: str,
        warm_up: int,
        mean: float | None,
        sd: float | None,
        warning: float,
    ) -> None:
        self.k, self.h, self.direction, self.warm_up = k, h, direction, warm_up
        self.given = (mean, sd)
        self.warning = warning
        self.start()

    def start(self) -> None:
        self.mean, self.sd = self.given
        self.seen: list[float] = []
        self.high = self.low = 0.0
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        if self.mean is None or self.sd is None:
            self.learn(x)
            return 0.0, OK
        z = (x - self.mean) / self.sd
        self.high = max(0.0, self.high + z - self.k)
        self.low = max(0.0, self.low - z - self.k)
        up = self.high if self.direction != "down" else 0.0
        down = self.low if self.direction != "up" else 0.0
        self.drifted = max(up, down) > self.h
        if self.drifted:
            return signed(up, down), DRIFT
        return signed(up, down), WARNING if max(up, down) > self.warning * self.h else OK

    def learn(self, x: float) -> None:
        """Two passes over all that was kept, with exact sums."""
        self.seen.append(x)
        n = len(self.seen)
        mean = math.fsum(self.seen) / n
        squares = math.fsum((y - mean) ** 2 for y in self.seen)
        # Squares of the smallest numbers are zero, although these differ.
        if n >= self.warm_up and len(set(self.seen)) > 1 and squares > 0.0:
            self.mean, self.sd = mean, math.sqrt(squares / (n - 1))


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
    ) -> None:
        self.delta, self.clock, self.max_buckets = delta, clock, max_buckets
        self.shortest, self.grace, self.after_drift = min_window_length, grace_period, after_drift
        self.start()

    def start(self) -> None:
        self.buckets: list[Bucket] = []  # oldest first
        self.n, self.width, self.total, self.squares = 0, 0, 0.0, 0.0
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted and self.after_drift == "forget":
            self.start()
        self.insert(x)
        self.n += 1
        gaps: list[float] = []
        if self.n % self.clock == 0 and self.width > self.grace:
            while (gap := self.first_cut()) is not None:
                gaps.append(gap)
                self.forget_oldest()
        self.drifted = bool(gaps)
        return (max(gaps, key=abs), DRIFT) if gaps else (0.0, OK)

    def insert(self, x: float) -> None:
        if self.width:
            gap = x - self.total / self.width
            self.squares += self.width * gap * gap / (self.width + 1)
        self.width += 1
        self.total += x
        self.buckets.append(Bucket(1, x, 0.0))
        size = 1
        while len(same := [i for i, b in enumerate(self.buckets) if b.size == size]) > self.max_buckets:
            older, newer = self.buckets[same[0]], self.buckets[same[1]]
            gap = older.total / size - newer.total / size
            squares = older.squares + newer.squares + size * size * gap * gap / (2 * size)
            self.buckets[same[0] : same[1] + 1] = [Bucket(2 * size, older.total + newer.total, squares)]
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


NAIVE: dict[str, type[Naive]] = {"adwin": Adwin, "cusum": Cusum, "page_hinkley": PageHinkley}
