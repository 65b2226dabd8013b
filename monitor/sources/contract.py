"""What a source promises. Read this page first.

A source yields :class:`~monitor.events.Records`: consecutive messages of one partition, in the order of the log,
undecoded. It starts every partition where the caller says and never skips a message silently. It keeps no position
of its own: where to go on is for the checkpoint to say.

The first part of :class:`Source` is what every source does. The second part is what only some can: each of these
methods has a default that is right for a source whose partitions and logs stay as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.events import Change, Gap, Partition, Records

__all__ = ["Mark", "Member", "Resume", "Source"]

Resume = Callable[[str, int], int | None]
"""Gives the next offset to read of a partition, or None where there is no checkpoint. May be called from any thread."""

Mark = Mapping[str, Any]
"""What a checkpoint keeps of the log that it belongs to; empty where a partition's log is never another one."""


@dataclass(frozen=True)
class Member:
    """A member of a group whose members share out partitions.

    Attributes
    ----------
    name, host : str
        What it calls itself, and where it runs.
    shares_store : bool
        Whether it says that it writes to the store of the service that looks.
    partitions : frozenset of Partition
        What it reads.
    """

    name: str
    host: str
    shares_store: bool
    partitions: frozenset[Partition]


class Source(ABC):
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

    @abstractmethod
    def open(self, resume: Resume) -> None:
        """Connect, and start every assigned partition at ``resume(topic, partition)``.

        Raises
        ------
        SourceError
        """

    @abstractmethod
    def poll(self, max_records: int, timeout_s: float) -> Sequence[Records]:
        """Return what is there, at most ``max_records`` in all; an empty list after ``timeout_s`` with nothing new.

        Raises
        ------
        SourceError
        """

    @abstractmethod
    def partitions(self) -> frozenset[Partition]:
        """Every partition of the stream, whoever reads it: windows are complete when all of them are."""

    @abstractmethod
    def assigned(self) -> frozenset[Partition]:
        """The partitions that this source now reads."""

    @abstractmethod
    def at_end(self) -> frozenset[Partition]:
        """Of the assigned partitions, those in which every message that exists by now has been returned by ``poll``."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; nothing that ``poll`` returned is forgotten or committed by this."""

    # -- what only some sources can ----------------------------------------------------------------------------

    def ends(self) -> Mapping[Partition, int]:
        """The offset behind the last message of each assigned partition, as far as it is known; by default it is not.

        Lag is shown for these partitions.
        """
        return {}

    def unanswered(self) -> Collection[Partition]:
        """Assigned partitions of which nobody says what has come, since brokers are away; by default there is none."""
        return frozenset()

    def changes(self) -> Sequence[Change]:
        """Return, once and in order, which partitions changed hands before the records of the last ``poll``.

        Call it after each ``poll`` and before looking at the records: what is known of these partitions is out of
        date. By default partitions stay.
        """
        return []

    def starts(self) -> Mapping[Partition, int]:
        """Return, once, at which offset partitions have started for which ``resume`` had none.

        Call it after each ``poll``, behind :meth:`changes` and before looking at the records: whoever goes on from a
        checkpoint has to find that offset there, also if no message ever comes. By default partitions start at 0, now
        and whenever they are begun again.
        """
        return {}

    def is_gone(self, topic: str) -> bool:
        """Whether a topic that was read is not there any more, so that no window waits for it; by default none is."""
        return False

    def gone_since(self) -> Mapping[str, int]:
        """Topics that are named and not there now, with since when, in ms; by default none is."""
        return {}

    def mark(self, partition: Partition) -> Mark:
        """Say which log a partition is, for the checkpoint that is written behind everything polled."""
        return {}

    def recall(self, partition: Partition, mark: Mark) -> None:  # noqa: B027 -- by default there is nothing to recall
        """Take up what :meth:`mark` said when the checkpoint was written from which a partition goes on."""

    def commit(self, positions: Mapping[Partition, int]) -> None:  # noqa: B027 -- by default nobody else looks
        """Show how far checkpoints are to people and tools that watch the log. Must not wait; nothing depends on it."""

    def set_aside(self, topics: Collection[str], why: str) -> bool:
        """Read nothing for a while of topics that a :class:`~monitor.errors.SourceError` has named.

        They are tried again after a pause, which grows; nothing that was not returned yet is passed over meanwhile.

        Returns
        -------
        bool
            Whether it can read the others then; if not, as by default, the error stands.
        """
        return False

    def refused(self) -> Mapping[str, str]:
        """Topics that are set aside, each with the reason; by default there is none."""
        return {}

    def rewind(self) -> bool:
        """Go back to the checkpoints without closing: the next ``poll`` starts every partition there.

        Returns
        -------
        bool
            Whether it does; if not, as by default, the source has to be closed and opened again.
        """
        return False

    @property
    def paused_s(self) -> float:
        """Seconds for which reading was paused because rows were still being written, so far."""
        return 0.0
