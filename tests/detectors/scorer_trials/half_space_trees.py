"""Half-space trees that keep every cell as a box with its observations."""

from __future__ import annotations

import math
from typing import Any

from detectors.anomaly.vectors import mixed
from tests.detectors.trial import ScorerTrial, outside

Rows = list[list[float]]


class HalfSpaceTrees:
    def __init__(self, **params: Any) -> None:
        self.params = params
        self.seen: Rows = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.trees: list[Cell] = []

    def update(self, x: list[float]) -> float:
        score = self.score(x) if self.trees else math.nan
        self.seen.append(x)
        self.low, self.high = list(map(min, self.low or x, x)), list(map(max, self.high or x, x))
        window = self.params["window"]
        if len(self.seen) % window == 0:
            rows, seed = self.seen[-window:], self.params["seed"]
            self.trees = [
                Cell(rows, box(rows, mixed(seed, t), self.params["reach"]), mixed(seed, t), 1, self.params)
                for t in range(self.params["trees"])
            ]
        return score

    def score(self, x: list[float]) -> float:
        depth, window = self.params["depth"], self.params["window"]
        cells = [tree.cell_of(x) for tree in self.trees]
        if self.params["average"] == "arithmetic":
            within = 1 / (1 + sum(c.mass * 2.0**c.level / window for c in cells) / len(cells))
        else:
            logs = [math.log2((c.mass + 0.5) * 2.0**c.level / window) for c in cells]
            emptiest = math.log2(0.5 / window)
            within = (depth - sum(logs) / len(logs)) / (depth - emptiest)
        score: float = within + max(map(outside, x, self.low, self.high))
        return score


def box(rows: Rows, key: int, reach: float) -> list[tuple[float, float]]:
    """The work space, in units of the limits of each feature."""
    shifts = [mixed(key, -1 - q) / 2**32 for q in range(len(rows[0]))]
    return [(s - reach * max(s, 1 - s), s + reach * max(s, 1 - s)) for s in shifts]


class Cell:
    def __init__(
        self,
        rows: Rows,
        sides: list[tuple[float, float]],
        key: int,
        path: int,
        params: dict[str, Any],
        limits: list[tuple[float, float]] | None = None,
    ) -> None:
        self.mass, self.level = len(rows), path.bit_length() - 1
        limits = limits or [(min(column), max(column)) for column in zip(*rows, strict=True)]
        self.halves: list[Cell] = []
        if self.level < params["depth"] and self.mass > int(params["least_mass"] * params["window"]):
            self.feature = q = mixed(key, path) % len(sides)
            middle = (sides[q][0] + sides[q][1]) / 2
            self.at = limits[q][0] + middle * (limits[q][1] - limits[q][0])
            below = [row for row in rows if row[q] < self.at]
            above = [row for row in rows if row[q] >= self.at]
            lower, upper = list(sides), list(sides)
            lower[q], upper[q] = (sides[q][0], middle), (middle, sides[q][1])
            self.halves = [
                Cell(below, lower, key, 2 * path, params, limits),
                Cell(above, upper, key, 2 * path + 1, params, limits),
            ]

    def cell_of(self, x: list[float]) -> Cell:
        return self.halves[x[self.feature] >= self.at].cell_of(x) if self.halves else self


TRIAL = ScorerTrial(
    twin=HalfSpaceTrees,
    settings=(
        {"trees": 3, "window": 60},
        {"trees": 2, "depth": 6, "window": 100, "least_mass": 0.0, "reach": 2.0, "average": "arithmetic", "seed": 9},
    ),
    quick={"trees": 3, "depth": 6, "window": 40},
    dimension=3,
)
