"""EWMA has the average run lengths of the textbooks, which a Markov chain gives too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.bank import Bank
from detectors.contract import ParameterError
from detectors.drift import find

STANDARD = {"mean": 0.0, "sd": 1.0, "scores": "plain", "limits": "steady"}


def chain(weight: float, limit: float, shift: float, cells: int = 201) -> float:
    """The average run length, by the average's way through cells between its limits (Brook and Evans 1972)."""
    edge = limit * np.sqrt(weight / (2.0 - weight))
    edges = np.linspace(-edge, edge, cells + 1)
    middles = (edges[:-1] + edges[1:]) / 2.0
    reached = stats.norm.cdf((edges[None, :] - (1.0 - weight) * middles[:, None]) / weight - shift)
    runs = np.linalg.solve(np.eye(cells) - np.diff(reached, axis=1), np.ones(cells))
    return float(runs[cells // 2])


# Lucas and Saccucci 1990, as in Montgomery's table 9.11.
@pytest.mark.parametrize(
    ("weight", "limit", "shift", "textbook"),
    [
        (0.4, 3.054, 0.0, 500.0),
        (0.4, 3.054, 1.0, 14.3),
        (0.1, 2.814, 0.0, 500.0),
        (0.1, 2.814, 0.5, 31.3),
        (0.1, 2.814, 1.0, 10.3),
        (0.05, 2.615, 0.0, 500.0),
        (0.05, 2.615, -2.0, 5.2),
    ],
)
def test_the_average_run_length_is_that_of_the_textbook_and_of_a_markov_chain(
    weight: float, limit: float, shift: float, textbook: float
) -> None:
    x = np.random.default_rng(1990).normal(shift, 1.0, 1_500_000 if shift == 0.0 else 100_000)
    bank = Bank(find("ewma"), STANDARD | {"weight": weight, "limit": limit}, series=1)
    runs = np.diff(bank.update_one(0, x).drifts(), prepend=-1)
    error = runs.std() / np.sqrt(len(runs))
    assert chain(weight, limit, shift) == pytest.approx(textbook, rel=0.015)
    assert abs(runs.mean() - chain(weight, limit, shift)) < 4 * error + 0.005 * textbook
    assert error < 0.03 * textbook


def test_limits_are_exact_from_the_first_observation_on() -> None:
    """Montgomery, equations 9.25 and 9.26, on twenty thousand charts of five observations."""
    charts, length = 20_000, 5
    x = np.random.default_rng(1959).normal(0.0, 1.0, charts * length)
    rows = np.repeat(np.arange(charts), length)
    exact, steady = (
        Bank(find("ewma"), STANDARD | {"weight": 0.1, "limits": limits}, charts).update(rows, x).score.reshape(-1, 5)
        for limits in ("exact", "steady")
    )
    assert exact.std(axis=0) == pytest.approx(np.ones(length), rel=0.02)
    assert steady.std(axis=0)[0] == pytest.approx(0.1 / np.sqrt(0.1 / 1.9), rel=0.02)


def test_one_wild_value_is_an_alarm_only_for_plain_scores() -> None:
    x = np.zeros(100)
    x[50] = 1e6
    for scores, alarms in (("plain", [50]), ("clipped", [])):
        bank = Bank(find("ewma"), {"mean": 0.0, "sd": 1.0, "scores": scores}, series=1)
        assert bank.update_one(0, x[:51]).drifts().tolist() == alarms


@pytest.mark.parametrize("alone", ["mean", "sd"])
def test_mean_without_sd_is_refused(alone: str) -> None:
    with pytest.raises(ParameterError, match=f"give both mean and sd, or neither; {alone} is given"):
        Bank(find("ewma"), {alone: 1.0})
