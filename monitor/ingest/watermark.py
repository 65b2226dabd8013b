"""The event-time clock of one partition: which events are on time, late, or not to be believed.

The rule is sequential, so it does not see where a batch ends:

- ``newest`` is the largest event time believed so far; the watermark is ``newest`` minus the allowed lateness, and
  panes that end at or before it are closed.
- An event more than ``max_ahead`` ahead of ``newest`` moves the clock only if the next :data:`WITNESSES` events of
  the partition are no more than ``max_ahead`` behind it. One machine with a wrong clock would otherwise make
  everybody else's events late. Until the witnesses are there the event waits.
- The first event of a partition does not set the clock alone either: if all its witnesses are more than ``max_ahead``
  ahead of it, the clock starts at the earliest of them, and the event is late. One event from 1970 would otherwise
  open fifty years of empty windows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.kernel import kernel

__all__ = ["FUTURE", "NEVER", "ON_TIME", "WITNESSES", "EventClock", "advance"]

Integers = NDArray[np.int64]

WITNESSES = 2
NEVER = -(1 << 62)
"""``newest`` of a partition without events."""

ON_TIME, FUTURE = 0, 1


class EventClock:
    """The clock of one partition, and where it stands.

    Parameters
    ----------
    pane_ms, lateness_ms, ahead_ms : int

    Attributes
    ----------
    newest_ms : int
        The largest event time believed so far; :data:`NEVER` before the first.
    closed_ms : int
        Panes that start before this are closed.
    """

    def __init__(self, pane_ms: int, lateness_ms: int, ahead_ms: int) -> None:
        self.pane_ms, self.lateness_ms, self._ahead_ms = pane_ms, lateness_ms, ahead_ms
        self.newest_ms = self.closed_ms = NEVER

    def advance(self, event_ms: Integers, *, end: bool = False) -> tuple[int, NDArray[np.uint8], Integers]:
        """Move over a batch; return how many of its events are settled, and of each its status and ``closed_ms``."""
        source = (self.pane_ms, self.lateness_ms, self._ahead_ms)
        settled, newest_ms, status, closed = advance(event_ms, self.newest_ms, source, end=end)
        if settled:
            self.newest_ms, self.closed_ms = newest_ms, int(closed[-1])
        return settled, status, closed


def advance(
    event_ms: NDArray[np.int64], newest_ms: int, source: tuple[int, int, int], *, end: bool
) -> tuple[int, int, NDArray[np.uint8], NDArray[np.int64]]:
    """Move the clock over a batch.

    Parameters
    ----------
    event_ms : int64 array [n]
    newest_ms : int
        The clock before the batch, or :data:`NEVER`.
    source : tuple of int
        Pane length, allowed lateness, ``max_ahead``; all in ms.
    end : bool
        No more events will come: what still waits for witnesses is believed.

    Returns
    -------
    settled : int
        How many of the events are settled; the rest must be offered again with what follows.
    newest_ms : int
    status : uint8 array [settled]
        :data:`ON_TIME` (or late: see ``closed_ms``) or :data:`FUTURE`.
    closed_ms : int64 array [settled]
        At each event: panes that start before this are closed.

    Examples
    --------
    >>> times = np.array([1_000, 90_000_000, 2_000, 12_000, 3_000, 3_000])
    >>> settled, newest, status, closed = advance(times, 0, (10_000, 1_000, 60_000), end=False)
    >>> settled, newest, status.tolist(), closed.tolist()
    (6, 12000, [0, 1, 0, 0, 0, 0], [0, 0, 0, 10000, 10000, 10000])
    """
    status = np.zeros(len(event_ms), dtype=np.uint8)
    closed = np.zeros(len(event_ms), dtype=np.int64)
    pane_ms, lateness_ms, ahead_ms = source
    settled, newest = _advance(event_ms, newest_ms, pane_ms, lateness_ms, ahead_ms, end, status, closed)
    return int(settled), int(newest), status[:settled], closed[:settled]


@kernel
def _advance(
    event_ms: Any,
    newest: int,
    pane_ms: int,
    lateness_ms: int,
    ahead_ms: int,
    end: bool,
    status: Any,
    closed: Any,
) -> Any:
    n = event_ms.shape[0]
    for i in range(n):
        ts = event_ms[i]
        if ts > newest + ahead_ms:
            last_witness = min(i + WITNESSES, n - 1)
            if last_witness < i + WITNESSES and not end:
                return i, newest
            earliest = event_ms[last_witness]
            for j in range(i + 1, last_witness + 1):
                earliest = min(earliest, event_ms[j])
            if earliest < ts - ahead_ms:
                status[i] = FUTURE
            elif newest == NEVER and earliest > ts + ahead_ms:
                newest = earliest
        # A clock that has started at the witnesses stays ahead of the event, which is late then.
        if status[i] != FUTURE and ts > newest:
            newest = ts
        closed[i] = (newest - lateness_ms) // pane_ms * pane_ms
    return n, newest
