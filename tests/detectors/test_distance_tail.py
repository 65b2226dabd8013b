"""Tail probabilities equal SciPy's to nine digits, far out too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.special
import scipy.stats

from detectors.distance.tail import chi2_sf, kolmogorov_sf, normal_sf, student_t_isf

Floats = npt.NDArray[np.float64]
FAR = np.concatenate((np.geomspace(1e-290, 0.5, 300), [0.49999, 0.4999999999], 1 - np.geomspace(1e-6, 0.4, 50)))


def worst(actual: Floats, expected: Floats) -> float:
    """Return the largest relative error where the expected value is a normal number."""
    normal = np.abs(expected) > 1e-290
    return float((np.abs(actual - expected)[normal] / np.abs(expected)[normal]).max())


@pytest.mark.parametrize("df", [1, 2, 3, 7, 19, 31, 32, 33, 100, 1000, 33_000, 100_000])
def test_the_chi_squared_tail(df: int) -> None:
    x = np.concatenate((df * np.geomspace(1e-4, 50, 300), df + np.sqrt(2 * df) * np.linspace(-6, 40, 300)))
    x = x[x > 0]
    assert worst(chi2_sf(x, df), scipy.stats.chi2.sf(x, df)) < 1e-9


def test_kolmogorovs_tail() -> None:
    x = np.linspace(0, 18, 3000)
    assert worst(kolmogorov_sf(x), scipy.special.kolmogorov(x)) < 1e-9


def test_the_normal_tail() -> None:
    x = np.linspace(-38, 37, 3000)
    assert worst(normal_sf(x), scipy.stats.norm.sf(x)) < 1e-9


@pytest.mark.parametrize("df", [0.5, 1, 2, 3, 4.5, 10, 31, 33, 100, 1e3, 1e5, 1e7])
def test_students_quantiles(df: float) -> None:
    # Far out SciPy's inverse is less precise than its tail, hence the way back.
    p = FAR if df > 10 else FAR[FAR > 1e-60]
    assert worst(scipy.stats.t.sf(student_t_isf(p, df), df), p) < 1e-9


def test_students_quantiles_have_a_closed_form_with_two_degrees_of_freedom() -> None:
    p = FAR[FAR > 1e-60]
    expected = (1 - 2 * p) / np.sqrt(2 * p * (1 - p))
    near = np.abs(expected) > 1e-3
    assert worst(student_t_isf(p, 2)[near], expected[near]) < 1e-9


def test_the_ends_of_the_distributions() -> None:
    assert chi2_sf([-1, 0, np.inf, 5, np.nan, 1], [3, 3, 3, 0, 1, np.nan]).tolist()[:4] == [1, 1, 0, 0]
    assert np.isnan(chi2_sf([np.nan, 1], [1, np.nan])).all()
    assert kolmogorov_sf([-1, 0, np.inf]).tolist() == [1, 1, 0]
    assert np.isnan(kolmogorov_sf(np.nan))
    assert normal_sf([-np.inf, 0, np.inf]).tolist() == [1, 0.5, 0]
    assert student_t_isf([0, 0.5, 1], 3).tolist() == [np.inf, 0, -np.inf]


def test_results_have_the_shape_of_the_arguments() -> None:
    assert chi2_sf(np.ones((2, 1)), np.ones(3)).shape == (2, 3)
    assert student_t_isf(0.1, np.ones((2, 2))).shape == (2, 2)
    assert normal_sf(0.3).shape == kolmogorov_sf(0.3).shape == ()


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan])
def test_what_is_no_probability_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        student_t_isf(p, 3)


def test_degrees_of_freedom_must_be_positive() -> None:
    with pytest.raises(ValueError, match="degrees of freedom"):
        student_t_isf(0.1, 0)
