"""KSWIN: the newest values of a sliding window against its older ones, by the test of Kolmogorov and Smirnov.

The window is kept twice, in order of arrival and in order of size. An observation moves three values in the second:
the oldest leaves, one of the newest becomes one of the older, and the new one comes in; none is sorted. The distance
``D`` of the two distribution functions is then one pass over that order. It is compared with the smallest distance that
is rare enough, which is found once, by counting the orders of both samples that lead to a distance as large (every
order is equally likely while nothing changes; equal values make it only rarer). No observation moves ``D`` by more than
``1 / newest + 1 / older``, so the next pass waits until ``D`` can have become as large.

The paper draws as many of the older values as there are newest ones, anew at each look. That throws away what the
others tell, so the default compares with all of them; `older` = "sample" draws. A value's number comes from a
counter-based generator as the value becomes one of the older, and those with the smallest numbers are the sample, so
that every sample is as likely as any other and changes little from one observation to the next.

Who looks at every observation is soon misled: with a probability of 0.005 at each look, as in the paper, once in some
hundreds of observations. Here it is ``1 / (2 run_length)``: one of the first ``t`` looks fires with a probability of at
most ``t / (2 run_length)``, so that on average ``run_length`` looks pass at least.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter, ParameterError, Unsuited, Value
from detectors.drift.ranks import uniform
from detectors.kernel import MAX_ABS, kernel

__all__ = ["KSWIN"]

_OLDER = ("all", "sample")
_NO_TAG = 2.0


@kernel
def p_value(scratch: FloatArray, newest: int, older: int, height: int) -> float:
    """Return how likely ``newest * older * D`` is `height` or more, by the share of paths that get so far.

    A path has a step across for each of the newest and a step up for each of the older, in order of size. Of the paths
    to a point, the share that came from the left is ``i / (i + j)``.
    """
    for j in range(older + 1):
        scratch[j] = 1.0 if j * newest >= height else 0.0
    for i in range(1, newest + 1):
        if i * older >= height:
            scratch[0] = 1.0
        for j in range(1, older + 1):
            if abs(i * older - j * newest) >= height:
                scratch[j] = 1.0
            else:
                scratch[j] = (scratch[j] * i + scratch[j - 1] * j) / (i + j)
    return float(scratch[older])


@kernel
def critical_height(scratch: FloatArray, newest: int, older: int, alpha: float) -> int:
    """Return the smallest height with a p-value of `alpha` at most, or one that cannot be reached."""
    low, high = 1, newest * older + 1
    while low < high:
        middle = (low + high) // 2
        if p_value(scratch, newest, older, middle) <= alpha:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def find(values: FloatArray, weights: FloatArray, n: int, x: float, weight: float) -> int:
    """Return where `x` with `weight` is in the ordered `values` of `n`."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if values[middle] < x:
            low = middle + 1
        else:
            high = middle
    while weights[low] != weight:
        low += 1
    return low


@kernel
def fill(values: FloatArray, weights: FloatArray, n: int, hole: int, x: float, weight: float) -> None:
    """Put `x` where it belongs in the order of `n`, and what is between there and the `hole` one place further."""
    while hole > 0 and values[hole - 1] > x:
        values[hole], weights[hole] = values[hole - 1], weights[hole - 1]
        hole -= 1
    while hole < n - 1 and values[hole + 1] < x:
        values[hole], weights[hole] = values[hole + 1], weights[hole + 1]
        hole += 1
    values[hole], weights[hole] = x, weight


@kernel
def distance(values: FloatArray, weights: FloatArray, n: int) -> float:
    """Return the largest sum of weights up to any value, or, if it is further from 0, the smallest; sign reversed."""
    total, highest, lowest = 0.0, 0.0, 0.0
    for i in range(n):
        total += weights[i]
        if i == n - 1 or values[i] != values[i + 1]:
            highest, lowest = max(highest, total), min(lowest, total)
    return -lowest if -lowest >= highest else 0.0 - highest


