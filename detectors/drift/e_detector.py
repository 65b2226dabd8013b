"""E-detector: bets against the mean of bounded values staying where it was, whatever else they do.

Values become numbers ``y`` between 0 and 1: their rank among the values of the warm-up, those below and half of those
equal. The mean of ``y`` was then 1/2. To see the spread too, ``v = (2 y - 1)**2`` is watched beside it; its mean is
1/3 if no values are equal, and is taken from the warm-up. With `target`, values that lie between 0 and 1 already are
watched as they are, and there is no warm-up.

The bet that a mean rises above ``m`` is ``L = 1 + λ (y - m)``, with ``λ`` up to ``1 / m``: whatever the distribution
and however values depend on one another, ``L`` is 1 at most on average while the mean, given the past, is ``m`` at
most. ``m`` is the mean in control and `tolerance` more; for a fall it is as much less. Each direction of each mean has
bets with an eighth, a quarter, half and all of the largest ``λ``, and each bet a sum of e-processes, of which one
starts at every value: ``M = (1 + M) L``. While all means are within the tolerance, the mean of these sums less the
number of values falls on average, if anything, so that it reaches ``run_length`` after at least ``run_length`` values
on average.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter, Unsuited
from detectors.drift.ranks import sort_in
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["E_DETECTOR"]

_SIZES = 4  # of bets in one direction
_SUMS = 4 * _SIZES  # a mean that rises or falls, of y and of v


@inlined
def count_below(sample: FloatArray, n: int, x: float, equal: bool) -> int:
    """Return how many of the ordered `sample` of `n` are below `x`, or, with `equal`, not above it."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if sample[middle] < x or (equal and sample[middle] == x):
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def mid_rank(sample: FloatArray, n: int, x: float) -> float:
    """Return the share of the ordered `sample` of `n` that is below `x`, and half of that equal to it."""
    below = count_below(sample, n, x, False)
    not_above = below
    if below < n and sample[below] == x:
        not_above = count_below(sample, n, x, True)
    return (below + not_above) / (2.0 * n)


@inlined
def mean_square(sample: FloatArray, n: int) -> float:
    """Return the mean of ``v`` over the ordered `sample` of `n`: values that are equal have one mid-rank."""
    total, start = 0.0, 0
    while start < n:
        end = start + 1
        while end < n and sample[end] == sample[start]:
            end += 1
        from_middle = (start + end) / n - 1.0
        total += (end - start) * from_middle * from_middle
        start = end
    return total / n


@inlined
def bet(sums: FloatArray, first: int, y: float, mean: float, tolerance: float) -> tuple[float, float]:
    """Bring the sums for one mean up to date; return what those for a rise add up to, and those for a fall."""
    high, low = min(mean + tolerance, 1.0), max(mean - tolerance, 0.0)
    # A bound of 1 cannot be exceeded, nor one of 0 undercut: such bets stay at what was put in.
    rise = (y - high) / high if high < 1.0 else 0.0
    fall = (low - y) / (1.0 - low) if low > 0.0 else 0.0
    up, down, share = 0.0, 0.0, 1.0
    for j in range(first, first + 2 * _SIZES, 2):
        sums[j] = (1.0 + sums[j]) * (1.0 + share * rise)
        sums[j + 1] = (1.0 + sums[j + 1]) * (1.0 + share * fall)
        up += sums[j]
        down += sums[j + 1]
        share *= 0.5
    return up, down


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
    run_length, warm_up, tolerance, target = params[0], int(params[1]), params[2], params[3]
    fixed = not math.isnan(target)
    for i in range(x.size):
        score[i] = 0.0
        flag[i] = OK
        s = state[series[i]]
        if not abs(x[i]) <= MAX_ABS:
            s["skipped"] += 1
            continue
        sums = memory[series[i], :_SUMS]
        sample = memory[series[i], _SUMS:]
        if s["drifted"] == 1:
            s["drifted"], s["n"] = 0, 0
            for j in range(_SUMS):
                sums[j] = 0.0
        n = s["n"] + 1
        s["n"] = n
        if fixed:
            up, down = bet(sums, 0, min(max(x[i], 0.0), 1.0), target, tolerance)
            mean = (up + down) / (2.0 * _SIZES)
        elif n <= warm_up:
            sort_in(sample, n - 1, x[i])
            if n == warm_up:
                s["square"] = mean_square(sample, n)
            continue
        else:
            y = mid_rank(sample, warm_up, x[i])
            up, down = bet(sums, 0, y, 0.5, tolerance)
            wider, narrower = bet(sums, 2 * _SIZES, (2.0 * y - 1.0) * (2.0 * y - 1.0), s["square"], tolerance)
            mean = (up + down + wider + narrower) / _SUMS
        score[i] = math.log1p(mean) if up >= down else -math.log1p(mean)
        if mean >= run_length:
            s["drifted"] = 1
            flag[i] = DRIFT


