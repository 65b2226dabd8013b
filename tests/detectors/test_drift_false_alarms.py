"""The defaults keep what they promise on streams of five distributions, and find a change of one sd in time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import brentq

from detectors.bank import Bank
from detectors.drift import find

Draw = Callable[[np.random.Generator, int], np.ndarray[tuple[int], np.dtype[np.float64]]]
DRAWS: dict[str, Draw] = {
    "Gaussian": lambda rng, n: rng.normal(0.0, 1.0, n),
    "uniform": lambda rng, n: rng.random(n),
    "exponential": lambda rng, n: rng.exponential(1.0, n),
    "Student-t(3)": lambda rng, n: rng.standard_t(3, n),
    "Bernoulli(0.2)": lambda rng, n: (rng.random(n) < 0.2).astype(np.float64),
}
every_chart = pytest.mark.parametrize("name", ["cusum", "ewma", "gma", "page_hinkley"])


@every_chart
@pytest.mark.parametrize("draw", DRAWS.values(), ids=list(DRAWS))
def test_at_most_one_in_100_000_is_a_false_alarm(name: str, draw: Draw) -> None:
    rng = np.random.default_rng(100_000)
    alarms = sum(len(Bank(find(name), series=1).update_one(0, draw(rng, 100_000)).drifts()) for _ in range(12))
    assert alarms <= 12


def test_adwin_is_quiet_on_heavy_tails_because_they_are_clipped() -> None:
    rng = np.random.default_rng(3)
    stretches = [rng.standard_t(3, 100_000) for _ in range(5)]
    alarms = {
        clip: sum(len(Bank(find("adwin"), {"clip": clip}, series=1).update_one(0, x).drifts()) for x in stretches)
        for clip in (1e15, 4.0)
    }
    assert alarms[4.0] <= 2 < 5 < alarms[1e15]


@every_chart
@pytest.mark.parametrize("size", [1.0, -1.0])
def test_one_sd_is_found_within_40_observations_on_average(name: str, size: float) -> None:
    delays = []
    for seed in range(300):
        x = np.random.default_rng(seed).normal(0.0, 1.0, 4000)
        x[2000:] += size
        drifts = Bank(find(name), series=1).update_one(0, x).drifts()
        delays.append(int(drifts[drifts >= 2000][0]) - 1999)
    assert np.mean(delays) < 40.0


def growth(k: float, most: float) -> float:
    """The t at which exp(t S) does not grow on average, for the worst scores of mean 0, variance 1 and this maximum."""
    rare = 1.0 / (1.0 + most * most)
    return float(
        brentq(
            lambda t: rare * math.exp(t * (most - k)) + (1.0 - rare) * math.exp(-t * (1.0 / most + k)) - 1.0, 0.01, 5
        )
    )


def test_the_default_of_cusum_is_guaranteed_for_every_distribution() -> None:
    values = find("cusum").values()
    t = growth(float(values["k"] or 0), 2.0)
    assert t == pytest.approx(0.6261, abs=1e-4)
    assert math.exp(t * float(values["h"] or 0)) / 2.0 >= 100_000
    page = find("page_hinkley").values()
    assert (page["delta"], page["threshold"]) == (values["k"], values["h"])


@pytest.mark.parametrize(("share", "up", "down"), [(0.2, 16, -9), (0.5, 6, -14)])
def test_runs_between_false_alarms_are_those_of_a_markov_chain_and_longer_than_guaranteed(
    share: float, up: int, down: int
) -> None:
    """Scores of 0/1 values less k go `up` or `down` by tenths. With a share of 0.2 they are the worst there are."""
    expected = chain(share, up, down, 60)
    x = (np.random.default_rng(4).random(1_000_000) < share).astype(np.float64)
    params = {"mean": share, "sd": math.sqrt(share * (1.0 - share)), "h": 6.05, "direction": "up"}
    runs = np.diff(Bank(find("cusum"), params, series=1).update_one(0, x).drifts(), prepend=-1)
    assert abs(runs.mean() - expected) < 4 * runs.std() / math.sqrt(len(runs))
    assert expected > math.exp(growth(0.4, 2.0) * 6.05)


def chain(share: float, up: int, down: int, most: int) -> float:
    """The average run length of a sum that is never below 0, until it is above `most`."""
    remains = np.eye(most + 1)
    for height in range(most + 1):
        remains[height, max(height + down, 0)] -= 1.0 - share
        if height + up <= most:
            remains[height, height + up] -= share
    return float(np.linalg.solve(remains, np.ones(most + 1))[0])
