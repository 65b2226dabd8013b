"""River's detectors in a bank of ours fire where river alone does, and lose nothing in a checkpoint."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from river import anomaly, drift, evaluate, metrics, preprocessing
from river.base import AnomalyDetector

from detectors.anomaly import AnomalyBank
from detectors.anomaly import find as find_scorer
from detectors.bank import SnapshotError
from detectors.contract import DRIFT, WARNING, ParameterError
from detectors.drift import UnknownDetectorError
from detectors.river_adapter import as_rivers
from detectors.river_banks import RiverAnomalyBank, RiverBank, bank_of
from detectors.river_state import UnkeepableError, keep, restore
from monitor.checkpoint import decode_state, encode_state
from tests.detectors import streams

EVERY: dict[str, dict[str, Any]] = {
    "river.drift.ADWIN": {"delta": 0.05},
    "river.drift.DummyDriftDetector": {"trigger_method": "random", "t_0": 100, "w": 40, "seed": 3},
    "river.drift.KSWIN": {"seed": 5, "window_size": 50, "stat_size": 15},
    "river.drift.NoDrift": {},
    "river.drift.PageHinkley": {"threshold": 5.0},
    "river.drift.binary.DDM": {"warning_threshold": 1.0, "drift_threshold": 2.0},
    "river.drift.binary.EDDM": {},
    "river.drift.binary.FHDDM": {"sliding_window_size": 30, "confidence_level": 0.01},
    "river.drift.binary.HDDMA": {"drift_confidence": 0.01, "two_sided_test": True},
    "river.drift.binary.HDDMW": {"drift_confidence": 0.01},
}
every_detector = pytest.mark.parametrize(("name", "params"), EVERY.items(), ids=list(EVERY))


def stream(name: str, n: int = 400, seed: int = 2) -> np.ndarray[Any, np.dtype[np.float64]]:
    x = streams.step(seed, 3.0, n=n, at=n // 2)
    errors = (x > 1.0).astype(np.float64)
    # River's FHDDM fires when errors become fewer.
    return 1.0 - errors if "FHDDM" in name else errors if "binary" in name else x


def test_every_detector_of_river_is_tried() -> None:
    elsewhere = {f"river.drift.{name}" for name in ("ADWIN", "DummyDriftDetector", "KSWIN", "NoDrift", "PageHinkley")}
    assert set(EVERY) == elsewhere | {f"river.drift.binary.{name}" for name in drift.binary.__all__}


@every_detector
def test_it_fires_where_river_fires(name: str, params: dict[str, Any]) -> None:
    alone = getattr(drift.binary if "binary" in name else drift, name.rpartition(".")[2])(**params)
    flags = RiverBank(name, params, series=1).update_one(0, stream(name))
    for x, flag in zip(stream(name).tolist(), flags.flag.tolist(), strict=True):
        alone.update(x)
        assert (flag == DRIFT) == alone.drift_detected
        assert (flag == WARNING) == (getattr(alone, "warning_detected", False) and not alone.drift_detected)
    assert len(flags.drifts()) > 0 or "NoDrift" in name
    assert not flags.score.any()


@every_detector
def test_cuts_neighbours_and_checkpoints_change_nothing(name: str, params: dict[str, Any]) -> None:
    x = {row: stream(name, seed=row) for row in (0, 1)}
    expected = [RiverBank(name, params, series=1).update_one(0, x[row]).flag for row in x]
    bank = RiverBank(name, params, series=2)
    results: list[list[int]] = [[], []]
    for at in range(0, 400, 37):
        rows = np.repeat([0, 1], [len(x[0][at : at + 37])] * 2)
        flags = bank.update(rows, np.concatenate([x[0][at : at + 37], x[1][at : at + 37]]))
        for row in (0, 1):
            results[row] += flags.flag[rows == row].tolist()
        stored = encode_state(bank.snapshot())
        bank = RiverBank(name, params)
        bank.restore(decode_state(stored))
        assert encode_state(bank.snapshot()) == stored
    assert_array_equal(results, expected)


@every_detector
def test_the_same_history_gives_the_same_bytes(name: str, params: dict[str, Any]) -> None:
    first, second = RiverBank(name, params, series=1), RiverBank(name, params, series=1)
    first.update_one(0, stream(name))
    for value in stream(name):
        second.update_one(0, [value])
    assert encode_state(first.snapshot()) == encode_state(second.snapshot())


def test_what_is_no_number_and_no_error_is_counted_and_changes_nothing() -> None:
    bank = RiverBank("river.drift.binary.DDM", {}, series=2)
    flags = bank.update_one(0, [0.0, math.nan, math.inf, 0.5, -1.0, 1.0])
    assert not flags.flag.any()
    assert bank.skipped.tolist() == [4, 0]
    values = RiverBank("river.drift.ADWIN", {}, series=1)
    values.update_one(0, [0.5, -7.0, math.nan])
    assert values.skipped.tolist() == [1]


def test_it_is_ready_once_it_has_seen_what_the_detector_waits_for() -> None:
    bank = RiverBank("river.drift.binary.DDM", {"warm_start": 20}, series=1)
    bank.update_one(0, [0.0] * 19)
    assert (bank.min_samples, bank.ready.tolist()) == (20, [False])
    assert not bank.update_one(0, [0.0]).flag.any()
    assert bank.ready.tolist() == [True]
    assert bank.update_one(0, [1.0] * 20).drifts().tolist() == [2]
    # It began anew after the drift.
    assert bank.ready.tolist() == [False]


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("river.drift.ADWIM", {}, "'river.drift.ADWIM'; did you mean 'river.drift.ADWIN'"),
        ("river.drift.DriftRetrainingClassifier", {}, "there is no detector"),
        ("river.drift.retrain.os.system", {}, "there is no detector"),
        ("river.drift.ADWIN", {"dleta": 0.1}, "dleta=0.1 is not allowed; .* did you mean 'delta'"),
        ("river.drift.ADWIN", {"delta": "small"}, "delta='small' .* a value like its default, 0.002"),
        ("river.drift.ADWIN", {"delta": True}, "a value like its default, 0.002"),
        ("river.drift.binary.HDDMA", {"two_sided_test": 1}, "a value like its default, False"),
        ("river.drift.KSWIN", {}, "seed=None is not allowed; it draws random numbers: set a seed"),
        ("river.drift.KSWIN", {"seed": 1, "stat_size": 200}, "river refuses it: stat_size must be smaller"),
        ("river.drift.KSWIN", {"seed": 1, "window": "abc"}, "a value like its default, None"),
        ("river.drift.DummyDriftDetector", {"seed": 1, "trigger_method": "often"}, "river refuses it"),
        ("river.anomaly.HalfSpaceTrees", {}, "set a seed"),
        ("river.anomaly.GaussianScorer", {"false_alarm_rat": 0.1}, "did you mean 'false_alarm_rate'"),
        ("river.anomaly.GaussianScorer", {"false_alarm_rate": 7}, "false_alarm_rate=7 is not allowed"),
        ("river.anomaly.ThresholdFilter", {}, "there is no detector"),
        ("river.anomaly.PredictiveAnomalyDetection", {}, "river refuses it"),
    ],
)
def test_what_river_does_not_have_or_take_is_refused(name: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises((UnknownDetectorError, ParameterError), match=message):
        bank_of(name, params)


def test_a_snapshot_of_something_else_is_refused_and_the_bank_stays_as_it_was() -> None:
    bank = RiverBank("river.drift.PageHinkley", {}, series=1)
    bank.update_one(0, [1.0])
    encoded_before = encode_state(bank.snapshot())
    good = RiverBank("river.drift.PageHinkley", {}, series=3).snapshot()
    for wrong in (
        RiverBank("river.drift.ADWIN", {}).snapshot(),
        RiverBank("river.drift.PageHinkley", {"threshold": 1.0}).snapshot(),
        good | {"river": "0.1"},
        good | {"seen": np.zeros(2, dtype=np.int64)},
        good | {"objects": [{"root": 1.0, "shared": []}] * 3},
        good | {"objects": [{"shared": []}] * 3},
    ):
        with pytest.raises(SnapshotError):
            bank.restore(wrong)
    assert encode_state(bank.snapshot()) == encoded_before


SCORERS: dict[str, dict[str, Any]] = {
    "river.anomaly.GaussianScorer": {"grace_period": 20, "window_size": 40},
    "river.anomaly.HalfSpaceTrees": {"seed": 4, "n_trees": 3, "height": 4, "window_size": 25},
    "river.anomaly.LODA": {"seed": 4, "n_random_cuts": 5},
    "river.anomaly.LocalOutlierFactor": {"n_neighbors": 3},
    "river.anomaly.OneClassSVM": {},
    "river.anomaly.StandardAbsoluteDeviation": {},
}
every_scorer = pytest.mark.parametrize(("name", "params"), SCORERS.items(), ids=list(SCORERS))


@every_scorer
def test_a_scorer_says_what_river_says_and_checkpoints_change_nothing(name: str, params: dict[str, Any]) -> None:
    x = np.random.default_rng(3).random(300)
    x[[50, 90]] = np.nan, 5.0
    alone = getattr(anomaly, name.rpartition(".")[2])(**params)
    supervised = "y" in inspect.signature(alone.learn_one).parameters
    expected = []
    for value in x.tolist():
        if math.isnan(value):
            expected.append(math.nan)
            continue
        observation = (None, value) if supervised else ({"x": value},)
        expected.append(alone.score_one(*observation))
        alone.learn_one(*observation)
    bank = RiverAnomalyBank(name, params | {"history": 128})
    bank.resize(2)
    results = []
    for at in range(0, 300, 61):
        results.append(bank.update(np.ones(len(x[at : at + 61]), dtype=int), x[at : at + 61]))
        stored = encode_state(bank.snapshot())
        bank = RiverAnomalyBank(name, params | {"history": 128})
        bank.restore(decode_state(stored))
        assert encode_state(bank.snapshot()) == stored
    score, level = (np.concatenate([getattr(scores, part) for scores in results]) for part in ("score", "level"))
    assert np.isnan(score[: bank.min_samples]).all()
    assert_array_equal(score[bank.min_samples + 1 :], expected[bank.min_samples + 1 :])
    assert (bank.ready.tolist(), bank.skipped.tolist()) == ([False, True], [0, 1])
    assert np.nanmax(level) > 0.5
    unbroken = RiverAnomalyBank(name, params | {"history": 128}, series=2).update(np.ones(300, dtype=int), x)
    assert_array_equal(unbroken.score, score)
    assert_array_equal(unbroken.level, level)


def test_river_takes_our_scorer_for_its_own() -> None:
    rng = np.random.default_rng(2)
    rows = [{"a": a, "b": b} for a, b in rng.random((400, 2)).tolist()]
    labels = [i % 40 == 39 for i in range(400)]
    odd: list[dict[Any, Any]] = [
        {"a": 9.0, "b": -9.0} if label else row for row, label in zip(rows, labels, strict=True)
    ]
    scorer: Any = as_rivers("half_space_trees", trees=5, depth=6, window=50)
    model = preprocessing.StandardScaler() | scorer
    results = evaluate.progressive_val_score(zip(odd, labels, strict=True), model, metrics.ROCAUC())
    assert results.get() > 0.9


def test_our_scorer_in_river_s_clothes_says_what_its_bank_says() -> None:
    x = np.random.default_rng(2).random((200, 2))
    x[70, 0] = np.nan
    bank = AnomalyBank(find_scorer("loda"), {"window": 40}, series=1, dimension=2)
    expected = bank.update(np.zeros(200, dtype=int), x).score
    scorer: Any = as_rivers("loda", window=40)
    assert isinstance(scorer, AnomalyDetector)
    assert isinstance(scorer.clone(), AnomalyDetector)
    for (a, b), score in zip(x.tolist(), expected.tolist(), strict=True):
        row: dict[Any, Any] = {"b": b, "a": a} if not math.isnan(a) else {"b": b}
        assert scorer.score_one(row) == (0.0 if math.isnan(score) else score)
        scorer.learn_one(row)
        if score > 0.0 and a < 0.1:
            scorer = copy.deepcopy(pickle.loads(pickle.dumps(scorer)))
    assert (scorer.ready, scorer.skipped) == (True, 1)
    assert repr(scorer.clone()) == "OnlineScorer('loda', window=40)"
    assert not scorer.clone().ready
    with pytest.raises(ValueError, match="an observation has 1 numbers, not 2"):
        as_rivers("robust_z").learn_one({"a": 1.0, "b": 2.0})
    with pytest.raises(ParameterError, match="did you mean 'window'"):
        as_rivers("loda", windw=1)


def test_a_scorer_s_snapshot_of_another_configuration_is_refused() -> None:
    bank = RiverAnomalyBank("river.anomaly.GaussianScorer", {}, series=1)
    good = bank.snapshot()
    for wrong in (good | {"given": {"grace_period": 7}}, good | {"objects": []}, good | {"river": "0"}):
        with pytest.raises(SnapshotError):
            bank.restore(wrong)


def call(*arguments: object) -> None:
    raise AssertionError(f"the state had this called, with {arguments}")


@pytest.mark.parametrize(
    "hostile",
    [
        ["object", ["os", "system"], []],
        ["object", ["subprocess", "Popen"], [["args", "true"]]],
        ["object", ["river.drift.retrain", "threading"], []],
        ["object", ["river.drift.adwin", "DriftDetector"], []],
        ["object", ["tests.detectors.test_river_adapter", "call"], []],
        ["compiled", ["builtins", "eval"], ["1"], b""],
        ["compiled", ["riverside", "eval"], ["1"], b""],
        ["reduce", ["os", "system"], ["true"]],
        ["function"],
    ],
)
def test_a_state_runs_nothing_that_it_names(hostile: list[Any]) -> None:
    made = drift.PageHinkley()
    state = keep(made)
    state["shared"][0][2][0][1] = ["at", len(state["shared"])]
    state["shared"].append(hostile)
    with pytest.raises(UnkeepableError):
        restore(made, state)


def test_what_is_shared_is_shared_again_and_functions_stay_those_of_the_new_object() -> None:
    made: Any = drift.PageHinkley()
    made.first = made.second = [1.0, (2, math.inf), {"a": None}, np.float64(0.1), np.arange(3.0), 2**70]
    made.hook = call
    fresh: Any = drift.PageHinkley()
    fresh.hook = print
    restore(fresh, decode_state(encode_state(keep(made))))
    assert fresh.first is fresh.second
    assert repr(fresh.first) == repr(made.first)
    assert fresh.hook is print
    assert fresh._x_mean is not made._x_mean


def test_what_is_neither_data_nor_of_river_cannot_be_kept() -> None:
    made: Any = drift.PageHinkley()
    made.lock = copy.copy(pickle.Pickler)
    keep(made)  # a class is a function that makes things, and stays
    made.lock = {1, 2}
    with pytest.raises(UnkeepableError, match=r"a builtins\.set cannot be kept"):
        keep(made)
