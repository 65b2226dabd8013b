"""RS-Hash: how many observations shared the cells of an observation, in grids of random features and widths.

Each of `components` grids has a few of the features and cells of one width, both drawn at random: the wider the cells,
the more features, so that a cell has few observations but not none. What falls into a cell is counted in a count-min
sketch, two rows of `buckets` counters, of which the lower one is true or a little too high. Counts fade: half is left
after `half_life` observations.

The paper measures features by their lowest and highest value, of a sample taken before. Here the median is the centre,
and the unit is five interquartile ranges or, if that is less, the distance from the lowest to the highest value, as the
last `window` observations have them. They are looked at after each window, and if the median of a feature has moved by
more than a unit, or the unit has doubled or halved, all counts are made anew from that window.

Grids are a function of the seed and the number of features, so all series have the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly.vectors import is_usable, measure, mixed, outlying, scaled, widen
from detectors.contract import FloatArray, Parameter, Scorer
from detectors.kernel import inlined, kernel
from detectors.rows import copy_row

__all__ = ["RS_HASH"]

_FARTHEST = 64.0  # units from the median; cells beyond are one
_MASK = 0xFFFFFFFF
_MOST_FEATURES = 20  # of a grid
_RESCALED = 2.0**64  # the weight of an observation at which all counts are divided by it


@kernel
def draw(grids: FloatArray, stride: int, d: int, sample: float, seed: int) -> None:
    """Draw all grids: how many features, cells in a unit, the features, and where the cells of each begin.

    The width of cells, and from that the number of features, is as in the paper, for a sample of `sample` observations.
    """
    least = 1.0 / math.sqrt(sample)
    for g in range(grids.size // stride):
        grid, key = grids[g * stride : (g + 1) * stride], mixed(seed, g)
        width = least + (1.0 - 2.0 * least) * mixed(key, 0) / 4294967296.0
        most = math.log(sample) / math.log(max(2.0, 1.0 / width))
        fewest = 1.0 + 0.5 * most
        count = round(fewest + max(most - fewest, 0.0) * mixed(key, 1) / 4294967296.0)
        grid[0], grid[1] = min(count, d, _MOST_FEATURES), 1.0 / width
        for j in range(int(grid[0])):
            is_new, attempt = False, 2 + 65536 * j
            while not is_new:
                grid[2 + 2 * j] = mixed(key, attempt) % d
                is_new, attempt = True, attempt + 1
                for other in range(j):
                    is_new &= grid[2 + 2 * other] != grid[2 + 2 * j]
            grid[3 + 2 * j] = mixed(key, 1 + 65536 * (j + 1)) / 4294967296.0


@inlined
def cell(grids: FloatArray, first: int, key: int, z: FloatArray) -> int:
    """Return 32 bits that stand for the cell of `z` in the grid that begins at `first` and has the number `key`."""
    per_unit = grids[first + 1]
    for j in range(first + 2, first + 2 + 2 * int(grids[first]), 2):
        index = math.floor(z[int(grids[j])] * per_unit + grids[j + 1])
        key = ((key ^ index) * 0x7FEB352D) & _MASK
        key ^= key >> 15
    return key


@inlined
def absorb(counts: FloatArray, grids: FloatArray, stride: int, buckets: int, z: FloatArray, weight: float) -> float:
    """Count `z` in all grids; return how many there were in its cell before, as bits, summed over the grids.

    One logarithm is taken of the product of eight numbers, each below 2**21.
    """
    bits, product = 0.0, 1.0
    for g in range(counts.size // (2 * buckets)):
        key = cell(grids, g * stride, g, z)
        first_bucket = g * 2 * buckets + (key * buckets >> 32)
        second_bucket = g * 2 * buckets + buckets + (((key * 0x1E3779B9) & _MASK) * buckets >> 32)
        product *= 1.0 + min(counts[first_bucket], counts[second_bucket]) / weight
        counts[first_bucket] += weight
        counts[second_bucket] += weight
        if g % 8 == 7:
            bits += math.log2(product)
            product = 1.0
    return bits + math.log2(product)


@kernel
def has_changed(centre: FloatArray, unit: FloatArray, new_centre: FloatArray, new_unit: FloatArray) -> bool:
    """Whether the cells of any feature would no longer suit it."""
    changed = False
    for q in range(centre.size):
        changed |= abs(new_centre[q] - centre[q]) > unit[q]
        changed |= new_unit[q] > 2.0 * unit[q] or unit[q] > 2.0 * new_unit[q]
    return changed


@kernel
def update(
    state: Any,
    memory: FloatArray,
    params: FloatArray,
    series: NDArray[np.int64],
    x: FloatArray,
    score: FloatArray,
) -> None:
    """Score a batch, and learn from it; see :mod:`detectors.contract`.

    Counts do not fade; the weight of an observation grows instead. A row of memory is the lowest and highest that was
    seen of each feature, their centres and units, those of the last window, room for an observation, grids, counts,
    room for a column, and the window.
    """
    components, buckets, window, seed = int(params[0]), int(params[1]), int(params[3]), int(params[4])
    growth, sample = math.exp(math.log(2.0) / params[2]), max(4.0, params[2] / math.log(2.0))
    d = x.shape[1]
    stride = 2 + 2 * min(d, _MOST_FEATURES)
    at_grids = 7 * d
    at_counts = at_grids + components * stride
    at_column = at_counts + components * 2 * buckets
    at_rows = at_column + window
    for i in range(series.size):
        s, m, observation = state[series[i]], memory[series[i]], x[i]
        score[i] = math.nan
        if not is_usable(observation):
            s["skipped"] += 1
            continue
        n = s["n"]
        centre, unit, z = m[2 * d : 3 * d], m[3 * d : 4 * d], m[6 * d : 7 * d]
        grids, counts = m[at_grids:at_counts], m[at_counts:at_column]
        if n == 0:
            draw(grids, stride, d, sample, seed)
        if n >= window:
            scaled(observation, centre, unit, _FARTHEST, z)
            bits = absorb(counts, grids, stride, buckets, z, s["weight"])
            most = components * math.log2(1.0 + s["total"] / s["weight"])
            score[i] = 1.0 - bits / most + outlying(m[:d], m[d : 2 * d], observation)
            s["total"] += s["weight"]
            s["weight"] *= growth
            if s["weight"] > _RESCALED:
                counts /= _RESCALED
                s["total"] /= _RESCALED
                s["weight"] /= _RESCALED
        widen(m[:d], m[d : 2 * d], observation, n == 0)
        slot = n % window
        copy_row(observation, m[at_rows + slot * d : at_rows + (slot + 1) * d])
        if slot == window - 1:
            rows, new_centre, new_unit = m[at_rows : at_rows + window * d], m[4 * d : 5 * d], m[5 * d : 6 * d]
            measure(rows, m[at_column:at_rows], new_centre, new_unit)
            if n < window or has_changed(centre, unit, new_centre, new_unit):
                copy_row(new_centre, centre)
                copy_row(new_unit, unit)
                counts[:] = 0.0
                s["weight"], s["total"] = 1.0, 0.0
                for j in range(window):
                    scaled(rows[j * d : (j + 1) * d], centre, unit, _FARTHEST, z)
                    absorb(counts, grids, stride, buckets, z, s["weight"])
                    s["total"] += s["weight"]
                    s["weight"] *= growth
        s["n"] = n + 1


def _memory_width(values: Mapping[str, Any], d: int) -> int:
    grid = 2 + 2 * min(d, _MOST_FEATURES) + 2 * values["buckets"]
    return int(7 * d + values["components"] * grid + values["window"] * (d + 1))


RS_HASH = Scorer(
    name="rs_hash",
    summary="An observation of several numbers with few others in its cells, in grids of random features and widths.",
    use_when="If in doubt, for observations of several numbers, in whatever units. It follows what moves.",
    statistic="How few observations shared its cells, from 0 to 1, on average; plus, beyond the limits of what was "
    "seen, up to 8: 1 as far outside as they are from each other.",
    reference="S. Sathe, C. C. Aggarwal, Subspace outlier detection in linear time with randomized hashing, ICDM "
    "(2016), pp. 459-468.",
    parameters=(
        Parameter("components", "int", 50, 1, 10_000, "grids", "How many there are."),
        Parameter("buckets", "int", 256, 4, 65_536, "counters", "How many a row of a sketch has; there are two rows."),
        Parameter("half_life", "float", 500.0, 1.0, 1e6, "observations", "After how many half of a count is left."),
        Parameter(
            "window", "int", 250, 4, 100_000, "observations", "After how many the scale of features is looked at."
        ),
        Parameter("seed", "int", 1, 0, 2**31 - 1, "", "What the grids are drawn from."),
    ),
    fields=[("weight", "<f8"), ("total", "<f8")],
    update=update,
    min_samples=lambda values: int(values["window"]),
    ready=lambda state, params: np.asarray(state["n"] >= params[3], dtype=np.bool_),
    vectors=True,
    memory_width=_memory_width,
)
