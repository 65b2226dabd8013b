"""The share of a default answer, where a configuration says which answer is one: a rate like that of missing values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.change.accepted_skew import FEWEST_DAYS, variance_of_mean
from detectors.change.legend import RATE, RATES
from detectors.change.residuals import to_expectation
from detectors.chart.legend import N
from detectors.sketch import CategoryLayout, NumericLayout
from monitor.alerts.verdict import Change, Failure
from monitor.evaluate.columns import Columns, keys_of, sums_of
from monitor.evaluate.contrasts import Contrasts, SignalEvidence, share_at
from monitor.evaluate.windows import Windows
from monitor.watch import Layout, Summary

__all__ = ["FALLBACK", "FallbackContrasts", "failed_back", "fallbacks_in"]

FALLBACK = "fallback"
"""What the contrast is called."""

Floats = NDArray[np.float64]


class FallbackContrasts(Contrasts):
    """Of all values, the share of the one that stands for no answer.

    Parameters
    ----------
    answer : float or str
        A number that has no cell of its own is counted with those that share its cell.
    layout : Layout
    dataset : Summary or None
        What the model was built on, if the configuration names it.
    """

    kinds = ((RATE, RATES),)

    def __init__(self, answer: float | str, layout: Layout, dataset: Summary | None = None) -> None:
        self.answer, self._layout = answer, layout
        self._counts = None if dataset is None else fallbacks_in(dataset, layout, answer)

    def reference(self) -> Floats:
        if self._counts is None or not self._counts[1]:
            return super().reference()
        return np.array([[to_expectation(RATE, *self._counts, 1.0), 1 / self._counts[1]]])

    def level(self, parts: Sequence[Summary]) -> Floats:
        counts = np.array([fallbacks_in(part, self._layout, self.answer) for part in parts]).reshape(-1, 2)
        counts = counts[counts[:, 1] > 0]
        if len(counts) < FEWEST_DAYS:
            return super().level(parts)
        of_parts = np.array([to_expectation(RATE, part, n, 1.0) for part, n in counts.tolist()])
        part, n = counts.sum(axis=0).tolist()
        return np.array([[to_expectation(RATE, part, n, 1.0), max(1 / n, variance_of_mean(of_parts))]])

    def name(self, row: int) -> str:
        return FALLBACK

    def in_units(self, row: int, value: float) -> float:
        return share_at(value)

    def evidence(self, windows: Windows, columns: Columns) -> SignalEvidence:
        """Return the evidence of windows."""
        evidence, n = SignalEvidence.nothing(1, len(windows.ends_ms)), windows.sums[:, N]
        column = _column_of(self.answer, columns)
        counts = windows.counts[:, column] if column is not None else np.zeros(len(n))
        evidence.values[0] = np.where(n > 0, counts, np.nan)
        evidence.events[0] = np.maximum(n, 1)
        return evidence


def fallbacks_in(summary: Summary, layout: Layout, answer: float | str) -> tuple[float, float]:
    """Return how many values of a summary are the default answer, and out of how many."""
    columns = Columns(layout, keys_of(summary))
    column = _column_of(answer, columns)
    counts: Any = columns.counts_of(summary)
    return float(counts[column]) if column is not None else 0.0, float(sums_of(summary)[N])


def failed_back(change: Change, answer: float | str, layout: Layout) -> Failure | None:
    """Return that a default answer stands for more than it did, if that is what moved."""
    if change.what != FALLBACK or change.after <= change.before:
        return None
    shown = repr(answer) if isinstance(answer, str) else f"{answer:.6g}"
    return Failure("fallback", shown, change.before, change.after, _has_own_cell(answer, layout))


def _has_own_cell(answer: float | str, layout: Layout) -> bool:
    """Whether nothing else is counted with an answer."""
    if isinstance(answer, str) or not isinstance(layout, NumericLayout):
        return True
    low, high = layout.bounds(layout.ids([answer]))
    return bool(np.nextafter(low[0], np.inf) >= high[0])


def _column_of(answer: float | str, columns: Columns) -> int | None:
    layout = columns.layout
    if isinstance(layout, CategoryLayout):
        column = int(columns.places([str(answer)])[0])
        return column if column >= 0 else None
    assert isinstance(layout, NumericLayout)
    (cell,) = layout.ids([answer])
    (matching,) = np.nonzero(columns.cells == cell)
    return int(matching[0]) if len(matching) else None
