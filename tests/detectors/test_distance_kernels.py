"""A kernel says what its formula does in plain NumPy, in the chart and over matrices, however odd the window is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detectors.chart.legend import CODES, NEWEST, NUMBERS, P_KIND, SUMS, N
from detectors.chart.measure import as_tests, measure
from detectors.distance import DISTANCES, Comparison
from detectors.distance.compare import compare
from detectors.distance.contract import EFFECT, NEW_NAMES, STATISTIC
from detectors.distance.p_values import p_values
from tests.detectors.count_pairs import pairs
from tests.detectors.plain_distances import PLAIN

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def measured(name: str, total: Integers, counts: Integers, places: Floats) -> Comparison:
    """What the chart says of a window, all of whose cells are groups of their own."""
    numbers, codes = np.empty(NUMBERS), np.zeros(CODES, dtype=np.int64)
    sides: list[Any] = []
    for side in (counts, total):
        sums = np.zeros(SUMS, dtype=np.int64)
        sums[N] = side.sum()
        sides += [side, sums]
    so_far = [np.append(0, np.cumsum(side)) for side in (total, counts)]
    extremes = places[(total > 0) | (counts > 0)][[0, -1]]
    names = [np.append(0, side) for side in (total, counts)]
    window: list[Any] = [*sides, *so_far, total, counts, places, extremes, *names]
    rate, newest = np.zeros((2, 2), dtype=np.int64), np.empty((NEWEST, 2), dtype=np.int64)
    measure(as_tests([name])[0], *window, rate, numbers, codes, newest)  # type: ignore[call-arg]  # as many as it takes
    p_value = p_values(numbers[None], codes[None, P_KIND])
    return Comparison(numbers[STATISTIC : STATISTIC + 1], p_value, numbers[[EFFECT]])


def agree(actual: Comparison, expected: Comparison) -> None:
    for of_kernel, plain in zip(actual, expected, strict=True):
        assert of_kernel == pytest.approx(plain, rel=1e-7, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_kernel_says_what_its_formula_does(name: str) -> None:
    rng = np.random.default_rng(8)
    for i, (reference, current) in enumerate(pairs()):
        places = np.sort(rng.normal(size=reference.shape[1])) * (1e-6, 1, 1e6)[i % 3] + (0, 1e9, -5)[i % 3]
        if DISTANCES[name].reads == NEW_NAMES:
            sides = np.insert(reference, 0, 0, axis=1), np.insert(current, 0, 0, axis=1)
            expected = PLAIN[name](*sides, None)
            agree(compare(name, *sides), expected)
            agree(measured(name, reference[0], current[0], places), expected)
            continue
        if DISTANCES[name].is_rate:
            sides = reference[:, :2], current[:, :2]
            agree(compare(name, *sides), PLAIN[name](*sides, None))
            continue
        expected = PLAIN[name](reference, current, places)
        agree(compare(name, reference, current, places), expected)
        agree(measured(name, reference[0], current[0], places), expected)


def test_every_distance_has_a_plain_twin() -> None:
    assert set(PLAIN) == set(DISTANCES)
