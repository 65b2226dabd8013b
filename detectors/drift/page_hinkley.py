"""Page–Hinkley: how far the cumulative deviation from the running mean has climbed above its lowest point.

Deviations are in sd. Mean and sd are those of all observations since the last alarm, brought up to date whenever these
have grown by an eighth. So an error of the first estimate does not last, and a short warm-up costs few false alarms
(the idea of Hawkins 1987), while a change that comes slowly is partly taken for the mean. The height of the sum is kept
rather than the sum. With mean and sd given it is a CUSUM; as there, with `scores: clipped` no observation counts for
more than 2 sd towards an alarm, whatever the distribution.

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

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter
from detectors.drift.baseline import check_baseline
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["PAGE_HINKLEY"]

_MODES = ("up", "down", "both")
_SCORES = ("clipped", "plain", "raw")
_CLIP = 2.0  # sd


@inlined
def learn(
    n: int,
    mean: float,
    sd: float,
    left: int,
    total: float,
    spread: float,
    least: int,
    x: float,
) -> tuple[int, float, float, int, float, float]:
    """Absorb `x` into the baseline: return the first six arguments, brought up to date.

    The baseline is of `n` observations. Of those since, the sum of their deviations from its mean is `total`, that of
    the squares of these `spread`. When none is `left` to wait for they are merged into it (Chan, Golub and LeVeque
    1983): `least` at first, then an eighth of what there is, or one as long as all are equal.
    """
    if left == 0:
        mean, left = x, least  # what deviations are from until there is a mean
    total += x - mean
    spread += (x - mean) * (x - mean)
    left -= 1
    if left == 0:
        new = least if n == 0 else 1 if sd == 0.0 else (n + 7) // 8
        count, gap = n + new, total / new
        share = new / count
        squares = sd * sd * (n - 1) + max(0.0, spread - total * gap) + gap * gap * n * share
        n, mean, total, spread = count, mean + gap * share, 0.0, 0.0
        sd = math.sqrt(squares / (n - 1)) if n > 1 else 0.0
        left = 1 if sd == 0.0 else (n + 7) // 8
    return n, mean, sd, left, total, spread


@kernel
def step(
    rising: float,
    falling: float,
    lowest: float,
    highest: float,
    delta: float,
    alpha: float,
    deviation: float,
) -> tuple[float, float, float, float]:
    """Absorb `deviation`: return the first four arguments, brought up to date."""
    rising = alpha * rising + deviation - delta
    falling = alpha * falling + deviation + delta
    return rising, falling, min(lowest, rising), max(highest, falling)


@kernel
def update(  # noqa: PLR0912, PLR0915 -- the fields of a row are read and written one by one
    state: Any,
    memory: FloatArray,
    params: FloatArray,
    series: NDArray[np.int64],
    x: FloatArray,
    score: FloatArray,
    flag: NDArray[np.uint8],
) -> None:
    """Run the detector over a batch; see :mod:`detectors.contract`.

    A stretch of one series is worked through in local variables: at 5 ns an observation, going through memory at
    each step would nearly double the time. Of series that take turns all fields are read and written each time.
    """
    min_instances, delta, threshold, alpha = int(params[0]), params[1], params[2], params[3]
    look_up, look_down = params[4] != 1, params[4] != 0
    given_mean, given_sd = params[5], params[6]
    given = not math.isnan(given_sd)
    clip, raw = _CLIP if params[7] == 0 else math.inf, params[7] == 2
    n, mean, sd = 0, 0.0, 0.0
    left, total, spread = 0, 0.0, 0.0
    rising, falling, lowest, highest = 0.0, 0.0, 0.0, 0.0
    drifted = 0
    row = -1
    for i in range(x.size):
        if series[i] != row:
            if row >= 0:
                s = state[row]
                s["n"], s["mean"], s["sd"] = n, mean, sd
                s["left"], s["total"], s["spread"] = left, total, spread
                s["rising"], s["falling"], s["lowest"], s["highest"] = rising, falling, lowest, highest
                s["drifted"] = drifted
            row = series[i]
            s = state[row]
            n, mean, sd = s["n"], s["mean"], s["sd"]
            left, total, spread = s["left"], s["total"], s["spread"]
            rising, falling, lowest, highest = s["rising"], s["falling"], s["lowest"], s["highest"]
            drifted = s["drifted"]
        score[i], flag[i] = 0.0, OK
        if not abs(x[i]) <= MAX_ABS:
            state[row]["skipped"] += 1
            continue
        if drifted == 1:
            n, mean, sd, left, total, spread = 0, 0.0, 0.0, 0, 0.0, 0.0
            rising, falling, lowest, highest, drifted = 0.0, 0.0, 0.0, 0.0, 0
        if raw:
            n += 1
            mean += (1.0 / n) * (x[i] - mean)
            deviation = x[i] - mean
            sd = 1.0 if n >= min_instances else 0.0
            if n == 1:
                lowest, highest = math.inf, -math.inf
        elif given:
            deviation, sd = (x[i] - given_mean) / given_sd, given_sd
        else:
            before, baseline_sd = mean, sd
            n, mean, sd, left, total, spread = learn(n, mean, sd, left, total, spread, min_instances, x[i])
            if baseline_sd == 0.0:
                continue
            deviation = (x[i] - before) / baseline_sd
        if raw:
            rising, falling, lowest, highest = step(rising, falling, lowest, highest, delta, alpha, deviation)
        else:
            rising = max(0.0, alpha * rising + min(deviation, clip) - delta)
            falling = min(0.0, alpha * falling + max(deviation, -clip) + delta)
        up = rising - lowest if look_up else 0.0
        down = highest - falling if look_down else 0.0
        score[i] = up if up >= down else -down
        if sd > 0.0 and max(up, down) > threshold:
            drifted, flag[i] = 1, DRIFT
    if row >= 0:
        s = state[row]
        s["n"], s["mean"], s["sd"] = n, mean, sd
        s["left"], s["total"], s["spread"] = left, total, spread
        s["rising"], s["falling"], s["lowest"], s["highest"] = rising, falling, lowest, highest
        s["drifted"] = drifted


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
            "Deviations in sd of which none counts for more than 2; all of them; or in units of x, as river has them.",
            _SCORES,
        ),
    ),
    fields=[
        ("n", "<i8"),
        ("mean", "<f8"),
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
    layout=2,
)
