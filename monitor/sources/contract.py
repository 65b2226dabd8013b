"""What a source promises. Read this page first.

A source yields :class:`~monitor.events.Records`: consecutive messages of one partition, in the order of the log,
undecoded. It starts every partition where it is told to and never skips a message silently. It keeps no position
of its own: where to go on is for the checkpoint to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from monitor.events import Change, Gap, Partition, Records

__all__ = ["Resume", "Source"]

Resume = Callable[[str, int], int | None]
"""Gives the next offset to read of a partition, or None where there is no checkpoint. May be called from any thread."""


class Source(Protocol):
    """A stream of records.

    Attributes
    ----------
    guarantee : str
        What holds when a process dies, in one sentence.
    bounded : bool
        Whether the source ends; an unbounded one only ever goes silent.
    gaps : list of Gap
        Messages that were gone before they were read, so far.
    """

    guarantee: str
    bounded: bool
    gaps: list[Gap]

    def open(self, resume: Resume) -> None:
        """Connect, and start every assigned partition at ``resume(topic, partition)``.

        Raises
        ------
        SourceError
        """
        ...

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Records]:
        """Return what is there, at most ``max_records`` in all; an empty list after ``timeout_s`` with nothing new.

        Raises
        ------
        SourceError
        """
        ...

    def changes(self) -> list[Change]:
        """Return, once and in order, which partitions changed hands before the records of the last ``poll``.

        Call it after each ``poll`` and before looking at the records: what is known of these partitions is out of
        date. A source whose partitions stay has none.
        """
        ...

    def partitions(self) -> frozenset[Partition]:
        """Every partition of the stream, whoever reads it: windows are complete when all of them are."""
        ...

    def assigned(self) -> frozenset[Partition]:
        """The partitions that this source now reads."""
        ...

    def at_end(self) -> frozenset[Partition]:
        """Of the assigned partitions, those in which every message that exists by now has been returned by ``poll``."""
        ...

    def ends(self) -> Mapping[Partition, int]:
        """The offset behind the last message of each assigned partition, as far as it is known."""
        ...

    def close(self) -> None:
        """Let go of everything; nothing that ``poll`` returned is forgotten or committed by this."""
        ...
