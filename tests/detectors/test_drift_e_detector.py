"""The e-detector: its guarantee holds however values depend on one another; it finds what is beyond its tolerance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.drift import find
from tests.detectors import streams


def run_lengths(params: dict[str, Any], x: streams.Stream) -> streams.Stream:
    """Values from the end of each warm-up to the alarm; each alarm starts the detector anew."""
    warm_up = 0 if "target" in params else params["warm_up"]
    drifts = Bank(find("e_detector"), params, series=1).update_one(0, x).drifts()
    return (np.diff(drifts, prepend=-1) - warm_up).astype(np.float64)


def independent(rng: np.random.Generator, n: int) -> streams.Stream:
    return (rng.random(n) < 0.3).astype(np.float64)


def bold_after_a_rise(rng: np.random.Generator, n: int) -> streams.Stream:
    """The mean given the past is 0.3 throughout, the spread is whatever the last value was."""
    coins, steps = independent(rng, n).tolist(), rng.choice([-0.3, 0.3], n).tolist()
    x = [0.3]
    for coin, step in zip(coins[1:], steps[1:], strict=True):
        x.append(coin if x[-1] >= 0.3 else 0.3 + step)
    return np.array(x)


@pytest.mark.parametrize("draw", [independent, bold_after_a_rise])
@pytest.mark.parametrize("tolerance", [0.0, 0.05])
def test_the_average_run_length_is_what_is_guaranteed_whatever_depends_on_what(
    draw: Callable[[np.random.Generator, int], streams.Stream], tolerance: float
) -> None:
    x = draw(np.random.default_rng(3), 120_000)
    # The mean in control is as far off the target as is tolerated.
    for target in (0.3 - tolerance, 0.3 + tolerance):
        runs = run_lengths({"target": target, "tolerance": tolerance, "run_length": 100.0}, x)
        error = runs.std() / np.sqrt(len(runs))
        assert runs.mean() > 100.0 - 3 * error
        assert error < 10.0, "too few runs to tell"


@pytest.mark.parametrize("draw", [np.random.Generator.normal, np.random.Generator.standard_cauchy])
def test_so_it_is_with_a_warm_up_whose_error_is_tolerated(draw: Callable[..., streams.Stream]) -> None:
    x = draw(np.random.default_rng(5), size=600_000)
    runs = run_lengths({"warm_up": 500, "tolerance": 0.04, "run_length": 100.0}, x)
    assert len(runs) > 50
    assert runs.mean() > 100.0


def delays(change: Callable[[streams.Stream], streams.Stream], seeds: int = 20) -> streams.Stream:
    results = []
    for seed in range(seeds):
        x = np.random.default_rng(seed).normal(0.0, 1.0, 4000)
        x[2000:] = change(x[2000:])
        drifts = Bank(find("e_detector"), series=1).update_one(0, x).drifts()
        results.append(drifts[0] - 2000)
    assert min(results) >= 0, "there was a false alarm"
    return np.array(results, dtype=np.float64)


def test_a_shift_of_one_sd_is_found_within_60_observations_on_average() -> None:
    assert delays(lambda x: x + 1.0).mean() < 60.0
    assert delays(lambda x: x - 1.0).mean() < 60.0


def test_a_spread_that_doubles_or_halves_is_found_within_80_observations_on_average() -> None:
    assert delays(lambda x: 2.0 * x).mean() < 80.0
    assert delays(lambda x: 0.5 * x).mean() < 80.0


def test_what_is_tolerated_is_let_pass_however_long_it_lasts() -> None:
    rng = np.random.default_rng(9)
    x = np.concatenate([rng.normal(0.0, 1.0, 10_000), rng.normal(0.25, 1.0, 100_000)])
    results = {t: Bank(find("e_detector"), {"tolerance": t, "warm_up": 10_000}, series=1) for t in (0.03, 0.1)}
    drifts = {t: len(bank.update_one(0, x).drifts()) for t, bank in results.items()}
    # A quarter of a sd moves the mean rank by 0.07.
    assert drifts[0.03] > 0
    assert drifts[0.1] == 0


def test_only_order_matters() -> None:
    x = streams.step(5, 1.5, n=3000, at=2000)
    plain, bent = (Bank(find("e_detector"), series=1).update_one(0, y) for y in (x, np.exp(x / 2.0)))
    assert plain.score.tolist() == bent.score.tolist()
    assert plain.drifts().size > 0


def test_values_beyond_0_and_1_count_as_0_and_1_when_there_is_a_target() -> None:
    x = streams.step(2, 1.0, n=400, at=200)
    plain, clipped = (
        Bank(find("e_detector"), {"target": 0.5}, series=1).update_one(0, y) for y in (x, np.clip(x, 0, 1))
    )
    assert plain.score.tolist() == clipped.score.tolist()
