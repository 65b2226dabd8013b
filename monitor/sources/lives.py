"""Lives of a partition: where a log was made anew or cut short, its offsets are used again for other messages.

Rows, checkpoints and deduplication tokens go by offsets, and of two checkpoints the one with the larger offset counts.
So offsets must never be used twice. What is read of a log's next life therefore gets larger ones: :data:`LIFE` more for
every life before it. In the first life, which is the only one of nearly every log, offsets are the log's own.
"""

from __future__ import annotations

from monitor.sources.contract import Gap

__all__ = ["LIFE", "in_log", "is_cut", "life_of", "lost_text", "of_life"]

LIFE = 10**14
"""Offsets of one life: decimal, so that people can read both parts; ten million messages a second fill it in 115 days,
a hundred thousand in 31 years. Ninety lives fit into what JSON readers take for exact (2**53)."""


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
