"""A bank checks and prepares what it is given, grows, and takes up from a snapshot or says why it cannot."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

import detectors
from detectors.bank import Bank, SnapshotError
from detectors.contract import DRIFT, OK, WARNING
from detectors.drift import find
from detectors.river_banks import bank_of
from tests.detectors import streams

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bank() -> Bank:
    return Bank(
        find("cusum"), {"mean": 0.0, "sd": 1.0, "k": 0.5, "h": 5.0, "warning": 0.6, "scores": "plain"}, series=3
    )


def odd_arrays(x: NDArray[np.float64]) -> dict[str, Any]:
    read_only = x.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"-" + x.tobytes(), dtype=np.uint8)[1:].view(np.float64)
    return {
        "list": x.tolist(),
        "strided": np.repeat(x, 2)[::2],
        "reversed twice": x[::-1].copy()[::-1],
        "read-only": read_only,
        "big-endian": x.astype(">f8"),
        "unaligned": unaligned,
    }


def test_it_says_ok_warning_and_drift(bank: Bank) -> None:
    flags = bank.update_one(1, [0.0, 2.0, 2.4, 2.4, 0.0])
    assert flags.flag.tolist() == [OK, OK, WARNING, DRIFT, OK]
    assert flags.score == pytest.approx([0.0, 1.5, 3.4, 5.3, 0.0])
    assert flags.drifts().tolist() == [3]


def test_update_one_is_update_with_one_series() -> None:
    x = streams.step(1, 4.0)
    single, many = Bank(find("adwin"), series=2), Bank(find("adwin"), series=2)
    actual, expected = single.update_one(1, x), many.update(np.ones(len(x), dtype=np.int64), x)
    assert_array_equal(actual.score, expected.score)
    assert_array_equal(actual.flag, expected.flag)
    assert single.snapshot()["state"].tobytes() == many.snapshot()["state"].tobytes()


@pytest.mark.parametrize("kind", list(odd_arrays(np.zeros(1))))
def test_any_array_of_numbers_gives_the_same_and_compiles_nothing_anew(kind: str) -> None:
    x = streams.step(2, 5.0)
    detector = find("page_hinkley")
    expected = Bank(detector, series=1).update_one(0, x)
    compiled = list(getattr(detector.update, "signatures", []))
    actual = Bank(detector, series=1).update_one(0, odd_arrays(x)[kind])
    assert_array_equal(actual.score, expected.score)
    assert list(getattr(detector.update, "signatures", [])) == compiled


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.bool_, np.float32])
def test_narrow_numbers_are_taken_for_what_they_are(bank: Bank, dtype: type[Any]) -> None:
    assert bank.update_one(0, np.array([0, 1, 1], dtype=dtype)).score.tolist() == [0.0, 0.5, 1.0]


def test_what_it_is_given_is_not_changed(bank: Bank) -> None:
    x, series = np.array([1.0, np.nan, 9.0]), np.array([0, 1, 2])
    bank.update(series, x)
    assert_array_equal(x, [1.0, np.nan, 9.0])
    assert series.tolist() == [0, 1, 2]


def test_an_empty_batch_and_a_single_number_are_batches(bank: Bank) -> None:
    assert bank.update([], []).score.shape == (0,)
    assert bank.update_one(0, []).flag.shape == (0,)
    assert bank.update_one(0, 3.5).score.tolist() == [3.0]


@pytest.mark.parametrize(
    ("series", "x", "error", "says"),
    [
        ([0, 1], [1.0], ValueError, "differ in length: 2 and 1"),
        ([0, 3], [1.0, 1.0], IndexError, "series 3 is not in a bank of 3"),
        ([0, -1], [1.0, 1.0], IndexError, "series -1 is not in a bank of 3"),
        ([0.0, 1.0], [1.0, 1.0], TypeError, "series is an array of integers, not of float64"),
        ([0, 1], ["1", "2"], TypeError, "x is an array of numbers, not of <U1"),
        ([0, 1], [1.0, None], TypeError, "x is an array of numbers, not of object"),
        ([[0, 1]], [[1.0, 1.0]], ValueError, r"series has the shape \(1, 2\)"),
        ([0, 1], [[1.0, 1.0]], ValueError, r"x has the shape \(1, 2\)"),
    ],
)
def test_a_batch_that_makes_no_sense_is_refused_and_absorbed_nowhere(
    bank: Bank, series: Any, x: Any, error: type[Exception], says: str
) -> None:
    state_before = bank.snapshot()["state"].tobytes()
    with pytest.raises(error, match=says):
        bank.update(series, x)
    assert bank.snapshot()["state"].tobytes() == state_before


@pytest.mark.parametrize("series", [-1, 3])
def test_one_series_that_is_not_there_is_refused(bank: Bank, series: int) -> None:
    with pytest.raises(IndexError, match=f"series {series} is not in a bank of 3"):
        bank.update_one(series, [1.0])


def test_growing_leaves_the_series_that_are_there_as_they_are() -> None:
    x = streams.step(5, 4.0)
    grown, expected = Bank(find("adwin")), Bank(find("adwin"), series=1)
    for size in range(1, 40):
        grown.resize(size)
        part = slice(50 * (size - 1), 50 * size)
        assert_array_equal(grown.update_one(0, x[part]).score, expected.update_one(0, x[part]).score)
    assert len(grown) == 39
    assert grown.ready.tolist() == [True] + 38 * [False]
    grown.update_one(38, x)
    assert grown.skipped.shape == (39,)


def test_a_bank_never_shrinks(bank: Bank) -> None:
    with pytest.raises(ValueError, match="a bank of 3 series cannot shrink to 2"):
        bank.resize(2)


def test_ready_and_skipped_are_told_by_series() -> None:
    bank = Bank(find("page_hinkley"), {"scores": "raw", "min_instances": 30}, series=3)
    bank.update([0] * 30 + [1] * 29 + [2] * 30, [1.0] * 59 + [np.nan] * 30)
    assert bank.ready.tolist() == [True, False, False]
    assert bank.skipped.tolist() == [0, 0, 30]


def test_the_state_can_be_looked_at_and_not_touched(bank: Bank) -> None:
    bank.update_one(2, [1.0, 1.0])
    assert bank.state["high"].tolist() == [0.0, 0.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        bank.state["high"][0] = 1.0


def test_a_snapshot_is_a_copy_that_survives_pickling() -> None:
    bank = Bank(find("adwin"), {"clock": 8}, series=2)
    bank.update_one(0, streams.step(6, 1.0, n=500))
    snapshot = bank.snapshot()
    frozen = pickle.dumps(snapshot)
    bank.update_one(0, streams.step(7, 1.0, n=500))
    assert pickle.dumps(snapshot) == frozen
    other = Bank(find("adwin"), {"clock": 8})
    other.restore(pickle.loads(frozen))
    assert other.snapshot()["memory"].tobytes() == snapshot["memory"].tobytes()
    assert len(other) == 2


def test_a_snapshot_is_as_long_as_the_longest_window() -> None:
    bank = Bank(find("adwin"), series=1)
    bank.update_one(0, np.zeros(100))
    # Besides the 32 numbers that wait, windows of 100 need 5 levels of 14, out of 34.
    assert bank.snapshot()["memory"].shape[1] <= 32 + 5 * 14


def test_restoring_does_not_tie_the_bank_to_the_snapshot() -> None:
    first, second = Bank(find("cusum"), series=1), Bank(find("cusum"), series=1)
    snapshot = first.snapshot()
    second.restore(snapshot)
    second.update_one(0, [1.0, 2.0])
    assert snapshot["state"]["n"].tolist() == [0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"detector": "adwin"}, "the snapshot has detector 'adwin', this bank 'page_hinkley'"),
        ({"layout": 0}, "the snapshot has layout 0, this bank 3"),
        ({"params": {"delta": 1.0}}, "the snapshot has params"),
        ({"state": np.zeros(2)}, "the state of the snapshot is not an array"),
        ({"state": None}, "the state of the snapshot is not an array"),
        ({"memory": np.zeros((1, 0))}, r"the memory of the snapshot is \(1, 0\), this bank wants 2 rows of at most 30"),
        (
            {"memory": np.zeros((2, 31))},
            r"the memory of the snapshot is \(2, 31\), this bank wants 2 rows of at most 30",
        ),
        ({"memory": np.zeros(2)}, "not a float64 matrix"),
    ],
)
def test_a_snapshot_that_does_not_fit_is_refused_and_changes_nothing(change: dict[str, Any], says: str) -> None:
    bank = Bank(find("page_hinkley"), series=2)
    bank.update_one(0, [1.0, 2.0])
    state_before = bank.snapshot()
    with pytest.raises(SnapshotError, match=says):
        bank.restore(bank.snapshot() | change)
    assert bank.snapshot()["state"].tobytes() == state_before["state"].tobytes()


def test_compiling_ahead_changes_nothing(bank: Bank) -> None:
    bank.compile()
    assert bank.state["n"].tolist() == [0, 0, 0]
    assert bank.skipped.tolist() == [0, 0, 0]


def test_compiled_code_is_kept_on_disk_with_all_that_it_calls(tmp_path: Path) -> None:
    program = (
        "from detectors.bank import Bank; from detectors.drift import find\n"
        "Bank(find('cusum')).compile(); stats = find('cusum').update.compiled.stats\n"
        "print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "0", "NUMBA_BOUNDSCHECK": "0"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert printed == [["0", "1"], ["1", "0"]]


def test_what_is_masked_is_missing(bank: Bank) -> None:
    masked = np.ma.masked_array([0.1, 1e6, 0.2, 1e6], mask=[False, True, False, True])
    plain = Bank(bank.detector, bank.params, series=3)
    assert_array_equal(bank.update_one(0, masked).score, plain.update_one(0, [0.1, np.nan, 0.2, np.nan]).score)
    assert bank.skipped.tolist() == [2, 0, 0]
    with pytest.raises(TypeError, match="series has masked entries"):
        bank.update(np.ma.masked_array([0, 1], mask=[False, True]), [0.1, 0.2])


@pytest.mark.parametrize("name", ["cusum", "robust_z", "river.drift.ADWIN", "river.anomaly.GaussianScorer"])
@pytest.mark.parametrize("again", [copy.deepcopy, lambda bank: pickle.loads(pickle.dumps(bank))])
def test_a_copy_or_a_pickle_goes_on_by_itself(name: str, again: Callable[[Any], Any]) -> None:
    series, x = np.arange(200) % 2, streams.step(3, 4.0)[:200]
    original = bank_of(name, {})
    original.resize(2)
    original.update(series, x)
    other = again(original)
    expected, actual = original.update(series, x), other.update(series, x)
    for of_original, of_other in zip(expected, actual, strict=True):
        assert_array_equal(of_original, of_other)
    other.update(series, x)
    assert_array_equal(original.skipped, other.skipped)


def test_what_people_start_with_is_imported_from_the_package() -> None:
    assert detectors.Bank is Bank
    assert {"AnomalyBank", "Online"} <= set(dir(detectors))
    with pytest.raises(ImportError, match="cannot import name 'Bnak'"):
        exec("from detectors import Bnak")
    assert all((ROOT / package / "py.typed").exists() for package in ("detectors", "monitor", "sinks"))
