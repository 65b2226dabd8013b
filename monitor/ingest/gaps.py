"""Messages that were gone before they were read: which stretch of event time lacks them, and which windows say so.

Between the last pane that was closed before the gap and the first event behind it anything may be missing. The
stretch is written before anything behind the gap is (table ``gaps``), so that no window that reaches into it is judged
without saying so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.events import ENDED, Partition
from sinks.store.batch import Rows, add_row, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["OpenGap", "marked", "stretches"]


@dataclass(frozen=True)
class OpenGap:
    """Messages that one model lacks, and behind which it has not seen an event yet.

    Attributes
    ----------
    first, following : int
        The first offset that is lost, and the one after the last.
    from_ms : int
        Up to where panes were closed by then.
    """

    first: int
    following: int
    from_ms: int

    def row(self, partition: Partition, model: str, to_ms: int = ENDED) -> Rows:
        """The row of ``gaps``; where it ends is known once an event has come."""
        rows = empty_rows("gaps")
        row = {
            "model": model,
            "topic": partition[0],
            "partition": partition[1],
            "first_offset": self.first,
            "next_offset": self.following,
            "from_ms": self.from_ms,
            "to_ms": to_ms,
        }
        add_row(rows, row)
        return rows

    def closed_by(self, event_ms: int, lateness_ms: int, pane_ms: int) -> int:
        """Up to when messages may be missing, if the first event behind the gap has this time.

        Events come up to ``lateness_ms`` out of order, so that a lost one may be that much later than the first that
        was not; and the pane that was open lacks something in any case.

        Examples
        --------
        >>> OpenGap(5, 9, 20_000).closed_by(70_000, 5_000, 10_000)
        75000
        >>> OpenGap(5, 9, 20_000).closed_by(0, 5_000, 10_000)
        30000
        """
        return max(event_ms + lateness_ms, self.from_ms + pane_ms)


def stretches(store: Store, model: str) -> list[tuple[int, int, str]]:
    """Return where messages of a model may be missing: from, to, and the partition as windows name it."""
    rows = rows_of(store.read(Query("gaps", {"model": model})))
    return [(row["from_ms"], row["to_ms"], f"{row['topic']}/{row['partition']}:lost") for row in rows]


def marked(scores: Mapping[str, Sequence[Any]], lost: Sequence[tuple[int, int, str]]) -> list[str]:
    """Return the column ``idle`` of scores, with the partitions added that lost messages of the window.

    Examples
    --------
    >>> scores = {"window_end_ms": [10, 20, 30], "window_ms": [10, 10, 10], "idle": ["", "t/1", ""]}
    >>> marked(scores, [(12, 15, "t/0:lost")])
    ['', 't/1,t/0:lost', '']
    """
    columns = (scores[name] for name in ("window_end_ms", "window_ms", "idle"))
    return [
        ",".join(filter(None, [idle, *(name for low, high, name in lost if low < end_ms and high > end_ms - size_ms)]))
        for end_ms, size_ms, idle in zip(*columns, strict=True)
    ]
