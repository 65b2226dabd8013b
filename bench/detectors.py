"""What detectors and scorers cost: nanoseconds per observation and bytes per series, ours beside the peers' in one run.

``python -m bench.detectors`` prints, for every change detector and every scorer of anomalies in our tables:

* *100 in turn*: a batch of observations of 100 series that take turns, as in the loop of MOA; the target is for this.
* *100 at random*: the same in random order, in which the processor cannot foresee what comes.
* *one series*: a batch of one series' observations.
* *Online*: one observation after another, and beside it river's detector, fed the same way, in rounds that alternate.
* CapyMOA, fed from Python, if it is installed beside Leeway (it is no dependency).
* MOA and frouros in their own loops, in processes of their own, over 100 and 10 series; MOA when its machine is warm.
* *memory*: what a thousand more series take, measured, divided by a thousand.

Numbers are the best of the rounds, which other programs disturbed least, and the median behind it. Observations are
N(0.5, 0.1), for detectors of errors 0/1 with 20 % ones; rows for scorers of vectors have 10 numbers, of one series.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.counterparts import (
    FROUROS_TWINS,
    MOA_TWINS,
    RIVER_SCORERS,
    capymoa_ns,
    frouros_ns,
    moa_ns,
    river_ns,
    river_scores_ns,
    rivers,
)
from detectors.anomaly import SCORERS, AnomalyBank
from detectors.bank import Bank
from detectors.drift import DETECTORS
from detectors.online import Online
from tests.services.cache import UnavailableError
from tests.services.peers import Frouros, Moa

Array = NDArray[Any]
SERIES, NUMBERS = 100, 10
WARM_UP = 3000
"""Observations of each series before any is timed: by then every detector has learned what is usual and judges."""
BATCHES = 10
"""How many batches of change detectors are timed together, as long as the loop of MOA."""
OTHER_FORMS: dict[str, list[dict[str, Any]]] = {
    "adwin": [{"clock": 1}],
    "ddm": [{"direction": "up"}],
    "eddm": [{"direction": "up"}],
    "rddm": [{"direction": "up"}],
}
"""What is measured besides the defaults; peers look for rates of errors that rise, ours for those that fall, too."""
TARGETS_NS = {
    "adwin": 20,
    "adwin clock=1": 330,
    "cusum": 6,
    "ddm": 6,
    "ddm direction=up": 6,
    "ecdd": 15,
    "eddm": 4,
    "eddm direction=up": 4,
    "ewma": 6,
    "gma": 6,
    "half_space_trees": 2600,
    "hddm_a": 30,
    "hddm_w": 30,
    "kswin": 500,
    "page_hinkley": 6,
    "rddm": 8,
    "rddm direction=up": 8,
    "stepd": 15,
}
"""Nanoseconds per observation over 100 series that are asked of the batch path."""
TARGETS_BYTES = {"adwin": 4300}
ONLINE_RATIO = 2.0
"""How much slower than river one observation at a time may be."""


@dataclass
class Cost:
    """What is found out about one detector or scorer; times in nanoseconds, a number for each round."""

    label: str
    scorer: bool
    memory_bytes: float
    times: dict[str, list[float]] = field(default_factory=dict)

    def best(self, way: str) -> float | None:
        """The best round, or None if nothing was measured."""
        return min(self.times[way]) if self.times.get(way) else None

    def ratio(self) -> float | None:
        """How many times river's time ours takes, one observation after another."""
        mine, rivers_ = self.best("online"), self.best("river")
        return mine / rivers_ if mine and rivers_ else None


def cpu_ns(work: Callable[[], object], observations: int) -> float:
    """Return the CPU nanoseconds per observation that `work` takes."""
    start = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - start) / observations


def observations(domain: str, n: int, seed: int = 0) -> Array:
    """Return observations that the detectors of a domain are made for, in which nothing changes."""
    rng = np.random.default_rng(seed)
    if domain == "binary":
        return (rng.random(n) < 0.2).astype(np.float64)
    return rng.normal(0.5, 0.1, n).clip(0.0, 1.0)


