"""A robust random cut forest: how many observations of a sample an observation would set apart from the others.

A tree cuts the box around its sample again and again, a feature drawn in proportion to its extent, at a uniform place,
until each observation is alone. An observation that is taken in may be cut off on its way down; its *displacement* is
how many are then on the other side, and its co-displacement the largest such number along its way, divided by how many
share its side. Far outliers are cut off at once, from all.

The score is not that of one cut, as in other programs, but the mean over all cuts that could be drawn: a tree is walked
once, with the probability that the observation is still among those of the node. It takes no chance, and nothing has to
be taken in and out again for it.

Cuts follow the numbers that spread the most, so these are brought to one scale: measured from their median in units of
five interquartile ranges of the first `sample` observations or, if that is less, of the distance from their lowest to
their highest value. With ``scale: none`` they are taken as they are, as other programs do.

Each tree takes in a `share` of the observations, at random, in place of its oldest; the cuts of the others stay. What a
tree draws is a function of the seed, the tree and how many observations the series has seen.
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

__all__ = ["RANDOM_CUT_FOREST"]

_NODE = 7  # words of a node: what follows
_FEATURE, _CUT, _LOWER, _UPPER, _PARENT, _MASS, _EXTENT = range(_NODE)
_NONE = -1
_SCALES = ("measured", "none")
_FARTHEST = 1e100  # units, beyond which all is equal


@inlined
def lowest(node: int, sample: int, d: int) -> int:
    """Return where the lower corner of a node's box is. The first nodes are leaves: observations, which are both."""
    corners = node * d if node < sample else sample * d + (node - sample) * 2 * d
    return _NODE * (2 * sample - 1) + corners


@inlined
def highest(node: int, sample: int, d: int) -> int:
    """Return where the upper corner of a node's box is."""
    return lowest(node, sample, d) + (d if node >= sample else 0)


@kernel
def displaced(tree: FloatArray, root: int, sample: int, x: FloatArray) -> float:
    """Return the expected co-displacement of `x`, if it were taken in (Guha et al. 2016, section 3)."""
    node, total, remaining, largest = root, 0.0, 1.0, 0.0
    while True:
        low, high, at = lowest(node, sample, x.size), highest(node, sample, x.size), _NODE * node
        beyond = 0.0
        for q in range(x.size):
            beyond += max(tree[low + q] - x[q], x[q] - tree[high + q], 0.0)
        extent = tree[at + _EXTENT]
        if beyond > 0.0:
            cut_off = beyond / (extent + beyond)
            total += remaining * cut_off * max(largest, tree[at + _MASS])
            remaining *= 1.0 - cut_off
        if extent == 0.0:
            # All below are equal. If `x` equals them too, it is one of them, and has been set apart from no others.
            return float(total + remaining * largest)
        upper = int(x[int(tree[at + _FEATURE])] > tree[at + _CUT])
        node, other = int(tree[at + _LOWER + upper]), int(tree[at + _UPPER - upper])
        largest = max(largest, tree[_NODE * other + _MASS] / (tree[_NODE * node + _MASS] + 1.0))


@kernel
def join(tree: FloatArray, node: int, sample: int, d: int) -> None:
    """Make the box and the mass of `node` those of what is below it."""
    at, low, high = _NODE * node, lowest(node, sample, d), highest(node, sample, d)
    lower_child, upper_child = int(tree[at + _LOWER]), int(tree[at + _UPPER])
    low_one, high_one = lowest(lower_child, sample, d), highest(lower_child, sample, d)
    low_two, high_two = lowest(upper_child, sample, d), highest(upper_child, sample, d)
    extent = 0.0
    for q in range(d):
        tree[low + q] = min(tree[low_one + q], tree[low_two + q])
        tree[high + q] = max(tree[high_one + q], tree[high_two + q])
        extent += tree[high + q] - tree[low + q]
    tree[at + _EXTENT] = extent
    tree[at + _MASS] = tree[_NODE * lower_child + _MASS] + tree[_NODE * upper_child + _MASS]


