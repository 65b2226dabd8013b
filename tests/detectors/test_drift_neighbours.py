"""CUSUM and EWMA learn what neighbours have in common, and are then as quiet as on values that are independent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from detectors.bank import Bank
from detectors.drift import find
from tests.detectors import streams

both = pytest.mark.parametrize("name", ["cusum", "ewma"])


def carrying(phi: float, seed: int, n: int) -> streams.Stream:
    """Values of sd 1, each of which carries on a share `phi` of the one before."""
    noise = np.random.default_rng(seed).normal(0.0, np.sqrt(1.0 - phi * phi), n + 1000)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise)[1000:])


@both
@pytest.mark.parametrize("phi", [0.5, 0.9])
def test_values_that_follow_one_another_are_no_change(name: str, phi: float) -> None:
    x = carrying(phi, 1, 300_000)
    learned, independent = (
        len(Bank(find(name), {"neighbours": neighbours}, series=1).update_one(0, x).drifts())
        for neighbours in ("learned", "independent")
    )
    assert learned <= 3
    assert independent > 30


@both
def test_what_is_learned_is_their_correlation(name: str) -> None:
    bank = Bank(find(name), {"warm_up": 20_000}, series=1)
    bank.update_one(0, 1e6 + 7.0 * carrying(0.7, 2, 20_001))
    assert bank.state["phi"][0] == pytest.approx(0.7, abs=0.03)


@both
def test_independent_values_are_judged_as_if_nothing_had_been_learned(name: str) -> None:
    same = 0
    for seed in range(40):
        x = streams.step(seed, 1.0, n=1500, at=1200)
        learned, independent = (
            Bank(find(name), {"neighbours": neighbours}, series=1).update_one(0, x).score.tolist()
            for neighbours in ("learned", "independent")
        )
        same += learned == independent
    # One in 44 has a correlation beyond two standard errors.
    assert same >= 36


@both
def test_a_change_among_them_is_found_and_in_which_direction(name: str) -> None:
    for size in (2.0, -2.0):
        x = carrying(0.5, 3, 4000)
        x[2000:] += size
        flags = Bank(find(name), series=1).update_one(0, x)
        first = flags.drifts()[0]
        assert 2000 <= first < 2100
        assert np.sign(flags.score[first]) == np.sign(size)


@both
def test_a_wild_value_in_the_warm_up_does_not_hide_that_they_follow_one_another(name: str) -> None:
    x = carrying(0.9, 4, 1002)
    x[300] = -999_999.0
    bank = Bank(find(name), series=1)
    bank.update_one(0, x)
    assert bank.state["phi"][0] > 0.7


@both
def test_with_mean_and_sd_given_nothing_is_learned(name: str) -> None:
    bank = Bank(find(name), {"mean": 0.0, "sd": 1.0}, series=1)
    bank.update_one(0, carrying(0.9, 5, 2000))
    assert bank.state["phi"][0] == 0.0
