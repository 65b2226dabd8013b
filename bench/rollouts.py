"""Verdicts on rollouts: how often they are wrong, and how soon they come, beside a test that looks once.

``python -m bench.rollouts`` simulates rollouts of which the verdict is asked after every pane, over four times the
events that a one-sided z-test needs that looks once, at the end, and promotes a candidate as good as the champion with
a probability of 0.9. Both versions' levels follow the hour of the day.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from detectors.sequential import Arm, Strata, mean_evidence, rate_evidence

Floats = NDArray[np.float64]

LEVEL, POWER = 0.05, 0.9
PANES, LOOKS = 100, 4
"""Panes in the events of the test that looks once, and over how many times as many a rollout lasts."""

TRUTHS = {"no difference": 0.0, "worse by max_loss": -1.0, "clearly better": 1.0, "clearly worse": -2.0}
"""By how much the candidate is better, in units of what it may lose."""

SHARES = (0.5, 0.1)
"""Of the events, the candidate's."""

DAY_PANES = 24
AT_ONCE = 50


@dataclass(frozen=True)
class Metric:
    """What versions are compared by.

    Attributes
    ----------
    name : str
    evidence : callable
    max_loss, deviation : float
        What the candidate may lose, and the standard deviation of an observation.
    draw : callable
        From a generator, how many there are in each pane, by how much they are better, and the hour's factor, to sums.
    """

    name: str
    evidence: Any
    max_loss: float
    deviation: float
    draw: Callable[[np.random.Generator, NDArray[np.int64], float, Floats], Arm]

    @property
    def fixed(self) -> float:
        """Observations that count, ``n m / (n + m)``, of the test that looks once."""
        quantile = NormalDist().inv_cdf
        return float(((quantile(1 - LEVEL) + quantile(POWER)) * self.deviation / self.max_loss) ** 2)


def rates(rate: float) -> Callable[[np.random.Generator, NDArray[np.int64], float, Floats], Arm]:
    """Return what draws successes at a rate."""

    def draw(rng: np.random.Generator, n: NDArray[np.int64], gain: float, hour: Floats) -> Arm:
        ones = rng.binomial(n, rate * (1 + 0.5 * hour) + gain).astype(np.float64)
        return Arm(n.astype(np.float64), ones, ones)

    return draw


def normal(rng: np.random.Generator, n: NDArray[np.int64], gain: float, hour: Floats) -> Arm:
    """Draw sums of normal observations of variance 1."""
    events = n.astype(np.float64)
    total = rng.normal(size=n.shape) * np.sqrt(events)
    centred = rng.chisquare(np.maximum(n - 1, 1)) * (n > 1)
    mean = gain + hour
    return Arm(
        events, total + events * mean, centred + total**2 / np.maximum(n, 1) + mean * (2 * total + mean * events)
    )


def log_normal(rng: np.random.Generator, n: NDArray[np.int64], gain: float, hour: Floats) -> Arm:
    """Draw sums of log-normal observations whose logarithm has the variance 1."""
    events = n.astype(np.float64)
    starts = np.concatenate([[0], np.cumsum(n.ravel())[:-1]])
    x = np.exp(rng.normal(size=int(n.sum()))) + np.repeat((gain + hour * np.ones(n.shape)).ravel(), n.ravel())
    # The last empty panes have nowhere to begin, and empty ones would get their neighbour's first value.
    sums = [np.add.reduceat(np.append(values, 0.0), starts).reshape(n.shape) * (n > 0) for values in (x, x * x)]
    return Arm(events, sums[0], sums[1])


LOG_NORMAL_DEVIATION = math.sqrt((math.e - 1) * math.e)
METRICS = (
    Metric("rate of 1 %", rate_evidence, 0.002, math.sqrt(0.01 * 0.99), rates(0.01)),
    Metric("rate of 30 %", rate_evidence, 0.02, math.sqrt(0.3 * 0.7), rates(0.3)),
    Metric("normal", mean_evidence, 0.05, 1.0, normal),
    Metric("log-normal", mean_evidence, 0.05 * LOG_NORMAL_DEVIATION, LOG_NORMAL_DEVIATION, log_normal),
)


