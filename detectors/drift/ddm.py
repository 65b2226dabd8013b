"""DDM: the error rate since the start, plus its standard deviation, against the lowest that this sum has been.

After ``i`` observations the rate of errors ``p`` has the standard deviation ``s = sqrt(p (1 - p) / i)``. While the
rate does not change, ``p + s`` sinks; ``p_min`` and ``s_min`` are kept from where it was lowest. There is a warning
when ``p + s > p_min + warning s_min``, and a drift when ``p + s > p_min + drift s_min``. For rates that fall, the same
is done with correct answers in place of errors.

The rate is that of all observations since the start, so the longer it was quiet, the later a change is found. The
paper judges from the 30th observation on and has the limits 2 and 3, as river has (``warm_up=30, min_errors=0,
warning=2, drift=3``). That is wrong often and early: a lucky start is a low minimum, and one without any error makes
the first error a drift. Hence nothing is judged here before there were `min_errors`; the limits are the paper's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter
from detectors.kernel import kernel

__all__ = ["DDM"]

HIGHEST = 2.0  # more than the sum of a rate and its standard deviation can be
_DIRECTIONS = ("up", "down", "both")


@kernel
def rates(n: float, errors: float) -> tuple[float, float, float]:
    """Return the rates of errors and of correct answers, exact where one is 0, and their sd."""
    per_n = 1.0 / n
    wrong = errors * per_n if errors < n else 1.0
    right = (n - errors) * per_n if errors > 0.0 else 1.0
    return wrong, right, math.sqrt(wrong * right * per_n)


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

    What bounds the time is the long way from the count over a division to the root: few fit into the processor at once.
    """
    warm_up, min_errors, drift = params[0], params[1], params[3]
    warning = min(params[2], drift)
    look_up, look_down = params[4] != 1, params[4] != 0
    for i in range(x.size):
        s = state[np.uint64(series[i])]
        if x[i] * (1.0 - x[i]) != 0.0:
            score[i] = 0.0
            flag[i] = OK
            s["skipped"] += 1
            continue
        if s["drifted"] == 1:
            s["drifted"], s["n"], s["errors"] = 0, 0.0, 0.0
        n, errors = s["n"] + 1.0, s["errors"] + x[i]
        s["n"], s["errors"] = n, errors
        if n <= warm_up:
            if n == 1.0:
                s["up_low"], s["down_low"] = HIGHEST, HIGHEST
            score[i] = 0.0
            flag[i] = OK
            continue
        wrong, right, sd = rates(n, errors)
        up, down, rise, fall = 0.0, 0.0, OK, OK
        if look_up and errors >= min_errors:
            high = wrong + sd
            if high <= s["up_low"]:
                s["up_low"], s["up_warning"], s["up_drift"] = high, wrong + warning * sd, wrong + drift * sd
            up = high - s["up_low"]
            rise = int(high > s["up_warning"]) + int(high > s["up_drift"])
        if look_down and n - errors >= min_errors:
            high = right + sd
            if high <= s["down_low"]:
                s["down_low"], s["down_warning"], s["down_drift"] = high, right + warning * sd, right + drift * sd
            down = high - s["down_low"]
            fall = int(high > s["down_warning"]) + int(high > s["down_drift"])
            # Where only one of them is a warning or a drift, the score is that one's.
            up = up if rise >= fall else -1.0
            down = down if fall >= rise else -1.0
        score[i] = up if up >= down else -down
        flag[i] = max(rise, fall)
        if max(rise, fall) == DRIFT:
            s["drifted"] = 1


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(max(values["warm_up"] + 1, values["min_errors"]))


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    some_errors = (params[4] != 1) & (state["errors"] >= params[1])
    some_correct = (params[4] != 0) & (state["n"] - state["errors"] >= params[1])
    return np.asarray((state["n"] > params[0]) & (some_errors | some_correct), dtype=np.bool_)


DDM = Detector(
    name="ddm",
    summary="A rate of errors that leaves its lowest behind: the classic, which grows slow while nothing changes.",
    use_when="For agreement with what other tools do; `ecdd` finds most changes sooner. Errors that go from 0.2 to "
    "0.5 are found after 130 observations if 2,000 came before, and after 900 if 20,000 did. It is the one for few "
    "errors: a rate that goes from 0.01 to 0.03 is found after 900 observations, from 0.001 to 0.003 after 8,900.",
    false_alarms="With the defaults, 0.24 in 100,000 observations were measured at a rate of errors of 0.2 (95 %: "
    "0.15 to 0.36), and as few at 0.02 and 0.5; most come in the first few thousand. The paper's `warm_up` of 30 "
    "without `min_errors` has an alarm in one of four stretches of 2,000.",
    domain="binary",
    statistic="How far the sum of the rate of errors and its standard deviation has risen above the lowest that it "
    "was; below zero, the same of correct answers. It may rise by the standard deviation of that time, times `drift` "
    "less 1.",
    reference="J. Gama, P. Medas, G. Castillo, P. Rodrigues, Learning with drift detection, SBIA (2004), LNCS 3171, "
    "pp. 286-295.",
    parameters=(
        Parameter("warm_up", "int", 250, 1, 1e9, "observations", "How many to see before judging."),
        Parameter("min_errors", "int", 50, 0, 1e9, "errors", "How many, or correct answers, to see before judging."),
        Parameter("warning", "float", 2.0, 1.0, 1e6, "sd", "Above the lowest rate: a warning."),
        Parameter("drift", "float", 3.0, 1.0, 1e6, "sd", "Above the lowest rate: a drift."),
        Parameter(
            "direction", "choice", "both", 0, 0, "", "Which changes of the rate of errors to look for.", _DIRECTIONS
        ),
    ),
    fields=[
        ("n", "<f8"),
        ("errors", "<f8"),
        ("up_low", "<f8"),
        ("up_warning", "<f8"),
        ("up_drift", "<f8"),
        ("down_low", "<f8"),
        ("down_warning", "<f8"),
        ("down_drift", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
)
