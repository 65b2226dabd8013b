"""How many events came, against what is usual at this time of day."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from detectors.distance.tail import normal_sf
from monitor.compare import Measured

__all__ = ["DAYS", "MIN_EFFECT", "VolumeHistory"]

DAY_MS = 86_400_000

DAYS = 28
"""Earlier days that a window is compared with."""

MIN_EFFECT = 0.5
"""Half as many again (+65 %) or two fifths less (-40 %): log of the ratio."""

SAME_HOURS = 4
"""Quiet windows at the same time of day that are needed before one is compared with them."""


class VolumeHistory:
    """Event counts of quiet windows by time of day.

    Parameters
    ----------
    step_ms : int
        How often a window is judged; windows at the same place in the day are compared.

    Examples
    --------
    >>> history = VolumeHistory(step_ms=DAY_MS)
    >>> for day in range(1, 8):
    ...     history.add(day * DAY_MS, 1000)
    >>> round(history.measure(9 * DAY_MS, 500).effect, 2)
    0.69
    """

    def __init__(self, step_ms: int) -> None:
        self._slots = max(1, DAY_MS // step_ms)
        self._step_ms = step_ms
        self._counts: dict[int, list[int]] = {}

    def _slot(self, end_ms: int) -> int:
        return end_ms // self._step_ms % self._slots

    def measure(self, end_ms: int, n: int) -> Measured | None:
        """Compare a window; None while too few earlier days are known."""
        earlier = self._counts.get(self._slot(end_ms), [])
        if len(earlier) < SAME_HOURS:
            return None
        expected = float(np.median(earlier))
        ratio = math.log((n + 1) / (expected + 1))
        p_value = 2 * float(normal_sf(abs(n - expected) / math.sqrt(n + expected))) if n + expected else 1.0
        detail = f"{n} events, {expected:.0f} expected from {len(earlier)} earlier days"
        return Measured(float(n), abs(ratio), p_value, MIN_EFFECT, detail)

    def add(self, end_ms: int, n: int) -> None:
        """Take in a quiet window."""
        earlier = self._counts.setdefault(self._slot(end_ms), [])
        earlier.append(n)
        del earlier[:-DAYS]

    def snapshot(self) -> list[list[Any]]:
        """State for a checkpoint."""
        return [[slot, list(counts)] for slot, counts in self._counts.items()]

    def restore(self, state: list[list[Any]]) -> None:
        """Go on from a snapshot."""
        self._counts = {int(slot): [int(n) for n in counts] for slot, counts in state}
