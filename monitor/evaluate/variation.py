"""What the tests of a series have shown so far, from which follows what is usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detectors.chart.legend import ALARMED, COUNT, HEAD, HISTORY, MEMORY, MOST_WAITING

__all__ = ["Variation"]


class Variation:
    """What some tests have shown: log effects of quiet windows and of the onsets of alarms.

    Parameters
    ----------
    names : sequence of str

    Attributes
    ----------
    ring, ordered : float64 array [D, size]
        In the order of coming, and of size; `make_room` enlarges them.
    left : float64 array [D, MOST_WAITING]
        What was forgotten for values that are not in order yet.
    memory : int64 array [D, MEMORY]
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self.ring, self.ordered = np.empty((len(names), 0)), np.empty((len(names), 0))
        self.left = np.empty((len(names), MOST_WAITING))
        self.memory = np.zeros((len(names), MEMORY), dtype=np.int64)

    def make_room(self, windows: int) -> None:
        """Have room for so many windows more."""
        needed = min(HISTORY, int(self.memory[:, COUNT].max(initial=0)) + windows)
        size = self.ring.shape[1]
        if needed <= size:
            return
        # Twice as much: windows that come one by one rarely copy it.
        room = np.empty((len(self._names), min(HISTORY, max(needed, 2 * size, 16)) - size))
        self.ring, self.ordered = np.hstack((self.ring, room)), np.hstack((self.ordered, room))

    def of(self, name: str) -> list[float]:
        """The history of one test, oldest first."""
        d = self._names.index(name)
        count, head = self.memory[d, [COUNT, HEAD]].tolist()
        return [float(value) for value in np.roll(self.ring[d, :count], -head)]

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        learned = [name for d, name in enumerate(self._names) if self.memory[d, COUNT]]
        alarmed = sorted(name for d, name in enumerate(self._names) if self.memory[d, ALARMED])
        return {"history": {name: np.array(self.of(name)) for name in learned}, "alarmed": alarmed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        history = {name: np.asarray(past, dtype=np.float64) for name, past in state["history"].items()}
        self.memory[:] = 0
        self.make_room(max((len(past) for past in history.values()), default=0))
        for d, name in enumerate(self._names):
            past = history.get(name, np.empty(0))
            self.ring[d, : len(past)], self.ordered[d, : len(past)] = past, np.sort(past)
            self.memory[d, COUNT] = len(past)
            self.memory[d, ALARMED] = name in state["alarmed"]
