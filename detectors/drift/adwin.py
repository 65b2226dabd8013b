"""ADWIN: a window of the recent past that grows while its parts agree on the mean, and is cut where they do not.

The window is kept as buckets, of which level ``l`` holds up to ``max_buckets``, each the sum of 2**l consecutive
observations; one bucket too many, and the two oldest become one of the next level. A row of ``memory`` is the
observations that wait to be put into the window, and then, level by level, the number of buckets, the slot of the
oldest, and a ring of slots: total and sum of squared deviations. Out of levels, the window stays as long as it is.

The bound is for values from 0 to 1. Of values with heavy tails a single one can move the mean of the newest few beyond
it, so no value counts for more than `clip` sd of the window from its mean (or 1, if that is more), as they were when
the last values, 32 at most, were put in. A window that is still within its grace has no sd to go by: its first values
count for `clip` times the deviation from their median that three quarters of them do not exceed (or 1), so that a wild
one among them does not leave the window deaf. Values from 0 to 1 are never that far away. For them, and for all values
with ``clip`` = 1e15, decisions equal those of river 0.26, observation by observation (it is the oracle of the tests),
except that values which cannot be absorbed are skipped.

A cut is first tried without dividing, which rules out nearly all of them: its bound is at least what it would be with
parts of full length and without its second term.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter, Unsuited
from detectors.drift.scale import median_and_deviation
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["ADWIN"]

_LEVELS = 34  # room for 8.6e10 observations with the defaults: 1,000 a second for 2.7 years
_WAITING = 32  # the most observations that wait to be put into the window
_NO_LIMIT = 1e15
_TOO_FEW = 8  # of which no odd one can be told
_ROUNDING = 1e-15  # more than the relative error of the two ways to compute a difference of means
_AFTER_DRIFT = ("forget", "keep")


@inlined
def forget_oldest(
    memory: FloatArray, row: int, room: int, slots: int, width: float, total: float, squares: float, levels: int
) -> tuple[float, float, float, int]:
    """Take the oldest bucket off the window: return the last four arguments, brought up to date.

    Babcock et al. 2003, section 2, solved for what remains.
    """
    base = room + (levels - 1) * (2 * slots + 2)
    oldest = base + 2 + 2 * int(memory[row, base + 1])
    size = 2.0 ** (levels - 1)
    rest = width - size
    rest_total = total - memory[row, oldest]
    gap = memory[row, oldest] / size - rest_total / rest
    squares -= memory[row, oldest + 1] + size * rest * gap * gap / (size + rest)
    memory[row, base] -= 1.0
    memory[row, base + 1] = (memory[row, base + 1] + 1.0) % slots
    return rest, rest_total, squares, levels - 1 if memory[row, base] == 0.0 else levels


@inlined
def insert(
    memory: FloatArray,
    row: int,
    room: int,
    slots: int,
    width: float,
    total: float,
    squares: float,
    levels: int,
    x: float,
) -> tuple[float, float, float, int]:
    """Put `x` into the window, as a bucket of its own, and merge what has become too many.

    Return ``width``, ``total``, ``squares`` and ``levels``, brought up to date.
    """
    if width > 0.0:
        gap = x - total / width
        squares += width * gap * gap / (width + 1.0)
    held, spread, size, level, base = x, 0.0, 1.0, 0, room
    while True:
        count, first = int(memory[row, base]), int(memory[row, base + 1])
        newest = first + count
        if newest >= slots:
            newest -= slots
        memory[row, base + 2 + 2 * newest] = held
        memory[row, base + 3 + 2 * newest] = spread
        if count + 1 < slots:
            memory[row, base] = count + 1
            break
        second = first + 1 if first + 1 < slots else 0
        third = second + 1 if second + 1 < slots else 0
        older_at, newer_at = base + 2 + 2 * first, base + 2 + 2 * second
        gap = (memory[row, older_at] - memory[row, newer_at]) / size
        held = memory[row, older_at] + memory[row, newer_at]
        spread = memory[row, older_at + 1] + memory[row, newer_at + 1] + size * 0.5 * gap * gap
        memory[row, base] = slots - 2
        memory[row, base + 1] = third
        level += 1
        base += 2 * slots + 2
        size *= 2.0
    return width + 1.0, total + x, squares, max(levels, level + 1)


@inlined
def cut(
    memory: FloatArray,
    row: int,
    room: int,
    slots: int,
    width: float,
    total: float,
    squares: float,
    levels: int,
    delta: float,
    shortest: int,
) -> float:
    """Cut once, if anywhere: return the newer mean less the older at the first cut that passes, or 0 for none.

    The bound is that of Bifet and Gavaldà, section 4.1, with the harmonic mean of the lengths of both parts, each
    less ``shortest - 1``.
    """
    cut_gap = 0.0
    # Of a window of nearly equal values, rounding may leave a sum of squares just under zero.
    if width >= 2 * shortest and squares >= 0.0:
        log_term = math.log(2.0 * math.log(width) / delta)
        variance = squares / width
        # The bound, times both lengths, squared; made a little smaller so that rounding cannot rule out a true cut.
        least = (1.0 - 1e-9) * 2.0 * width * variance * log_term
        n0, n1, u0, u1 = 0.0, width, 0.0, total
        base, size = room + (levels - 1) * (2 * slots + 2), 2.0 ** (levels - 1)
        while base >= room and cut_gap == 0.0:
            slot = int(memory[row, base + 1])
            for _ in range(int(memory[row, base])):
                held = memory[row, base + 2 + 2 * slot]
                slot = slot + 1 if slot + 1 < slots else 0
                n0 += size
                n1 -= size
                u0 += held
                u1 -= held
                if n1 < shortest:
                    break
                across = abs(u0 * n1 - u1 * n0) + _ROUNDING * (abs(u0) * n1 + abs(u1) * n0)
                if n0 >= shortest and across * across > least * n0 * n1:
                    gap = u0 / n0 - u1 / n1
                    recip = 1.0 / (n0 - shortest + 1.0) + 1.0 / (n1 - shortest + 1.0)
                    bound = math.sqrt(2.0 * recip * variance * log_term) + 2.0 / 3.0 * log_term * recip
                    if abs(gap) > bound:
                        cut_gap = -gap
                        break
            base -= 2 * slots + 2
            size *= 0.5
    return cut_gap


@inlined
def forget_all(memory: FloatArray, row: int, room: int, slots: int, levels: int) -> None:
    """Empty every level."""
    for level in range(levels):
        memory[row, room + level * (2 * slots + 2)] = 0.0


@kernel
def limits(
    waiting: FloatArray, clip: float, grace: float, width: float, total: float, squares: float
) -> tuple[float, float]:
    """Return the lowest and the highest value that counts as it is; of few that are `waiting`, all do.

    It is never closer to the mean than 1, the unit of the bound: a window of nearly equal values has next to no sd.
    """
    if clip >= _NO_LIMIT or (width <= grace and waiting.size < _TOO_FEW):
        return -MAX_ABS, MAX_ABS
    if width > grace:
        mean, deviation = total / width, math.sqrt(max(0.0, squares) / width)
    else:
        mean, deviation = median_and_deviation(waiting)
    reach = max(1.0, clip * deviation)
    return mean - reach, mean + reach


@inlined
def clipped(x: float, lowest: float, highest: float) -> float:
    """Return `x`, or the limit that it is beyond: by branches, which are hardly ever taken."""
    if x < lowest:
        return lowest
    if x > highest:
        return highest
    return x


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

    Observations wait in the row of memory until they are looked at or the room for them is full. Put into
    the window one after another they take half the time that they take between those of other series, because the
    processor then foresees which buckets are merged.
    """
    delta, clock, slots = params[0], int(params[1]), int(params[2]) + 1
    shortest, grace, keep = int(params[3]), params[4], params[5] == 1
    clip = params[6]
    # Until they are looked at, and at first until there is a scale.
    room = min(max(clock, int(grace) + 1), _WAITING)
    most_levels = (memory.shape[1] - room) // (2 * slots + 2)
    last_base = room + (most_levels - 1) * (2 * slots + 2)
    for i in range(x.size):
        row = series[i]
        score[i] = 0.0
        flag[i] = OK
        if not abs(x[i]) <= MAX_ABS:
            state[row]["skipped"] += 1
            continue
        s = state[row]
        if s["drifted"] == 1:
            s["drifted"] = 0
            if not keep:
                forget_all(memory, row, room, slots, s["levels"])
                s["n"], s["ticks"] = 0, 0
                s["width"], s["total"], s["squares"], s["levels"] = 0.0, 0.0, 0.0, 0
        memory[row, s["waiting"]] = x[i]
        s["waiting"] += 1
        s["n"] += 1
        s["ticks"] += 1
        if s["waiting"] < room and (s["ticks"] < clock or s["n"] <= grace):
            if s["ticks"] == clock:
                s["ticks"] = 0
            continue
        width, total, squares, levels = s["width"], s["total"], s["squares"], s["levels"]
        lowest, highest = limits(memory[row, : s["waiting"]], clip, grace, width, total, squares)
        for j in range(s["waiting"]):
            # No room for one more level: the window stays as long as it is.
            if levels == most_levels and memory[row, last_base] == slots - 1:
                width, total, squares, levels = forget_oldest(memory, row, room, slots, width, total, squares, levels)
            value = clipped(memory[row, j], lowest, highest)
            width, total, squares, levels = insert(memory, row, room, slots, width, total, squares, levels, value)
        s["waiting"] = 0
        if s["ticks"] == clock:
            s["ticks"] = 0
            gap = 0.0
            if width > grace:
                gap = cut(memory, row, room, slots, width, total, squares, levels, delta, shortest)
            while gap != 0.0:
                s["drifted"] = 1
                flag[i] = DRIFT
                if abs(gap) > abs(score[i]):
                    score[i] = gap
                width, total, squares, levels = forget_oldest(memory, row, room, slots, width, total, squares, levels)
                gap = cut(memory, row, room, slots, width, total, squares, levels, delta, shortest)
        s["width"], s["total"], s["squares"], s["levels"] = width, total, squares, levels


