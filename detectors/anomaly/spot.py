"""SPOT and DSPOT: how improbable an observation is by the tails that extreme-value theory gives a distribution.

The first `warm_up` observations give a threshold on either side, such that a share of ``1 - quantile`` is beyond it.
What is beyond from then on is a peak, and how far beyond follows a generalised Pareto distribution, whatever the
observations do (Pickands, Balkema, de Haan). So the probability to be beyond ``t + y`` is ``k / n * (1 + shape * y /
scale) ** (-1 / shape)``, with ``k`` peaks among ``n`` observations. Shape and scale are those of largest likelihood
for the last `peaks` peaks, found by Grimshaw's trick, which leaves one equation in one unknown; they are fitted anew at
each `refit`-th peak (at each, in the paper). Between the thresholds the score rises evenly from 0 in the middle.

Of 200 peaks the shape is known to within 0.07, and far out that is a lot: a tail that is thought too light is wrong too
often. So the shape is taken to be `margin` standard errors more; with 0 it is the paper's.

An observation that is less probable than `risk` is learned as if it were just as probable. In the paper nothing is
learned from it, and a series that has moved for good is odd for ever: ``anomalies: skip`` does that.

DSPOT (drifting) looks at how far observations are from the mean of the last `depth`, to which those of the start count
as far as they lie within 20 robust deviations. Thresholds and counts are never forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly.generalised_pareto import FEW, fit_safely
from detectors.anomaly.start import tame
from detectors.contract import FloatArray, Parameter, ParameterError, Scorer, Value
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["DSPOT", "SPOT"]

_HIGHEST = 1e100
_ANOMALIES = ("clip", "skip")
_SKIP = 1
_BELIEVED = 20.0  # robust deviations, within which the mean of DSPOT believes the observations of a start
_END = 0.99  # how far towards the end of a tail that ends the logarithm of its probability is followed


@inlined
def tail_score(excess: float, count: int, n: int, shape: float, scale: float) -> float:
    """Return minus the decimal logarithm of the probability to be so far beyond the threshold, at most 1e100.

    A tail of negative shape has an end, at which the logarithm is infinite. From shortly before, it goes on along its
    tangent: an end that is estimated is no reason to call everything beyond it equally impossible.
    """
    if count == 0:
        return math.log10(n + 1)
    relative = excess / scale if excess < _HIGHEST * scale else _HIGHEST
    if abs(shape) < 1e-12:
        exponent = relative
    elif shape * relative > -_END:
        exponent = math.log1p(shape * relative) / shape
    else:
        exponent = math.log1p(-_END) / shape + (relative + _END / shape) / (1.0 - _END)
    return min(math.log10(n / count) + exponent / math.log(10.0), _HIGHEST)


@inlined
def furthest(count: int, n: int, shape: float, scale: float, risk: float) -> float:
    """Return how far beyond the threshold the probability is `risk` (eq. 1), and at least one scale."""
    ratio = math.log(count / (risk * n))
    if abs(shape) < 1e-12:
        return max(scale * ratio, scale)
    return max(scale * math.expm1(min(shape * ratio, 200.0)) / shape, scale)


@inlined
def insert(ordered: FloatArray, count: int, x: float) -> None:
    """Put `x` among the first `count` values, which are ascending."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < x:
            low = middle + 1
        else:
            high = middle
    for j in range(count, low, -1):
        ordered[j] = ordered[j - 1]
    ordered[low] = x


@inlined
def begin(s: Any, up: FloatArray, down: FloatArray, ordered: FloatArray, params: FloatArray) -> None:
    """Set the thresholds by the observations of the warm-up, which are `ordered`, and take its peaks."""
    n = ordered.size
    below = int(params[0] * n)
    s["high"], s["low"] = ordered[below], ordered[n - 1 - below]
    for j in range(n):
        if ordered[j] > s["high"]:
            up[s["peaks_up"]] = ordered[j] - s["high"]
            s["peaks_up"] += 1
        if ordered[j] < s["low"]:
            down[s["peaks_down"]] = s["low"] - ordered[j]
            s["peaks_down"] += 1
        ordered[j] = 0.0
    if s["peaks_up"] > 0:
        s["shape_up"], s["scale_up"] = fit_safely(up, s["peaks_up"], params[6])
    if s["peaks_down"] > 0:
        s["shape_down"], s["scale_down"] = fit_safely(down, s["peaks_down"], params[6])


