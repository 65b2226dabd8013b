"""Whether events come in batches on a few days of the week, and which windows have a batch in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.values import DAY_MS

__all__ = ["WEEK_MS", "Batches", "batches_of"]

WEEK_MS = 7 * DAY_MS

MOST_DAYS_A_WEEK = 2.5
"""On which events come: of three, windows of a day find the same shift no later. A sample may end with a batch."""

FEWEST_DAYS, FEWEST_BATCHES = 15, 3
"""From the first to the last, and with events: as three batches have that come once a week."""

FEWEST_EVENTS = 20
"""On a usual day with events: fewer come by chance on some days and not on others."""

LEAST_SHARE = 0.8
"""Of the weeks: some of them may lack their batch."""


@dataclass(frozen=True)
class Batches:
    """Events that come on a few days only.

    Attributes
    ----------
    days, days_with_events : int
        From the first to the last, by UTC; and on how many of them events came.
    is_weekly : bool
        Whether (nearly) every week has any.
    window_ms : int
        The shortest of a day and a week that has a batch in each, else a day.
    offset_ms : int
        By which the grid of windows is shifted so that no batch comes where one ends.
    events : float
        In a usual one of the windows that have any.
    """

    days: int
    days_with_events: int
    is_weekly: bool
    window_ms: int
    offset_ms: int
    events: float

    def __str__(self) -> str:
        rhythm = "" if self.is_weekly else ", and not every week"
        return f"events come on {self.days_with_events:,} of {self.days:,} days{rhythm}"


def batches_of(times_ms: NDArray[np.int64]) -> Batches | None:
    """Return what batches events come in; None where they come on most days, or too few days show it.

    Examples
    --------
    >>> mondays = np.repeat(1_767_578_400_000 + WEEK_MS * np.arange(10), 50)
    >>> batches_of(mondays)
    Batches(days=64, days_with_events=10, is_weekly=True, window_ms=604800000, offset_ms=0, events=50.0)
    """
    if not len(times_ms):
        return None
    of_day = _events(times_ms, DAY_MS, 0)
    days, days_with_events = len(of_day), int(np.count_nonzero(of_day))
    if days < FEWEST_DAYS or days_with_events < FEWEST_BATCHES or 7 * days_with_events > MOST_DAYS_A_WEEK * days:
        return None
    usual = float(np.median(of_day[of_day > 0]))
    if usual < FEWEST_EVENTS:
        return None
    offset_ms = _offset(times_ms)
    of_week = _events(times_ms, WEEK_MS, offset_ms)
    if np.count_nonzero(of_week) < LEAST_SHARE * len(of_week):
        return Batches(days, days_with_events, False, DAY_MS, 0, usual)
    return Batches(days, days_with_events, True, WEEK_MS, offset_ms, float(np.median(of_week[of_week > 0])))


def _events(times_ms: NDArray[np.int64], length_ms: int, offset_ms: int) -> NDArray[np.int64]:
    """Return how many events each window has, from the first to the last that has any."""
    first, last_window = ((int(edge) - offset_ms) // length_ms for edge in (times_ms.min(), times_ms.max()))
    edges = first * length_ms + offset_ms + length_ms * np.arange(last_window - first + 2)
    return np.histogram(times_ms, edges)[0]


def _offset(times_ms: NDArray[np.int64]) -> int:
    """Return where weeks should begin: as they do if that is a day away from all events, else as far as can be."""
    in_week = times_ms % WEEK_MS

    def distance(offset_ms: int) -> int:
        apart = np.abs(in_week - offset_ms)
        return min(DAY_MS, int(np.minimum(apart, WEEK_MS - apart).min()))

    return max(range(0, WEEK_MS, DAY_MS), key=distance)
