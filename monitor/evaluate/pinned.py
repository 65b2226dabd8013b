"""The pinned period that windows are compared with: sums of the panes of one span of event time.

It is that of a signal in a segment, over all versions, as a data set is: a version that comes later is compared with
those that answered then. What has been summed up stands in the checkpoint, so that its panes may go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detectors.change.accepted_skew import FEWEST_DAYS
from monitor.alerts.verdict import Facts
from monitor.config.baseline import PeriodBaseline
from monitor.evaluate.baselines import add_up
from monitor.evaluate.columns import Columns
from monitor.evaluate.read_ahead import in_batches, read_ahead
from monitor.evaluate.windows import Blocks, Windows, distinct_keys, first_window_end
from monitor.panes.codec import pack_summary, unpack_summary
from monitor.panes.coverage import begins_ms, panes_of
from monitor.panes.reading import PaneRows, SeriesPanes
from monitor.watch import Summary, Watch
from sinks.store.contract import Store

__all__ = ["PARTS", "PinnedPeriod", "pin_stored"]

PARTS = 7
"""A period is held in so many equal parts: how much they vary says how far its mean may be from what is usual."""

CELLS_AT_ONCE = 4_000_000

Parts = list[Summary | None]


class PinnedPeriod:
    """What came in a period, of every signal and segment.

    Parameters
    ----------
    watch : Watch
        Of a model whose baseline is a period.

    Attributes
    ----------
    from_ms, to_ms : int
        The period. Steps of windows count that lie within it as a whole.
    since_ms : int or None
        Where the first step starts that had panes; None before there is one.
    """

    def __init__(self, watch: Watch) -> None:
        baseline = watch.model.spec.baseline
        assert isinstance(baseline, PeriodBaseline)
        self.from_ms, self.to_ms = baseline.from_ms, baseline.to_ms
        self.since_ms: int | None = None
        self._watch = watch
        self._step_ms = watch.model.spec.detect.defaults.step_ms
        self._taken_ms: int | None = None
        self._parts: dict[tuple[str, str], Parts] = {}
        self._sums: dict[tuple[str, str], Summary] = {}

    @classmethod
    def of(cls, watch: Watch) -> PinnedPeriod | None:
        """Return that of a model; None if its baseline is another one."""
        return cls(watch) if isinstance(watch.model.spec.baseline, PeriodBaseline) else None

    def is_over(self, end_ms: int) -> bool:
        """Whether the period was over when a window ended."""
        return end_ms >= self.to_ms

    def take(self, panes: PaneRows, ends_ms: range) -> None:
        """Add what the steps of windows have; those that were taken before are left out.

        Parameters
        ----------
        panes : PaneRows
            All panes from the first window's start to the last one's end.
        ends_ms : range
            Later than at every call before.
        """
        ends = self._ends(ends_ms)
        self._taken_ms = max(ends_ms[-1], self._taken_ms or ends_ms[-1])
        for key in panes.series() if ends else ():
            layout = self._watch.layouts.get(key[2])
            if layout is not None and (inside := Blocks(self._watch, ends, parts=1).inside(panes.of(key))):
                columns = Columns(layout)
                if not columns.fixed:
                    columns = Columns(layout, distinct_keys(inside, columns))
                self._take_series(key[1:], inside, columns, ends)

    def _ends(self, ends_ms: range) -> range:
        """The ends of the steps within the period that come with some windows."""
        # The first window of all brings its earlier steps along.
        window_ms = self._watch.model.spec.detect.defaults.window
        taken_ms = ends_ms[0] - window_ms if self._taken_ms is None else self._taken_ms
        steps = -(-(max(taken_ms, self.from_ms) - ends_ms[0]) // self._step_ms) + 1
        first_ms = ends_ms[0] + steps * self._step_ms
        return range(first_ms, min(ends_ms[-1], self.to_ms) + 1, self._step_ms)

    def _take_series(self, key: tuple[str, str], panes: SeriesPanes, columns: Columns, ends: range) -> None:
        at_once = max(1, CELLS_AT_ONCE // max(1, len(columns)))
        for first in range(0, len(ends), at_once):
            windows = Blocks(self._watch, ends[first : first + at_once], parts=1).windows(panes, columns)
            if len(windows.ends_ms):
                self._add(key, windows, columns)

    def _add(self, key: tuple[str, str], windows: Windows, columns: Columns) -> None:
        parts = self._parts.setdefault(key, [None] * PARTS)
        numbers = (windows.ends_ms - self._step_ms - self.from_ms) * PARTS // (self.to_ms - self.from_ms)
        for part in np.unique(numbers).tolist():
            rows = numbers == part
            low, high = windows.extremes[rows, 0].min(), windows.extremes[rows, 1].max()
            summary = columns.summary_of(
                windows.counts[rows].sum(axis=0), windows.sums[rows].sum(axis=0), np.array([low, high])
            )
            held = parts[part]
            parts[part] = add_up([summary] if held is None else [held, summary])
        starts_ms = int(windows.ends_ms[0]) - self._step_ms
        self.since_ms = starts_ms if self.since_ms is None else min(self.since_ms, starts_ms)
        self._sums.pop(key, None)

    def parts(self, segment: str, signal: str) -> list[Summary]:
        """Return the parts of the period in which a signal had panes, in their order."""
        return [part for part in self._parts.get((segment, signal), ()) if part is not None]

    def summary(self, segment: str, signal: str) -> Summary | None:
        """Return the sum of all parts; None if there are none."""
        key = (segment, signal)
        if key not in self._sums and (parts := self.parts(*key)):
            self._sums[key] = add_up(parts)
        return self._sums.get(key)

    def lacking(self, segment: str, signal: str, end_ms: int) -> Facts | None:
        """Return why a day cannot be compared with the period as of a window's end; None if it can be."""
        if not self.is_over(end_ms):
            return Facts("no_baseline", unit="period")
        parts = len(self.parts(segment, signal))
        return Facts("no_baseline", parts, FEWEST_DAYS, "sevenths of its period") if parts < FEWEST_DAYS else None

    # -- state -------------------------------------------------------------------------------------------------

    @property
    def _grid(self) -> list[int]:
        """The first and the last step within the period: other windows may have others."""
        offset_ms = self._watch.model.spec.detect.defaults.offset
        first_ms = -(-(self.from_ms - offset_ms) // self._step_ms) * self._step_ms + offset_ms
        last_ms = (self.to_ms - offset_ms) // self._step_ms * self._step_ms + offset_ms
        return [self.from_ms, self.to_ms, first_ms, last_ms]

    def span(self) -> dict[str, Any]:
        """Return which steps are in, for a checkpoint."""
        return {"grid": self._grid, "taken_ms": self._taken_ms, "since_ms": self.since_ms}

    def snapshot(self) -> list[dict[str, Any]]:
        """State of every signal, for a checkpoint."""
        return [
            {
                "key": ["", segment, signal],
                "layout": self._watch.layouts[signal].id,
                "parts": [None if part is None else pack_summary(part) for part in parts],
            }
            for (segment, signal), parts in sorted(self._parts.items())
        ]

    def restore(self, span: Mapping[str, Any], states: Sequence[Mapping[str, Any]]) -> None:
        """Continue from a snapshot; signals whose values are counted in other cells by now are left out."""
        self._taken_ms, self.since_ms = span["taken_ms"], span["since_ms"]
        for state in states:
            _, segment, signal = state["key"]
            layout = self._watch.layouts.get(signal)
            if layout is not None and layout.id == state["layout"]:
                parts = [None if part is None else unpack_summary(part, layout) for part in state["parts"]]
                self._parts[segment, signal] = parts

    def is_complete_in(self, span: Mapping[str, Any], begins_ms: int | None) -> bool:
        """Whether a snapshot of another configuration has all of this period.

        Under other steps of windows a few hours more or less lie in it. It is added up anew then, unless panes of it
        are gone: they are stored since ``begins_ms``.
        """
        if span["grid"][:2] != [self.from_ms, self.to_ms] or (span["taken_ms"] or 0) < self.to_ms:
            return False
        are_gone = span["since_ms"] is not None and (begins_ms is None or begins_ms > span["since_ms"])
        return span["grid"] == self._grid or are_gone


def pin_stored(period: PinnedPeriod, store: Store, watch: Watch, end_ms: int, table: str) -> None:
    """Add up the stored panes of a period, of the steps that end before the window that ends at ``end_ms``.

    Parameters
    ----------
    period : PinnedPeriod
    store : Store
    watch : Watch
    end_ms : int
        Of the window that is evaluated next.
    table : str
        Of panes.
    """
    begins = begins_ms(store, watch.name, table)
    if begins is None:
        return
    step_ms = watch.model.spec.detect.defaults.step_ms
    from_ms, last_ms = max(begins, period.from_ms), end_ms - step_ms
    first_ms = first_window_end(watch, from_ms)
    if first_ms > last_ms:
        return
    ends_ms = range(first_ms, min(max(first_ms, period.to_ms), last_ms) + 1, step_ms)
    # Sums may be left of panes that are gone, and panes there that are not added up yet.
    sources = [panes_of(store, watch.name, from_ms, ends_ms[-1], source) for source in {table, "panes"}]
    batches = in_batches(ends_ms, sum(kind.cells for kinds in sources for kind in kinds))
    for panes, ends in read_ahead(store, watch, batches, None, table):
        period.take(panes, ends)
