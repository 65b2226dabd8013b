"""The contrasts of a number, and of a number that a model predicts."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.change.contrasts import FEWEST_SPREAD, limit_pairs, number_contrasts
from detectors.change.legend import GROUPS, INNER, LOCATION, OUTER, RATE, RATES, SCORE, SHARES, SPREAD
from detectors.change.renewal import Renewal
from detectors.chart.legend import N
from detectors.sketch import NumericLayout, NumericSummary
from monitor.alerts.foremost import CONCENTRATION, EQUAL_PAIRS
from monitor.alerts.verdict import Change, Plain
from monitor.evaluate.answers import Answers, counts_at
from monitor.evaluate.columns import Columns
from monitor.evaluate.contrasts import RATE_COLUMNS, Contrasts, SignalEvidence, share_at
from monitor.evaluate.number_groups import Groups
from monitor.evaluate.number_windows import NumberLog, Recent
from monitor.evaluate.one_value import OneValue
from monitor.evaluate.referred_contrasts import BEYOND, ReferredContrasts
from monitor.evaluate.windows import Windows
from monitor.values import DAY_MS
from monitor.watch import Summary

__all__ = ["AnswerContrasts", "NumberContrasts"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MANY_GROUPS = INNER // 2
"""Groups in use from which on a number has many values: what is typical of few is near their mean."""

MISSHAPEN, MISSHAPEN_ERRORS = 0.4, 2.0
"""Part of what moved, and standard errors, within which a typical value is near the median or the mean of windows."""

STRIKING = 1.5
"""Times the usual concentration from which on it is looked for a value that stands out."""

PEAK, TIMES = 0.03, 3.0
"""The share of values that such a one has at least, and how many times the usual one that is."""

HARDLY_EVER = 1e-5
"""Share of values that is said to be none."""


class NumberContrasts(ReferredContrasts):
    """Location, spread and concentration of a number, repeats, and the rates of unusable values."""

    is_number = True
    ALIKE = 2
    """The contrast that says how alike values are. It means nothing in other coordinates."""
    kinds = ((SCORE, LOCATION), (SCORE, SPREAD), (SCORE, SHARES), *((RATE, RATES),) * len(RATE_COLUMNS))
    added_row = ALIKE
    alike = CONCENTRATION

    def __init__(self, layout: NumericLayout, dataset: Summary | None, learn_windows: int) -> None:
        self._groups = Groups.of(None, layout)
        self._previous = np.zeros(GROUPS, dtype=np.int64)
        self._usual_pairs = np.zeros(2)
        self._one_value = OneValue()
        self._log = NumberLog(layout)
        super().__init__(layout, dataset, learn_windows)

    def name(self, row: int) -> str:
        return ("typical value", "spread", self.alike)[row] if row <= self.ALIKE else self._rate_name(row)

    def in_units(self, row: int, value: float) -> float:
        if row == 0:
            return self._groups.value(value)
        return math.exp(value) if row == 1 else share_at(value)

    def recent(self, evidence: SignalEvidence, t: int, windows: int, since_ms: int | None = None) -> Recent | None:
        return (self._log.newest() if evidence.numbers is None else evidence.numbers).until(t, windows, since_ms)

    def plainly(self, change: Change, row: int, expected: float, recent: Recent) -> Change:
        if row == self.ALIKE and recent.peak is not None and change.after > change.before:
            return change._replace(plain=Plain(None, recent.peak.usual, recent.peak.share, recent.peak.value))
        if row > 1:
            return change
        if self._groups.only is not None:
            return self._of_a_constant(change, row, expected, recent)
        if row == 0 and recent.is_constant and change.in_window is not None:
            # Its average since it moved, which is told at another hour of a season, is none of its values.
            change = change._replace(after=change.in_window)
        plain = self._beyond(recent)
        usual = None if row or change.step else self._usual(change, expected, recent)
        if usual is not None and self._is_misshapen(change, usual, recent):
            plain = plain._replace(usual_median=usual[0], median=recent.median, usual_mean=usual[1], mean=recent.mean)
            change = change._replace(before=usual[0], after=recent.median)
        return change if plain == Plain() else change._replace(plain=plain)

    def keep(self, evidence: SignalEvidence) -> None:
        if evidence.numbers is not None:
            self._log.keep(evidence.numbers)

    def _of_a_constant(self, change: Change, row: int, expected: float, recent: Recent) -> Change:
        only, share = self._groups.only, recent.below + recent.above
        assert only is not None
        far = 0.0 if recent.outside is None else recent.outside - only
        usual = None
        if row == 0:
            expected_share = (self._groups.value(expected) - only) / far if far else 0.0
            usual = min(expected_share, 1.0) if expected_share >= HARDLY_EVER else 0.0
            change = change._replace(before=only + usual * far, after=only + share * far)
        mostly = recent.mostly if share else None
        distance = recent.distance if share and mostly is None else None
        return change._replace(plain=Plain(only, usual, share, mostly, distance))

    def _beyond(self, recent: Recent) -> Plain:
        """Say how many values lie beyond an end of the reference, if that are many."""
        low, high = self._groups.ends
        is_below, is_above = recent.below >= BEYOND, recent.above >= BEYOND
        if not is_below and not is_above:
            return Plain()
        share = recent.below * is_below + recent.above * is_above
        mostly = recent.mostly
        if mostly is not None and not ((is_below and mostly < low) or (is_above and mostly > high)):
            mostly = None
        is_more = self._groups.understates(recent.distance, is_below=recent.below > recent.above)
        ends = low if is_below else None, high if is_above else None
        return Plain(share=share, mostly=mostly, low=ends[0], high=ends[1], is_more=is_more)

    def _usual(self, change: Change, expected: float, recent: Recent) -> tuple[float, float] | None:
        """Return the median and the mean that are usual at the hours of windows; None where that is not known.

        The reference has one of each, and so has an hour of which it is not known what was expected.
        """
        of_windows = [expected if change.against_reference or math.isnan(e) else e for e in recent.expected]
        usual = [self._groups.usual(each) for each in of_windows]
        if None in usual:
            return None
        median, mean = (
            math.fsum(weight * of[i] for weight, of in zip(recent.weights, usual, strict=True) if of is not None)
            for i in range(2)
        )
        return median / recent.n, mean / recent.n

    def _is_misshapen(self, change: Change, usual: tuple[float, float], recent: Recent) -> bool:
        """Whether the value that has the mean score moves as neither the median nor the mean do, of many values."""
        moved = change.after - change.before
        gap = min(abs(recent.median - usual[0] - moved), abs(recent.mean - usual[1] - moved))
        return bool(
            len(self._groups.inner) >= MANY_GROUPS
            and gap > MISSHAPEN * abs(moved)
            and gap > MISSHAPEN_ERRORS * self.spread / math.sqrt(recent.n)
        )

    @property
    def step(self) -> float:
        return self._groups.step

    def groups(self) -> msgspec.Raw | None:
        return self._groups.written if self.ready_ms is not None else None

    def _levels(self, summaries: Sequence[Summary]) -> list[Floats]:
        levels = super()._levels(summaries)
        for level in levels if self.alike == CONCENTRATION else ():
            # Values of an hour are more alike than those of a day, wherever levels have a season.
            level[self.ALIKE] = np.nan
        return levels

    def _refer(self, reference: Summary) -> None:
        assert isinstance(reference, NumericSummary)
        assert isinstance(self._layout, NumericLayout)
        self._groups = Groups.of(reference, self._layout)
        self.spread = self._groups.spread

    def renewed(self, day: int, *, may_renew: bool = True) -> tuple[NumberContrasts, Renewal] | None:
        """Return contrasts with the coordinates of a period, as in `ReferredContrasts.renewed`."""
        looked = self._looked_at(day, may_renew=may_renew)
        if looked is None:
            return None
        period, span_ms = looked
        assert isinstance(period, NumericSummary)
        assert isinstance(self._layout, NumericLayout)
        columns = Columns(self._layout, period.cells)
        counts = columns.counts_of(period)
        numbers, _ = self._groups.numbers(columns)
        is_beyond = (numbers < OUTER) | (numbers >= OUTER + INNER)
        if counts[is_beyond].sum() <= BEYOND * period.n:
            return None
        after = copy.copy(self)
        after._previous = np.zeros(GROUPS, dtype=np.int64)
        after._usual_pairs = self._usual_pairs.copy()
        after._log = NumberLog(self._layout)
        after._reference = period
        after._refer(period)
        former, renewed = self._groups.scores(columns), after._groups.scores(columns)
        # What was learned within a day is learned again as soon.
        anew = (0, 1, self.ALIKE) if span_ms < DAY_MS else (self.ALIKE,)
        return after, Renewal(former, renewed, counts.astype(np.float64), anew)

    def _describe(self, windows: Windows, columns: Columns, first: int, evidence: SignalEvidence) -> None:
        table = self._groups.table
        units = np.ones((len(windows.ends_ms) - first, 2))
        number_contrasts(
            windows.counts[first:], *self._groups.numbers(columns), self._previous,
            table.locations, table.spreads, table.floor, table.fewest, table.resolved, table.units,
            evidence.values[0, first:], evidence.values[1, first:], evidence.repeats[first:], units,
        )  # fmt: skip
        n = windows.sums[first:, N]
        # Of a spread one value is not free.
        evidence.events[:2, first:] = np.maximum(n - [[0], [1]], 1)
        evidence.units[:2, first:] = units.T
        alike, pairs = self._alike(windows, columns, first, evidence)
        # How alike the values of windows of one are says nothing.
        is_one = self._one_value.take(windows.ends_ms[first:], windows.counts[first:], n, columns.cells)
        limited, is_counted = np.empty(len(n)), (n >= FEWEST_SPREAD) & ~is_one
        limit_pairs(np.where(is_counted, pairs, 0.0), self._usual_pairs, limited)
        if self.kinds[self.ALIKE][0] == RATE:
            alike = alike * limited / np.maximum(pairs, 1.0)
        evidence.values[self.ALIKE, first:] = np.where(is_counted, alike, np.nan)
        evidence.events[self.ALIKE, first:] = np.where(is_counted, limited, 1.0)
        positions, (low, high) = self._groups.positions(columns), self._groups.ends
        beyond, peaks = positions - positions.clip(low, high), self._peaks(windows.counts[first:], columns, alike)
        evidence.numbers = self._log.take(windows.since(first), columns.cells, positions, beyond, peaks, first)

    def _alike(self, windows: Windows, columns: Columns, first: int, evidence: SignalEvidence) -> tuple[Floats, Floats]:
        """Return how alike the values of each window are, NaN where that is not known, and of how many pairs."""
        alike, pairs = self._groups.concentrations(windows.counts[first:], columns)
        return np.where(evidence.units[1, first:] > 0, alike, np.nan), pairs

    def _peaks(self, counts: Integers, columns: Columns, alike: Floats) -> Floats:
        """Return which column stands out in each window, its usual share and the one that it has, or NaN: [T, 3]."""
        peaks = np.full((len(counts), 3), np.nan)
        usual_angle = 2 * math.asin(math.sqrt(min(STRIKING * self._groups.concentration, 1.0)))
        striking = np.flatnonzero(alike > usual_angle)
        if not len(striking):
            return peaks
        assert isinstance(self._reference, NumericSummary)
        usual = counts_at(self._reference.cells, self._reference.counts[None, :], columns.cells) / self._reference.n
        shares = counts[striking] / counts[striking].sum(axis=1, keepdims=True)
        tops = (shares - usual).argmax(axis=1)
        for t, top, share in zip(striking, tops, shares[np.arange(len(tops)), tops], strict=True):
            if share >= max(PEAK, TIMES * usual[top]):
                peaks[t] = top, usual[top], share
        return peaks

    def snapshot(self) -> dict[str, Any]:
        copies = {"previous": self._previous.copy(), "usual_pairs": self._usual_pairs.copy()}
        return super().snapshot() | copies | {"log": self._log.snapshot(), "one_value": self._one_value.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._previous = np.array(state["previous"])
        # Earlier checkpoints do not know how many pairs are usual.
        self._usual_pairs = np.array(state.get("usual_pairs", (0.0, 0.0)))
        self._log.restore(state.get("log"))
        self._one_value = OneValue.restored(state.get("one_value"))

    def inherit(self, former: Contrasts) -> None:
        super().inherit(former)
        # Its first window is before no other.
        self._previous[:] = 0
        assert isinstance(self._layout, NumericLayout)
        self._log = NumberLog(self._layout)


class AnswerContrasts(NumberContrasts):
    """Those of a number that a model predicts: how alike its answers are is how many of them are equal."""

    kinds = (*NumberContrasts.kinds[:2], (RATE, SHARES), *NumberContrasts.kinds[3:])
    alike = EQUAL_PAIRS

    def __init__(self, layout: NumericLayout, dataset: Summary | None, learn_windows: int) -> None:
        super().__init__(layout, dataset, learn_windows)
        self.answers = Answers(layout)

    def _alike(self, windows: Windows, columns: Columns, first: int, evidence: SignalEvidence) -> tuple[Floats, Floats]:
        return self._groups.equal_pairs(windows.counts[first:], windows.sums[first:, N], columns)

    def _peaks(self, counts: Integers, columns: Columns, alike: Floats) -> Floats:
        # What stands out among answers is a failure (`monitor.evaluate.answers`).
        return np.full((len(counts), 3), np.nan)
