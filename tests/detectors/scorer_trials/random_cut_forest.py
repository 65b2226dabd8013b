"""A random cut forest of nodes that look at all of their observations each time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detectors.anomaly.vectors import mixed
from tests.detectors.trial import ScorerTrial, centre_and_unit, outside

Vector = list[float]


@dataclass
class Leaf:
    x: Vector

    @property
    def rows(self) -> list[Vector]:
        return [self.x]


@dataclass
class Node:
    feature: int
    cut_at: float
    lower: Leaf | Node
    upper: Leaf | Node

    @property
    def rows(self) -> list[Vector]:
        return self.lower.rows + self.upper.rows

    def halves(self, x: Vector) -> tuple[Leaf | Node, Leaf | Node]:
        """The half that `x` is in, and the other."""
        return (self.lower, self.upper) if x[self.feature] <= self.cut_at else (self.upper, self.lower)


class RandomCutForest:
    def __init__(self, trees: int, sample: int, share: float, scale: str, seed: int) -> None:
        self.sample, self.share, self.scale, self.seed, self.n = sample, share, scale, seed, 0
        self.first: list[Vector] = []
        self.roots: list[Leaf | Node | None] = [None] * trees
        self.leaves: list[list[Leaf]] = [[] for _ in range(trees)]
        self.low: Vector = []
        self.high: Vector = []

    def update(self, x: Vector) -> float:
        score = math.nan
        if self.n >= self.sample:
            score = self.score(x)
            self.offer(x, self.n)
        else:
            self.first.append(x)
        if self.n == self.sample - 1:
            self.scales = [
                centre_and_unit(column) if self.scale == "measured" else (0.0, 1.0)
                for column in zip(*self.first, strict=True)
            ]
            for n, row in enumerate(self.first):
                self.offer(row, n)
        self.low, self.high = list(map(min, self.low or x, x)), list(map(max, self.high or x, x))
        self.n += 1
        return score

    def offer(self, x: Vector, n: int) -> None:
        for t, leaves in enumerate(self.leaves):
            key = mixed(mixed(self.seed, t), n)
            if n < self.sample or mixed(key, 0) / 2**32 < self.share:
                if len(leaves) == self.sample:
                    self.roots[t] = without(self.roots[t], leaves.pop(0))
                leaves.append(Leaf(self.scaled(x)))
                self.roots[t] = grown(self.roots[t], leaves[-1], key, 1)

    def scaled(self, x: Vector) -> Vector:
        return [min(max(v - c, -1e100 * u), 1e100 * u) / u for v, (c, u) in zip(x, self.scales, strict=True)]

    def score(self, x: Vector) -> float:
        displaced = [expected(root, self.scaled(x), 0.0) for root in self.roots if root]
        return sum(displaced) / len(displaced) / self.sample + max(map(outside, x, self.low, self.high))


def corners(rows: list[Vector]) -> tuple[Vector, Vector]:
    return [min(column) for column in zip(*rows, strict=True)], [max(column) for column in zip(*rows, strict=True)]


def expected(node: Leaf | Node, x: Vector, largest: float) -> float:
    """The mean of the co-displacement over all cuts of `x` from the observations of `node`."""
    rows = node.rows
    low, high = corners(rows)
    beyond = sum(max(lo - v, v - hi, 0.0) for v, lo, hi in zip(x, low, high, strict=True))
    extent = sum(hi - lo for lo, hi in zip(low, high, strict=True))
    if beyond == 0.0 and extent == 0.0:
        return largest
    cut_off = beyond / (extent + beyond)
    value = cut_off * max(largest, len(rows))
    if extent > 0.0:
        assert isinstance(node, Node)
        mine, other = node.halves(x)
        value += (1 - cut_off) * expected(mine, x, max(largest, len(other.rows) / (len(mine.rows) + 1)))
    return value


def grown(node: Leaf | Node | None, leaf: Leaf, key: int, level: int) -> Leaf | Node:
    """Return `node` with the leaf cut off from it, or from what is below it."""
    if node is None:
        return leaf
    low, high = corners(node.rows)
    starts = list(map(min, low, leaf.x))
    sides = [max(hi, v) - start for hi, v, start in zip(high, leaf.x, starts, strict=True)]
    if sum(sides) == 0.0:
        return Node(0, leaf.x[0], leaf, node)
    rest = mixed(key, level) / 2**32 * sum(sides)
    feature = 0
    for q, side in enumerate(sides):
        if side > 0 and rest >= 0:
            feature, cut_at = q, starts[q] + min(rest, side)
            rest -= side
    value, is_point = leaf.x[feature], low == high
    if value < low[feature] and (cut_at < low[feature] or is_point):
        return Node(feature, cut_at if cut_at < low[feature] else value, leaf, node)
    if value > high[feature] and (cut_at >= high[feature] or is_point):
        return Node(feature, cut_at if cut_at < value else high[feature], node, leaf)
    assert isinstance(node, Node)
    if node.halves(leaf.x)[0] is node.lower:
        node.lower = grown(node.lower, leaf, key, level + 1)
    else:
        node.upper = grown(node.upper, leaf, key, level + 1)
    return node


def without(node: Leaf | Node | None, leaf: Leaf) -> Leaf | Node | None:
    """Return `node` without the leaf, wherever below it that is."""
    if node is leaf:
        return None
    if isinstance(node, Node):
        lower, upper = without(node.lower, leaf), without(node.upper, leaf)
        if lower is None or upper is None:
            return lower or upper
        node.lower, node.upper = lower, upper
    return node


TRIAL = ScorerTrial(
    twin=RandomCutForest,
    settings=(
        {"trees": 3, "sample": 12},
        {"trees": 2, "sample": 8, "share": 1.0, "scale": "none", "seed": 9},
    ),
    quick={"trees": 5, "sample": 20, "share": 0.3},
    dimension=3,
    length=200,
)
