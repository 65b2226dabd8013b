"""The contrasts of one window that is looked at again, from its summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.change import legend
from detectors.change.charts import step_level, take_in
from detectors.change.contrasts import number_contrasts
from detectors.change.residuals import to_residual
from detectors.chart.legend import N
from detectors.sketch import CategorySummary, NumericLayout, NumericSummary
from monitor.evaluate.columns import Columns, keys_of, sums_of
from monitor.evaluate.contrasts import RATE_COLUMNS, Groups, share_of
from monitor.evaluate.expectations import ExpectedDay
from monitor.watch import Layout, Summary

__all__ = ["Measured", "contrasts_in", "filters_after"]

Floats = NDArray[np.float64]
Measured = Mapping[str, tuple[float, float]]
"""What a window has of each contrast, and out of how many events, by name; as `to_residual` takes them."""


def filters_after(
    day: ExpectedDay, windows: Sequence[Measured], times_of_day: Sequence[float], *, begins_day: bool
) -> Floats:
    """Return how windows of a day leave the levels of all contrasts, float64[R, FILTER].

    Parameters
    ----------
    day : ExpectedDay
    windows : sequence of Measured
    times_of_day : sequence of float
    begins_day : bool
        Whether the first of them begins the day: after an acceptance, what is expected holds from within one.
    """
    scale = legend.BY_DAY if day.windows_per_day == 1 else legend.BY_WINDOW
    filters = np.array([contrast.filters[scale] for contrast in day.contrasts]).reshape(-1, legend.FILTER)
    if scale == legend.BY_DAY:
        return filters
    for row, contrast in zip(filters, day.contrasts, strict=True):
        fresh, unused = begins_day, np.zeros((legend.MAGNITUDES, legend.DIRECTIONS, legend.CHART))
        for number, (measured, time_of_day) in enumerate(zip(windows, times_of_day, strict=True)):
            step_level(row, begins_day and number == 0)
            if contrast.name not in measured:
                continue
            expected = contrast.expected_of(time_of_day, measured[contrast.name][1])
            if not np.isnan(expected):
                take_in(row, unused, *to_residual(contrast.row, *measured[contrast.name], expected), fresh)
                fresh = False
    return filters


def contrasts_in(day: ExpectedDay, summary: Summary, layout: Layout) -> Measured:
    """Return what a window has of each contrast that was expected.

    New and other values are left out: which those are, only the evaluation knows.
    """
    sums = sums_of(summary)
    values = float(sums[N])
    total = values + summary.missing + summary.invalid
    contrasts = {name: (float(sums[column]), total) for name, column in RATE_COLUMNS.items()} if total else {}
    if isinstance(summary, CategorySummary) and values:
        counts = dict(zip(map(share_of, summary.names), summary.counts.tolist(), strict=True))
        expected = {contrast.name for contrast in day.contrasts}
        shares = {name for name in expected if name.startswith("share of '") or name.startswith('share of "')}
        contrasts |= {name: (float(counts.get(name, 0)), values) for name in shares}
    groups = next((contrast.groups for contrast in day.contrasts if contrast.groups is not None), None)
    if groups is not None and isinstance(summary, NumericSummary) and isinstance(layout, NumericLayout):
        location, spread = _described(groups, summary, layout)
        described = {"typical value": (location, values), "spread": (spread, values - 1)}
        contrasts |= {name: pair for name, pair in described.items() if not np.isnan(pair[0])}
    return contrasts


def _described(groups: Groups, summary: NumericSummary, layout: NumericLayout) -> tuple[float, float]:
    """Return the location and the spread of a number's values."""
    columns = Columns(layout)
    if not columns.fixed:
        columns = Columns(layout, keys_of(summary))
    location, spread, repeats, units = np.empty(1), np.empty(1), np.zeros(1), np.ones((1, 2))
    previous, table = np.zeros(legend.GROUPS, dtype=np.int64), groups.table
    number_contrasts(
        columns.counts_of(summary)[None], *groups.numbers(columns), previous,
        table.locations, table.spreads, table.floor, table.fewest, table.units, location, spread, repeats, units,
    )  # fmt: skip
    return float(location[0]), float(spread[0])
