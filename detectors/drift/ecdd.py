"""ECDD: an exponentially weighted rate of errors on a control chart around the rate since the start.

Of a weighted rate ``z``, to which the newest observation contributes the share ``weight``, the standard deviation
after ``t`` observations is ``s = sqrt(p (1 - p) weight / (2 - weight) (1 - (1 - weight)**(2 t)))``, where ``p`` is the
rate of all observations. There is a drift when ``z > p + L s``, and a warning when ``z > p + warning L s``. For rates
that fall, the same is done with correct answers in place of errors.

The control limit ``L`` depends on `p`, because errors are not normal, and on the average run length that is wanted.
Here it comes from a table that was worked out from the chart's Markov chain (Brook and Evans 1972), for a known rate
and average run lengths from 1e3 to 1e7. The paper gives polynomials for 100, 400 and 1,000, which is far too short to
live with (``limits="paper_400"``), and has ``weight=0.2``; a lower weight finds changes like that from 0.2 to 0.5 much
earlier. A chart cannot show that errors become fewer where its limit would be at all but no errors: with the defaults
at rates below 0.02, with ``weight=0.2`` below 0.5. MOA fires as ``limits="paper_400", weight=0.2, warning=0.5,
warm_up=29, min_errors=0, direction="up"`` does; its warnings may begin one observation earlier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contract import OK, Detector, FloatArray, Parameter, Unsuited
from detectors.kernel import kernel

__all__ = ["ECDD"]

_DIRECTIONS = ("up", "down", "both")
_LIMITS = ("computed", "paper_100", "paper_400", "paper_1000")
_NOTHING = 1e-290  # less is set to 0: arithmetic of the smallest numbers takes several times as long
_LEAST_LIMIT = 1e-9  # what a limit of 0 counts as in a score, which has to be finite

WEIGHTS = (0.02, 0.06, 0.2)
RUN_LENGTHS = (1e3, 1e4, 1e5, 1e6, 1e7)
# By how much z has to exceed p = (k / 32)**2, for k from 0 to 32; ``python -m tests.detectors.chart_limits`` prints it.
# fmt: off
EXCESS = np.array([
    [  # weight 0.02
        [.0000, .0000, .0187, .0288, .0357, .0428, .0497, .0564, .0628, .0691, .0749,
         .0807, .0860, .0910, .0955, .0998, .1036, .1069, .1096, .1117, .1131, .1143,
         .1143, .1131, .1112, .1082, .1043, .0979, .0902, .0796, .0649, .0431, .0200],
        [.0000, .0207, .0357, .0468, .0571, .0669, .0765, .0857, .0945, .1029, .1110,
         .1185, .1258, .1325, .1384, .1438, .1486, .1528, .1559, .1583, .1601, .1611,
         .1600, .1581, .1555, .1502, .1429, .1339, .1219, .1060, .0842, .0539, .0200],
        [.0000, .0355, .0489, .0619, .0743, .0862, .0977, .1086, .1191, .1292, .1386,
         .1477, .1561, .1636, .1705, .1770, .1823, .1871, .1900, .1928, .1945, .1948,
         .1935, .1907, .1858, .1795, .1708, .1591, .1437, .1236, .0964, .0588, .0200],
        [.0200, .0414, .0599, .0752, .0895, .1031, .1162, .1286, .1405, .1516, .1624,
         .1722, .1814, .1902, .1978, .2045, .2101, .2149, .2186, .2215, .2223, .2219,
         .2205, .2165, .2103, .2023, .1916, .1774, .1590, .1352, .1046, .0815, .0200],
        [.0200, .0520, .0704, .0875, .1034, .1186, .1328, .1466, .1596, .1718, .1836,
         .1942, .2041, .2134, .2214, .2289, .2346, .2395, .2437, .2457, .2465, .2455,
         .2434, .2383, .2316, .2221, .2095, .1931, .1721, .1447, .1104, .0815, .0200],
    ],
    [  # weight 0.06
        [.0000, .0000, .0562, .0748, .0944, .1068, .1219, .1350, .1480, .1600, .1716,
         .1823, .1920, .2012, .2097, .2167, .2229, .2274, .2314, .2343, .2359, .2352,
         .2328, .2285, .2222, .2131, .2014, .1858, .1654, .1396, .1057, .0815, .0200],
        [.0000, .0590, .0951, .1115, .1352, .1528, .1709, .1877, .2034, .2181, .2319,
         .2446, .2564, .2668, .2761, .2836, .2906, .2960, .2993, .3010, .3008, .2985,
         .2939, .2864, .2765, .2629, .2450, .2230, .1950, .1605, .1164, .0815, .0200],
        [.0000, .0894, .1157, .1479, .1699, .1916, .2121, .2309, .2489, .2656, .2809,
         .2951, .3078, .3189, .3280, .3367, .3435, .3482, .3506, .3510, .3495, .3450,
         .3375, .3273, .3138, .2957, .2734, .2454, .2116, .1698, .1411, .0815, .0200],
        [.0600, .1154, .1480, .1751, .2014, .2260, .2485, .2695, .2887, .3069, .3233,
         .3381, .3512, .3630, .3733, .3814, .3874, .3908, .3929, .3915, .3885, .3815,
         .3718, .3590, .3412, .3194, .2933, .2600, .2207, .1750, .1411, .0815, .0200],
        [.0600, .1254, .1672, .2025, .2314, .2575, .2818, .3042, .3248, .3438, .3613,
         .3767, .3901, .4020, .4117, .4194, .4247, .4281, .4279, .4260, .4200, .4113,
         .3995, .3836, .3630, .3373, .3069, .2703, .2267, .1987, .1411, .0815, .0200],
    ],
    [  # weight 0.2
        [.0000, .0000, .1961, .1968, .2500, .3036, .3253, .3395, .3684, .3923, .4082,
         .4250, .4405, .4523, .4631, .4706, .4744, .4760, .4746, .4697, .4613, .4490,
         .4328, .4120, .3861, .3552, .3197, .2776, .2304, .1987, .1411, .0815, .0200],
        [.0000, .1990, .2379, .3195, .3453, .3812, .4267, .4441, .4680, .4927, .5105,
         .5276, .5414, .5511, .5583, .5618, .5618, .5588, .5515, .5402, .5246, .5045,
         .4799, .4507, .4167, .3778, .3339, .2857, .2544, .1987, .1411, .0815, .0200],
        [.0000, .2162, .3561, .3652, .4266, .4641, .4943, .5273, .5492, .5735, .5899,
         .6050, .6149, .6231, .6254, .6248, .6210, .6119, .5993, .5818, .5599, .5345,
         .5038, .4680, .4293, .3857, .3598, .3081, .2544, .1987, .1411, .0815, .0200],
        [.2000, .3273, .3662, .4539, .4815, .5297, .5613, .5935, .6157, .6367, .6522,
         .6647, .6717, .6754, .6749, .6699, .6607, .6471, .6297, .6075, .5812, .5498,
         .5155, .4763, .4337, .4096, .3598, .3081, .2544, .1987, .1411, .0815, .0200],
        [.2000, .3590, .4585, .4893, .5546, .5836, .6225, .6467, .6748, .6887, .7017,
         .7115, .7153, .7151, .7107, .7018, .6885, .6711, .6488, .6232, .5933, .5589,
         .5213, .4800, .4575, .4096, .3598, .3081, .2544, .1987, .1411, .0815, .0200],
    ],
])
# fmt: on


@kernel
def polynomial(choice: int, p: float) -> float:
    """Return the paper's control limit, in standard deviations, for a run length of 100, 400 or 1,000."""
    cubed = p * p * p
    if choice == 1:
        return 2.76 - 6.23 * p + cubed * (18.12 + p * p * (-312.45 + 1002.18 * p * p))
    if choice == 2:
        return 3.97 - 6.56 * p + cubed * (48.73 + p * p * (-330.13 + 848.18 * p * p))
    return 1.17 + 7.56 * p + cubed * (-21.24 + p * p * (112.12 - 987.23 * p * p))


