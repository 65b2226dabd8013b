"""SPOT alarms as its paper has it, its tails are those of scipy's fit, and its scores are probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import genpareto

from detectors.anomaly import AnomalyBank, find
from detectors.anomaly.generalised_pareto import fit
from tests.detectors import streams

Floats = NDArray[np.float64]


def scores(name: str, x: Floats, **params: float | str) -> Floats:
    return AnomalyBank(find(name), params, series=1).update(np.zeros(len(x), dtype=np.int64), x).score


def likelihood(peaks: Floats, shape: float, scale: float) -> float:
    return float(genpareto.logpdf(peaks, shape, scale=scale).sum())


@pytest.mark.parametrize("shape", [-0.4, -0.1, 0.0, 0.3, 1.0])
def test_no_other_shape_and_scale_are_more_likely(shape: float) -> None:
    for seed in range(10):
        peaks = genpareto.rvs(shape, scale=1e3, size=150, random_state=seed)
        scipys, _, scale = genpareto.fit(peaks, floc=0.0)
        ours = fit(peaks, len(peaks))
        assert likelihood(peaks, *ours) >= likelihood(peaks, scipys, scale) - 1e-3


def test_peaks_of_real_shapes_are_fitted_at_least_as_well_as_by_an_exponential() -> None:
    for name, x in {**streams.adversarial(600), **{f"random {i}": x for i, x in enumerate(streams.random(30))}}.items():
        ordered = np.sort(x)
        peaks = ordered[ordered > ordered[-100]] - ordered[-100]
        if len(peaks) < 10:
            continue
        peaks = peaks / peaks.mean()
        assert likelihood(peaks, *fit(peaks, len(peaks))) >= -len(peaks) - 1e-9, name


def test_a_score_is_minus_the_logarithm_of_the_probability() -> None:
    """On either side; a tail is taken to be heavier than it is fitted, by one standard error."""
    results = [
        scores("spot", np.append(np.random.default_rng(seed).exponential(size=10_000), [-math.log(1e-4)]))[-1]
        for seed in range(20)
    ]
    assert 3.5 < np.median(results) < 4.05
    score = scores("spot", np.random.default_rng(1).normal(size=100_000))[1000:]
    assert np.mean(score > 2.0) == pytest.approx(0.02, rel=0.1)
    assert 1e-3 < np.mean(score > 3.0) < 2.1e-3
    assert np.mean(score > 4.0) < 2e-4


def original(x: Floats, q: float, warm_up: int, level: float) -> list[int]:
    """The paper's algorithm 1 (SPOT), with scipy's fit: where it alarms."""
    ordered = np.sort(x[:warm_up])
    t = ordered[int(level * warm_up)]
    peaks = [value - t for value in ordered if value > t]
    n, alarms = warm_up, []
    shape, _, scale = genpareto.fit(peaks, floc=0.0)
    for i, value in enumerate(x[warm_up:].tolist(), warm_up):
        z = t + scale / shape * ((q * n / len(peaks)) ** -shape - 1.0)
        if value > z:
            alarms.append(i)
            continue
        n += 1
        if value > t:
            peaks.append(value - t)
            shape, _, scale = genpareto.fit(peaks, floc=0.0)
    return alarms


def test_it_alarms_where_the_algorithm_of_the_paper_does() -> None:
    x = np.random.default_rng(2).gamma(2.0, size=1_300)
    x[[600, 601, 900]] = [40.0, 25.0, 60.0]
    x[1_200:] += 6.0
    q = 1e-3
    results = scores("spot", x, anomalies="skip", margin=0.0, risk=q, refit=1, quantile=0.95, warm_up=500, peaks=500)
    with np.errstate(invalid="ignore"):
        alarms = np.flatnonzero(results > -np.log10(q))
    theirs = original(x, q, 500, 0.95)
    above = [i for i in alarms.tolist() if x[i] > np.median(x)]
    assert len(theirs) > 10
    assert above == theirs


def test_what_is_skipped_keeps_a_moved_series_odd_for_ever_and_what_is_clipped_does_not() -> None:
    x = np.random.default_rng(3).normal(size=8_000)
    x[2_000:] += 8.0
    late_median = {kind: np.median(scores("spot", x, anomalies=kind)[-1_000:]) for kind in ("skip", "clip")}
    assert late_median["skip"] > 4.0
    assert late_median["clip"] < 1.0


def test_dspot_follows_a_level_that_drifts_and_spot_does_not() -> None:
    x = np.random.default_rng(4).normal(size=20_000) + np.arange(20_000) / 1_000.0
    x[19_000] += 10.0
    drifting, fixed = scores("dspot", x), scores("spot", x)
    assert np.nanargmax(drifting) == 19_000
    assert drifting[19_000] > 6.0
    assert np.mean(drifting[1_100:] > 4.0) < 1e-3
    assert fixed[19_000] < 2.0


def test_thresholds_and_counts_are_those_of_the_definition() -> None:
    x = np.random.default_rng(5).normal(size=3_000)
    bank = AnomalyBank(find("spot"), series=1)
    bank.update(np.zeros(3_000, dtype=np.int64), x)
    ordered = np.sort(x[:1_000])
    state = bank.state[0]
    assert (state["high"], state["low"]) == (ordered[980], ordered[19])
    assert state["peaks_up"] == np.sum(x > state["high"])
    assert state["peaks_down"] == np.sum(x < state["low"])
    assert bank.snapshot()["scorer"]["memory"].shape[1] <= 400  # the warm-up is let go