@kernel
def draw(tags: FloatArray, drawn: FloatArray, size: int, members: int, aged: int) -> tuple[int, int]:
    """Return which slot comes into a sample that `members` of the older are in, and which leaves; -1 for none.

    The slots with the smallest tags are to be in it. Only `aged` is new, and at most one member has left.
    """
    if members < size:
        first = -1
        for j in range(tags.size):
            if drawn[j] == 0.0 and tags[j] < _NO_TAG and (first < 0 or tags[j] < tags[first]):
                first = j
        return first, -1
    newest_index = -1
    for j in range(tags.size):
        if drawn[j] == 1.0 and (newest_index < 0 or tags[j] > tags[newest_index]):
            newest_index = j
    return (aged, newest_index) if tags[aged] < tags[newest_index] else (-1, -1)


@kernel
def arrive(s: Any, row: FloatArray, width: int, newest: int, older: int, sampled: bool, x: float) -> None:
    """Put `x` among the newest, for the oldest if there is no room; ``n`` counts it already."""
    ring, values, weights = row[:width], row[width : 2 * width], row[2 * width : 3 * width]
    n = s["n"] - 1
    slot, hole = n % width, n
    if n >= width:
        weight = -float(newest)
        if sampled:
            tags, drawn = row[3 * width : 4 * width], row[4 * width :]
            weight *= drawn[slot]
            s["members"] -= int(drawn[slot])
            drawn[slot], tags[slot] = 0.0, _NO_TAG
        hole = find(values, weights, width, ring[slot], weight)
    ring[slot] = x
    fill(values, weights, min(n + 1, width), hole, x, float(older))


@kernel
def age(s: Any, row: FloatArray, width: int, newest: int, older: int, sampled: bool, seed: int) -> None:
    """Make the earliest of the newest one of the older, and draw which of those are the sample."""
    ring, values, weights = row[:width], row[width : 2 * width], row[2 * width : 3 * width]
    n = s["n"] - 1
    filled, aged = min(n + 1, width), (n - newest) % width
    position = find(values, weights, filled, ring[aged], float(older))
    if not sampled:
        weights[position] = -float(newest)
        return
    weights[position] = 0.0
    tags, drawn = row[3 * width : 4 * width], row[4 * width :]
    tags[aged] = uniform(seed, n)
    comes, leaves = draw(tags, drawn, newest, s["members"], aged)
    if comes >= 0:
        weights[find(values, weights, filled, ring[comes], 0.0)] = -float(newest)
        drawn[comes] = 1.0
        s["members"] += 1
    if leaves >= 0:
        weights[find(values, weights, filled, ring[leaves], -float(newest))] = 0.0
        drawn[leaves] = 0.0
        s["members"] -= 1


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
    """Run the detector over a batch; see :mod:`detectors.contract`."""
    width, sampled, least, seed = int(params[1]), params[3] == 1, params[5], int(params[6])
    newest = width // 4 if math.isnan(params[2]) else int(params[2])
    older = newest if sampled else width - newest
    alpha = 0.5 / params[0] if math.isnan(params[4]) else params[4]
    height = 0
    for i in range(x.size):
        score[i] = 0.0
        flag[i] = OK
        s = state[series[i]]
        if not abs(x[i]) <= MAX_ABS:
            s["skipped"] += 1
            continue
        row = memory[series[i]]
        if s["drifted"] == 1:
            s["drifted"], s["n"], s["members"], s["height"], s["wait"] = 0, 0, 0, 0.0, 0
        if s["n"] == 0:
            # Counting takes as long as some hundred observations, so it is done once for all series of a batch.
            if s["critical"] == 0:
                height = critical_height(row, newest, older, alpha) if height == 0 else height
                s["critical"] = height
            row[:] = 0.0
            row[3 * width : 4 * width] = _NO_TAG
        s["n"] += 1
        arrive(s, row, width, newest, older, sampled, x[i])
        if s["n"] > newest:
            age(s, row, width, newest, older, sampled, seed)
        if s["n"] < width:
            continue
        if s["wait"] > 0:
            s["wait"] -= 1
        else:
            s["height"] = distance(row[width : 2 * width], row[2 * width : 3 * width], width)
            s["wait"] = max(0, (s["critical"] - 1 - int(abs(s["height"]))) // (newest + older))
            if abs(s["height"]) >= s["critical"] and abs(s["height"]) > least * newest * older:
                s["drifted"] = 1
                flag[i] = DRIFT
        score[i] = s["height"] / (newest * older)


def _newest(values: Mapping[str, Value]) -> int:
    """How many of the window are compared with its older ones."""
    stat_size = values["stat_size"]
    return int(values["window_size"] or 0) // 4 if stat_size is None else int(stat_size)


def _check(values: Mapping[str, Any]) -> None:
    width, newest, sampled = values["window_size"], _newest(values), values["older"] == "sample"
    most = width // 2 if sampled else width - 1
    if newest > most:
        raise ParameterError("kswin", "stat_size", newest, f"with window_size={width} it is at most {most}")
    alpha = values["alpha"] or 0.5 / values["run_length"]
    older = newest if sampled else width - newest
    if 2.0 / math.comb(newest + older, newest) > alpha:
        raise ParameterError(
            "kswin", "stat_size", newest, f"of {newest} against {older} values no order is as rare as {alpha:.3g}"
        )


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(values["window_size"])


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= params[1], dtype=np.bool_)


