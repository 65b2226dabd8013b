"""Mean and sd of a baseline, the slow obvious way: for the twins of charts."""

from __future__ import annotations

import math


class Baseline:
    """Given, or learned from the first `warm_up` values; if `running`, again whenever there are an eighth more.

    Learning takes two passes over all that was kept, with exact sums.
    """

    def __init__(self, mean: float | None, sd: float | None, warm_up: int, *, running: bool = False) -> None:
        self.mean, self.sd, self.due = mean, sd, warm_up
        self.learning, self.running = mean is None, running
        self.seen: list[float] = []

    def standardised(self, x: float) -> float | None:
        """Return the deviation of `x` in sd, if there is a baseline yet, and then learn from it."""
        deviation = None if self.mean is None or self.sd is None else (x - self.mean) / self.sd
        if self.learning and (deviation is None or self.running):
            self.learn(x)
        return deviation

    def learn(self, x: float) -> None:
        self.seen.append(x)
        n = len(self.seen)
        if n < self.due:
            return
        mean = math.fsum(self.seen) / n
        squares = math.fsum((y - mean) ** 2 for y in self.seen)
        # Squares of the smallest numbers are zero, although these differ.
        if len(set(self.seen)) > 1 and squares > 0.0:
            self.mean, self.sd = mean, math.sqrt(squares / (n - 1))
            self.due = n + math.ceil(n / 8)


class RunningMean:
    """The mean of all values so far, by the formula that MOA and river have."""

    def __init__(self) -> None:
        self.n, self.mean = 0, 0.0

    def deviation(self, x: float) -> float:
        """Absorb `x`, and return how far it is from the mean, which then includes it."""
        self.n += 1
        self.mean += 1.0 / self.n * (x - self.mean)
        return x - self.mean
