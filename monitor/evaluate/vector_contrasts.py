"""The contrasts of vectors: where windows of them lie, and how far they spread, along some directions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.change.directions import FLOOR, LEAST_SQUARE, direction_contrasts, squared_moduli
from detectors.change.legend import LOCATION, RATE, RATES, SCORE, SPREAD
from detectors.chart.legend import N
from detectors.distance.mmd import MMD
from detectors.sketch import JointLayout, VectorSummary
from detectors.sketch.fourier import FEATURE_BITS
from monitor.alerts.verdict import NoValue
from monitor.evaluate.columns import Columns
from monitor.evaluate.contrasts import RATE_COLUMNS, SignalEvidence, share_at
from monitor.evaluate.referred_contrasts import ReferredContrasts
from monitor.evaluate.windows import Windows
from monitor.watch import Summary

__all__ = ["OVERALL", "Directions", "VectorContrasts", "is_spread"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DIRECTIONS = 8
"""Directions along which vectors are watched."""

CLEAR = 0.04
"""Squared modulus of a reference from which on its vectors lie somewhere along a direction."""

MOST_WEIGHT = 4.0
"""How many times the logarithm of the spread over all directions is taken at most."""

FEWEST_CLEAR = DIRECTIONS // 2
"""Directions along which a reference has to lie somewhere, or else nothing is seen of its vectors."""

TOO_WIDE = (
    "the vectors are so much longer than their `norm`, or wider than their ranges, that nothing can be seen of them: "
    "declare it, or give a data set (`leeway init` drafts it from events)"
)

UNIT = float(1 << FEATURE_BITS)

OVERALL = "spread over all directions"

NAMES = (
    *(f"{aspect} along direction {number}" for number in range(1, DIRECTIONS + 1) for aspect in ("position", "spread")),
    OVERALL,
)
"""What the contrasts of directions are called, in order."""


def is_spread(name: str) -> bool:
    """Whether a contrast of vectors is one of how far they spread."""
    return name.startswith("spread")


@dataclass(frozen=True)
class Directions:
    """Some directions, and where a reference lies along them.

    Attributes
    ----------
    chosen : int64 array [J]
        The numbers of their frequencies.
    turns, squares : float64 arrays [J, 2], [J]
    overall, weight : float
        As `detectors.change.directions.direction_contrasts` takes them.
    """

    chosen: Integers
    turns: Floats
    squares: Floats
    overall: float
    weight: float

    @classmethod
    def of(cls, sums: Integers, n: int) -> Directions:
        """Choose directions by the sums of a reference of ``n`` vectors, at least 2.

        Half of them are those along which it spreads least: a shift has most weight there, and goes far before it has
        gone round. The others are ordinary ones, along which vectors differ.
        """
        squares = squared_moduli(sums, n, UNIT)
        ranked = np.argsort(-squares, kind="stable")
        clear = max(int((squares >= CLEAR).sum()), min(DIRECTIONS, len(ranked)))
        half = DIRECTIONS // 2
        middle = max(half, min(clear // 2, clear - half))
        chosen = np.concatenate((ranked[:half], ranked[middle : middle + half])).astype(np.int64)
        means = sums.reshape(-1, 2)[chosen] / UNIT / n
        lengths = np.sqrt((means**2).sum(axis=1))
        turns = np.where(lengths[:, None] > 0, means / np.maximum(lengths, LEAST_SQUARE)[:, None], [1.0, 0.0])
        variances = [FLOOR - math.log(square) for square in squares[ranked[:clear]].tolist()]
        mean = math.fsum(variances) / clear
        apart = math.fsum((variance - mean) ** 2 for variance in variances) / clear
        weight = min(math.sqrt(2 * mean * mean / apart), MOST_WEIGHT) if apart > 0 else 1.0
        overall = min(max(math.fsum(squares.tolist()) / len(squares), LEAST_SQUARE), 1.0)
        return cls(chosen, turns, squares[chosen], overall, max(weight, 1.0))

    @property
    def are_clear(self) -> bool:
        """Whether vectors of the reference lie somewhere, rather than anywhere, along enough of them."""
        return int((self.squares >= CLEAR).sum()) >= FEWEST_CLEAR

    @cached_property
    def written(self) -> msgspec.Raw:
        """JSON of which :meth:`from_json` makes the same directions."""
        document = {
            "chosen": self.chosen.tolist(),
            "turns": self.turns.tolist(),
            "squares": self.squares.tolist(),
            "overall": self.overall,
            "weight": self.weight,
        }
        return msgspec.Raw(msgspec.json.encode(document))

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Directions:
        """Return the directions of which JSON was made."""
        turns, squares = (np.array(written[name], dtype=np.float64) for name in ("turns", "squares"))
        chosen = np.array(written["chosen"], dtype=np.int64)
        return cls(chosen, turns, squares, float(written["overall"]), float(written["weight"]))

    def describe(self, sums: Integers, n: Integers) -> tuple[Floats, Floats]:
        """Return the contrasts of windows, and what one vector contributes to their variance: float64[T, 2 J + 1]."""
        values, units = np.empty((len(n), len(NAMES))), np.empty((len(n), len(NAMES)))
        direction_contrasts(
            np.ascontiguousarray(sums), np.ascontiguousarray(n), UNIT, self.chosen, self.turns, self.squares,
            self.overall, self.weight, values, units,
        )  # fmt: skip
        return values, units

    def in_units(self, name: str, value: float) -> float:
        """Return what a value of a contrast says: standard deviations of the reference, or a factor on its spread."""
        if is_spread(name):
            return math.exp(value / self.weight if name == OVERALL else value)
        spread = math.sqrt(FLOOR - math.log(float(self.squares[NAMES.index(name) // 2])))
        # What is 0 but for its last bits is said to be 0.
        return round(math.asin(min(max(value * spread, -1.0), 1.0)) / spread, 9) + 0.0

    def values_in(self, summary: VectorSummary, layout: JointLayout) -> dict[str, tuple[float, float]]:
        """Return what a window has of each contrast, and of how many vectors; those that it has."""
        n = summary.n
        values, _ = self.describe(layout.part(MMD.name, summary).sums[None], np.array([n], dtype=np.int64))
        pairs = zip(NAMES, values[0].tolist(), strict=True)
        return {name: (value, float(max(n - is_spread(name), 1))) for name, value in pairs if not math.isnan(value)}


class VectorContrasts(ReferredContrasts):
    """Positions and spreads along some directions, and the rates of unusable vectors.

    Directions are frequencies of `mmd`'s layout; a reference chooses which, and gives them units.
    """

    kinds = (
        *((SCORE, LOCATION), (SCORE, SPREAD)) * DIRECTIONS,
        # It is no part of a day's variance, as that along a direction is: its days are means of windows.
        (SCORE, LOCATION),
        *((RATE, RATES),) * len(RATE_COLUMNS),
    )

    def __init__(self, layout: JointLayout, dataset: Summary | None, learn_windows: int) -> None:
        self._place = layout.places[MMD.name]
        self._directions: Directions | None = None
        super().__init__(layout, dataset, learn_windows)

    def name(self, row: int) -> str:
        return NAMES[row] if row < len(NAMES) else self._rate_name(row)

    def in_units(self, row: int, value: float) -> float:
        if self.kinds[row][0] == RATE:
            return share_at(value)
        return math.nan if self._directions is None else self._directions.in_units(self.name(row), value)

    def unit_of(self, row: int) -> str:
        return "sd" if row < len(NAMES) and not is_spread(NAMES[row]) else ""

    def groups(self) -> msgspec.Raw | None:
        return None if self._directions is None else self._directions.written

    def _refer(self, reference: Summary) -> None:
        assert isinstance(reference, VectorSummary)
        if reference.n > 1:
            self._directions = Directions.of(reference.sums[self._place], reference.n)

    def _describe(self, windows: Windows, columns: Columns, first: int, evidence: SignalEvidence) -> None:
        if self._directions is None:
            return
        n, rows = windows.sums[first:, N], slice(0, len(NAMES))
        if not self._directions.are_clear:
            no_value = NoValue(self.ready_ms or 0, TOO_WIDE)
            evidence.lacking = {first + t: no_value for t in np.flatnonzero(n).tolist()}
            return
        values, units = self._directions.describe(windows.counts[first:, self._place], n)
        evidence.values[rows, first:], evidence.units[rows, first:] = values.T, units.T
        evidence.events[rows, first:] = np.maximum(n, 1)
        # Of a spread one vector is not free.
        evidence.events[[*range(1, 2 * DIRECTIONS, 2), 2 * DIRECTIONS], first:] = np.maximum(n - 1, 1)
