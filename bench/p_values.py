"""How often p-values are small when nothing has changed: ``python -m bench.p_values``.

Draws baselines and windows of many sizes from the same shares, and counts p-values of at most 0.01, 0.001 and 0.0001,
as multiples of what they say: 1 is right, more is too sure. For `chi_squared` beside its limit, by which SciPy goes
(``chi2_contingency``), by sizes; then the largest multiple of each distance over all sizes and shares.

With ``--names`` it draws from 50, 500 and 5,000 names with equal shares and shares of Zipf's law, most of which a
baseline or a window lacks; and says how often a name is found that takes two events in a hundred and is new.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from detectors.distance import DISTANCES, coarsen_names, grouped
from detectors.distance.compare import compare
from detectors.distance.contract import GROUPED, NEW_NAMES

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

OF_NAMES = [name for name, distance in DISTANCES.items() if distance.reads in (GROUPED, NEW_NAMES)]
NAME_SIZES = ((1_000, 200), (1_000, 1_000), (1_000, 10_000), (10_000, 1_000), (100_000, 1_000), (100_000, 10_000))
NAMES = (50, 500, 5_000)
EXPONENTS = (0.0, 1.0, 1.2, 1.5)
NAME_LEVELS = LEVELS[:2]
NEW_SHARE, FOUND_AT = 0.02, 0.001


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


def multiples_of_names(windows: int) -> tuple[dict[str, dict[str, list[float]]], dict[str, dict[str, float]]]:
    """Return the largest multiples over shares of names, by distance and sizes, and the least share of finds."""
    largest: dict[str, dict[str, list[float]]] = {name: {} for name in OF_NAMES}
    least: dict[str, dict[str, float]] = {name: {} for name in OF_NAMES}
    for n, m in NAME_SIZES:
        sizes = f"{n:,} / {m:,}"
        for names in NAMES:
            for exponent in EXPONENTS:
                rng = np.random.default_rng((n, m, names, int(10 * exponent)))
                weights = np.arange(1.0, names + 1) ** -exponent
                shares = np.append(weights / weights.sum(), 0.0)
                moved = (1 - NEW_SHARE) * shares
                moved[-1] = NEW_SHARE
                for name, p_values in _of_names(rng, (n, shares), (m, shares), windows).items():
                    worst = largest[name].get(sizes, [0.0] * len(NAME_LEVELS))
                    found = [float((p_values <= level).mean() / level) for level in NAME_LEVELS]
                    largest[name][sizes] = [max(pair) for pair in zip(worst, found, strict=True)]
                for name, p_values in _of_names(rng, (n, shares), (m, moved), max(windows // 20, 1)).items():
                    least[name][sizes] = min(least[name].get(sizes, 1.0), float((p_values <= FOUND_AT).mean()))
    return largest, least


def _of_names(
    rng: np.random.Generator, baseline: tuple[int, Array], window: tuple[int, Array], windows: int
) -> dict[str, Array]:
    """P-values of all distances of names, of windows that were drawn with their baselines."""
    rows: list[tuple[Array, Array]] = []
    new: list[Array] = []
    for _ in range(windows):
        a, b = rng.multinomial(*baseline), rng.multinomial(*window)
        groups = coarsen_names(np.append(a + b, 0))
        rows.append((grouped(np.append(a, 0), groups), grouped(np.append(b, 0), groups)))
        new.append(compare("new_category", [np.append(0, a)], [np.append(0, b)]).p_value)
    sides = np.zeros((2, windows, max(a.size for a, _ in rows)), dtype=np.int64)
    for row, pair in enumerate(rows):
        sides[:, row, : pair[0].size] = pair
    found = {name: compare(name, *sides).p_value for name in OF_NAMES if DISTANCES[name].reads == GROUPED}
    return found | {"new_category": np.concatenate(new)}


def _print_names(windows: int) -> None:
    largest, least = multiples_of_names(windows)
    print(f"{'largest multiple':20}" + "".join(f"{sizes:>17}" for sizes in largest["psi"]) + "   least found of new")
    for name, of_sizes in largest.items():
        numbers = "".join(f"{'':3}" + "".join(f"{multiple:7.1f}" for multiple in of) for of in of_sizes.values())
        print(f"{name:20}{numbers}   " + " ".join(f"{share:.0%}" for share in least[name].values()))
    print(json.dumps({"multiples": largest, "found": least}))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables, and all of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.p_values", description=__doc__)
    parser.add_argument("--windows", type=int, default=0, help="100,000 of each, or 6,000 with --names")
    parser.add_argument("--names", action="store_true")
    options = parser.parse_args(arguments)
    if options.names:
        _print_names(options.windows or 6_000)
        return
    found = multiples(options.windows or 100_000)
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
