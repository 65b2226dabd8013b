"""P-values of Pearson's statistic hold in small and unbalanced tables, where its limit is far too sure."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats

from detectors.distance import DISTANCES
from detectors.distance.compare import compare
from detectors.distance.contract import GROUPED
from detectors.distance.homogeneity import _third_moment, _variance
from tests.detectors.plain_distances import pearson_moments

Floats = npt.NDArray[np.float64]


def tables(totals: Sequence[int], m: int) -> Iterator[tuple[int, ...]]:
    """Every window of m observations that could have been drawn of these totals."""
    return (window for window in itertools.product(*(range(t + 1) for t in totals)) if sum(window) == m)


@pytest.mark.parametrize(
    ("totals", "m"), [((3, 1, 4, 6), 5), ((1, 1, 2, 9, 12), 7), ((5, 5), 3), ((1, 1, 1, 1, 3), 2), ((2, 2, 2), 3)]
)
def test_the_moments_are_those_of_all_tables_with_the_same_margins(totals: tuple[int, ...], m: int) -> None:
    size = sum(totals)
    share = np.array(totals) / size
    chances, statistics = [], []
    for window in tables(totals, m):
        chances.append(math.prod(map(math.comb, totals, window)) / math.comb(size, m))
        statistics.append(float(((np.array(window) - m * share) ** 2 / share).sum() * size / (m * (size - m))))
    mean = np.dot(chances, statistics)
    central = [np.dot(chances, (np.array(statistics) - mean) ** power) for power in (2, 3)]
    inverses, squares = (float((1 / np.array(totals, float) ** power).sum()) for power in (1, 2))
    sizes = float(size), size * size / (m * (size - m)), float(len(totals))

    assert [_variance(*sizes, inverses), _third_moment(*sizes, inverses, squares)] == pytest.approx(central)
    assert [float(moment) for moment in pearson_moments(totals, m)] == pytest.approx([mean, *central])


@pytest.mark.parametrize("rare", [(), (1,), (1, 2, 3) * 10])
def test_the_moments_keep_their_digits_beside_a_million_observations(rare: tuple[int, ...]) -> None:
    totals, m = [50_000] * 20 + list(rare), 500
    size = float(sum(totals))
    inverses, squares = (float((1 / np.array(totals, float) ** power).sum()) for power in (1, 2))
    sizes = size, size * size / (m * (size - m)), float(len(totals))
    expected = [float(moment) for moment in pearson_moments(totals, m)[1:]]
    assert [_variance(*sizes, inverses), _third_moment(*sizes, inverses, squares)] == pytest.approx(expected, rel=1e-8)


def test_p_values_of_large_samples_are_those_of_the_limit() -> None:
    rng = np.random.default_rng(1)
    shares = 1 / np.arange(1, 13)
    for _ in range(50):
        table = np.stack([rng.multinomial(size, shares / shares.sum()) for size in (400_000, 300_000)])
        expected = scipy.stats.chi2_contingency(table, correction=False).pvalue
        assert compare("chi_squared", table[:1], table[1:]).p_value[0] == pytest.approx(expected, rel=0.01)


def test_p_values_of_small_samples_are_those_of_random_tables() -> None:
    """SciPy draws tables with the same margins."""
    rng = np.random.default_rng(2)
    shares = 1 / np.arange(1, 31)
    ratios, of_limit = [], []
    for m in (6, 10, 20, 60) * 6:
        table = np.stack([rng.multinomial(size, shares / shares.sum()) for size in (600, m)])
        # Something has happened, more or less.
        table[1, rng.integers(15, 30)] += rng.integers(0, 3)
        table = table[:, table.sum(axis=0) > 0]
        sides, totals = table.sum(axis=1), table.sum(axis=0)
        expected = np.outer(sides, totals) / table.sum()
        drawn = scipy.stats.random_table(sides, totals, seed=3).rvs(20_000)
        statistics = ((drawn - expected) ** 2 / expected).sum(axis=(1, 2))
        result = compare("chi_squared", table[:1], table[1:])
        chance = (statistics >= result.statistic[0] * (1 - 1e-9)).mean()
        if 0.002 <= chance <= 0.5:
            ratios.append(result.p_value[0] / chance)
            of_limit.append(scipy.stats.chi2_contingency(table, correction=False).pvalue / chance)
    assert len(ratios) >= 10
    assert min(ratios) > 0.5
    assert max(ratios) < 2
    assert min(of_limit) < 0.1


SHARES: dict[str, Callable[[int], npt.NDArray[Any]]] = {
    "equal": np.ones,
    "zipf": lambda k: 1 / np.arange(1, k + 1),
    "falling": lambda k: 0.85 ** np.arange(k),
}
SIZES = [(336, 4), (336, 20), (1000, 4), (1000, 20), (1000, 100), (100, 100), (20, 20), (20, 1000)]


@functools.lru_cache(maxsize=1)
def drawn_alike(shares: str, cells: int) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Of each of `SIZES` 20,000 windows and their baselines; drawing them takes longer than all distances do."""
    rng = np.random.default_rng(4)
    share = SHARES[shares](cells)
    chances = share / share.sum()
    return [(rng.multinomial(n, chances, 20_000), rng.multinomial(m, chances, 20_000)) for n, m in SIZES]


