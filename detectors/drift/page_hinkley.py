"""Page–Hinkley: how far the cumulative deviation from the running mean has climbed above its lowest point.

Deviations are in sd. Mean and sd are those of all observations since the last alarm, brought up to date whenever these
have grown by an eighth. So an error of the first estimate does not last, and a short warm-up costs few false alarms
(the idea of Hawkins 1987), while a change that comes slowly is partly taken for the mean. The height of the sum is kept
rather than the sum. With mean and sd given it is a CUSUM; as there, with `scores: clipped` no observation counts for
more than 2 sd towards an alarm, whatever the distribution, nor for more than 6 sd in what is learned (of the first
values, for 6 times the deviation from their median that three quarters of them do not exceed). So a wild value, such as
-999999, does not leave it deaf.

With `scores: raw` it is the form of river 0.26, observation by observation (the oracle of the tests): deviations in
units of x, from a mean that includes the observation itself, and sums of which `alpha` is kept at each step. river's
defaults are `delta` 0.005, `threshold` 50, `alpha` 0.9999 and `min_instances` 30. In that form an `alpha` below 1 wants
a `delta` near 0: the sum falls no further than `delta / (1 - alpha)`, and there noise alone takes it over any
threshold.
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

__all__ = ["PAGE_HINKLEY"]

_MODES = ("up", "down", "both")
_SCORES = ("clipped", "plain", "raw")
_CLIP = 2.0  # sd


@kernel
def forget(s: Any) -> None:
    """Start again from nothing."""
    s["left"], s["total"], s["spread"] = 0, 0.0, 0.0
    s["n"], s["mean"], s["learned"], s["sd"], s["lowest"], s["highest"], s["drifted"] = 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0


@kernel
def step(
    s: Any, rising: float, falling: float, delta: float, alpha: float, deviation: float
) -> tuple[float, float, float, float]:
    """Absorb `deviation`: return both sums, and how far they are above the lowest and under the highest they were."""
    rising = alpha * rising + deviation - delta
    falling = alpha * falling + deviation + delta
    s["lowest"] = min(s["lowest"], rising) if s["n"] > 1 else rising
    s["highest"] = max(s["highest"], falling) if s["n"] > 1 else falling
    return rising, falling, rising - s["lowest"], s["highest"] - falling


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

    Observations of one series in a row are worked through in local variables: at 5 ns an observation, going through
    memory at each step would nearly double the time. What changes only now and then is written to the row when it does,
    so that series that take turns cost little more.
    """
    min_instances, delta, threshold, alpha = int(params[0]), params[1], params[2], params[3]
    look_up, look_down = params[4] != 1, params[4] != 0
    given_mean, given_sd = params[5], params[6]
    fixed = not math.isnan(given_sd)
    bounded, raw = params[7] == 0, params[7] == 2
    clip = _CLIP if bounded else math.inf
    mean, sd, remaining, total, spread, rising, falling, drifted = 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0.0, 0
    row = -1
    for i in range(x.size):
        if series[i] != row:
            if row >= 0:
                s = state[row]
                s["left"], s["total"], s["spread"] = remaining, total, spread
                s["rising"], s["falling"] = rising, falling
            row = series[i]
            s = state[row]
            mean, sd, remaining, total, spread = s["mean"], s["sd"], s["left"], s["total"], s["spread"]
            rising, falling, drifted = s["rising"], s["falling"], s["drifted"]
        score[i], flag[i] = 0.0, OK
        if not abs(x[i]) <= MAX_ABS:
            state[row]["skipped"] += 1
            continue
        if drifted == 1:
            forget(state[row])
            mean, sd, remaining, total, spread, rising, falling, drifted = 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0.0, 0
        if raw:
            mean, sd = run(state[row], min_instances, x[i])
            rising, falling, up, down = step(state[row], rising, falling, delta, alpha, x[i] - mean)
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
            rising = max(0.0, alpha * rising + min(deviation, clip) - delta)
            falling = min(0.0, alpha * falling + max(deviation, -clip) + delta)
            up, down = rising, -falling
        up = up if look_up else 0.0
        down = down if look_down else 0.0
        score[i] = up if up >= down else -down
        if max(up, down) > threshold and (sd > 0.0 or fixed):
            flag[i] = DRIFT
            state[row]["drifted"] = drifted = 1
    if row >= 0:
        s = state[row]
        s["left"], s["total"], s["spread"] = remaining, total, spread
        s["rising"], s["falling"] = rising, falling


def _min_samples(values: Mapping[str, Any]) -> int:
    if values["sd"] is not None:
        return 1
    return int(values["min_instances"]) + int(values["scores"] != "raw")


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((state["sd"] > 0.0) | (not math.isnan(params[6])), dtype=np.bool_)


PAGE_HINKLEY = Detector(
    name="page_hinkley",
    summary="A lasting change of the mean, against the mean so far: soon ready, with nothing to set.",
    use_when="If no baseline is known and there is no time to learn one: it judges after 30 observations and goes "
    "on learning. Take `cusum` if mean and sd are known, or if changes are slow.",
    false_alarms="At most 0.07 alarms in 100,000 (95 %: 0.03 to 0.14) were measured on Gaussian, uniform, "
    "exponential, Student-t(3) and Bernoulli(0.2) streams, with any warm-up from 30 on. With mean and sd given the "
    "average run between false alarms is 100,000 independent values or more, whatever their distribution. With raw "
    "scores and river's defaults it depends on the spread of the values: several in 20,000 of sd 1, none of sd 0.01.",
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 200 and 100 trials", "ddm"
        ),
        Unsuited(
            "neighbours",
            "24 alarms in 100,000 where half of each deviation is carried on, 980 where nine tenths are",
            "cusum",
        ),
    ),
    statistic="Height of the cumulative deviation above its lowest point (or, below zero, its depth under the "
    "highest), in sd (in units of x if raw); compared with `threshold`.",
    reference="E. S. Page, Continuous inspection schemes, Biometrika 41 (1954), pp. 100-115; D. V. Hinkley, Inference "
    "about the change-point from cumulative sum tests, Biometrika 58 (1971), pp. 509-523; D. M. Hawkins, Self-starting "
    "CUSUM charts for location and scale, The Statistician 36 (1987), pp. 299-316.",
    parameters=(
        Parameter("min_instances", "int", 30, 1, 1e9, "observations", "How many to see before judging."),
        Parameter("delta", "float", 0.4, 0.0, 1e12, "sd", "The deviation that is tolerated."),
        Parameter("threshold", "float", 19.5, 1e-12, 1e15, "sd", "The height that is an alarm."),
        Parameter(
            "alpha", "float", 1.0, 0.5, 1.0, "", "What is kept of the sum, or its height, at each step; 1 keeps all."
        ),
        Parameter("mode", "choice", "both", 0, 0, "", "Which changes of the mean to look for.", _MODES),
        Parameter("mean", "float", None, -MAX_ABS, MAX_ABS, "units of x", "The mean in control, if known."),
        Parameter("sd", "float", None, 1e-100, MAX_ABS, "units of x", "The standard deviation in control, if known."),
        Parameter(
            "scores",
            "choice",
            "clipped",
            0,
            0,
            "",
            "Deviations in sd of which none counts for more than 2, nor for more than 6 in what is learned; all of "
            "them; or in units of x, as river has them.",
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
        ("rising", "<f8"),
        ("falling", "<f8"),
        ("lowest", "<f8"),
        ("highest", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    check=partial(check_baseline, "page_hinkley"),
    memory_width=partial(room, "min_instances"),
    layout=3,
)
