"""CUSUM and GMA with raw scores fire exactly where MOA's do; how MOA's ADWIN and Page–Hinkley differ is pinned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.bank import Bank, Flags
from detectors.drift import find
from tests.detectors import streams
from tests.services.peers import Moa

STREAMS = {**streams.adversarial(), **{f"random {i}": x for i, x in enumerate(streams.random(30))}}

RAW = {"scores": "raw", "direction": "up"}
# Both count the observations from 1 before they compare the number with minNumInstances = 30, or after.
CUSUM = RAW | {"k": 0.005, "h": 50.0, "warm_up": 28}
GMA = RAW | {"alpha": 0.99, "threshold": 1.0, "min_instances": 29}


def fired(name: str, params: dict[str, Any], x: streams.Stream) -> Flags:
    return Bank(find(name), params, series=1).update_one(0, x)


@pytest.mark.parametrize(
    ("name", "ours", "moas", "options"),
    [
        ("cusum", CUSUM, "CusumDM", {}),
        ("cusum", CUSUM | {"k": 0.1, "h": 5.0, "warm_up": 8}, "CusumDM", {"delta": 0.1, "lambda": 5.0}),
        ("gma", GMA, "GeometricMovingAverageDM", {}),
        ("gma", GMA | {"alpha": 0.9, "threshold": 0.5}, "GeometricMovingAverageDM", {"alpha": 0.9, "lambda": 0.5}),
    ],
)
def test_it_fires_where_moa_fires(
    moa: Moa, name: str, ours: dict[str, Any], moas: str, options: dict[str, float]
) -> None:
    if ours.get("warm_up") == 8:
        options = options | {"minNumInstances": 10}
    expected = dict(zip(STREAMS, moa.drifts(moas, options, list(STREAMS.values())), strict=True))
    drifts = {stream: fired(name, ours, x).drifts().tolist() for stream, x in STREAMS.items()}
    assert drifts == expected
    assert len(drifts) >= 50
    assert sum(map(len, drifts.values())) > 100


def test_moas_adwin_keeps_its_window_and_is_silent_when_values_fall(moa: Moa) -> None:
    expected = moa.drifts("ADWINChangeDetector", {"deltaAdwin": 0.002}, list(STREAMS.values()))
    falls = 0
    for x, drifts in zip(STREAMS.values(), expected, strict=True):
        flags = fired("adwin", {"after_drift": "keep", "clip": 1e15}, x)
        assert flags.drifts()[flags.score[flags.drifts()] > 0.0].tolist() == drifts
        falls += len(flags.drifts()) - len(drifts)
    assert sum(map(len, expected)) > 100
    assert falls > 100


def test_moas_page_hinkley_is_blind_after_values_fell(moa: Moa) -> None:
    """It compares the sum itself with its limit, not the height of the sum above its lowest point."""
    steps = np.repeat([0.0, -1.0, 0.0], [300, 500, 150])
    fallen = [np.random.default_rng(seed).normal(0.0, 1.0, 950) + steps for seed in range(50)]
    theirs = moa.drifts("PageHinkleyDM", {}, fallen)
    rivers = {"scores": "raw", "min_instances": 30, "delta": 0.005, "threshold": 50.0, "alpha": 0.9999, "mode": "up"}
    ours = [fired("page_hinkley", rivers, x).drifts() for x in fallen]
    assert sum(len(drifts) > 0 for drifts in theirs) <= 5
    assert all((drifts >= 800).any() for drifts in ours)
