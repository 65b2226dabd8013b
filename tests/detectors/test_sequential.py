"""Evidence that one mean lies above another is wrong no more often than stated, however often one looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from bench.rollouts import METRICS, simulate
from detectors.sequential import LEAST_EVENTS, Arm, Strata, lower_bound, mean_evidence, rate_evidence, upper_bound
from detectors.sequential.bounds import Evidence

ENOUGH = math.log(1 / 0.05)


def counts(n: list[int], ones: list[int]) -> Arm:
    return Arm(np.array(n, float), np.array(ones, float), np.array(ones, float))


def numbers(rng: np.random.Generator, n: list[int], means: list[float]) -> Arm:
    drawn = [rng.normal(mean, 1.0, size) for size, mean in zip(n, means, strict=True)]
    return Arm(np.array(n, float), np.array([x.sum() for x in drawn]), np.array([(x * x).sum() for x in drawn]))


@pytest.mark.parametrize("margin", [-0.1, 0.0, 0.05])
@pytest.mark.parametrize("rate", [0.12, 0.3, 0.8])
def test_evidence_of_counts_is_fair_at_the_margin_whatever_the_rate(margin: float, rate: float) -> None:
    n, m = 7, 4
    champion, candidate = (np.arange(size + 1) for size in (n, m))
    chance = np.outer(binom.pmf(champion, n, rate), binom.pmf(candidate, m, rate + margin))
    of_champion, of_candidate = np.meshgrid(champion, candidate, indexing="ij")
    # A second hour, after a first one that guessed another rate.
    strata = Strata(
        Arm(*(np.stack([np.full(chance.size, first), part.ravel()], axis=1) for first, part in
              ((9.0, np.full(chance.shape, float(m))), (3.0, of_candidate), (3.0, of_candidate)))),
        Arm(*(np.stack([np.full(chance.size, first), part.ravel()], axis=1) for first, part in
              ((9.0, np.full(chance.shape, float(n))), (4.0, of_champion), (4.0, of_champion)))),
    )  # fmt: skip

    evidence = np.exp(rate_evidence(strata, margin, shift=0.1))

    assert (chance.ravel() * evidence[:, 1]).sum() <= evidence[0, 0] * (1 + 1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_peeking_after_every_pane_is_wrong_no_more_often_than_stated(
    metric: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.rollouts.PANES", 40)
    verdicts = simulate(metric, 0.5, -metric.max_loss, rollouts=100, seed=1)  # type: ignore[arg-type, attr-defined]

    allowed = binom.ppf(0.999, 100, 0.05)
    assert (verdicts.promoted > 0).sum() <= allowed
    assert (verdicts.rolled_back > 0).sum() <= allowed


@pytest.mark.parametrize("evidence", [rate_evidence, mean_evidence])
def test_hours_that_differ_for_both_versions_are_no_difference(evidence: Evidence) -> None:
    """The candidate has most of its traffic at night, where both are bad: raw totals would condemn it."""
    hours, rate = 60, np.tile([0.1, 0.5], 30)
    n, m = np.tile([900.0, 300.0], 30), np.tile([100.0, 700.0], 30)
    strata = Strata(Arm(m, m * rate, m * rate), Arm(n, n * rate, n * rate))
    totals = Strata(*(Arm(*(np.full(1, part.sum()) for part in (arm.n, arm.total, arm.squares)))
                      for arm in (strata.candidate, strata.champion)))  # fmt: skip
    assert totals.difference > 0.1

    assert strata.difference == pytest.approx(0.0)
    assert evidence(strata, -0.02, 0.02)[hours - 1] > ENOUGH
    assert evidence(strata.swapped, -0.02, 0.02)[hours - 1] > ENOUGH


@pytest.mark.parametrize("evidence", [rate_evidence, mean_evidence])
def test_the_bounds_say_what_the_evidence_says(evidence: Evidence) -> None:
    rng = np.random.default_rng(4)
    n, m = np.full(30, 900.0), np.full(30, 100.0)
    ones = [rng.binomial(int(size), rate, 30).astype(float) for size, rate in ((100, 0.05), (900, 0.03))]
    strata = Strata(Arm(m, ones[0], ones[0]), Arm(n, ones[1], ones[1]))

    low, high = (bound(evidence, strata, 0.05, 0.01) for bound in (lower_bound, upper_bound))

    assert low < strata.difference < high
    margins = np.linspace(low - 0.05, high + 0.05, 41)
    assert all((evidence(strata, margin, 0.01)[-1] >= ENOUGH) == (margin <= low) for margin in margins)
    assert all((evidence(strata.swapped, -margin, 0.01)[-1] >= ENOUGH) == (margin >= high) for margin in margins)


@pytest.mark.parametrize("loss", [0.0, 1e-9, 0.01, 3.0, 1e6, 1e12])
def test_a_bound_is_the_last_margin_that_is_excluded_whatever_may_be_lost(loss: float) -> None:
    rng = np.random.default_rng(7)
    strata = Strata(numbers(rng, [900] * 8, [0.1] * 8), numbers(rng, [900] * 8, [0.0] * 8))

    low = lower_bound(mean_evidence, strata, 0.05, loss)

    assert mean_evidence(strata, low, loss)[-1] >= ENOUGH
    assert mean_evidence(strata, low + 1e-5 * (strata.difference - low), loss)[-1] < ENOUGH


def test_nothing_is_concluded_of_few_numbers_or_of_numbers_that_do_not_vary() -> None:
    rng = np.random.default_rng(5)
    few = Strata(numbers(rng, [LEAST_EVENTS - 1], [9.0]), numbers(rng, [5_000], [0.0]))
    constant = Strata(counts([5_000], [5_000]), counts([5_000], [0]))

    assert mean_evidence(few, 0.0).tolist() == mean_evidence(constant, 0.0).tolist() == [-math.inf]
    assert lower_bound(mean_evidence, few, 0.05) == -math.inf


def test_numbers_that_do_not_vary_are_compared_where_a_loss_is_stated() -> None:
    ones, twos = (numbers_of([1_000, 1_000], each) for each in (1.0, 2.0))

    assert mean_evidence(Strata(twos, ones), 0.1, 0.1)[-1] > -math.log(0.001)
    assert mean_evidence(Strata(ones, ones), 0.1, 0.1)[-1] < 0
    assert mean_evidence(Strata(ones, ones), -0.1, 0.1)[-1] > -math.log(0.001)


def numbers_of(n: list[int], value: float) -> Arm:
    counts_of = np.array(n, dtype=np.float64)
    return Arm(counts_of, counts_of * value, counts_of * value**2)


def test_strata_that_one_version_lacks_say_nothing() -> None:
    both = Strata(counts([400, 400], [40, 44]), counts([400, 400], [50, 40]))
    lacking = Strata(counts([400, 0, 400], [40, 0, 44]), counts([400, 90, 400], [50, 90, 40]))

    assert lacking.difference == pytest.approx(both.difference)
    assert mean_evidence(lacking, 0.0, 0.1)[-1] == pytest.approx(mean_evidence(both, 0.0, 0.1)[-1])


def test_evidence_of_means_is_the_mixture_of_likelihood_ratios() -> None:
    rng = np.random.default_rng(6)
    n = [700, 800]
    strata = Strata(numbers(rng, n, [0.3, 0.3]), numbers(rng, n, [0.2, 0.2]))
    weight = sum(size / 2 for size in n)
    moved = sum(
        size / 2 * (ours / size - theirs / size + 0.05)
        for size, ours, theirs in zip(n, strata.candidate.total, strata.champion.total, strict=True)
    )
    variances = [sum(size / 2 * s for size, s in zip(n, arm.variance, strict=True)) / weight
                 for arm in (strata.candidate, strata.champion)]  # fmt: skip
    variance = max(variances)
    distances = np.linspace(0.0, 1.0, 200_001)
    ratios = np.exp((distances * moved - distances**2 * weight / 2) / variance) * 2 * norm.pdf(distances, scale=0.1)

    mixture = np.log(np.trapezoid(ratios, distances))

    assert mean_evidence(strata, -0.05, 0.1)[-1] == pytest.approx(mixture, rel=1e-6)


def test_evidence_far_against_stays_against() -> None:
    rng = np.random.default_rng(7)
    strata = Strata(numbers(rng, [5_000], [0.0]), numbers(rng, [5_000], [3.0]))

    assert mean_evidence(strata, 0.0, 0.1)[-1] < 0
    assert mean_evidence(strata.swapped, 0.0, 0.1)[-1] > ENOUGH
