"""Quantile filter: how far an observation is beyond a low and a high quantile of all before it.

Both quantiles are followed by five markers each, moved along parabolas (the P-square algorithm), so nothing is kept and
nothing is forgotten: the quantiles are those of all that the series has seen. They equal those of river 0.26, but for
the rounding of where a marker should be, if `clip` is 1e100. Otherwise, what is further beyond both than `clip` times
what lies between is learned as if it were just as far, as a marker is pulled far off by a single huge value. The
first 32, or as many as the warm-up has, are kept until then and taken in one after another, as far as they lie within
as many such ranges of a normal distribution around their median.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly.start import KEPT, tame
from detectors.contract import FloatArray, Parameter, Scorer
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["QUANTILE_FILTER"]

_HIGHEST = 1e100
_MARKERS = 5
_NORMAL_RANGE = 4.65  # what lies between the quantiles 0.01 and 0.99, in standard deviations
_ESTIMATE = 2  # the marker in the middle is the quantile


@inlined
def insert(height: FloatArray, count: int, x: float) -> None:
    """Put `x` among the first `count` heights, which are ascending."""
    j = count
    while j > 0 and height[j - 1] > x:
        height[j] = height[j - 1]
        j -= 1
    height[j] = x


@inlined
def moved(height: FloatArray, positions: FloatArray, j: int, by: float) -> float:
    """Return the height of marker `j` one place on, or one back (Jain and Chlamtac, box 1, B3).

    It lies on the parabola, or where that leaves the order, on the line to the next marker.
    """
    gap_below, gap_above = positions[j] - positions[j - 1], positions[j + 1] - positions[j]
    rise = (gap_below + by) * (height[j + 1] - height[j]) / gap_above + (gap_above - by) * (
        height[j] - height[j - 1]
    ) / gap_below
    parabolic = height[j] + by / (positions[j + 1] - positions[j - 1]) * rise
    if height[j - 1] < parabolic < height[j + 1]:
        return float(parabolic)
    to = j + int(by)
    return float(height[j] + by * (height[to] - height[j]) / (positions[to] - positions[j]))


@inlined
def follow(height: FloatArray, positions: FloatArray, n: int, q: float, x: float) -> None:
    """Absorb `x`, the observation after `n` others, into the markers of the `q`-quantile."""
    if n < _MARKERS:
        insert(height, n, x)
        positions[n] = n + 1.0
        return
    if x < height[0]:
        height[0] = x
    elif x > height[4]:
        height[4] = x
    for j in range(1, _MARKERS):
        if j == _MARKERS - 1 or x < height[j]:
            positions[j] += 1.0
    for j in range(1, _MARKERS - 1):
        share = 0.5 * q * j if j < 3 else 0.5 * (1.0 + q)
        behind = 1.0 + share * n - positions[j]
        if behind >= 1.0 and positions[j + 1] - positions[j] > 1.0:
            height[j] = moved(height, positions, j, 1.0)
            positions[j] += 1.0
        elif behind <= -1.0 and positions[j - 1] - positions[j] < -1.0:
            height[j] = moved(height, positions, j, -1.0)
            positions[j] -= 1.0


@kernel
def beyond(low: float, high: float, x: float) -> float:
    """Return how far `x` is beyond what lies between the quantiles, in units of that, at most 1e100.

    Of few observations, the estimate of the low quantile may be above that of the high one.
    """
    low, high = min(low, high), max(low, high)
    excess, width = max(x - high, low - x), high - low
    if excess < _HIGHEST * width:
        return excess / width
    return _HIGHEST if excess > 0.0 else 0.0


@kernel
def clipped(low: float, high: float, clip: float, x: float) -> float:
    """Return `x`, or the furthest that is learned; if the quantiles are equal so far, all of it is."""
    low, high = min(low, high), max(low, high)
    most = clip * (high - low)
    return min(max(x, low - most), high + most) if most > 0.0 else x


@kernel
def begin(markers: FloatArray, q: float, clip: float) -> None:
    """Absorb the first observations, which are behind the markers, into both quantiles."""
    first = markers[4 * _MARKERS :]
    tame(first, _NORMAL_RANGE * clip)
    for n in range(first.size):
        follow(markers[:5], markers[5:10], n, 1.0 - q, first[n])
        follow(markers[10:15], markers[15:20], n, q, first[n])
    first[:] = 0.0


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
    q, warm_up, clip = params[0], params[1], params[2]
    start = int(min(warm_up, KEPT))
    for i in range(series.size):
        s = state[series[i]]
        value = x[i, 0]
        score[i] = math.nan
        if not abs(value) <= MAX_ABS:
            s["skipped"] += 1
            continue
        n, markers = s["n"], memory[series[i]]
        s["n"] = n + 1
        if n < start:
            markers[4 * _MARKERS + n] = value
            if n == start - 1:
                begin(markers, q, clip)
            continue
        low, high = markers[_ESTIMATE], markers[2 * _MARKERS + _ESTIMATE]
        if n >= warm_up:
            score[i] = beyond(low, high, value)
        value = clipped(low, high, clip, value)
        follow(markers[:5], markers[5:10], n, 1.0 - q, value)
        follow(markers[10:15], markers[15:20], n, q, value)


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= params[1], dtype=np.bool_)


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(values["warm_up"])


QUANTILE_FILTER = Scorer(
    name="quantile_filter",
    summary="A value beyond the range in which most values of the series ever were.",
    use_when="For a signal that does not move, of any shape: it makes no assumption about its distribution, and keeps "
    "52 numbers. It never forgets, so it takes long to follow a change.",
    statistic="Distance beyond the nearer of both quantiles, in units of what lies between them: 0 at a quantile, "
    "negative in between, at most 1e100.",
    reference="R. Jain, I. Chlamtac, The P-square algorithm for dynamic calculation of quantiles and histograms "
    "without storing observations, Communications of the ACM 28 (1985), pp. 1076-1085.",
    parameters=(
        Parameter("q", "float", 0.99, 0.51, 0.999999, "probability", "The high quantile; the low one is 1 - q."),
        Parameter("warm_up", "int", 200, 5, 1e9, "observations", "How many to see before scoring."),
        Parameter("clip", "float", 10.0, 1.0, 1e100, "widths", "The furthest beyond a quantile that is learned."),
    ),
    fields=[],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    vectors=False,
    memory_width=lambda values, d: 4 * _MARKERS + int(min(values["warm_up"], KEPT)),
    layout=2,
)
