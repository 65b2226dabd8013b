"""STEPD: the rate of errors in the newest observations, against that of all before them.

The newest ``window`` observations and the others since the start are compared by a test of equal proportions with
continuity correction, as soon as there are as many others: of the two rates of errors ``a`` and ``b``, over ``m`` and
``n`` observations, and the rate ``p`` over all of them, ``T = (abs(a - b) - (1/m + 1/n) / 2) / sqrt(p (1 - p) (1/m +
1/n))`` is compared with the quantiles of the normal distribution. There is a drift when the two-sided p-value is less
than ``alpha``, and a warning when it is less than ``warning_alpha``.

The test is made at each observation, so that `alpha` is far from the probability of a false alarm. The paper has
``window=30, alpha=0.003, warning_alpha=0.05``. MOA fires in both directions, as here, and also where the correction is
larger than the difference, as between equal rates near 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, WARNING, Detector, FloatArray, Parameter
from detectors.kernel import kernel
from detectors.ring import at, push, width

__all__ = ["STEPD"]

_DIRECTIONS = ("up", "down", "both")


@kernel
def quantile(alpha: float) -> float:
    """Return what a normal variable exceeds in size with probability `alpha`, from 1e-300 to 1.

    Newton's method on the logarithm of that probability, which is concave: from above the solution, where it starts by
    Chernoff's bound, it stays above.
    """
    z = math.sqrt(2.0 * math.log(1.0 / alpha))
    for _ in range(100):
        tail = math.erfc(z / math.sqrt(2.0))
        density = math.sqrt(2.0 / math.pi) * math.exp(-0.5 * z * z)
        step = math.log(alpha / tail) * tail / density
        if step <= 1e-13 * z:
            break
        z -= step
    return z


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

    What bounds the time is one division after another, and a root.
    """
    window = int(params[0])
    drift = quantile(params[1])
    warning = min(quantile(params[2]), drift)
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
            s["drifted"], s["n"], s["errors"], s["newest"] = 0, 0, 0.0, 0.0
        newest_at = push(memory, row, s["last"], x[i])
        n, errors, newest = s["n"] + 1, s["errors"] + x[i], s["newest"] + x[i]
        if n > window:
            newest -= at(memory, row, newest_at - window)
        s["last"], s["n"], s["errors"], s["newest"] = newest_at, n, errors, newest
        others = n - window
        variance = errors * (n - errors)
        if others < window or variance == 0.0:
            continue
        # Both rates times both lengths, and the correction likewise: 1/m + 1/n is (m + n) / (m n).
        across = newest * others - (errors - newest) * window
        apart = abs(across) - 0.5 * n
        z = max(apart, 0.0) * math.sqrt(n / (variance * window * others))
        up = z if across > 0.0 and look_up else 0.0
        down = z if across < 0.0 and look_down else 0.0
        score[i] = up if up >= down else -down
        if max(up, down) > warning:
            flag[i] = DRIFT if max(up, down) > drift else WARNING
            s["drifted"] = 1 if max(up, down) > drift else 0


def _min_samples(values: Mapping[str, Any]) -> int:
    return 2 * int(values["window"])


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= 2 * params[0], dtype=np.bool_)


def _memory_width(values: Mapping[str, Any]) -> int:
    return width(int(values["window"]))


STEPD = Detector(
    name="stepd",
    summary="A rate of errors in the newest observations that differs from that of all before them.",
    use_when="For large changes of a rate of errors: from 0.2 to 0.5 takes 80 observations, however long it was "
    "quiet before. Of small ones it sees a third within 2,000, because what has changed joins those before.",
    false_alarms="With the defaults, 0.1 in 100,000 observations were measured at a rate of errors of 0.2 (95 %: "
    "0.06 to 0.2), 0.5 at 0.02 and 0.1 at 0.5. With the paper's `window` of 30 and `alpha` of 0.003, about 30.",
    domain="binary",
    statistic="The statistic T of the test, in standard deviations; below zero when errors have become fewer. "
    "Compared with the quantile of the normal distribution that `alpha` stands for.",
    reference="K. Nishida, K. Yamauchi, Detecting concept drift using statistical testing, Discovery Science (2007), "
    "LNCS 4755, pp. 264-269.",
    parameters=(
        Parameter("window", "int", 150, 1, 1e6, "observations", "How many are the newest."),
        Parameter("alpha", "float", 1e-5, 1e-300, 1.0, "probability", "A smaller p-value is a drift."),
        Parameter("warning_alpha", "float", 1e-3, 1e-300, 1.0, "probability", "A smaller p-value is a warning."),
        Parameter(
            "direction", "choice", "both", 0, 0, "", "Which changes of the rate of errors to look for.", _DIRECTIONS
        ),
    ),
    fields=[("n", "<i8"), ("errors", "<f8"), ("newest", "<f8"), ("last", "<i8")],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    memory_width=_memory_width,
)
