"""Distances of shares of cells equal SciPy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

from detectors.distance.compare import compare
from tests.detectors.count_pairs import pairs

ROOT = math.sqrt(2)


def test_hellinger_is_the_distance_of_the_roots() -> None:
    for reference, current in pairs():
        p, q = (counts[0] / counts.sum() for counts in (reference, current))
        expected = scipy.spatial.distance.euclidean(np.sqrt(p), np.sqrt(q)) / ROOT
        assert compare("hellinger", reference, current).statistic[0] == pytest.approx(expected, abs=1e-12)


def test_the_p_value_of_hellinger_is_that_of_the_freeman_tukey_statistic() -> None:
    # SciPy's compares with a fit, and a baseline that is far larger than the window is one.
    rng = np.random.default_rng(1)
    shares = np.array([0.2, 0.3, 0.1, 0.4])
    for _ in range(50):
        current = rng.multinomial(800, shares)
        result = compare("hellinger", shares[None] * 1e12, current[None])
        peer = scipy.stats.power_divergence(current + 0.5, shares * 802, lambda_="freeman-tukey")
        assert result.p_value[0] == pytest.approx(scipy.stats.chi2.sf(peer.statistic * 800 / 802, 3), rel=1e-6)


def test_total_variation_is_half_the_city_block_distance() -> None:
    for reference, current in pairs():
        p, q = (counts[0] / counts.sum() for counts in (reference, current))
        result = compare("total_variation", reference, current)
        assert result.statistic[0] == pytest.approx(scipy.spatial.distance.cityblock(p, q) / 2, abs=1e-12)


def test_the_p_value_of_total_variation_is_never_below_that_of_pearsons_test() -> None:
    for reference, current in pairs():
        bound = compare("total_variation", reference, current).p_value[0]
        table = np.concatenate((reference, current))
        table = table[:, table.sum(axis=0) > 0]
        assert bound >= scipy.stats.chi2_contingency(table, correction=False).pvalue * (1 - 1e-9)


def test_l_infinity_is_the_chebyshev_distance() -> None:
    for reference, current in pairs():
        p, q = (counts[0] / counts.sum() for counts in (reference, current))
        result = compare("l_infinity", reference, current)
        assert result.statistic[0] == pytest.approx(scipy.spatial.distance.chebyshev(p, q), abs=1e-12)


def test_the_p_value_of_l_infinity_is_twice_that_of_the_only_rate_there_is_in_large_samples() -> None:
    """Of two cells each is the other's complement, and both are counted."""
    reference, current = np.array([[7_000_000, 3_000_000]]), np.array([[698_000, 302_000]])
    expected = scipy.stats.chi2_contingency(np.concatenate((reference, current)), correction=False).pvalue
    assert compare("l_infinity", reference, current).p_value[0] == pytest.approx(2 * expected, rel=0.05)


def test_the_p_value_of_l_infinity_is_no_smaller_than_that_of_a_poisson_variable() -> None:
    """A rare cell that the baseline knows exactly: of ten that are expected, so many or more come."""
    for seen in (20, 30, 60):
        reference, current = np.array([[10**9 - 10**6, 10**6]]), np.array([[10_000 - seen, seen]])
        chance = scipy.stats.poisson.sf(seen - 1, 10)
        assert chance < compare("l_infinity", reference, current).p_value[0] < 20 * chance


def test_kl_is_the_relative_entropy_of_the_window_with_half_an_observation_in_each_cell() -> None:
    for reference, current in pairs():
        present = (reference + current)[0] > 0
        p, q = (counts[0][present] + 0.5 for counts in (reference, current))
        result = compare("kl", reference, current)
        assert result.statistic[0] == pytest.approx(scipy.stats.entropy(q, p), abs=1e-12)


def test_psi_is_kl_in_both_directions() -> None:
    for reference, current in pairs():
        both = compare("kl", reference, current).statistic + compare("kl", current, reference).statistic
        assert compare("psi", reference, current).statistic == pytest.approx(both, abs=1e-12)


def test_the_g_test_is_that_of_scipy_with_williams_correction() -> None:
    for reference, current in pairs():
        table = np.concatenate((reference, current))
        table = table[:, table.sum(axis=0) > 0]
        result = compare("g_test", reference, current)
        if table.shape[1] == 1:
            assert (result.statistic[0], result.p_value[0], result.effect[0]) == (0, 1, 0)
            continue
        expected = scipy.stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
        assert result.statistic[0] == pytest.approx(expected.statistic, abs=1e-9)
        rest = 6 * table.sum() * (table.shape[1] - 1)
        inverse = [table.sum() * (1 / table.sum(axis=axis)).sum() - 1 for axis in (0, 1)]
        williams = 1 + inverse[0] * inverse[1] / rest
        p_value = scipy.stats.chi2.sf(expected.statistic / williams, table.shape[1] - 1)
        assert result.p_value[0] == pytest.approx(p_value, rel=1e-8)
        assert result.effect[0] == pytest.approx(compare("jensen_shannon", reference, current).effect[0], abs=1e-9)
