"""EDDM that keeps every distance."""

from __future__ import annotations

import math
from statistics import fmean, stdev

from detectors.contract import DRIFT, OK, WARNING
from tests.detectors.trial import Trial, signed


class Side:
    """EDDM in one direction."""

    def __init__(self, warm_up: int, at_once: bool) -> None:
        self.warm_up, self.at_once = warm_up, at_once
        self.n, self.last = 0, 0
        self.distances: list[int] = []
        self.most = self.shrunk = 0.0

    def update(self, error: float) -> float:
        self.n += 1
        if error:
            self.distances.append(self.n - self.last)
            self.last = self.n
            self.judge(len(self.distances))
        return self.shrunk

    def judge(self, errors: int) -> None:
        extent = fmean(self.distances) + 2.0 * (stdev(self.distances) if errors > 1 else 0.0)
        self.shrunk = 0.0
        # Equal distances have the same extent, which rounding must not decide.
        if extent > self.most and not math.isclose(extent, self.most, rel_tol=1e-12):
            if (self.n if self.at_once else errors) > self.warm_up:
                self.most = extent
        elif errors > self.warm_up:
            self.shrunk = 1.0 - extent / self.most


class Eddm:
    def __init__(self, warm_up: int, warning: float, drift: float, direction: str, maximum: str) -> None:
        self.warm_up, self.warning, self.drift = warm_up, warning, drift
        self.direction, self.maximum = direction, maximum
        self.start()

    def start(self) -> None:
        at_once = self.maximum == "from_start"
        self.wrong, self.right = Side(self.warm_up, at_once), Side(self.warm_up, at_once)

    def update(self, x: float) -> tuple[float, int]:
        up = self.wrong.update(x) if self.direction != "down" else 0.0
        down = self.right.update(1.0 - x) if self.direction != "up" else 0.0
        if max(up, down) > 1.0 - self.drift:
            self.start()
            return signed(up, down), DRIFT
        return signed(up, down), WARNING if max(up, down) > 1.0 - self.warning else OK


TRIAL = Trial(
    twin=Eddm,
    settings=(
        {"warm_up": 30},
        {"warm_up": 30, "direction": "up", "maximum": "from_start"},
        {"warm_up": 10, "warning": 0.9, "drift": 0.8, "direction": "down"},
    ),
    often={"warm_up": 20, "warning": 0.98, "drift": 0.95},
    length=500,
    in_time=1200,
)
