"""What river does not have, or is not asked about by the oracle: the window, what is kept of it, and its bound."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.drift import find
from tests.detectors import streams


def test_the_window_is_the_data_since_the_change() -> None:
    x = streams.step(1, 3.0, n=3008, at=1000)
    bank = Bank(find("adwin"), {"after_drift": "keep", "clip": 1e15}, series=1)
    drifts = bank.update_one(0, x).drifts()
    assert 1000 <= drifts[0] < 1050
    width = int(bank.state["width"][0])
    assert 1990 <= width <= 2018
    assert bank.state["total"][0] == pytest.approx(x[-width:].sum())
    assert bank.state["squares"][0] / width == pytest.approx(x[-width:].var(), rel=1e-6)


def test_a_window_of_equal_values_is_not_blind_to_larger_ones() -> None:
    for level in (0.1, 1000.0):
        x = np.concatenate([np.full(1000, level), np.full(100, level + 50.0)])
        drifts = Bank(find("adwin"), series=1).update_one(0, x).drifts()
        assert drifts[0] < 1064


def test_keeping_the_window_is_ready_sooner_for_the_next_change() -> None:
    x = np.concatenate([streams.step(2, 2.0, n=1040, at=1000), streams.step(3, 0.0, n=100) + 4.0])
    drifts = {
        after: Bank(find("adwin"), {"after_drift": after}, series=1).update_one(0, x).drifts()
        for after in ("forget", "keep")
    }
    assert len(drifts["keep"]) > len(drifts["forget"])


def test_the_score_at_an_alarm_is_the_difference_of_the_means() -> None:
    for size in (3.0, -3.0):
        flags = Bank(find("adwin"), series=1).update_one(0, streams.step(4, size, n=1200, at=1000))
        assert flags.score[flags.drifts()[0]] == pytest.approx(size, abs=0.8)
        assert np.count_nonzero(flags.score) == len(flags.drifts())


def test_a_window_that_is_out_of_room_stays_as_long_as_it_is() -> None:
    # 2**34 observations cannot be tried; the kernel takes its room from the width of the memory.
    detector = find("adwin")
    values = detector.values({"max_buckets": 3})
    levels, slots = 5, 4
    memory, state = np.zeros((1, 32 + levels * (2 * slots + 2))), np.zeros(1, dtype=detector.dtype)
    n = 5024  # of which none is left waiting to be put into the window
    x = np.random.default_rng(5).normal(0.0, 1.0, n)
    score, flag = np.empty(n), np.empty(n, dtype=np.uint8)
    detector.update(state, memory, detector.encode(values), np.zeros(n, dtype=np.int64), x, score, flag)
    width = int(state["width"][0])
    assert 3 * 2 ** (levels - 1) - 16 <= width <= 3 * 2**levels
    assert state["total"][0] == pytest.approx(x[-width:].sum())
    assert state["squares"][0] == pytest.approx(width * x[-width:].var())
    assert not flag.any()


def test_what_waits_for_a_look_that_is_far_off_is_put_into_the_window() -> None:
    x = np.random.default_rng(6).normal(0.0, 1.0, 1000)
    bank = Bank(find("adwin"), {"clock": 1_000_000}, series=1)
    bank.update_one(0, x)
    assert bank.state["width"][0] + bank.state["waiting"][0] == 1000
    assert bank.state["waiting"][0] < 32


def test_a_series_takes_little_more_than_a_page_of_memory() -> None:
    detector = find("adwin")
    assert detector.dtype.itemsize + 8 * detector.memory_width(detector.values()) < 4300
