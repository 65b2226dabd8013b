"""Detectors of changes in errors and losses fire where those of river and MOA do; how a peer differs is pinned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from river.drift import binary

from detectors.bank import Bank
from detectors.drift import find
from tests.detectors import streams
from tests.services.peers import Fired, Moa


def shifting(count: int, n: int) -> list[streams.Stream]:
    """Zeros and ones at rates that change up to five times, between none and nearly all."""
    rng = np.random.default_rng(2004)
    results = []
    for _ in range(count):
        rate = np.full(n, rng.choice([0.001, 0.02, 0.1, 0.2, 0.5, 0.9]))
        for start in rng.integers(0, n, rng.integers(0, 6)):
            rate[start:] = rng.random()
        results.append((rng.random(n) < rate).astype(np.float64))
    return results


ERRORS = [
    *(streams.suited("binary", x) for x in streams.adversarial(1000).values()),
    np.ones(1000),
    np.tile([0.0, 0.0, 1.0], 300),
    *shifting(25, 1000),
]
LOSSES = [
    *(streams.suited("unit", x) for x in (*streams.adversarial(500).values(), *streams.random(5, 500))),
    *shifting(22, 500),
]

CUSTOMARY: dict[str, dict[str, Any]] = {
    "ddm": {"warm_up": 30, "min_errors": 0, "warning": 2.0, "drift": 3.0},
    "eddm": {"warm_up": 30, "maximum": "from_start", "warning": 0.95, "drift": 0.9},
    "fhddm": {"window": 100, "delta": 1e-6, "warning_delta": 1e-6},
    "hddm_a": {"delta": 0.001, "warning_delta": 0.005},
    "hddm_w": {"delta": 0.001, "warning_delta": 0.005, "weight": 0.05, "weights": "river"},
    "rddm": {"warm_up": 129, "min_errors": 0, "warning": 1.773, "drift": 2.258, "after_drift": "keep"},
    "stepd": {"window": 30, "alpha": 0.003, "warning_alpha": 0.05},
    "ecdd": {"warm_up": 29, "min_errors": 0, "weight": 0.2, "warning": 0.5, "limits": "paper_400"},
}
"""What makes ours those of the papers, and of the peers with their defaults."""


def ours(name: str, params: dict[str, Any], x: streams.Stream) -> Fired:
    flag = Bank(find(name), CUSTOMARY[name] | params, series=1).update_one(0, x).flag
    return Fired(np.flatnonzero(flag == 1).tolist(), np.flatnonzero(flag == 2).tolist())


def rivers(make: Any, params: dict[str, Any], x: streams.Stream) -> Fired:
    detector, results = make(**params), Fired([], [])
    for i, value in enumerate(x.tolist()):
        detector.update(value)
        if detector.drift_detected:
            results.drifts.append(i)
        elif detector.warning_detected:
            results.warnings.append(i)
    return results


RIVER: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = [
    ("ddm", binary.DDM, {}, {}),
    (
        "ddm",
        binary.DDM,
        {"warm_up": 100, "warning": 1.5, "drift": 2.5},
        {"warm_start": 100, "warning_threshold": 1.5, "drift_threshold": 2.5},
    ),
    ("hddm_a", binary.HDDMA, {}, {}),
    (
        "hddm_a",
        binary.HDDMA,
        {"direction": "both", "delta": 0.1, "warning_delta": 0.3},
        {"two_sided_test": True, "drift_confidence": 0.1, "warning_confidence": 0.3},
    ),
    ("hddm_w", binary.HDDMW, {"direction": "both"}, {"two_sided_test": True}),
    (
        "hddm_w",
        binary.HDDMW,
        {"direction": "both", "delta": 0.1, "warning_delta": 0.3, "weight": 0.2},
        {"two_sided_test": True, "drift_confidence": 0.1, "warning_confidence": 0.3, "lambda_val": 0.2},
    ),
]


@pytest.mark.parametrize(("name", "make", "params", "options"), RIVER, ids=[f"{c[0]}-{i}" for i, c in enumerate(RIVER)])
def test_it_fires_and_warns_where_river_does(
    name: str, make: Any, params: dict[str, Any], options: dict[str, Any]
) -> None:
    tried = LOSSES if name.startswith("hddm") else ERRORS
    results = [ours(name, {"direction": "up"} | params, x) for x in tried]
    assert results == [rivers(make, options, x) for x in tried]
    assert len(results) >= 50
    assert sum(len(fired.drifts) for fired in results) > 10
    assert sum(len(fired.warnings) for fired in results) > 100


@pytest.mark.parametrize(("warm_up", "warning", "drift"), [(30, 0.95, 0.9), (10, 0.9, 0.8)])
def test_eddm_fires_where_rivers_does_and_warns_until_a_new_maximum(warm_up: int, warning: float, drift: float) -> None:
    params = {"direction": "up", "warm_up": warm_up, "warning": warning, "drift": drift}
    longer = 0
    for x in ERRORS:
        results = ours("eddm", params, x)
        theirs = rivers(binary.EDDM, {"warm_start": warm_up, "alpha": warning, "beta": drift}, x)
        assert results.drifts == theirs.drifts
        assert set(results.warnings) <= set(theirs.warnings)
        longer += len(theirs.warnings) - len(results.warnings)
    # River leaves a warning on when the distances reach a new maximum, until the error after it.
    assert 0 < longer < 1000


@pytest.mark.parametrize(("window", "delta"), [(100, 1e-6), (30, 0.01)])
def test_rivers_fhddm_takes_errors_for_correct_answers(window: int, delta: float) -> None:
    drifts = 0
    for x in ERRORS:
        params = {"window": window, "delta": delta, "warning_delta": delta}
        theirs = rivers(binary.FHDDM, {"sliding_window_size": window, "confidence_level": delta}, x)
        assert ours("fhddm", params | {"direction": "down"}, x) == theirs
        assert ours("fhddm", params | {"direction": "up"}, 1.0 - x) == theirs
        drifts += len(theirs.drifts)
    assert drifts > 10


@pytest.mark.parametrize(
    ("name", "moas", "params", "options"),
    [
        ("rddm", "RDDM", {}, {}),
        (
            "rddm",
            "RDDM",
            {"warm_up": 30, "max_concept": 500, "min_stable": 100, "max_warnings": 50},
            {"minNumInstances": 30, "maxSizeConcept": 500, "minSizeStableConcept": 100, "warnLimit": 50},
        ),
        ("hddm_w", "HDDM_W_Test", {"weights": "paper"}, {}),
        ("hddm_w", "HDDM_W_Test", {"weights": "paper", "weight": 0.2, "delta": 0.1, "warning_delta": 0.3}, "wide"),
    ],
)
def test_it_fires_and_warns_where_moa_does(
    moa: Moa, name: str, moas: str, params: dict[str, Any], options: dict[str, float] | str
) -> None:
    tried = LOSSES if name == "hddm_w" else ERRORS
    wide = {"lambda": 0.2, "driftConfidence": 0.1, "warningConfidence": 0.3}
    expected = moa.fired(moas, wide if isinstance(options, str) else options, tried)
    results = [ours(name, params | {"direction": "up"}, x) for x in tried]
    assert results == expected
    assert sum(len(fired.drifts) for fired in results) > 10
    assert sum(len(fired.warnings) for fired in results) > 100


@pytest.mark.parametrize(("weight", "warm_up"), [(0.2, 29), (0.05, 99)])
def test_ecdd_fires_where_moas_does_whose_warnings_may_begin_one_earlier(moa: Moa, weight: float, warm_up: int) -> None:
    params = {"weight": weight, "warm_up": warm_up, "direction": "up"}
    expected = moa.fired("EWMAChartDM", {"lambda": weight, "minNumInstances": warm_up + 1}, ERRORS)
    results = [ours("ecdd", params, x) for x in ERRORS]
    assert [fired.drifts for fired in results] == [fired.drifts for fired in expected]
    assert sum(len(fired.drifts) for fired in results) > 10
    for mine, theirs in zip(results, expected, strict=True):
        starts = [-1, *mine.drifts]
        assert set(theirs.warnings) - set(mine.warnings) <= {start + warm_up for start in starts}
        assert set(mine.warnings) <= set(theirs.warnings)


@pytest.mark.parametrize(("window", "alpha", "warning_alpha"), [(30, 0.003, 0.05), (100, 1e-4, 0.01)])
def test_stepd_fires_and_warns_where_moas_does_at_rates_that_are_not_tiny(
    moa: Moa, window: int, alpha: float, warning_alpha: float
) -> None:
    # Of ones that are at least every twentieth, on either side, the correction is never significant.
    rng = np.random.default_rng(2007)
    tried = [(rng.random(2000) < np.repeat(rng.uniform(0.1, 0.9, 4), 500)).astype(np.float64) for _ in range(50)]
    options = {"windowSize": window, "alphaDrift": alpha, "alphaWarning": warning_alpha}
    params = {"window": window, "alpha": alpha, "warning_alpha": warning_alpha}
    results = [ours("stepd", params, x) for x in tried]
    assert results == moa.fired("STEPD", options, tried)
    assert sum(len(fired.drifts) for fired in results) > 40


def test_moas_stepd_fires_where_there_was_never_an_error(moa: Moa) -> None:
    """Its statistic is less the correction even where that is more than the difference, and then made positive."""
    (theirs,) = moa.fired("STEPD", {}, [np.zeros(200)])
    assert theirs.drifts == [59, 119, 179]
    assert ours("stepd", {}, np.zeros(200)) == Fired([], [])


def test_moas_hddm_a_starts_anew_when_errors_become_fewer_and_does_not_say_so(moa: Moa) -> None:
    x = np.repeat([1.0, 0.0], 300)
    (theirs,) = moa.fired("HDDM_A_Test", {"typeOfTest": "Two-sided"}, [x])
    assert theirs == Fired([], [])
    assert ours("hddm_a", {}, x).drifts
