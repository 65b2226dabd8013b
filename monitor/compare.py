"""A window beside its baseline: the matrices that distances take, and which numbers they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.chart.kernels import GROUPS
from detectors.distance import coarsen, coarsen_names, find, grouped, spread
from detectors.sketch import CategorySummary, NumericLayout, NumericSummary
from detectors.sketch.category_summary import name_hash
from monitor.watch import Layout, Summary

__all__ = ["FINE", "RATES", "Measured", "Pair", "measure", "pairs_of", "unseen"]

FINE = ("ks", "wasserstein")
"""Distances that use every cell."""

RATES = ("missing_rate", "invalid_rate", "out_of_range_rate", "new_category")
"""Detectors of a share of the events."""


@dataclass(frozen=True)
class Measured:
    """What a distance says of one window.

    Attributes
    ----------
    statistic, effect, p_value, min_effect : float
    detail : str
    """

    statistic: float
    effect: float
    p_value: float
    min_effect: float
    detail: str = ""


@dataclass(frozen=True)
class Pair:
    """Counts of the same cells in the baseline and in the window.

    Attributes
    ----------
    reference, current : int64 array [cells]
    positions : float64 array [cells] or None
        Where the cells lie, for distances that ask for it.
    """

    reference: NDArray[np.int64]
    current: NDArray[np.int64]
    positions: NDArray[np.float64] | None = None

    def grouped(self, groups: NDArray[np.int64]) -> Pair:
        """The same counts with cells merged."""
        return Pair(grouped(self.reference, groups), grouped(self.current, groups))


def measure(name: str, pairs: Sequence[Pair]) -> list[Measured]:
    """Apply a distance to many series at once.

    Parameters
    ----------
    name : str
    pairs : sequence of Pair

    Returns
    -------
    list of Measured
        One for each pair, in the same order.
    """
    distance = find("proportion" if name in RATES else name)
    width = max(len(pair.reference) for pair in pairs)
    reference = np.array([_padded(pair.reference, width) for pair in pairs])
    current = np.array([_padded(pair.current, width) for pair in pairs])
    if name == "wasserstein":
        positions = np.array([_padded(pair.positions, width) for pair in pairs])
        compared = distance.compare(reference, current, positions)
    else:
        compared = distance.compare(reference, current, None)
    return [
        Measured(float(s), float(e), float(p), distance.default_min_effect)
        for s, e, p in zip(compared.statistic, compared.effect, compared.p_value, strict=True)
    ]


def _padded(given: Any, width: int) -> NDArray[Any]:
    values: NDArray[Any] = np.asarray(given)
    if len(values) == width:
        return values
    fill = values[-1] if values.dtype.kind == "f" and len(values) else 0
    return np.concatenate((values, np.full(width - len(values), fill, dtype=values.dtype)))


def pairs_of(detectors: Iterable[str], layout: Layout, reference: Summary, window: Summary) -> dict[str, Pair]:
    """Align two summaries for each of some detectors; those that take the same cells share them."""
    names = list(detectors)
    pairs = {name: _rate(name, reference, window) for name in names if name in RATES}
    distances = [name for name in names if name not in RATES]
    if not distances:
        return pairs
    if isinstance(reference, CategorySummary) and isinstance(window, CategorySummary):
        cells = _categories(reference, window)
        return pairs | dict.fromkeys(distances, cells.grouped(coarsen_names(cells.reference, GROUPS)))
    assert isinstance(reference, NumericSummary)
    assert isinstance(window, NumericSummary)
    assert isinstance(layout, NumericLayout)
    cells = _numbers(layout, reference, window, located="wasserstein" in distances)
    coarse = cells if set(distances) <= set(FINE) else cells.grouped(coarsen(cells.reference, GROUPS))
    return pairs | {name: cells if name in FINE else coarse for name in distances}


def _numbers(layout: NumericLayout, reference: NumericSummary, window: NumericSummary, *, located: bool) -> Pair:
    cells = np.sort(np.concatenate((reference.cells, window.cells)), kind="stable")
    new = np.ones(len(cells), dtype=np.bool_)
    new[1:] = cells[1:] != cells[:-1]
    cells = cells[new]
    a, b = spread(reference, cells), spread(window, cells)
    if not located:
        return Pair(a, b)
    low, high = min(reference.min, window.min), max(reference.max, window.max)
    return Pair(a, b, np.clip(layout.midpoint(cells), low, high))


def _categories(reference: CategorySummary, window: CategorySummary) -> Pair:
    """The baseline's names, then all other names together."""
    known = dict(zip(window.names, window.counts.tolist(), strict=True))
    current = [known.get(name, 0) for name in reference.names]
    a = np.array([*reference.counts.tolist(), reference.other], dtype=np.int64)
    return Pair(a, np.array([*current, window.n - sum(current)], dtype=np.int64))


def unseen(reference: CategorySummary, window: CategorySummary) -> dict[str, int]:
    """Names in the window that the baseline does not hold, with their counts.

    Where the baseline holds more names than it tells apart, only names that it would have told apart count.
    """
    known = set(reference.names)
    limit = 1 << 64
    if reference.other:
        sampled = [name_hash(name) for name in reference.names if name not in reference.layout.known_set]
        limit = max(sampled, default=0)
    found = zip(window.names, window.counts.tolist(), strict=True)
    return {name: count for name, count in found if name not in known and name_hash(name) <= limit}


def _rate(detector: str, reference: Summary, window: Summary) -> Pair:
    if detector == "new_category":
        assert isinstance(reference, CategorySummary)
        assert isinstance(window, CategorySummary)
        new = sum(unseen(reference, window).values())
        return Pair(np.array([0, reference.n]), np.array([new, window.n - new]))
    (a, a_all), (b, b_all) = _share(detector, reference), _share(detector, window)
    return Pair(np.array([a, a_all - a]), np.array([b, b_all - b]))


def _share(detector: str, summary: Summary) -> tuple[int, int]:
    if detector == "missing_rate":
        return summary.missing, summary.total
    if detector == "invalid_rate":
        return summary.invalid, summary.total
    assert isinstance(summary, NumericSummary)
    return summary.out_of_range, summary.n
