"""What comparing a window with its baseline costs: µs per series, ours beside SciPy's on the values themselves.

``python -m bench.distances`` compares windows of 500 values with baselines of 5,000, 200 series at once, in the 130
cells of a quantile layout or in 20 groups; SciPy is handed one pair of samples, or of histograms, after the other. Both
give a p-value where they have one. CPU time of the best of the rounds, which alternate, and the median behind it.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import spatial, stats

from detectors.distance import DISTANCES, coarsen, grouped
from detectors.distance.compare import compare
from detectors.sketch import quantile_layout

Array = NDArray[Any]
SERIES, BASELINE, WINDOW, TIMES = 200, 5_000, 500, 5
PEERS = 10
"""Series that SciPy is given: it takes long."""

SAMPLES: dict[str, Callable[[Array, Array], Any]] = {
    "ks": lambda a, b: stats.ks_2samp(a, b, method="asymp"),
    "cramer_von_mises": lambda a, b: stats.cramervonmises_2samp(a, b, method="asymptotic"),
    "anderson_darling": lambda a, b: stats.anderson_ksamp([a, b]),
    "energy": stats.energy_distance,
    "wasserstein": stats.wasserstein_distance,
}
"""What SciPy does with two samples."""

HISTOGRAMS: dict[str, Callable[[Array, Array], Any]] = {
    "psi": lambda p, q: stats.entropy(p + 0.5, q + 0.5) + stats.entropy(q + 0.5, p + 0.5),
    "jensen_shannon": lambda p, q: spatial.distance.jensenshannon(p, q, base=2),
    "kl": lambda p, q: stats.entropy(q + 0.5, p + 0.5),
    "total_variation": lambda p, q: spatial.distance.cityblock(p / p.sum(), q / q.sum()) / 2,
    "l_infinity": lambda p, q: spatial.distance.chebyshev(p / p.sum(), q / q.sum()),
    "hellinger": lambda p, q: spatial.distance.euclidean(np.sqrt(p / p.sum()), np.sqrt(q / q.sum())),
    "chi_squared": lambda p, q: stats.chi2_contingency(np.stack((p, q)), correction=False),
    "g_test": lambda p, q: stats.chi2_contingency(np.stack((p, q)), correction=False, lambda_="log-likelihood"),
}
"""What SciPy does with two histograms."""


def measured(rounds: int) -> dict[str, dict[str, float]]:
    """Best and median µs per series, ours and SciPy's, by distance."""
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(PEERS, BASELINE)), rng.normal(size=(PEERS, WINDOW))
    layout = quantile_layout(rng.normal(size=100_000))
    places = np.clip(layout.midpoint(np.arange(layout.cells)), -5, 5)
    shares = np.bincount(layout.ids(rng.normal(size=100_000)), minlength=layout.cells) / 100_000
    fine = rng.multinomial(BASELINE, shares, SERIES), rng.multinomial(WINDOW, shares, SERIES)
    groups = coarsen(fine[0].sum(axis=0))
    coarse = grouped(fine[0], groups), grouped(fine[1], groups)
    occupied = coarse[0].all(axis=0)  # SciPy refuses a cell that is empty on both sides
    coarse = coarse[0][:, occupied], coarse[1][:, occupied]
    rates = fine[0][:, :2] + 1, fine[1][:, :2] + 1
    found = {}
    for name, distance in DISTANCES.items():
        counts = rates if distance.is_rate else fine if distance.is_fine else coarse
        ours, theirs = _rounds(
            lambda n=name, c=counts: compare(n, c[0], c[1], places if c is fine else None),  # type: ignore[misc]
            _peer(name, before, after, coarse),
            rounds,
        )
        found[name] = {"best": min(ours) / SERIES, "median": median(ours) / SERIES}
        if theirs:
            found[name] |= {"scipy_best": min(theirs) / PEERS, "scipy_median": median(theirs) / PEERS}
    return found


def _peer(name: str, before: Array, after: Array, coarse: tuple[Array, Array]) -> Callable[[], object] | None:
    if name in SAMPLES:
        return lambda: [SAMPLES[name](a, b) for a, b in zip(before, after, strict=True)]
    if name in HISTOGRAMS:
        return lambda: [HISTOGRAMS[name](p, q) for p, q in zip(coarse[0][:PEERS], coarse[1][:PEERS], strict=True)]
    return None


def _rounds(
    ours: Callable[[], object], theirs: Callable[[], object] | None, rounds: int
) -> tuple[list[float], list[float]]:
    """µs of CPU time of each round; the first, which may compile, does not count."""
    spent: tuple[list[float], list[float]] = ([], [])
    for round_ in range(rounds + 1):
        for times, work in zip(spent, (ours, theirs), strict=True):
            if work is None:
                continue
            start = time.process_time_ns()
            for _ in range(TIMES):
                work()
            if round_:
                times.append((time.process_time_ns() - start) / TIMES / 1_000)
    return spent


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each distance, and all of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.distances", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of p-values that SciPy's tables do not reach
        found = measured(options.rounds)
    print(f"{'µs per series':20}{'ours':>10}{'(median)':>10}{'SciPy':>12}{'(median)':>12}{'ratio':>9}")
    for name, of in found.items():
        line = f"{name:20}{of['best']:10.2f}{of['median']:10.2f}"
        if "scipy_best" in of:
            ratio = of["scipy_best"] / of["best"]
            line += f"{of['scipy_best']:12.1f}{of['scipy_median']:12.1f}{ratio:8.0f}×"
        print(line)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
