"""Robust z: how many standard deviations an observation is from the median of the last ones.

The standard deviation is estimated by their median absolute deviation. The window is kept twice, in the order of
arrival and sorted, so that both medians are exact. What is older than `window` observations is forgotten. Where more
than half of the window is one value, the median absolute deviation is zero and tells nothing; the mean absolute
deviation takes its place then, as Iglewicz and Hoaglin advise. If all of the window is one value, any other scores
1e100, the highest that there is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import FloatArray, Parameter, ParameterError, Scorer, Value
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["ROBUST_Z"]

_HIGHEST = 1e100
_FROM_MEDIAN = 1.482602218505602  # sd of normal values by their median absolute deviation: 1 / ppf(3/4)
_FROM_MEAN = 1.2533141373155001  # and by their mean absolute deviation: sqrt(pi / 2)


@inlined
def rank(ordered: FloatArray, count: int, x: float) -> int:
    """Return how many of the first `count` values are below `x`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def replace(ordered: FloatArray, count: int, old: float, new: float) -> None:
    """Take `old` out of the first `count` values, and put `new` in where it belongs."""
    hole, position = rank(ordered, count, old), rank(ordered, count, new)
    if position > hole:
        for j in range(hole, position - 1):
            ordered[j] = ordered[j + 1]
        ordered[position - 1] = new
    else:
        for j in range(hole, position, -1):
            ordered[j] = ordered[j - 1]
        ordered[position] = new


@inlined
def insert(ordered: FloatArray, count: int, new: float) -> None:
    """Put `new` among the first `count` values, which become one more."""
    position = rank(ordered, count, new)
    for j in range(count, position, -1):
        ordered[j] = ordered[j - 1]
    ordered[position] = new


@inlined
def median(ordered: FloatArray, count: int) -> float:
    """Return the median of the first `count` values."""
    half = count // 2
    return float(ordered[half] if count % 2 == 1 else 0.5 * (ordered[half - 1] + ordered[half]))


@inlined
def median_deviation(ordered: FloatArray, count: int, centre: float) -> float:
    """Return the median absolute deviation from `centre` of the first `count` values.

    The half that is nearest to the centre is a block of the sorted window; bisection finds where it begins.
    """
    half = (count + 1) // 2
    low, high = 0, count - half
    while low < high:
        middle = (low + high) // 2
        if centre - ordered[middle] > ordered[middle + half] - centre:
            low = middle + 1
        else:
            high = middle
    farthest = float(max(centre - ordered[low], ordered[low + half - 1] - centre))
    if count % 2 == 1:
        return farthest
    following = math.inf
    if low > 0:
        following = centre - ordered[low - 1]
    if low + half < count:
        following = min(following, ordered[low + half] - centre)
    return float(0.5 * (farthest + following))


@inlined
def mean_deviation(ordered: FloatArray, count: int, centre: float) -> float:
    """Return the mean absolute deviation from `centre` of the first `count` values."""
    total = 0.0
    for j in range(count):
        total += abs(ordered[j] - centre)
    return float(total / count)


@inlined
def deviation(ordered: FloatArray, count: int, x: float) -> float:
    """Return how many standard deviations `x` is from the median of the first `count` values."""
    centre = median(ordered, count)
    sd = _FROM_MEDIAN * median_deviation(ordered, count, centre)
    if sd == 0.0:
        sd = _FROM_MEAN * mean_deviation(ordered, count, centre)
    distance = abs(x - centre)
    if distance == 0.0:
        return 0.0
    return distance / sd if distance < _HIGHEST * sd else _HIGHEST


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
    window, warm_up = int(params[0]), params[1]
    for i in range(series.size):
        s = state[series[i]]
        value = x[i, 0]
        score[i] = math.nan
        if not abs(value) <= MAX_ABS:
            s["skipped"] += 1
            continue
        n = s["n"]
        arrived, ordered = memory[series[i], :window], memory[series[i], window:]
        if n >= warm_up:
            score[i] = deviation(ordered, min(n, window), value)
        slot = n % window
        if n < window:
            insert(ordered, n, value)
        else:
            replace(ordered, window, arrived[slot], value)
        arrived[slot] = value
        s["n"] = n + 1


def _check(values: Mapping[str, Value]) -> None:
    window, warm_up = values["window"], values["warm_up"]
    assert isinstance(window, int)
    assert isinstance(warm_up, int)
    if warm_up > window:
        raise ParameterError("robust_z", "warm_up", warm_up, f"allowed is at most the window, {window}")


ROBUST_Z = Scorer(
    name="robust_z",
    summary="A value far from the median of the last ones, measured by their median absolute deviation.",
    use_when="If in doubt, for a signal that stays around one level or moves slowly. Outliers among the last values "
    "hardly move it. It does not know seasons.",
    statistic="Distance from the median in standard deviations, at least 0 and at most 1e100: of normal values one in "
    "370 is beyond 3.",
    reference="B. Iglewicz, D. C. Hoaglin, How to detect and handle outliers, ASQC Basic References in Quality Control "
    "16 (1993), section 3; F. R. Hampel, The influence curve and its role in robust estimation, Journal of the "
    "American Statistical Association 69 (1974), pp. 383-393.",
    parameters=(
        Parameter("window", "int", 256, 4, 100_000, "observations", "How many of the last ones it is compared with."),
        Parameter("warm_up", "int", 32, 2, 100_000, "observations", "How many to see before scoring."),
    ),
    fields=[],
    update=update,
    min_samples=lambda values: int(values["warm_up"]),
    ready=lambda state, params: np.asarray(state["n"] >= params[1], dtype=np.bool_),
    check=_check,
    vectors=False,
    memory_width=lambda values, d: 2 * int(values["window"]),
)
