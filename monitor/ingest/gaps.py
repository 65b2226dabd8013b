"""Messages that were gone before they were read: which span of event time lacks them.

Between the last pane that was closed before the gap and the first event behind it anything may be missing. That span
is written before anything behind the gap is (table ``gaps``), so that no window that reaches into it is evaluated
without saying so (:mod:`monitor.evaluate.lost_spans`).
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.events import ENDED, Partition
from sinks.store.batch import Rows, add_row, empty_rows

__all__ = ["OpenGap"]


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
