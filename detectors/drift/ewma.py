"""EWMA: the exponentially weighted average of standardised deviations from a baseline, in units of its own sd.

After t deviations of variance 1 the average, y = (1 - w) y + w z, has the variance w / (2 - w) (1 - (1 - w)**(2 t)):
with `limits: exact` it is judged by that from the first on, with `limits: steady` by w / (2 - w) always, as the tables
of run lengths have it. With `scores: clipped` no deviation counts for more than 3 sd: an average of many bounded
numbers is nearly normal whatever their distribution, so that one limit suits all. In the warm-up no value then counts
for more than 6 sd of those before it, so that a wild one does not leave the chart deaf: see `cusum`. With `scores:
plain` every value counts as it is, and it is the textbook's chart. What neighbours have in common is learned with the
baseline, and taken out of each deviation, as in `cusum`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, WARNING, Detector, FloatArray, Parameter, Unsuited
from detectors.drift.baseline import check_baseline
from detectors.drift.neighbours import NEIGHBOURS, correlation, product, whiten
from detectors.drift.scale import absorb, hold, room
from detectors.kernel import MAX_ABS, kernel

__all__ = ["EWMA"]

_DIRECTIONS = ("up", "down", "both")
_SCORES = ("clipped", "plain")
_LIMITS = ("exact", "steady")
_CLIP = 3.0  # sd


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

    Observations of one series in a row are worked through in local variables (see Page–Hinkley). The variance of the
    average is as good as steady after some 20 / weight observations; from then on no root is taken.
    """
    weight, limit, warm_up, warning = params[0], params[1], params[3], params[6] * params[1]
    look_up, look_down = params[2] != 1, params[2] != 0
    given_mean, given_sd = params[4], params[5]
    fixed = not math.isnan(given_sd)
    bounded, steady, whitened = params[7] == 0, params[8] == 1, params[9] == 0
    clip = _CLIP if bounded else math.inf
    n, mean, squares, sd = 0, 0.0, 0.0, 0.0
    average, variance, scale = 0.0, 0.0, 0.0
    previous, products, phi = 0.0, 0.0, 0.0
    drifted = 0
    row = -1
    for i in range(x.size):
        if series[i] != row:
            if row >= 0:
                s = state[row]
                s["n"], s["mean"], s["squares"], s["sd"] = n, mean, squares, sd
                s["average"], s["variance"], s["scale"] = average, variance, scale
                s["previous"], s["products"], s["phi"] = previous, products, phi
                s["drifted"] = drifted
            row = series[i]
            s = state[row]
            n, mean, squares, sd = s["n"], s["mean"], s["squares"], s["sd"]
            average, variance, scale = s["average"], s["variance"], s["scale"]
            previous, products, phi = s["previous"], s["products"], s["phi"]
            drifted = s["drifted"]
        score[i] = 0.0
        flag[i] = OK
        if not abs(x[i]) <= MAX_ABS:
            state[row]["skipped"] += 1
            continue
        if drifted == 1:
            n, mean, squares, sd, average, variance, scale, drifted = 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0
            previous, products, phi = 0.0, 0.0, 0.0
        if fixed:
            mean, sd = given_mean, given_sd
        if sd > 0.0:
            z = (x[i] - mean) / sd
            if phi > 0.0:
                z = whiten(phi, z, (previous - mean) / sd)
                previous = x[i]
            average = (1.0 - weight) * average + weight * max(-clip, min(clip, z))
            grown = weight / (2.0 - weight) if steady else (1.0 - weight) ** 2 * variance + weight * weight
            if grown != variance:
                variance = grown
                scale = 1.0 / math.sqrt(grown)
            score[i] = average * scale
            beyond = max(score[i] if look_up else 0.0, -score[i] if look_down else 0.0)
            if beyond > warning:
                flag[i] = WARNING
                if beyond > limit:
                    drifted, flag[i] = 1, DRIFT
        else:
            n += 1
            if bounded and squares == 0.0:
                mean, squares = hold(memory[row], n, mean, x[i])
            else:
                products += product(n, mean, squares, bounded, previous, x[i])
                mean, squares = absorb(n, mean, squares, bounded, x[i])
            previous = x[i]
            if n >= warm_up:
                sd = math.sqrt(squares / (n - 1))
                phi = correlation(n, n - 1 - memory.shape[1], products, squares) if whitened else 0.0
    if row >= 0:
        s = state[row]
        s["n"], s["mean"], s["squares"], s["sd"] = n, mean, squares, sd
        s["average"], s["variance"], s["scale"] = average, variance, scale
        s["previous"], s["products"], s["phi"] = previous, products, phi
        s["drifted"] = drifted


