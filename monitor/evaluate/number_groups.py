"""The groups of a number's values: which score each has, and which value a mean score stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.change.contrasts import (
    OUTER_DISTANCES,
    OUTER_MIDDLES,
    SHIFTS,
    ScoreTable,
    concentrate,
    normal_quantiles,
)
from detectors.change.legend import GROUPS, INNER, OUTER
from detectors.change.renewal import Scores
from detectors.distance.tail import normal_sf
from detectors.sketch import NumericLayout, NumericSummary, coarse_step
from monitor.evaluate.answers import clumping_of, equal_pairs, is_narrow
from monitor.evaluate.columns import Columns

__all__ = ["Groups"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_USUAL = 100
"""Mean scores of which it is remembered what median and mean are usual."""

FEWEST_EQUAL = 20.0
"""Pairs of a window in one group that are expected at least, for it to be said how concentrated its values are: of few
an angle is skewed, and none at all would look like less than chance leaves."""

NOTHING = 1e-9
"""Robust standard deviations from 0 that are none."""

FARTHEST = 20.0
"""Scores beyond the ends of a reference that still become a value."""


@dataclass
class Groups:
    """The groups of a number's values.

    Attributes
    ----------
    starts, inner : int64 arrays [G]
        The lowest cell of each inner group that is in use, and its number.
    ends : (float, float)
        The smallest and the largest value of the reference.
    spread : float
        Its robust standard deviation.
    middles : float64 array [GROUPS]
        A value for each group.
    sizes : int64 array [INNER]
        Values of the reference in each inner group.
    beyond : bool
        Whether it is known how far beyond an end a value lies.
    clumping : float
        Of equal values (`monitor.evaluate.answers.clumping_of`).
    step : float
        How far apart values are told, where that is wider than they spread (`detectors.sketch.coarse_step`); else 0.
    """

    starts: Integers
    inner: Integers
    ends: tuple[float, float]
    spread: float
    middles: Floats
    sizes: Integers
    beyond: bool
    clumping: float = 0.0
    step: float = 0.0

    @cached_property
    def table(self) -> ScoreTable:
        """The scores of the groups."""
        return ScoreTable(self.sizes, beyond=self.beyond)

    @cached_property
    def written(self) -> msgspec.Raw:
        """JSON of which :meth:`from_json` makes the same groups."""
        document = {
            "starts": self.starts.tolist(),
            "inner": self.inner.tolist(),
            "ends": [float(end) for end in self.ends],
            "spread": float(self.spread),
            "middles": self.middles.tolist(),
            "sizes": self.sizes.tolist(),
            "beyond": self.beyond,
            "clumping": float(self.clumping),
            "step": float(self.step),
        }
        return msgspec.Raw(msgspec.json.encode(document))

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Groups:
        """Return the groups of which JSON was made."""
        starts, inner, sizes = (np.array(written[name], dtype=np.int64) for name in ("starts", "inner", "sizes"))
        low, high = written["ends"]
        middles = np.array(written["middles"], dtype=np.float64)
        # Rows of earlier versions do not know of equal values, nor of steps.
        later = [written.get(name, 0.0) for name in ("clumping", "step")]
        return cls(starts, inner, (low, high), written["spread"], middles, sizes, written["beyond"], *later)

    @classmethod
    def of(cls, reference: NumericSummary | None, layout: NumericLayout) -> Groups:
        """Return the groups of a reference; of none, groups that hold nothing."""
        if reference is None or not len(reference.cells):
            nothing = np.zeros(1, dtype=np.int64)
            return cls(nothing, nothing, (0.0, 0.0), 1.0, np.zeros(GROUPS), np.ones(INNER, dtype=np.int64), beyond=True)
        counts = reference.counts.astype(np.int64)
        reached, n = np.cumsum(counts), max(int(counts.sum()), 1)
        group = np.minimum((2 * reached - counts) * INNER // (2 * n), INNER - 1)
        inner, first = np.unique(group, return_index=True)
        values = np.clip(layout.midpoint(reference.cells), reference.min, reference.max)
        sizes, sums = np.zeros(INNER, dtype=np.int64), np.zeros(INNER)
        np.add.at(sizes, group, counts)
        np.add.at(sums, group, values * counts)
        quarter, three_quarters = (float(values[np.searchsorted(reached, share * n)]) for share in (0.25, 0.75))
        low, high = reference.min, reference.max
        spread = (three_quarters - quarter) / 1.349 or (high - low) / 6 or abs(high) / 10 or 1.0
        beyond = spread * OUTER_MIDDLES
        middles = np.concatenate((low - beyond[::-1], np.zeros(INNER), high + beyond))
        clumping = clumping_of(counts[is_narrow(layout, reference.cells, spread)], n)
        starts = reference.cells[first].astype(np.int64)
        step = coarse_step(layout, reference)
        groups = cls(starts, inner, (low, high), spread, middles, sizes, beyond=True, clumping=clumping, step=step)
        # Between two values that are there a mean score lies as the mean of the values does.
        scores = groups.table.scores[OUTER : OUTER + INNER]
        middles[OUTER : OUTER + INNER] = np.interp(scores, scores[inner], sums[inner] / sizes[inner])
        return groups

    def numbers(self, columns: Columns) -> tuple[Integers, Floats]:
        """Return the group and the score of each column."""
        # A cell that the reference lacks belongs to the group below it.
        inside = np.maximum(np.searchsorted(self.starts, columns.cells, side="right") - 1, 0)
        low, high = self.ends
        positions = self.positions(columns)
        above, below = (positions - high) / self.spread, (low - positions) / self.spread
        numbers = OUTER + self.inner[inside]
        outer = np.searchsorted(OUTER_DISTANCES, np.maximum(above, below), side="right") - 1
        numbers = np.where(above > 0, OUTER + INNER + outer, np.where(below > 0, OUTER - 1 - outer, numbers))
        scores = self.table.scores[numbers]
        if self.beyond:
            beyond = np.log1p(np.maximum(above, below).clip(0))
            lowest, highest = self.table.scores[OUTER], self.table.scores[OUTER + INNER - 1]
            scores = np.where(above > 0, highest + beyond, np.where(below > 0, lowest - beyond, scores))
        return numbers.astype(np.int64), scores

    def positions(self, columns: Columns) -> Floats:
        """Return a value in each column: one of the reference has it within its ends."""
        low, high = self.ends
        assert isinstance(columns.layout, NumericLayout)
        lowest_cell, highest_cell = columns.layout.ids([low, high])
        # The middle of a cell may lie beyond the reference's end although the cell does not.
        is_inside = (columns.cells >= lowest_cell) & (columns.cells <= highest_cell)
        return np.where(is_inside, columns.positions.clip(low, high), columns.positions)

    def understates(self, distance: float, *, is_below: bool) -> bool:
        """Whether scores of values so far beyond an end say less than how far they are, in robust standard deviations.

        An end may be near: that of what is never negative has a score that is farther from the middle than it is.
        """
        end, score = self.ends[0 if is_below else 1], self.table.scores[OUTER if is_below else OUTER + INNER - 1]
        linear = (abs(end - self.value(0.0)) + distance) / self.spread
        return bool(linear > abs(score) + math.log1p(distance / self.spread))

    def scores(self, columns: Columns) -> Scores:
        """Return the scores of each column, and what they are compared with."""
        return Scores(self.numbers(columns)[1], self.table.shape, self.table.floor)

    def equal_pairs(self, counts: Integers, n: Integers, columns: Columns) -> tuple[Floats, Floats]:
        """Return how many pairs of the values of each window are equal, and out of how many, float64[T] twice."""
        assert isinstance(columns.layout, NumericLayout)
        return equal_pairs(counts[:, is_narrow(columns.layout, columns.cells, self.spread)], n, self.clumping)

    def concentrations(self, counts: Integers, columns: Columns) -> tuple[Floats, Floats]:
        """Return how concentrated the values of each window are, as angles, and of how many pairs, float64[T] twice.

        As of the reference, if it lay where they do (`detectors.change.contrasts.concentrate`); NaN of those with few
        pairs, and of what used to be one value more often than not: how often it is says nearly all of it, and what
        moves then are some values, not where all of them lie.
        """
        angles, pairs = np.empty((2, len(counts)))
        (numbers, scores), (locations, concentrations) = self.numbers(columns), self.table.within
        concentrate(counts, numbers, scores, locations, concentrations, self._grouping, angles, pairs)
        is_enough = (pairs * self.concentration >= FEWEST_EQUAL) & (2 * self.sizes.max() <= self.sizes.sum())
        return np.where(is_enough, angles, np.nan), pairs

    @property
    def concentration(self) -> float:
        """The probability that two values of the reference are in one group."""
        return float(self.table.within[1, len(SHIFTS) // 2])

    @cached_property
    def _grouping(self) -> float:
        """What each value adds to the variance of the pairs in one group."""
        return clumping_of(self.sizes, int(self.sizes.sum()))

    def value(self, score: float) -> float:
        """Return the value that has a score."""
        value = (
            self._beside_the_only_value(score) if self.beyond and self.only is not None else self._interpolated(score)
        )
        # What is computed for 0 has a rest.
        return value if abs(value) > NOTHING * self.spread else 0.0

    def _interpolated(self, score: float) -> float:
        """Return the value that has a score, in proportion between the groups' and beyond the ends."""
        lowest, highest = float(self.table.scores[OUTER]), float(self.table.scores[OUTER + INNER - 1])
        low, high = self.ends
        if self.beyond and score > highest:
            return high + self.spread * math.expm1(min(score - highest, FARTHEST))
        if self.beyond and score < lowest:
            return low - self.spread * math.expm1(min(lowest - score, FARTHEST))
        return float(np.interp(score, self.table.scores, self.middles))

    @property
    def only(self) -> float | None:
        """The value that all of the reference are; None if there are several, or none at all."""
        low, high = self.ends
        return low if low == high and self.sizes.max() == self.sizes.sum() else None

    def _beside_the_only_value(self, score: float) -> float:
        """Return the mean of values of which some are not the only one of the reference, and the others are near it.

        A mean score says how many there are, or how far they are: of a flag it is how many.
        """
        usual = self.ends[0]
        distance = 1.0 if usual in (0.0, 1.0) else self.spread
        end = abs(float(self.table.scores[OUTER + INNER - 1 if score > 0 else OUTER]))
        of_others, size = end + math.log1p(distance / self.spread), abs(score)
        if size <= of_others:
            return usual + math.copysign(distance * size / of_others, score)
        return usual + math.copysign(self.spread * math.expm1(min(size - end, FARTHEST)), score)

    def usual(self, score: float) -> tuple[float, float] | None:
        """Return the median and the mean of the reference once it is shifted to a mean score; None beyond reach."""
        # While an alarm stands, each window asks for those of the windows before it, too.
        if score not in self._usual:
            if len(self._usual) >= MOST_USUAL:
                self._usual.clear()
            self._usual[score] = self._shifted(score)
        return self._usual[score]

    @cached_property
    def _usual(self) -> dict[float, tuple[float, float] | None]:
        return {}

    @cached_property
    def _reached(self) -> Floats:
        """Which part of the reference lies in each inner group or below."""
        return np.asarray(np.cumsum(self.sizes) / max(int(self.sizes.sum()), 1))

    @cached_property
    def _fences(self) -> Floats:
        return normal_quantiles(np.clip(self._reached[:-1], 1e-9, 1 - 1e-9))

    def _shifted(self, score: float) -> tuple[float, float] | None:
        locations = self.table.locations
        if not locations[0] < score < locations[-1]:
            return None
        shift = float(np.interp(score, locations, SHIFTS))
        above = normal_sf(np.concatenate(([-40.0], self._fences, [40.0])) - shift)
        middles = self.middles[OUTER : OUTER + INNER]
        at_middle = float(1 - normal_sf(np.array([shift]))[0])
        halves = self.sizes / max(int(self.sizes.sum()), 1) / 2
        median = float(np.interp(at_middle, self._reached - halves, middles))
        return median, float(((above[:-1] - above[1:]) * middles).sum())
