"""Bayesian online changepoint detection: the posterior is the paper's, its runs are few, and its alarms are rare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

from detectors.bank import Bank
from detectors.drift import find
from detectors.drift.bocpd import constant
from tests.detectors import streams

Density = Callable[[streams.Stream, float], float]
# No run is left out, and no alarm starts anew.
EXACT: dict[str, Any] = {"resolution": 1000, "longest": 1000, "threshold": 1.0 - 1e-9}


def posterior(z: streams.Stream, expected_run: float, density: Density) -> streams.Stream:
    """The paper's algorithm 1 with probabilities as they are: of run lengths 0, 1, …, len(z)."""
    weights = np.ones(1)
    for t in range(len(z)):
        joint = weights * [density(z[t - length : t], z[t]) for length in range(t + 1)]
        weights = np.concatenate([[joint.sum() / expected_run], joint * (1.0 - 1.0 / expected_run)])
        weights /= weights.sum()
    return weights


def student(seen: streams.Stream, z: float) -> float:
    """What a Normal–Gamma prior (0, 1, 2, 2) predicts after `seen`."""
    n, mean = len(seen), seen.mean() if len(seen) else 0.0
    kappa, alpha = 1.0 + n, 2.0 + n / 2.0
    beta = 2.0 + ((seen - mean) ** 2).sum() / 2.0 + n * mean**2 / (2.0 * kappa)
    return float(stats.t.pdf(z, 2.0 * alpha, n * mean / kappa, np.sqrt(beta * (kappa + 1.0) / (alpha * kappa))))


def beta_bernoulli(seen: streams.Stream, z: float) -> float:
    return float(stats.betabinom.pmf(z, 1, 0.5 + seen.sum(), 0.5 + len(seen) - seen.sum()))


def weights(bank: Bank, held: int = 0) -> streams.Stream:
    """The posterior that a bank of one series holds behind the values `held`, youngest run first."""
    memory = bank.snapshot()["memory"][0][held:]
    runs = np.zeros(6 * int(bank.state["runs"][0]))
    runs[: len(memory)] = memory[: len(runs)]
    posterior: streams.Stream = runs.reshape(-1, 6)[::-1, 1]
    return posterior


@pytest.mark.parametrize("name", ["step", "spread grows", "heavy tails", "ramp up"])
def test_the_posterior_of_normal_values_is_that_of_the_paper(name: str) -> None:
    x = np.concatenate(
        [streams.step(1, 0.0, n=30), (streams.adversarial(100) | {"step": streams.step(2, 3, 100, 50)})[name]]
    )
    bank = Bank(find("bocpd"), EXACT | {"model": "normal", "warm_up": 30, "expected_run": 50.0}, series=1)
    bank.update_one(0, x)
    z = (x[30:] - x[:30].mean()) / x[:30].std(ddof=1)
    assert_allclose(weights(bank, held=30), posterior(z, 50.0, student), rtol=1e-8, atol=1e-200)


def test_the_posterior_of_ones_and_zeros_is_that_of_the_paper() -> None:
    x = (np.random.default_rng(1).random(70) < np.where(np.arange(70) < 40, 0.1, 0.6)).astype(np.float64)
    bank = Bank(find("bocpd"), EXACT | {"model": "bernoulli", "expected_run": 50.0}, series=1)
    bank.update_one(0, x)
    assert_allclose(weights(bank), posterior(x, 50.0, beta_bernoulli), rtol=1e-9)


def test_leaving_out_runs_hardly_changes_what_is_said() -> None:
    rng = np.random.default_rng(3)
    quiet, moved = rng.normal(0.0, 1.0, 900), rng.normal(0.7, 1.0, 100)
    every, few = (
        Bank(find("bocpd"), {"model": "normal", "warm_up": 100} | params, series=1)
        for params in ({"resolution": 1000}, {})
    )
    expected, actual = every.update_one(0, quiet), few.update_one(0, quiet)
    assert_allclose(np.abs(actual.score), np.abs(expected.score), atol=0.05)
    assert every.state["runs"].tolist() == [801]
    assert few.state["runs"][0] < 80
    expected, actual = every.update_one(0, moved), few.update_one(0, moved)
    assert abs(expected.drifts()[0] - actual.drifts()[0]) <= 5


@pytest.mark.parametrize(("resolution", "longest"), [(2, 4), (2, 1000), (8, 1000), (7, 333), (100, 50)])
def test_there_is_room_for_all_runs_that_are_kept(resolution: int, longest: int) -> None:
    detector = find("bocpd")
    params = {"resolution": resolution, "longest": longest, "model": "bernoulli", "threshold": 1.0 - 1e-9}
    room = detector.memory_width(detector.values(params)) // 6
    bank, most = Bank(detector, params, series=1), 0
    for x in np.random.default_rng(1).random(1500) < 0.5:
        bank.update_one(0, [float(x)])
        most = max(most, int(bank.state["runs"][0]))
    assert room // 2 <= most <= room


def delays(params: dict[str, Any], change: Callable[[streams.Stream], streams.Stream]) -> streams.Stream:
    results = []
    for seed in range(12):
        x = np.random.default_rng(seed).normal(0.0, 1.0, 3000)
        x[2000:] = change(x[2000:])
        results.append(Bank(find("bocpd"), params, series=1).update_one(0, x).drifts()[0] - 2000)
    assert min(results) >= 0, "there was a false alarm"
    return np.array(results, dtype=np.float64)


@pytest.mark.parametrize("model", ["rank", "normal"])
def test_one_sd_and_a_doubled_spread_are_found_within_50_observations_on_average(model: str) -> None:
    assert delays({"model": model}, lambda x: x + 1.0).mean() < 50.0
    assert delays({"model": model}, lambda x: 2.0 * x).mean() < 50.0


def test_ranks_make_it_quiet_on_values_that_are_not_normal() -> None:
    x = np.random.default_rng(5).exponential(1.0, 60_000)
    alarms = {
        model: len(Bank(find("bocpd"), {"model": model}, series=1).update_one(0, x).drifts())
        for model in ("rank", "normal")
    }
    assert alarms["rank"] == 0
    # Many short runs of small values look like another normal distribution.
    assert alarms["normal"] > 10


def test_the_constant_of_a_density_is_that_of_students_t_for_runs_of_any_length() -> None:
    length = np.array([0, 1, 2, 500, 1023, 1024, 5000, 10**6])
    alpha, kappa = 2.0 + length / 2.0, 1.0 + length
    expected = (
        special.gammaln(alpha + 0.5) - special.gammaln(alpha) + np.log(kappa / (kappa + 1.0) / (2.0 * np.pi)) / 2.0
    )
    assert_allclose([constant(int(n)) for n in length], expected, rtol=1e-8)


@pytest.mark.parametrize("draw", [np.random.Generator.normal, np.random.Generator.exponential])
def test_false_alarms_are_about_as_rare_as_prior_and_threshold_say_whatever_the_distribution(
    draw: Callable[..., streams.Stream],
) -> None:
    x = draw(np.random.default_rng(5), size=200_000)
    params = {"expected_run": 100.0, "threshold": 0.9, "warm_up": 300}
    runs = np.diff(Bank(find("bocpd"), params, series=1).update_one(0, x).drifts(), prepend=-1) - 300
    assert len(runs) > 30
    assert 700.0 < runs.mean() < 2000.0
