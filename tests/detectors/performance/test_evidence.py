"""What charts are told of a metric: shares as counts, and means with the variance that one event has."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from detectors.performance import METRICS, Binary, Multiclass, Question, Regression
from detectors.performance.evidence import (
    CHARTED,
    FEWEST,
    FEWEST_EVENTS,
    Measured,
    Scale,
    count_share,
    form_of,
    measure,
)

RNG = np.random.default_rng(11)


def test_shares_are_counts_and_weights_make_fewer_events_of_them() -> None:
    score, truth = RNG.random(500), RNG.random(500) < 0.3
    names = np.where(truth, "yes", "no").tolist()
    said = score >= 0.5
    sums = Binary("yes").fold(score, names)
    assert count_share(sums, "accuracy", "binary") == pytest.approx([(said == truth).sum(), 500])
    assert count_share(sums, "recall", "binary") == pytest.approx([(said & truth).sum(), truth.sum()])
    weights = RNG.integers(1, 9, 500).astype(float)
    hits, events = count_share(Binary("yes").fold(score, names, weights), "precision", "binary")
    of_said = weights[said]
    assert events == pytest.approx(of_said.sum() ** 2 / (of_said**2).sum())
    assert hits / events == pytest.approx((of_said * truth[said]).sum() / of_said.sum())
    assert count_share(Binary("yes").fold(np.full(3, 0.1), ["no"] * 3), "precision", "binary") == (0.0, 0.0)
    several = Multiclass().fold(["a", "b", "c", "a"], ["a", "b", "a", "a"])
    assert count_share(several, "accuracy", "multiclass") == pytest.approx([3, 4])


def test_means_have_the_variance_of_one_event() -> None:
    truth = RNG.normal(0, 5, 2_000)
    errors = RNG.standard_t(5, 2_000)
    sums, question = Regression().fold(truth + errors, truth), Question("regression")
    mae, rmse = (measure(sums, name, question) for name in ("mae", "rmse"))
    assert mae is not None
    assert rmse is not None
    assert mae.value == pytest.approx(mean_absolute_error(truth, truth + errors))
    assert mae.variance == pytest.approx(np.abs(errors).var())
    assert rmse.value == pytest.approx(root_mean_squared_error(truth, truth + errors))
    # To first order a root moves by half of what is in it over itself; its interval is not quite symmetric.
    assert rmse.variance == pytest.approx((errors**2).var() / (4 * rmse.value**2), rel=0.01)
    bias = measure(sums, "bias", question)
    assert bias is not None
    assert bias.variance == pytest.approx(errors.var())


def test_too_few_events_say_nothing_and_equal_ones_leave_nothing_to_chance() -> None:
    few = Regression().fold(np.ones(FEWEST_EVENTS - 1), np.zeros(FEWEST_EVENTS - 1))
    alike = Regression().fold(np.ones(FEWEST_EVENTS), np.zeros(FEWEST_EVENTS))
    assert measure(few, "mae", Question("regression")) is None
    assert measure(alike, "mae", Question("regression")) == (1.0, 0.0, FEWEST_EVENTS)
    assert measure(alike, "r2", Question("regression")) is None
    assert measure(Regression().fold(np.ones(0), np.zeros(0)), "mae", Question("regression")) is None


def test_a_loss_of_almost_nothing_is_near_a_small_one_and_far_from_many_times_the_usual() -> None:
    scale = Scale.of("size", Measured(0.08, variance=0.02, events=200))
    nothing, little, usual, tenfold = (scale.at(loss) for loss in (1e-7, 1e-3, 0.08, 0.8))
    assert usual == pytest.approx(0)
    assert little - nothing < 0.02
    assert tenfold > 2 * abs(nothing)
    assert scale.variance(Measured(0.08, 0.02, 50)) == pytest.approx(1, rel=0.01)
    # One error of 50 events is no further from nothing than chance goes.
    one = Measured(0.8, 0.8**2 * 49, 50)
    assert scale.at(one.value) - scale.at(0.0) < 2 * (scale.variance(one) / one.events) ** 0.5


def test_every_metric_that_can_be_followed_has_a_form_and_a_scale_that_leads_back() -> None:
    assert METRICS.keys() >= CHARTED
    assert METRICS.keys() - CHARTED == {"ece", "confusion", "value_total"}
    assert FEWEST.keys() <= CHARTED
    for name in CHARTED:
        for kind in METRICS[name].kinds:
            scale = Scale(form_of(name, kind), center=0.4, spread=0.7)
            assert scale.value(scale.at(0.8)) == pytest.approx(0.8)


@pytest.mark.parametrize(("name", "kind", "ends"), [("r2", "regression", (None, 1.0)), ("mcc", "binary", (-1.0, 1.0))])
def test_no_shift_leads_beyond_what_a_metric_can_be(name: str, kind: str, ends: tuple[float | None, float]) -> None:
    """R² went `0.912 → 1.03`: what an hour lacked of a linear scale was added to what was expected."""
    scale = Scale.of(form_of(name, kind), Measured(0.9, variance=0.02, events=500))
    assert scale.at(0.9) == pytest.approx(0)
    reached = [scale.value(at) for at in np.linspace(-40, 40, 81)]
    assert reached == sorted(reached)
    assert max(reached) <= ends[1]
    assert ends[0] is None or min(reached) >= ends[0]
    for value in (-0.5, 0.0, 0.5, 0.99):
        assert scale.value(scale.at(value)) == pytest.approx(value)
        of_one = Measured(value, variance=1e-4, events=10_000)
        slope = (scale.at(value + 1e-4) - scale.at(value - 1e-4)) / 2e-4
        assert scale.variance(of_one) == pytest.approx(1e-4 * slope**2, rel=0.01)
