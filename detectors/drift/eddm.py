"""EDDM: how many observations lie between two errors, against the most that this has been.

Of the distances between errors so far, ``p`` is the mean and ``s`` the standard deviation. Where errors become more
frequent, ``p + 2 s`` falls below its maximum. There is a warning when its share of the maximum is less than
``warning``, and a drift when it is less than ``drift``. For errors that become fewer, the same is done with the
distances between correct answers. What is said at an error stands until the next one.

The paper has the limits 0.95 and 0.9 and judges after 30 errors; its authors' program in MOA, and river, take the
maximum from the 31st observation on, over a handful of distances, and nearly always fire in the first 2,000
observations of a stream in which nothing changes (``maximum="from_start", warm_up=30, warning=0.95, drift=0.9``). By
default the maximum is taken only once there were ``warm_up`` distances, and the limits are lower. The standard
deviation is that of a sample, as in river; in MOA it is that of a population. At a new maximum a warning ends, as in
MOA; in river it stays on until the next error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import OK, Detector, FloatArray, Parameter, Unsuited
from detectors.kernel import kernel

__all__ = ["EDDM"]

_DIRECTIONS = ("up", "down", "both")
_MAXIMA = ("after_warm_up", "from_start")


@kernel
def extent_of(count: float, n: float, squares: float) -> float:
    """Return mean plus two standard deviations of `count` distances whose sum is `n`, and whose squares' is `squares`.

    Both sums are whole numbers, and exact up to 2**53: equal distances have no standard deviation at all.
    """
    spread = max(0.0, count * squares - n * n)
    return n / count + 2.0 * math.sqrt(spread / (count * max(count - 1.0, 1.0)))


@kernel
def update(  # noqa: PLR0915 -- both directions in one loop, which is what makes it fast
    state: Any,
    memory: FloatArray,
    params: FloatArray,
    series: NDArray[np.int64],
    x: FloatArray,
    score: FloatArray,
    flag: NDArray[np.uint8],
) -> None:
    """Run the detector over a batch; see :mod:`detectors.contract`.

    What bounds the time is to guess whether the next is an error, and the long way from its distance to the root. What
    was said last stands in the row, so that an observation that teaches nothing costs hardly anything.
    """
    warm_up, drift = params[0], 1.0 - params[2]
    warning = min(1.0 - params[1], drift)
    look_up, look_down, at_once = params[3] != 1, params[3] != 0, params[4] == 1
    for i in range(x.size):
        s = state[np.uint64(series[i])]
        if x[i] != 0.0 and x[i] != 1.0:
            score[i] = 0.0
            flag[i] = OK
            s["skipped"] += 1
            continue
        if s["drifted"] == 1:
            s["drifted"], s["n"], s["errors"], s["last_error"], s["last_correct"] = 0, 0.0, 0.0, 0.0, 0.0
            s["up_squares"], s["up_most"], s["up"] = 0.0, 0.0, 0.0
            s["down_squares"], s["down_most"], s["down"] = 0.0, 0.0, 0.0
            s["score"], s["flag"] = 0.0, OK
        n = s["n"] + 1.0
        s["n"] = n
        if x[i] == 1.0:
            errors = s["errors"] + 1.0
            s["errors"] = errors
            if look_up:
                distance = n - s["last_error"]
                s["last_error"] = n
                s["up_squares"] += distance * distance
                extent = extent_of(errors, n, s["up_squares"])
                most = max(extent, s["up_most"])
                if (n if at_once else errors) > warm_up:
                    s["up_most"] = most
                if errors > warm_up:
                    up, down = 1.0 - extent / most, s["down"]
                    s["up"] = up
                    shrunk = max(up, down)
                    s["score"] = up if up >= down else -down
                    # No branches: which series is in a warning zone cannot be guessed.
                    s["flag"], s["drifted"] = int(shrunk > warning) + int(shrunk > drift), int(shrunk > drift)
        elif look_down:
            correct = n - s["errors"]
            distance = n - s["last_correct"]
            s["last_correct"] = n
            s["down_squares"] += distance * distance
            extent = extent_of(correct, n, s["down_squares"])
            most = max(extent, s["down_most"])
            if (n if at_once else correct) > warm_up:
                s["down_most"] = most
            if correct > warm_up:
                up, down = s["up"], 1.0 - extent / most
                s["down"] = down
                shrunk = max(up, down)
                s["score"] = up if up >= down else -down
                s["flag"], s["drifted"] = int(shrunk > warning) + int(shrunk > drift), int(shrunk > drift)
        score[i] = s["score"]
        flag[i] = s["flag"]


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(values["warm_up"]) + 1


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    some_errors = (params[3] != 1) & (state["errors"] > params[0])
    some_correct = (params[3] != 0) & (state["n"] - state["errors"] > params[0])
    return np.asarray(some_errors | some_correct, dtype=np.bool_)


EDDM = Detector(
    name="eddm",
    summary="Errors that come at shorter distances than they did: for rare errors, and slow while nothing changes.",
    use_when="For agreement with what other tools do; `ecdd` finds most changes sooner. Errors that go from 0.2 to "
    "0.5 are found after 280 observations if 2,000 came before, and after 2,100 if 20,000 did.",
    false_alarms="With the defaults, 0.15 in 100,000 observations were measured at a rate of errors of 0.2 (95 %: "
    "0.08 to 0.25), 0.1 at 0.02 and 0.2 at 0.5. With the paper's `warm_up` of 30 and the maximum `from_start`, nearly "
    "every stretch of 2,000 has one.",
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 200 and 100 trials", "ddm"
        ),
    ),
    domain="binary",
    statistic="By what share the extent (mean plus two standard deviations) of the distances between errors is less "
    "than its maximum; below zero, the same of correct answers. Compared with 1 - `drift`.",
    reference="M. Baena-García, J. del Campo-Ávila, R. Fidalgo, A. Bifet, R. Gavaldà, R. Morales-Bueno, Early drift "
    "detection method, Fourth International Workshop on Knowledge Discovery from Data Streams (2006).",
    parameters=(
        Parameter("warm_up", "int", 300, 1, 1e9, "errors", "How many, or correct answers, to see before judging."),
        Parameter("warning", "float", 0.92, 0.0, 1.0, "share of the maximum", "Less is a warning."),
        Parameter("drift", "float", 0.88, 0.0, 1.0, "share of the maximum", "Less is a drift."),
        Parameter(
            "direction", "choice", "both", 0, 0, "", "Which changes of the rate of errors to look for.", _DIRECTIONS
        ),
        Parameter(
            "maximum",
            "choice",
            "after_warm_up",
            0,
            0,
            "",
            "When to begin with the maximum: after `warm_up` errors, or after as many observations.",
            _MAXIMA,
        ),
    ),
    fields=[
        ("n", "<f8"),
        ("errors", "<f8"),
        ("last_error", "<f8"),
        ("last_correct", "<f8"),
        ("up_squares", "<f8"),
        ("up_most", "<f8"),
        ("up", "<f8"),
        ("down_squares", "<f8"),
        ("down_most", "<f8"),
        ("down", "<f8"),
        ("score", "<f8"),
        ("flag", "<i8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
)
