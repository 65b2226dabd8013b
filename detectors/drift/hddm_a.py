"""HDDM-A: the mean of all observations, against the lowest and the highest that it can be said to have been.

The mean since the start is compared with that up to an earlier point, by Hoeffding's inequality. For changes upwards
this cut point is where mean plus bound, ``sqrt(log(1 / delta) / (2 n))``, was lowest. After ``m`` more observations
there is a drift when the mean has risen by at least ``sqrt((1/n - 1/(n + m)) log(2 / delta) / 2)``, and a warning when
``warning_delta`` in place of ``delta`` makes it so. Changes downwards are the same the other way round.

The bound holds for one comparison; one is made at each observation. The paper has ``delta=0.001,
warning_delta=0.005``. It and river look only for changes upwards if not told otherwise; MOA, told to look both ways,
starts anew after a change downwards without saying so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, WARNING, Detector, FloatArray, Parameter, Unsuited
from detectors.kernel import kernel

__all__ = ["HDDM_A"]

_DIRECTIONS = ("up", "down", "both")


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

    Squares are compared, so that one root and one division an observation are what bounds the time.
    """
    cut_bound = math.sqrt(0.5 * math.log(1.0 / params[0]))
    drift = 0.5 * math.log(2.0 / params[0])
    warning = min(0.5 * math.log(2.0 / params[1]), drift)
    look_up, look_down = params[2] != 1, params[2] != 0
    for i in range(x.size):
        s = state[series[i]]
        score[i] = 0.0
        flag[i] = OK
        if not (x[i] >= 0.0 and x[i] <= 1.0):
            s["skipped"] += 1
            continue
        if s["drifted"] == 1:
            s["drifted"], s["n"], s["mean"] = 0, 0, 0.0
        n = s["n"] + 1
        per_n = 1.0 / n
        mean = s["mean"] + (x[i] - s["mean"]) * per_n
        bound = cut_bound * math.sqrt(per_n)
        s["n"], s["mean"] = n, mean
        if n == 1:
            s["low"], s["high"] = math.inf, -math.inf
        # No branches: which series is at its lowest or highest cannot be guessed.
        low, low_mean, low_per_n = s["low"], s["low_mean"], s["low_per_n"]
        lower = mean + bound <= low
        low_mean = mean if lower else low_mean
        low_per_n = per_n if lower else low_per_n
        s["low"], s["low_mean"], s["low_per_n"] = min(mean + bound, low), low_mean, low_per_n
        high, high_mean, high_per_n = s["high"], s["high_mean"], s["high_per_n"]
        higher = mean - bound >= high
        high_mean = mean if higher else high_mean
        high_per_n = per_n if higher else high_per_n
        s["high"], s["high_mean"], s["high_per_n"] = max(mean - bound, high), high_mean, high_per_n
        up = max(mean - low_mean, 0.0) if look_up else 0.0
        down = max(high_mean - mean, 0.0) if look_down else 0.0
        up_spread, down_spread = low_per_n - per_n, high_per_n - per_n
        # The stronger evidence of the two speaks: that of which the square is more of its bound's.
        rises = (down == 0.0) | (up * up * down_spread > down * down * up_spread)
        gap = up if rises else down
        spread = up_spread if rises else down_spread
        score[i] = up if rises else -down
        if gap * gap >= warning * spread and spread > 0.0:
            flag[i] = DRIFT if gap * gap >= drift * spread else WARNING
            s["drifted"] = 1 if gap * gap >= drift * spread else 0


def _min_samples(values: Mapping[str, Any]) -> int:
    return 2


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= 2, dtype=np.bool_)


HDDM_A = Detector(
    name="hddm_a",
    summary="A mean of losses or errors that is not what it was, whatever their distribution between 0 and 1.",
    use_when="For losses, and for errors if small changes must not be missed: it sees all from 0.2 to 0.3, after 600 "
    "observations, and from 0.2 to 0.5 after 80. After a long time without change, or for values that vary little, "
    "`hddm_w` or `page_hinkley` are faster.",
    false_alarms="With the defaults, 0.03 in 100,000 observations were measured at a rate of errors of 0.2 (95 %: "
    "0.01 to 0.1) and 0.2 at 0.5, and none in 10 million uniform or Gaussian ones. With the paper's `delta` of "
    "0.001, 0.4 at 0.2 and 2 at 0.5.",
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 200 and 100 trials", "ddm"
        ),
    ),
    domain="unit",
    statistic="How far the mean is above that up to the cut point; below zero, how far it is below it. What it may "
    "be depends on where the cut point is.",
    reference="I. Frías-Blanco, J. del Campo-Ávila, G. Ramos-Jiménez, R. Morales-Bueno, A. Ortiz-Díaz, Y. "
    "Caballero-Mota, Online and non-parametric drift detection methods based on Hoeffding's bounds, IEEE "
    "Transactions on Knowledge and Data Engineering 27 (2015), pp. 810-823.",
    parameters=(
        Parameter("delta", "float", 1e-4, 1e-300, 1.0, "probability", "Of a drift at one comparison, at most."),
        Parameter(
            "warning_delta", "float", 1e-3, 1e-300, 1.0, "probability", "Of a warning at one comparison, at most."
        ),
        Parameter("direction", "choice", "both", 0, 0, "", "Which changes of the mean to look for.", _DIRECTIONS),
    ),
    fields=[
        ("n", "<i8"),
        ("mean", "<f8"),
        ("low", "<f8"),
        ("low_mean", "<f8"),
        ("low_per_n", "<f8"),
        ("high", "<f8"),
        ("high_mean", "<f8"),
        ("high_per_n", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
)
