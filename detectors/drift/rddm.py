"""RDDM: DDM that forgets: of a long time without change it keeps only the newest part.

As with DDM, the rate of errors plus its standard deviation is compared with the lowest that this sum has been. Three
things make it react sooner. When the rate comes from ``max_concept`` observations, it is worked out anew from the
newest ``min_stable``; the lowest stays. ``max_warnings`` observations of warning on end are a drift. And with
``after_drift="keep"``, as in the paper and in MOA, it does not start anew after a drift but with what it has seen
since the warning began. For rates that fall, the same is done with correct answers in place of errors.

The limits of the paper are ``warning=1.773, drift=2.258, warm_up=129, min_errors=0``; with them every second stretch
of 2,000 observations in which nothing changes has an alarm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, WARNING, Detector, FloatArray, Parameter, Unsuited
from detectors.drift.ddm import HIGHEST, rates
from detectors.kernel import kernel
from detectors.ring import at, ones, push, width

__all__ = ["RDDM"]

NEVER = 1e300  # more observations than there will be
_DIRECTIONS = ("up", "down", "both")
_AFTER_DRIFT = ("forget", "keep")


@kernel
def in_zone(level: int, until: float, n: float, max_warnings: float) -> tuple[int, float]:
    """Return the flag, a drift if it was a warning for too long, and when it would be: never, out of the zone."""
    if level == WARNING and n >= until:
        return DRIFT, n + max_warnings
    return level, min(until, n + max_warnings) if level > OK else NEVER


@kernel
def restart(s: Any, memory: FloatArray, row: int, count: int, settings: tuple[float, float, float, float]) -> None:
    """Start anew with the `count` newest observations."""
    warm_up, min_errors, warning, drift = settings
    s["drifted"], s["up_until"], s["down_until"] = 0, NEVER, NEVER
    s["up_low"], s["down_low"], s["up_tried"], s["down_tried"] = HIGHEST, HIGHEST, 0.0, 0.0
    s["up_before"], s["up_errors_before"], s["down_before"], s["down_errors_before"] = 0.0, 0.0, 0.0, 0.0
    n, errors = 0.0, 0.0
    for index in range(s["last"] - count + 1, s["last"] + 1):
        n, errors = n + 1.0, errors + at(memory, row, index)
        wrong, right, sd = rates(n, errors)
        if n > warm_up and errors >= min_errors and wrong + sd <= s["up_low"]:
            s["up_low"], s["up_warning"], s["up_drift"] = wrong + sd, wrong + warning * sd, wrong + drift * sd
        if n > warm_up and n - errors >= min_errors and right + sd <= s["down_low"]:
            s["down_low"], s["down_warning"], s["down_drift"] = right + sd, right + warning * sd, right + drift * sd
    s["n"], s["errors"] = n, errors


@kernel
def forget(s: Any, memory: FloatArray, row: int, size: int, min_errors: float, rises: bool) -> None:
    """Let the rate of one direction come from the newest observations only, if there are errors enough among them."""
    n = s["n"]
    count = int(min(n, size))
    errors = ones(memory, row, s["last"], count)
    if rises:
        s["up_tried"] = n + size
        if errors >= min_errors:
            s["up_before"], s["up_errors_before"], s["up_tried"] = n - count, s["errors"] - errors, 0.0
    else:
        s["down_tried"] = n + size
        if count - errors >= min_errors:
            s["down_before"], s["down_errors_before"], s["down_tried"] = n - count, s["errors"] - errors, 0.0


@kernel
def update(
    state: Any,
    memory: FloatArray,
    params: FloatArray,
    series: NDArray[np.int64],
    x: FloatArray,
    score: FloatArray,
    flag: NDArray[np.uint8],
) -> None:
    """Run the detector over a batch; see :mod:`detectors.contract`.

    What bounds the time is the long way from the count to the root, of which few fit into the processor at once.
    """
    warm_up, min_errors, drift = params[0], params[1], params[3]
    warning = min(params[2], drift)
    max_concept, size, max_warnings = params[4], int(params[5]), params[6]
    look_up, look_down, keep = params[7] != 1, params[7] != 0, params[8] == 1
    for i in range(x.size):
        row = series[i]
        s = state[np.uint64(row)]
        if x[i] * (1.0 - x[i]) != 0.0:
            score[i] = 0.0
            flag[i] = OK
            s["skipped"] += 1
            continue
        if s["drifted"] == 1 or s["n"] == 0.0:
            settings = (warm_up, min_errors, warning, drift)
            restart(s, memory, row, int(min(s["again"], size)) if keep else 0, settings)
        newest = push(memory, row, s["last"], x[i])
        n, errors = s["n"] + 1.0, s["errors"] + x[i]
        s["last"], s["n"], s["errors"] = newest, n, errors
        up, down, rise, fall = 0.0, 0.0, OK, OK
        up_n, up_errors = n - s["up_before"], errors - s["up_errors_before"]
        wrong, right, sd = rates(up_n, up_errors)
        if look_up and up_n >= warm_up and up_errors >= min_errors:
            high = wrong + sd
            if high <= s["up_low"]:
                s["up_low"], s["up_warning"], s["up_drift"] = high, wrong + warning * sd, wrong + drift * sd
            up = high - s["up_low"]
            rise = int(high > s["up_warning"]) + int(high > s["up_drift"])
            rise, s["up_until"] = in_zone(rise, s["up_until"], n, max_warnings)
            if rise == OK and up_n >= max_concept and n >= s["up_tried"]:
                forget(s, memory, row, size, min_errors, True)
        if look_down:
            down_n, down_errors = n - s["down_before"], errors - s["down_errors_before"]
            if down_n != up_n:
                wrong, right, sd = rates(down_n, down_errors)
            if down_n >= warm_up and down_n - down_errors >= min_errors:
                high = right + sd
                if high <= s["down_low"]:
                    s["down_low"], s["down_warning"], s["down_drift"] = high, right + warning * sd, right + drift * sd
                down = high - s["down_low"]
                fall = int(high > s["down_warning"]) + int(high > s["down_drift"])
                fall, s["down_until"] = in_zone(fall, s["down_until"], n, max_warnings)
                if down_n >= max_concept and fall == OK and n >= s["down_tried"]:
                    forget(s, memory, row, size, min_errors, False)
                # Where only one of them is a warning or a drift, the score is that one's.
                up = up if rise >= fall else -1.0
                down = down if fall >= rise else -1.0
        score[i] = up if up >= down else -down
        flag[i] = max(rise, fall)
        if max(rise, fall) == DRIFT:
            s["drifted"] = 1
            s["again"] = n + 1.0 + max_warnings - (s["up_until"] if rise == DRIFT else s["down_until"])


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(max(values["warm_up"], values["min_errors"]))


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    some_errors = (params[7] != 1) & (state["n"] >= params[0]) & (state["errors"] >= params[1])
    correct = state["n"] - state["errors"]
    some_correct = (params[7] != 0) & (state["n"] >= params[0]) & (correct >= params[1])
    return np.asarray(some_errors | some_correct, dtype=np.bool_)


def _memory_width(values: Mapping[str, Any]) -> int:
    return width(int(values["min_stable"]))


RDDM = Detector(
    name="rddm",
    summary="A rate of errors that leaves its lowest behind; of a long time without change only the newest part "
    "counts.",
    use_when="In place of `ddm` for streams that go on for long. `ecdd` finds most changes sooner. Errors that go "
    "from 0.2 to 0.5 are found after 240 observations if 2,000 came before.",
    false_alarms="With the defaults, 0.8 in 100,000 observations were measured at a rate of errors of 0.2 (95 %: 0.6 "
    "to 1.0), 0.9 at 0.02 and 0.6 at 0.5. With the limits of the paper every second stretch of 2,000 has one.",
    unsuited=(Unsuited("few errors", "1.1 alarms in 100,000 where 1 % are errors (95 %: 0.9 to 1.3)", "ddm"),),
    domain="binary",
    statistic="How far the sum of the rate of errors and its standard deviation has risen above the lowest that it "
    "was; below zero, the same of correct answers. It may rise by the standard deviation of that time, times `drift` "
    "less 1.",
    reference="R. S. M. Barros, D. R. L. Cabral, P. M. Gonçalves, S. G. T. C. Santos, RDDM: reactive drift detection "
    "method, Expert Systems with Applications 90 (2017), pp. 344-355.",
    parameters=(
        Parameter("warm_up", "int", 250, 1, 1e9, "observations", "How many to see before judging."),
        Parameter("min_errors", "int", 50, 0, 1e9, "errors", "How many, or correct answers, to see before judging."),
        Parameter("warning", "float", 3.5, 1.0, 1e6, "sd", "Above the lowest rate: a warning."),
        Parameter("drift", "float", 4.0, 1.0, 1e6, "sd", "Above the lowest rate: a drift."),
        Parameter("max_concept", "int", 40_000, 1, 1e9, "observations", "How many a rate may come from."),
        Parameter("min_stable", "int", 7_000, 1, 1e6, "observations", "How many of them are kept then."),
        Parameter("max_warnings", "int", 1_400, 1, 1e9, "observations", "A warning that lasts as long is a drift."),
        Parameter(
            "direction", "choice", "both", 0, 0, "", "Which changes of the rate of errors to look for.", _DIRECTIONS
        ),
        Parameter(
            "after_drift",
            "choice",
            "forget",
            0,
            0,
            "",
            "Start anew with nothing, or with what was seen since the warning began.",
            _AFTER_DRIFT,
        ),
    ),
    fields=[
        ("last", "<i8"),
        ("n", "<f8"),
        ("errors", "<f8"),
        ("up_before", "<f8"),
        ("up_errors_before", "<f8"),
        ("up_low", "<f8"),
        ("up_warning", "<f8"),
        ("up_drift", "<f8"),
        ("up_until", "<f8"),
        ("down_before", "<f8"),
        ("down_errors_before", "<f8"),
        ("down_low", "<f8"),
        ("down_warning", "<f8"),
        ("down_drift", "<f8"),
        ("down_until", "<f8"),
        ("up_tried", "<f8"),
        ("down_tried", "<f8"),
        ("again", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    memory_width=_memory_width,
)
