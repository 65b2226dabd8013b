"""From scores to levels: how a score compares with those that the series had before.

The level of a score is 1 less its p-value, and the p-value is conformal: of n earlier scores, ``(1 + how many are at
least as high) / (n + 1)`` (Vovk, Gammerman, Shafer, Algorithmic learning in a random world, 2005, section 2.2). If
scores come in no particular order it is uniform, whatever their distribution.

It is worked out from a reference of up to `history` scores. The reference holds the 128 highest, so that counting is
exact where it matters, and a random sample of 128 for the rest. Beyond the 16th highest too few are left to count;
there the generalised Pareto distribution takes over, fitted to the excesses of the highest 127 (of an eighth of them,
as long as there are fewer than 1,016), so that a p-value of one in a million means something. Where the highest scores
are all equal there is nothing to fit, and counting goes on to the last one.

Scores are gathered while the reference serves. Those gathered become the reference when they are 128, 256, 512 and so
on; when they are `history`, gathering begins anew. So what is older than twice `history` is forgotten. A score that is
rarer than one in ten times those of the reference is gathered as if it were just as rare as that: one glitch does not
hide the next.

After an anomaly, the next `hold_off` scores are none, however high: one that lasts is said once. They have a level, and
are learned, as any other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import FloatArray, Parameter
from detectors.kernel import inlined, kernel
from detectors.rows import copy_row

__all__ = ["LEVEL_FIELDS", "LEVEL_PARAMETERS", "LEVEL_WIDTH", "calibrate"]

_FIRST = 128  # scores before there is a level
_SAMPLE = 128
_TOP = 128
_COUNTED = 16  # how many of the highest are counted before the fitted tail takes over
_WIDTH = _SAMPLE + _TOP

LEVEL_WIDTH = 2 * _WIDTH
"""The float64 in a row of memory: sample and highest of those gathered, then of the reference, both sorted."""

LEVEL_FIELDS: list[tuple[str, str]] = [
    ("gathered", "<i8"),
    ("due", "<i8"),
    ("draw", "<i8"),
    ("reference", "<i8"),
    ("anchor", "<f8"),
    ("share", "<f8"),
    ("scale", "<f8"),
    ("shape", "<f8"),
    ("ceiling", "<f8"),
    ("held", "<i8"),
]
"""Scores gathered, and when they are to become the reference; the generator; scores in the reference, and its tail: p
of a score s above the anchor is ``share * (1 + shape * (s - anchor) / scale) ** (-1 / shape)``; scale 0 is no tail.
Last, for how many scores more nothing is an anomaly."""

LEVEL_PARAMETERS = (
    Parameter(
        "false_alarm_rate", "float", 1e-5, 1e-12, 0.5, "probability", "Of an ordinary observation being an anomaly."
    ),
    Parameter("history", "int", 10_000, 128, 1e9, "scores", "From how many a level is worked out."),
    Parameter("hold_off", "int", 0, 0, 1e9, "scores", "After an anomaly, how many are none."),
)
"""What all scorers can be given besides their own parameters."""


@inlined
def at_least(descending: FloatArray, count: int, x: float) -> int:
    """Return how many of the first `count` values are `x` or higher."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if descending[middle] >= x:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def insert(descending: FloatArray, count: int, x: float) -> None:
    """Put `x` among the first `count` values; the last one moves on, or out if there is no more room."""
    rank = at_least(descending, count, x)
    for j in range(min(count, descending.size - 1), rank, -1):
        descending[j] = descending[j - 1]
    if rank < descending.size:
        descending[rank] = x


@inlined
def gather(c: Any, sample: FloatArray, top: FloatArray, score: float) -> None:
    """Take `score` in: into the sample by lot (Vitter 1985, algorithm R), and among the highest if it is one."""
    n = c["gathered"]
    if n < _SAMPLE:
        sample[n] = score
    else:
        c["draw"] = (c["draw"] + 1) * 48271 % 2147483647  # Park and Miller 1988; from 0 on
        slot = c["draw"] % (n + 1)
        if slot < _SAMPLE:
            sample[slot] = score
    if n < _TOP or score > top[_TOP - 1]:
        insert(top, min(n, _TOP), score)
    c["gathered"] = n + 1


