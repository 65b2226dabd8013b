"""ADWIN and Page–Hinkley fire exactly where river's do, on streams ordinary and adversarial."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from river import drift

from detectors.bank import Bank
from detectors.drift import find
from tests.detectors import streams

STREAMS = {**streams.adversarial(), **{f"random {i}": x for i, x in enumerate(streams.random(30))}}

RAW = {"scores": "raw", "min_instances": 30, "delta": 0.005, "threshold": 50.0, "alpha": 0.9999}
"""What makes our Page–Hinkley river's, with river's defaults."""

NO_LIMIT = {"clip": 1e15}
"""What makes our ADWIN river's: any value counts as it is, however far from the others."""

CASES: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = [
    ("adwin", drift.ADWIN, NO_LIMIT, {}),
    ("adwin", drift.ADWIN, NO_LIMIT, {"clock": 1}),
    (
        "adwin",
        drift.ADWIN,
        NO_LIMIT,
        {"delta": 0.2, "clock": 5, "max_buckets": 2, "min_window_length": 1, "grace_period": 0},
    ),
    ("adwin", drift.ADWIN, NO_LIMIT, {"delta": 1e-6, "clock": 7, "max_buckets": 9, "min_window_length": 20}),
    ("page_hinkley", drift.PageHinkley, RAW, {}),
    ("page_hinkley", drift.PageHinkley, RAW, {"mode": "up", "threshold": 5.0, "min_instances": 1}),
    ("page_hinkley", drift.PageHinkley, RAW, {"mode": "down", "threshold": 0.01, "delta": 0.0, "alpha": 0.99}),
    ("page_hinkley", drift.PageHinkley, RAW, {"threshold": 1e6, "alpha": 1.0}),
]


def rivers_drifts(make: Any, params: dict[str, Any], x: NDArray[np.float64]) -> list[int]:
    detector = make(**params)
    drifts = []
    for i, value in enumerate(x.tolist()):
        detector.update(value)
        if detector.drift_detected:
            drifts.append(i)
    return drifts


@pytest.mark.parametrize(("name", "make", "ours", "params"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_it_fires_where_river_fires(name: str, make: Any, ours: dict[str, Any], params: dict[str, Any]) -> None:
    fired = 0
    for stream, x in STREAMS.items():
        expected = rivers_drifts(make, params, x)
        bank = Bank(find(name), ours | params, series=1)
        assert bank.update_one(0, x).drifts().tolist() == expected, stream
        fired += len(expected)
    assert fired > 20, "streams on which nothing happens prove nothing"


def test_of_values_between_0_and_1_the_default_adwin_is_rivers() -> None:
    fired = 0
    for x in STREAMS.values():
        unit = streams.suited("unit", x)
        expected = rivers_drifts(drift.ADWIN, {}, unit)
        assert Bank(find("adwin"), series=1).update_one(0, unit).drifts().tolist() == expected
        fired += len(expected)
    assert fired > 20


def test_there_are_streams_enough() -> None:
    assert len(STREAMS) >= 50


def test_it_stands_in_for_a_river_detector() -> None:
    from river import dummy

    from detectors.online import Online

    ours: Any = Online("adwin")
    model = drift.DriftRetrainingClassifier(
        model=dummy.PriorClassifier(), drift_detector=ours, train_in_background=False
    )
    rng = np.random.default_rng(1)
    for y in np.concatenate([rng.random(500) < 0.1, rng.random(500) < 0.9]).tolist():
        model.predict_one({})
        model.learn_one({}, y)
    # Without a new start the 450 or so early zeros would keep the share of ones near one half.
    assert model.predict_proba_one({})[True] > 0.8
