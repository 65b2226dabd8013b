"""Half-space trees: cells of the space that are cut at random, and how full each is.

Each tree halves its work space again and again, always in the middle and along a feature drawn at random, up to
`depth` times, and counts how many observations of one `window` fall into each half. A half with few of them
(`least_mass`) is not cut further. A cell at depth ``k`` that holds ``r`` of ``window`` observations is ``r * 2**k /
window`` times as full as it would be if they were spread evenly. Each observation is judged by the last complete
window, and trees are counted anew at the end of each.

As in the paper a work space reaches beyond the limits of the data, by a random amount. Three things differ. Limits are
those of the window that is counted, not of the first one for ever, so that a feature may change its range. Only cells
that can be met are kept, 229 a tree with the defaults instead of 65,535. They are built from the observations of the
window, which are kept until then: this is what the last observation of a window takes longer for. And the geometric
average over the trees ranks better than the arithmetic one of the paper, as a work space does that reaches less far:
``average: arithmetic`` with ``reach: 2`` is the paper's.

Which feature is cut where is a function of the seed, the tree and the place in it, so all series have the same trees,
scaled to their own limits. There may be up to 1,048,576 features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly.vectors import is_usable, mixed, outlying, widen
from detectors.contract import FloatArray, Parameter, Scorer
from detectors.kernel import inlined, kernel
from detectors.rows import copy_row

__all__ = ["HALF_SPACE_TREES"]

_AVERAGES = ("geometric", "arithmetic")
_LEAF = -1.0
_FEATURE_BITS = 20
_FEATURE = (1 << _FEATURE_BITS) - 1
_PLACE = 5  # words for what is known of a node while its tree is built: parent, path to it, depth, first row, end


@inlined
def fullness(nodes: FloatArray, trees: int, stride: int, x: FloatArray) -> float:
    """Return how full the cells of `x` are, on average over the trees.

    A node is two words: the place of its children with the feature that it cuts, and where it cuts; or -1 and how full
    it is.
    """
    total = 0.0
    for tree in range(trees):
        base = tree * stride
        at = base
        word = int(nodes[at])
        while word >= 0:
            upper = x[word & _FEATURE] >= nodes[at + 1]
            at = base + 2 * ((word >> _FEATURE_BITS) + upper)
            word = int(nodes[at])
        total += nodes[at + 1]
    return total / trees


@kernel
def share_below(nodes: FloatArray, places: FloatArray, node: int, q: int) -> float:
    """Return the share of the work space of feature `q` that is below the middle of what is left of it at `node`."""
    share = 0.5
    while node > 0:
        parent = int(places[_PLACE * node])
        word = int(nodes[2 * parent])
        if word & _FEATURE == q:
            share = 0.5 * (share + (node - (word >> _FEATURE_BITS)))
        node = parent
    return share


@kernel
def parted(order: FloatArray, start: int, end: int, rows: FloatArray, d: int, q: int, at: float) -> int:
    """Move the rows from `start` to `end` that are below `at` in feature `q` to the front; return where they end."""
    middle = start
    for j in range(start, end):
        row = order[j]
        order[j] = order[middle]
        order[middle] = row
        middle += int(rows[int(row) * d + q] < at)
    return middle


@kernel
def grow(
    nodes: FloatArray,
    places: FloatArray,
    order: FloatArray,
    rows: FloatArray,
    low: FloatArray,
    high: FloatArray,
    key: int,
    params: FloatArray,
) -> None:
    """Build a tree from the rows of a window; each node is worked on after all that are nearer to the root."""
    depth, window, reach, geometric = int(params[1]), order.size, params[4], params[5] == 0
    least_mass, d, used, node = int(params[3] * window), low.size, 1, 0
    for j in range(window):
        order[j] = j
    places[:_PLACE] = 0.0
    places[1], places[4] = 1.0, window
    while node < used:
        record = _PLACE * node
        path, level = int(places[record + 1]), int(places[record + 2])
        start, end = int(places[record + 3]), int(places[record + 4])
        if level == depth or end - start <= least_mass:
            mass = end - start
            nodes[2 * node] = _LEAF
            nodes[2 * node + 1] = math.log2((mass + 0.5) / window) + level if geometric else mass * 2.0**level / window
        else:
            q = mixed(key, path) % d
            shift = mixed(key, -1 - q) / 4294967296.0
            side = reach * max(shift, 1.0 - shift)
            at = low[q] + (shift + side * (2.0 * share_below(nodes, places, node, q) - 1.0)) * (high[q] - low[q])
            middle = parted(order, start, end, rows, d, q, at)
            nodes[2 * node] = (used << _FEATURE_BITS) + q
            nodes[2 * node + 1] = at
            for upper in range(2):
                record = _PLACE * used
                places[record], places[record + 1], places[record + 2] = node, 2 * path + upper, level + 1
                places[record + 3], places[record + 4] = (middle, end) if upper else (start, middle)
                used += 1
        node += 1


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

    A row of memory is the lowest and highest that was seen of each feature, the same of the window, the observations
    of the window, what is needed to build a tree, and the trees.
    """
    trees, depth, window, geometric, seed = int(params[0]), params[1], int(params[2]), params[5] == 0, int(params[6])
    d, emptiest = x.shape[1], math.log2(0.5 / window)
    at_rows = 4 * d
    at_order = at_rows + window * d
    at_places = at_order + window
    size = (memory.shape[1] - at_places) // (_PLACE + 2 * trees)
    at_nodes = at_places + _PLACE * size
    for i in range(series.size):
        s, m, observation = state[series[i]], memory[series[i]], x[i]
        score[i] = math.nan
        if not is_usable(observation):
            s["skipped"] += 1
            continue
        n = s["n"]
        if n >= window:
            full = fullness(m[at_nodes:], trees, 2 * size, observation)
            within = (depth - full) / (depth - emptiest) if geometric else 1.0 / (1.0 + full)
            score[i] = within + outlying(m[:d], m[d : 2 * d], observation)
        widen(m[:d], m[d : 2 * d], observation, n == 0)
        slot = n % window
        low, high = m[2 * d : 3 * d], m[3 * d : at_rows]
        widen(low, high, observation, slot == 0)
        copy_row(observation, m[at_rows + slot * d : at_rows + (slot + 1) * d])
        if slot == window - 1:
            order, places, rows = m[at_order:at_places], m[at_places:at_nodes], m[at_rows:at_order]
            for tree in range(trees):
                nodes = m[at_nodes + 2 * size * tree : at_nodes + 2 * size * (tree + 1)]
                grow(nodes, places, order, rows, low, high, mixed(seed, tree), params)
        s["n"] = n + 1


