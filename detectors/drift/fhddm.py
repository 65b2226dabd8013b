"""FHDDM: the share of correct answers in a sliding window, against the highest that it has been.

Once the window of ``window`` observations is full, the share of correct answers ``p`` in it and its maximum are
compared: there is a drift when ``p_max - p > sqrt(log(1 / delta) / (2 window))``, which is Hoeffding's bound for one
window, and a warning when ``warning_delta`` in place of ``delta`` makes it so. For rates of errors that fall, the same
is done with errors in place of correct answers.

The maximum is over all windows since the start, and so the bound is passed more often than `delta` says. The paper has
``delta=1e-6`` and no warning (``warning_delta=1e-6``). river 0.26 takes the share of errors for that of correct
answers: it fires where this detector does with ``direction="down"``, when errors become fewer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, WARNING, Detector, FloatArray, Parameter, Unsuited
from detectors.kernel import kernel
from detectors.ring import at, push, width

__all__ = ["FHDDM"]

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

    All of it is additions; what bounds the time is to read and write the ring and the state.
    """
    window = int(params[0])
    drift = window * math.sqrt(math.log(1.0 / params[1]) / (2.0 * window))
    warning = min(window * math.sqrt(math.log(1.0 / params[2]) / (2.0 * window)), drift)
    look_up, look_down = params[3] != 1, params[3] != 0
    for i in range(x.size):
        row = series[i]
        s = state[row]
        score[i] = 0.0
        flag[i] = OK
        if x[i] * (1.0 - x[i]) != 0.0:
            s["skipped"] += 1
            continue
        if s["drifted"] == 1:
            s["drifted"], s["n"], s["errors"] = 0, 0, 0.0
        newest = push(memory, row, s["last"], x[i])
        n, errors = s["n"] + 1, s["errors"] + x[i]
        if n > window:
            errors -= at(memory, row, newest - window)
        s["last"], s["n"], s["errors"] = newest, n, errors
        if n < window:
            continue
        s["least"] = min(errors, s["least"]) if n > window else errors
        s["most"] = max(errors, s["most"]) if n > window else errors
        up = errors - s["least"] if look_up else 0.0
        down = s["most"] - errors if look_down else 0.0
        score[i] = (up if up >= down else -down) / window
        if max(up, down) > warning:
            flag[i] = DRIFT if max(up, down) > drift else WARNING
            s["drifted"] = 1 if max(up, down) > drift else 0


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(values["window"])


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= params[0], dtype=np.bool_)


def _memory_width(values: Mapping[str, Any]) -> int:
    return width(int(values["window"]))


FHDDM = Detector(
    name="fhddm",
    summary="A share of errors in a sliding window that is far from the best or the worst that it was.",
    use_when="For large changes of a rate of errors that are to be found at the same speed after any time: from 0.2 "
    "to 0.5 takes 110 observations. Small ones pass: `ecdd` or `hddm_a` find them.",
    false_alarms="With the defaults, 0.1 in 100,000 observations were measured at a rate of errors of 0.2 (95 %: "
    "0.05 to 0.2), none at 0.02, and 3 at 0.5, where a share varies most: take a `delta` of 1e-12 there. The paper's "
    "`window` of 100 and `delta` of 1e-6 have 4 at 0.2 in one direction.",
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 200 and 100 trials", "ddm"
        ),
    ),
    domain="binary",
    statistic="How far the share of errors in the window is above the lowest that it was; below zero, how far it is "
    "below the highest. Compared with `sqrt(log(1 / delta) / (2 window))`.",
    reference="A. Pesaranghader, H. L. Viktor, Fast Hoeffding drift detection method for evolving data streams, ECML "
    "PKDD (2016), LNCS 9852, pp. 96-111.",
    parameters=(
        Parameter("window", "int", 200, 1, 1e6, "observations", "How many make up a share."),
        Parameter("delta", "float", 1e-9, 1e-300, 1.0, "probability", "Of a drift in one window, at most."),
        Parameter("warning_delta", "float", 1e-6, 1e-300, 1.0, "probability", "Of a warning in one window, at most."),
        Parameter(
            "direction", "choice", "both", 0, 0, "", "Which changes of the rate of errors to look for.", _DIRECTIONS
        ),
    ),
    fields=[("n", "<i8"), ("errors", "<f8"), ("last", "<i8"), ("least", "<f8"), ("most", "<f8")],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    memory_width=_memory_width,
)