def _memory_width(values: Mapping[str, Any]) -> int:
    return int(values["window_size"]) * (5 if values["older"] == "sample" else 3)


KSWIN = Detector(
    name="kswin",
    summary="A change of the distribution within a short window: large shifts of the mean, mostly.",
    use_when="If what is normal is only what was normal a few hundred values ago, so that no baseline may be learned. "
    "So few values cannot tell a small change, nor a doubled spread: `conformal` finds both, and sooner. "
    "window_size=100, stat_size=30, alpha=0.005, min_distance=0.1 and older=sample is what river's has by default (its "
    "random numbers differ).",
    false_alarms="Guaranteed: at least `run_length` observations on average, if they are independent draws from any "
    "one distribution. Measured with the defaults: 1 in 10 million normal, uniform, exponential, Student-t(3) and 0/1 "
    "values. With the paper's alpha of 0.005 for each look one in 1,100 observations, in 1,800 with its sample (in 700 "
    "with river's, which draws another at each look).",
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 100 and 50 trials", "ddm"
        ),
        Unsuited(
            "neighbours",
            "11 alarms in 100,000 where half of each deviation is carried on, 260 where nine tenths are",
            "cusum",
        ),
    ),
    statistic="The distance of the two distribution functions, from 0 to 1, when it was last looked at, which is as "
    "soon as it can be an alarm; below zero where the newest values are the lower ones at its widest point (with a "
    "change of the spread alone that is chance). Compared with the distance that is rare enough.",
    reference="C. Raab, M. Heusinger, F.-M. Schleif, Reactive soft prototype computing for concept drift streams, "
    "Neurocomputing 416 (2020), pp. 340-351; p-values by J. L. Hodges, The significance probability of the Smirnov "
    "two-sample test, Arkiv för Matematik 3 (1958), pp. 469-486.",
    parameters=(
        Parameter("run_length", "float", 1e6, 2.0, 1e12, "observations", "Between false alarms, on average, at least."),
        Parameter("window_size", "int", 300, 40, 1000, "observations", "How many are kept."),
        Parameter("stat_size", "int", None, 5, 150, "observations", "How many of them are the newest; else a quarter."),
        Parameter("older", "choice", "all", 0, 0, "", "What of the older values they are compared with.", _OLDER),
        Parameter("alpha", "float", None, 1e-12, 0.5, "probability", "Of one look, instead of `run_length`."),
        Parameter("min_distance", "float", 0.0, 0.0, 1.0, "", "A distance that is never an alarm, however rare."),
        Parameter("seed", "int", 0, 0, 2**31 - 1, "", "Of the generator that draws the sample."),
    ),
    fields=[("n", "<i8"), ("critical", "<i8"), ("members", "<i8"), ("wait", "<i8"), ("height", "<f8")],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    memory_width=_memory_width,
    check=_check,
)
