"""What it costs to learn a baseline: alarms in 100,000 observations in which nothing changes, by length of warm-up.

Run with ``python -m bench.warm_ups``. Every stream has 100,000 observations, and after an alarm the chart learns anew,
as it does by itself. In brackets is the 95 % interval of a Poisson count. The last columns are the mean delay, in
observations, after a change of the mean by so many standard deviations of Gaussian values, 2,000 observations after the
warm-up and not found within 3,000 counting as 3,000; trials with an alarm before the change are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from detectors.bank import Bank
from detectors.drift import find

STRETCH = 100_000
CHARTS = {"cusum": "warm_up", "ewma": "warm_up", "page_hinkley": "min_instances", "gma": "min_instances"}
WARM_UPS = (30, 100, 300, 1000)
SIZES = (0.5, 1.0, 2.0)


def streams(rng: np.random.Generator) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield a stretch of each distribution with its name."""
    yield "Gaussian", rng.normal(0.0, 1.0, STRETCH)
    yield "uniform", rng.random(STRETCH)
    yield "exponential", rng.exponential(1.0, STRETCH)
    yield "Student-t(3)", rng.standard_t(3, STRETCH)
    yield "Bernoulli(0.2)", (rng.random(STRETCH) < 0.2).astype(np.float64)


def false_alarms(name: str, params: dict[str, Any], stretches: int) -> dict[str, int]:
    """Return the number of alarms by distribution."""
    found: dict[str, int] = {}
    for seed in range(stretches):
        for stream, x in streams(np.random.default_rng(seed)):
            drifts = Bank(find(name), params, series=1).update_one(0, x).drifts()
            found[stream] = found.get(stream, 0) + len(drifts)
    return found


def delay(name: str, params: dict[str, Any], warm_up: int, size: float, trials: int) -> float:
    """Return the mean delay of the first alarm after a change."""
    at, found = warm_up + 2000, []
    for seed in range(trials):
        x = np.random.default_rng(seed).normal(0.0, 1.0, at + 3000)
        x[at:] += size
        drifts = Bank(find(name), params, series=1).update_one(0, x).drifts()
        if not (drifts < at).any():
            found.append(int(drifts[0]) - at + 1 if len(drifts) else 3000)
    return float(np.mean(found))


def interval(count: int, stretches: int) -> str:
    """Return the rate per stretch and its 95 % interval."""
    low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(0.975, 2 * count + 2) / 2
    return f"{count / stretches:.2f} ({low / stretches:.2f}-{high / stretches:.2f})"


def main() -> None:
    """Print a row for each chart and length of warm-up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stretches", type=int, default=100)
    parser.add_argument("--trials", type=int, default=400)
    options = parser.parse_args()
    names = [name for name, _ in streams(np.random.default_rng(0))]
    print(f"{'':22}" + "".join(f"{name:>19}" for name in names) + "".join(f"{f'+{size} sd':>10}" for size in SIZES))
    for chart, parameter in CHARTS.items():
        for warm_up in WARM_UPS:
            params = {parameter: warm_up}
            alarms = false_alarms(chart, params, options.stretches)
            delays = [delay(chart, params, warm_up, size, options.trials) for size in SIZES]
            cells = "".join(f"{interval(alarms[name], options.stretches):>19}" for name in names)
            print(f"{chart:14} {warm_up:7}" + cells + "".join(f"{value:10.1f}" for value in delays), flush=True)


if __name__ == "__main__":
    main()
