"""LODA: how rare an observation is in histograms of random projections.

Each projection is a sum of a few features, the square root of their number, with weights drawn from the normal
distribution. Over one `window` of observations it has a histogram of `bins` bins; each observation is judged by the
histograms of the last complete window, and they are made anew at the end of each. What is odd about a combination of
features shows in a projection that has them all, although each of them by itself is as usual.

It was chosen over xStream: as pysad 0.7 has both, that one ranks better on four of nine sets, worse on four, and takes
14 times as long. What it adds, cells of several features at once, RS-Hash has too.

The paper leaves it to the user to bring features to one scale. Here they are measured from their median in units of
five interquartile ranges of the window or, if that is less, of the distance from its lowest to its highest value, up to
two of these: a freak does not blur the window that it is in. Between the middles of bins the score is interpolated.

Projections are a function of the seed and the number of features, so all series have the same.
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

__all__ = ["LODA"]

_FARTHEST = 2.0  # units from the median


@kernel
def draw(weights: FloatArray, features: FloatArray, terms: int, d: int, seed: int) -> None:
    """Draw the weights of all projections (Box and Muller 1958), and which features they are for.

    Features of one projection differ: it takes the first ones of a shuffled list that is never written down.
    """
    for j in range(weights.size):
        key = mixed(seed, j)
        radius = math.sqrt(-2.0 * math.log((mixed(key, 1) + 0.5) / 4294967296.0))
        weights[j] = radius * math.cos(2.0 * math.pi * mixed(key, 2) / 4294967296.0)
        first = j - j % terms
        is_new, attempt = False, 3
        while not is_new:
            features[j] = mixed(key, attempt) % d
            is_new, attempt = True, attempt + 1
            for other in range(first, j):
                is_new &= features[other] != features[j]


@inlined
def projected(weights: FloatArray, features: FloatArray, first: int, terms: int, z: FloatArray) -> float:
    """Return the projection whose weights begin at `first`."""
    total = 0.0
    for j in range(first, first + terms):
        total += weights[j] * z[int(features[j])]
    return total


@inlined
def surprise(histograms: FloatArray, first: int, bins: int, at: float) -> float:
    """Return how many bits it says to find a projection at `at`, by the histogram that begins at `first`.

    A histogram is where it begins, bins per unit, and the bits of each bin, between two of an empty bin.
    """
    position = min(max((at - histograms[first]) * histograms[first + 1] + 0.5, 0.0), bins + 1.0)
    cell = min(int(position), bins)
    low, high = histograms[first + 2 + cell], histograms[first + 3 + cell]
    return float(low + (position - cell) * (high - low))


@kernel
def count(histogram: FloatArray, bins: int, values: FloatArray) -> None:
    """Make the histogram of `values`, of which half a one is in every bin from the start."""
    low, high = values[0], values[0]
    for j in range(values.size):
        low, high = min(low, values[j]), max(high, values[j])
    if low == high:
        low, high = low - 0.5, low + 0.5
    levels = histogram[2 : bins + 4]
    levels[:] = 0.0
    for j in range(values.size):
        levels[1 + min(int((values[j] - low) * bins / (high - low)), bins - 1)] += 1.0
    histogram[0], histogram[1] = low, bins / (high - low)
    for b in range(bins + 2):
        levels[b] = -math.log2((levels[b] + 0.5) / (values.size + 0.5 * bins))


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

    A row of memory is the lowest and highest that was seen of each feature, their centres and units, room for an
    observation, weights and features of the projections, their histograms, room for a column, and the window.
    """
    projections, bins, window, seed = int(params[0]), int(params[1]), int(params[2]), int(params[3])
    d, stride = x.shape[1], bins + 4
    terms = math.ceil(math.sqrt(d))
    at_weights = 5 * d
    at_features = at_weights + projections * terms
    at_histograms = at_features + projections * terms
    at_column = at_histograms + projections * stride
    at_rows = at_column + window
    most = math.log2((window + 0.5 * bins) / 0.5)
    for i in range(series.size):
        s, m, observation = state[series[i]], memory[series[i]], x[i]
        score[i] = math.nan
        if not is_usable(observation):
            s["skipped"] += 1
            continue
        n = s["n"]
        centre, unit, z = m[2 * d : 3 * d], m[3 * d : 4 * d], m[4 * d : 5 * d]
        weights, features = m[at_weights:at_features], m[at_features:at_histograms]
        if n == 0:
            draw(weights, features, terms, d, seed)
        if n >= window:
            scaled(observation, centre, unit, _FARTHEST, z)
            total, histograms = 0.0, m[at_histograms:at_column]
            for k in range(projections):
                at = projected(weights, features, k * terms, terms, z)
                total += surprise(histograms, k * stride, bins, at)
            score[i] = total / (projections * most) + outlying(m[:d], m[d : 2 * d], observation)
        widen(m[:d], m[d : 2 * d], observation, n == 0)
        slot = n % window
        copy_row(observation, m[at_rows + slot * d : at_rows + (slot + 1) * d])
        if slot == window - 1:
            column, rows = m[at_column:at_rows], m[at_rows : at_rows + window * d]
            measure(rows, column, centre, unit)
            for j in range(window):
                row = rows[j * d : (j + 1) * d]
                scaled(row, centre, unit, _FARTHEST, row)
            for k in range(projections):
                for j in range(window):
                    column[j] = projected(weights, features, k * terms, terms, rows[j * d : (j + 1) * d])
                count(m[at_histograms + k * stride : at_histograms + (k + 1) * stride], bins, column)
        s["n"] = n + 1


def _memory_width(values: Mapping[str, Any], d: int) -> int:
    projections, bins, window = values["projections"], values["bins"], values["window"]
    return int(5 * d + projections * (2 * math.ceil(math.sqrt(d)) + bins + 4) + window * (d + 1))


LODA = Scorer(
    name="loda",
    summary="An observation of several numbers that is rare in histograms of random sums of them.",
    use_when="When memory counts the most.",
    statistic="How rare the projections are, from 0 to 1, on average; plus, beyond the limits of what was seen, up to "
    "8: 1 as far outside as they are from each other.",
    reference="T. Pevný, Loda: lightweight on-line detector of anomalies, Machine Learning 102 (2016), pp. 275-304.",
    parameters=(
        Parameter("projections", "int", 100, 1, 10_000, "projections", "How many there are."),
        Parameter("bins", "int", 20, 2, 1000, "bins", "How many there are in a histogram."),
        Parameter("window", "int", 250, 4, 100_000, "observations", "After how many the histograms are made anew."),
        Parameter("seed", "int", 1, 0, 2**31 - 1, "", "What the projections are drawn from."),
    ),
    fields=[],
    update=update,
    min_samples=lambda values: int(values["window"]),
    ready=lambda state, params: np.asarray(state["n"] >= params[2], dtype=np.bool_),
    vectors=True,
    memory_width=_memory_width,
)
