"""How many additions to closed panes a partition holds: late events may be of any time, and so of very many panes.

An addition is held until the watermark leaves the pane that it stands in. Where it stands still, as after a wrong
clock, a year that is sent again would be a year of panes in memory. So at most :data:`MOST_HELD` are held: when another
one comes they are written, and what follows are additions of the next *part*, under keys of their own, since a row
replaces the one that has its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded
from monitor.ingest.watermark import NEVER

__all__ = ["MOST_HELD", "Additions"]

MOST_HELD = 1_000
"""Panes of versions with late events, each with as many rows as segments take of it."""

REPORTED = 10
"""Late events that leave a dead letter, for each pane that the watermark stands in; all are counted."""

Integers = NDArray[np.int64]


class Additions:
    """Numbers the parts of the additions that are made at one position of the watermark.

    Where a part begins follows from the partition's log alone. A watermark that was set back comes to a position again:
    the numbers go on there, so that none comes twice.

    Attributes
    ----------
    reported : (int, int)
        The position at which a late event was reported last, and how many were there.

    Examples
    --------
    >>> additions, minutes = Additions(most_held=2), np.arange(5) * 60_000
    >>> late_by_an_hour = np.ones(5, np.bool_), np.full(5, 3_600_000)
    >>> parts, begins = additions.number(minutes, *late_by_an_hour, None)
    >>> parts.tolist(), begins
    ([0, 0, 1, 1, 2], [2, 4])
    """

    def __init__(self, most_held: int) -> None:
        self._most_held = most_held
        self._position_ms = self._highest_ms = NEVER
        self._part = 0
        self._panes: set[tuple[int, str]] = set()
        self.reported = (0, 0)

    def number(
        self, pane: Integers, is_late: NDArray[np.bool_], closed: Integers, versions: Coded[str] | None
    ) -> tuple[Integers, list[int]]:
        """Return the part of each event, 0 if it is on time, and the events with which parts begin.

        Parameters
        ----------
        pane : int64 array [n]
        is_late : bool array [n]
        closed : int64 array [n]
            The position of the watermark at each event.
        versions : Coded of str [n], or None
        """
        parts, begins = np.zeros(len(pane), dtype=np.int64), list[int]()
        late = np.flatnonzero(is_late)
        if not len(late):
            return parts, begins
        codes = np.zeros(len(pane), dtype=np.int64) if versions is None else versions.codes
        keys = np.stack((closed[late], pane[late], codes[late]))
        # Looked up once for each run of equal keys.
        starts = np.flatnonzero(np.append(True, (np.diff(keys) != 0).any(axis=0)))
        numbers = []
        for start, (closed_ms, pane_ms, code) in zip(starts.tolist(), keys[:, starts].T.tolist(), strict=True):
            if self._begins_part(closed_ms, (pane_ms, "" if versions is None else versions.names[code])):
                begins.append(int(late[start]))
            numbers.append(self._part)
        parts[late] = np.repeat(numbers, np.diff(np.append(starts, len(late))))
        return parts, begins

    def _begins_part(self, closed_ms: int, pane: tuple[int, str]) -> bool:
        """Take up a pane to which something is added; return whether those before it have to make room."""
        if closed_ms != self._position_ms:
            self._position_ms = closed_ms
            self._panes.clear()
            if closed_ms > self._highest_ms:
                self._highest_ms, self._part = closed_ms, 0
        begins = len(self._panes) >= self._most_held and pane not in self._panes
        if begins:
            self._part += 1
            self._panes.clear()
        self._panes.add(pane)
        return begins

    def reports(self, position_ms: int) -> bool:
        """Whether a late event at a position is to be reported: the first few are."""
        count = self.reported[1] + 1 if self.reported[0] == position_ms else 1
        if count <= REPORTED:
            self.reported = position_ms, count
        return count <= REPORTED

    def snapshot(self) -> dict[str, Any]:
        """What the parts to come depend on."""
        panes = [list(pane) for pane in sorted(self._panes)]
        return {"position_ms": self._position_ms, "highest_ms": self._highest_ms, "part": self._part, "panes": panes}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self._position_ms, self._highest_ms = int(state["position_ms"]), int(state["highest_ms"])
        self._part = int(state["part"])
        self._panes = {(int(pane_ms), str(version)) for pane_ms, version in state["panes"]}