@kernel
def put_in_place(tree: FloatArray, old: int, new: int, root: int) -> int:
    """Let `new` be what `old` is to its parent; return the root."""
    parent = int(tree[_NODE * old + _PARENT])
    tree[_NODE * new + _PARENT] = parent
    if parent == _NONE:
        return new
    at = _NODE * parent
    tree[at + (_LOWER if tree[at + _LOWER] == old else _UPPER)] = new
    return root


@kernel
def cut(tree: FloatArray, node: int, sample: int, x: FloatArray, chance: float) -> tuple[int, float, int]:
    """Cut the box of `node` and `x`, at the place that `chance`, from 0 to 1, is along its sides laid end to end.

    Returns
    -------
    feature : int
    cut_at : float
    side : int
        0 if `x` is below or at the cut and the node above it, 1 if it is the other way round, -1 if neither.
    """
    low, high, extent = lowest(node, sample, x.size), highest(node, sample, x.size), 0.0
    for q in range(x.size):
        extent += max(tree[high + q], x[q]) - min(tree[low + q], x[q])
    if extent == 0.0:
        # Equal observations are never told apart: any cut will do.
        return 0, x[0], 0
    rest, feature, cut_at = chance * extent, 0, 0.0
    for q in range(x.size):
        start = min(tree[low + q], x[q])
        side = max(tree[high + q], x[q]) - start
        if side > 0.0 and rest >= 0.0:
            feature, cut_at = q, start + min(rest, side)
            rest -= side
    value, below, above = x[feature], tree[low + feature], tree[high + feature]
    # Rounding may put the place at the end of a side. What is not a box of its own must be cut all the same.
    is_point = tree[_NODE * node + _EXTENT] == 0.0
    if value < below and (cut_at < below or is_point):
        return feature, cut_at if cut_at < below else value, 0
    if value > above and (cut_at >= above or is_point):
        return feature, cut_at if cut_at < value else above, 1
    return feature, cut_at, -1


@kernel
def take_in(tree: FloatArray, root: int, leaf: int, spare: int, sample: int, x: FloatArray, key: int) -> int:
    """Make `x` a leaf, and `spare` the node that cuts it off; return the root (Guha et al. 2016, section 2)."""
    at = lowest(leaf, sample, x.size)
    copy_row(x, tree[at : at + x.size])
    tree[_NODE * leaf + _MASS], tree[_NODE * leaf + _PARENT] = 1.0, _NONE
    if root == _NONE:
        return leaf
    node, level = root, 1
    feature, cut_at, side = cut(tree, node, sample, x, mixed(key, level) / 4294967296.0)
    while side < 0:
        upper = int(x[int(tree[_NODE * node + _FEATURE])] > tree[_NODE * node + _CUT])
        node, level = int(tree[_NODE * node + _LOWER + upper]), level + 1
        feature, cut_at, side = cut(tree, node, sample, x, mixed(key, level) / 4294967296.0)
    root = put_in_place(tree, node, spare, root)
    at = _NODE * spare
    tree[at + _FEATURE], tree[at + _CUT] = feature, cut_at
    tree[at + _LOWER + side], tree[at + _UPPER - side] = leaf, node
    tree[_NODE * leaf + _PARENT] = tree[_NODE * node + _PARENT] = spare
    join_upwards(tree, spare, sample, x.size)
    return root


@kernel
def join_upwards(tree: FloatArray, node: int, sample: int, d: int) -> None:
    """Bring `node` and all above it up to date."""
    while node != _NONE:
        join(tree, node, sample, d)
        node = int(tree[_NODE * node + _PARENT])


@kernel
def take_out(tree: FloatArray, root: int, leaf: int, sample: int, d: int) -> tuple[int, int]:
    """Take a leaf and its parent out; return the root, and the parent, which is spare now."""
    parent = int(tree[_NODE * leaf + _PARENT])
    other = int(tree[_NODE * parent + _LOWER])
    if other == leaf:
        other = int(tree[_NODE * parent + _UPPER])
    root = put_in_place(tree, parent, other, root)
    join_upwards(tree, int(tree[_NODE * other + _PARENT]), sample, d)
    return root, parent


