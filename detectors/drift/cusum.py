"""CUSUM: the standardised deviations from a baseline, summed up, less an allowance at each step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, WARNING, Detector, FloatArray, Parameter, ParameterError, Value
from detectors.kernel import MAX_ABS, kernel

__all__ = ["CUSUM"]

_DIRECTIONS = ("up", "down", "both")


@kernel
def learn(n: int, mean: float, squares: float, x: float) -> tuple[int, float, float]:
    """Absorb `x` into the count, the mean and the sum of squared deviations (Welford 1962)."""
    n += 1
    deviation = x - mean
    mean += deviation / n
    squares += deviation * (x - mean)
    return n, mean, squares


@kernel
def step(high: float, low: float, k: float, z: float) -> tuple[float, float]:
    """Absorb the standardised `z`: return the upper and the lower sum, both at least 0."""
    return max(0.0, high + z - k), max(0.0, low - z - k)


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

    A stretch of one series is worked through in local variables, which halves the time (see Page–Hinkley).
    """
    k, h, warm_up, warning = params[0], params[1], params[3], params[6] * params[1]
    look_up, look_down = params[2] != 1, params[2] != 0
    given_mean, given_sd = params[4], params[5]
    given = not math.isnan(given_sd)
    i = 0
    while i < x.size:
        row = series[i]
        s = state[row]
        n, mean, squares, sd = s["n"], s["mean"], s["squares"], s["sd"]
        high, low = s["high"], s["low"]
        skipped, drifted = s["skipped"], s["drifted"]
        while i < x.size and series[i] == row:
            score[i] = 0.0
            flag[i] = OK
            if not abs(x[i]) <= MAX_ABS:
                skipped += 1
                i += 1
                continue
            if drifted == 1:
                n, mean, squares, sd, high, low, drifted = 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0
            if given:
                mean, sd = given_mean, given_sd
            if sd > 0.0:
                high, low = step(high, low, k, (x[i] - mean) / sd)
                up = high if look_up else 0.0
                down = low if look_down else 0.0
                score[i] = up if up >= down else -down
                drifted = 1 if max(up, down) > h else 0
                flag[i] = DRIFT if drifted == 1 else (WARNING if max(up, down) > warning else OK)
            else:
                n, mean, squares = learn(n, mean, squares, x[i])
                if n >= warm_up:
                    sd = math.sqrt(squares / (n - 1))
            i += 1
        s["n"], s["mean"], s["squares"], s["sd"] = n, mean, squares, sd
        s["high"], s["low"] = high, low
        s["skipped"], s["drifted"] = skipped, drifted


def _check(values: Mapping[str, Value]) -> None:
    for name, other in (("mean", "sd"), ("sd", "mean")):
        if values[name] is None and values[other] is not None:
            raise ParameterError("cusum", name, None, f"give both mean and sd, or neither; {other} is given")


def _min_samples(values: Mapping[str, Any]) -> int:
    return 1 if values["sd"] is not None else int(values["warm_up"]) + 1


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((state["sd"] > 0.0) | (not math.isnan(params[5])), dtype=np.bool_)


CUSUM = Detector(
    name="cusum",
    summary="A lasting change of the mean by about 2k standard deviations, found as early as can be for a stated "
    "average run length between false alarms.",
    use_when="If the cost of a false alarm is known, or if small changes must be found early: its rate of false alarms "
    "is a number that you choose with `h`.",
    false_alarms="One in 70,104 independent normal values on average with k = 0.5 and h = 10, if mean and sd are "
    "known; in 9,481 with h = 8, in 465 with h = 5.",
    statistic="The larger of the two sums, in sd; below zero when it is the lower one; compared with `h`.",
    reference="E. S. Page, Continuous inspection schemes, Biometrika 41 (1954), pp. 100-115; D. C. Montgomery, "
    "Introduction to Statistical Quality Control, 9.1 (eq. 9.2 and 9.3).",
    parameters=(
        Parameter("k", "float", 0.5, 0.0, 100.0, "sd", "What is allowed each step: half the change to be found."),
        Parameter("h", "float", 10.0, 1e-3, 1e6, "sd", "The sum that is an alarm."),
        Parameter("direction", "choice", "both", 0, 0, "", "Which changes of the mean to look for.", _DIRECTIONS),
        Parameter("warm_up", "int", 1000, 2, 1e9, "observations", "How many to learn mean and sd from."),
        Parameter("mean", "float", None, -MAX_ABS, MAX_ABS, "units of x", "The mean in control, if known."),
        Parameter("sd", "float", None, 1e-100, MAX_ABS, "units of x", "The standard deviation in control, if known."),
        Parameter("warning", "float", 1.0, 1e-3, 1.0, "share of h", "The sum that is a warning; 1 gives none."),
    ),
    fields=[
        ("n", "<i8"),
        ("mean", "<f8"),
        ("squares", "<f8"),
        ("sd", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    check=_check,
)
