"""A forecast with the value before in it sees what scorers of levels take for ordinary."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from detectors.anomaly import AnomalyBank, Scores, find

Floats = NDArray[np.float64]


def correlated(seed: int, n: int, phi: float = 0.9) -> Floats:
    return np.asarray(lfilter([1.0], [1.0, -phi], np.random.default_rng(seed).normal(size=n)))


def bursts(seed: int, n: int) -> Floats:
    x, variance = np.empty(n), 1.0
    for t, innovation in enumerate(np.random.default_rng(seed).normal(size=n).tolist()):
        x[t] = variance**0.5 * innovation
        variance = 0.05 + 0.10 * x[t] ** 2 + 0.85 * variance
    return x


def daily(seed: int, n: int) -> Floats:
    return correlated(seed, n, 0.5) + 3.0 * np.sin(2 * np.pi * np.arange(n) / 96)


def scored(name: str, x: Floats, **params: object) -> Scores:
    return AnomalyBank(find(name), params, series=1).update(np.zeros(x.size, dtype=np.int64), x)


@pytest.mark.parametrize(
    ("stream", "params"),
    [(correlated, {}), (bursts, {}), (daily, {"season": 96}), (daily, {})],
    ids=["correlated", "bursts", "daily", "daily without a season"],
)
def test_levels_mean_what_they_say_of_streams_whose_values_follow_one_another(
    stream: object, params: dict[str, object]
) -> None:
    assert callable(stream)
    flags = [
        scored("forecast", stream(seed, 120_000), false_alarm_rate=1e-3, **params).flag[20_000:] for seed in (1, 2)
    ]
    assert 100 < np.sum(flags) < 300  # 200 are expected
    default = [scored("forecast", stream(seed, 120_000), **params).flag[20_000:] for seed in (1, 2)]
    assert np.sum(default) <= 6  # and 2


def test_a_jump_is_found_that_the_level_of_a_correlated_stream_hides() -> None:
    """Ten times what is new in a value, 4.4 standard deviations of all values."""
    found = {"forecast": 0, "robust_z": 0}
    for seed in range(20):
        x = correlated(seed, 10_001)
        x[10_000] += 10.0
        for name in found:
            found[name] += bool(scored(name, x).flag[10_000])
    assert found["forecast"] >= 19
    assert found["robust_z"] <= 10


def test_phi_is_the_correlation_of_neighbours() -> None:
    for phi in (-0.5, 0.0, 0.5, 0.9):
        bank = AnomalyBank(find("forecast"), {"alpha": 0.0, "alpha_sd": 0.001}, series=1)
        bank.update(np.zeros(20_000, dtype=np.int64), correlated(3, 20_000, phi))
        assert bank.state["product"][0] / bank.state["power"][0] == pytest.approx(phi, abs=0.06)


def test_an_ordinary_value_at_the_wrong_hour_is_an_anomaly() -> None:
    x = 3.0 * np.sin(2 * np.pi * np.arange(6_000) / 96) + np.random.default_rng(4).normal(0.0, 0.3, 6_000)
    peak = 62 * 96 + 24
    x[peak] = -3.0  # as low as the trough
    assert scored("forecast", x, season=96).anomalies().tolist() == [peak]
    assert scored("robust_z", x).anomalies().tolist() == []


def test_a_new_level_is_ordinary_again_after_a_while() -> None:
    x = np.random.default_rng(5).normal(size=12_000)
    x[8_000:] += 8.0
    flag = scored("forecast", x).flag
    assert flag[8_000]
    assert not flag[8_300:].any()
