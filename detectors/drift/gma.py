"""GMA: the geometric moving average of deviations from the running mean.

Deviations are in sd, and no one of them counts for more than 3 with `scores: clipped`, nor for more than 6 in the mean
and the sd that are learned: see `page_hinkley`. Mean and sd are those of all observations since the last alarm, brought
up to date whenever these have grown by an eighth. An average of n deviations or so, n being `1 / (1 - alpha)`, has an
sd of about `sqrt((1 - alpha) / (1 + alpha))`; the default threshold is five times that.

With `scores: raw` it is the form of MOA (`GeometricMovingAverageDM`, the oracle of the tests): deviations in units of
x, from a mean that includes the observation itself. MOA's defaults are `alpha` 0.99, `threshold` 1 and `min_instances`
29 (30 in its counting), and it looks only for `up`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter, Unsuited
from detectors.drift.baseline import check_baseline
from detectors.drift.running import merge, run, start
from detectors.drift.scale import REACH, room, within
from detectors.kernel import MAX_ABS, kernel

__all__ = ["GMA"]

_DIRECTIONS = ("up", "down", "both")
_SCORES = ("clipped", "plain", "raw")
_CLIP = 3.0  # sd


@kernel
def forget(s: Any) -> None:
    """Start again from nothing."""
    s["left"], s["total"], s["spread"] = 0, 0.0, 0.0
    s["n"], s["mean"], s["learned"], s["sd"], s["drifted"] = 0, 0.0, 0.0, 0.0, 0


@kernel
def update(  # noqa: PLR0912, PLR0915 -- three baselines in one loop, which is what makes it fast
    state: Any,
    memory: FloatArray,
    params: FloatArray,
    series: NDArray[np.int64],
    x: FloatArray,
    score: FloatArray,
    flag: NDArray[np.uint8],
) -> None:
    """Run the detector over a batch; see :mod:`detectors.contract`.

    Observations of one series in a row are worked through in local variables (see Page–Hinkley).
    """
    alpha, threshold, min_instances = params[0], params[1], int(params[3])
    look_up, look_down = params[2] != 1, params[2] != 0
    given_mean, given_sd = params[4], params[5]
    fixed = not math.isnan(given_sd)
    bounded, raw = params[6] == 0, params[6] == 2
    clip = _CLIP if bounded else math.inf
    mean, sd, remaining, total, spread, average, drifted = 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0
    row = -1
    for i in range(x.size):
        if series[i] != row:
            if row >= 0:
                s = state[row]
                s["left"], s["total"], s["spread"], s["average"] = remaining, total, spread, average
            row = series[i]
            s = state[row]
            mean, sd, remaining, total, spread = s["mean"], s["sd"], s["left"], s["total"], s["spread"]
            average, drifted = s["average"], s["drifted"]
        score[i], flag[i] = 0.0, OK
        if not abs(x[i]) <= MAX_ABS:
            state[row]["skipped"] += 1
            continue
        if drifted == 1:
            forget(state[row])
            mean, sd, remaining, total, spread, average, drifted = 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0
        if raw:
            mean, sd = run(state[row], min_instances, x[i])
            deviation = x[i] - mean
        else:
            if sd == 0.0 and bounded and not fixed:
                s = state[row]
                start(s, memory[row], min_instances, x[i])
                mean, sd, remaining, total, spread = s["mean"], s["sd"], s["left"], s["total"], s["spread"]
                continue
            if not fixed and remaining == 0:
                # What deviations are from until there is a mean.
                state[row]["mean"] = mean = x[i]
                remaining = min_instances
            gap, unit = (x[i] - given_mean, given_sd) if fixed else (x[i] - mean, sd)
            if not fixed:
                counted = within(gap, REACH * unit) if bounded else gap
                total += counted
                spread += counted * counted
                remaining -= 1
                if remaining == 0:
                    mean, sd, remaining = merge(state[row], mean, total, spread, min_instances)
                    total, spread = 0.0, 0.0
                if unit == 0.0:
                    continue
            deviation = gap / unit
        average = alpha * average + (1.0 - alpha) * max(-clip, min(clip, deviation))
        score[i] = average
        beyond = max(average if look_up else 0.0, -average if look_down else 0.0)
        if beyond > threshold and (sd > 0.0 or fixed):
            flag[i] = DRIFT
            state[row]["drifted"] = drifted = 1
    if row >= 0:
        s = state[row]
        s["left"], s["total"], s["spread"], s["average"] = remaining, total, spread, average


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
    false_alarms="At most 0.17 alarms in 100,000 (95 %: 0.10 to 0.27) were measured on Gaussian, uniform, "
    "exponential, Student-t(3) and Bernoulli(0.2) streams, with any warm-up from 30 on.",
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 200 and 100 trials", "ddm"
        ),
        Unsuited("bursts", "1.5 alarms in 100,000 GARCH(1,1) values (95 %: 1.3 to 1.8)", "page_hinkley"),
        Unsuited(
            "neighbours",
            "47 alarms in 100,000 where half of each deviation is carried on, 970 where nine tenths are",
            "cusum",
        ),
    ),
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
            "Deviations in sd of which none counts for more than 3, nor for more than 6 in what is learned; all of "
            "them; or in units of x, as MOA has them.",
            _SCORES,
        ),
    ),
    fields=[
        ("n", "<i8"),
        ("mean", "<f8"),
        ("learned", "<f8"),
        ("sd", "<f8"),
        ("left", "<i8"),
        ("total", "<f8"),
        ("spread", "<f8"),
        ("average", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    check=partial(check_baseline, "gma"),
    memory_width=partial(room, "min_instances"),
    layout=2,
)