@kernel
def fitted_shape(top: FloatArray, k: int) -> tuple[float, float]:
    """Return shape and scale of the generalised Pareto distribution of the `k` highest above the next one.

    After J. Zhang, M. A. Stephens, A new and efficient estimation method for the generalized Pareto distribution,
    Technometrics 51 (2009), section 3: ``b = -shape / scale`` is a mean of points, weighted by their profile
    likelihood. Excesses are told in units of the largest. A scale of 0 is no spread.
    """
    base = top[k]
    largest = top[0] - base
    total = 0.0
    for i in range(k):
        total += top[i] - base
    quartile = top[k - 1 - int(k / 4 + 0.5)] - base
    if quartile <= 1e-12 * largest:
        return 0.0, total / k
    points = 20 + int(math.sqrt(k))
    highest, weights, weighted = -math.inf, 0.0, 0.0
    for j in range(points):
        b = 1.0 + (1.0 - math.sqrt(points / (j + 0.5))) * largest / (3.0 * quartile)
        shape = 0.0
        for i in range(k):
            shape += math.log1p(-b * ((top[i] - base) / largest))
        shape /= k
        # The two are of opposite sign; where b is all but 0, so is the shape.
        if b * shape >= 0.0:
            continue
        likelihood = k * (math.log(-b / shape) - shape - 1.0)
        if likelihood > highest:
            rescaled = math.exp(highest - likelihood)
            weights, weighted, highest = weights * rescaled, weighted * rescaled, likelihood
        weight = math.exp(likelihood - highest)
        weights += weight
        weighted += weight * b
    if weights == 0.0:
        return 0.0, total / k
    b = weighted / weights
    shape = 0.0
    for i in range(k):
        shape += math.log1p(-b * ((top[i] - base) / largest))
    shape /= k
    if b * shape >= 0.0:
        return 0.0, total / k
    return shape, -shape / b * largest


@kernel
def replace_reference(c: Any, reference: FloatArray) -> None:
    """Let those gathered be the reference, and fit its tail."""
    n = c["gathered"]
    reference[_WIDTH:] = 0.0
    for i in range(min(n, _SAMPLE)):
        insert(reference[_WIDTH : _WIDTH + _SAMPLE], i, reference[i])
    copy_row(reference[_SAMPLE:_WIDTH], reference[_WIDTH + _SAMPLE :])
    c["reference"] = n
    top = reference[_SAMPLE:_WIDTH]
    k = min(_TOP - 1, n // 8)
    counted = min(_COUNTED, k // 2)
    shape, scale = fitted_shape(top, k)
    c["anchor"] = top[counted - 1]
    c["share"] = counted / (n + 1)
    c["scale"] = scale + shape * (top[counted - 1] - top[k])
    # One standard error more than fitted: a tail that is thought too light would be wrong too often.
    c["shape"] = max(shape, 0.0) + 1.0 / math.sqrt(k)
    c["ceiling"] = math.inf
    if c["scale"] > 0.0:
        c["ceiling"] = top[counted - 1] + c["scale"] / c["shape"] * math.expm1(c["shape"] * math.log(10.0 * counted))


@inlined
def p_value(c: Any, reference: FloatArray, score: float) -> float:
    """Return how probable a score at least as high is, by the reference."""
    n = c["reference"]
    k = min(n, _TOP)
    if score > c["anchor"] and c["scale"] > 0.0:
        excess = score - c["anchor"]
        relative = excess / c["scale"] if excess < 1e100 * c["scale"] else 1e100
        return float(c["share"] * math.exp(-math.log1p(c["shape"] * relative) / c["shape"]))
    top = reference[_WIDTH + _SAMPLE :]
    if n <= _TOP or score > top[k - 1]:
        return float((1 + at_least(top, k, score)) / (n + 1))
    m = min(n, _SAMPLE)
    return float(max((1 + at_least(reference[_WIDTH : _WIDTH + _SAMPLE], m, score)) / (m + 1), (k + 1) / (n + 1)))


@kernel
def calibrate(
    state: Any,
    memory: FloatArray,
    false_alarm_rate: float,
    history: int,
    hold_off: int,
    series: NDArray[np.int64],
    score: FloatArray,
    level: FloatArray,
    flag: NDArray[np.bool_],
) -> None:
    """Work out the level of each score, and learn from it.

    A level is NaN where the score is, and until 128 scores were gathered.
    """
    for i in range(series.size):
        level[i] = math.nan
        flag[i] = False
        value = score[i]
        if math.isnan(value):
            continue
        c, reference = state[series[i]], memory[series[i]]
        if c["reference"] > 0:
            p = p_value(c, reference, value)
            level[i] = 1.0 - p
            if c["held"] > 0:
                c["held"] -= 1
            elif p < false_alarm_rate:
                flag[i] = True
                c["held"] = hold_off
            value = min(value, c["ceiling"])
        gather(c, reference[:_SAMPLE], reference[_SAMPLE:_WIDTH], value)
        if c["gathered"] == max(c["due"], _FIRST):
            replace_reference(c, reference)
            c["due"] = min(2 * c["gathered"], history)
            if c["gathered"] == history:
                c["gathered"] = 0
