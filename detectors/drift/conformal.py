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

from detectors.contract import DRIFT, OK, Detector, FloatArray, Parameter, Unsuited
from detectors.drift.ranks import normal_quantile, ranked, uniform, width
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["CONFORMAL"]

_BETS = 10


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
        u = ranked(s, bins, n, warm_up // 2, most, uniform(seed, n), x[i])
        if n > warm_up:
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
    return _BETS + width(int(values["warm_up"]) // 2, int(values["edges"]))


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
    unsuited=(
        Unsuited(
            "few errors", "of rates that triple, from 1 % or from 0.1 %, it found none in 200 and 100 trials", "ddm"
        ),
        Unsuited("bursts", "51 alarms in 100,000 GARCH(1,1) values, as it sees changes of the spread", "cusum"),
        Unsuited(
            "neighbours",
            "63 alarms in 100,000 where half of each deviation is carried on, 180 where nine tenths are",
            "cusum",
        ),
    ),
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
