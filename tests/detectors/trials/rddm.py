"""RDDM that keeps all it has seen, and counts it anew at each observation."""

from __future__ import annotations

import math

from detectors.contract import DRIFT, OK, WARNING
from tests.detectors.trial import Trial


class Side:
    """RDDM in one direction; given what is kept from before."""

    def __init__(self, settings: Rddm, errors: list[float]) -> None:
        self.settings = settings
        self.errors: list[float] = []
        self.n, self.since, self.tried = 0, 0, 0
        self.lowest = (math.inf, math.inf)
        for error in errors:
            self.errors.append(error)
            self.n += 1
            if self.n > settings.warm_up and sum(self.errors) >= settings.min_errors:
                self.look()

    def look(self) -> float:
        n, rate = len(self.errors), sum(self.errors) / len(self.errors)
        self.now = (rate, math.sqrt(rate * (1.0 - rate) / n))
        if sum(self.now) <= sum(self.lowest):
            self.lowest = self.now
        return sum(self.now)

    def update(self, error: float, newest: list[float]) -> tuple[float, int]:
        settings = self.settings
        self.errors.append(error)
        self.n += 1
        if len(self.errors) < settings.warm_up or sum(self.errors) < settings.min_errors:
            return 0.0, OK
        high = self.look()
        low_rate, low_sd = self.lowest
        flag = WARNING if high > low_rate + settings.warning * low_sd else OK
        flag = DRIFT if high > low_rate + settings.drift * low_sd else flag
        if flag == WARNING and self.since and self.n >= self.since + settings.max_warnings:
            flag, self.since = DRIFT, self.n
        self.since = (self.since or self.n) if flag != OK else 0
        if flag == OK and len(self.errors) >= settings.max_concept and self.n >= self.tried:
            self.tried = self.n + settings.min_stable
            if sum(newest) >= settings.min_errors:
                self.errors, self.tried = list(newest), 0
        return high - (low_rate + low_sd), flag


class Rddm:
    def __init__(
        self,
        warm_up: int,
        min_errors: int,
        warning: float,
        drift: float,
        max_concept: int,
        min_stable: int,
        max_warnings: int,
        direction: str,
        after_drift: str,
    ) -> None:
        self.warm_up, self.min_errors, self.warning, self.drift = warm_up, min_errors, warning, drift
        self.max_concept, self.min_stable, self.max_warnings = max_concept, min_stable, max_warnings
        self.direction, self.after_drift = direction, after_drift
        self.start([])

    def start(self, errors: list[float]) -> None:
        self.seen = list(errors)
        self.wrong, self.right = Side(self, errors), Side(self, [1.0 - x for x in errors])

    def update(self, x: float) -> tuple[float, int]:
        self.seen.append(x)
        newest = self.seen[-self.min_stable :]
        up, rise = self.wrong.update(x, newest) if self.direction != "down" else (0.0, OK)
        down, fall = self.right.update(1.0 - x, [1.0 - y for y in newest]) if self.direction != "up" else (0.0, OK)
        if DRIFT in (rise, fall):
            side = self.wrong if rise == DRIFT else self.right
            self.start(newest[-(side.n - side.since + 1) :] if self.after_drift == "keep" else [])
        return (up if (rise, up) >= (fall, down) else -down), max(rise, fall)


TRIAL = Trial(
    twin=Rddm,
    settings=(
        {"drift": 3.0, "warning": 2.0},
        {"max_concept": 300, "min_stable": 70, "warm_up": 30, "min_errors": 20, "drift": 3.0, "warning": 2.0},
        {"max_concept": 200, "min_stable": 50, "max_warnings": 40, "warm_up": 20, "min_errors": 0, "direction": "up"}
        | {"after_drift": "keep"},
        {"warm_up": 20, "min_errors": 5, "drift": 2.5, "warning": 1.5, "direction": "down", "after_drift": "keep"},
    ),
    often={"warm_up": 20, "min_errors": 5, "drift": 2.5, "warning": 1.5, "max_concept": 200, "min_stable": 60},
    length=800,
    in_time=1300,
)
