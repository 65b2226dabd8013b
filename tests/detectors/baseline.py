"""Mean and sd of a baseline, the slow obvious way: for the twins of charts."""

from __future__ import annotations

import math
from collections.abc import Sequence


def usual(values: Sequence[float]) -> tuple[float, float]:
    """The median, and how far three quarters of the values are from it at most, or the next if those are equal."""
    n = len(values)
    median = sorted(values)[n // 2]
    deviations = sorted(abs(x - median) for x in values)
    beyond = deviations[3 * n // 4 : -1 if n >= 8 else None]
    return median, next((deviation for deviation in beyond if deviation > 0.0), 0.0)


class Baseline:
    """Given, or learned from the first `warm_up` values; if `running`, again whenever there are an eighth more.

    Learning takes two passes over all that was kept, with exact sums. If `bounded`, values are kept once the first 32
    show a scale, and count for 6 times that, or 6 sd of what is learned so far, at most.
    """

    def __init__(
        self, mean: float | None, sd: float | None, warm_up: int, *, running: bool = False, bounded: bool = False
    ) -> None:
        self.mean, self.sd, self.warm_up = mean, sd, warm_up
        self.learning, self.running, self.bounded = mean is None, running, bounded
        self.first: list[float] = []
        self.equal = 0
        self.seen: list[float] = []
        self.learned = (0.0, 0.0)
        self.due = 1
        self.previous = self.phi = 0.0
        self.products: list[float] = []

    def standardised(self, x: float) -> float | None:
        """Return the deviation of `x` in sd, if there is a baseline yet, and then learn from it."""
        deviation = None if self.mean is None or self.sd is None else (x - self.mean) / self.sd
        if self.learning and (deviation is None or self.running):
            self.learn(x)
        return deviation

    def innovation(self, x: float) -> float | None:
        """Return the deviation of `x` in sd, less what it carries on of the one before; then learn from it."""
        previous, self.previous = self.previous, x
        if self.mean is not None and self.sd is not None:
            deviation, earlier = (x - self.mean) / self.sd, (previous - self.mean) / self.sd
            return (deviation - self.phi * earlier) / math.sqrt(1.0 - self.phi**2)
        if len(self.seen) >= 2:
            mean = math.fsum(self.seen) / len(self.seen)
            reach = 6.0 * self.learned[1] if self.bounded else math.inf
            gap, earlier = (min(max(y - mean, -reach), reach) for y in (x, previous))
            self.products.append(gap * earlier)
        self.learn(x)
        n = len(self.seen)
        if self.sd is not None:
            pairs = n - 1 - (min(32, max(2, self.warm_up)) if self.bounded else 0)
            phi = min(math.fsum(self.products) / pairs / self.sd**2, 0.99) if pairs > 0 else 0.0
            self.phi = phi if pairs > 0 and phi > 2.0 / math.sqrt(pairs) else 0.0
        return None

    def learn(self, x: float) -> None:
        if not self.bounded:
            self.seen.append(x)
        elif not self.seen:
            self.hold(x)
        else:
            mean, sd = self.learned
            self.seen.append(min(max(x, mean - 6.0 * sd), mean + 6.0 * sd))
        n = len(self.seen)
        if n < self.due or (n < self.warm_up and not self.bounded):
            return
        mean = math.fsum(self.seen) / n
        squares = math.fsum((y - mean) ** 2 for y in self.seen)
        # Squares of the smallest numbers are zero, although these differ.
        if len(set(self.seen)) > 1 and squares > 0.0:
            self.learned = mean, math.sqrt(squares / (n - 1))
            if n >= self.warm_up:
                self.mean, self.sd = self.learned
            if self.running:
                self.due = n + math.ceil(n / 8) if n >= self.warm_up else min(n + math.ceil(n / 8), self.warm_up)

    def hold(self, x: float) -> None:
        """Keep the first 32 values once they show a scale; until then all but one of those held are equal."""
        self.first.append(x)
        size = min(32, max(2, self.warm_up))
        if len(self.first) < size:
            return
        if len(self.first) > size:
            self.first.remove(usual(self.first[:size])[0])
            self.equal += 1
        median, deviation = usual(self.first)
        reach = 6.0 * deviation
        bounded = [min(max(y, median - reach), median + reach) for y in self.first]
        if math.fsum((y - median) ** 2 for y in bounded) > 0.0:
            self.seen = bounded + [median] * self.equal


class RunningMean:
    """The mean of all values so far, by the formula that MOA and river have."""

    def __init__(self) -> None:
        self.n, self.mean = 0, 0.0

    def deviation(self, x: float) -> float:
        """Absorb `x`, and return how far it is from the mean, which then includes it."""
        self.n += 1
        self.mean += 1.0 / self.n * (x - self.mean)
        return x - self.mean