def detector_cost(name: str, params: dict[str, Any], n: int, rounds: int) -> Cost:
    """Measure one of our change detectors, and river's beside it."""
    detector = DETECTORS[name]
    x = observations(detector.domain, n)
    turns, rows = np.arange(n) % SERIES, np.random.default_rng(1).integers(0, SERIES, n)
    many, one = Bank(detector, params, SERIES), Bank(detector, params, 1)
    online, peer = Online(name, **params), rivers(name, params)
    few = x[:2000].tolist()
    early = observations(detector.domain, WARM_UP * SERIES, seed=2)
    many.update(np.arange(WARM_UP * SERIES) % SERIES, early)
    one.update_one(0, early[:WARM_UP])
    for value in early[:WARM_UP].tolist():
        online.update(value)
    cost = Cost(_label(name, params), False, bytes_per_series(lambda k: Bank(detector, params, k)))
    ways: dict[str, Callable[[], float]] = {
        "many": lambda: cpu_ns(lambda: [many.update(turns, x) for _ in range(BATCHES)], BATCHES * n),
        "random": lambda: cpu_ns(lambda: [many.update(rows, x) for _ in range(BATCHES)], BATCHES * n),
        "one": lambda: cpu_ns(lambda: [one.update_one(0, x) for _ in range(BATCHES)], BATCHES * n),
        "online": lambda: cpu_ns(lambda: [online.update(value) for value in few], len(few)),
    }
    if peer is not None:
        ways["river"] = lambda: river_ns(peer, few)
    _in_turn(cost, ways, rounds)
    return cost


def scorer_cost(name: str, n: int, rounds: int) -> Cost:
    """Measure one of our scorers of anomalies, and river's beside it."""
    scorer = SCORERS[name]
    dimension = NUMBERS if scorer.vectors else 1
    n = n // 5 if scorer.vectors else n
    x = observations("unit", n * dimension).reshape(n, dimension)
    bank = AnomalyBank(scorer, series=1 if scorer.vectors else SERIES, dimension=dimension)
    turns, rows = np.arange(n) % len(bank), np.random.default_rng(1).integers(0, len(bank), n)
    early = WARM_UP * len(bank)
    bank.update(np.arange(early) % len(bank), observations("unit", early * dimension, 2).reshape(early, dimension))
    memory = bytes_per_series(lambda k: AnomalyBank(scorer, series=k, dimension=dimension), 20)
    cost = Cost(name, True, memory)
    ways: dict[str, Callable[[], float]] = {
        "one" if scorer.vectors else "many": lambda: cpu_ns(lambda: bank.update(turns, x), n)
    }
    if not scorer.vectors:
        ways["random"] = lambda: cpu_ns(lambda: bank.update(rows, x), n)
    if name in RIVER_SCORERS:
        peer = RIVER_SCORERS[name](scorer.values())
        ways["river"] = lambda: river_scores_ns(peer, x)
    _in_turn(cost, ways, rounds)
    return cost


def _in_turn(cost: Cost, ways: dict[str, Callable[[], float]], rounds: int) -> None:
    """Measure every way once in each round; a round before them, which may compile and warm up, does not count."""
    for number in range(rounds + 1):
        for way, measure in ways.items():
            spent = measure()
            if number:
                cost.times.setdefault(way, []).append(spent)


def bytes_per_series(make: Callable[[int], object], series: int = 1000) -> float:
    """Return what memory a series more takes, as the interpreter's tracer of allocations sees it."""
    make(0)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    made = make(series)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del made
    return (after - before) / series


def _label(name: str, params: dict[str, Any]) -> str:
    return name + "".join(f" {key}={value}" for key, value in params.items())


