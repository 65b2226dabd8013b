"""CUSUM has the average run lengths of the textbooks, and learns its baseline as it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.contract import ParameterError
from detectors.drift import find
from tests.detectors import streams

STANDARD = {"mean": 0.0, "sd": 1.0, "k": 0.5, "scores": "plain"}


def run_lengths(params: dict[str, Any], shift: float, n: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Each alarm starts the detector anew, so that one long stream is many independent runs."""
    x = np.random.default_rng(168_465).normal(shift, 1.0, n)
    return np.diff(Bank(find("cusum"), params, series=1).update_one(0, x).drifts(), prepend=-1)


# D. C. Montgomery, Introduction to Statistical Quality Control, table 9.3; two-sided, k = 0.5.
@pytest.mark.parametrize(
    ("h", "shift", "textbook"),
    [(4.0, 0.0, 168.0), (4.0, 0.5, 26.6), (4.0, 1.0, 8.38), (4.0, -2.0, 3.34), (5.0, 0.0, 465.0), (5.0, 1.0, 10.4)],
)
def test_the_average_run_length_is_that_of_the_textbook(h: float, shift: float, textbook: float) -> None:
    runs = run_lengths(STANDARD | {"h": h}, shift, 4_000_000 if shift == 0.0 else 200_000)
    error = runs.std() / np.sqrt(len(runs))
    printed = 0.006 * textbook  # three digits are given
    assert abs(runs.mean() - textbook) < 3 * error + printed
    assert error < 0.02 * textbook


def test_one_sided_is_half_as_often_wrong() -> None:
    up = run_lengths(STANDARD | {"h": 4.0, "direction": "up"}, 0.0, 2_000_000)
    assert up.mean() == pytest.approx(2 * 168, rel=0.05)


@pytest.mark.parametrize(("direction", "shift"), [("up", -3.0), ("down", 3.0)])
def test_it_is_blind_to_the_other_direction(direction: str, shift: float) -> None:
    x = np.full(1000, shift)
    assert not Bank(find("cusum"), STANDARD | {"direction": direction}, series=1).update_one(0, x).flag.any()


def test_what_it_learns_is_the_mean_and_the_sample_sd_of_the_warm_up() -> None:
    x = np.random.default_rng(3).normal(7.0, 2.0, 300)
    bank = Bank(find("cusum"), {"warm_up": 200}, series=1)
    bank.update_one(0, x)
    assert bank.state["mean"][0] == pytest.approx(x[:200].mean(), rel=1e-12)
    assert bank.state["sd"][0] == pytest.approx(x[:200].std(ddof=1), rel=1e-12)


def test_scale_and_offset_do_not_matter_once_learned() -> None:
    x = streams.step(1, 1.0, n=3000, at=2000)
    plain, scaled = (
        Bank(find("cusum"), {"warm_up": 500}, series=1).update_one(0, y).drifts().tolist() for y in (x, 1e6 + 250.0 * x)
    )
    assert plain == scaled != []


@pytest.mark.parametrize(("scores", "differing"), [("clipped", 2), ("plain", 1)])
def test_as_long_as_all_values_or_all_but_one_are_equal_there_is_no_scale(scores: str, differing: int) -> None:
    bank = Bank(find("cusum"), {"warm_up": 10, "scores": scores}, series=1)
    bank.update_one(0, np.full(1000, 0.1))
    for _ in range(differing):
        assert bank.ready.tolist() == [False]
        bank.update_one(0, [0.2])
    assert bank.ready.tolist() == [True]


@pytest.mark.parametrize("alone", ["mean", "sd"])
def test_mean_without_sd_is_refused(alone: str) -> None:
    with pytest.raises(ParameterError, match=f"give both mean and sd, or neither; {alone} is given"):
        Bank(find("cusum"), {alone: 1.0})
