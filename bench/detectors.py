"""Detectors: nanoseconds per observation, ours beside river's in the same run, so that the ratio means something.

Run with ``python -m bench.detectors``. Rounds of ours and river's alternate; the best round is the least disturbed by
other programs, the median shows how much the others were.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from river import drift

from detectors.bank import Bank
from detectors.drift import find

CASES: list[tuple[str, dict[str, Any], Callable[..., Any] | None]] = [
    ("adwin", {}, drift.ADWIN),
    ("adwin", {"clock": 1}, drift.ADWIN),
    ("page_hinkley", {}, drift.PageHinkley),
    ("cusum", {}, None),
]


def ours(name: str, params: dict[str, Any], x: np.ndarray[Any, Any], batch: int, series: int) -> Callable[[], None]:
    """Return a function that feeds `x`, in batches, to a bank of `series` series in random order."""
    bank = Bank(find(name), params, series=series)
    bank.compile()
    rows = np.random.default_rng(1).integers(0, series, len(x))
    cuts = range(0, len(x), batch)

    def run() -> None:
        for i in cuts:
            if series == 1:
                bank.update_one(0, x[i : i + batch])
            else:
                bank.update(rows[i : i + batch], x[i : i + batch])

    return run


def rivers(make: Callable[..., Any], params: dict[str, Any], x: list[float]) -> Callable[[], None]:
    """Return a function that feeds `x` to river's detector, as river's users do."""
    detector = make(**params)

    def run() -> None:
        for value in x:
            detector.update(value)

    return run


def time_ns(runs: list[Callable[[], None]], observations: int, rounds: int) -> list[list[float]]:
    """Return the nanoseconds per observation of each run in each round."""
    found: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, times in zip(runs, found, strict=True):
            start = time.perf_counter_ns()
            run()
            times.append((time.perf_counter_ns() - start) / observations)
    return found


def main() -> None:
    """Print a row for each detector and way to feed it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    n = options.observations
    x = np.random.default_rng(0).normal(0.5, 0.1, n)
    print("ns per observation, best (median) of", options.rounds, "rounds of", n)
    print(f"{'detector':28} {'one call':>16} {'batches of 1000':>16} {'100 series':>16} {'river':>18} {'ratio':>7}")
    for name, params, make in CASES:
        runs = [ours(name, params, x, n, 1), ours(name, params, x, 1000, 1), ours(name, params, x, n, 100)]
        runs += [rivers(make, params, x.tolist())] if make else []
        times = time_ns(runs, n, options.rounds)
        cells = [f"{min(t):.1f} ({median(t):.1f})" for t in times]
        label = name + "".join(f" {key}={value}" for key, value in params.items())
        ratio = f"{min(times[3]) / min(times[1]):.0f}x" if make else "-"
        peer = cells[3] if make else "-"
        print(f"{label:28} {cells[0]:>16} {cells[1]:>16} {cells[2]:>16} {peer:>18} {ratio:>7}")


if __name__ == "__main__":
    main()
