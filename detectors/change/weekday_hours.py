"""What a contrast should be at an hour at which one day of the week is unlike the others.

A weekly job on top of traffic that never ends shows at one hour in a hundred and sixty-eight: days of the week do not
differ as a whole, so that `weekdays` leaves them alike. What counts here are medians of few days, which one batch that
comes late does not move, and the mean distance from them, of which it is no large part.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.legend import DAYS
from detectors.change.weekdays import WEEK
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FEWEST_DAYS = 2
"""Days that a day of the week must have had an hour on to be compared with others."""

FEWEST_DISTANCES = 3
"""Distances from medians that say how far an hour of the week is from one week to the next."""

BEYOND_DOUBT = 6.0
"""Standard deviations between two days of the week from which they are told apart at an hour. Medians of two to five
days vary by half to three quarters of one."""

NORMAL = 1.2533
"""Standard deviations of normal values whose distance from their median is 1 on average."""

MOST_APART = 0.25
"""Share of the hours at which a day of the week may stand apart without being another kind of day."""

SMALLEST_DEVIATION = 0.014
"""Of an hour from one week to the next, at least: no contrast repeats itself exactly."""


@inlined
def hours_of_weekday(
    hours: Floats, weights: Floats, weekend: Integers, start: int, stop: int, day: int, own: Floats
) -> bool:
    """Write what hours of this day of the week are by themselves; return whether at any of few hours one stands apart.

    Parameters
    ----------
    hours, weights, weekend
        As `learn_expectation` takes them.
    start, stop, day
        The days to learn from, and the one to expect something of.
    own
        float64[H]; NaN where days of the week are alike, or this one is not known.
    """
    values, counts = np.empty((WEEK, DAYS)), np.zeros(WEEK, dtype=np.int64)
    everything = np.empty(DAYS)
    apart = 0
    for hour in range(own.size):
        counts[:] = 0
        seen = 0
        for d in range(start, stop):
            i = d % DAYS
            if weekend[i] == weekend[day % DAYS] and weights[i] > 0 and not np.isnan(hours[i, hour]):
                values[d % WEEK, counts[d % WEEK]] = hours[i, hour]
                counts[d % WEEK] += 1
                everything[seen] = hours[i, hour]
                seen += 1
        own[hour] = np.nan
        if counts[day % WEEK] < FEWEST_DAYS:
            continue
        ordered = np.sort(everything[:seen])
        usual = 0.5 * (ordered[(seen - 1) // 2] + ordered[seen // 2])
        lowest, highest, distances, compared = np.inf, -np.inf, 0.0, 0
        for j in range(WEEK):
            if counts[j] >= FEWEST_DAYS:
                middle = _middle(np.sort(values[j, : counts[j]]), usual)
                lowest, highest = min(lowest, middle), max(highest, middle)
                if j == day % WEEK:
                    own[hour] = middle
                for n in range(counts[j]):
                    distances += abs(values[j, n] - middle)
                # One of them has none: itself.
                compared += counts[j] - 1
        deviation = max(NORMAL * distances / max(compared, 1), SMALLEST_DEVIATION)
        if compared < FEWEST_DISTANCES or highest - lowest < BEYOND_DOUBT * deviation:
            own[hour] = np.nan
        else:
            apart += 1
    if apart > MOST_APART * own.size:
        own[:] = np.nan
        apart = 0
    return apart > 0


@inlined
def _middle(ordered: Floats, usual: float) -> float:
    """Return the median of values in order, which is one of them: of two in the middle that which is more usual."""
    lower, upper = ordered[(ordered.size - 1) // 2], ordered[ordered.size // 2]
    return float(lower if abs(lower - usual) <= abs(upper - usual) else upper)
