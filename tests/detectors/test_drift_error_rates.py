"""The defaults of detectors of errors are quiet for long and find what they say; how the limits of ECDD come about."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.drift import find
from detectors.drift.ecdd import EXCESS, RUN_LENGTHS, WEIGHTS
from detectors.ring import at, ones, push, width
from tests.detectors import streams
from tests.detectors.chart_limits import excess

WITHIN = {
    "ddm": 160,
    "ecdd": 60,
    "eddm": 320,
    "fhddm": 130,
    "hddm_a": 95,
    "hddm_w": 95,
    "rddm": 290,
    "stepd": 95,
}
"""How soon each finds errors that go from 0.2 to 0.5 after 2,000 observations, on average."""

every_detector = pytest.mark.parametrize("name", list(WITHIN))


def coins(seed: int, *parts: tuple[float, int]) -> streams.Stream:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.random(n) < rate for rate, n in parts]).astype(np.float64)


@every_detector
def test_at_most_one_in_100_000_is_a_false_alarm(name: str) -> None:
    alarms = [len(Bank(find(name), series=1).update_one(0, coins(i, (0.2, 100_000))).drifts()) for i in range(20)]
    assert sum(alarms) <= 20


@every_detector
def test_errors_that_become_common_are_found_fast(name: str) -> None:
    delays = []
    for seed in range(60):
        drifts = Bank(find(name), series=1).update_one(0, coins(seed, (0.2, 2000), (0.5, 3000))).drifts()
        delays.append(int(drifts[drifts >= 2000][0]) - 1999)
    assert np.mean(delays) < WITHIN[name]


@every_detector
@pytest.mark.parametrize(("direction", "sign"), [("up", 1.0), ("down", -1.0)])
def test_it_is_blind_to_the_other_direction(name: str, direction: str, sign: float) -> None:
    x = coins(1, (0.5, 1500), (0.5 - 0.49 * sign, 1500))
    assert not Bank(find(name), {"direction": direction}, series=1).update_one(0, x).drifts().size
    both = Bank(find(name), series=1).update_one(0, x)
    assert np.sign(both.score[both.drifts()[0]]) == -sign


@pytest.mark.parametrize("name", ["ddm", "rddm"])
def test_the_first_error_after_many_correct_answers_is_no_drift_unless_asked_for(name: str) -> None:
    x = np.append(np.zeros(500), 1.0)
    assert not Bank(find(name), series=1).update_one(0, x).flag.any()
    at_once = Bank(find(name), {"min_errors": 0}, series=1)
    assert at_once.update_one(0, x).drifts().tolist() == [500]


@pytest.mark.parametrize(("table", "row", "column"), [(1, 1, 14), (2, 0, 8), (2, 2, 20)])
def test_limits_of_ecdd_are_those_of_its_markov_chain(table: int, row: int, column: int) -> None:
    rate = (column / 32) ** 2
    assert excess(RUN_LENGTHS[row], rate, WEIGHTS[table], points=500) == pytest.approx(
        EXCESS[table, row, column], abs=2e-3
    )


@pytest.mark.parametrize(("weight", "rate"), [(0.02, 0.2), (0.03, 0.3), (0.2, 0.1)])
def test_the_average_run_length_of_ecdd_is_what_was_asked_for(weight: float, rate: float) -> None:
    # With 20,000 observations before it is judged, the rate is as good as known.
    params = {"arl": 2000.0, "weight": weight, "warm_up": 20_000, "direction": "up"}
    runs = []
    for seed in range(100):
        drifts = Bank(find("ecdd"), params, series=1).update_one(0, coins(seed, (rate, 50_000))).drifts()
        runs.append(int(drifts[0]) - 20_000)
    assert np.mean(runs) == pytest.approx(2000, rel=0.3)


def test_a_ring_holds_as_many_of_the_newest_as_it_promises() -> None:
    for size in (1, 31, 32, 33, 100):
        memory, newest = np.zeros((2, width(size))), 0
        x = coins(size, (0.5, 400))
        for i, value in enumerate(x):
            newest = push(memory, 1, newest, value)
            held = min(size, i + 1)
            assert [at(memory, 1, newest - back) for back in range(held)] == x[i::-1][:held].tolist()
            assert [ones(memory, 1, newest, n) for n in range(held + 1)] == [0, *x[i::-1][:held].cumsum()]
        assert not memory[0].any()