def _nodes(depth: int, window: int, least_mass: int) -> int:
    """Return how many nodes a tree can have: at each depth so many have more than the least mass, and are cut."""
    return 1 + 2 * sum(min(1 << level, window // (least_mass + 1)) for level in range(depth))


def _memory_width(values: Mapping[str, Any], d: int) -> int:
    trees, window = values["trees"], values["window"]
    nodes = _nodes(values["depth"], window, int(values["least_mass"] * window))
    return int(4 * d + window * d + window + (_PLACE + 2 * trees) * nodes)


HALF_SPACE_TREES = Scorer(
    name="half_space_trees",
    summary="An observation of several numbers where few others are, by cells that are cut at random.",
    use_when="When many of the numbers say nothing, or memory counts. What is odd only as a combination of numbers it "
    "finds less often than the others.",
    statistic="How empty the cells are, from 0 to 1, on average over the trees; plus, beyond the limits of what was "
    "seen, up to 8: 1 as far outside as they are from each other.",
    reference="S. C. Tan, K. M. Ting, T. F. Liu, Fast anomaly detection for streaming data, IJCAI (2011), "
    "pp. 1511-1516.",
    parameters=(
        Parameter("trees", "int", 25, 1, 1000, "trees", "How many there are."),
        Parameter("depth", "int", 15, 1, 30, "cuts", "How often a cell is halved at most."),
        Parameter("window", "int", 250, 4, 100_000, "observations", "After how many the trees are built anew."),
        Parameter("least_mass", "float", 0.1, 0.0, 1.0, "", "The share of the window up to which a cell stays whole."),
        Parameter(
            "reach", "float", 1.0, 1.0, 10.0, "", "How far the work space reaches beyond the data; 2 in the paper."
        ),
        Parameter(
            "average",
            "choice",
            "geometric",
            0,
            0,
            "",
            "Of how full the cells are; the paper's is arithmetic.",
            _AVERAGES,
        ),
        Parameter("seed", "int", 1, 0, 2**31 - 1, "", "What the trees are drawn from."),
    ),
    fields=[],
    update=update,
    min_samples=lambda values: int(values["window"]),
    ready=lambda state, params: np.asarray(state["n"] >= params[2], dtype=np.bool_),
    vectors=True,
    memory_width=_memory_width,
)
