"""Evidence that an estimator is too far off: rare by chance, soon where it is, and never of one or two days."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.estimate import LOST_LIMIT, FidelityChart

MARGIN, STRAYS = 0.05, 0.03


def days_until(chart: FidelityChart, differences: list[float], strays: float = STRAYS) -> int:
    """How many days it took; one more than there are if it never came."""
    for day, difference in enumerate(differences, start=1):
        if chart.take(difference, strays, MARGIN):
            return day
    return len(differences) + 1


def plain(differences: list[float]) -> list[float]:
    """The evidence as its definition has it: a sum over the days on which it may have begun, of products."""
    evidence = []
    for last in range(len(differences)):
        total = 0.0
        for side in (1, -1):
            for by in (0.5, 1.0, 2.0, 4.0):
                rate = by * MARGIN / STRAYS**2
                factors = [
                    min(math.exp(rate * (side * x - MARGIN) - rate**2 * STRAYS**2 / 2), LOST_LIMIT ** (1 / 3))
                    for x in differences[: last + 1]
                ]
                total += sum(math.prod(factors[first:]) for first in range(last + 1)) / 4
        evidence.append(total)
    return evidence


def test_the_evidence_is_that_of_its_definition() -> None:
    differences = np.random.default_rng(1).normal(0.085, STRAYS, 40).tolist()
    until = next((day for day, value in enumerate(plain(differences), start=1) if value >= LOST_LIMIT), 41)
    assert days_until(FidelityChart(), differences) == until < 41


@pytest.mark.parametrize("difference", [0.5, -0.5], ids=["better", "worse"])
def test_three_days_are_the_fewest_however_far_off(difference: float) -> None:
    chart = FidelityChart()
    assert days_until(chart, [difference] * 5) == 3
    assert chart.is_lost
    assert 3 <= days_until(chart, [0.0] * 40) < 20
    assert not chart.is_lost


def test_as_far_off_as_it_may_be_is_lost_no_more_often_than_said() -> None:
    random, years = np.random.default_rng(2), 40
    chart, lost = FidelityChart(), 0
    for difference in random.normal(MARGIN, STRAYS, 365 * years).tolist():
        if chart.take(difference, STRAYS, MARGIN):
            lost += 1
            chart = FidelityChart()
    # Once in ten years at most: of four, more than ten have a probability of 0.003.
    assert lost <= 10


def test_a_difference_that_is_no_wonder_on_its_day_is_no_evidence() -> None:
    assert days_until(FidelityChart(), [0.15] * 5, strays=1.0) == 6
    assert days_until(FidelityChart(), [0.0] * 1_000, strays=0.0) == 1_001