@kernel
def line(weight: float, arl: float) -> FloatArray:
    """Return by how much z has to exceed p in the long run, for the 33 values of p.

    Between run lengths, and between weights with limits in standard deviations, it is interpolated by logarithms.
    """
    tenfold = max(math.log10(arl) - 3.0, 0.0)
    row = min(int(tenfold), 3)
    table = 0 if weight < WEIGHTS[1] else 1
    first, second = WEIGHTS[table], WEIGHTS[table + 1]
    share = min(max(math.log(weight / first) / math.log(second / first), 0.0), 1.0)
    excesses = np.zeros(33)
    for i in range(2):
        part = (share if i == 1 else 1.0 - share) / deviation(second if i == 1 else first)
        for k in range(33):
            lower_row, upper_row = EXCESS[table + i, row, k], EXCESS[table + i, row + 1, k]
            excesses[k] += deviation(weight) * part * (lower_row + (tenfold - row) * (upper_row - lower_row))
    return excesses


@kernel
def deviation(weight: float) -> float:
    """Return the standard deviation of a weighted mean that has settled, in that of an observation."""
    return math.sqrt(weight / (2.0 - weight))


@kernel
def excess(limits: FloatArray, p: float) -> float:
    """Return by how much z has to exceed p in the long run."""
    position = 32.0 * math.sqrt(p)
    k = min(int(position), 31)
    return float(limits[k] + (position - k) * (limits[k + 1] - limits[k]))


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

    What bounds the time is a division and the roots that lead to the control limits.
    """
    # Without any error, rounding alone would set z apart from p.
    warm_up, min_errors = params[0], max(params[1], 1.0)
    weight, arl, warning = params[2], params[3], params[4]
    look_up, look_down, paper = params[5] != 1, params[5] != 0, int(params[6])
    limits, settled_sd = line(weight, arl), deviation(weight)
    for i in range(x.size):
        s = state[series[i]]
        score[i] = 0.0
        flag[i] = OK
        if x[i] * (1.0 - x[i]) != 0.0:
            s["skipped"] += 1
            continue
        if s["drifted"] == 1:
            s["drifted"], s["n"], s["errors"], s["z"] = 0, 0, 0.0, 0.0
        if s["n"] == 0:
            s["before"] = 1.0
        n, errors = s["n"] + 1, s["errors"] + x[i]
        z = s["z"] + weight * (x[i] - s["z"]) if s["z"] + x[i] > _NOTHING else 0.0
        # The square of less than this is lost beside 1.
        previous = s["before"] * (1.0 - weight) if s["before"] > 1e-9 else 0.0
        s["n"], s["errors"], s["z"], s["before"] = n, errors, z, previous
        if n <= warm_up:
            continue
        p = errors / n
        settled = math.sqrt(1.0 - previous * previous) if previous > 0.0 else 1.0
        # On the chart of correct answers, which starts at 0 too; all weights so far sum up to 1 - before.
        up, down = z - p, p - previous - z
        rises = up > down
        gap = max(up, down)
        enough = errors if rises else n - errors
        p = p if rises else 1.0 - p
        looked_at = (rises & look_up) | (down >= up) & look_down
        if paper == 0:
            limit = settled * excess(limits, p)
        else:
            limit = settled * settled_sd * math.sqrt(p * (1.0 - p)) * max(polynomial(paper, p), 0.0)
        # No branches: whether a series is above or below its rate cannot be guessed.
        distance = gap / max(limit, _LEAST_LIMIT)
        judged = looked_at & (gap > 0.0) & (enough >= min_errors)
        distance = distance if judged else 0.0
        score[i] = distance if rises else -distance
        drifts = int(judged & (gap > limit))
        flag[i] = int(judged & (gap > warning * limit)) + drifts
        s["drifted"] = drifts


def _min_samples(values: Mapping[str, Any]) -> int:
    return int(max(values["warm_up"] + 1, values["min_errors"]))


def _ready(state: NDArray[np.void], params: FloatArray) -> NDArray[np.bool_]:
    some_errors = (params[5] != 1) & (state["errors"] >= params[1])
    some_correct = (params[5] != 0) & (state["n"] - state["errors"] >= params[1])
    return np.asarray((state["n"] > params[0]) & (some_errors | some_correct), dtype=np.bool_)


ECDD = Detector(
    name="ecdd",
    summary="A rate of errors that changes, found nearly as early as can be for a stated average run length.",
    use_when="For errors, if in doubt and if they are more than a few in a hundred: its rate of false alarms is a "
    "number that you choose with `arl`, at any rate of errors. From 0.2 to 0.5 takes 53 observations. Small changes "
    "may join the rate since the start before they are found, as nearly half of those from 0.2 to 0.3 do after 2,000 "
    "observations: `hddm_a` sees those.",
    false_alarms="With the defaults, 0.46 in 100,000 observations were measured at a rate of errors of 0.2 (95 %: "
    "0.34 to 0.61), 0.2 at 0.02 and 0.4 at 0.5. For a known rate there would be one in 500,000 in each direction. The "
    "paper's limits have 250 to 1,000.",
    unsuited=(
        Unsuited(
            "few errors",
            "of rates that triple it missed 62 % from 1 % within 5,000 observations, and 39 % from 0.1 % within 50,000",
            "ddm",
        ),
    ),
    domain="binary",
    statistic="How far the weighted rate of errors is above the rate since the start, as a share of the control "
    "limit; below zero, how far it is below it. More than 1 is a drift.",
    reference="G. J. Ross, N. M. Adams, D. K. Tasoulis, D. J. Hand, Exponentially weighted moving average charts for "
    "detecting concept drift, Pattern Recognition Letters 33 (2012), pp. 191-198; D. Brook, D. A. Evans, An approach "
    "to the probability distribution of CUSUM run length, Biometrika 59 (1972), pp. 539-549.",
    parameters=(
        Parameter("warm_up", "int", 500, 0, 1e9, "observations", "How many to see before judging."),
        Parameter("min_errors", "int", 50, 0, 1e9, "errors", "How many, or correct answers, to see before judging."),
        Parameter("weight", "float", 0.02, 0.02, 0.2, "share", "Of the newest observation in the weighted rate."),
        Parameter(
            "arl", "float", 5e5, 1e3, 1e7, "observations", "Average run length in one direction, for a known rate."
        ),
        Parameter("warning", "float", 0.8, 1e-3, 1.0, "share of the limit", "More is a warning; 1 gives none."),
        Parameter(
            "direction", "choice", "both", 0, 0, "", "Which changes of the rate of errors to look for.", _DIRECTIONS
        ),
        Parameter(
            "limits",
            "choice",
            "computed",
            0,
            0,
            "",
            "Computed for `arl`, or those of the paper for 100, 400 or 1000.",
            _LIMITS,
        ),
    ),
    fields=[("n", "<i8"), ("errors", "<f8"), ("z", "<f8"), ("before", "<f8")],
    update=update,
    min_samples=_min_samples,
    ready=_ready,
)
