"""What a window is compared with: a data set, the first events, or the trailing quiet windows.

A baseline never contains the window under test, nor one in which its signal was alarmed; while a signal is alarmed
its baseline stands still. A rolling baseline therefore forgets by quiet windows, not by the calendar: a drift that
lasts longer than its span is still compared with what was before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors.chart.legend import (
    DATASET,
    FIRST_EVENTS,
    FROM_MS,
    ROLLING,
    SUMS,
    TIMES,
    TO_MS,
    WINDOWS,
)
from detectors.sketch import CategorySummary, NumericSummary, VectorSummary, sum_categories, sum_summaries, sum_vectors
from monitor.config.model import Baseline, DatasetBaseline, FirstEventsBaseline, RollingBaseline
from monitor.evaluate.columns import Columns, keys_of, sums_of
from monitor.panes.codec import pack_summary, unpack_summary
from monitor.watch import Layout, Summary

__all__ = ["CHUNKS", "Reference", "add_up"]

CHUNKS = 32
"""A rolling baseline is kept in about this many stretches; the oldest goes as a whole."""


def add_up(summaries: Sequence[Summary]) -> Summary:
    """Add summaries of one layout (at least one)."""
    if isinstance(summaries[0], CategorySummary):
        return sum_categories([s for s in summaries if isinstance(s, CategorySummary)])
    if isinstance(summaries[0], VectorSummary):
        return sum_vectors([s for s in summaries if isinstance(s, VectorSummary)])
    return sum_summaries([s for s in summaries if isinstance(s, NumericSummary)])


class Reference:
    """The baseline of one series, in the arrays that `detectors.chart.windows.judge_windows` reads and changes.

    Parameters
    ----------
    baseline : Baseline
    window_ms : int
    layout : Layout
    dataset : Summary or None
        For a ``dataset`` baseline: the summary of its data set.
    enough : int
        Quiet windows that a rolling baseline needs before anything is compared with it.

    Attributes
    ----------
    columns : Columns
        Of its counts.
    kind, needed, span_windows, chunk_windows : int
        Its rules.
    chunks, chunk_sums, chunk_extremes, chunk_times, place : arrays
        Stretches of it, in a ring: counts [C, K], sums [C, SUMS], extremes [C, 2], times [C, TIMES], and the first
        stretch with their number.
    total, total_sums, total_extremes : arrays
        The sum of them.
    """

    def __init__(
        self, baseline: Baseline, window_ms: int, layout: Layout, dataset: Summary | None, enough: int
    ) -> None:
        self._baseline = baseline
        self.kind, self.needed, self.span_windows, self.chunk_windows = DATASET, 1, 1, 1
        size = 1
        if isinstance(baseline, RollingBaseline):
            windows = max(1, baseline.span // window_ms)
            self.kind, self.needed, self.span_windows = ROLLING, enough, windows
            self.chunk_windows = -(-windows // CHUNKS)
            # One more stretch than the span takes, one that is begun, and one that is about to go.
            size = -(-windows // self.chunk_windows) + 3
        elif isinstance(baseline, FirstEventsBaseline):
            self.kind, self.needed, self.chunk_windows = FIRST_EVENTS, baseline.count, 1 << 62
        self.columns = Columns(layout)
        self.chunk_sums = np.zeros((size, SUMS), dtype=np.int64)
        self.chunk_extremes = np.zeros((size, 2))
        self.chunk_times = np.zeros((size, TIMES), dtype=np.int64)
        self.place = np.zeros(2, dtype=np.int64)
        self.chunks = np.zeros((size, len(self.columns)), dtype=np.int64)
        self.total = np.zeros(len(self.columns), dtype=np.int64)
        self.total_sums = np.zeros(SUMS, dtype=np.int64)
        self.total_extremes = np.array([np.inf, -np.inf])
        if isinstance(baseline, DatasetBaseline) and dataset is not None:
            self._put([(0, 0, 1, dataset)])

    def make_room(self, keys: Any) -> None:
        """Have columns for cells, or names, beside those of the baseline."""
        if not self.columns.lacks(keys):
            return
        before = self.columns
        # What neither the baseline nor the windows at hand hold any more goes.
        self.columns = Columns(before.layout, [*before.occupied(self._lying()), *keys])
        self.chunks = self.columns.moved_from(before, self._kept())
        self.total = self.columns.moved_from(before, self.total[None, :])[0]

    def _lying(self) -> Any:
        return np.concatenate((self._kept(), self.total[None, :]))

    def _kept(self) -> Any:
        """The counts of the stretches; zero where none lies."""
        unused = np.ones(len(self.chunks), dtype=np.bool_)
        unused[self._order()] = False
        self.chunks[unused] = 0
        return self.chunks

    def _order(self) -> list[int]:
        return [(int(self.place[0]) + c) % len(self.chunks) for c in range(int(self.place[1]))]

    @property
    def summary(self) -> Summary | None:
        """The whole of it, learned or not; None if there is nothing."""
        if not self.place[1]:
            return None
        return self.columns.summary_of(self.total, self.total_sums, self.total_extremes)

    def progress(self, seen: int) -> str:
        """How far learning is, in words, from what the kernel counted."""
        if isinstance(self._baseline, FirstEventsBaseline):
            return f"baseline: {seen} of {self.needed} events seen"
        if isinstance(self._baseline, DatasetBaseline):
            return "the baseline's data set lacks this field"
        return f"baseline: {seen} of {self.needed} windows seen"

    def snapshot(self) -> list[list[Any]]:
        """State for a checkpoint; a data set is read again instead."""
        if self.kind == DATASET:
            return []
        return [
            [
                *self.chunk_times[c, [FROM_MS, TO_MS, WINDOWS]].tolist(),
                pack_summary(self.columns.summary_of(self.chunks[c], self.chunk_sums[c], self.chunk_extremes[c])),
            ]
            for c in self._order()
        ]

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Go on from a snapshot."""
        if self.kind == DATASET:
            return
        chunks = [(int(a), int(b), int(c), unpack_summary(d, self.columns.layout)) for a, b, c, d in state]
        if self.kind == FIRST_EVENTS and chunks:
            whole = add_up([summary for *_, summary in chunks])
            chunks = [(chunks[0][0], chunks[-1][1], sum(c for _, _, c, _ in chunks), whole)]
        self._put(chunks)

    def _put(self, chunks: Sequence[tuple[int, int, int, Summary]]) -> None:
        self.place[:] = 0
        self.total[:] = 0
        self.make_room([key for *_, summary in chunks for key in keys_of(summary)])
        self.place[:] = 0, len(chunks)
        for c, (from_ms, to_ms, windows, summary) in enumerate(chunks):
            self.chunks[c] = self.columns.counts_of(summary)
            self.chunk_sums[c] = sums_of(summary)
            self.chunk_extremes[c] = extremes_of(summary)
            self.chunk_times[c, [FROM_MS, TO_MS, WINDOWS]] = from_ms, to_ms, windows
        if chunks:
            whole = add_up([summary for *_, summary in chunks])
            self.total[:] = self.columns.counts_of(whole)
            self.total_sums[:] = sums_of(whole)
            self.total_extremes[:] = extremes_of(whole)


def extremes_of(summary: Summary) -> tuple[float, float]:
    """The smallest and the largest value of a summary; infinite for one without numbers."""
    return (summary.min, summary.max) if isinstance(summary, NumericSummary) else (np.inf, -np.inf)
