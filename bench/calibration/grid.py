"""Windows: how long they are, and how many events they hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.values import DAY_MS

__all__ = ["GRIDS", "HISTORY_DAYS", "START_MS", "Grid"]

START_MS = 1_704_067_200_000
"""Monday, 2024-01-01 00:00 UTC."""

HISTORY_DAYS = 28
"""Days before the start that a model was built on; whole weeks, so that seasons go on."""


@dataclass(frozen=True)
class Grid:
    """Windows that follow one another, each of one pane.

    Attributes
    ----------
    name : str
    window_ms : int
    events : int
        Of an ordinary window.
    block : int
        Windows that are drawn at once: one seed gives the same windows however many days are drawn.
    """

    name: str
    window_ms: int
    events: int
    block: int

    @property
    def per_day(self) -> int:
        """Windows of a day."""
        return DAY_MS // self.window_ms

    def end_ms(self, window: int) -> int:
        """Return the end of a window."""
        return START_MS + (window + 1) * self.window_ms

    def ends_ms(self, first: int, count: int) -> range:
        """Return the ends of consecutive windows."""
        return range(self.end_ms(first), self.end_ms(first + count), self.window_ms)

    def holding(self, events: int | None) -> Grid:
        """Return the same windows with so many events each; None for as many as they have."""
        return self if events is None else replace(self, events=events)


GRIDS = {
    grid.name: grid
    for grid in (
        Grid("5m", 300_000, events=500, block=288),
        Grid("1h", 3_600_000, events=500, block=168),
        Grid("1d", DAY_MS, events=1_000, block=28),
    )
}
"""Every length of windows, by its name."""
