"""CUSUM: the standardised deviations from a baseline, summed up, less an allowance at each step.

With `scores: clipped` no observation counts for more than 2 sd towards an alarm, which bounds false alarms for values
of any distribution. Of all scores z of mean 0 and variance 1 that are at most c, those that are either c or -1/c have
the largest mean of exp(t z), for each t (Bennett 1962). For c = 2 and k = 0.4 that mean is exp(k t) at t = 0.6261. So
exp(t S), S being a sum of scores less k, does not grow on average, and the average run until a sum that starts anywhere
passes h is at least exp(t h), half of that for both directions (Lorden 1971).

What is learned is bounded too: in the warm-up no value counts for more than 6 sd of those before it (of the first 32,
for 6 times the deviation from their median that three quarters of them do not exceed). So one wild value, a sentinel
such as -999999, does not leave the chart deaf. A feature that is constant but for one value has no scale yet, and the
warm-up goes on.

Values that follow one another would alarm again and again, so what neighbours have in common is learned too: their
correlation, `phi`, and if it is beyond two standard errors, each deviation is judged less `phi` times the one before,
in units of the sd that this has (`neighbours: independent` leaves that out). Of such values a change of the mean is
found later, as it moves what is judged by `1 - phi` times as much; if mean and sd are given, nothing is learned. A
level that wanders slowly under noise, or a season, is more than neighbours have in common, and still alarms.

With `scores: plain` every value counts as it is, in the warm-up too, and it is the textbook's chart. With `scores: raw`
it is that of MOA (`CusumDM`, the oracle of the tests): the deviations are those from the running mean, in units of x,
and `warm_up` is only how long nothing is said. MOA's defaults are `k` 0.005, `h` 50 and `warm_up` 28 (30 in its
counting), and it looks only for `up`.
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

__all__ = ["CUSUM"]

_DIRECTIONS = ("up", "down", "both")
_SCORES = ("clipped", "plain", "raw")
_CLIP = 2.0  # sd


@kernel
def forget(s: Any) -> None:
    """Start again from nothing."""
    s["n"], s["mean"], s["squares"], s["sd"], s["drifted"] = 0, 0.0, 0.0, 0.0, 0
    s["products"], s["phi"] = 0.0, 0.0


@kernel
def learn(s: Any, held: FloatArray, warm_up: float, whitened: bool, x: float) -> tuple[float, float, float]:
    """Absorb `x` into the baseline: return mean, sd, and the correlation of neighbours; as long as there is none, sd 0.

    Nothing is `held` where every value counts as it is.
    """
    s["n"] += 1
    if held.size > 0 and s["squares"] == 0.0:
        s["mean"], s["squares"] = hold(held, s["n"], s["mean"], x)
    else:
        s["products"] += product(s["n"], s["mean"], s["squares"], held.size > 0, s["previous"], x)
        s["mean"], s["squares"] = absorb(s["n"], s["mean"], s["squares"], held.size > 0, x)
    s["previous"] = x
    if s["n"] >= warm_up:
        s["sd"] = math.sqrt(s["squares"] / (s["n"] - 1))
        s["phi"] = correlation(s["n"], s["n"] - 1 - held.size, s["products"], s["squares"]) if whitened else 0.0
    return s["mean"], s["sd"], s["phi"]


@kernel
def run(s: Any, warm_up: float, x: float) -> tuple[float, float]:
    """Absorb `x` into the running mean: return it and 1, or 0 during the warm-up."""
    s["n"] += 1
    s["mean"] += (x - s["mean"]) / s["n"]
    s["sd"] = 1.0 if s["n"] > warm_up else 0.0
    return s["mean"], s["sd"]


@kernel
def step(high: float, low: float, k: float, clip: float, z: float) -> tuple[float, float]:
    """Absorb the deviation `z`: return the upper and the lower sum, both at least 0."""
    return max(0.0, high + min(z, clip) - k), max(0.0, low - max(z, -clip) - k)


@kernel
def update(  # noqa: PLR0912 -- three baselines in one loop, which is what makes it fast
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
    k, h, warm_up, warning = params[0], params[1], params[3], params[6] * params[1]
    look_up, look_down = params[2] != 1, params[2] != 0
    given_mean, given_sd = params[4], params[5]
    fixed = not math.isnan(given_sd)
    clip, raw = _CLIP if params[7] == 0 else math.inf, params[7] == 2
    whitened = params[8] == 0
    mean, sd, phi, previous, high, low, drifted = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0
    row = -1
    for i in range(x.size):
        if series[i] != row:
            if row >= 0:
                state[row]["high"], state[row]["low"], state[row]["previous"] = high, low, previous
            row = series[i]
            s = state[row]
            mean, sd, high, low, drifted = s["mean"], s["sd"], s["high"], s["low"], s["drifted"]
            phi, previous = s["phi"], s["previous"]
        score[i] = 0.0
        flag[i] = OK
        if not abs(x[i]) <= MAX_ABS:
            state[row]["skipped"] += 1
            continue
        if drifted == 1:
            forget(state[row])
            mean, sd, phi, high, low, drifted = 0.0, 0.0, 0.0, 0.0, 0.0, 0
        if fixed:
            mean, sd = given_mean, given_sd
        if raw:
            mean, sd = run(state[row], warm_up, x[i])
            high, low = step(high, low, k, clip, x[i] - mean)
        elif sd > 0.0:
            z = (x[i] - mean) / sd
            if phi > 0.0:
                z = whiten(phi, z, (previous - mean) / sd)
                previous = x[i]
            high, low = step(high, low, k, clip, z)
        else:
            mean, sd, phi = learn(state[row], memory[row], warm_up, whitened, x[i])
            previous = x[i]
            continue
        up = high if look_up else 0.0
        down = low if look_down else 0.0
        score[i] = up if up >= down else -down
        if sd > 0.0 and max(up, down) > warning:
            flag[i] = WARNING
            if max(up, down) > h:
                flag[i] = DRIFT
                state[row]["drifted"] = drifted = 1
    if row >= 0:
        state[row]["high"], state[row]["low"], state[row]["previous"] = high, low, previous


def _min_samples(values: Mapping[str, Any]) -> int:
    return 1 if values["sd"] is not None else int(values["warm_up"]) + 1


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((state["sd"] > 0.0) | (not math.isnan(params[5])), dtype=np.bool_)


CUSUM = Detector(
    name="cusum",
    summary="A lasting change of the mean by about 2k standard deviations, found as early as can be for a stated "
    "average run length between false alarms.",
    use_when="If mean and sd in control are known, or a thousand observations can be spared to learn them: a change "
    "by 1 sd is found within 40 observations, and slow changes are found too, as the baseline stays where it is. If "
    "values follow one another, take it or `ewma`: what neighbours have in common they learn, the others do not. Of "
    "0/1 values with few ones it sees only that they become about a quarter of all: take a detector of errors for "
    "those.",
    false_alarms="With mean and sd known, the average run between false alarms is 100,000 independent values or more, "
    "whatever their distribution. With a baseline learned from 1,000 values at most 0.04 alarms in 100,000 (95 %: "
    "0.01 to 0.10) were measured on Gaussian, uniform, exponential, Student-t(3) and Bernoulli(0.2) streams, with one "
    "learned from 30 at most 0.8; none on sparse, log-normal, Pareto, Cauchy and AR(0.5) ones, 0.03 on AR(0.9) ones "
    "and 0.14 on GARCH(1,1) ones. The textbook's chart has 70,104 for normal values, k = 0.5 and h = 10, 9,481 for h "
    "= 8, 465 for h = 5.",
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 200 and 100 trials", "ddm"
        ),
    ),
    statistic="The larger of the two sums, in sd (in units of x if raw); below zero when it is the lower one; compared "
    "with `h`.",
    reference="E. S. Page, Continuous inspection schemes, Biometrika 41 (1954), pp. 100-115; D. C. Montgomery, "
    "Introduction to Statistical Quality Control, 9.1 (eq. 9.2 and 9.3); G. Bennett, Probability inequalities for the "
    "sum of independent random variables, JASA 57 (1962), pp. 33-45; G. Lorden, Procedures for reacting to a change in "
    "distribution, Annals of Mathematical Statistics 42 (1971), pp. 1897-1908; values that follow one another: L. C. "
    "Alwan, H. V. Roberts, Time-series modeling for statistical process control, Journal of Business and Economic "
    "Statistics 6 (1988), pp. 87-95.",
    parameters=(
        Parameter("k", "float", 0.4, 0.0, 1e12, "sd", "What is allowed each step: half the change to be found."),
        Parameter("h", "float", 19.5, 1e-3, 1e15, "sd", "The sum that is an alarm."),
        Parameter("direction", "choice", "both", 0, 0, "", "Which changes of the mean to look for.", _DIRECTIONS),
        Parameter("warm_up", "int", 1000, 2, 1e9, "observations", "How many to learn mean and sd from."),
        Parameter("mean", "float", None, -MAX_ABS, MAX_ABS, "units of x", "The mean in control, if known."),
        Parameter("sd", "float", None, 1e-100, MAX_ABS, "units of x", "The standard deviation in control, if known."),
        Parameter("warning", "float", 1.0, 1e-3, 1.0, "share of h", "The sum that is a warning; 1 gives none."),
        Parameter(
            "scores",
            "choice",
            "clipped",
            0,
            0,
            "",
            "Deviations in sd of which none counts for more than 2, nor for more than 6 in what is learned; all of "
            "them; or in units of x, as MOA has them.",
            _SCORES,
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
        ("high", "<f8"),
        ("low", "<f8"),
        ("previous", "<f8"),
        ("products", "<f8"),
        ("phi", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    check=partial(check_baseline, "cusum"),
    memory_width=partial(room, "warm_up"),
    layout=3,
)
