"""Panes as rows of the store and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import (
    CategoryLayout,
    CategorySummary,
    FindingLayout,
    JointLayout,
    NumericSummary,
    VectorSummary,
)
from monitor.watch import Layout, Summary
from sinks.store.batch import Rows, add_row

__all__ = [
    "FINDINGS",
    "category_columns",
    "finding_columns",
    "numeric_columns",
    "pack_summary",
    "pane_columns",
    "signal_of_findings",
    "summary_of",
    "unpack_summary",
    "vector_columns",
]

FINDINGS = "findings:"
"""What the signals begin with whose panes count the findings on others."""

_NO_CELLS = np.empty(0, dtype=np.int32)
_NO_COUNTS = np.empty(0, dtype=np.int64)
_NOTHING: Mapping[str, Any] = {
    "n": 0,
    "missing": 0,
    "invalid": 0,
    "out_of_range": 0,
    "cells": _NO_CELLS,
    "counts": _NO_COUNTS,
    "names": (),
    "other": 0,
    "sum_q": 0,
    "sum_q2": 0,
    "min": float("inf"),
    "max": float("-inf"),
}


def pane_columns(panes: Rows, shared: Mapping[str, Any], signal: str, layout: str, values: Mapping[str, Any]) -> None:
    """Append one row: what its series share, and ``values`` over what is nothing by default."""
    add_row(panes, {**_NOTHING, **shared, "signal": signal, "layout": layout, **values})


def numeric_columns(summary: NumericSummary) -> dict[str, Any]:
    """Columns of a numeric pane."""
    return {
        "n": summary.n,
        "missing": summary.missing,
        "invalid": summary.invalid,
        "out_of_range": summary.out_of_range,
        "cells": summary.cells,
        "counts": summary.counts,
        "sum_q": summary.sum_q,
        "sum_q2": summary.sum_q2,
        "min": summary.min,
        "max": summary.max,
    }


def category_columns(summary: CategorySummary) -> dict[str, Any]:
    """Columns of a category's pane."""
    return {
        "n": summary.n,
        "missing": summary.missing,
        "invalid": summary.invalid,
        "counts": summary.counts,
        "names": summary.names,
        "other": summary.other,
    }


def vector_columns(summary: VectorSummary) -> dict[str, Any]:
    """Columns of a vector's pane: each sum has a cell of its own."""
    return {
        "n": summary.n,
        "missing": summary.missing,
        "invalid": summary.invalid,
        "cells": np.arange(summary.sums.size, dtype=np.int32),
        "counts": summary.sums,
    }


def signal_of_findings(signal: str) -> str:
    """Return the signal whose panes count the findings on ``signal``.

    Examples
    --------
    >>> signal_of_findings("feature:amount")
    'findings:feature:amount'
    """
    return FINDINGS + signal


def finding_columns(layout: FindingLayout, counts: NDArray[np.int64]) -> dict[str, Any]:
    """Columns of a pane that counts findings: by name, as those of a category."""
    return {"names": layout.names, "counts": counts}


def summary_of(rows: Mapping[str, Any], i: int, layout: Layout) -> Summary:
    """The summary that row ``i`` of a read holds."""
    n, missing, invalid = int(rows["n"][i]), int(rows["missing"][i]), int(rows["invalid"][i])
    counts = np.asarray(rows["counts"][i], dtype=np.int64)
    if isinstance(layout, CategoryLayout):
        return CategorySummary(n, missing, invalid, tuple(rows["names"][i]), counts, int(rows["other"][i]), layout)
    cells = np.asarray(rows["cells"][i], dtype=np.int32)
    if isinstance(layout, JointLayout):
        vectors = layout.empty().sums
        vectors[cells] = counts
        return VectorSummary(n, missing, invalid, vectors)
    sums = int(rows["sum_q"][i]), int(rows["sum_q2"][i])
    extremes = float(rows["min"][i]), float(rows["max"][i])
    return NumericSummary(n, missing, invalid, int(rows["out_of_range"][i]), cells, counts, *sums, *extremes)


def pack_summary(summary: Summary) -> dict[str, Any]:
    """A summary as a checkpoint holds it."""
    if isinstance(summary, VectorSummary):
        return vector_columns(summary)
    return category_columns(summary) if isinstance(summary, CategorySummary) else numeric_columns(summary)


def unpack_summary(packed: Mapping[str, Any], layout: Layout) -> Summary:
    """The summary that :func:`pack_summary` packed."""
    return summary_of({name: [value] for name, value in packed.items()}, 0, layout)
