"""What scorers of numbers are for: odd values are found and ordinary ones are not, whatever else there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.anomaly import SCORERS, AnomalyBank, Scores

Floats = NDArray[np.float64]
NUMBERS = [name for name, scorer in SCORERS.items() if not scorer.vectors]
every_scorer_of_numbers = pytest.mark.parametrize("name", NUMBERS)

DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, n: rng.normal(5.0, 2.0, n),
    "exponential": lambda rng, n: rng.exponential(3.0, n),
    "uniform": lambda rng, n: rng.random(n),
    "student 3": lambda rng, n: rng.standard_t(3, n),
    "counts": lambda rng, n: rng.poisson(5.0, n).astype(np.float64),
    "coins": lambda rng, n: (rng.random(n) < 0.2).astype(np.float64),
}


def scored(name: str, x: Floats, **params: Any) -> Scores:
    return AnomalyBank(SCORERS[name], params, series=1).update(np.zeros(len(x), dtype=np.int64), x)


NOT_IN_NO_ORDER = {("dspot", "coins")}
"""What is left of two values without the mean of the last 100 comes in runs, and so do its scores."""
NOT_EQUAL = {("spot", "counts")}
"""Equal values score a little differently at each fit, so that equal ones are not counted as such."""


@every_scorer_of_numbers
def test_anomalies_among_ordinary_values_are_as_rare_as_stated(name: str) -> None:
    n = 100_000
    results = {
        shape: len(scored(name, draw(np.random.default_rng(seed), n)).anomalies())
        for seed, (shape, draw) in enumerate(DISTRIBUTIONS.items())
        if (name, shape) not in NOT_IN_NO_ORDER
    }
    # One is expected of each.
    assert all(count <= (12 if (name, shape) in NOT_EQUAL else 5) for shape, count in results.items()), results
    assert sum(results.values()) <= 20


@every_scorer_of_numbers
@pytest.mark.parametrize("odd", [60.0, -60.0])
def test_a_value_far_out_is_an_anomaly_and_so_is_the_next(name: str, odd: float) -> None:
    x = np.random.default_rng(3).normal(0.0, 1.0, 12_000)
    x[[9_000, 9_003, 11_500]] = odd
    assert set(scored(name, x).anomalies().tolist()) >= {9_000, 9_003, 11_500}


@every_scorer_of_numbers
def test_a_glitch_of_any_size_does_not_hide_the_next(name: str) -> None:
    x = np.random.default_rng(4).normal(0.0, 1.0, 12_000)
    x[9_000], x[9_500] = 1e12, 100.0
    assert set(scored(name, x).anomalies().tolist()) >= {9_000, 9_500}


@every_scorer_of_numbers
def test_scale_and_offset_do_not_matter(name: str) -> None:
    x = np.random.default_rng(5).normal(0.0, 1.0, 4_000)
    plain, moved = scored(name, x).score, scored(name, 1e3 + 1e-3 * x).score
    np.testing.assert_allclose(moved, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["holt_winters"])
def test_what_is_usual_at_its_time_is_no_anomaly_and_what_is_not_is(name: str) -> None:
    rng, position = np.random.default_rng(6), np.arange(24 * 400)
    x = 20.0 * np.sin(2 * np.pi * position / 24) + rng.normal(0.0, 1.0, len(position))
    # At noon what is usual at midnight: in the midst of all values.
    x[24 * 300 + 6] = -20.0
    assert scored(name, x).anomalies().tolist() == [24 * 300 + 6]
    assert 24 * 300 + 6 not in scored("robust_z", x).anomalies()


@pytest.mark.parametrize("name", ["robust_z", "ewma_residual", "holt_winters"])
def test_a_new_level_is_soon_ordinary(name: str) -> None:
    x = np.random.default_rng(7).normal(0.0, 1.0, 12_000)
    x[9_000:] += 30.0
    results = scored(name, x).anomalies()
    assert 9_000 in results
    assert not (results > 9_500).any()