def _min_samples(values: Mapping[str, Any]) -> int:
    return 1 if values["sd"] is not None else int(values["warm_up"]) + 1


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((state["sd"] > 0.0) | (not math.isnan(params[5])), dtype=np.bool_)


EWMA = Detector(
    name="ewma",
    summary="A lasting change of the mean, small or middling, from a weighted average that is easy to look at.",
    use_when="As `cusum`, with a score that can be plotted and understood: how far the recent average is from the "
    "baseline. It finds changes of 0.5 sd sooner, and its limit suits scores of any distribution nearly, not surely.",
    false_alarms="With a baseline learned from 1,000 values at most 0.19 alarms in 100,000 (95 %: 0.11 to 0.30) were "
    "measured on Gaussian, uniform, exponential, Student-t(3) and Bernoulli(0.2) streams, with one learned from 30 at "
    "most 1.3; at most 0.14 (0.08 to 0.23) on sparse, log-normal, Pareto, Cauchy, AR(0.5) and AR(0.9) ones.",
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 200 and 100 trials", "ddm"
        ),
        Unsuited("bursts", "1.4 alarms in 100,000 GARCH(1,1) values (95 %: 1.2 to 1.7)", "cusum"),
    ),
    statistic="The weighted average in units of its own sd, compared with `limit`.",
    reference="S. W. Roberts, Control chart tests based on geometric moving averages, Technometrics 1 (1959), pp. "
    "239-250; J. M. Lucas, M. S. Saccucci, Exponentially weighted moving average control schemes: properties and "
    "enhancements, Technometrics 32 (1990), pp. 1-12; D. C. Montgomery, Introduction to Statistical Quality Control, "
    "9.2 (eq. 9.25 and 9.26); values that follow one another as in `cusum`.",
    parameters=(
        Parameter(
            "weight", "float", 0.03, 1e-6, 1.0, "", "Of the newest deviation in the average; lambda in the books."
        ),
        Parameter("limit", "float", 5.0, 1e-3, 1e15, "sd of the average", "What is an alarm; L in the books."),
        Parameter("direction", "choice", "both", 0, 0, "", "Which changes of the mean to look for.", _DIRECTIONS),
        Parameter("warm_up", "int", 1000, 2, 1e9, "observations", "How many to learn mean and sd from."),
        Parameter("mean", "float", None, -MAX_ABS, MAX_ABS, "units of x", "The mean in control, if known."),
        Parameter("sd", "float", None, 1e-100, MAX_ABS, "units of x", "The standard deviation in control, if known."),
        Parameter("warning", "float", 1.0, 1e-3, 1.0, "share of limit", "What is a warning; 1 gives none."),
        Parameter(
            "scores",
            "choice",
            "clipped",
            0,
            0,
            "",
            "Deviations of which none counts for more than 3 sd, nor for more than 6 in the warm-up; or as they are.",
            _SCORES,
        ),
        Parameter(
            "limits",
            "choice",
            "exact",
            0,
            0,
            "",
            "By the sd that the average has so soon after its start, or that it will have in the long run.",
            _LIMITS,
        ),
        Parameter(
            "neighbours",
            "choice",
            "learned",
            0,
            0,
            "",
            "What values that follow one another have in common is learned with the baseline, or there is nothing.",
            NEIGHBOURS,
        ),
    ),
    fields=[
        ("n", "<i8"),
        ("mean", "<f8"),
        ("squares", "<f8"),
        ("sd", "<f8"),
        ("average", "<f8"),
        ("variance", "<f8"),
        ("scale", "<f8"),
        ("previous", "<f8"),
        ("products", "<f8"),
        ("phi", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    check=partial(check_baseline, "ewma"),
    memory_width=partial(room, "warm_up"),
    layout=2,
)
