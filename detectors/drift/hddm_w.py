"""HDDM-W: an exponentially weighted mean, against the lowest and the highest that it can be said to have been.

The weighted mean since the start is followed until it, plus a bound, is lowest: the cut point for changes upwards.
From there on a second weighted mean is built up, and the two are compared by McDiarmid's inequality: with ``v`` the
sums of the squared weights, there is a drift when the second is higher by more than ``sqrt((v_1 + v_2) log(1 / delta)
/ 2)``, and a warning when ``warning_delta`` in place of ``delta`` makes it so. Changes downwards are the same the
other way round.

The bound holds for one comparison; one is made at each observation. The paper has ``delta=0.001, warning_delta=0.005,
weight=0.05``. river counts the first observation's squared weight as if one of weight 1 had come before, which makes
it fire earlier; ``weights="river"`` does so too. MOA's is the paper's, and says nothing of changes downwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, WARNING, Detector, FloatArray, Parameter, Unsuited
from detectors.kernel import kernel

__all__ = ["HDDM_W"]

_DIRECTIONS = ("up", "down", "both")
_NOTHING = 1e-290  # less is set to 0: arithmetic of the smallest numbers takes several times as long
_WEIGHTS = ("paper", "river")


@kernel
def weighted(mean: float, squares: float, x: float, weight: float, first: float) -> tuple[float, float]:
    """Absorb `x` into a weighted mean and the sum of its squared weights, which is 0 of nothing."""
    if squares == 0.0:
        return x, first
    if mean + x < _NOTHING:
        mean = 0.0
    return weight * x + (1.0 - weight) * mean, weight * weight + (1.0 - weight) * (1.0 - weight) * squares


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

    Squares are compared, so that there is one root and no division; what bounds the time is to read and write state.
    """
    weight, drift = params[2], 0.5 * math.log(1.0 / params[0])
    warning = min(0.5 * math.log(1.0 / params[1]), drift)
    look_up, look_down = params[3] != 1, params[3] != 0
    first = weight * weight + (1.0 - weight) * (1.0 - weight) if params[4] == 1 else 1.0
    for i in range(x.size):
        s = state[series[i]]
        score[i] = 0.0
        flag[i] = OK
        if not (x[i] >= 0.0 and x[i] <= 1.0):
            s["skipped"] += 1
            continue
        if s["drifted"] == 1:
            s["drifted"], s["n"], s["mean"], s["squares"] = 0, 0, 0.0, 0.0
        n = s["n"] + 1
        mean, squares = weighted(s["mean"], s["squares"], x[i], weight, first)
        bound = math.sqrt(drift * squares)
        s["n"], s["mean"], s["squares"] = n, mean, squares
        up, up_spread, down, down_spread = 0.0, 1.0, 0.0, 1.0
        if look_up:
            if n == 1 or mean + bound < s["low"]:
                s["low"], s["low_mean"], s["low_squares"], s["rising_squares"] = mean + bound, mean, squares, 0.0
            else:
                newer, newer_squares = weighted(s["rising_mean"], s["rising_squares"], x[i], weight, first)
                s["rising_mean"], s["rising_squares"] = newer, newer_squares
                up, up_spread = max(newer - s["low_mean"], 0.0), s["low_squares"] + newer_squares
        if look_down:
            if n == 1 or mean - bound > s["high"]:
                s["high"], s["high_mean"], s["high_squares"], s["falling_squares"] = mean - bound, mean, squares, 0.0
            else:
                newer, newer_squares = weighted(s["falling_mean"], s["falling_squares"], x[i], weight, first)
                s["falling_mean"], s["falling_squares"] = newer, newer_squares
                down, down_spread = max(s["high_mean"] - newer, 0.0), s["high_squares"] + newer_squares
        # The stronger evidence of the two speaks: that of which the square is more of its bound's.
        rises = up * up * down_spread >= down * down * up_spread
        score[i] = up if rises else -down
        square = score[i] * score[i]
        spread = up_spread if rises else down_spread
        if square > warning * spread:
            flag[i] = DRIFT if square > drift * spread else WARNING
            s["drifted"] = 1 if square > drift * spread else 0


def _min_samples(values: Mapping[str, Any]) -> int:
    return 2


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= 2, dtype=np.bool_)


HDDM_W = Detector(
    name="hddm_w",
    summary="A recent mean of losses or errors that is not what it was, whatever their distribution between 0 and 1.",
    use_when="For large changes of losses or errors, to be found at the same speed after any time: from 0.2 to 0.5 "
    "takes 80 observations. Small ones may pass, and those of values that vary little: its bound is that of values "
    "that are 0 or 1.",
    false_alarms="With the defaults, 0.3 in 100,000 observations were measured at a rate of errors of 0.2 (95 %: 0.2 "
    "to 0.5) and none in 10 million uniform or Gaussian ones, but 7 at a rate of 0.5: take a `delta` of 1e-6 there. "
    "With the paper's `delta` of 0.001 and `weight` of 0.05, about 9 at 0.2 in one direction.",
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 200 and 100 trials", "ddm"
        ),
    ),
    domain="unit",
    statistic="How far the weighted mean since the cut point is above that up to it; below zero, how far it is below "
    "it. What it may be depends on how many observations there are on either side.",
    reference="I. Frías-Blanco, J. del Campo-Ávila, G. Ramos-Jiménez, R. Morales-Bueno, A. Ortiz-Díaz, Y. "
    "Caballero-Mota, Online and non-parametric drift detection methods based on Hoeffding's bounds, IEEE "
    "Transactions on Knowledge and Data Engineering 27 (2015), pp. 810-823.",
    parameters=(
        Parameter("delta", "float", 5e-5, 1e-300, 1.0, "probability", "Of a drift at one comparison, at most."),
        Parameter(
            "warning_delta", "float", 1e-3, 1e-300, 1.0, "probability", "Of a warning at one comparison, at most."
        ),
        Parameter("weight", "float", 0.01, 1e-9, 1.0, "share", "Of the newest observation in a mean."),
        Parameter("direction", "choice", "both", 0, 0, "", "Which changes of the mean to look for.", _DIRECTIONS),
        Parameter("weights", "choice", "paper", 0, 0, "", "How squared weights are summed.", _WEIGHTS),
    ),
    fields=[
        ("n", "<i8"),
        ("mean", "<f8"),
        ("squares", "<f8"),
        ("low", "<f8"),
        ("low_mean", "<f8"),
        ("low_squares", "<f8"),
        ("rising_mean", "<f8"),
        ("rising_squares", "<f8"),
        ("high", "<f8"),
        ("high_mean", "<f8"),
        ("high_squares", "<f8"),
        ("falling_mean", "<f8"),
        ("falling_squares", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
)
