"""What a window is compared with: a data set, the first events, the trailing quiet windows, or a pinned period.

A baseline never contains the window under test, nor one in which its signal was alarmed; while a signal is alarmed
its baseline stands still. A rolling baseline therefore forgets by quiet windows, not by the calendar: a drift that
lasts longer than its span is still compared with what was before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.chart.legend import (
    DATASET,
    FIRST_EVENTS,
    FROM_MS,
    PERIOD,
    ROLLING,
    SUMS,
    TIMES,
    TO_MS,
    WINDOWS,
)
from detectors.sketch import CategorySummary, NumericSummary, VectorSummary, sum_categories, sum_summaries, sum_vectors
from monitor.config.baseline import Baseline, DatasetBaseline, FirstEventsBaseline, PeriodBaseline, RollingBaseline
from monitor.evaluate.columns import Columns, keys_of, sums_of
from monitor.panes.codec import pack_summary, unpack_summary
from monitor.watch import Layout, Summary

__all__ = ["CHUNKS", "Reference", "add_up"]

CHUNKS = 32
"""A rolling baseline is held in about this many chunks; the oldest goes as a whole."""


def add_up(summaries: Sequence[Summary]) -> Summary:
    """Add summaries of one layout (at least one)."""
    if isinstance(summaries[0], CategorySummary):
        return sum_categories([s for s in summaries if isinstance(s, CategorySummary)])
    if isinstance(summaries[0], VectorSummary):
        return sum_vectors([s for s in summaries if isinstance(s, VectorSummary)])
    return sum_summaries([s for s in summaries if isinstance(s, NumericSummary)])


@dataclass
class Counted:
    """Summaries in the columns of a series: of one of them, or of several, one a row.

    Attributes
    ----------
    counts, sums, extremes : arrays [..., K], [..., SUMS], [..., 2]
    """

    counts: NDArray[np.int64]
    sums: NDArray[np.int64]
    extremes: NDArray[np.float64]

    @classmethod
    def nothing(cls, *shape: int) -> Counted:
        """Return room for summaries of nothing; the last of ``shape`` is the number of columns."""
        rows = shape[:-1]
        extremes = np.tile([np.inf, -np.inf], (*rows, 1)) if rows else np.array([np.inf, -np.inf])
        return cls(np.zeros(shape, dtype=np.int64), np.zeros((*rows, SUMS), dtype=np.int64), extremes)

    def put(self, row: Any, summary: Summary, columns: Columns) -> None:
        """Write a summary into a row, or into ``...``, which is all there is."""
        self.counts[row] = columns.counts_of(summary)
        self.sums[row] = sums_of(summary)
        self.extremes[row] = extremes_of(summary)

    def summary(self, row: Any, columns: Columns) -> Summary:
        """The summary of a row, or of ``...``."""
        return columns.summary_of(self.counts[row], self.sums[row], self.extremes[row])


@dataclass(frozen=True)
class Rules:
    """How a baseline grows.

    Attributes
    ----------
    kind : int
        Of `detectors.chart.legend`: a data set, the first events, the trailing quiet windows, or a period.
    needed : int
        How much it needs before anything is compared with it.
    unit : str
        Of what: ``events``, ``windows`` or ``events of its period``; empty for a data set, which is there or not.
    span_windows, chunk_windows : int
        Windows of a rolling baseline, and of each of its chunks.
    from_ms : int or None
        Windows that begin before the end of a period are compared with nothing.
    """

    kind: int = DATASET
    needed: int = 1
    unit: str = ""
    span_windows: int = 1
    chunk_windows: int = 1
    from_ms: int | None = None

    @classmethod
    def of(cls, baseline: Baseline, window_ms: int, enough: int, min_samples: int = 1) -> Rules:
        """Return the rules of a configured baseline."""
        if isinstance(baseline, RollingBaseline):
            windows = max(1, baseline.span // window_ms)
            return cls(ROLLING, enough, "windows", windows, -(-windows // CHUNKS))
        if isinstance(baseline, FirstEventsBaseline):
            return cls(FIRST_EVENTS, baseline.count, "events", chunk_windows=1 << 62)
        if isinstance(baseline, PeriodBaseline):
            return cls(PERIOD, min_samples, "events of its period", from_ms=baseline.to_ms)
        return cls()

    @property
    def chunks(self) -> int:
        """How many chunks there is room for."""
        # One more chunk than the span takes, one that is growing, and one that is about to leave.
        return -(-self.span_windows // self.chunk_windows) + 3 if self.kind == ROLLING else 1


class Reference:
    """The baseline of one series, in the arrays that `detectors.chart.windows.evaluate_windows` reads and changes.

    Parameters
    ----------
    baseline : Baseline
    window_ms : int
    layout : Layout
    dataset : Summary or None
        For a ``dataset`` baseline: the summary of its data set.
    enough : int
        Quiet windows that a rolling baseline needs before anything is compared with it.
    min_samples : int
        Events that a period needs.

    Attributes
    ----------
    rules : Rules
    columns : Columns
        Of its counts.
    ring : Counted
        Its chunks, C rows.
    times : int64 array [C, TIMES]
    span : int64 array [2]
        The first chunk of the ring, and their number.
    total : Counted
        The sum of them.
    """

    def __init__(
        self,
        baseline: Baseline,
        window_ms: int,
        layout: Layout,
        dataset: Summary | None,
        enough: int,
        min_samples: int = 1,
    ) -> None:
        self.rules = Rules.of(baseline, window_ms, enough, min_samples)
        self.columns = Columns(layout)
        self.ring = Counted.nothing(self.rules.chunks, len(self.columns))
        self.times = np.zeros((self.rules.chunks, TIMES), dtype=np.int64)
        self.span = np.zeros(2, dtype=np.int64)
        self.total = Counted.nothing(len(self.columns))
        if isinstance(baseline, DatasetBaseline) and dataset is not None:
            self._put([(0, 0, 1, dataset)])

    def pin(self, from_ms: int, to_ms: int, summary: Summary) -> None:
        """Be what came in a period, which is over."""
        self._put([(from_ms, to_ms, 1, summary)])

    def make_room(self, keys: Any) -> None:
        """Have columns for cells, or names, beside those of the baseline."""
        if not self.columns.lacks(keys):
            return
        old = self.columns
        chunks = self._chunk_counts()
        # What neither the baseline nor the windows at hand hold any more goes.
        self.columns = Columns(old.layout, [*old.occupied(np.vstack((chunks, self.total.counts))), *keys])
        self.ring.counts = self.columns.moved_from(old, chunks)
        self.total.counts = self.columns.moved_from(old, self.total.counts[None, :])[0]

    def _chunk_counts(self) -> NDArray[np.int64]:
        """The counts of the chunks; zero in rows without one."""
        unused = np.ones(len(self.times), dtype=np.bool_)
        unused[self._order()] = False
        self.ring.counts[unused] = 0
        return self.ring.counts

    def _order(self) -> list[int]:
        return [(int(self.span[0]) + c) % len(self.times) for c in range(int(self.span[1]))]

    @property
    def summary(self) -> Summary | None:
        """All of it, learned or not; None if there is nothing."""
        if not self.span[1]:
            return None
        return self.total.summary(..., self.columns)

    def snapshot(self) -> list[list[Any]]:
        """State for a checkpoint; a data set is read again instead, and a period stands there by itself."""
        if self.rules.kind in (DATASET, PERIOD):
            return []
        return [
            [
                *self.times[c, [FROM_MS, TO_MS, WINDOWS]].tolist(),
                pack_summary(self.ring.summary(c, self.columns)),
            ]
            for c in self._order()
        ]

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Continue from a snapshot."""
        if self.rules.kind in (DATASET, PERIOD):
            return
        chunks = [(int(a), int(b), int(c), unpack_summary(d, self.columns.layout)) for a, b, c, d in state]
        if self.rules.kind == FIRST_EVENTS and chunks:
            total = add_up([summary for *_, summary in chunks])
            chunks = [(chunks[0][0], chunks[-1][1], sum(c for _, _, c, _ in chunks), total)]
        self._put(chunks)

    def _put(self, chunks: Sequence[tuple[int, int, int, Summary]]) -> None:
        self.span[:] = 0
        self.total.counts[:] = 0
        self.make_room([key for *_, summary in chunks for key in keys_of(summary)])
        self.span[:] = 0, len(chunks)
        for c, (from_ms, to_ms, windows, summary) in enumerate(chunks):
            self.ring.put(c, summary, self.columns)
            self.times[c, [FROM_MS, TO_MS, WINDOWS]] = from_ms, to_ms, windows
        if chunks:
            self.total.put(..., add_up([summary for *_, summary in chunks]), self.columns)


def extremes_of(summary: Summary) -> tuple[float, float]:
    """The smallest and the largest value of a summary; infinite for one without numbers."""
    return (summary.min, summary.max) if isinstance(summary, NumericSummary) else (np.inf, -np.inf)
