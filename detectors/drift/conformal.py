"""Conformal test martingale: bets against the ranks of new values among all values so far being uniform.

The first half of the warm-up sets the edges of bins, and is then forgotten. Each later value is ranked by its bin among
all that came after the edges, itself included; ties are broken at random, by a counter-based generator. As long as the
values are exchangeable (independent draws from any one distribution are), those ranks are independent and uniform
between 0 and 1, exactly and from the first one on, however few values there are to compare with. So a bet on the next
rank with a density that integrates to 1 gains nothing on average.

The bets are on normal scores ``z`` of the ranks: that the mean moved by ±1/4, ±1/2, ±1 or ±2 sd, or that the spread
doubled or halved. Each has a Shiryaev–Roberts statistic: ``R = (1 + R) f(z)``, where ``f`` is the ratio of normal
densities. Their mean less the number of ranks is a martingale, so the mean reaches ``run_length`` after at least
``run_length`` values on average.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["CONFORMAL"]

_BETS = 10
_LOW_32_BITS = 0xFFFFFFFF


@kernel
def uniform(seed: int, counter: int) -> float:
    """Return the number of that counter, between 0 and 1, both excluded; no product exceeds 63 bits."""
    mixed = (counter + seed * 0x9E3779B1) & _LOW_32_BITS
    mixed = (((mixed >> 16) ^ mixed) * 0x45D9F3B) & _LOW_32_BITS
    mixed = (((mixed >> 16) ^ mixed) * 0x45D9F3B) & _LOW_32_BITS
    mixed = (mixed >> 16) ^ mixed
    return (mixed + 0.5) / 4294967296.0


@kernel
def normal_quantile(p: float) -> float:
    """Return the quantile of N(0, 1), to 7 digits (Wichura 1988, algorithm AS 241, PPND7)."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        over = ((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
        return q * over / (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0)
    r = math.sqrt(-math.log(min(p, 1.0 - p)))
    if r <= 5.0:
        r -= 1.6
        over = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777
        size = over / ((0.12021132975 * r + 0.73700164250) * r + 1.0)
    else:
        r -= 5.0
        over = ((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150
        size = over / ((0.012258202635 * r + 0.24197894225) * r + 1.0)
    return size if q > 0.0 else -size


@inlined
def sort_in(sample: FloatArray, n: int, x: float) -> None:
    """Put `x` among the first `n` of `sample`, which are in order."""
    place = n
    while place > 0 and sample[place - 1] > x:
        sample[place] = sample[place - 1]
        place -= 1
    sample[place] = x


@inlined
def set_edges(sample: FloatArray, n: int, most: int) -> int:
    """Put edges where the ordered sample of `n` was, closer together towards both ends; return how many there are.

    An edge is never written beyond where the next one is read.
    """
    edges = 0
    for j in range(most):
        share = j / (most - 1)
        x = sample[int((n - 1) * share * share * (3.0 - 2.0 * share))]
        if edges == 0 or x > sample[edges - 1]:
            sample[edges] = x
            edges += 1
    for j in range(edges, sample.size):
        sample[j] = 0.0
    return edges


@inlined
def find_bin(edges: FloatArray, count: int, x: float) -> int:
    """Return the bin of `x`: edge ``j`` is bin ``2 j + 1`` itself, so that values that recur have bins of their own."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if edges[middle] < x:
            low = middle + 1
        else:
            high = middle
    return 2 * low + 1 if low < count and edges[low] == x else 2 * low


@inlined
def rank(counts: FloatArray, bin_: int, total: float, tie: float) -> float:
    """Return the share of the `total` values counted that is below, and `tie` of those in the same bin."""
    below = 0.0
    for j in range(bin_):
        below += counts[j]
    return float((below + tie * counts[bin_]) / total)


@inlined
def bet(sums: FloatArray, z: float) -> tuple[float, float]:
    """Bring every Shiryaev–Roberts statistic up to date; return their mean, and how much more those for a rise have."""
    mean, lean = 0.0, 0.0
    up, shift = math.exp(0.25 * z), 0.25
    for j in range(0, _BETS - 2, 2):
        fair = math.exp(-0.5 * shift * shift)
        sums[j] = (1.0 + sums[j]) * up * fair
        sums[j + 1] = (1.0 + sums[j + 1]) / up * fair
        mean += sums[j] + sums[j + 1]
        lean += sums[j] - sums[j + 1]
        up, shift = up * up, 2.0 * shift
    wider = math.exp(0.375 * z * z)
    sums[_BETS - 2] = (1.0 + sums[_BETS - 2]) * 0.5 * wider
    sums[_BETS - 1] = (1.0 + sums[_BETS - 1]) * 2.0 / (wider * wider * wider * wider)
    mean += sums[_BETS - 2] + sums[_BETS - 1]
    return mean / _BETS, lean


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
    run_length, warm_up, most, seed = params[0], int(params[1]), int(params[2]), int(params[3])
    first = warm_up // 2
    for i in range(x.size):
        score[i] = 0.0
        flag[i] = OK
        s = state[series[i]]
        if not abs(x[i]) <= MAX_ABS:
            s["skipped"] += 1
            continue
        sums = memory[series[i], :_BETS]
        bins = memory[series[i], _BETS:]
        if s["drifted"] == 1:
            s["drifted"], s["n"] = 0, 0
            memory[series[i], :] = 0.0
        n = s["n"] + 1
        s["n"] = n
        if n <= first:
            sort_in(bins, n - 1, x[i])
            if n == first:
                s["edges"] = set_edges(bins, n, most)
            continue
        counts = bins[most:]
        place = find_bin(bins, s["edges"], x[i])
        counts[place] += 1.0
        if n > warm_up:
            u = rank(counts, place, float(n - first), uniform(seed, n))
            mean, lean = bet(sums, normal_quantile(u))
            score[i] = math.log1p(mean) if lean >= 0.0 else -math.log1p(mean)
            if mean >= run_length:
                s["drifted"] = 1
                flag[i] = DRIFT


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(values["warm_up"]) + 1


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(state["n"] > params[1], dtype=np.bool_)


def _memory_width(values: Mapping[str, Any]) -> int:
    return _BETS + max(int(values["warm_up"]) // 2, 3 * int(values["edges"]) + 1)


CONFORMAL = Detector(
    name="conformal",
    summary="A change of the mean or of the spread, whatever the distribution, with a guaranteed average run length.",
    use_when="If nothing is known of the distribution and false alarms must be as rare as stated, or if values may "
    "spread more widely around the same mean. Only order counts, so neither units nor outliers matter. What creeps "
    "in becomes part of what new values are compared with, and is found at about twice the size: `e_detector` keeps to "
    "its warm-up.",
    false_alarms="Guaranteed: at least `run_length` observations on average, if they are exchangeable, from whatever "
    "distribution, continuous or not; what is learned in the warm-up takes nothing from it. Measured with the "
    "defaults: 0 to 2 in 2 million normal, uniform, exponential, Student-t(3) and 0/1 values each. Values that follow "
    "one another (seasons, sessions) are not exchangeable and alarm sooner.",
    statistic="`ln(1 + R)`, where R is the mean of the Shiryaev–Roberts statistics of all bets; an alarm when R "
    "reaches `run_length`. Below zero when bets on a fall have gained more than bets on a rise; after a change of "
    "nothing but the spread, the sign is that of chance.",
    reference="V. Vovk, I. Petej, I. Nouretdinov, E. Ahlberg, L. Carlsson, A. Gammerman, Retrain or not retrain: "
    "conformal test martingales for change-point detection, Conformal and Probabilistic Prediction and Applications "
    "(2021), PMLR 152, pp. 191-210 (Shiryaev–Roberts: eq. 8); bets by M. J. Wichura, The percentage points of the "
    "normal distribution, Applied Statistics 37 (1988), pp. 477-484.",
    parameters=(
        Parameter("run_length", "float", 1e6, 2.0, 1e15, "observations", "Between false alarms, on average, at least."),
        Parameter("warm_up", "int", 500, 4, 1e5, "observations", "Half of them set the bins, the others fill them."),
        Parameter("edges", "int", 64, 2, 1e4, "edges", "How many the bins have at most: more is finer and slower."),
        Parameter("seed", "int", 0, 0, 2**31 - 1, "", "Of the generator that breaks ties."),
    ),
    fields=[("n", "<i8"), ("edges", "<i8")],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
    memory_width=_memory_width,
)
