"""Robust z that sorts the window anew each time."""

from __future__ import annotations

import math
import statistics
from collections import deque

from tests.detectors.trial import ScorerTrial


class RobustZ:
    def __init__(self, window: int, warm_up: int) -> None:
        self.recent: deque[float] = deque(maxlen=window)
        self.warm_up = warm_up

    def update(self, x: list[float]) -> float:
        score = self.score(x[0]) if len(self.recent) >= self.warm_up else math.nan
        self.recent.append(x[0])
        return score

    def score(self, x: float) -> float:
        centre = statistics.median(self.recent)
        deviations = [abs(value - centre) for value in self.recent]
        sd = statistics.median(deviations) / statistics.NormalDist().inv_cdf(0.75)
        if sd == 0.0:
            sd = math.sqrt(math.pi / 2) * math.fsum(deviations) / len(deviations)
        if x == centre:
            return 0.0
        return abs(x - centre) / sd if sd > 0.0 else 1e100


TRIAL = ScorerTrial(
    twin=RobustZ,
    settings=({}, {"window": 21, "warm_up": 5}, {"window": 4, "warm_up": 2}),
    quick={"window": 64, "warm_up": 16},
    length=400,
)
