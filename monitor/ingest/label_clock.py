"""The clock of one partition's labels: up to which time they have been read, as their own times say it.

Labels are stored as they come and wait for nothing, so this clock refuses none. It only decides what moves it: a label
more than :data:`AHEAD_MS` ahead of all before it does so once the label behind it is as far, and one that is so far
ahead of its record, where that has a time, never does: it cannot have been said by then. So one wrong clock does not
make the hours of everybody else complete, however often it speaks. Where batches end does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.watermark import EARLIEST_RECORD_MS, LATEST_RECORD_MS, NEVER
from monitor.values import DAY_MS

__all__ = ["AHEAD_MS", "LabelClock"]

Integers = NDArray[np.int64]

AHEAD_MS = DAY_MS


class LabelClock:
    """Where the labels of one partition stand.

    Parameters
    ----------
    lateness_ms : int

    Attributes
    ----------
    newest_ms : int
        The largest label time that moved the clock; :data:`~monitor.ingest.watermark.NEVER` before the first.

    Examples
    --------
    >>> clock, hour_ms = LabelClock(0), 3_600_000
    >>> watermarks = clock.advance(np.array([1, 2, 900, 3, 4]) * hour_ms)
    >>> bool(watermarks[0] == NEVER), watermarks[1:] // hour_ms
    (True, array([2, 2, 3, 4]))
    """

    def __init__(self, lateness_ms: int) -> None:
        self.newest_ms = NEVER
        self._lateness_ms = lateness_ms
        self._ahead_ms = NEVER

    @property
    def closed_ms(self) -> int:
        """The watermark: the newest time less the allowed lateness."""
        return max(NEVER, self.newest_ms - self._lateness_ms)

    def advance(self, event_ms: Integers, record_ms: Integers | None = None) -> Integers:
        """Move over labels in the order of the log; return the watermark behind each of them.

        Parameters
        ----------
        event_ms : int64 array [n]
        record_ms : int64 array [n] or None
            When each was written to the log, as far as that is known.

        Returns
        -------
        int64 array [n]
        """
        newest = np.full(len(event_ms), self.newest_ms)
        is_possible = np.ones(len(event_ms), dtype=np.bool_) if record_ms is None else _can_be(event_ms, record_ms)
        if is_possible.any():
            moved = self._moved(event_ms[is_possible])
            so_far = np.cumsum(is_possible) - 1
            newest = np.where(so_far < 0, newest, moved[so_far])
        watermarks: Integers = np.maximum(newest - self._lateness_ms, NEVER)
        return watermarks

    def _moved(self, event_ms: Integers) -> Integers:
        newest = np.maximum.accumulate(np.maximum(event_ms, self.newest_ms))
        if self._ahead_ms == NEVER and not (np.diff(newest, prepend=self.newest_ms) > AHEAD_MS).any():
            self.newest_ms = int(newest[-1])
            return newest
        return np.fromiter(map(self._move, event_ms.tolist()), dtype=np.int64, count=len(event_ms))

    def finish(self) -> None:
        """No more labels will come: the last one is believed."""
        self.newest_ms, self._ahead_ms = max(self.newest_ms, self._ahead_ms), NEVER

    def _move(self, label_ms: int) -> int:
        if label_ms <= self.newest_ms + AHEAD_MS:
            self.newest_ms, self._ahead_ms = max(self.newest_ms, label_ms), NEVER
        elif self._ahead_ms != NEVER and label_ms >= self._ahead_ms - AHEAD_MS:
            nearer, further = sorted((self._ahead_ms, label_ms))
            is_far = further > nearer + AHEAD_MS
            self.newest_ms, self._ahead_ms = (nearer, further) if is_far else (further, NEVER)
        else:
            self._ahead_ms = label_ms
        return self.newest_ms

    def snapshot(self) -> dict[str, int]:
        """What the times to come are judged by."""
        return {"newest_ms": self.newest_ms, "closed_ms": self.closed_ms, "ahead_ms": self._ahead_ms}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot; checkpoints from before labels had a clock hold none."""
        self.newest_ms, self._ahead_ms = int(state["newest_ms"]), int(state.get("ahead_ms", NEVER))


def _can_be(event_ms: Integers, record_ms: Integers) -> NDArray[np.bool_]:
    """Which labels were said by when they were written down, as far as anybody can know."""
    is_timed = (record_ms >= EARLIEST_RECORD_MS) & (record_ms < LATEST_RECORD_MS)
    return ~is_timed | (event_ms - AHEAD_MS <= record_ms)
