"""DDM: the error rate since the start, plus its standard deviation, against the lowest that this sum has been.

After ``i`` observations the rate of errors ``p`` has the standard deviation ``s = sqrt(p (1 - p) / i)``. While the
rate does not change, ``p + s`` sinks; ``p_min`` and ``s_min`` are kept from where it was lowest. There is a warning
when ``p + s > p_min + warning s_min``, and a drift when ``p + s > p_min + drift s_min``. For rates that fall, the same
is done with correct answers in place of errors.

The rate is that of all observations since the start, so the longer it was quiet, the later a change is found. The
paper judges from the 30th observation on and has the limits 2 and 3, as river has (``warm_up=30, min_errors=0,
warning=2, drift=3``). That is wrong often and early: a lucky start is a low minimum, and one without any error makes
the first error a drift. Hence the defaults are higher, and nothing is judged before there were some errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, WARNING, Detector, FloatArray, Parameter
from detectors.kernel import kernel

__all__ = ["DDM"]

_DIRECTIONS = ("up", "down", "both")


@kernel
def rates(n: int, errors: float) -> tuple[float, float, float]:
    """Return the rates of errors and of correct answers, exact where one is 0, and their sd."""
    per_n = 1.0 / n
    wrong = errors * per_n if errors < n else 1.0
    right = (n - errors) * per_n if errors > 0.0 else 1.0
    return wrong, right, math.sqrt(wrong * right * per_n)


@kernel
def lowest(rate: float, sd: float, low_rate: float, low_sd: float) -> tuple[float, float]:
    """Return rate and standard deviation where their sum was lowest; of a lowest rate below zero there is none yet."""
    if low_rate < 0.0 or rate + sd <= low_rate + low_sd:
        return rate, sd
    return low_rate, low_sd


@kernel
def judge(high: float, low_rate: float, low_sd: float, warning: float, drift: float) -> int:
    """Return the flag of a sum of rate and standard deviation, given where it was lowest."""
    if high <= low_rate + warning * low_sd:
        return OK
    return DRIFT if high > low_rate + drift * low_sd else WARNING


@kernel
def keep(
    s: Any,
    n: int,
    errors: float,
    skipped: int,
    drifted: int,
    up_rate: float,
    up_sd: float,
    down_rate: float,
    down_sd: float,
) -> None:
    """Write the state of a series back."""
    s["n"], s["errors"], s["skipped"], s["drifted"] = n, errors, skipped, drifted
    s["up_rate"], s["up_sd"], s["down_rate"], s["down_sd"] = up_rate, up_sd, down_rate, down_sd


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

    A stretch of one series is worked through in local variables (see Page–Hinkley). What bounds the time then is the
    unit that divides.
    """
    warm_up, min_errors, drift = params[0], params[1], params[3]
    warning = min(params[2], drift)
    look_up, look_down = params[4] != 1, params[4] != 0
    row = np.int64(-1)
    n, errors, skipped, drifted = 0, 0.0, 0, 0
    up_rate, up_sd, down_rate, down_sd = 0.0, 0.0, 0.0, 0.0
    for i in range(x.size):
        if series[i] != row:
            if row >= 0:
                keep(state[row], n, errors, skipped, drifted, up_rate, up_sd, down_rate, down_sd)
            row = series[i]
            s = state[row]
            n, errors, skipped, drifted = s["n"], s["errors"], s["skipped"], s["drifted"]
            up_rate, up_sd, down_rate, down_sd = s["up_rate"], s["up_sd"], s["down_rate"], s["down_sd"]
        score[i] = 0.0
        flag[i] = OK
        if x[i] * (1.0 - x[i]) != 0.0:
            skipped += 1
            continue
        if drifted == 1:
            n, errors, drifted = 0, 0.0, 0
        n += 1
        errors += x[i]
        if n == 1:
            up_rate, down_rate = -1.0, -1.0
        if n > warm_up:
            wrong, right, sd = rates(n, errors)
            up, down, rise, fall = 0.0, 0.0, OK, OK
            if look_up and errors >= min_errors:
                up_rate, up_sd = lowest(wrong, sd, up_rate, up_sd)
                up = wrong + sd - (up_rate + up_sd)
                rise = judge(wrong + sd, up_rate, up_sd, warning, drift)
            if look_down and n - errors >= min_errors:
                down_rate, down_sd = lowest(right, sd, down_rate, down_sd)
                down = right + sd - (down_rate + down_sd)
                fall = judge(right + sd, down_rate, down_sd, warning, drift)
            score[i] = up if rise > fall or (rise == fall and up >= down) else -down
            flag[i] = max(rise, fall)
            drifted = 1 if max(rise, fall) == DRIFT else 0
    if row >= 0:
        keep(state[row], n, errors, skipped, drifted, up_rate, up_sd, down_rate, down_sd)


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
    "0.5 are found after 130 observations if 2,000 came before, and after 900 if 20,000 did.",
    false_alarms="With the defaults, 0.24 in 100,000 observations were measured at a rate of errors of 0.2 (95 %: "
    "0.15 to 0.36), and as few at 0.02 and 0.5; most come in the first few thousand. The paper's `warm_up` of 30 "
    "without `min_errors` has an alarm in one of four stretches of 2,000.",
    domain="binary",
    statistic="How far rate and standard deviation have risen above the lowest rate, in the standard deviations of "
    "that time; below zero, the same of correct answers. Compared with `drift`.",
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
        ("n", "<i8"),
        ("errors", "<f8"),
        ("up_rate", "<f8"),
        ("up_sd", "<f8"),
        ("down_rate", "<f8"),
        ("down_sd", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
)