@dataclass(frozen=True)
class Verdicts:
    """After how many panes rollouts were promoted, or rolled back; 0: never."""

    promoted: NDArray[np.int64]
    rolled_back: NDArray[np.int64]


def simulate(metric: Metric, share: float, gain: float, rollouts: int, seed: int) -> Verdicts:
    """Return the first verdict of each rollout."""
    rng = np.random.default_rng((16, seed))
    events = metric.fixed / PANES / (share * (1 - share))
    hour = np.sin(np.arange(PANES * LOOKS) * 2 * math.pi / DAY_PANES)
    first: list[list[NDArray[np.int64]]] = [[], []]
    for begin in range(0, rollouts, AT_ONCE):
        shape = (min(AT_ONCE, rollouts - begin), PANES * LOOKS)
        candidate = metric.draw(rng, rng.poisson(events * share, shape), gain, hour)
        champion = metric.draw(rng, rng.poisson(events * (1 - share), shape), 0.0, hour)
        strata = Strata(candidate, champion)
        promoted = _first(metric.evidence(strata, -metric.max_loss, metric.max_loss))
        rolled_back = _first(metric.evidence(strata.swapped, metric.max_loss, metric.max_loss))
        is_first = (promoted > 0) & ((rolled_back == 0) | (promoted < rolled_back))
        first[0].append(np.where(is_first, promoted, 0))
        first[1].append(np.where(is_first, 0, rolled_back))
    return Verdicts(np.concatenate(first[0]), np.concatenate(first[1]))


def _first(evidence: Floats) -> NDArray[np.int64]:
    """Return after how many panes evidence is enough, 0 if it never is."""
    enough = evidence >= -math.log(LEVEL)
    return np.where(enough.any(axis=-1), enough.argmax(axis=-1) + 1, 0)


def row(metric: Metric, share: float, truth: str, rollouts: int, seed: int) -> dict[str, Any]:
    """Return one row of the table."""
    verdicts = simulate(metric, share, TRUTHS[truth] * metric.max_loss, rollouts, seed)
    counts = {"promoted": int((verdicts.promoted > 0).sum()), "rolled_back": int((verdicts.rolled_back > 0).sum())}
    panes = np.where(verdicts.promoted > 0, verdicts.promoted, verdicts.rolled_back)
    median = float(np.median(np.where(panes > 0, panes, math.inf)))
    events = metric.fixed / (share * (1 - share))
    return {
        "metric": metric.name,
        "share": share,
        "truth": truth,
        **{name: count / rollouts for name, count in counts.items()},
        **{f"{name}_at_most": upper_share(count, rollouts) for name, count in counts.items()},
        "median_events": median * events / PANES if math.isfinite(median) else None,
        "fixed_events": events,
    }


def upper_share(count: int, n: int) -> float:
    """Return the upper end of a one-sided 95 % confidence interval of a share (Clopper and Pearson 1934)."""
    return 1.0 if count == n else float(beta.ppf(0.95, count + 1, n - count))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and last all of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.rollouts", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=2_000)
    parser.add_argument("--only", choices=[metric.name for metric in METRICS], help="one metric")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print(f"{'metric':<14}{'share':>6}  {'truth':<18}{'promoted':>10}{'(≤)':>8}{'rolled back':>13}{'(≤)':>8}"
          f"{'median events':>15}{'looking once':>14}")  # fmt: skip
    rows = []
    for metric in (metric for metric in METRICS if options.only in (None, metric.name)):
        for share in SHARES:
            for truth in TRUTHS:
                rows.append(row(metric, share, truth, options.rollouts, options.seed))
                _print(rows[-1])
    print(json.dumps({"rollouts": options.rollouts, "level": LEVEL, "rows": rows}))


def _print(figures: dict[str, Any]) -> None:
    median = figures["median_events"]
    print(
        f"{figures['metric']:<14}{figures['share']:>6.0%}  {figures['truth']:<18}{figures['promoted']:>10.2%}"
        f"{figures['promoted_at_most']:>8.2%}{figures['rolled_back']:>13.2%}{figures['rolled_back_at_most']:>8.2%}"
        f"{'none' if median is None else f'{median:,.0f}':>15}{figures['fixed_events']:>14,.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
