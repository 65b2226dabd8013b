"""Distances of distribution functions equal SciPy's on the samples, and ties never make their p-values too small."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from scipy.stats._morestats import _anderson_ksamp_midrank

from detectors.distance.compare import compare
from detectors.sketch.layout import quantile_layout
from tests.detectors.count_pairs import pairs, sample, without_ties

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

TESTS = ["ks", "kuiper", "cramer_von_mises", "anderson_darling", "energy", "pai"]


def test_anderson_darling_is_the_statistic_of_scholz_and_stephens_for_ties() -> None:
    for reference, current in pairs():
        a, b = sample(reference), sample(current)
        together = np.sort(np.concatenate((a, b)))
        distinct = np.unique(together)
        result = compare("anderson_darling", reference, current)
        if distinct.size == 1:
            assert (result.statistic[0], result.p_value[0], result.effect[0]) == (0, 1, 0)
            continue
        sizes = np.array([a.size, b.size])
        expected = _anderson_ksamp_midrank([a, b], together, distinct, 2, sizes, together.size)
        assert result.statistic[0] == pytest.approx(expected, rel=1e-9)


def test_without_ties_the_p_value_of_anderson_darling_is_that_of_permutations() -> None:
    rng = np.random.default_rng(2)
    labels = np.arange(160) < 100
    tables = np.array([rng.permutation(labels) for _ in range(4000)]).astype(np.int64)
    result = compare("anderson_darling", tables, 1 - tables)
    for level in (0.5, 0.1, 0.01):
        assert (result.p_value <= level).mean() == pytest.approx(level, abs=0.1 * level + 3 * math.sqrt(level / 4000))


def test_cramer_von_mises_without_ties_is_that_of_scipy() -> None:
    for reference, current in without_ties():
        a, b = sample(reference), sample(current)
        result = compare("cramer_von_mises", reference, current)
        expected = scipy.stats.cramervonmises_2samp(a, b, method="asymptotic")
        assert result.statistic[0] == pytest.approx(expected.statistic - 1 / (6 * (a.size + b.size)), abs=1e-12)
        assert result.p_value[0] == pytest.approx(expected.pvalue, abs=1e-9)


def test_cramer_von_mises_with_ties_is_the_mean_square_of_a_gap_that_is_linear_within_a_cell() -> None:
    for reference, current in pairs():
        n, m = reference.sum(), current.sum()
        knots = np.append(0, np.cumsum((reference + current)[0]) / (n + m))
        gaps = np.append(0, np.cumsum(reference[0]) / n - np.cumsum(current[0]) / m)
        middle = (np.arange(200_000) + 0.5) / 200_000
        expected = n * m / (n + m) * np.mean(np.interp(middle, knots, gaps) ** 2)
        assert compare("cramer_von_mises", reference, current).statistic[0] == pytest.approx(
            expected, rel=1e-4, abs=1e-9
        )


def test_equal_windows_with_ties_are_equal_though_scipy_says_otherwise() -> None:
    reference, current = np.array([[400, 100]]), np.array([[40, 10]])
    assert compare("cramer_von_mises", reference, current)[:2] == (0, 1)  # type: ignore[comparison-overlap]  # arrays
    peer = scipy.stats.cramervonmises_2samp(sample(reference), sample(current), method="asymptotic")
    assert peer.statistic > 10


def test_kuiper_is_the_sum_of_both_one_sided_distances() -> None:
    for reference, current in pairs():
        a, b = sample(reference), sample(current)
        if a.size + b.size == 2:
            continue  # SciPy divides by zero for two samples of one
        sides = [scipy.stats.ks_2samp(a, b, alternative=side, method="asymp") for side in ("less", "greater")]
        expected = sum(side.statistic for side in sides)
        assert compare("kuiper", reference, current).statistic[0] == pytest.approx(expected, abs=1e-12)


def test_kuiper_does_not_depend_on_where_a_circle_is_cut() -> None:
    for reference, current in pairs():
        cut = compare("kuiper", np.roll(reference, 1, axis=1), np.roll(current, 1, axis=1))
        assert cut.statistic == pytest.approx(compare("kuiper", reference, current).statistic, abs=1e-12)


def test_energy_is_that_of_scipy() -> None:
    rng = np.random.default_rng(3)
    for i, (reference, current) in enumerate(pairs()):
        scale, offset = ((1e-9, 0), (1, 1e3), (1e9, -1e9))[i % 3]
        places = np.sort(rng.normal(size=reference.shape[1])) * scale + offset
        expected = scipy.stats.energy_distance(places, places, reference[0], current[0])
        result = compare("energy", reference, current, places)
        assert result.statistic[0] == pytest.approx(expected, rel=1e-6, abs=1e-7 * math.sqrt(scale))
        a, b = sample(reference, places), sample(current, places)
        apart = np.abs(a[:, None] - b).mean()
        if apart > 0:
            assert result.effect[0] == pytest.approx(expected / math.sqrt(2 * apart), abs=1e-6)


def test_the_population_accuracy_index_is_the_ratio_of_mean_leverages() -> None:
    rng = np.random.default_rng(4)
    for reference, current in pairs():
        places = np.sort(rng.normal(size=reference.shape[1]))
        fitted, new = ([[1.0, x] for x in sample(side, places)] for side in (reference, current))
        gram = np.array(fitted).T @ np.array(fitted)
        if np.linalg.cond(gram) > 1e6:
            continue
        at_review, at_development = (
            np.mean([row @ np.linalg.solve(gram, row) for row in np.array(rows)]) for rows in (new, fitted)
        )
        result = compare("pai", reference, current, places)
        assert result.statistic[0] == pytest.approx(at_review / at_development, rel=1e-6)
        assert result.effect[0] == pytest.approx(max(at_review / at_development - 1, 0), abs=1e-6)


def test_the_p_value_of_the_population_accuracy_index_is_that_of_a_normal_variance() -> None:
    """Of m normal values with a known mean, m times their mean square is chi-squared with m degrees of freedom."""
    places = np.linspace(-8, 8, 4001)
    density = scipy.stats.norm.pdf(places)
    reference = np.rint(density[None] / density.sum() * 1e15)
    for m, scale in ((50, 1.0), (50, 1.3), (500, 1.2), (20, 2.0)):
        values = scipy.stats.norm.ppf((np.arange(m) + 0.5) / m) * scale
        current = np.zeros((1, 4001))
        np.add.at(current[0], np.searchsorted(places, values), 1)
        result = compare("pai", reference, current, places)
        expected = scipy.stats.chi2.sf(m * (2 * result.statistic[0] - 1), m)
        assert math.log(result.p_value[0]) == pytest.approx(math.log(expected), rel=0.05)


@pytest.mark.parametrize("name", ["cramer_von_mises", "anderson_darling", "energy", "kuiper"])
def test_counts_of_any_size_have_the_distance_of_their_shares(name: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        reference, current = rng.integers(0, 50, (2, 1, 30))
        reference[0, 0] = current[0, -1] = 1
        few, many = (compare(name, reference * factor, current * factor) for factor in (1, 10**12))
        assert many.effect == pytest.approx(few.effect, rel=1e-9)
        assert many.p_value[0] <= few.p_value[0]


@pytest.mark.parametrize("name", ["cramer_von_mises", "anderson_darling", "energy", "kuiper"])
@pytest.mark.parametrize("cell", [0, 5, 10])
def test_one_observation_among_many_is_no_change(name: str, cell: int) -> None:
    reference = np.insert(np.full((1, 10), 10**11), cell, 0, axis=1)
    current = reference // 10**6
    current[0, cell] = 1
    result = compare(name, reference, current)
    assert result.p_value[0] > 0.99
    assert result.effect[0] < 2e-3


# When nothing changed


@pytest.mark.parametrize("shape", ["fine", "half zeros", "half at the top", "two values", "five values", "small"])
@pytest.mark.parametrize("name", TESTS)
def test_p_values_are_honest_whatever_the_ties(name: str, shape: str) -> None:
    reference, current = null_counts(shape)
    p_values = compare(name, reference, current).p_value
    for level in (0.1, 0.01, 0.001):
        rejected = (p_values <= level).mean()
        assert rejected <= 1.2 * level + 3 * math.sqrt(level / p_values.size), (level, rejected)
    if shape == "fine" and name != "energy":
        assert (p_values <= 0.1).mean() > 0.04


@cache
def null_counts(shape: str) -> tuple[Counts, Counts]:
    """Return 4000 baselines of 5000 observations and windows of 500, both of 20 if ``small``."""
    rng = np.random.default_rng(6)
    values = rng.normal(size=20_000)
    if shape == "half zeros":
        values = np.where(rng.random(20_000) < 0.5, 0.0, np.abs(values))
    elif shape == "half at the top":
        values = np.minimum(values, 0.0)
    layout = quantile_layout(values, max_bins={"two values": 2, "five values": 5}.get(shape, 128))
    ids = layout.ids(values)
    shares = np.bincount(ids, minlength=layout.cells) / values.size
    sizes = (20, 20) if shape == "small" else (5000, 500)
    reference, current = (rng.multinomial(size, shares, 4000) for size in sizes)
    return reference, current
