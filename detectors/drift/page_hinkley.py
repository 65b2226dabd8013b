"""Page–Hinkley: how far the cumulative deviation from the running mean has climbed above its lowest point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter
from detectors.kernel import MAX_ABS, kernel

__all__ = ["PAGE_HINKLEY"]

_MODES = ("up", "down", "both")


@kernel
def step(
    n: int,
    mean: float,
    rising: float,
    falling: float,
    lowest: float,
    highest: float,
    delta: float,
    alpha: float,
    x: float,
) -> tuple[int, float, float, float, float, float]:
    """Absorb `x`: return the first six arguments, brought up to date."""
    n += 1
    mean += (1.0 / n) * (x - mean)
    rising = alpha * rising + (x - mean) - delta
    falling = alpha * falling + (x - mean) + delta
    lowest = min(lowest, rising) if n > 1 else rising
    highest = max(highest, falling) if n > 1 else falling
    return n, mean, rising, falling, lowest, highest


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

    A stretch of one series is worked through in local variables: at 5 ns an observation, going through memory at
    each step would nearly double the time.
    """
    min_instances, delta, threshold, alpha = params[0], params[1], params[2], params[3]
    look_up, look_down = params[4] != 1, params[4] != 0
    i = 0
    while i < x.size:
        row = series[i]
        s = state[row]
        n, mean, rising, falling = s["n"], s["mean"], s["rising"], s["falling"]
        lowest, highest = s["lowest"], s["highest"]
        skipped, drifted = s["skipped"], s["drifted"]
        while i < x.size and series[i] == row:
            score[i] = 0.0
            flag[i] = OK
            if abs(x[i]) <= MAX_ABS:
                if drifted == 1:
                    n, mean, rising, falling = 0, 0.0, 0.0, 0.0
                n, mean, rising, falling, lowest, highest = step(
                    n, mean, rising, falling, lowest, highest, delta, alpha, x[i]
                )
                up = rising - lowest if look_up else 0.0
                down = highest - falling if look_down else 0.0
                score[i] = up if up >= down else -down
                drifted = 1 if n >= min_instances and max(up, down) > threshold else 0
                flag[i] = DRIFT * drifted
            else:
                skipped += 1
            i += 1
        s["n"], s["mean"], s["rising"], s["falling"] = n, mean, rising, falling
        s["lowest"], s["highest"] = lowest, highest
        s["skipped"], s["drifted"] = skipped, drifted


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(values["min_instances"])


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= params[0], dtype=np.bool_)


PAGE_HINKLEY = Detector(
    name="page_hinkley",
    summary="A lasting change of the mean, in the units of the observations: standardise them, or set `threshold`.",
    use_when="For agreement with what other tools do. Its threshold is in the units of the values.",
    false_alarms="Depends on the spread of the values: with the defaults several in 20,000 stationary values of sd 1, "
    "none with sd 0.01.",
    statistic="Height of the cumulative deviation above its lowest point (or, below zero, its depth under the "
    "highest); compared with `threshold`.",
    reference="E. S. Page, Continuous inspection schemes, Biometrika 41 (1954), pp. 100-115; D. V. Hinkley, Inference "
    "about the change-point from cumulative sum tests, Biometrika 58 (1971), pp. 509-523.",
    parameters=(
        Parameter("min_instances", "int", 30, 1, 1e9, "observations", "How many to see before judging."),
        Parameter("delta", "float", 0.005, 0.0, 1e12, "units of x", "The deviation that is tolerated."),
        Parameter("threshold", "float", 50.0, 1e-12, 1e15, "units of x", "The height that is an alarm."),
        Parameter("alpha", "float", 0.9999, 0.5, 1.0, "", "What is kept of the sum at each step; 1 forgets nothing."),
        Parameter("mode", "choice", "both", 0, 0, "", "Which changes of the mean to look for.", _MODES),
    ),
    fields=[
        ("n", "<i8"),
        ("mean", "<f8"),
        ("rising", "<f8"),
        ("falling", "<f8"),
        ("lowest", "<f8"),
        ("highest", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
)
