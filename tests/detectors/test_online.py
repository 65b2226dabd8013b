"""One observation at a time gives what the batch gives, behind river's interface."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.contract import DRIFT, WARNING, ParameterError
from detectors.drift import DETECTORS, UnknownDetectorError, find
from detectors.online import Online
from tests.detectors import streams
from tests.detectors.trials import TRIALS


@pytest.mark.parametrize("name", list(DETECTORS))
def test_it_says_what_the_batch_says(name: str) -> None:
    x = streams.suited(find(name).domain, streams.step(9, 4.0, n=800, at=400))
    expected = Bank(find(name), TRIALS[name].often, series=1).update_one(0, x)
    online = Online(name, **TRIALS[name].often)
    for i, value in enumerate(x.tolist()):
        assert online.update(value) is online
        assert online.drift_detected == (expected.flag[i] == DRIFT)
        assert online.warning_detected == (expected.flag[i] == WARNING)
        assert online.score == expected.score[i]
    assert len(expected.drifts()) > 0


@pytest.mark.parametrize("name", list(DETECTORS))
def test_questions_change_no_answer(name: str) -> None:
    x = streams.suited(find(name).domain, streams.step(9, 4.0, n=400, at=200))
    x[50] = math.nan
    questioned, online = Online(name, **TRIALS[name].often), Online(name, **TRIALS[name].often)
    rng = np.random.default_rng(3)
    for value in x.tolist():
        questioned.update(value)
        online.update(value)
        if rng.random() < 0.2:
            questions: Any = [copy.deepcopy, pickle_and_back, ask_all]
            questioned = rng.choice(questions)(questioned)
        assert (questioned.score, questioned.drift_detected) == (online.score, online.drift_detected)
    assert (questioned.ready, questioned.skipped) == (online.ready, online.skipped)


def pickle_and_back(online: Online) -> Online:
    copied = pickle.loads(pickle.dumps(online))
    assert isinstance(copied, Online)
    return copied


def ask_all(online: Online) -> Online:
    assert online.skipped <= 1
    assert online.ready in (True, False)
    return online


def test_what_is_no_number_is_refused() -> None:
    for wrong in ("1", None, [1.0, 2.0]):
        with pytest.raises(TypeError):
            Online("adwin").update(wrong)  # type: ignore[arg-type]


def test_ready_and_skipped_tell_silence_from_no_drift() -> None:
    online = Online("page_hinkley", scores="raw", min_instances=3)
    seen = []
    for x in (1.0, math.nan, 1.0, 1.0):
        seen.append((online.update(x).ready, online.skipped))
    assert seen == [(False, 0), (False, 1), (False, 1), (True, 1)]


def test_a_clone_has_the_parameters_and_has_seen_nothing() -> None:
    online = Online("cusum", mean=0.0, sd=1.0, k=0.5)
    for _ in range(3):
        online.update(2.0)
    clone = online.clone()
    assert repr(clone) == repr(online) == "Online('cusum', mean=0.0, sd=1.0, k=0.5)"
    assert clone.update(2.0).score == 1.5


def test_an_unknown_detector_or_parameter_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UnknownDetectorError, match="'page-hinkley'; did you mean 'page_hinkley'"):
        Online("page-hinkley")
    with pytest.raises(UnknownDetectorError, match="'x'; the detectors are adwin"):
        Online("x")
    with pytest.raises(ParameterError, match=r"page_hinkley: treshold=5.0 .* did you mean 'threshold'"):
        Online("page_hinkley", treshold=5.0)
