"""Holt–Winters residual: how far an observation is from a forecast by level, trend and season.

The season is additive, and counted in observations. With ``e`` the observation less its forecast ``level + trend +
season[i]``, one step is ``level += trend + alpha * e``, ``trend += alpha * beta * e`` and ``season[i] += (1 - alpha)
* gamma * e``, which is Winters' in the form that corrects errors. The first two seasons give level, trend and season
to start with, as far as they lie within twice `clip` robust deviations of their median, the third the standard
deviation of residuals; scoring begins with the fourth. What is further than `clip` standard deviations out is learned
as if it were just as far: one glitch does not spoil the season.

A skipped observation does not count, so the season comes one step later from then on; `gamma` lets it catch up. What
agrees with its forecast to 13 digits is as forecast: of a line or a constant, residuals are nothing but rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly.residual import clipped, relative
from detectors.anomaly.start import tame
from detectors.contract import FloatArray, Parameter, Scorer
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["HOLT_WINTERS"]

_ROUNDING = 1e-13


@inlined
def begin(s: Any, first: FloatArray, second: FloatArray) -> None:
    """Start from two seasons; `first` becomes the season, and `second` is emptied."""
    m = first.size
    first_mean, second_mean = 0.0, 0.0
    for j in range(m):
        first_mean += first[j] / m
        second_mean += second[j] / m
    trend = (second_mean - first_mean) / m
    for j in range(m):
        along = trend * (j - 0.5 * (m - 1))
        first[j] = 0.5 * ((first[j] - first_mean - along) + (second[j] - second_mean - along))
        second[j] = 0.0
    s["level"], s["trend"] = second_mean + trend * 0.5 * (m - 1), trend


@kernel
def update(
    state: Any,
    memory: FloatArray,
    params: FloatArray,
    series: NDArray[np.int64],
    x: FloatArray,
    score: FloatArray,
) -> None:
    """Score a batch, and learn from it; see :mod:`detectors.contract`."""
    m, alpha, beta, gamma = int(params[0]), params[1], params[2], params[3]
    alpha_sd, clip = params[4], params[5]
    for i in range(series.size):
        s = state[series[i]]
        value = x[i, 0]
        score[i] = math.nan
        if not abs(value) <= MAX_ABS:
            s["skipped"] += 1
            continue
        n = s["n"]
        s["n"] = n + 1
        if n < 2 * m:
            memory[series[i], n] = value
            if n == 2 * m - 1:
                tame(memory[series[i], : 2 * m], 2.0 * clip)
                begin(s, memory[series[i], :m], memory[series[i], m : 2 * m])
            continue
        phase = n % m
        forecast = s["level"] + s["trend"] + memory[series[i], phase]
        residual = value - forecast
        if abs(residual) <= _ROUNDING * (abs(value) + abs(forecast)):
            residual = 0.0
        sd = math.sqrt(s["variance"])
        if n >= 3 * m:
            score[i] = relative(abs(residual), sd)
        learned = clipped(residual, sd, clip)
        s["level"] += s["trend"] + alpha * learned
        s["trend"] += alpha * beta * learned
        memory[series[i], phase] += (1.0 - alpha) * gamma * learned
        s["variance"] += max(alpha_sd, 1.0 / (n - 2 * m + 1)) * (learned * learned - s["variance"])


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= 3 * params[0], dtype=np.bool_)


def _min_samples(values: Mapping[str, Any]) -> int:
    return 3 * int(values["season"])


HOLT_WINTERS = Scorer(
    name="holt_winters",
    summary="A value far from a forecast by level, trend and season.",
    use_when="For observations that come at a steady pace, so that a season always has the same number of them: "
    "readings of a sensor, counts by the minute. Of events that come as they come it has nothing to go by.",
    statistic="Distance from the forecast in standard deviations of such distances, at least 0 and at most 1e100.",
    reference="P. R. Winters, Forecasting sales by exponentially weighted moving averages, Management Science 6 "
    "(1960), pp. 324-342; in the form of E. S. Gardner, Exponential smoothing: the state of the art, Journal of "
    "Forecasting 4 (1985), pp. 1-28; clipping after S. Gelper, R. Fried, C. Croux, Robust forecasting with exponential "
    "and Holt-Winters smoothing, Journal of Forecasting 29 (2010), pp. 285-300 (eq. 9).",
    parameters=(
        Parameter("season", "int", 24, 2, 100_000, "observations", "How many a season has."),
        Parameter("alpha", "float", 0.1, 0.0, 1.0, "", "Weight of the newest observation in the level."),
        Parameter("beta", "float", 0.01, 0.0, 1.0, "", "Weight of the newest rise in the trend."),
        Parameter("gamma", "float", 0.1, 0.0, 1.0, "", "Weight of the newest observation in its place of the season."),
        Parameter("alpha_sd", "float", 0.01, 1e-6, 1.0, "", "Weight of the newest distance in the deviation."),
        Parameter("clip", "float", 4.0, 1.0, 1e6, "sd", "The furthest distance that is learned."),
    ),
    fields=[("level", "<f8"), ("trend", "<f8"), ("variance", "<f8")],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    vectors=False,
    memory_width=lambda values, d: 2 * int(values["season"]),
)
