"""Scores become probabilities: scikit-learn is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from detectors.estimate import calibrate

SCORES = st.floats(-1e6, 1e6).map(lambda score: round(score, 2))
EVENTS = st.lists(st.tuples(SCORES, st.booleans(), st.floats(0.01, 100.0)), min_size=1, max_size=60)


@settings(deadline=None)
@given(EVENTS)
def test_probabilities_are_those_of_isotonic_regression(events: list[tuple[float, bool, float]]) -> None:
    scores, outcomes, weights = (np.array(column, dtype=np.float64) for column in zip(*events, strict=True))
    reference = IsotonicRegression(out_of_bounds="clip").fit(scores, outcomes, sample_weight=weights)
    calibration = calibrate(scores, outcomes, weights)
    between = np.concatenate((scores, scores + 0.005, [-2e6, 2e6]))
    assert calibration.probability(between) == pytest.approx(reference.predict(between), abs=1e-9)
    assert (np.diff(calibration.scores) > 0).all()
    assert (np.diff(calibration.probabilities) >= 0).all()


def test_what_is_no_number_has_no_probability() -> None:
    assert np.isnan(calibrate([0.0, 1.0], [0, 1]).probability([np.nan])).all()


@pytest.mark.parametrize(
    ("scores", "outcomes", "weights"),
    [([], [], None), ([1.0], [1, 0], None), ([np.nan], [1], None), ([1.0], [1], [0.0]), ([[1.0]], [[1]], None)],
    ids=["nothing", "lengths", "nan", "no weight", "shape"],
)
def test_what_cannot_be_fitted_is_refused(scores: object, outcomes: object, weights: object) -> None:
    with pytest.raises(ValueError, match=r"scores"):
        calibrate(scores, outcomes, weights)  # type: ignore[arg-type]
