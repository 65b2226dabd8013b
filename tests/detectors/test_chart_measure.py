"""A window is measured in compiled code as its counts are compared over matrices, however small or odd it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detectors.chart import legend, p_values
from detectors.chart.legend import CODES, EFFECT, NEWEST, NUMBERS, STATISTIC, SUMS, N
from detectors.chart.measure import measure
from detectors.distance import DISTANCES, Comparison
from tests.detectors.count_pairs import pairs

Integers = npt.NDArray[np.int64]


def measured(name: str, total: Integers, counts: Integers, places: npt.NDArray[np.float64]) -> Comparison:
    """What the kernel says of a window, all of whose cells are groups of their own."""
    numbers, codes = np.empty(NUMBERS), np.zeros(CODES, dtype=np.int64)
    sides: list[tuple[Any, ...]] = []
    for side in (counts, total):
        sums = np.zeros(SUMS, dtype=np.int64)
        sums[N] = side.sum()
        sides.append((side, sums, np.array([places[0], places[-1]])))
    none = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.bool_)
    so_far = [np.append(0, np.cumsum(side)) for side in (total, counts)]
    measure(  # type: ignore[call-arg]  # each starred tuple counts as many
        getattr(legend, name.upper()), *sides[0], places, *none, *sides[1], *so_far, total, counts, numbers, codes,
        np.empty((NEWEST, 2), dtype=np.int64),
    )  # fmt: skip
    return Comparison(numbers[STATISTIC : STATISTIC + 1], p_values(numbers[None], codes[None]), numbers[[EFFECT]])


@pytest.mark.parametrize("name", [name for name in DISTANCES if name != "proportion"])
def test_a_kernel_says_what_its_distance_says(name: str) -> None:
    rng = np.random.default_rng(8)
    for i, (reference, current) in enumerate(pairs()):
        places = np.sort(rng.normal(size=reference.shape[1])) * (1e-6, 1, 1e6)[i % 3] + (0, 1e9, -5)[i % 3]
        expected = DISTANCES[name](reference, current, places)
        found = measured(name, reference[0], current[0], places)
        for of_kernel, of_distance in zip(found, expected, strict=True):
            assert of_kernel == pytest.approx(of_distance, rel=1e-7, abs=1e-9, nan_ok=True)
