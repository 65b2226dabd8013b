"""Which partitions have been silent for long enough that no window waits for them."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.clock import Clock
from monitor.events import Partition

__all__ = ["Activity"]


class Activity:
    """When messages last came, by partition.

    Parameters
    ----------
    clock : Clock
    idle_after_s : float
        A partition that is read to its end is idle after so long without a message.

    Examples
    --------
    >>> from monitor.clock import ManualClock
    >>> clock = ManualClock()
    >>> activity = Activity(clock, idle_after_s=60)
    >>> activity.note(("events", 0))
    >>> clock.advance(60)
    >>> activity.idle([("events", 0), ("events", 1)])  # the second is timed from now on
    {('events', 0)}
    """

    def __init__(self, clock: Clock, idle_after_s: float) -> None:
        self._clock, self._idle_after_s = clock, idle_after_s
        self._active_s: dict[Partition, float] = {}

    def note(self, partition: Partition) -> None:
        """Messages have come."""
        self._active_s[partition] = self._clock.monotonic_s()

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Others read these partitions from now on."""
        for partition in partitions:
            self._active_s.pop(partition, None)

    def idle(self, at_end: Iterable[Partition]) -> set[Partition]:
        """Return those of the partitions that are read to their end and have had no message for so long."""
        now_s = self._clock.monotonic_s()
        return {p for p in at_end if now_s - self._active_s.setdefault(p, now_s) >= self._idle_after_s}
