"""Pairs of counts on which distances are compared with oracles: random ones, and those that break formulas."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]

ADVERSARIAL: list[tuple[list[int], list[int]]] = [
    ([1, 0], [0, 1]),
    ([5, 0], [5, 0]),
    ([5, 0], [0, 3]),
    ([0, 0, 4, 0], [0, 0, 1, 0]),
    ([1, 1, 1, 1], [1, 0, 0, 0]),
    ([300, 0, 0, 0], [299, 0, 0, 1]),
    ([0, 9, 0, 9, 0], [9, 0, 9, 0, 9]),
    ([200, 1, 1, 1, 1], [1, 1, 1, 1, 200]),
    ([1000, 1], [1, 1]),
    ([0, 0, 0, 0, 7, 8], [7, 8, 0, 0, 0, 0]),
]


def pairs(count: int = 50) -> Iterator[tuple[Counts, Counts]]:
    """Yield one row of counts for each side: ``count`` random pairs, and then the adversarial ones.

    Sizes go from one observation to some hundreds, cells from 2 to 40; a third has heavy ties and empty cells.
    """
    rng = np.random.default_rng(20)
    for i in range(count):
        cells = int(rng.integers(2, 40))
        shares = rng.dirichlet(np.full(cells, (0.1, 1.0, 20.0)[i % 3]))
        moved = rng.dirichlet(np.full(cells, 1.0)) if i % 2 else shares
        sizes = (int(rng.integers(1, 300)), int(rng.integers(1, 60)))
        yield rng.multinomial(sizes[0], shares)[None], rng.multinomial(sizes[1], moved)[None]
    for a, b in ADVERSARIAL:
        yield np.array([a]), np.array([b])


def without_ties(count: int = 50) -> Iterator[tuple[Counts, Counts]]:
    """Yield pairs of which each observation has a cell of its own."""
    rng = np.random.default_rng(21)
    for i in range(count):
        size = int(rng.integers(3, 200))
        chance = (0.5, 0.1, 0.9)[i % 3] if i % 2 else np.linspace(0.1, 0.9, size)
        current = (rng.random(size) < chance).astype(np.int64)
        current[:4] = (0, 1, 0, 1)[: min(4, size)]
        yield 1 - current[None], current[None]


def sample(counts: Counts, places: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
    """Return a row of counts as observations."""
    at = np.arange(counts.shape[1]) if places is None else places
    return np.repeat(np.asarray(at, dtype=np.float64), counts[0])
