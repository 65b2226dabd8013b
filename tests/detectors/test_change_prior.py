"""What the variances of signals of one kind say of one that has few days of its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.change.prior import prior_of
from detectors.kernel import kernel
from tests.detectors.plain_prior import WORTH, log_likelihood, most_likely_prior


@kernel
def compiled(squares: np.ndarray, freedoms: np.ndarray) -> tuple[float, float]:
    return prior_of(squares, freedoms)


SQUARES = st.lists(
    st.tuples(st.floats(0.01, 100), st.floats(3, 60)).map(lambda drawn: (drawn[0] * drawn[1], drawn[1])),
    min_size=2,
    max_size=12,
)


@given(SQUARES)
def test_it_is_what_makes_the_squares_likeliest(drawn: list[tuple[float, float]]) -> None:
    squares, freedoms = np.array(drawn).T
    likelihood = log_likelihood(squares, freedoms, *compiled(squares, freedoms))
    most = log_likelihood(squares, freedoms, *most_likely_prior(squares, freedoms))
    assert likelihood == pytest.approx(most, abs=0.02)


@given(SQUARES, st.floats(1e-6, 1e6))
def test_units_do_not_matter(drawn: list[tuple[float, float]], unit: float) -> None:
    squares, freedoms = np.array(drawn).T
    worth, typical = compiled(squares, freedoms)
    in_units_worth, in_units = compiled(unit * squares, freedoms)
    if in_units_worth == worth:
        assert in_units == pytest.approx(unit * typical, rel=1e-6)
    else:
        assert abs(np.log2(in_units_worth / worth)) == 1


@pytest.mark.parametrize("worth", WORTH[:-1])
def test_worth_is_found_again_from_many_variances(worth: int) -> None:
    rng = np.random.default_rng(worth)
    variances = 0.3 * worth / rng.chisquare(worth, 2_000)
    found, typical = compiled(variances * rng.chisquare(20, 2_000), np.full(2_000, 20.0))
    assert found == worth
    assert typical == pytest.approx(0.3, rel=0.1)


def test_variances_that_are_one_are_worth_most_and_those_far_apart_least() -> None:
    rng = np.random.default_rng(0)
    of_one = rng.chisquare(20, 50)
    assert compiled(of_one, np.full(50, 20.0))[0] == WORTH[-1]
    assert compiled(of_one * np.geomspace(1e-4, 1e4, 50), np.full(50, 20.0))[0] == WORTH[0]