def measured(options: argparse.Namespace) -> Iterator[Cost]:
    """Measure everything, or what is named."""
    cases: list[tuple[str, dict[str, Any]]] = []
    for name in DETECTORS:
        cases += [(name, params) for params in ({}, *OTHER_FORMS.get(name, ()))]
    with ExitStack() as stack:
        moa = stack.enter_context(Moa(for_load=True)) if options.peers else None
        frouros = stack.enter_context(Frouros()) if options.peers else None
        for name, params in cases:
            if options.only and name not in options.only:
                continue
            cost = detector_cost(name, params, options.observations, options.rounds)
            x = observations(DETECTORS[name].domain, options.observations)
            if moa and name in MOA_TWINS and not params:
                cost.times["moa"] = moa_ns(moa, name, x)
            if frouros and name in FROUROS_TWINS and not params:
                cost.times["frouros"] = frouros_ns(frouros, name, x)
            if not params and (found := capymoa_ns(name, x[:5000].tolist())):
                cost.times["capymoa"] = found
            yield cost
        for name, scorer in SCORERS.items():
            if options.only and name not in options.only:
                continue
            cost = scorer_cost(name, options.observations, options.rounds)
            if moa and name == "half_space_trees":
                values = scorer.values()
                same = {"windowSize": values["window"], "numberOfTrees": values["trees"], "maxDepth": values["depth"]}
                rows = observations("unit", 2000 * NUMBERS).reshape(-1, NUMBERS)
                cost.times["moa"] = moa.time_scores_ns({key: int(value or 0) for key, value in same.items()}, rows)[5:]
            yield cost


WAYS = {
    "many": "100 in turn",
    "random": "100 at random",
    "one": "one series",
    "online": "Online",
    "river": "river",
    "moa": "MOA",
    "frouros": "frouros",
    "capymoa": "CapyMOA",
}


def lines(costs: Sequence[Cost]) -> Iterator[str]:
    """Yield the table as text."""
    head = "".join(f"{title:>17}" for title in WAYS.values())
    yield f"{'ns per observation, best (median)':34}{head}{'Online/river':>14}{'memory':>10}  target"
    for cost in costs:
        cells = "".join(f"{_cell(cost.times.get(way)):>17}" for way in WAYS)
        ratio = cost.ratio()
        shown = f"{ratio:.2f}" if ratio else "-"
        yield f"{cost.label:34}{cells}{shown:>14}{_bytes(cost.memory_bytes):>10}  {'; '.join(verdicts(cost)) or '-'}"


def verdicts(cost: Cost) -> Iterator[str]:
    """Yield each target that there is, and whether it is met by the best round."""
    name = cost.label.split()[0]
    if cost.label in TARGETS_NS:
        # Scorers of vectors have so much state that they are measured on one series.
        best = cost.best("many") or cost.best("one") or 0.0
        met = best <= TARGETS_NS[cost.label]
        yield f"≤ {TARGETS_NS[cost.label]} ns {'met' if met else 'MISSED'}"
    ratio = cost.ratio()
    if ratio is not None:
        yield f"≤ {ONLINE_RATIO:g} x river {'met' if ratio <= ONLINE_RATIO else 'MISSED'}"
    if name in TARGETS_BYTES:
        met = cost.memory_bytes <= TARGETS_BYTES[name]
        yield f"≤ {TARGETS_BYTES[name]} B {'met' if met else 'MISSED'}"


def _cell(times: list[float] | None) -> str:
    return f"{_short(min(times))} ({_short(median(times))})" if times else "-"


def _short(ns: float) -> str:
    return f"{ns:.1f}" if ns < 100 else f"{ns:.0f}" if ns < 1e6 else f"{ns:.3g}"


def _bytes(size: float) -> str:
    return f"{size:.0f} B" if size < 1e4 else f"{size / 1e3:.0f} kB"


def as_json(costs: Sequence[Cost]) -> dict[str, Any]:
    """Return everything that was measured, and the targets with it."""
    return {
        cost.label: {
            "memory_bytes": round(cost.memory_bytes),
            "best_ns": {way: round(min(times), 2) for way, times in cost.times.items()},
            "median_ns": {way: round(median(times), 2) for way, times in cost.times.items()},
            "targets": list(verdicts(cost)),
        }
        for cost in costs
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*DETECTORS, *SCORERS], default=[], metavar="NAME")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="without MOA and frouros")
    parser.add_argument("--observations", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the same JSON, for the pages of detectors")
    options = parser.parse_args(arguments)
    try:
        costs = list(measured(options))
    except UnavailableError as error:
        print(f"{error}\nWithout them: --no-peers", file=sys.stderr)
        return 1
    found = as_json(costs)
    if options.write:
        options.write.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(found) if options.json else "\n".join(lines(costs)))
    if not options.json:
        print(json.dumps(found))  # the last line, which `python -m bench --json` collects
    return 0


if __name__ == "__main__":
    sys.exit(main())
