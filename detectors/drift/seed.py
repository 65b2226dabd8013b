"""SEED: a window of blocks that may be cut between any two of them, and fewer and fewer cuts that are worth trying.

Values are summed up in blocks of ``block_size``. Whenever one is full, the means before and after each boundary are
compared, the newest boundary first, by the bound of ADWIN; where they differ by more, the stream has changed. Every so
many blocks the window is compressed: from the newest boundary back to the oldest, two blocks become one if their means
differ by less than ``epsilon``, which grows by ``growth`` of itself at each boundary, so that what is long ago is
summed up more coarsely. A window with no room left for another block joins its two oldest.

Differences are measured in standard deviations of the window, so that the units of the values do not matter. No value
counts for more than 10 of them, as they are when its block is full (in the first block it is 10 times the deviation
from the median that three quarters do not exceed): a wild value neither alarms nor leaves the window deaf. The paper
has values between 0 and 1, and so has MOA, whose sum of squares compares each value with a mean that already contains
it, and is no longer that of the window once a part has been dropped. `compatible` = "moa" does as it does; with
``delta=0.05`` and ``after_drift="keep"`` too, alarms are the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter, Unsuited
from detectors.drift.scale import median_and_deviation, within
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["SEED"]

_FIELDS = 3  # of a block: count, total, sum of squared deviations
_AFTER_DRIFT = ("forget", "keep")
_COMPATIBLE = ("none", "moa")
_CLIP = 10.0  # sd
_ROUNDING = 1e-12  # of a mean: differences as small are none


@inlined
def spread(n: float, mean: float, other: float, mean_of_other: float) -> float:
    """Return what the squared deviations of two parts are more together than in each."""
    return n * other / (n + other) * (mean - mean_of_other) * (mean - mean_of_other)


@inlined
def add_as_moa(s: Any, block: FloatArray, values: FloatArray) -> None:
    """Put `values` into an empty block and into the window as MOA does."""
    for x in values:
        width = s["width"]
        s["width"] = width + 1
        s["total"] += x
        block[0] += 1.0
        block[1] += x
        if width > 0:
            gap = x - s["total"] / width
            between = width * gap * gap / (width + 1)
            s["squares"] += between
            block[2] += between


@inlined
def add(s: Any, block: FloatArray, values: FloatArray) -> None:
    """Put `values` into an empty block and into the window."""
    for x in values:
        block[1] += x
    block[0] = values.size
    mean = block[1] / block[0]
    for x in values:
        block[2] += (x - mean) * (x - mean)
    s["squares"] += block[2]
    if s["width"] > 0:
        s["squares"] += spread(block[0], mean, float(s["width"]), s["total"] / s["width"])
    s["width"] += values.size
    s["total"] += block[1]


@inlined
def join(blocks: FloatArray, i: int, moa: bool) -> None:
    """Make block `i` part of the one before it, and leave it empty."""
    if not moa:
        blocks[i - 1, 2] += spread(
            blocks[i, 0], blocks[i, 1] / blocks[i, 0], blocks[i - 1, 0], blocks[i - 1, 1] / blocks[i - 1, 0]
        )
    for field in range(_FIELDS):
        blocks[i - 1, field] += blocks[i, field]
        blocks[i, field] = 0.0


@inlined
def close_up(blocks: FloatArray, count: int) -> int:
    """Move the blocks that are not empty to the front; return how many there are."""
    remaining = 0
    for i in range(count):
        if blocks[i, 0] > 0.0:
            for field in range(_FIELDS):
                blocks[remaining, field] = blocks[i, field]
            remaining += 1
    for i in range(remaining, count):
        for field in range(_FIELDS):
            blocks[i, field] = 0.0
    return remaining


@inlined
def compress(s: Any, blocks: FloatArray, step: float, moa: bool) -> None:
    """Join blocks whose means hardly differ, the newest first; `step` is what is let pass at each boundary more."""
    epsilon = 0.0
    for i in range(s["blocks"] - 1, 0, -1):
        epsilon += step
        gap = blocks[i - 1, 1] / blocks[i - 1, 0] - blocks[i, 1] / blocks[i, 0]
        if abs(gap) < epsilon:
            join(blocks, i, moa)
    s["blocks"] = close_up(blocks, s["blocks"])


@inlined
def find_cut(s: Any, blocks: FloatArray, delta: float, reach: float, moa: bool) -> tuple[int, float]:
    """Return the newest boundary at which the means differ, as the first block after it, and by how much; or 0, 0.

    The bound is Bernstein's for values that are within `reach` sd of their mean.
    """
    variance = s["squares"] / s["width"]
    if variance < 0.0 or s["blocks"] < 2:
        return 0, 0.0
    farthest = 1.0 if moa else reach * math.sqrt(variance)
    log_term = math.log(2.0 * math.log(s["width"]) / delta)
    n0, n1, u0, u1 = float(s["width"]), 0.0, s["total"], 0.0
    for i in range(s["blocks"] - 1, 0, -1):
        n0 -= blocks[i, 0]
        n1 += blocks[i, 0]
        u0 -= blocks[i, 1]
        u1 += blocks[i, 1]
        recip = 1.0 / n0 + 1.0 / n1
        bound = math.sqrt(2.0 * recip * variance * log_term) + 2.0 / 3.0 * log_term * recip * farthest
        if not moa:
            bound += _ROUNDING * (abs(u0 / n0) + abs(u1 / n1))
        if abs(u1 / n1 - u0 / n0) > bound:
            return i, float(u1 / n1 - u0 / n0)
    return 0, 0.0


@inlined
def forget(s: Any, blocks: FloatArray, first: int, moa: bool) -> None:
    """Drop the blocks before `first`."""
    for i in range(first):
        s["width"] -= int(blocks[i, 0])
        s["total"] -= blocks[i, 1]
        s["squares"] -= blocks[i, 2]
        blocks[i, 0] = 0.0
    s["blocks"] = close_up(blocks, s["blocks"])
    if not moa:
        s["squares"], mean = 0.0, s["total"] / s["width"]
        for i in range(s["blocks"]):
            gap = blocks[i, 1] / blocks[i, 0] - mean
            s["squares"] += blocks[i, 2] + blocks[i, 0] * gap * gap


@inlined
def make_room(s: Any, blocks: FloatArray, epsilon: float, growth: float, every: int, moa: bool) -> None:
    """Make room for another block, having compressed the window if it is time to."""
    if s["since"] > every and s["blocks"] > 1:
        s["since"] = 0
        unit = 1.0 if moa else math.sqrt(max(s["squares"], 0.0) / s["width"])
        compress(s, blocks, epsilon * growth * unit, moa)
    if s["blocks"] == len(blocks):
        join(blocks, 1, moa)
        s["blocks"] = close_up(blocks, s["blocks"])
    if s["blocks"] > 0:
        s["since"] += 1


@inlined
def reset(s: Any, blocks: FloatArray) -> None:
    """Empty the window."""
    blocks[:] = 0.0
    s["n"], s["width"], s["blocks"], s["since"], s["total"], s["squares"] = 0, 0, 0, 0, 0.0, 0.0


@kernel
def clip(s: Any, values: FloatArray, most: float) -> None:
    """Bring `values` that are more than `most` sd of the window from its mean as near as that.

    Of the first block it is the deviation from their median that three quarters do not exceed. Where all were equal so
    far, no value is too far away.
    """
    if s["width"] > 0:
        mean, deviation = s["total"] / s["width"], math.sqrt(max(s["squares"], 0.0) / s["width"])
    else:
        mean, deviation = median_and_deviation(values)
    if deviation > _ROUNDING * abs(mean):
        for j in range(values.size):
            values[j] = mean + within(values[j] - mean, most * deviation)


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

    Values wait at the beginning of the row of memory until they fill a block, since nothing is said before.
    """
    delta, size, epsilon, growth, every = params[0], int(params[1]), params[2], params[3], int(params[4])
    reach, keep, moa = params[6], params[7] == 1, params[8] == 1
    for i in range(x.size):
        row = series[i]
        score[i] = 0.0
        flag[i] = OK
        s = state[row]
        if not abs(x[i]) <= MAX_ABS:
            s["skipped"] += 1
            continue
        if s["drifted"] == 1:
            s["drifted"] = 0
            if not keep:
                reset(s, memory[row, size:])
        memory[row, s["waiting"]] = x[i]
        s["waiting"] += 1
        s["n"] += 1
        if s["waiting"] < size:
            continue
        s["waiting"] = 0
        values, blocks = memory[row, :size], memory[row, size:].reshape((-1, _FIELDS))
        if not moa:
            clip(s, values, max(_CLIP, reach))
        make_room(s, blocks, epsilon, growth, every, moa)
        block = blocks[s["blocks"]]
        s["blocks"] += 1
        if moa:
            add_as_moa(s, block, values)
        else:
            add(s, block, values)
        first, score[i] = find_cut(s, blocks, delta, reach, moa)
        if first > 0:
            s["drifted"] = 1
            flag[i] = DRIFT
            if keep:
                forget(s, blocks, first, moa)


