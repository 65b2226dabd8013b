"""Scorers of single numbers: what an observation costs, how often an ordinary one is an anomaly, and what is found.

``python -m bench.scorers`` prints, for each of ours, CPU nanoseconds per observation over 100 interleaved series, once
for the score alone and once with its level; bytes per series; anomalies per 100,000 ordinary observations of five
distributions at the default rate of one in 100,000; and in which share of streams a value is found that lies some
standard deviations out, after 12,000 normal ones. river's scorers, which give no level, stand beside with their cost.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import anomaly, time_series

from detectors.anomaly import SCORERS, AnomalyBank
from detectors.anomaly.levels import LEVEL_FIELDS, LEVEL_WIDTH

__all__ = ["main"]

Array = NDArray[np.float64]
SERIES = 100
FAR_SD = (5, 7, 10)
ORDINARY: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "student 3": lambda rng, n: rng.standard_t(3, n),
    "counts": lambda rng, n: rng.poisson(5.0, n).astype(np.float64),
}
RIVERS: dict[str, Callable[[], Any]] = {
    "river GaussianScorer": anomaly.GaussianScorer,
    "river StandardAbsoluteDeviation": anomaly.StandardAbsoluteDeviation,
    "river PredictiveAnomalyDetection": lambda: anomaly.PredictiveAnomalyDetection(
        time_series.HoltWinters(0.1, 0.01, 0.1, 24)
    ),
}


def costs_ns(name: str, n: int, rounds: int) -> tuple[float, float]:
    """Return what an observation costs without and with its level, in the best of some rounds, warmed up."""
    scorer = SCORERS[name]
    bank, values = AnomalyBank(scorer, series=SERIES), scorer.values()
    series, x = np.arange(n) % SERIES, np.random.default_rng(0).normal(size=n)
    state, memory = np.zeros(SERIES, dtype=scorer.dtype), np.zeros((SERIES, scorer.memory_width(values, 1)))
    params, column, score = scorer.encode(values), x.reshape(-1, 1), np.empty(n)
    alone, leveled = [], []
    for _ in range(rounds + 1):
        start = time.process_time_ns()
        scorer.update(state, memory, params, series, column, score)
        middle = time.process_time_ns()
        bank.update(series, x)
        alone.append(middle - start)
        leveled.append(time.process_time_ns() - middle)
    return min(alone[1:]) / n, min(leveled[1:]) / n


def river_ns(make: Callable[[], Any], n: int = 5_000) -> float:
    """Return what an observation costs river: one scorer, one observation after another."""
    scorer, values = make(), np.random.default_rng(0).normal(size=n + 100).tolist()
    for value in values[:100]:
        scorer.learn_one(None, value)
    start = time.process_time_ns()
    for value in values[100:]:
        scorer.score_one(None, value)
        scorer.learn_one(None, value)
    return (time.process_time_ns() - start) / n


def anomalies(name: str, x: Array) -> NDArray[np.bool_]:
    """Return which of one series are anomalies, with the defaults."""
    return AnomalyBank(SCORERS[name], series=1).update(np.zeros(len(x), dtype=np.int64), x).flag


def false_alarms(name: str, n: int, seeds: int) -> dict[str, float]:
    """Return the anomalies per 100,000 ordinary observations, by distribution."""
    return {
        shape: sum(anomalies(name, draw(np.random.default_rng(seed), n)).sum() for seed in range(seeds))
        * 1e5
        / (n * seeds)
        for shape, draw in ORDINARY.items()
    }


def found_shares(name: str, streams: int, n: int = 12_000) -> dict[int, float]:
    """Return the share of streams of `n` normal values of which the last, so many sd out, is found."""
    shares = {}
    for far in FAR_SD:
        found = 0
        for seed in range(streams):
            x = np.random.default_rng(seed).normal(size=n)
            x[-1] = far
            found += int(anomalies(name, x)[-1])
        shares[far] = found / streams
    return shares


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each scorer, and at last all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200_000, help="observations of a stream")
    parser.add_argument("--seeds", type=int, default=3, help="how many streams of each kind")
    parser.add_argument("--streams", type=int, default=30, help="how many to look for one odd value in")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {}
    titles = (*ORDINARY, *(f"{far} sd" for far in FAR_SD))
    print(f"{'':33}{'ns':>8}{'+ level':>9}{'bytes':>8}" + "".join(f"{title:>12}" for title in titles))
    for name in (name for name, scorer in SCORERS.items() if not scorer.vectors):
        scorer = SCORERS[name]
        alone, leveled = costs_ns(name, options.n, options.rounds)
        size = scorer.dtype.itemsize + 8 * (scorer.memory_width(scorer.values(), 1) + LEVEL_WIDTH + len(LEVEL_FIELDS))
        alarms, shares = false_alarms(name, options.n, options.seeds), found_shares(name, options.streams)
        found[name] = {"ns": alone, "ns_leveled": leveled, "bytes": size, "alarms": alarms, "found": shares}
        cells = "".join(f"{value:12.2f}" for value in (*alarms.values(), *shares.values()))
        print(f"{name:33}{alone:8.0f}{leveled:9.0f}{size:8,}{cells}", flush=True)
    for name, make in RIVERS.items():
        found[name] = {"ns": river_ns(make)}
        print(f"{name:33}{found[name]['ns']:8,.0f}", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
