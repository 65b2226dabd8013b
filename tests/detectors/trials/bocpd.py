"""Bayesian online changepoint detection in logarithms, every run with the values that it has seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist

from detectors.contract import DRIFT, OK
from tests.detectors.baseline import Baseline
from tests.detectors.ranks import Ranks
from tests.detectors.trial import Trial

EDGES = 64
KAPPA, ALPHA, BETA, ONES = 1.0, 2.0, 2.0, 0.5


def log_sum(logs: list[float]) -> float:
    most = max(logs)
    return most + math.log(math.fsum(math.exp(log - most) for log in logs))


@dataclass
class Run:
    """Values since `start`, by their number, sum and sum of squares around the mean; the logarithm of a weight."""

    start: int
    log_weight: float
    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    values: list[float] = field(default_factory=list)

    def add(self, z: float) -> None:
        self.values.append(z)
        self.n = len(self.values)
        self.mean = math.fsum(self.values) / self.n
        self.squares = math.fsum((value - self.mean) ** 2 for value in self.values)


def log_density(run: Run, z: float) -> float:
    """Student's t that the Normal–Gamma posterior predicts, from all values of the run at once."""
    kappa, alpha = KAPPA + run.n, ALPHA + run.n / 2
    mean = run.n * run.mean / kappa
    beta = BETA + run.squares / 2 + KAPPA * run.n * run.mean**2 / (2 * kappa)
    freedom, scale = 2 * alpha, math.sqrt(beta * (kappa + 1) / (alpha * kappa))
    y = (z - mean) / scale
    log_norm = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    return log_norm - math.log(scale) - (freedom + 1) / 2 * math.log1p(y * y / freedom)


def log_probability(run: Run, z: float) -> float:
    rate = (ONES + run.n * run.mean) / (2 * ONES + run.n)
    return z * math.log(rate) + (1 - z) * math.log1p(-rate)


class Bocpd:
    def __init__(
        self,
        model: str,
        expected_run: float,
        threshold: float,
        longest: int,
        resolution: int,
        warm_up: int,
        seed: int,
    ) -> None:
        self.model, self.hazard, self.threshold = model, 1 / expected_run, threshold
        self.longest, self.resolution, self.warm_up, self.seed = longest, resolution, warm_up, seed
        self.start()

    def start(self) -> None:
        self.ranks = Ranks(self.warm_up // 2, EDGES, self.seed)
        self.baseline = Baseline(None, None, self.warm_up, bounded=True)
        self.runs = [Run(0, 0.0)]
        self.t = 0
        self.drifted = False

    def update(self, x: float) -> tuple[float, int]:
        if not math.isfinite(x):
            return 0.0, OK
        if self.drifted:
            self.start()
        z = self.standard(x)
        if z is None:
            return 0.0, OK
        score = self.absorb(z)
        self.drifted = abs(score) >= self.threshold
        return score, DRIFT if self.drifted else OK

    def standard(self, x: float) -> float | None:
        if self.model == "bernoulli":
            return min(max(x, 0.0), 1.0)
        if self.model == "rank":
            u = self.ranks.update(x)
            return None if u is None or len(self.ranks.seen) <= self.warm_up else NormalDist().inv_cdf(u)
        z = self.baseline.standardised(x)
        return None if z is None else min(max(z, -1e6), 1e6)

    def absorb(self, z: float) -> float:
        """Algorithm 1 of the paper, and what is left of the runs."""
        self.t += 1
        predict = log_probability if self.model == "bernoulli" else log_density
        joint = [run.log_weight + predict(run, z) for run in self.runs]
        evidence = log_sum(joint)
        for run, log in zip(self.runs, joint, strict=True):
            run.log_weight = log - evidence + math.log1p(-self.hazard)
            run.add(z)
        self.prune()
        oldest, *others = self.runs
        change = math.fsum(math.exp(run.log_weight) for run in others)
        lean = math.fsum(math.exp(run.log_weight) * (self.mean(run) - self.mean(oldest)) for run in others)
        self.runs.append(Run(self.t, math.log(self.hazard)))
        return change if lean >= 0 else -change

    def prune(self) -> None:
        runs = self.runs[:1]
        for run in self.runs[1:]:
            step = 2 ** max(0, (run.n // self.resolution).bit_length() - 1)
            if run.n < self.longest and run.start % step == 0:
                runs.append(run)
            else:
                runs[-1].log_weight = log_sum([runs[-1].log_weight, run.log_weight])
        self.runs = runs

    def mean(self, run: Run) -> float:
        if self.model == "bernoulli":
            return (ONES + run.n * run.mean) / (2 * ONES + run.n)
        return run.n * run.mean / (KAPPA + run.n)


TRIAL = Trial(
    twin=Bocpd,
    settings=(
        {"warm_up": 60, "resolution": 4, "longest": 40},
        {"model": "normal", "warm_up": 30, "expected_run": 200.0, "threshold": 0.9, "resolution": 2},
        {"model": "bernoulli", "expected_run": 100.0, "threshold": 0.95, "longest": 30, "resolution": 50},
    ),
    often={"warm_up": 40, "expected_run": 100.0, "threshold": 0.8, "resolution": 2, "longest": 20},
    length=240,
)
