"""What a window is compared with: a data set, the first events, or the trailing quiet windows.

A baseline never contains the window under test, nor one in which its signal was alarmed; while a signal is alarmed
its baseline stands still. A rolling baseline therefore forgets by quiet windows, not by the calendar: a drift that
lasts longer than its span is still compared with what was before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detectors.sketch import CategorySummary, NumericSummary, sum_categories, sum_summaries
from monitor.config.model import Baseline, DatasetBaseline, FirstEventsBaseline, RollingBaseline
from monitor.panes import pack_summary, unpack_summary
from monitor.watch import Layout, Summary

__all__ = ["CHUNKS", "Reference", "add_up"]

CHUNKS = 32
"""A rolling baseline is kept in about this many stretches; the oldest goes as a whole."""


def add_up(summaries: Sequence[Summary]) -> Summary:
    """Add summaries of one layout (at least one)."""
    if isinstance(summaries[0], CategorySummary):
        return sum_categories([s for s in summaries if isinstance(s, CategorySummary)])
    return sum_summaries([s for s in summaries if isinstance(s, NumericSummary)])


@dataclass(slots=True)
class _Chunk:
    from_ms: int
    to_ms: int
    windows: int
    summary: Summary


class Reference:
    """The baseline of one series.

    Parameters
    ----------
    baseline : Baseline
    window_ms : int
    dataset : Summary or None
        For a ``dataset`` baseline: the summary of its data set.
    enough : int
        Quiet windows that a rolling baseline needs before anything is compared with it.
    """

    def __init__(self, baseline: Baseline, window_ms: int, dataset: Summary | None, enough: int) -> None:
        self._baseline = baseline
        self._dataset = dataset
        self._enough = enough
        self._chunks: list[_Chunk] = []
        windows = max(1, baseline.span // window_ms) if isinstance(baseline, RollingBaseline) else 1
        self._span_windows = windows
        self._chunk_windows = -(-windows // CHUNKS)
        self._total: Summary | None = None

    @property
    def summary(self) -> Summary | None:
        """What to compare with; None while it is being learned."""
        if isinstance(self._baseline, DatasetBaseline):
            return self._dataset
        if not self._chunks or not self._learned():
            return None
        if self._total is None:
            self._total = add_up([chunk.summary for chunk in self._chunks])
        return self._total

    @property
    def span_ms(self) -> tuple[int, int]:
        """The stretch of event time that the baseline comes from; (0, 0) for a data set."""
        return (self._chunks[0].from_ms, self._chunks[-1].to_ms) if self._chunks else (0, 0)

    @property
    def progress(self) -> str:
        """How far learning is, in words."""
        if isinstance(self._baseline, FirstEventsBaseline):
            return f"baseline: {self._events()} of {self._baseline.count} events seen"
        if isinstance(self._baseline, DatasetBaseline):
            return "the baseline's data set lacks this field"
        return f"baseline: {sum(c.windows for c in self._chunks)} of {self._enough} windows seen"

    def _events(self) -> int:
        return sum(chunk.summary.total for chunk in self._chunks)

    def _learned(self) -> bool:
        if isinstance(self._baseline, FirstEventsBaseline):
            return self._events() >= self._baseline.count
        return sum(chunk.windows for chunk in self._chunks) >= self._enough

    def add(self, from_ms: int, to_ms: int, summary: Summary) -> None:
        """Take in a quiet window."""
        if isinstance(self._baseline, DatasetBaseline):
            return
        if isinstance(self._baseline, FirstEventsBaseline) and self._learned():
            return
        self._total = None
        last = self._chunks[-1] if self._chunks else None
        if last is not None and last.windows < self._chunk_windows:
            last.to_ms, last.windows = to_ms, last.windows + 1
            last.summary = add_up([last.summary, summary])
        else:
            self._chunks.append(_Chunk(from_ms, to_ms, 1, summary))
        if isinstance(self._baseline, RollingBaseline):
            while sum(chunk.windows for chunk in self._chunks[1:]) >= self._span_windows:
                self._chunks.pop(0)

    def snapshot(self) -> list[list[Any]]:
        """State for a checkpoint."""
        return [[c.from_ms, c.to_ms, c.windows, pack_summary(c.summary)] for c in self._chunks]

    def restore(self, state: Sequence[Sequence[Any]], layout: Layout) -> None:
        """Go on from a snapshot."""
        self._chunks = [_Chunk(int(a), int(b), int(c), unpack_summary(d, layout)) for a, b, c, d in state]
        self._total = None
