"""How far partitions have been read and saved, and what lies between that and their ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from monitor.events import Partition

__all__ = ["Lag", "Reached", "lags"]


@dataclass(frozen=True)
class Reached:
    """How far one partition is.

    Attributes
    ----------
    read : int
        The next offset to read; -1 if it is not known.
    read_ms : int
        The own time of the last record before it; -1 if none was read since the process took the partition.
    saved, saved_ms : int
        The same, of the newest checkpoint; where an event waits at ``saved``, its own time.
    saved_s : float
        When that was found to be current, by the monotonic clock: a partition without news needs no new checkpoint.
    """

    read: int = -1
    read_ms: int = -1
    saved: int = -1
    saved_ms: int = -1
    saved_s: float = 0.0


@dataclass(frozen=True)
class Lag:
    """What lies behind one position of a partition.

    Attributes
    ----------
    partition : Partition
    at : str
        ``read``, or ``checkpoint``.
    records : int
        Offsets from the position to the end.
    seconds : float or None
        0 if there are none; else how long ago the last record before the position was written. None if it is not known.
    """

    partition: Partition
    at: Literal["read", "checkpoint"]
    records: int
    seconds: float | None


def lags(reached: Mapping[Partition, Reached], ends: Mapping[Partition, int], now_ms: int) -> Iterator[Lag]:
    """Yield the lag of what was read and of what is saved, of each partition whose end is known.

    Parameters
    ----------
    reached : mapping of Partition to Reached
    ends : mapping of Partition to int
        The offset behind the last record of each.
    now_ms : int

    Examples
    --------
    >>> found = lags({("events", 0): Reached(8, 4_000, 5, 1_000)}, {("events", 0): 8}, now_ms=9_000)
    >>> [(lag.at, lag.records, lag.seconds) for lag in found]
    [('read', 0, 0.0), ('checkpoint', 3, 8.0)]
    """
    for partition, at in sorted(reached.items()):
        if partition in ends:
            if at.read >= 0:
                yield _lag(partition, "read", ends[partition] - at.read, at.read_ms, now_ms)
            if at.saved >= 0:
                yield _lag(partition, "checkpoint", ends[partition] - at.saved, at.saved_ms, now_ms)


def _lag(partition: Partition, at: Literal["read", "checkpoint"], records: int, time_ms: int, now_ms: int) -> Lag:
    if records <= 0:
        return Lag(partition, at, 0, 0.0)
    return Lag(partition, at, records, max(0, now_ms - time_ms) / 1000 if time_ms >= 0 else None)
