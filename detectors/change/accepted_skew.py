"""Skews that people accept: the level that a signal has from a day on takes the place of its reference.

So a skew is said again only if the signal moves further by what matters. The level is measured on whole days; until
there are enough of them, nothing is said of a skew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.change.acceptance import rows_of
from detectors.change.day_levels import levels_of_days, location_of, pooled_level
from detectors.change.legend import DAYS, FIRST_DAY
from detectors.change.state import State

__all__ = ["FEWEST_DAYS", "AcceptedSkews", "variance_of_mean"]

Floats = npt.NDArray[np.float64]

FEWEST_DAYS, MOST_DAYS = 3, 7
"""Whole days that a span must have, and from which at most an accepted level is measured."""

USUAL_DAYS, USUAL_SPREAD = 3, 0.2
"""The variance of days before any is known: so many days that vary so much."""


class AcceptedSkews:
    """From which day on each series of a model is compared, and whether its level is still to be measured.

    Attributes
    ----------
    since : float64 array [S]
        0 where nothing was accepted, and the series is compared from its first day on.
    awaited : bool array [S]
    stood : int64 array [S]
        Days for which each series has been skewed.
    """

    def __init__(self) -> None:
        self.since = np.empty(0)
        self.awaited = np.empty(0, dtype=np.bool_)
        self.stood = np.empty(0, dtype=np.int64)

    def add(self) -> None:
        """Add a series."""
        self.since, self.awaited = np.append(self.since, 0.0), np.append(self.awaited, False)
        self.stood = np.append(self.stood, 0)

    def forget(self, gone: npt.NDArray[np.bool_]) -> None:
        """Go on without some series, bool[S]."""
        self.since, self.awaited, self.stood = self.since[~gone], self.awaited[~gone], self.stood[~gone]

    def accept(self, s: int, day: int) -> None:
        """Await the level that a series has from a day on."""
        self.since[s], self.awaited[s], self.stood[s] = day, True, 0

    def refer(self, state: State, day: int, references: Floats) -> None:
        """Take awaited levels for references, once a day has shown them; ``references`` float64[R, 2] is changed."""
        for s in np.flatnonzero(self.awaited).tolist():
            first = max(int(self.since[s]), int(state.series[s, FIRST_DAY]), day - MOST_DAYS + 1)
            rows = rows_of(state, s)
            self.awaited[s] = not np.isnan(references[rows, 0]).all()
            for r in rows:
                level, means = _level(state, r, first, day)
                if len(means) >= FEWEST_DAYS and not np.isnan(references[r, 0]):
                    references[r] = level, variance_of_mean(means)
                    self.awaited[s] = False

    def pass_over(self, verdicts: Floats, skewed: Floats) -> None:
        """Call no series skewed whose level is awaited; ``verdicts`` have that first."""
        verdicts[self.awaited, 0] = 0.0
        skewed[self.awaited] = 0.0
        self.stood = np.where(skewed == 1, self.stood + 1, 0)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"since": self.since.copy(), "awaited": self.awaited.astype(np.int64), "stood": self.stood.copy()}

    def restore(self, snapshot: Mapping[str, Any] | None, series: int) -> None:
        """Continue from a snapshot; without one, as checkpoints were before anything could be accepted."""
        if snapshot is None:
            self.since, self.awaited = np.zeros(series), np.zeros(series, dtype=np.bool_)
            self.stood = np.zeros(series, dtype=np.int64)
            return
        self.since, self.stood = np.array(snapshot["since"]), np.array(snapshot["stood"])
        self.awaited = np.array(snapshot["awaited"], dtype=np.bool_)


def variance_of_mean(means: Floats) -> float:
    """Return the variance of the mean of days, or of other spans that are independent, float64[n].

    Examples
    --------
    >>> round(variance_of_mean(np.array([0.0, 1.0, 2.0])), 3)
    0.141
    """
    squares = np.sum((means - means.mean()) ** 2) + USUAL_DAYS * USUAL_SPREAD**2
    return float(squares / (len(means) - 1 + USUAL_DAYS) / len(means))


def _level(state: State, r: int, first: int, day: int) -> tuple[float, Floats]:
    """Return the level of days together, NaN without any, and that of each."""
    row, located = state.rows[r], location_of(state.rows, r)
    means, counted = np.full(day + 1 - first, np.nan), np.zeros((day + 1 - first, 2))
    levels_of_days(row, state.hours_known[r], state.totals[r], state.totals[located], first, day, means, counted)
    part, events = counted.sum(axis=0).tolist()
    numbers = np.arange(first, day + 1)[~np.isnan(means)] % DAYS
    means = means[~np.isnan(means)]
    if not len(means) or (counted[:, 1] > 0).sum() < len(means):
        return float(means.mean()) if len(means) else math.nan, means
    of_location, with_location = state.totals[located, numbers].sum(axis=0).tolist()
    return float(pooled_level(row, part, events, of_location / max(with_location, 1e-300))), means
