"""The conformal test martingale: its guarantee holds for any distribution, and it sees spread as well as mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from detectors.bank import Bank
from detectors.drift import find
from detectors.drift.ranks import normal_quantile, ranked, uniform, width
from tests.detectors import streams

Draw = Callable[[np.random.Generator, int], streams.Stream]

DISTRIBUTIONS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(0.0, 1.0, n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
    "rare ones": lambda rng, n: (rng.random(n) < 0.05).astype(np.float64),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.9, 0.0, rng.lognormal(0.0, 2.0, n)),
}


def run_lengths(params: dict[str, Any], draw: Draw, n: int = 20_000, seeds: int = 40) -> streams.Stream:
    """Values from the end of each warm-up to the alarm; what a stream ends with is left out, which only shortens them.

    Each stream has ties of its own: with one seed, every run would break them alike.
    """
    runs = []
    for seed in range(seeds):
        x = draw(np.random.default_rng(seed), n)
        drifts = Bank(find("conformal"), params | {"seed": seed}, series=1).update_one(0, x).drifts()
        runs.append(np.diff(drifts, prepend=-1) - params["warm_up"])
    return np.concatenate(runs).astype(np.float64)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(("warm_up", "edges"), [(4, 2), (60, 16)])
def test_the_average_run_length_is_what_is_guaranteed_however_short_the_warm_up(
    name: str, warm_up: int, edges: int
) -> None:
    runs = run_lengths({"run_length": 100.0, "warm_up": warm_up, "edges": edges}, DISTRIBUTIONS[name])
    error = runs.std() / np.sqrt(len(runs))
    assert runs.mean() > 100.0 - 3 * error
    assert error < 5.0, "too few runs to tell"


def delays(change: Callable[[streams.Stream], streams.Stream], seeds: int = 20) -> streams.Stream:
    results = []
    for seed in range(seeds):
        x = np.random.default_rng(seed).normal(0.0, 1.0, 4000)
        x[2000:] = change(x[2000:])
        drifts = Bank(find("conformal"), series=1).update_one(0, x).drifts()
        results.append(drifts[0] - 2000)
    assert min(results) >= 0, "there was a false alarm"
    return np.array(results, dtype=np.float64)


def test_a_shift_of_one_sd_is_found_within_40_observations_on_average() -> None:
    assert delays(lambda x: x + 1.0).mean() < 40.0
    assert delays(lambda x: x - 1.0).mean() < 40.0


def test_a_doubled_spread_is_found_within_40_observations_on_average_and_a_halved_one_within_80() -> None:
    assert delays(lambda x: 2.0 * x).mean() < 40.0
    assert delays(lambda x: 0.5 * x).mean() < 80.0


def test_only_order_matters() -> None:
    x = streams.step(5, 1.5, n=3000, at=2000)
    plain, bent = (Bank(find("conformal"), series=1).update_one(0, y) for y in (x, np.exp(x / 2.0)))
    assert plain.flag.tolist() == bent.flag.tolist()
    assert plain.score.tolist() == bent.score.tolist()
    assert plain.drifts().size > 0


@pytest.mark.parametrize("other", [-5.0, 5.0])
def test_another_constant_is_found_whether_higher_or_lower(other: float) -> None:
    x = np.where(np.arange(1100) < 1000, 0.1, other)
    flags = Bank(find("conformal"), series=1).update_one(0, x)
    assert 1000 <= flags.drifts()[0] < 1020
    assert np.sign(flags.score[flags.drifts()[0]]) == np.sign(other)


def test_the_seed_breaks_ties_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    values, coins = rng.normal(0.0, 1.0, 1000), (rng.random(1000) < 0.5).astype(np.float64)
    for x, other in ((coins, 1), (coins, 2)):
        first, second = (Bank(find("conformal"), {"seed": s}, series=1).update_one(0, x).score for s in (0, other))
        assert (first != second).any()
    again = (Bank(find("conformal"), {"seed": 3}, series=1).update_one(0, values).score for _ in range(2))
    assert next(again).tolist() == next(again).tolist()


def test_the_generator_is_uniform_and_its_numbers_do_not_follow_one_another() -> None:
    for seed in (0, 1, 2**31 - 1):
        u = np.array([uniform(seed, counter) for counter in range(1, 20_001)])
        assert 0.0 < u.min() < u.max() < 1.0
        assert stats.kstest(u, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.03


def test_a_rank_is_never_1_so_that_it_has_a_normal_score() -> None:
    state = np.zeros(1, dtype=[("edges", "<i8")])
    row = np.zeros(width(2, 2))
    for n, x in ((1, 0.0), (2, 1.0), (3, 0.5)):
        ranked(state[0], row, n, 2, 2, 0.5, x)
    row[2 + 2] = 1e12 - 1.0
    u = ranked(state[0], row, 10**12 + 2, 2, 2, 1.0 - 1e-10, 7.0)
    assert 0.999999 < u < 1.0
    assert np.isfinite(normal_quantile(u))


def test_normal_quantiles_have_7_digits() -> None:
    p = np.concatenate([np.geomspace(1e-12, 0.5, 500), 1.0 - np.geomspace(1e-9, 0.5, 500)])
    assert_allclose([normal_quantile(value) for value in p], stats.norm.ppf(p), rtol=5e-7, atol=1e-7)
