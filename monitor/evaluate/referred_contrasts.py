"""Contrasts that are described against a reference: a data set, or the first windows of a signal.

The reference only chooses coordinates, groups of values and names with a share of their own; what is usual is learned
by the charts.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.change.accepted_skew import FEWEST_DAYS, variance_of_mean
from detectors.change.legend import SCORE
from detectors.change.renewal import Renewal, Replacement
from detectors.change.residuals import to_expectation
from detectors.chart.legend import INVALID, MISSING, N
from monitor.alerts.verdict import Failure
from monitor.evaluate.answers import Answers, Described
from monitor.evaluate.baselines import add_up, extremes_of
from monitor.evaluate.columns import Columns, keys_of, sums_of
from monitor.evaluate.contrasts import RATE_COLUMNS, Contrasts, SignalEvidence
from monitor.evaluate.newer_values import Newer
from monitor.evaluate.windows import Windows
from monitor.panes.codec import pack_summary, unpack_summary
from monitor.watch import Layout, Summary

__all__ = ["BEYOND", "REFERENCE_EVENTS", "ReferredContrasts"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

REFERENCE_EVENTS = 200
"""Values from which coordinates are chosen, unless the configuration names a data set."""

COMES, STRAY = 0.1, 0.01
"""Share of a window's events that have a value once values come, and share of all events that may have one before."""

BEYOND = 0.05
"""Share of a period's values beyond their reference from which on it is another one."""


