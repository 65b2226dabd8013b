"""How often p-values are small when nothing has changed: ``python -m bench.p_values``.

Draws baselines and windows of many sizes from the same shares, and counts p-values of at most 0.01, 0.001 and 0.0001,
as multiples of what they say: 1 is right, more is too sure. For `chi_squared` beside its limit, by which SciPy goes
(``chi2_contingency``), by sizes; then the largest multiple of each distance over all sizes and shares.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from detectors.distance import DISTANCES
from detectors.distance.compare import compare
from detectors.distance.contract import GROUPED

Array = NDArray[Any]
LEVELS = (0.01, 0.001, 0.0001)
SIZES = (
    (336, 4),
    (336, 20),
    (1_000, 4),
    (1_000, 20),
    (1_000, 100),
    (10_000, 500),
    (1_000_000, 500),
    (20, 20),
    (100, 100),
    (20, 1_000),
)
CELLS = (3, 5, 20, 46)
SHARES: dict[str, Callable[[int], Array]] = {
    "equal": np.ones,
    "1/k": lambda cells: 1 / np.arange(1, cells + 1),
    "0.85^k": lambda cells: 0.85 ** np.arange(cells),
}
LIMIT = "chi-squared limit"


def trials(n: int, m: int, windows: int) -> Iterator[tuple[str, Array, Array]]:
    """Yield the shares, and baselines and windows that were drawn from them."""
    for cells in CELLS:
        for number, (name, weights) in enumerate(SHARES.items()):
            rng = np.random.default_rng((n, m, cells, number))
            shares = weights(cells) / weights(cells).sum()
            yield f"{name}, {cells} cells", rng.multinomial(n, shares, windows), rng.multinomial(m, shares, windows)


def multiples(windows: int) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Return how much more often than stated p-values are below each level, by distance, sizes and shares."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for n, m in SIZES:
        for shares, reference, current in trials(n, m, windows):
            for name in (LIMIT, *(name for name, distance in DISTANCES.items() if distance.reads == GROUPED)):
                p_values = _limit(reference, current) if name == LIMIT else compare(name, reference, current).p_value
                of_sizes = found.setdefault(name, {}).setdefault(f"{n:,} / {m:,}", {})
                of_sizes[shares] = [float((p_values <= level).mean() / level) for level in LEVELS]
    return found


def _limit(reference: Array, current: Array) -> Array:
    cells = ((reference + current) > 0).sum(axis=1)
    return np.asarray(stats.chi2.sf(compare("chi_squared", reference, current).statistic, cells - 1))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables, and all of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.p_values", description=__doc__)
    parser.add_argument("--windows", type=int, default=100_000)
    found = multiples(parser.parse_args(arguments).windows)
    print(f"{'largest multiple':20}{LIMIT:>30}{'chi_squared':>30}")
    print(f"{'baseline / window':20}" + "".join(f"{level:>10}" for level in LEVELS * 2))
    for sizes in found[LIMIT]:
        worst = [*_largest([found[LIMIT][sizes]]), *_largest([found["chi_squared"][sizes]])]
        print(f"{sizes:20}" + "".join(f"{multiple:10.1f}" for multiple in worst))
    print(f"\n{'over all sizes':20}" + "".join(f"{level:>10}" for level in LEVELS))
    for name, by_sizes in found.items():
        print(f"{name:20}" + "".join(f"{multiple:10.1f}" for multiple in _largest(list(by_sizes.values()))))
    print(json.dumps(found))


def _largest(by_shares: Sequence[dict[str, list[float]]]) -> list[float]:
    return [max(of[i] for group in by_shares for of in group.values()) for i in range(len(LEVELS))]


if __name__ == "__main__":
    main()
