"""Scorers of numbers follow the same quantities as river and scipy, stream by stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from river import stats as river_stats
from river.time_series import HoltWinters
from scipy.stats import median_abs_deviation

from detectors.anomaly import AnomalyBank, find
from tests.detectors import streams

N = 500
STREAMS = {**streams.adversarial(N), **{f"random {i}": x for i, x in enumerate(streams.random(30, N))}}


def learned(name: str, x: streams.Stream, **params: float) -> AnomalyBank:
    bank = AnomalyBank(find(name), params, series=1)
    bank.update(np.zeros(len(x), dtype=np.int64), x)
    return bank


def test_robust_z_is_scipys_median_absolute_deviation_of_the_window() -> None:
    for name, x in STREAMS.items():
        window, value = x[-257:-1], x[-1]
        sd = median_abs_deviation(window, scale="normal")
        if sd == 0.0:
            continue
        score = AnomalyBank(find("robust_z"), series=1).update(np.zeros(N, dtype=np.int64), x).score[-1]
        assert_allclose(score, abs(value - np.median(window)) / sd, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("q", [0.9137, 0.5731])
def test_quantiles_are_those_of_river(q: float) -> None:
    """With a quantile of which no multiple is a whole number within the stream: rounding decides those."""
    for name, x in STREAMS.items():
        low, high = river_stats.Quantile(1.0 - q), river_stats.Quantile(q)
        for value in x.tolist():
            low.update(value)
            high.update(value)
        memory = learned("quantile_filter", x, q=q, clip=1e100).snapshot()["scorer"]["memory"][0]
        levels = memory[[2, 12]] if len(memory) == 20 else np.zeros(2)  # what is zero at the end is not kept
        expected: Any = [low.get(), high.get()]
        assert_allclose(levels, expected, rtol=1e-9, err_msg=name)


def test_the_weighted_mean_is_that_of_river() -> None:
    for name, x in STREAMS.items():
        river = river_stats.EWMean(fading_factor=0.1)
        for value in x.tolist():
            river.update(value)
        # Where the plain average of the start ends, river's starts from the first value: forgotten 22 decades ago.
        mean = learned("ewma_residual", x, alpha=0.1, clip=1e6).state["mean"][0]
        assert_allclose(mean, river.get(), rtol=1e-9, atol=1e-12 * np.abs(x).max(), err_msg=name)


def test_forecasts_are_those_of_river_once_the_start_is_forgotten() -> None:
    """Winters weighs an observation less its new level, river less its forecast: their gammas differ by a factor."""
    settings = {"alpha": 0.3, "beta": 0.1, "gamma": 0.4}
    position = np.arange(2000)
    season = 5.0 * np.sin(2 * np.pi * position / 12) + 0.01 * position
    for seed in range(5):
        x = season + np.random.default_rng(seed).normal(size=2000)
        river = HoltWinters(**settings | {"gamma": 0.4 * (1.0 - 0.3)}, seasonality=12)
        for value in x.tolist():
            river.learn_one(value)
        bank = learned("holt_winters", x, **settings, season=12, clip=1e6)
        snapshot = bank.snapshot()["scorer"]
        level, trend = snapshot["state"]["level"][0], snapshot["state"]["trend"][0]
        ours = [level + (i + 1) * trend + snapshot["memory"][0, (2000 + i) % 12] for i in range(12)]
        assert_allclose(ours, river.forecast(12), rtol=1e-6)
