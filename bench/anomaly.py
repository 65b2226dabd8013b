"""Scorers of observations of several numbers: how well they rank what is odd, and what an observation costs.

``python -m bench.anomaly`` prints, for each of ours and for peers, nanoseconds per observation of 10 and of 30 numbers,
and for each of the streams of :mod:`bench.anomaly_sets` the area under the curve of true by false alarms (1 is perfect,
0.5 is chance), on average over `--seeds` streams. All learn as they go; what they score before 300 observations does
not count. Beside them:

* river's half-space trees, with limits from the first 250 observations, at depth 8 (at 15 they take seconds to build),
  and its LODA.
* scikit-learn's isolation forest, a batch method made to stream: it is fitted anew to each 250 observations.
* chance: scores that are drawn at random.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import anomaly
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from bench.anomaly_sets import QUIET, SETS
from detectors.anomaly import SCORERS, AnomalyBank

__all__ = ["area", "main"]

Array = NDArray[Any]
Score = Callable[[Array], Array]
WINDOW = 250


def ours(name: str) -> Score:
    """Return what scores a stream by the scorer of that name, with its defaults."""

    def score(x: Array) -> Array:
        bank = AnomalyBank(SCORERS[name], series=1, dimension=x.shape[1])
        return bank.update(np.zeros(len(x), dtype=np.int64), x).score

    return score


def rivers(make: Callable[[Array], Any]) -> Score:
    """Return what scores a stream by a scorer of river, one observation after another, as its users do."""

    def score(x: Array) -> Array:
        scorer, found = make(x), []
        for row in x.tolist():
            observation = dict(enumerate(row))
            found.append(scorer.score_one(observation))
            scorer.learn_one(observation)
        return np.array(found)

    return score


def half_space_trees(x: Array) -> Any:
    """Return river's trees with the limits of the first window."""
    limits: dict[Any, tuple[float, float]] = {q: (column.min(), column.max()) for q, column in enumerate(x[:WINDOW].T)}
    return anomaly.HalfSpaceTrees(n_trees=25, height=8, window_size=WINDOW, limits=limits, seed=1)


def isolation_forest(x: Array) -> Array:
    """Score each window by a forest of the one before."""
    found = np.full(len(x), np.nan)
    for start in range(WINDOW, len(x), WINDOW):
        forest = IsolationForest(random_state=1).fit(x[start - WINDOW : start])
        found[start : start + WINDOW] = -forest.score_samples(x[start : start + WINDOW])
    return found


def chance(x: Array) -> Array:
    """Score at random."""
    return np.random.default_rng(x[0].view(np.uint64)).random(len(x))


CONTENDERS: dict[str, Score] = {
    **{name: ours(name) for name, scorer in SCORERS.items() if scorer.vectors},
    "river HalfSpaceTrees": rivers(half_space_trees),
    "river LODA": rivers(lambda x: anomaly.LODA(seed=1)),
    "IsolationForest": isolation_forest,
    "chance": chance,
}


def area(score: Array, odd: Array) -> float:
    """Return the area under the curve of true by false alarms."""
    return float(roc_auc_score(odd[QUIET:], score[QUIET:]))


def cost_ns(score: Score, d: int, n: int, rounds: int) -> float:
    """Return the CPU nanoseconds per observation of `d` uniform numbers, once the first `n` have been seen."""
    x = np.random.default_rng(0).random((2 * n, d))
    score(x[:QUIET])
    return (best_ns(score, x, rounds) - best_ns(score, x[:n], rounds)) / n


def best_ns(score: Score, x: Array, rounds: int) -> int:
    """Return the CPU nanoseconds that scoring `x` takes in the best of some rounds."""
    spent = []
    for _ in range(rounds):
        start = time.process_time_ns()
        score(x)
        spent.append(time.process_time_ns() - start)
    return min(spent)


def measured(name: str, seeds: int, rounds: int) -> dict[str, Any]:
    """Return what a contender costs, and how it ranks."""
    score, is_ours = CONTENDERS[name], name in SCORERS
    n, rounds = (10_000, rounds) if is_ours else (1000, 1)
    areas = {label: mean(area(score(x), odd) for x, odd in map(make, range(seeds))) for label, make in SETS.items()}
    costs = {f"ns_{d}": cost_ns(score, d, n, rounds) for d in (10, 30)}
    return {**costs, "areas": areas, "mean": mean(areas.values())}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each contender, and at last all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="how many streams of each kind")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    options = parser.parse_args(arguments)
    found = {}
    print(f"{'':21}{'ns, 10':>11}{'ns, 30':>11}" + "".join(f"{label:>12}" for label in SETS) + f"{'mean':>8}")
    for name in options.only:
        row = found[name] = measured(name, options.seeds, options.rounds)
        areas = "".join(f"{value:12.3f}" for value in row["areas"].values())
        print(f"{name:21}{row['ns_10']:11,.0f}{row['ns_30']:11,.0f}{areas}{row['mean']:8.3f}", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
