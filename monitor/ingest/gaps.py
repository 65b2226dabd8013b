"""Messages that were gone before they were read: which span of event time lacks them.

Between the last pane that was closed before the gap and the first event behind it anything may be missing. That span
is written before anything behind the gap is (table ``gaps``), so that no window that reaches into it is evaluated
without saying so (:mod:`monitor.evaluate.lost_spans`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.events import ENDED, Events, Gap, Partition
from monitor.ingest.watermark import EventClock
from monitor.messages import is_cut
from sinks.store.batch import Rows, add_row, empty_rows

__all__ = ["NOBODY", "OpenGap", "PartitionGaps"]

NOBODY = ""
"""In place of a model: whoever reads the messages that are of none."""


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


class PartitionGaps:
    """What the models that read one partition lack of it.

    Where events wait, a checkpoint says to go on at the first of them, though all behind it was read. What is gone of
    that before it is read again is lacking to nobody, but for the events that waited.

    Parameters
    ----------
    partition : Partition
    """

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._open: dict[str, list[OpenGap]] = {}
        self._read: dict[str, tuple[int, Sequence[int]]] = {}

    def note_read(self, model: str, read_before: int, waited: Sequence[int] = ()) -> None:
        """All before an offset was read for a model, but for some events that waited."""
        self._read[model] = read_before, waited

    def lacking(self, gap: Gap, models: Sequence[str]) -> dict[str, Gap]:
        """Return what each model lacks of messages that are gone.

        Examples
        --------
        >>> gaps = PartitionGaps(("events", 0))
        >>> gaps.note_read("rare", 500, [3, 90])
        >>> gaps.note_read("busy", 500)
        >>> gaps.lacking(("events", 0, 3, 200), ["rare", "busy", "new"])
        {'rare': ('events', 0, 3, 91), 'new': ('events', 0, 3, 200)}
        >>> gaps.lacking(("events", 0, 3, 600), ["rare", "busy"])
        {'rare': ('events', 0, 3, 600), 'busy': ('events', 0, 500, 600)}
        """
        return {model: lacked for model in models if (lacked := self._lacked(gap, *self._read.get(model, (-1, ()))))}

    def _lacked(self, gap: Gap, read_before: int, waited: Sequence[int]) -> Gap | None:
        if is_cut(gap):
            return gap
        first, following = gap[2:]
        lost = [offset for offset in waited if first <= offset < following]
        unread = max(first, read_before)
        if unread < following:
            return (*self._partition, min([unread, *lost]), following)
        return (*self._partition, lost[0], lost[-1] + 1) if lost else None

    def open(self, model: str, gap: Gap, closed_ms: int) -> Rows:
        """Note what a model lacks; until its next event comes anything later may be missing."""
        open_gap = OpenGap(*gap[2:], closed_ms)
        self._open.setdefault(model, []).append(open_gap)
        return open_gap.row(self._partition, model)

    def close(self, model: str, events: Events, clock: EventClock) -> Iterator[Rows]:
        """A model's events have come: messages may be missing up to the first of them, and not behind it."""
        for gap in self._open.pop(model, ()) if len(events) else ():
            to_ms = gap.closed_by(int(events.event_ms[0]), clock.lateness_ms, clock.pane_ms)
            yield gap.row(self._partition, model, to_ms)

    def snapshot(self) -> dict[str, list[list[int]]]:
        """Which spans have no end yet."""
        return {model: [[g.first, g.following, g.from_ms] for g in gaps] for model, gaps in self._open.items()}

    def restore(self, state: Mapping[str, Sequence[Sequence[int]]]) -> None:
        """Go on from a snapshot."""
        self._open = {model: [OpenGap(*gap) for gap in gaps] for model, gaps in state.items()}
