"""GMA: the geometric moving average of deviations from the running mean.

Deviations are in sd, and no one of them counts for more than 3 with `scores: clipped`. Mean and sd are those of all
observations since the last alarm, brought up to date whenever these have grown by an eighth: see `page_hinkley`. An
average of n deviations or so, n being `1 / (1 - alpha)`, has an sd of about `sqrt((1 - alpha) / (1 + alpha))`; the
default threshold is five times that.

With `scores: raw` it is the form of MOA (`GeometricMovingAverageDM`, the oracle of the tests): deviations in units of
x, from a mean that includes the observation itself. MOA's defaults are `alpha` 0.99, `threshold` 1 and `min_instances`
29 (30 in its counting), and it looks only for `up`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter, ParameterError, Value
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["GMA"]

_DIRECTIONS = ("up", "down", "both")
_SCORES = ("clipped", "plain", "raw")
_CLIP = 3.0  # sd


@inlined
def learn(
    n: int,
    mean: float,
    squares: float,
    sd: float,
    new: int,
    total: float,
    spread: float,
    least: float,
    x: float,
) -> tuple[int, float, float, float, int, float, float]:
    """Absorb `x` into the baseline: return the first seven arguments, brought up to date.

    The baseline is of `n` observations. Those since are `new`; the sum of their deviations from its mean is `total`,
    that of the squares of these `spread`, and once there are enough of them they are merged into it (Chan, Golub and
    LeVeque 1983).
    """
    if n + new == 0:
        mean = x  # what deviations are from until there is a mean
    new += 1
    total += x - mean
    spread += (x - mean) * (x - mean)
    if n + new >= least and (8 * new >= n or sd == 0.0):
        count, gap = n + new, total / new
        share = new / count
        squares += max(0.0, spread - total * gap) + gap * gap * n * share
        n, mean, new, total, spread = count, mean + gap * share, 0, 0.0, 0.0
        sd = math.sqrt(squares / (n - 1)) if n > 1 else 0.0
    return n, mean, squares, sd, new, total, spread


@kernel
def update(  # noqa: PLR0915 -- the fields of a row are read and written one by one
    state: Any,
    memory: FloatArray,
    params: FloatArray,
    series: NDArray[np.int64],
    x: FloatArray,
    score: FloatArray,
    flag: NDArray[np.uint8],
) -> None:
    """Run the detector over a batch; see :mod:`detectors.contract`.

    A stretch of one series is worked through in local variables (see Page–Hinkley).
    """
    alpha, threshold, min_instances = params[0], params[1], params[3]
    look_up, look_down = params[2] != 1, params[2] != 0
    given_mean, given_sd = params[4], params[5]
    given = not math.isnan(given_sd)
    clip, raw = _CLIP if params[6] == 0 else math.inf, params[6] == 2
    n, mean, squares, sd = 0, 0.0, 0.0, 0.0
    new, total, spread, average = 0, 0.0, 0.0, 0.0
    drifted = 0
    row = -1
    for i in range(x.size):
        if series[i] != row:
            if row >= 0:
                s = state[row]
                s["n"], s["mean"], s["squares"], s["sd"] = n, mean, squares, sd
                s["new"], s["total"], s["spread"], s["average"] = new, total, spread, average
                s["drifted"] = drifted
            row = series[i]
            s = state[row]
            n, mean, squares, sd = s["n"], s["mean"], s["squares"], s["sd"]
            new, total, spread, average = s["new"], s["total"], s["spread"], s["average"]
            drifted = s["drifted"]
        score[i] = 0.0
        flag[i] = OK
        if not abs(x[i]) <= MAX_ABS:
            state[row]["skipped"] += 1
            continue
        if drifted == 1:
            n, mean, squares, sd, new, total, spread = 0, 0.0, 0.0, 0.0, 0, 0.0, 0.0
            average, drifted = 0.0, 0
        if raw:
            n += 1
            mean += (1.0 / n) * (x[i] - mean)
            deviation = x[i] - mean
            sd = 1.0 if n >= min_instances else 0.0
        elif given:
            deviation, sd = (x[i] - given_mean) / given_sd, given_sd
        else:
            before, baseline_sd = mean, sd
            n, mean, squares, sd, new, total, spread = learn(
                n, mean, squares, sd, new, total, spread, min_instances, x[i]
            )
            if baseline_sd == 0.0:
                continue
            deviation = (x[i] - before) / baseline_sd
        average = alpha * average + (1.0 - alpha) * max(-clip, min(clip, deviation))
        score[i] = average
        beyond = max(average if look_up else 0.0, -average if look_down else 0.0)
        drifted = 1 if sd > 0.0 and beyond > threshold else 0
        flag[i] = DRIFT * drifted
    if row >= 0:
        s = state[row]
        s["n"], s["mean"], s["squares"], s["sd"] = n, mean, squares, sd
        s["new"], s["total"], s["spread"], s["average"] = new, total, spread, average
        s["drifted"] = drifted


def _check(values: Mapping[str, Value]) -> None:
    for name, other in (("mean", "sd"), ("sd", "mean")):
        if values[name] is None and values[other] is not None:
            raise ParameterError("gma", name, None, f"give both mean and sd, or neither; {other} is given")
    if values["scores"] == "raw" and values["sd"] is not None:
        raise ParameterError("gma", "scores", "raw", "they are from the running mean; leave out mean and sd")


def _min_samples(values: Mapping[str, Any]) -> int:
    if values["sd"] is not None:
        return 1
    return int(values["min_instances"]) + int(values["scores"] != "raw")


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((state["sd"] > 0.0) | (not math.isnan(params[5])), dtype=np.bool_)


GMA = Detector(
    name="gma",
    summary="A lasting change of the mean, against the mean so far, from an average that is easy to look at.",
    use_when="As `page_hinkley`, with a score that can be plotted and understood; for agreement with MOA, with raw "
    "scores.",
    false_alarms="At most 0.12 alarms in 100,000 were measured (95 %: below 0.21) on Gaussian, uniform, exponential, "
    "Student-t(3) and Bernoulli(0.2) streams, with any warm-up from 30 on (`python -m bench.warm_ups`).",
    statistic="The moving average of the deviations, in sd (in units of x if raw); compared with `threshold`.",
    reference="S. W. Roberts, Control chart tests based on geometric moving averages, Technometrics 1 (1959), pp. "
    "239-250; D. M. Hawkins, Self-starting CUSUM charts for location and scale, The Statistician 36 (1987), pp. "
    "299-316.",
    parameters=(
        Parameter("alpha", "float", 0.97, 0.0, 1.0 - 1e-6, "", "What is kept of the average at each step."),
        Parameter("threshold", "float", 0.62, 1e-12, 1e15, "sd", "The average that is an alarm."),
        Parameter("direction", "choice", "both", 0, 0, "", "Which changes of the mean to look for.", _DIRECTIONS),
        Parameter("min_instances", "int", 30, 1, 1e9, "observations", "How many to see before judging."),
        Parameter("mean", "float", None, -MAX_ABS, MAX_ABS, "units of x", "The mean in control, if known."),
        Parameter("sd", "float", None, 1e-100, MAX_ABS, "units of x", "The standard deviation in control, if known."),
        Parameter(
            "scores",
            "choice",
            "clipped",
            0,
            0,
            "",
            "Deviations in sd of which none counts for more than 3; all of them; or in units of x, as MOA has them.",
            _SCORES,
        ),
    ),
    fields=[
        ("n", "<i8"),
        ("mean", "<f8"),
        ("squares", "<f8"),
        ("sd", "<f8"),
        ("new", "<i8"),
        ("total", "<f8"),
        ("spread", "<f8"),
        ("average", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    check=_check,
)
