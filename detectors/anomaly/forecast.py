"""Forecast residual: how far an observation is from what level, trend, season and its predecessor let expect.

Of a stream whose values follow one another, a residual is not independent of the one before, and scores that take no
account of that are high in runs. Here the residual ``r`` from ``level + trend + season[i]`` is forecast too, as ``phi``
times the residual before; what is left, the innovation ``e``, is what is scored, in units of its standard deviation.
Then ``level += trend + alpha * r``, ``trend += alpha * beta * r`` and ``season[i] += (1 - alpha) * gamma * r``, while
``phi`` is the ratio of exponentially weighted means of ``r * r_before`` and ``r_before**2``.

The deviation is the larger of two, one that remembers long and one that remembers a tenth as long: in a burst of
volatility what is ordinary is wider at once, and soon after as it was.

Nothing that a single observation says is believed beyond `clip` deviations, be it of level, season, ``phi`` or
deviation. That holds from the first one on: the start is kept, and taken in together, as far as it lies within eight
robust deviations of its median.
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

__all__ = ["FORECAST"]

_ROUNDING = 1e-13
_TAME = 8.0  # robust deviations from the median beyond which the start is not believed
_FASTER = 10.0
_MOST_PHI = 0.98


@inlined
def begin(s: Any, season: FloatArray, start: FloatArray) -> None:
    """Take level, trend, season and deviation from the start: of two seasons, or of a stretch without one."""
    tame(start, _TAME)
    m, n = season.size, start.size
    # From the first value on: of a constant, that leaves no deviation by rounding.
    mean = start[0]
    for j in range(n):
        mean += (start[j] - start[0]) / n
    if m == 0:
        s["level"] = mean
        for j in range(n):
            s["variance"] += (start[j] - mean) ** 2 / n
    else:
        rise = 0.0
        for j in range(m):
            rise += (start[m + j] - start[j]) / m
        s["trend"] = rise / m
        s["level"] = mean + s["trend"] * 0.5 * (n - 1)
        for j in range(m):
            along = s["trend"] * (j - 0.5 * (m - 1))
            season[j] = 0.5 * (start[j] + start[m + j]) - mean - along
            s["variance"] += 0.5 * (start[m + j] - start[j] - rise) ** 2 / m
    s["fast"] = s["variance"]
    for j in range(n):
        start[j] = 0.0


@inlined
def step(s: Any, season: FloatArray, phase: int, params: FloatArray, value: float) -> float:
    """Score `value`, and learn from it."""
    alpha, beta, gamma, alpha_sd, clip = params[1], params[2], params[3], params[4], params[5]
    usual = s["level"] + s["trend"]
    if season.size > 0:
        usual += season[phase]
    previous = s["residual"]
    phi = 0.0
    if s["power"] > 0.0:
        phi = min(max(s["product"] / s["power"], -_MOST_PHI), _MOST_PHI)
    forecast = usual + phi * previous
    innovation = value - forecast
    if abs(innovation) <= _ROUNDING * (abs(value) + abs(forecast)):
        innovation = 0.0
    sd = math.sqrt(max(s["variance"], s["fast"]))
    score = relative(abs(innovation), sd)
    learned = clipped(innovation, sd, clip)
    residual = phi * previous + learned
    s["product"] += alpha_sd * (residual * previous - s["product"])
    s["power"] += alpha_sd * (previous * previous - s["power"])
    s["variance"] += alpha_sd * (learned * learned - s["variance"])
    s["fast"] += min(_FASTER * alpha_sd, 1.0) * (learned * learned - s["fast"])
    s["level"] += s["trend"] + alpha * residual
    s["trend"] += alpha * beta * residual
    if season.size > 0:
        season[phase] += (1.0 - alpha) * gamma * residual
    s["residual"] = residual
    return score


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
    m, warm_up = int(params[0]), int(params[6])
    start = 2 * m if m > 0 else warm_up
    for i in range(series.size):
        s = state[series[i]]
        value = x[i, 0]
        score[i] = math.nan
        if not abs(value) <= MAX_ABS:
            s["skipped"] += 1
            continue
        n = s["n"]
        s["n"] = n + 1
        season, early = memory[series[i], :m], memory[series[i], m : m + start]
        if n < start:
            early[n] = value
            if n == start - 1:
                begin(s, season, early)
            continue
        surprise = step(s, season, n % m if m > 0 else 0, params, value)
        if n >= start + warm_up:
            score[i] = surprise


def _start(season: float, warm_up: float) -> int:
    return int(2 * season if season > 0 else warm_up)


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= _start(params[0], params[6]) + params[6], dtype=np.bool_)


def _min_samples(values: Mapping[str, Any]) -> int:
    return _start(values["season"], values["warm_up"]) + int(values["warm_up"])


FORECAST = Scorer(
    name="forecast",
    summary="A value far from a forecast by level, trend, season and the value before.",
    use_when="For a metric whose values follow one another (a gauge, a rate by the minute), with a season or without: "
    "where neighbours are correlated it finds what others miss, and where volatility comes in bursts. For a season, "
    "observations must come at a steady pace.",
    statistic="Distance from the forecast in standard deviations of such distances, at least 0 and at most 1e100.",
    reference="P. R. Winters, Forecasting sales by exponentially weighted moving averages, Management Science 6 "
    "(1960), pp. 324-342; with residuals that follow one another: J. W. Taylor, Short-term electricity demand "
    "forecasting using double seasonal exponential smoothing, Journal of the Operational Research Society 54 (2003), "
    "pp. 799-805 (section 3); clipping after S. Gelper, R. Fried, C. Croux, Robust forecasting with exponential and "
    "Holt-Winters smoothing, Journal of Forecasting 29 (2010), pp. 285-300 (eq. 9).",
    parameters=(
        Parameter("season", "int", 0, 0, 100_000, "observations", "How many a season has; 0 is no season."),
        Parameter("alpha", "float", 0.02, 0.0, 1.0, "", "Weight of the newest residual in the level."),
        Parameter("beta", "float", 0.002, 0.0, 1.0, "", "Weight of the newest rise in the trend."),
        Parameter("gamma", "float", 0.1, 0.0, 1.0, "", "Weight of the newest residual in its place of the season."),
        Parameter("alpha_sd", "float", 0.005, 1e-6, 1.0, "", "Weight of the newest in the deviation and in phi."),
        Parameter("clip", "float", 4.0, 1.0, 1e6, "sd", "The furthest distance that is learned."),
        Parameter("warm_up", "int", 64, 8, 100_000, "observations", "To start from, and to learn before scoring."),
    ),
    fields=[
        ("level", "<f8"),
        ("trend", "<f8"),
        ("residual", "<f8"),
        ("product", "<f8"),
        ("power", "<f8"),
        ("variance", "<f8"),
        ("fast", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    vectors=False,
    memory_width=lambda values, d: int(values["season"]) + _start(values["season"], values["warm_up"]),
)
