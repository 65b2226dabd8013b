"""The contrasts of a category: shares of names, and of names that are new."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.change.contrasts import group_counts
from detectors.change.legend import CATEGORIES, RATE, RATES, SHARES
from detectors.change.renewal import Replacement
from detectors.change.residuals import to_expectation
from detectors.chart.legend import OTHER, N
from detectors.sketch import CategoryLayout, CategorySummary
from monitor.alerts.verdict import NoValue
from monitor.evaluate.columns import Columns
from monitor.evaluate.contrasts import RATE_COLUMNS, SignalEvidence, share_at, share_of
from monitor.evaluate.one_value import ONE_VALUE, OneValue
from monitor.evaluate.referred_contrasts import BEYOND, ReferredContrasts
from monitor.evaluate.windows import Windows
from monitor.watch import Summary

__all__ = ["CategoryContrasts"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
NewValues = tuple[tuple[str, int], ...]

NAMED = 3
"""New values of a window that are named."""

STAYS = 0.5
"""Part of the least frequent of a period's most frequent names that another one must have to keep its place."""

MOST_NAMES = 10_000
"""Names that are remembered, so that they are not new when they come again."""


class CategoryContrasts(ReferredContrasts):
    """The shares of the most frequent names, of the others, and of new ones; and the rates of unusable values.

    Names that came to be among the most frequent take the places of those that did not stay, which begin anew. What was
    known is never new again, as far as so many names can be remembered.
    """

    OTHERS, NEW = CATEGORIES, CATEGORIES + 1
    kinds = (*((RATE, SHARES),) * (CATEGORIES + 2), *((RATE, RATES),) * len(RATE_COLUMNS))

    def __init__(self, layout: CategoryLayout, dataset: Summary | None, learn_windows: int) -> None:
        self._groups: dict[str, int] = {}
        self._frequent: list[str] = []
        self._complete = False
        self._one_value = OneValue()
        super().__init__(layout, dataset, learn_windows)

    def name(self, row: int) -> str:
        if row > self.NEW:
            return self._rate_name(row)
        if row < len(self._frequent):
            return share_of(self._frequent[row])
        return "share of new values" if row == self.NEW else "share of other values"

    def is_of_new_values(self, row: int) -> bool:
        return row == self.NEW

    def in_units(self, row: int, value: float) -> float:
        return share_at(value)

    def reference(self) -> Floats:
        reference = super().reference()
        if self._reference is not None and not math.isnan(reference[self.NEW, 0]):
            others, once = self._beyond_the_frequent(self._reference)
            # A sample lacks what is rare: as many of the next values are new as occur in it just once (Good 1953).
            for row, count in ((self.OTHERS, others - once), (self.NEW, once)):
                reference[row, 0] = to_expectation(RATE, float(count), float(self._reference.n), 1.0)
        return reference

    def _beyond_the_frequent(self, reference: Summary) -> tuple[int, int]:
        """Return how many values have no share of their own, and how many of these occur once."""
        assert isinstance(reference, CategorySummary)
        rare = [n for name, n in zip(reference.names, reference.counts, strict=True) if name not in self._frequent]
        return int(sum(rare)), sum(n == 1 for n in rare)

    def _refer(self, reference: Summary) -> None:
        assert isinstance(reference, CategorySummary)
        self._choose(_most_frequent(reference), reference.names)
        # Where not all names could be noted, one that was not is not new.
        self._complete = reference.other == 0

    def _choose(self, frequent: Sequence[str], names: Iterable[str]) -> None:
        """Watch the share of each of some names; none of the others is new."""
        self._frequent = list(frequent)
        self._groups = dict.fromkeys(names, self.OTHERS) | {name: slot for slot, name in enumerate(frequent)}

    def renewed(self, day: int, *, may_renew: bool = True) -> tuple[CategoryContrasts, Replacement] | None:
        """Return contrasts of the names of a period, as in `ReferredContrasts.renewed`."""
        looked = self._looked_at(day, may_renew=may_renew)
        if looked is None:
            return None
        period, _ = looked
        assert isinstance(period, CategorySummary)
        counts = dict(zip(period.names, period.counts.tolist(), strict=True))
        ranked = _most_frequent(period)
        # Of two that are about as frequent, the one that has a place keeps it.
        enough = counts[ranked[-1]] * STAYS if len(ranked) == CATEGORIES else 1
        slots: list[str | None] = [*self._frequent, *[None] * (CATEGORIES - len(self._frequent))]
        free = [slot for slot, name in enumerate(slots) if name is None or counts.get(name, 0) < enough]
        come = [name for name in ranked if name not in self._frequent][: len(free)]
        if sum(counts[name] for name in come) <= BEYOND * period.n:
            return None
        # What nobody has first, then what the rarest have.
        free.sort(key=lambda slot: (slots[slot] is not None, counts.get(slots[slot] or "", 0), slot))
        replaced = free[: len(come)]
        for slot, name in zip(replaced, come, strict=True):
            slots[slot] = name
        after = copy.copy(self)
        after._reference = period
        after._complete = self._complete and period.other == 0
        remembered = [name for name in self._groups if name not in counts][: max(MOST_NAMES - len(counts), 0)]
        after._choose([name for name in slots if name is not None], [*period.names, *remembered])
        return after, Replacement((*sorted(replaced), self.OTHERS, self.NEW))

    def snapshot(self) -> dict[str, Any]:
        named = {"frequent": self._frequent, "names": list(self._groups), "complete": self._complete}
        return super().snapshot() | named | {"one_value": self._one_value.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._one_value = OneValue.restored(state.get("one_value"))
        # Earlier checkpoints have the names of their reference alone.
        if self.ready_ms is not None and "names" in state:
            self._choose(state["frequent"], state["names"])
            self._complete = state["complete"]

    def _describe(self, windows: Windows, columns: Columns, first: int, evidence: SignalEvidence) -> None:
        unknown = self.NEW if self._complete else self.OTHERS
        group_of = np.array([self._groups.get(name, unknown) for name in columns.names], dtype=np.int64)
        grouped = np.empty((len(windows.ends_ms) - first, CATEGORIES + 2), dtype=np.int64)
        group_counts(windows.counts[first:], group_of, grouped)
        grouped[:, unknown] += windows.sums[first:, OTHER]
        values, n = grouped.T.astype(np.float64), windows.sums[first:, N]
        is_one = self._one_value.take(windows.ends_ms[first:], windows.counts[first:], n, columns.names)
        values[:, (n == 0) | is_one] = np.nan
        evidence.lacking = dict.fromkeys((first + np.flatnonzero(is_one)).tolist(), NoValue(0, ONE_VALUE))
        values[len(self._frequent) : CATEGORIES] = np.nan
        if not self._complete:
            values[self.NEW] = np.nan
        else:
            unseen = np.flatnonzero(group_of == self.NEW)
            evidence.new_values = {
                first + int(t): _most(windows.counts[first + t], unseen, columns.names)
                for t in np.flatnonzero(grouped[:, self.NEW])
            }
        evidence.values[: CATEGORIES + 2, first:] = values
        evidence.events[: CATEGORIES + 2, first:] = np.maximum(n, 1)


def _most_frequent(names: CategorySummary) -> list[str]:
    """Return the most frequent names, the most frequent one first; of equal ones in their order."""
    ranked = sorted(zip((-names.counts).tolist(), names.names, strict=True))
    return [name for _, name in ranked[:CATEGORIES]]


def _most(counts: Integers, among: Integers, names: Sequence[str]) -> NewValues:
    """Return the names with the largest counts among some columns; of equal ones the first, since names ascend."""
    occurring = among[counts[among] > 0]
    ranked = occurring[np.argsort(-counts[occurring], kind="stable")[:NAMED]]
    return tuple((names[i], int(counts[i])) for i in ranked)