class ReferredContrasts(Contrasts):
    """Contrasts that are described against a reference.

    Parameters
    ----------
    layout : Layout
    dataset : Summary or None
        The reference, if the configuration names one.
    learn_windows : int
        Otherwise: windows from which it is made at least.

    Attributes
    ----------
    answers : Answers or None
        Of a prediction: whether one of them stands for too many.
    newer : Newer or None
        What has come since coordinates were looked at; None where they stay what they are.
    """

    is_referred = True
    spread: float = 1.0
    """The robust standard deviation of the reference, of numbers."""

    def __init__(self, layout: Layout, dataset: Summary | None, learn_windows: int) -> None:
        self._layout, self._learn_windows = layout, learn_windows
        self.answers: Answers | None = None
        self.newer: Newer | None = None
        self._windows = 0
        self._reference = dataset
        self._of_dataset = dataset is not None
        self.ready_ms = 0 if self._of_dataset else None
        # Values and events so far, until values come.
        self._absent: list[int] | None = [0, 0]
        if dataset is not None:
            self._refer(dataset)

    def reference(self) -> Floats:
        if not self._of_dataset or self._reference is None:
            return super().reference()
        (level,) = self._levels([self._reference])
        return level

    def level(self, parts: Sequence[Summary]) -> Floats:
        if len(parts) < FEWEST_DAYS:
            return super().level(parts)
        level, *of_parts = self._levels([add_up(parts), *parts])
        for row, expectations in enumerate(np.stack(of_parts)[:, :, 0].T):
            defined = expectations[~np.isnan(expectations)]
            # Parts of a period differ by more than sampling: by as much a period differs from what is usual.
            level[row, 1] = max(level[row, 1], variance_of_mean(defined)) if len(defined) >= FEWEST_DAYS else np.nan
        level[np.isnan(level[:, 1])] = np.nan
        return level

    def _levels(self, summaries: Sequence[Summary]) -> list[Floats]:
        """Return what each of some summaries has of the contrasts, float64[K, 2]: expectations and variances."""
        keys = {key for summary in summaries for key in keys_of(summary)}
        columns = Columns(self._layout, keys)
        windows = Windows(
            np.arange(len(summaries), dtype=np.int64),
            np.stack([columns.counts_of(summary) for summary in summaries]),
            np.stack([sums_of(summary) for summary in summaries]),
            np.array([extremes_of(summary) for summary in summaries], dtype=np.float64),
        )
        # Windows as large as these, seen by contrasts of their own: they are before no others.
        evidence = type(self)(self._layout, self._reference, self._learn_windows).evidence(windows, columns)
        levels = np.full((len(summaries), len(self.kinds), 2), np.nan)
        for row, (kind, _) in enumerate(self.kinds):
            for s in np.flatnonzero(~np.isnan(evidence.values[row])).tolist():
                value, events = float(evidence.values[row, s]), float(evidence.events[row, s])
                total = value * events if kind == SCORE else value
                levels[s, row] = to_expectation(kind, total, events, 1.0), abs(evidence.units[row, s]) / events
        return list(levels)

    def evidence(self, windows: Windows, columns: Columns) -> SignalEvidence:
        """Return the evidence of windows in order, and learn from them what a reference needs."""
        evidence = SignalEvidence.nothing(len(self.kinds), len(windows.ends_ms))
        total = windows.sums[:, N] + windows.sums[:, MISSING] + windows.sums[:, INVALID]
        occupied = total > 0
        for row, column in enumerate(RATE_COLUMNS.values(), start=len(self.kinds) - len(RATE_COLUMNS)):
            evidence.values[row, occupied] = windows.sums[occupied, column]
            evidence.events[row, occupied] = total[occupied]
        evidence.first_values = self._first_values(windows.sums[:, N], total)
        first = 0 if self.ready_ms is not None else self._learn(windows, columns, evidence)
        if first < len(windows.ends_ms):
            if self.newer is not None:
                self.newer.add(windows.since(first), columns)
            self._describe(windows, columns, first, evidence)
            evidence.failures = self._failures(windows, columns, first)
        return evidence

    def _failures(self, windows: Windows, columns: Columns, first: int) -> dict[int, Failure]:
        """Return which answer stands for too many, by the number of a window, of those from ``first`` on."""
        if self.answers is None or self._reference is None:
            return {}
        described = Described(self._reference, self.spread)
        failures = self.answers.failures(windows.since(first), columns, described)
        return {first + t: failure for t, failure in failures}

    def _first_values(self, values: Integers, events: Integers) -> int | None:
        """Return the window in which values come that were missing from the first one on, if there is one."""
        if self._absent is None:
            return None
        come = np.flatnonzero((values > 0) & (values >= COMES * events))
        first = int(come[0]) if len(come) else len(values)
        stray, in_all = self._absent[0] + int(values[:first].sum()), self._absent[1] + int(events[:first].sum())
        self._absent = None if len(come) else [stray, in_all]
        was_absent = in_all >= REFERENCE_EVENTS and stray <= STRAY * in_all
        return first if len(come) and was_absent else None

    def _learn(self, windows: Windows, columns: Columns, evidence: SignalEvidence) -> int:
        """Take windows into the reference until it is large enough; return how many it took."""
        if self.newer is not None and self.newer.from_ms is None:
            self.newer.from_ms = int(windows.ends_ms[0])
        learned = self._reference.n if self._reference is not None else 0
        numbers = self._windows + 1 + np.arange(len(windows.ends_ms))
        events = learned + np.cumsum(windows.sums[:, N])
        enough = np.flatnonzero((numbers >= self._learn_windows) & (events >= REFERENCE_EVENTS))
        count = int(enough[0]) + 1 if len(enough) else len(windows.ends_ms)
        evidence.learned[:count] = events[:count]
        counts, sums = windows.counts[:count].sum(axis=0), windows.sums[:count].sum(axis=0)
        extremes = np.array([windows.extremes[:count, 0].min(), windows.extremes[:count, 1].max()])
        summary = columns.summary_of(counts, sums, extremes)
        self._reference = summary if self._reference is None else add_up([self._reference, summary])
        self._windows += count
        if len(enough):
            self._refer(self._reference)
            self.ready_ms = int(windows.ends_ms[count - 1])
        return count

    @property
    def look_day(self) -> int | None:
        """The day on which coordinates are looked at, 0 if that is not known yet; None if they stay what they are."""
        if self.newer is None:
            return None
        return 0 if self.ready_ms is None else self.newer.look_day

    def renewed(self, day: int, *, may_renew: bool = True) -> tuple[ReferredContrasts, Renewal | Replacement] | None:
        """Return contrasts with other coordinates, if it is time and values have left those that there are.

        The others stay as they are, so that what was said in their coordinates can still be read.

        Parameters
        ----------
        day : int
            That begins.
        may_renew : bool
            Otherwise it is put off.
        """
        return None

    def _looked_at(self, day: int, *, may_renew: bool) -> tuple[Summary, float] | None:
        """Return what has come since coordinates were looked at, if they are looked at now and it is enough.

        And for how long the windows were that these come from, in ms, if they were not looked at yet.
        """
        if self.newer is None or self.ready_ms is None:
            return None
        # Checkpoints of earlier versions do not say from when on their coordinates are.
        span_ms = math.inf if self.newer.from_ms is None else self.ready_ms - self.newer.from_ms
        if not self.newer.is_time(day, span_ms) or not may_renew:
            return None
        period, self.newer = self.newer.summary, self.newer.after_a_look(day)
        return (period, span_ms) if period.n >= REFERENCE_EVENTS else None

    @abstractmethod
    def _refer(self, reference: Summary) -> None:
        """Choose coordinates."""

    @abstractmethod
    def _describe(self, windows: Windows, columns: Columns, first: int, evidence: SignalEvidence) -> None:
        """Write what depends on the reference, of the windows from ``first`` on."""

    def snapshot(self) -> dict[str, Any]:
        reference = None if self._reference is None else pack_summary(self._reference)
        return {
            "windows": self._windows,
            "ready_ms": self.ready_ms,
            "reference": reference,
            "absent": self._absent,
            **({} if self.answers is None else {"answers": self.answers.snapshot()}),
            **({} if self.newer is None else {"newer": self.newer.snapshot()}),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._windows = state["windows"]
        # Earlier checkpoints say whether there are coordinates, and not since when.
        self.ready_ms = state["ready_ms"] if "ready_ms" in state else 0 if state["ready"] else None
        # Earlier checkpoints do not say whether values have come.
        self._absent = state.get("absent")
        if self.answers is not None:
            self.answers.restore(state.get("answers"))
        if self.newer is not None and "newer" in state:
            self.newer.restore(state["newer"])
        if state["reference"] is not None:
            self._reference = unpack_summary(state["reference"], self._layout)
            if self.ready_ms is not None:
                self._refer(self._reference)

    def _rate_name(self, row: int) -> str:
        return list(RATE_COLUMNS)[row - len(self.kinds) + len(RATE_COLUMNS)]
