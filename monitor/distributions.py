"""The distribution of one signal over a stretch of event time, from stored panes."""

from __future__ import annotations

from typing import Any

from detectors.sketch import CategoryLayout, CategorySummary, NumericLayout, NumericSummary
from monitor.baselines import add_up
from monitor.errors import InputError
from monitor.panes import summary_of
from monitor.watch import Layout, Summary, Watch
from sinks.store.contract import Query, Store

__all__ = ["Stretch", "distribution"]

Stretch = tuple[int, int]
"""From and to, ms since the epoch, half-open."""


def distribution(store: Store, watch: Watch, series: tuple[str, str, str], stretch: Stretch) -> dict[str, Any]:
    """Add up what came in a stretch of event time, late events included.

    Parameters
    ----------
    store : Store
    watch : Watch
    series : tuple
        Version, segment, signal.
    stretch : (int, int)
        Whole panes: those that start in it.

    Returns
    -------
    dict
        As ``monitor.api.contract`` says.

    Raises
    ------
    InputError
        If panes in it have another layout than the configuration's, and cannot be added.
    """
    version, segment, signal = series
    layout = watch.layouts.get(signal)
    if layout is None:
        raise InputError(f"model {watch.name!r} has no distribution {signal!r}; it has {', '.join(watch.layouts)}")
    where = {"model": watch.name, "signal": signal, "segment": segment, "version": version}
    low, high = {"pane_start_ms": stretch[0]}, {"pane_start_ms": stretch[1]}
    rows = store.read(Query("panes", where, low, high))
    if set(rows["layout"]) - {layout.id}:
        raise InputError(f"{signal}: panes of this time were kept under another configuration and cannot be added")
    parts = [summary_of(rows, i, layout) for i in range(len(rows["layout"]))]
    return _described(add_up(parts) if parts else _nothing(layout), layout)


def _nothing(layout: Layout) -> Summary:
    if isinstance(layout, CategoryLayout):
        return CategorySummary(0, 0, 0, (), NumericSummary.empty().counts, 0, layout)
    return NumericSummary.empty()


def _described(summary: Summary, layout: Layout) -> dict[str, Any]:
    shared = {"n": summary.n, "missing": summary.missing, "invalid": summary.invalid}
    if isinstance(summary, CategorySummary):
        content = {"names": list(summary.names), "count": summary.counts.tolist(), "other": summary.other}
        return {"kind": "category", **shared, "out_of_range": 0, **content}
    assert isinstance(layout, NumericLayout)
    return {
        "kind": "numeric",
        **shared,
        "out_of_range": summary.out_of_range,
        "low": layout.cell_low(summary.cells).tolist(),
        "high": layout.cell_high(summary.cells).tolist(),
        "count": summary.counts.tolist(),
        "mean": summary.mean(layout),
        "min": summary.min,
        "max": summary.max,
    }
