"""What a typical value is said to be of numbers with few values: what lies near their mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detectors.sketch import NumericFold, NumericSummary, universal_layout
from monitor.evaluate.columns import Columns, keys_of
from monitor.evaluate.number_groups import Groups

Values = npt.NDArray[Any]
LAYOUT = universal_layout(None, None)


def folded(values: Values) -> NumericSummary:
    fold = NumericFold([LAYOUT])
    fold.ensure(1)
    fold.fold(np.zeros(len(values), dtype=np.int64), np.asarray(values, dtype=np.float64)[None])
    [summary] = fold.take(0)
    return summary


def typical(reference: Values, window: Values) -> float:
    """Return the value that has the mean score of a window."""
    groups, summary = Groups.of(folded(reference), LAYOUT), folded(window)
    columns = Columns(LAYOUT, keys_of(summary))
    scores = groups.numbers(columns)[1]
    return groups.value(float(columns.counts_of(summary) @ scores) / summary.n)


@pytest.mark.parametrize("share", [0.004, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("later", [0.01, 0.3, 0.8])
def test_of_two_values_it_is_the_share_of_the_larger_one(share: float, later: float) -> None:
    """A tenth of ones was a typical value of 0.0039, and three tenths one of 0.0115."""
    rng = np.random.default_rng(1)
    reference = rng.random(3_000) < share
    assert typical(reference, reference) == pytest.approx(reference.mean(), abs=1e-9)
    window = rng.random(3_000) < later
    assert typical(reference, window) == pytest.approx(window.mean(), abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
def test_of_a_flag_that_never_changed_it_is_the_share_as_well(value: float, share: float) -> None:
    """`explain` said `expected 0, was 0, alarms below 0 or above 0`."""
    window = np.where(np.arange(100) < 100 * share, 1 - value, value)
    assert typical(np.full(300, value), window) == pytest.approx(window.mean(), abs=0.01)


def test_of_a_constant_that_becomes_another_it_is_that() -> None:
    assert typical(np.full(300, 7.0), np.full(300, 9.0)) == pytest.approx(9, rel=0.01)


def test_of_counts_it_is_near_their_mean() -> None:
    """Of 0.6 it was 0.03, and of 0.95 then 0.99."""
    rng = np.random.default_rng(2)
    reference = rng.poisson(0.6, 3_000)
    for mean in (0.6, 0.95, 1.3):
        window = rng.poisson(mean, 3_000)
        assert typical(reference, window) == pytest.approx(window.mean(), rel=0.12)


def test_of_many_values_it_is_the_one_in_the_middle_as_before() -> None:
    rng = np.random.default_rng(3)
    reference = rng.lognormal(size=3_000)
    assert typical(reference, reference) == pytest.approx(np.median(reference), rel=0.05)
    assert typical(reference, 2 * rng.lognormal(size=3_000)) == pytest.approx(2, rel=0.08)


@pytest.mark.parametrize("lowest", [0.0, 1.0, -3.0])
def test_zeros_are_0_and_no_rest_of_it(lowest: float) -> None:
    """`typical value 16.9 → -2.22e-16` was the first alert of an hour of the day."""
    reference = np.repeat(np.arange(10.0) + lowest, 30)
    assert {typical(reference, np.zeros(n)) for n in range(20, 120)} == {0.0}
