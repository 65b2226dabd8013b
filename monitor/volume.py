"""How many events came, against the same hours of earlier weeks and days."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.distance.tail import normal_sf
from monitor.compare import Measured

__all__ = ["MIN_EFFECT", "SEASONS", "VolumeHistory"]

DAY_MS = 86_400_000

MIN_EFFECT = 0.5
"""Log of the ratio: two thirds more, or two fifths less."""


@dataclass(frozen=True)
class _Season:
    """Windows at the same place in a period are compared with each other."""

    period_ms: int
    words: str
    needed: int
    kept: int


SEASONS: Mapping[str, _Season] = {
    "week": _Season(7 * DAY_MS, "weeks", needed=3, kept=8),
    "day": _Season(DAY_MS, "days", needed=4, kept=28),
}
"""The same hour of the week is the better comparison; the same hour of the day is known sooner."""


class VolumeHistory:
    """Event counts of quiet windows by time of the day and of the week.

    Parameters
    ----------
    step_ms : int
        How often a window is judged.

    Examples
    --------
    >>> history = VolumeHistory(step_ms=DAY_MS)
    >>> for day in range(1, 8):
    ...     history.add(day * DAY_MS, 1000)
    >>> round(history.measure("day", 9 * DAY_MS, 500).effect, 2)
    0.69
    """

    def __init__(self, step_ms: int) -> None:
        self._step_ms = step_ms
        self._counts: dict[tuple[str, int], list[int]] = {}

    def _key(self, season: str, end_ms: int) -> tuple[str, int]:
        slots = max(1, SEASONS[season].period_ms // self._step_ms)
        return season, end_ms // self._step_ms % slots

    def measure(self, season: str, end_ms: int, n: int) -> Measured | None:
        """Compare a window with the same hours of earlier days or weeks; None while too few are known."""
        earlier = self._counts.get(self._key(season, end_ms), [])
        if len(earlier) < SEASONS[season].needed:
            return None
        expected = float(np.median(earlier))
        ratio = math.log((n + 1) / (expected + 1))
        p_value = 2 * float(normal_sf(abs(n - expected) / math.sqrt(n + expected))) if n + expected else 1.0
        detail = f"{n} events, {expected:.0f} expected from {len(earlier)} earlier {SEASONS[season].words}"
        return Measured(float(n), abs(ratio), p_value, MIN_EFFECT, detail)

    def add(self, end_ms: int, n: int) -> None:
        """Take in a quiet window."""
        for name, season in SEASONS.items():
            earlier = self._counts.setdefault(self._key(name, end_ms), [])
            earlier.append(n)
            del earlier[: -season.kept]

    def snapshot(self) -> list[list[Any]]:
        """State for a checkpoint."""
        return [[season, slot, list(counts)] for (season, slot), counts in self._counts.items()]

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Go on from a snapshot."""
        self._counts = {(str(season), int(slot)): [int(n) for n in counts] for season, slot, counts in state}