def _min_samples(values: Mapping[str, Any]) -> int:
    return 2 * int(values["block_size"])


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= 2 * params[1], dtype=np.bool_)


def _quiet(row: np.void, params: FloatArray) -> int:
    return int(params[1]) - 1 - int(row["waiting"])


def _memory_width(values: Mapping[str, Any]) -> int:
    return int(values["block_size"]) + _FIELDS * int(values["max_blocks"])


SEED = Detector(
    name="seed",
    summary="A change of the mean, over whatever span of blocks shows it first, in no units; cheap.",
    use_when="If many series must be watched at little cost: it looks once in a block. Like `adwin` it learns no "
    "baseline, and finds small changes if they last; a change of the spread is not found.",
    false_alarms="`delta` bounds the probability of a false alarm at one look, for values within `reach` sd of their "
    "mean. Measured with the defaults, in 100,000 values each: 0.06 normal, 0.01 uniform, 0.04 exponential, 0.03 "
    "Student-t(3), 0.02 of 0/1, and at most 0.4 sparse, log-normal, Pareto and Cauchy ones. MOA's settings: 4.4, 0.6, "
    "6.3, 19 and 1.4, most in clusters.",
    unsuited=(
        Unsuited(
            "few errors", "5.7 alarms in 100,000 where 0.1 % are ones (95 %: 5.3 to 6.2), 0.6 where 1 % are", "adwin"
        ),
        Unsuited(
            "neighbours",
            "18 alarms in 100,000 where half of each deviation is carried on, 370 where nine tenths are",
            "cusum",
        ),
    ),
    statistic="At an alarm, the mean of the newer part of the window less that of the older; otherwise 0. The bound it "
    "has to pass depends on the cut.",
    reference="D. T. J. Huang, Y. S. Koh, G. Dobbie, R. Pears, Detecting volatility shift in data streams, IEEE "
    "International Conference on Data Mining (2014), pp. 863-868; the bound by A. Bifet, R. Gavaldà, Learning from "
    "time-changing data with adaptive windowing, SIAM International Conference on Data Mining (2007), pp. 443-448.",
    parameters=(
        Parameter("delta", "float", 0.005, 1e-100, 0.99, "probability", "Of a false alarm, at one look."),
        Parameter("block_size", "int", 32, 1, 1e4, "observations", "In a block; how often to look."),
        Parameter("epsilon", "float", 0.01, 0.0, 1e6, "sd", "How much two means may differ that are joined."),
        Parameter("growth", "float", 0.8, 0.0, 1e6, "", "What of `epsilon` each boundary further back adds."),
        Parameter("compress_every", "int", 75, 1, 1e6, "blocks", "How often to join blocks."),
        Parameter("max_blocks", "int", 200, 2, 1e4, "blocks", "How many there is room for."),
        Parameter(
            "reach", "float", 3.0, 0.0, 1e6, "sd", "How far from the mean values are: more stands more outliers."
        ),
        Parameter(
            "after_drift",
            "choice",
            "forget",
            0,
            0,
            "",
            "Empty the window, or keep its newer part: sooner ready, but one change may alarm several times.",
            _AFTER_DRIFT,
        ),
        Parameter("compatible", "choice", "none", 0, 0, "", "Decide as MOA does, in units of x.", _COMPATIBLE),
    ),
    fields=[
        ("n", "<i8"),
        ("waiting", "<i8"),
        ("width", "<i8"),
        ("blocks", "<i8"),
        ("since", "<i8"),
        ("total", "<f8"),
        ("squares", "<f8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    memory_width=_memory_width,
    quiet=_quiet,
)
