"""SEED fires where MOA's does if it is asked to, and where the units of the values do not matter if it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.drift import find
from tests.detectors import streams
from tests.services.peers import Moa

# Long enough for the window to be compressed.
STREAMS = {**streams.adversarial(3000), **{f"random {i}": x for i, x in enumerate(streams.random(30, 3000))}}
AS_MOA = {"compatible": "moa", "after_drift": "keep", "delta": 0.05}


def drifts(params: dict[str, Any], x: streams.Stream) -> list[int]:
    results: list[int] = Bank(find("seed"), params, series=1).update_one(0, x).drifts().tolist()
    return results


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        (
            {"delta": 0.9, "block_size": 40, "epsilon": 0.005, "growth": 0.3, "compress_every": 50},
            {
                "deltaSEED": 0.9,
                "blockSizeSEED": 40,
                "epsilonPrimeSEED": 0.005,
                "alphaSEED": 0.3,
                "compressTermSEED": 50,
            },
        ),
    ],
)
def test_it_fires_where_moa_fires(moa: Moa, params: dict[str, Any], options: dict[str, Any]) -> None:
    expected = dict(zip(STREAMS, moa.drifts("SEEDChangeDetector", options, list(STREAMS.values())), strict=True))
    assert {name: drifts(AS_MOA | params, x) for name, x in STREAMS.items()} == expected
    assert len(expected) >= 50
    assert sum(map(len, expected.values())) > 100, "streams on which nothing happens prove nothing"


def test_units_do_not_matter_unless_moa_is_asked_for() -> None:
    x = streams.step(2, 0.8, n=4000, at=2000)
    results = [drifts({}, y) for y in (x, 1e-6 * x, 1000.0 * x - 7e5)]
    assert results[0] == results[1] == results[2] != []
    assert drifts(AS_MOA, x) != drifts(AS_MOA, 1e-6 * x) == []


def test_moas_settings_fire_on_noise_and_ours_hardly_do() -> None:
    """Pinned, as it is a difference: a term of MOA's bound is in units of x, and its sum of squares is not exact."""
    x = np.random.default_rng(21).standard_t(3, 200_000)
    assert len(drifts(AS_MOA, x)) > 10
    assert len(drifts({}, x)) < 5


def test_the_sum_of_squares_is_that_of_the_window_also_when_a_part_was_dropped() -> None:
    x = streams.step(3, 2.0, n=3000, at=1000)
    bank = Bank(find("seed"), {"after_drift": "keep", "compress_every": 20}, series=1)
    assert bank.update_one(0, x).drifts().size > 0
    full = len(x) - int(bank.state["waiting"][0])
    window = x[full - int(bank.state["width"][0]) : full]
    assert 1900 < len(window) < 2050
    assert bank.state["total"][0] == pytest.approx(window.sum())
    assert bank.state["squares"][0] == pytest.approx(window.var() * len(window))


def test_a_window_without_room_stays_complete() -> None:
    x = np.random.default_rng(4).normal(0.0, 1.0, 5000)
    bank = Bank(find("seed"), {"max_blocks": 10, "epsilon": 0.0}, series=1)
    assert bank.update_one(0, x).drifts().size == 0
    assert bank.state["blocks"].tolist() == [10]
    full = 5000 // 32 * 32
    assert bank.state["width"].tolist() == [full]
    blocks = bank.snapshot()["memory"][0, 32:].reshape(10, 3)
    assert blocks[:, 0].tolist() == [full - 32 * 9, *[32] * 9]
    assert blocks[:, 1].sum() == pytest.approx(x[:full].sum())


def test_blocks_that_are_alike_are_joined() -> None:
    x = np.random.default_rng(5).normal(0.0, 1.0, 32 * 150)
    counts = {}
    for epsilon in (0.0, 0.01):
        bank = Bank(find("seed"), {"epsilon": epsilon}, series=1)
        bank.update_one(0, x)
        counts[epsilon] = int(bank.state["blocks"][0])
    assert counts[0.0] == 150
    assert counts[0.01] < 110


def test_the_score_at_an_alarm_is_the_difference_of_the_means() -> None:
    for size in (3.0, -3.0):
        flags = Bank(find("seed"), series=1).update_one(0, streams.step(4, size, n=1400, at=1216))
        assert flags.score[flags.drifts()[0]] == pytest.approx(size, abs=0.8)
        assert np.count_nonzero(flags.score) == len(flags.drifts())


def test_a_shift_of_one_sd_is_found_within_three_blocks_on_average() -> None:
    delays = []
    for seed in range(20):
        delays.append(drifts({}, streams.step(seed, 1.0, n=4000, at=2000))[0] - 2000)
    assert min(delays) >= 0, "there was a false alarm"
    assert np.mean(delays) < 96.0
