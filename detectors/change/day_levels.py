"""The level of a day, and of several, as a reference has it: of all their events together.

A reference is one distribution: each hour counts in it for as many events as it has, and how far its hours differ from
one another is part of its spread. So is the level of days: of a mean score, what all events have, and of a spread, by
the law of total variance over the windows h of a day, or of several, with n_h values that have the mean L_h and the
logarithm of the spread s_h,

    ½ ln(Σ ((n_h − 1) e^{2 s_h} + n_h L_h²) / Σ n_h − L²)

where L is the mean of all, and n_h − 1 leaves out by how much L_h varies by sampling. The mean of the windows' own
spreads would be smaller than the reference's wherever there is a season, or levels differ from window to window.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.expectation import FEWEST_HOURS, hours_seen, mean_of_hours
from detectors.change.legend import DAY_EVENTS, DAY_SQUARES, DAYS, FAMILY, KIND, RATE, SCORE, SPREAD, VOLUME
from detectors.change.residuals import to_expectation
from detectors.kernel import inlined, kernel
from detectors.rows import copy_row

__all__ = ["add_squares", "add_up_day", "levels_of_days", "location_of", "pooled_level"]

Floats = npt.NDArray[np.float64]

SMALLEST_VARIANCE = 1e-3
"""Below which a variance has no smaller logarithm, as that of a window has none."""


@inlined
def add_squares(day_sums: Floats, spread: float, events: float, location: float) -> None:
    """Add the squares of the scores of a window to those of its day, float64[DAY_SUMS]."""
    if events > 0 and not np.isnan(spread):
        day_sums[DAY_SQUARES] += (events - 1) * math.exp(2 * spread) + events * location * location
        day_sums[DAY_EVENTS] += events


@inlined
def add_up_day(rows: Floats, hours: Floats, day_sums: Floats, totals: Floats) -> None:
    """Write what the events of a day add up to, and their number.

    Parameters
    ----------
    rows, hours, day_sums
        float64[K, ROW], float64[K, H, 3], float64[K, DAY_SUMS], of the rows of a series.
    totals
        float64[K, 2]: rounded to seven digits, as checkpoints hold them.
    """
    for r in range(rows.shape[0]):
        total = 0.0
        events = 0.0
        if rows[r, FAMILY] == SPREAD:
            total = day_sums[r, DAY_SQUARES]
            events = day_sums[r, DAY_EVENTS]
        elif rows[r, KIND] != VOLUME:
            for hour in range(hours.shape[1]):
                total += hours[r, hour, 0]
                events += hours[r, hour, 1]
        day_sums[r, DAY_SQUARES : DAY_EVENTS + 1] = 0.0
        totals[r, 0] = np.float32(total)
        totals[r, 1] = np.float32(events)


@inlined
def location_of(rows: Floats, r: int) -> int:
    """Return the row whose location a spread is about: the one before it; of anything else the row itself."""
    return r - 1 if rows[r, FAMILY] == SPREAD else r


@inlined
def pooled_level(row: Floats, part: float, events: float, location: float) -> float:
    """Return the level that sums of events have: of a share in 2 asin √share; ``location`` is that of a spread."""
    if row[KIND] == RATE:
        # A mean of angles is that of few events: all of them together say what the share is.
        return 2 * math.asin(math.sqrt(min(part / events, 1.0)))
    if row[FAMILY] == SPREAD:
        return 0.5 * math.log(max(part / events - location * location, SMALLEST_VARIANCE))
    return part / events


@kernel
def levels_of_days(
    row: Floats, hours: Floats, totals: Floats, of_location: Floats, begin: int, day: int, means: Floats,
    counted: Floats,
) -> None:  # fmt: skip
    """Write the levels of the days that have nearly all of their hours, and what was counted on them.

    A level is that of all events of a day: hours of few events have one of their own. Days from before events were
    counted have the mean of their hours.

    Parameters
    ----------
    row
        float64[ROW].
    hours, totals, of_location
        float64[DAYS, H], float64[DAYS, 2] twice, the latter of the row that `location_of` names.
    begin, day
        The first day and the last one.
    means, counted
        float64[D], float64[D, 2], whose last is ``day``; those of other days are left alone.
    """
    fullest = 0
    for d in range(begin, day + 1):
        fullest = max(fullest, hours_seen(hours[d % DAYS]))
    for d in range(begin, day + 1):
        seen = hours_seen(hours[d % DAYS])
        if seen > 0 and seen >= FEWEST_HOURS * fullest:
            i = means.size - 1 - day + d
            copy_row(totals[d % DAYS], counted[i])
            part, events = counted[i, 0], counted[i, 1]
            if events <= 0:
                means[i] = mean_of_hours(hours[d % DAYS])
            elif row[KIND] == SCORE:
                location = of_location[d % DAYS, 0] / max(of_location[d % DAYS, 1], 1.0)
                means[i] = pooled_level(row, part, events, location)
            else:
                means[i] = to_expectation(RATE, part, events, 1.0)