def _first_look(clock: float, shortest: float, grace: float) -> int:
    """Return the first multiple of the clock at which a window has its grace behind it and can be cut in two."""
    return int(clock * math.ceil(max(grace + 1, 2 * shortest) / clock))


def _min_samples(values: Mapping[str, Any]) -> int:
    return _first_look(values["clock"], values["min_window_length"], values["grace_period"])


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] >= _first_look(params[1], params[3], params[4]), dtype=np.bool_)


def _quiet(row: np.void, params: FloatArray) -> int:
    return int(params[1]) - 1 - int(row["ticks"])


def _memory_width(values: Mapping[str, Any]) -> int:
    room = min(max(int(values["clock"]), int(values["grace_period"]) + 1), _WAITING)
    return _LEVELS * (2 * (int(values["max_buckets"]) + 1) + 2) + room


ADWIN = Detector(
    name="adwin",
    summary="A change of the mean, over whatever span shows it best; quiet, two-sided, with little to set. Values "
    "should be of the order of 1.",
    use_when="For agreement with river, or if a change should be dated: the window is the data since then. It is "
    "two-sided and has little to set. Values should be of the order of 1, as its bound has a term in the units of the "
    "values: a feature that varies by thousandths is not found. It does not see a change of spread.",
    false_alarms="`delta` bounds the probability of a false alarm at one look, for values from 0 to 1. Measured in "
    "100,000: none of N(0.5, 0.1), uniform and Bernoulli(0.2) values, 0.08 (95 %: 0.04 to 0.16) of exponential and "
    "0.09 (0.04 to 0.17) of Student-t(3) ones, 0.3 of log-normal and 0.5 of Cauchy ones. Without a limit (`clip` = "
    "1e15), as river has it, 3.3 (2.9 to 3.7) of the last.",
    unsuited=(
        Unsuited(
            "neighbours",
            "40 alarms in 100,000 where half of each deviation is carried on, 840 where nine tenths are",
            "cusum",
        ),
    ),
    statistic="At an alarm, the mean of the newer part of the window less that of the older, at the cut where they "
    "differ most; otherwise 0. The bound it has to pass depends on the cut.",
    reference="A. Bifet, R. Gavaldà, Learning from time-changing data with adaptive windowing, SIAM International "
    "Conference on Data Mining (2007), pp. 443-448; variances after B. Babcock, M. Datar, R. Motwani, L. "
    "O'Callaghan, Maintaining variance and k-medians over data stream windows, PODS (2003), pp. 234-243.",
    parameters=(
        Parameter("delta", "float", 0.002, 1e-100, 0.99, "probability", "Of a false alarm, at one look."),
        Parameter("clock", "int", 32, 1, 1e6, "observations", "How often to look for a cut."),
        Parameter("max_buckets", "int", 5, 2, 100, "buckets", "How many of one size: more is finer and slower."),
        Parameter("min_window_length", "int", 5, 1, 1e6, "observations", "The shortest part that is compared."),
        Parameter("grace_period", "int", 10, 0, 1e9, "observations", "How wide the window must be, and one more."),
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
        Parameter(
            "clip",
            "float",
            4.0,
            1.0,
            _NO_LIMIT,
            "sd of the window",
            "How far from its mean a value counts at most, or 1 if that is more; 1e15 is no limit: river's ADWIN.",
        ),
    ),
    fields=[
        ("n", "<i8"),
        ("ticks", "<i8"),
        ("waiting", "<i8"),
        ("width", "<f8"),
        ("total", "<f8"),
        ("squares", "<f8"),
        ("levels", "<i8"),
    ],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    memory_width=_memory_width,
    quiet=_quiet,
    layout=3,
)
