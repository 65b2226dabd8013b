"""Counts become normal scores whose tails are right, and quantiles and gamma functions are those of SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from detectors.change.contrasts import _log_lower_gamma, normal_quantiles
from detectors.change.legend import IN_HOUR, KIND, RATE, ROW, SCORE, UNIT_SEEN, UNIT_SUM, VOLUME
from detectors.change.residuals import SMALLEST_UNIT, for_events, to_expectation, to_residual


def row_of(kind: int, unit: float = 0.0) -> np.ndarray:
    row = np.zeros(ROW)
    row[KIND], row[IN_HOUR] = kind, 1
    row[UNIT_SUM], row[UNIT_SEEN] = 2 * unit, 2
    return row


def expectation_of(events: int, share: float) -> float:
    """What hours teach of a share: the mean of what is kept of each, over the binomial distribution."""
    counts = np.arange(events + 1)
    kept = [to_expectation(RATE, float(count), float(events), 1.0) for count in counts]
    return float(stats.binom.pmf(counts, events, share) @ kept)


def expectation_of_events(mean: float) -> float:
    """What hours teach of a number of events."""
    counts = np.arange(stats.poisson.ppf(1e-13, mean), stats.poisson.isf(1e-13, mean) + 1)
    return float(stats.poisson.pmf(counts, mean) @ np.log(counts + 0.5))


def middle_score(below: float, up_to: float) -> float:
    """The normal score of the middle of a count: half of its probability is below it."""
    return float(special.ndtri((below + up_to) / 2))


def close_enough(count: int) -> float:
    """How far a score is from that of the middle of a count: its probability is not spread evenly near an end."""
    return {0: 0.36, 1: 0.13}.get(count, 0.07)


@pytest.mark.parametrize(("events", "share"), [(50, 0.1), (500, 0.01), (500, 0.3), (1000, 0.5), (200, 0.97)])
def test_a_share_has_the_tails_of_the_binomial_distribution(events: int, share: float) -> None:
    expected = expectation_of(events, share)

    def score(count: float) -> float:
        residual, sampling = to_residual(row_of(RATE), count, float(events), expected)
        assert sampling == 1 / events
        return residual * math.sqrt(events)

    for count in range(events):
        below, up_to = stats.binom.cdf([count - 1, count], events, share)
        if up_to > 1e-10 and up_to < 1 - 1e-10:
            assert score(count + 0.5) == pytest.approx(special.ndtri(up_to), abs=0.06)
            assert score(count) == pytest.approx(
                middle_score(below, up_to), abs=close_enough(min(count, events - count))
            )


@pytest.mark.parametrize("mean", [5.0, 40.0, 3000.0])
def test_a_number_of_events_has_the_tails_of_the_poisson_distribution(mean: float) -> None:
    expected = expectation_of_events(mean)

    def score(count: float) -> float:
        residual, sampling = to_residual(row_of(VOLUME), count, 1.0, expected)
        assert sampling == pytest.approx(1 / mean, rel=0.03)
        return residual / math.sqrt(sampling)

    reach = int(7 * math.sqrt(mean))
    for count in range(max(0, int(mean) - reach), int(mean) + reach, max(1, reach // 100)):
        below, up_to = stats.poisson.cdf([count - 1, count], mean)
        if up_to > 1e-10 and up_to < 1 - 1e-10:
            assert score(count + 0.5) == pytest.approx(special.ndtri(up_to), abs=0.06)
            assert score(count) == pytest.approx(middle_score(below, up_to), abs=close_enough(count))


def test_no_event_of_five_expected_ones_is_as_rare_as_it_is_and_arc_sines_say_it_is_rarer() -> None:
    residual, sampling = to_residual(row_of(RATE), 0.0, 500.0, expectation_of(500, 0.01))
    exact = middle_score(0, stats.binom.cdf(0, 500, 0.01))
    of_arc_sine = (to_expectation(RATE, 0, 500, 1) - to_expectation(RATE, 5, 500, 1)) * math.sqrt(500)
    assert abs(residual / math.sqrt(sampling) - exact) < 0.36
    assert exact - of_arc_sine > 0.6


@pytest.mark.parametrize("events", [18, 500, 5000])
@pytest.mark.parametrize("mean", [0.0, 0.02, 0.1, 0.25, 0.4, 0.7, 1.0, 2.0, 6.0])
def test_rare_counts_neither_fall_nor_rise_by_themselves(events: int, mean: float) -> None:
    # Charts add up for weeks: a score whose mean is not 0 becomes an alarm about nothing.
    counts = np.arange(min(events, 60) + 1)
    for share in (mean / events, 1 - mean / events):
        expected = expectation_of(events, share)
        occurring = counts if share < 0.5 else events - counts
        scores = [to_residual(row_of(RATE), float(x), float(events), expected)[0] for x in occurring]
        assert abs(stats.binom.pmf(occurring, events, share) @ scores) * math.sqrt(events) < 0.05


@pytest.mark.parametrize("mean", [0.0, 0.02, 0.1, 0.3, 0.7, 1.0, 2.0, 6.0, 100.0])
def test_rare_events_neither_fall_nor_rise_by_themselves(mean: float) -> None:
    counts = np.arange(200)
    expected = expectation_of_events(mean) if mean > 0 else math.log(0.5)
    residuals = [to_residual(row_of(VOLUME), float(x), 1.0, expected) for x in counts]
    scores = [residual / math.sqrt(sampling) for residual, sampling in residuals]
    assert abs(stats.poisson.pmf(counts, mean) @ scores) < 0.08


def test_a_share_that_is_too_small_to_be_known_does_not_fall() -> None:
    never = to_expectation(RATE, 0.0, 1e6, 1.0)
    assert to_residual(row_of(RATE), 0.0, 1e6, never)[0] == 0.0
    assert to_residual(row_of(RATE), 1e6, 1e6, math.pi - never)[0] == 0.0


def test_a_score_is_compared_in_its_own_units_with_a_variance_that_is_never_none() -> None:
    assert to_residual(row_of(SCORE, 0.8), 1.5, 200.0, 1.0) == (0.5, 0.8 / 200)
    assert to_residual(row_of(SCORE), 1.5, 200.0, 1.0) == (0.5, SMALLEST_UNIT / 200)


@pytest.mark.parametrize(
    ("kind", "value", "events", "windows"), [(RATE, 30.0, 1000.0, 4.0), (VOLUME, 4000.0, 4.0, 4.0)]
)
def test_what_is_as_expected_has_no_residual(kind: int, value: float, events: float, windows: float) -> None:
    expected = to_expectation(kind, value, events, windows)
    of_one = (value, events) if kind == RATE else (value / windows, 1.0)
    residual, sampling = to_residual(row_of(kind), *of_one, expected)
    assert abs(residual) < 0.03 * math.sqrt(sampling)


def test_normal_quantiles_are_those_of_scipy() -> None:
    shares = np.concatenate((np.logspace(-9, -1, 40), np.linspace(0.1, 0.9, 33), 1 - np.logspace(-1, -9, 40)))
    np.testing.assert_allclose(normal_quantiles(shares), special.ndtri(shares), rtol=0, atol=1e-7)


@pytest.mark.parametrize("a", [9.5, 10.0, 31.5, 200.0])
def test_the_lower_tail_of_repeats_is_that_of_scipy(a: float) -> None:
    for x in a * np.array([0.05, 0.1, 0.3, 0.6, 0.9, 0.999]):
        assert _log_lower_gamma(a, x) == pytest.approx(math.log(special.gammainc(a, x)), rel=1e-10)
    # More than half of the distribution is below: nothing resembles anything there.
    assert _log_lower_gamma(a, 1.2 * a) == 0.0
    # Two windows that are the same in all groups.
    assert math.isfinite(_log_lower_gamma(a, 0.0))
    assert _log_lower_gamma(a, 0.0) < -1000


@pytest.mark.parametrize(("learned", "events"), [(12, 36), (12, 120), (60, 6), (500, 20)])
@pytest.mark.parametrize("share", [0.0, 0.002, 0.01, 0.3, 0.5, 0.995, 1.0])
def test_a_share_is_expected_of_other_traffic_as_that_would_have_taught_it(
    learned: int, events: int, share: float
) -> None:
    # In standard deviations of a window with so many events.
    error = for_events(expectation_of(learned, share), float(learned), float(events)) - expectation_of(events, share)
    assert abs(error) * math.sqrt(events) < (0.1 if share in (0.0, 1.0) else 0.25)
