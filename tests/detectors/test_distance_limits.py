"""Limit distributions of tests on distribution functions, against SciPy's and by other formulas."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import scipy.integrate
import scipy.stats

from detectors.distance.limits import anderson_darling_sf, cramer_von_mises_sf, kuiper_sf

Floats = npt.NDArray[np.float64]


def imhof(x: float, weights: Floats) -> float:
    """P(sum of weighted chi-squared > x) by inverting the characteristic function (Imhof, Biometrika 48, 1961)."""

    def integrand(u: float) -> float:
        angle = 0.5 * np.arctan(weights * u).sum() - 0.5 * x * u
        return float(math.sin(angle) / (u * math.exp(0.25 * np.log1p((weights * u) ** 2).sum())))

    return 0.5 + float(scipy.integrate.quad(integrand, 0, np.inf, limit=500, epsabs=1e-11)[0]) / math.pi


@pytest.mark.parametrize("x", [0.05, 0.2, 0.46136, 0.743, 1.5])
def test_the_cramer_von_mises_tail_is_that_of_scipy(x: float) -> None:
    j = np.arange(1, 2000)
    # what the weights that are left out add to the mean
    rest = 1 / 6 - (1 / (j * math.pi) ** 2).sum()
    assert cramer_von_mises_sf(x) == pytest.approx(imhof(x - rest, 1 / (j * math.pi) ** 2), abs=1e-7)


@pytest.mark.parametrize("x", [0.2, 0.8, 1.933, 2.4924, 3.8781, 8.0])
def test_the_anderson_darling_tail_is_that_of_its_quadratic_form(x: float) -> None:
    j = np.arange(1, 2000)
    rest = 1 - (1 / (j * (j + 1))).sum()
    assert anderson_darling_sf(x) == pytest.approx(imhof(x - rest, 1 / (j * (j + 1))), abs=1e-6)


@pytest.mark.parametrize(("tail", "first"), [(cramer_von_mises_sf, math.pi**2 / 2), (anderson_darling_sf, 1.0)])
def test_far_out_only_the_largest_weight_counts(tail: object, first: float) -> None:
    """Zolotarev's limit: a chi-squared tail times prod(1 - t_1 / t_j)**(-1/2) over the other weights."""
    j = np.arange(2, 400_000, dtype=np.float64)
    others = (j * math.pi) ** 2 / 2 if first > 2 else j * (j + 1) / 2
    constant = math.exp(-0.5 * np.log1p(-first / others).sum())
    for x in np.array([100.0, 300.0, 650.0]) / first:
        expected = constant * scipy.stats.chi2.sf(2 * first * x, 1)
        assert tail(x) == pytest.approx(expected, rel=2 / (x * first))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("tail", "mean", "variance"),
    [
        (cramer_von_mises_sf, 1 / 6, 1 / 45),
        (anderson_darling_sf, 1.0, 2 * (math.pi**2 - 9) / 3),
        (kuiper_sf, math.sqrt(math.pi / 2), math.pi**2 / 6 - math.pi / 2),
    ],
)
def test_tails_have_the_mean_and_the_variance_of_the_limits(tail: object, mean: float, variance: float) -> None:
    x = np.linspace(0, 40, 400_001)
    sf = tail(x)  # type: ignore[operator]
    assert np.trapezoid(sf, x) == pytest.approx(mean, abs=1e-8)
    assert 2 * np.trapezoid(x * sf, x) - mean**2 == pytest.approx(variance, abs=1e-8)


def test_kuipers_quantiles_are_those_of_his_table() -> None:
    assert kuiper_sf([1.6196, 1.7473, 1.8625, 2.0010]) == pytest.approx([0.1, 0.05, 0.025, 0.01], abs=1e-4)


def test_both_series_of_kuiper_meet() -> None:
    x = np.array([1 - 1e-9, 1 + 1e-9])
    below, above = kuiper_sf(x)
    assert below == pytest.approx(above, abs=1e-8)


@pytest.mark.parametrize("tail", [cramer_von_mises_sf, anderson_darling_sf, kuiper_sf])
def test_the_ends_of_the_distributions(tail: object) -> None:
    assert tail([-1.0, 0.0, np.inf]).tolist() == [1, 1, 0]  # type: ignore[operator]
    assert np.isnan(tail(np.nan))  # type: ignore[operator]
    falling = tail(np.geomspace(1e-4, 600, 5000))  # type: ignore[operator]
    assert (np.diff(falling) <= 1e-12).all()
    assert falling[0] == 1
