"""How the signals of a model were distributed over a stretch of event time, from stored panes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from detectors.sketch import CategoryLayout, CategorySummary, NumericSummary, sum_categories, sum_summaries
from monitor.panes import summary_of
from monitor.watch import Layout, Summary, Watch
from sinks.store.contract import Query, Store

__all__ = ["Found", "Part", "empty_summary", "summaries"]

COLUMNS = (
    *("signal", "layout", "n", "missing", "invalid", "out_of_range", "cells", "counts", "names", "other"),
    *("sum_q", "sum_q2", "min", "max"),
)


@dataclass(frozen=True)
class Part:
    """Some of a model's events.

    Attributes
    ----------
    from_ms, to_ms : int
        Event time, half-open: the panes that start in it.
    version : str or None
        None: all versions together.
    segment : str
        Empty: all of the traffic.
    """

    from_ms: int
    to_ms: int
    version: str | None = None
    segment: str = ""


@dataclass(frozen=True)
class Found:
    """What is known of a part.

    Attributes
    ----------
    summaries : dict
        By signal, in the order of the configuration; only signals of which there are panes.
    other_layouts : set of str
        Signals of which panes were counted in other bins than today's, and cannot be added.
    """

    summaries: dict[str, Summary] = field(default_factory=dict)
    other_layouts: set[str] = field(default_factory=set)


def summaries(store: Store, watch: Watch, part: Part, signals: Collection[str] | None = None) -> Found:
    """Add up the panes of a part, late events included: one read, however many signals.

    Parameters
    ----------
    store : Store
    watch : Watch
    part : Part
    signals : collection of str or None
        Only these; all if None.
    """
    wanted = [signal for signal in watch.layouts if signals is None or signal in signals]
    where: dict[str, Any] = {"model": watch.name, "segment": part.segment, "signal": wanted}
    if part.version is not None:
        where["version"] = part.version
    low, high = {"pane_start_ms": part.from_ms}, {"pane_start_ms": part.to_ms}
    rows = store.read(Query("panes", where, low, high, columns=COLUMNS))
    places: dict[str, list[int]] = {}
    for i, signal in enumerate(rows["signal"]):
        places.setdefault(signal, []).append(i)
    found = Found()
    for signal in wanted:
        layout = watch.layouts[signal]
        if {rows["layout"][i] for i in places.get(signal, ())} - {layout.id}:
            found.other_layouts.add(signal)
        elif signal in places:
            found.summaries[signal] = _sum(rows, places[signal], layout)
    return found


def empty_summary(layout: Layout) -> Summary:
    """Return the summary of no events."""
    if isinstance(layout, CategoryLayout):
        return CategorySummary(0, 0, 0, (), NumericSummary.empty().counts, 0, layout)
    return NumericSummary.empty()


def _sum(rows: Mapping[str, Any], places: list[int], layout: Layout) -> Summary:
    parts = [summary_of(rows, i, layout) for i in places]
    if isinstance(layout, CategoryLayout):
        return sum_categories([part for part in parts if isinstance(part, CategorySummary)])
    return sum_summaries([part for part in parts if isinstance(part, NumericSummary)])