# The names come first, so that they vary fastest and all of them are tried on the same draws.
@pytest.mark.parametrize("name", [name for name in DISTANCES if DISTANCES[name].reads == GROUPED])
@pytest.mark.parametrize("cells", [3, 20, 46])
@pytest.mark.parametrize("shares", SHARES)
def test_one_in_a_thousand_is_no_more_than_two_in_a_thousand(shares: str, cells: int, name: str) -> None:
    """Whatever the sizes of both sides: by chance 20 of 20,000 windows, and not more than twice that and chance."""
    for sizes, sides in zip(SIZES, drawn_alike(shares, cells), strict=True):
        assert (compare(name, *sides).p_value <= 0.001).sum() <= 40 + 3 * math.sqrt(40), sizes


@pytest.mark.parametrize(("n", "m"), [(10**6, 500), (10**6, 5_000), (500, 10**5)])
@pytest.mark.parametrize("rare", [(1,), (2, 2), (10,), (100,), (3,) * 20])
def test_rare_cells_of_a_large_baseline_leave_p_values_honest(n: int, m: int, rare: tuple[int, ...]) -> None:
    """Of few large steps, and a middle as of the limit: neither is called too improbable."""
    rng = np.random.default_rng(5)
    share = np.append(np.full(20, 0.05), np.array(rare) / (n + m))
    sides = [rng.multinomial(size, share / share.sum(), 10_000) for size in (n, m)]
    p_values = compare("chi_squared", *sides).p_value
    for level in (0.1, 0.01, 0.001):
        expected = level * p_values.size
        assert (p_values <= level).sum() <= 2 * expected + 3 * math.sqrt(2 * expected)


def test_a_name_that_is_new_is_still_found_in_a_small_window() -> None:
    shares = np.append(np.full(20, 0.05), 0.0)
    reference = np.random.default_rng(6).multinomial(1_000, shares)
    current = np.random.default_rng(7).multinomial(26, shares)
    current[20] = 4
    assert compare("chi_squared", [reference], [current]).p_value[0] < 1e-4


def test_a_statistic_that_cannot_vary_is_no_evidence() -> None:
    """Thirty values, all different: every window of ten has the same statistic."""
    reference = np.append(np.ones(20, dtype=int), np.zeros(10, dtype=int))
    assert compare("chi_squared", [reference], [1 - reference]).p_value[0] == 1


def test_the_p_value_falls_as_the_statistic_grows() -> None:
    """Of one baseline and windows with the same totals of cells."""
    totals = np.array([40, 30, 20, 10, 5, 2, 1])
    windows = np.array(list(itertools.islice(tables(totals.tolist(), 6), 3_000)))
    result = compare("chi_squared", totals - windows, windows)
    order = np.argsort(result.statistic)
    assert (np.diff(result.p_value[order]) <= 1e-12).all()
