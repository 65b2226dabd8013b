"""What folding costs: nanoseconds per value, best and median of a number of batches, beside plain NumPy.

Run with ``python -m bench.sketches``. The peer does the same job without Leeway: ``numpy.searchsorted`` and
``numpy.bincount`` per feature for numbers, ``collections.Counter`` per feature for names; neither tells rows apart.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from detectors.sketch import (
    CategoryFold,
    CategoryLayout,
    NumericFold,
    VectorFold,
    fourier_layout,
    moments_layout,
    quantile_layout,
    share_layout,
    universal_layout,
)

ROWS = 8
EVENTS = 8192
FEATURES = 20
BATCHES = 25

Measurement = tuple[str, float, float]


def measure(name: str, work: Callable[[], object], values: int) -> Measurement:
    """Return best and median nanoseconds per value; the first run, which may compile, does not count."""
    work()
    spent = []
    for _ in range(BATCHES):
        start = time.perf_counter()
        work()
        spent.append((time.perf_counter() - start) / values * 1e9)
    return name, min(spent), float(np.median(spent))


def numbers() -> Iterator[Measurement]:
    """Fold normal values of many features into rows at random."""
    rng = np.random.default_rng(0)
    x, rows = rng.normal(size=(FEATURES, EVENTS)), rng.integers(0, ROWS, EVENTS)
    quantile = quantile_layout(rng.normal(size=100_000))
    for layout in (quantile, share_layout(), universal_layout()):
        fold = NumericFold([layout] * FEATURES)
        fold.ensure(ROWS)
        yield measure(f"fold {layout.kind}", lambda fold=fold: fold.fold(rows, x), x.size)  # type: ignore[misc]
        fold.fold(rows, x)
        yield measure(f"read {layout.kind} (per summary)", lambda fold=fold: fold.peek(0), FEATURES)  # type: ignore[misc]
    yield measure(
        "numpy searchsorted + bincount",
        lambda: [np.bincount(np.searchsorted(quantile.edges, column, side="right")) for column in x],
        x.size,
    )


def names() -> Iterator[Measurement]:
    """Fold names of few, hundreds of and all different values."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, ROWS, EVENTS)
    known = tuple(f"name-{i}" for i in range(10))
    for title, distinct in (("10 names", 10), ("300 names", 300), ("ids", 10**9)):
        batches = [[f"name-{i}" for i in rng.integers(0, distinct, EVENTS)] for _ in range(BATCHES + 1)]
        fold = CategoryFold([CategoryLayout(known)])
        fold.ensure(ROWS)
        left = iter(batches)
        yield measure(f"fold {title}", lambda fold=fold, left=left: fold.fold(rows, [next(left)]), EVENTS)  # type: ignore[misc]
        yield measure(f"read {title} (per summary)", lambda fold=fold: fold.peek(0), 1)  # type: ignore[misc]
        yield measure(f"Counter {title}", lambda batch=batches[0]: Counter(batch), EVENTS)  # type: ignore[misc]


def vectors() -> Iterator[Measurement]:
    """Fold vectors of few and of many coordinates."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, ROWS, EVENTS // 8)
    for dimension in (10, 100):
        x = rng.normal(size=(len(rows), dimension))
        for title, layout in (("fourier", fourier_layout(x)), ("moments", moments_layout(x))):
            fold = VectorFold(layout)
            fold.ensure(ROWS)
            name = f"fold {title} of {dimension} (per vector)"
            yield measure(name, lambda fold=fold, x=x: fold.fold(rows, x), len(rows))  # type: ignore[misc]


def main() -> None:
    """Print a line for each measurement."""
    print(f"{'ns per value':34}{'best':>12}{'median':>12}")
    for group in (numbers, names, vectors):
        for name, best, median in group():
            print(f"{name:34}{best:12.1f}{median:12.1f}")


if __name__ == "__main__":
    main()
