"""EWMA residual: how many standard deviations an observation is from the exponentially weighted mean of those before.

``mean += alpha * e`` and ``variance += alpha_sd * (e**2 - variance)``, where ``e`` is the observation less the mean
before it. While fewer than ``1 / alpha`` (``1 / alpha_sd``) were seen the weight is one by their number, so that the
start is a plain average. The first 32, or as many as the warm-up has, are kept until then and taken in together, as far
as they lie within twice `clip` robust deviations of their median.

Later, what is further than `clip` standard deviations out is learned as if it were just as far: one glitch moves the
mean and the standard deviation a little and does not hide the next, and yet a new level is soon ordinary. Nothing is
forgotten at once; after ``1 / alpha`` observations, 37 % of a weight are left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly.residual import clipped, relative
from detectors.anomaly.start import KEPT, tame
from detectors.contract import FloatArray, Parameter, Scorer
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["EWMA_RESIDUAL"]


@inlined
def start_of(warm_up: float) -> int:
    """Return how many of the first are taken in together."""
    return int(min(warm_up, KEPT))


@inlined
def begin(first: FloatArray, alpha: float, alpha_sd: float, clip: float) -> tuple[float, float]:
    """Return mean and variance after the first observations, one after another, without what is wild in them."""
    tame(first, 2 * clip)
    mean, variance = first[0], 0.0
    for n in range(1, first.size):
        residual = first[n] - mean
        learned = clipped(residual, math.sqrt(variance), clip)
        mean += max(alpha, 1.0 / (n + 1)) * learned
        variance += max(alpha_sd, 1.0 / n) * (learned * learned - variance)
    first[:] = 0.0
    return mean, variance


@kernel
def update(
    state: Any,
    memory: FloatArray,
    params: FloatArray,
    series: NDArray[np.int64],
    x: FloatArray,
    score: FloatArray,
) -> None:
    """Score a batch, and learn from it; see :mod:`detectors.contract`. One series in a row is worked on locally."""
    alpha, alpha_sd, clip, warm_up = params[0], params[1], params[2], params[3]
    start = start_of(warm_up)
    i = 0
    while i < series.size:
        row = series[i]
        s = state[row]
        skipped, n, mean, variance = s["skipped"], s["n"], s["mean"], s["variance"]
        while i < series.size and series[i] == row:
            value = x[i, 0]
            score[i] = math.nan
            if abs(value) <= MAX_ABS and n < start:
                memory[row, n] = value
                n += 1
                if n == start:
                    mean, variance = begin(memory[row], alpha, alpha_sd, clip)
            elif abs(value) <= MAX_ABS:
                residual = value - mean
                sd = math.sqrt(variance)
                if n >= warm_up:
                    score[i] = relative(abs(residual), sd)
                learned = clipped(residual, sd, clip)
                mean += max(alpha, 1.0 / (n + 1)) * learned
                variance += max(alpha_sd, 1.0 / n) * (learned * learned - variance)
                n += 1
            else:
                skipped += 1
            i += 1
        s["skipped"], s["n"], s["mean"], s["variance"] = skipped, n, mean, variance


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= params[3], dtype=np.bool_)


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(values["warm_up"])


EWMA_RESIDUAL = Scorer(
    name="ewma_residual",
    summary="A value far from where an exponentially weighted mean of those before expects it.",
    use_when="For a level that wanders, and where there are very many series: it keeps few numbers for each. "
    "`robust_z` stands more outliers.",
    statistic="Distance from the mean in standard deviations of such distances, at least 0 and at most 1e100.",
    reference="S. W. Roberts, Control chart tests based on geometric moving averages, Technometrics 1 (1959), pp. "
    "239-250; clipping after S. Gelper, R. Fried, C. Croux, Robust forecasting with exponential and Holt-Winters "
    "smoothing, Journal of Forecasting 29 (2010), pp. 285-300 (eq. 9).",
    parameters=(
        Parameter("alpha", "float", 0.05, 1e-6, 1.0, "", "Weight of the newest observation in the mean."),
        Parameter("alpha_sd", "float", 0.01, 1e-6, 1.0, "", "Weight of the newest distance in the deviation."),
        Parameter("clip", "float", 4.0, 1.0, 1e6, "sd", "The furthest distance that is learned."),
        Parameter("warm_up", "int", 32, 2, 1e9, "observations", "How many to see before scoring."),
    ),
    fields=[("mean", "<f8"), ("variance", "<f8")],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    vectors=False,
    memory_width=lambda values, d: start_of(values["warm_up"]),
    layout=2,
)