def _min_samples(values: Mapping[str, Any]) -> int:
    return 1 if values["target"] is not None else int(values["warm_up"]) + 1


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    needed = params[1] if math.isnan(params[3]) else 0
    return np.asarray(state["n"] > needed, dtype=np.bool_)


def _memory_width(values: Mapping[str, Any]) -> int:
    return _SUMS + (0 if values["target"] is not None else int(values["warm_up"]))


E_DETECTOR = Detector(
    name="e_detector",
    summary="A change of the mean or of the spread of more than is tolerated, with a guaranteed average run length "
    "that does not need independence.",
    use_when="If small changes should be let pass, however long they last, or if values lie between 0 and 1 and their "
    "mean in control is known: the guarantee then holds for any dependence that leaves the mean alone. The baseline is "
    "fixed, so that a change that creeps in counts in full. `conformal` is sooner.",
    false_alarms="Guaranteed: at least `run_length` observations on average as long as the mean, given the past, is "
    "within `tolerance` of `target`, whatever else changes. Without `target` the same holds of the means of ranks and "
    "of their squares, once the warm-up is over, so that it has to be typical: of 20,000 simulated warm-ups of 1,000 "
    "independent continuous values 1 in 380 was off by more than 0.03 (of 500 values 1 in 22, of 2,000 values 1 in "
    "20,000), and those may alarm sooner. Measured with the defaults: none in 4 million normal, uniform, exponential, "
    "Student-t(3) and 0/1 values each.",
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 200 and 100 trials", "ddm"
        ),
        Unsuited("bursts", "27 alarms in 100,000 GARCH(1,1) values, as it sees changes of the spread", "cusum"),
        Unsuited(
            "neighbours",
            "9 alarms in 100,000 where half of each deviation is carried on, 90 where nine tenths are",
            "cusum",
        ),
    ),
    statistic="`ln(1 + M)`, where M is the mean of the sums of all bets; an alarm when M reaches `run_length`. Below "
    "zero when bets on a fall of the mean have gained more than bets on a rise; after a change of nothing but the "
    "spread, the sign is that of chance.",
    reference="J. Shin, A. Ramdas, A. Rinaldo, E-detectors: a nonparametric framework for sequential change detection, "
    "New England Journal of Statistics in Data Science 2 (2024), pp. 229-260; bets on the mean of bounded values after "
    "I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables by betting, Journal of the Royal "
    "Statistical Society B 86 (2024), pp. 1-27.",
    parameters=(
        Parameter("run_length", "float", 1e6, 2.0, 1e15, "observations", "Between false alarms, on average, at least."),
        Parameter("warm_up", "int", 1000, 10, 1e5, "observations", "How many to rank later values among."),
        Parameter("tolerance", "float", 0.03, 0.0, 0.4, "", "How far the mean may move: of ranks, or of values."),
        Parameter(
            "target", "float", None, 0.001, 0.999, "", "The mean in control of values between 0 and 1, if known."
        ),
    ),
    fields=[("n", "<i8"), ("square", "<f8")],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    memory_width=_memory_width,
)