@inlined
def absorb(
    peaks: FloatArray, count: int, excess: float, tail: tuple[float, float], params: FloatArray
) -> tuple[float, float]:
    """Put a peak, the one after `count` others, in the place of the oldest, and return shape and scale then."""
    peaks[count % peaks.size] = excess
    # The first ones each tell a lot.
    if count < FEW or (count + 1) % int(params[4]) == 0:
        return fit_safely(peaks, min(count + 1, peaks.size), params[6])
    return tail


@inlined
def beyond(
    peaks: FloatArray, count: int, n: int, tail: tuple[float, float], excess: float, params: FloatArray
) -> tuple[float, float, float, float]:
    """Score what is beyond a threshold by `excess`, and learn from it.

    Returns
    -------
    tuple of float
        The score; the excess that was learned, NaN if none was; shape and scale from now on.
    """
    shape, scale = tail
    score = tail_score(excess, count, n, shape, scale)
    if count > 0:
        most = furthest(count, n, shape, scale, params[1])
        if excess > most:
            if params[5] == _SKIP:
                return score, math.nan, shape, scale
            excess = most
    shape, scale = absorb(peaks, count, excess, tail, params)
    return score, excess, shape, scale


@inlined
def step(s: Any, up: FloatArray, down: FloatArray, n: int, params: FloatArray, x: float) -> tuple[float, float]:
    """Score `x` and learn from it; return the score, and what it was learned as, NaN if it was not."""
    low, high = s["low"], s["high"]
    if x > high:
        tail = s["shape_up"], s["scale_up"]
        score, excess, s["shape_up"], s["scale_up"] = beyond(up, s["peaks_up"], n, tail, x - high, params)
        s["peaks_up"] += 0 if math.isnan(excess) else 1
        return score, high + excess
    if x < low:
        tail = s["shape_down"], s["scale_down"]
        score, excess, s["shape_down"], s["scale_down"] = beyond(down, s["peaks_down"], n, tail, low - x, params)
        s["peaks_down"] += 0 if math.isnan(excess) else 1
        return score, low - excess
    middle = 0.5 * (low + high)
    half = max(high - middle, middle - low)
    if half == 0.0:
        return 0.0, x
    count = s["peaks_up"] if x > middle else s["peaks_down"]
    base = math.log10(min(n / max(count, 1), 1.0 / (1.0 - params[0])))
    return base * min(abs(x - middle) / half, 1.0), x


@inlined
def run(
    state: Any,
    memory: FloatArray,
    params: FloatArray,
    series: NDArray[np.int64],
    x: FloatArray,
    score: FloatArray,
    depth: int,
) -> None:
    """Score a batch by what is left of observations without the mean of the last `depth`; see `update`."""
    warm_up, peaks = int(params[2]), int(params[3])
    recent_at = 2 * peaks
    warm_up_at = recent_at + depth
    for i in range(series.size):
        s, row_memory = state[series[i]], memory[series[i]]
        value = x[i, 0]
        score[i] = math.nan
        if not abs(value) <= MAX_ABS:
            s["skipped"] += 1
            continue
        n = s["n"]
        mean = 0.0
        for j in range(depth):
            mean += row_memory[recent_at + j] / depth
        learned = value - mean
        up, down, ordered = (
            row_memory[:peaks],
            row_memory[peaks:recent_at],
            row_memory[warm_up_at : warm_up_at + warm_up],
        )
        if n >= depth + warm_up:
            score[i], learned = step(s, up, down, n - depth, params, learned)
            if math.isnan(learned):
                continue
        elif n >= depth:
            insert(ordered, n - depth, learned)
            # Until there are thresholds, `high` is how far from the mean observations are believed to be.
            if s["high"] > 0.0:
                learned = min(max(learned, -s["high"]), s["high"])
            if n == depth + warm_up - 1:
                begin(s, up, down, ordered, params)
        if depth > 0:
            row_memory[recent_at + n % depth] = learned + mean
            if n == depth - 1 and depth >= FEW:
                s["high"] = tame(row_memory[recent_at:warm_up_at], _BELIEVED)
        s["n"] = n + 1


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
    run(state, memory, params, series, x, score, 0)


