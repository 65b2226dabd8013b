"""Messages as they stand in a log: what one holds, where it stands, and what writes it.

A log that was made anew or cut short uses its offsets again for other messages. Rows, checkpoints and deduplication
tokens go by offsets, and of two checkpoints the one with the larger offset counts, so offsets must never be used twice.
What is read of a log's next *life* therefore gets larger ones: :data:`LIFE` more for every life before it. In the first
life, which is the only one of nearly every log, offsets are the log's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from monitor.events import Gap, Headers

__all__ = [
    "LIFE",
    "LOG_TRUNCATED",
    "MAX_PAYLOAD_BYTES",
    "NO_MESSAGE",
    "OFFSETS_LOST",
    "LogPosition",
    "Message",
    "Outlet",
    "Written",
    "in_log",
    "is_cut",
    "life_of",
    "lost_text",
    "of_life",
]

MAX_PAYLOAD_BYTES = 65_536
"""So much of a message is kept with its dead letter; the log has the rest."""

LogPosition = tuple[str, int, int]
"""Topic, partition and offset."""

LIFE = 10**14
"""Offsets of one life: decimal, so that people can read both parts; ten million messages a second fill it in 115 days,
a hundred thousand in 31 years. Ninety lives fit into what JSON readers take for exact (2**53)."""


class Message(NamedTuple):
    """A message as it stands in its topic.

    Attributes
    ----------
    value, key : bytes or None
    record_ms : int
        The record's own time; -1 where it has none.
    headers : Headers
    """

    value: bytes | None = None
    record_ms: int = -1
    key: bytes | None = None
    headers: Headers = ()

    @property
    def payload(self) -> bytes:
        """The value; a missing one is empty."""
        return self.value or b""


NO_MESSAGE = Message()

OFFSETS_LOST, LOG_TRUNCATED = "offsets_lost", "log_truncated"
"""Reasons of dead letters that sources find: messages were gone before they were read, or the log was cut."""


class Written(NamedTuple):
    """Where a message now stands in the topic that it was sent to."""

    partition: int
    offset: int


class Outlet(Protocol):
    """Writes messages to topics of the cluster that is read.

    Guarantee: what was sent before a :meth:`flush` that returned is acknowledged by all replicas in sync.
    """

    def open(self, topics: Iterable[str]) -> None:
        """Connect, and forget what was not acknowledged.

        Raises
        ------
        SourceError
            No broker answers, or a topic is missing.
        """
        ...

    def send(self, topic: str, message: Message, partition: int | None = None) -> None:
        """Begin to write a message; with its time only if ``partition`` says that it is put back in its place.

        Raises
        ------
        SourceError
            This message, or one before it, was refused; nothing is written any more until it is opened anew.
        """
        ...

    def flush(self) -> list[Written]:
        """Wait until everything is acknowledged; return where each message since the last call now stands.

        Raises
        ------
        SourceError
        """
        ...

    def close(self) -> None:
        """Let go of everything; what was not flushed may be lost."""
        ...


def life_of(offset: int) -> int:
    """Return in which life of its log an offset lies; 0 is the first.

    Examples
    --------
    >>> life_of(7), life_of(300_000_000_000_007)
    (0, 3)
    """
    return offset // LIFE


def in_log(offset: int) -> int:
    """Return the offset that the log itself has.

    Examples
    --------
    >>> in_log(300_000_000_000_007)
    7
    """
    return offset % LIFE


def of_life(life: int, offset: int) -> int:
    """Return the offset for a log's own offset in one of its lives.

    Examples
    --------
    >>> of_life(3, 7)
    300000000000007
    """
    return life * LIFE + offset


def is_cut(gap: Gap) -> bool:
    """Whether reading went on in the log's next life, so that nobody knows how many messages are lost.

    Examples
    --------
    >>> is_cut(("events", 0, 5, 9)), is_cut(("events", 0, 5, of_life(1, 0)))
    (False, True)
    """
    return life_of(gap[2]) != life_of(gap[3])


def lost_text(gap: Gap) -> str:
    """Say what was lost.

    Examples
    --------
    >>> lost_text(("events", 0, 5, 9))
    '4 messages, offsets 5 to 8, were gone before they were read'
    >>> lost_text(("events", 0, 5, of_life(1, 0)))
    'the log was made anew or cut short behind offset 5; reading went on at its offset 0, counted as 100000000000000'
    """
    _, _, first, following = gap
    if is_cut(gap):
        return (
            f"the log was made anew or cut short behind offset {in_log(first)}; reading went on at its offset"
            f" {in_log(following)}, counted as {following}"
        )
    return f"{following - first} messages, offsets {first} to {following - 1}, were gone before they were read"
