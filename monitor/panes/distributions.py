"""How the signals of a model were distributed over a span of event time, from stored panes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detectors.sketch import (
    CategoryLayout,
    CategorySummary,
    JointLayout,
    NumericSummary,
    VectorSummary,
    sum_summaries,
    sum_vectors,
)
from detectors.sketch.category_summary import summarize
from monitor.errors import InputError
from monitor.panes.codec import signal_of_findings, summary_of
from monitor.watch import Layout, Summary, Watch
from sinks.receivers.times import utc
from sinks.store.contract import Query, Store

__all__ = ["Part", "Summaries", "by_window", "empty_summary", "findings_by_window", "pieces_of", "size_of", "summaries"]

TIERS = (("panes_1h", 3_600_000), ("panes_5m", 300_000))
"""Sums of panes that the store keeps, the longest first."""

ROWS_AT_ONCE = 50_000
"""Rows of panes that the store adds up at once."""

NAMES_AT_ONCE = 200_000
"""Names that one answer of the store should have: its sums keep all, and where ids are names, each row has others."""

ROWS_AT_FIRST = 500
"""Rows that it adds up at first where there are names, until it shows how many."""

SUMS = ("n", "missing", "invalid", "out_of_range", "other", "sum_q", "sum_q2")
Pieces = list[tuple[str, tuple[int, int]]]
"""Spans, each with the table that its sums are read from."""

COLUMNS = ("signal", "layout", "cells", "counts", "names", "min", "max", *SUMS)


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
class Summaries:
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


def summaries(store: Store, watch: Watch, part: Part, signals: Collection[str] | None = None) -> Summaries:
    """Add up the panes of a part, late events included.

    Parameters
    ----------
    store : Store
    watch : Watch
    part : Part
    signals : collection of str or None
        Only these; all if None.
    """
    chosen = [signal for signal in watch.layouts if signals is None or signal in signals]
    where: dict[str, Any] = {"model": watch.name, "segment": part.segment}
    if signals is not None:  # to name all of them takes the engine longer than to read them
        where["signal"] = chosen
    if part.version is not None:
        where["version"] = part.version
    pane_ms = watch.model.spec.detect.pane
    pieces = pieces_of((part.from_ms, part.to_ms), pane_ms)
    sums: dict[str, Any] = {}
    other_layouts: set[str] = set()
    layouts = [watch.layouts[signal] for signal in chosen]
    for rows_of_all in _some_at_a_time(store, where, pieces, pane_ms, layouts):
        for signal, layout, rows in _by_signal(watch, chosen, rows_of_all):
            if {columns["layout"][i] for columns, i in rows} - {layout.id}:
                other_layouts.add(signal)
            elif rows:
                newest = _sum(rows, layout)
                sums[signal] = sums[signal] + newest if signal in sums else newest
    return Summaries({name: sums[name] for name in chosen if name in sums and name not in other_layouts}, other_layouts)


def _some_at_a_time(
    store: Store, where: Mapping[str, Any], pieces: Pieces, pane_ms: int, layouts: Sequence[Layout]
) -> Iterator[Mapping[str, Any]]:
    """Have the store add up pieces, in steps of about :data:`ROWS_AT_ONCE` rows of one partition and version at most.

    Where a step has more names than :data:`NAMES_AT_ONCE`, the next ones are shorter.
    """
    lengths = {**dict(TIERS), "panes": pane_ms}
    most = max(1, ROWS_AT_ONCE // max(1, len(layouts)))
    count = most
    if any(isinstance(layout, CategoryLayout) for layout in layouts):
        count = min(most, max(1, ROWS_AT_FIRST // len(layouts)))
    for table, (start_ms, end_ms) in pieces:
        low_ms, in_step = start_ms, count
        while low_ms < end_ms:
            high_ms = min(end_ms, low_ms + in_step * lengths[table])
            totals = store.totals(Query(table, where, {"pane_start_ms": low_ms}, {"pane_start_ms": high_ms}))
            if table == "panes" and not totals["signal"]:
                check_fine(store, where, (low_ms, high_ms))
            yield totals
            low_ms = high_ms
            fitting = in_step * NAMES_AT_ONCE // max(1, sum(map(len, totals["names"])))
            in_step = min(most, 4 * in_step, max(1, fitting))


def size_of(watch: Watch, part: Part, signals: Collection[str] | None = None) -> int:
    """Return how many sums of panes of each version :func:`summaries` adds up at most."""
    pane_ms = watch.model.spec.detect.pane
    pieces = pieces_of((part.from_ms, part.to_ms), pane_ms)
    lengths = {**dict(TIERS), "panes": pane_ms}
    ticks = sum((to_ms - from_ms) // lengths[table] + 1 for table, (from_ms, to_ms) in pieces)
    return ticks * len(watch.layouts if signals is None else signals)


def by_window(store: Store, watch: Watch, part: Part, signal: str, window_ms: int) -> list[Summary | None]:
    """Return the summary of a signal in each window of a part, None where it has no pane; late events included.

    Parameters
    ----------
    store : Store
    watch : Watch
    part : Part
        A whole number of windows.
    signal : str
    window_ms : int
    """
    layout = watch.layouts[signal]
    windows = _rows_by_window(store, watch, part, (signal, layout.id), window_ms)
    return [_sum(of_window, layout) if of_window else None for of_window in windows]


def findings_by_window(store: Store, watch: Watch, part: Part, signal: str, window_ms: int) -> list[dict[str, int]]:
    """Return how many findings on a signal there are in each window, by the names of the layout; as `by_window`."""
    counted = signal_of_findings(signal), watch.finding_layouts[signal].id
    windows = _rows_by_window(store, watch, part, counted, window_ms)
    return [_by_name(of_window) for of_window in windows]


def _rows_by_window(
    store: Store, watch: Watch, part: Part, counted: tuple[str, str], window_ms: int
) -> list[list[Row]]:
    """Return the rows of panes of a signal and a layout, window by window."""
    signal, layout = counted
    pane_ms = watch.model.spec.detect.pane
    tiers = [
        name for name, tier_ms in TIERS if not (window_ms % tier_ms or part.from_ms % tier_ms or tier_ms % pane_ms)
    ]
    where = {"model": watch.name, "segment": part.segment, "signal": signal}
    if part.version is not None:
        where["version"] = part.version
    span = {"pane_start_ms": part.from_ms}, {"pane_start_ms": part.to_ms}
    table = [*tiers, "panes"][0]
    rows = store.read(Query(table, where, *span, columns=("pane_start_ms", *COLUMNS)))
    if table == "panes":
        # Up to the sum that holds the first of them: panes go one by one.
        first_ms = min(rows["pane_start_ms"].tolist(), default=part.to_ms) // TIERS[-1][1] * TIERS[-1][1]
        if first_ms >= part.from_ms + window_ms:
            check_fine(store, where, (part.from_ms, first_ms))
    windows: list[list[Row]] = [[] for _ in range((part.to_ms - part.from_ms) // window_ms)]
    for i, start_ms in enumerate(rows["pane_start_ms"].tolist()):
        if rows["layout"][i] == layout:
            windows[(start_ms - part.from_ms) // window_ms].append((rows, i))
    return windows


def check_fine(store: Store, where: Mapping[str, Any], span: tuple[int, int]) -> None:
    """Refuse a span of which there are sums of panes and no panes.

    Raises
    ------
    InputError
        The panes' lifetime is over.
    """
    table, tier_ms = TIERS[-1]
    low = {"pane_start_ms": span[0] // tier_ms * tier_ms}
    high = {"pane_start_ms": -(-span[1] // tier_ms) * tier_ms}

    def is_empty(source: str) -> bool:
        return not len(store.read(Query(source, where, low, high, limit=1, columns=("n",)))["n"])

    if is_empty(table) or not is_empty("panes"):
        return
    first = store.read(Query("panes", {"model": where["model"]}, limit=1, order=("pane_start_ms",)))["pane_start_ms"]
    since = f"since {utc(int(first[0]))}" if len(first) else "no more"
    raise InputError(
        f"of {utc(span[0])} to {utc(span[1])} only sums of 5 minutes and of an hour are kept, and panes of model"
        f" {where['model']!r} {since} (spec.store.keep.panes): ask for spans that begin and end at whole 5 minutes"
    )


def pieces_of(span: tuple[int, int], pane_ms: int) -> Pieces:
    """Cut a span into shorter ones, each with the table of the longest sums of panes that fit into it.

    Parameters
    ----------
    span : (int, int)
    pane_ms : int
        The length of a pane: sums that it does not divide leave it out.

    Examples
    --------
    >>> pieces_of((3_540_000, 7_200_000), 10_000)
    [('panes', (3540000, 3600000)), ('panes_1h', (3600000, 7200000))]
    """
    tiers = [(table, tier_ms) for table, tier_ms in TIERS if tier_ms % pane_ms == 0]
    return [piece for piece in _cut(span, tiers) if piece[1][0] < piece[1][1]]


def _cut(span: tuple[int, int], tiers: list[tuple[str, int]]) -> list[tuple[str, tuple[int, int]]]:
    if not tiers:
        return [("panes", span)]
    (table, tier_ms), *finer = tiers
    low, high = -(-span[0] // tier_ms) * tier_ms, span[1] // tier_ms * tier_ms
    if low >= high:
        return _cut(span, finer)
    return [*_cut((span[0], low), finer), (table, (low, high)), *_cut((high, span[1]), finer)]


Row = tuple[Mapping[str, Any], int]
"""The columns of a read, and a place in them."""


def _by_signal(
    watch: Watch, signals: Sequence[str], columns: Mapping[str, Any]
) -> Iterator[tuple[str, Layout, list[Row]]]:
    rows: dict[str, list[Row]] = {signal: [] for signal in signals}
    for i, signal in enumerate(columns["signal"]):
        if signal in rows:
            rows[signal].append((columns, i))
    return ((signal, watch.layouts[signal], signal_rows) for signal, signal_rows in rows.items())


def empty_summary(layout: Layout) -> Summary:
    """Return the summary of no events."""
    if isinstance(layout, CategoryLayout):
        return CategorySummary(0, 0, 0, (), NumericSummary.empty().counts, 0, layout)
    return layout.empty() if isinstance(layout, JointLayout) else NumericSummary.empty()


def _sum(rows: Sequence[Row], layout: Layout) -> Summary:
    """Add rows up at once: the counts of all of them make one summary, in which cells and names may repeat."""
    if isinstance(layout, JointLayout):
        return sum_vectors([v for v in (summary_of(*row, layout) for row in rows) if isinstance(v, VectorSummary)])
    numbers: dict[str, list[Any]] = {n: [columns[n][i] for columns, i in rows] for n in (*SUMS, "min", "max")}
    sums = {name: sum(map(int, numbers[name])) for name in SUMS}
    counts = np.concatenate([columns["counts"][i] for columns, i in rows])
    if isinstance(layout, CategoryLayout):
        return summarize(layout, _by_name(rows), sums["missing"], sums["invalid"], sums["other"])
    cells = np.concatenate([columns["cells"][i] for columns, i in rows]).astype(np.int32)
    del sums["other"]
    low, high = float(min(numbers["min"])), float(max(numbers["max"]))
    together = NumericSummary(cells=cells, counts=counts, min=low, max=high, **sums)
    return together if len(rows) == 1 else sum_summaries([together])


def _by_name(rows: Sequence[Row]) -> dict[str, int]:
    """Add up what is counted by name."""
    totals: dict[str, int] = {}
    for columns, i in rows:
        for name, count in zip(columns["names"][i], columns["counts"][i].tolist(), strict=True):
            totals[name] = totals.get(name, 0) + count
    return totals