@kernel
def learn(tree: FloatArray, sample: int, x: FloatArray, key: int) -> None:
    """Take `x` in, in place of the oldest if there are enough; a tree ends with its root and how many it took in."""
    count, root = int(tree[tree.size - 1]), int(tree[tree.size - 2])
    leaf, spare = count % sample, sample + count - 1
    if count == 0:
        root = _NONE
    if count >= sample:
        root, spare = take_out(tree, root, leaf, sample, x.size)
    tree[tree.size - 2] = take_in(tree, root, leaf, spare, sample, x, key)
    tree[tree.size - 1] = count + 1


@inlined
def offer(forest: FloatArray, trees: int, sample: int, share: float, z: FloatArray, n: int, seed: int) -> None:
    """Let every tree take in observation `n`, or not, as chance has it; nobody declines the first `sample`."""
    size = forest.size // trees
    for t in range(trees):
        key = mixed(mixed(seed, t), n & 0xFFFFFFFF)
        if n < sample or mixed(key, 0) < share * 4294967296.0:
            learn(forest[t * size : (t + 1) * size], sample, z, key)


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
    observation and a column, the first observations, and the trees.
    """
    trees, sample, share, seed = int(params[0]), int(params[1]), params[2], int(params[4])
    d = x.shape[1]
    at_rows = 5 * d + sample
    at_trees = at_rows + sample * d
    size = (memory.shape[1] - at_trees) // trees
    for i in range(series.size):
        s, m, observation = state[series[i]], memory[series[i]], x[i]
        score[i] = math.nan
        if not is_usable(observation):
            s["skipped"] += 1
            continue
        n, forest = s["n"], m[at_trees:]
        centre, unit, z = m[2 * d : 3 * d], m[3 * d : 4 * d], m[4 * d : 5 * d]
        if n >= sample:
            scaled(observation, centre, unit, _FARTHEST, z)
            total = 0.0
            for t in range(trees):
                tree = forest[t * size : (t + 1) * size]
                total += displaced(tree, int(tree[size - 2]), sample, z)
            score[i] = total / (trees * sample) + outlying(m[:d], m[d : 2 * d], observation)
            offer(forest, trees, sample, share, z, n, seed)
        else:
            copy_row(observation, m[at_rows + n * d : at_rows + (n + 1) * d])
        if n == sample - 1:
            rows = m[at_rows:at_trees]
            measure(rows, m[5 * d : at_rows], centre, unit)
            if params[3] == 1:
                centre[:], unit[:] = 0.0, 1.0
            for j in range(sample):
                scaled(rows[j * d : (j + 1) * d], centre, unit, _FARTHEST, z)
                offer(forest, trees, sample, share, z, j, seed)
        widen(m[:d], m[d : 2 * d], observation, n == 0)
        s["n"] = n + 1


def _memory_width(values: Mapping[str, Any], d: int) -> int:
    sample = values["sample"]
    tree = _NODE * (2 * sample - 1) + sample * d + (sample - 1) * 2 * d + 2
    return int(5 * d + sample * (d + 1) + values["trees"] * tree)


RANDOM_CUT_FOREST = Scorer(
    name="random_cut_forest",
    summary="An observation of several numbers that random cuts would set apart from most others.",
    use_when="Where combinations of numbers matter, and it may cost several times what the others do.",
    statistic="The share of a sample that it would displace, from 0 to 1, on average; plus, beyond the limits of what "
    "was seen, up to 8: 1 as far outside as they are from each other.",
    reference="S. Guha, N. Mishra, G. Roy, O. Schrijvers, Robust random cut forest based anomaly detection on streams, "
    "ICML (2016), pp. 2712-2721.",
    parameters=(
        Parameter("trees", "int", 30, 1, 1000, "trees", "How many there are."),
        Parameter("sample", "int", 128, 4, 10_000, "observations", "How many a tree has."),
        Parameter("share", "float", 0.1, 1e-4, 1.0, "", "The share of observations that a tree takes in."),
        Parameter("scale", "choice", "measured", 0, 0, "", "Whether numbers are brought to one scale.", _SCALES),
        Parameter("seed", "int", 1, 0, 2**31 - 1, "", "What decides which ones, and what the cuts are drawn from."),
    ),
    fields=[],
    update=update,
    min_samples=lambda values: int(values["sample"]),
    ready=lambda state, params: np.asarray(state["n"] >= params[1], dtype=np.bool_),
    vectors=True,
    memory_width=_memory_width,
)
