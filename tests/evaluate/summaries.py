"""Windows of values, as contrasts take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors.sketch import NumericFold, NumericLayout, NumericSummary
from monitor.evaluate.columns import Columns, sums_of
from monitor.evaluate.windows import Windows


def summary_of(layout: NumericLayout, values: Any) -> NumericSummary:
    """The summary of some values."""
    fold = NumericFold([layout])
    fold.ensure(1)
    fold.fold(np.zeros(len(values), dtype=np.int64), np.array([values]))
    (summary,) = fold.take(0)
    return summary


def windows_of(layout: NumericLayout, values: Sequence[Any]) -> tuple[Windows, Columns]:
    """Windows with such values, and their columns."""
    summaries = [summary_of(layout, of_window) for of_window in values]
    columns = Columns(layout, [cell for summary in summaries for cell in summary.cells.tolist()])
    counts, sums = np.array([columns.counts_of(each) for each in summaries]), np.array([sums_of(s) for s in summaries])
    return Windows(
        np.arange(len(values)) * 3_600_000, counts, sums, np.array([[each.min, each.max] for each in summaries])
    ), columns