@kernel
def update_drifting(
    state: Any,
    memory: FloatArray,
    params: FloatArray,
    series: NDArray[np.int64],
    x: FloatArray,
    score: FloatArray,
) -> None:
    """Score a batch by how far observations are from the mean of the last ones, and learn from it."""
    run(state, memory, params, series, x, score, int(params[7]))


def _checked_as(name: str) -> Any:
    def check(values: Mapping[str, Value]) -> None:
        quantile, warm_up, peaks = values["quantile"], values["warm_up"], values["peaks"]
        assert isinstance(quantile, float)
        assert isinstance(warm_up, int)
        assert isinstance(peaks, int)
        most = warm_up - int(quantile * warm_up)
        if most > peaks:
            raise ParameterError(name, "peaks", peaks, f"a warm-up of {warm_up} may have {most} peaks: allow as many")

    return check


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(values["warm_up"]) + int(values.get("depth", 0))


def _memory_width(values: Mapping[str, Any], dimension: int) -> int:
    return 2 * int(values["peaks"]) + int(values["warm_up"]) + int(values.get("depth", 0))


_PARAMETERS = (
    Parameter("quantile", "float", 0.98, 0.5, 0.9999, "probability", "What is below the high threshold."),
    Parameter("risk", "float", 1e-4, 1e-12, 0.01, "probability", "What is less probable is learned as if it were not."),
    Parameter("warm_up", "int", 1000, 20, 100_000, "observations", "From how many the thresholds are settled."),
    Parameter("peaks", "int", 200, 1, 100_000, "peaks", "How many of the last ones a tail is fitted to."),
    Parameter("refit", "int", 8, 1, 100_000, "peaks", "After how many new ones it is fitted anew."),
    Parameter("anomalies", "choice", "clip", 0, 0, "", "Learn what is too improbable as less so, or not.", _ANOMALIES),
    Parameter("margin", "float", 1.0, 0.0, 10.0, "standard errors", "By how much tails are taken to be heavier."),
)

_FIELDS = [
    ("low", "<f8"),
    ("high", "<f8"),
    ("peaks_up", "<i8"),
    ("peaks_down", "<i8"),
    ("shape_up", "<f8"),
    ("shape_down", "<f8"),
    ("scale_up", "<f8"),
    ("scale_down", "<f8"),
]

_STATISTIC = (
    "Minus the decimal logarithm of the probability to be so far out on that side, at most 1e100: 4 is one in 10,000."
)

_REFERENCE = (
    "A. Siffer, P.-A. Fouque, A. Termier, C. Largouet, Anomaly detection in streams with extreme value theory, KDD "
    "(2017), pp. 1067-1075; S. D. Grimshaw, Computing maximum likelihood estimates for the generalized Pareto "
    "distribution, Technometrics 35 (1993), pp. 185-191."
)

SPOT = Scorer(
    name="spot",
    summary="A value beyond the tails of the series, by extreme-value theory.",
    use_when="For a signal that does not move, if a score is to be a probability by itself, from its own tails alone.",
    statistic=_STATISTIC,
    reference=_REFERENCE,
    parameters=_PARAMETERS,
    fields=_FIELDS,
    update=update,
    min_samples=_min_samples,
    ready=lambda state, params: np.asarray(state["n"] >= params[2], dtype=np.bool_),
    check=_checked_as("spot"),
    vectors=False,
    memory_width=_memory_width,
)

DSPOT = Scorer(
    name="dspot",
    summary="A value beyond the tails of what is left without the moving mean, by extreme-value theory.",
    use_when="As `spot`, for a signal whose level drifts slowly.",
    statistic=_STATISTIC,
    reference=_REFERENCE,
    parameters=(
        *_PARAMETERS,
        Parameter(
            "depth", "int", 100, 1, 10_000, "observations", "Of how many of the last ones the mean is taken off."
        ),
    ),
    fields=_FIELDS,
    update=update_drifting,
    min_samples=_min_samples,
    ready=lambda state, params: np.asarray(state["n"] >= params[2] + params[7], dtype=np.bool_),
    check=_checked_as("dspot"),
    vectors=False,
    memory_width=_memory_width,
    layout=2,
)
