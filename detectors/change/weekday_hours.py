"""What a contrast should be at an hour at which one day of the week is unlike the others.

A weekly job on top of traffic that never ends shows at one hour in a hundred and sixty-eight: days of the week do not
differ as a whole, so that `weekdays` leaves them alike. What counts here are medians of few days, which one batch that
comes late does not move, and the mean distance from them, of which it is no large part. What a day of the week does
twice in the first two weeks counts even if it alarmed: else it would alarm for ever.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.legend import DAYS
from detectors.change.weekdays import WEEK
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FIRST_DAYS = 14
"""Days from the first one on that count although they alarmed: each day of the week has two of them, and what they have
in common is no fault of either."""

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
    hours: Floats, weights: Floats, weekend: Integers, first: int, days_known: tuple[int, int], day: int, own: Floats
) -> bool:
    """Write what hours of this day of the week are by themselves; return whether at any of few hours one stands apart.

    Parameters
    ----------
    hours, weights, weekend
        As `learn_expectation` takes them.
    first, days_known, day
        The first day there was; the first to learn from, and the one behind the last; and the one to expect something
        of.
    own
        float64[H]; NaN where days of the week are alike, or this one is not known.
    """
    days, taught = np.empty(DAYS, dtype=np.int64), 0
    for d in range(days_known[0], days_known[1]):
        if weekend[d % DAYS] == weekend[day % DAYS] and (weights[d % DAYS] > 0 or d < first + FIRST_DAYS):
            days[taught] = d
            taught += 1
    # Of each day of the week in order.
    values, counts = np.empty((WEEK, DAYS)), np.zeros(WEEK, dtype=np.int64)
    apart = 0
    for hour in range(own.size):
        counts[:] = 0
        for n in range(taught):
            value = hours[days[n] % DAYS, hour]
            if not np.isnan(value):
                j = days[n] % WEEK
                counts[j] = _put_in_order(value, values[j], counts[j])
        own[hour] = np.nan
        if counts[day % WEEK] >= FEWEST_DAYS and _are_apart(values, counts):
            own[hour] = _middle(values[day % WEEK], counts[day % WEEK], _usual(values, counts))
            apart += 1
    if apart > MOST_APART * own.size:
        own[:] = np.nan
        apart = 0
    return apart > 0


@inlined
def _put_in_order(value: float, ordered: Floats, count: int) -> int:
    """Put a value among ``count`` that are in order; return how many they are then."""
    at = count
    while at > 0 and ordered[at - 1] > value:
        ordered[at] = ordered[at - 1]
        at -= 1
    ordered[at] = value
    return count + 1


@inlined
def _are_apart(values: Floats, counts: Integers) -> bool:
    """Whether days of the week differ at an hour beyond doubt: by their medians, and how far days are from these."""
    least, most, distances, compared = np.inf, -np.inf, 0.0, 0
    for j in range(WEEK):
        if counts[j] >= FEWEST_DAYS:
            # As far from either of two in the middle.
            lower, upper = values[j, (counts[j] - 1) // 2], values[j, counts[j] // 2]
            least, most = min(least, lower), max(most, upper)
            for n in range(counts[j]):
                distances += abs(values[j, n] - lower)
            # One of them has none: itself.
            compared += counts[j] - 1
    deviation = max(NORMAL * distances / max(compared, 1), SMALLEST_DEVIATION)
    if compared < FEWEST_DISTANCES or most - least < BEYOND_DOUBT * deviation:
        return False
    usual, lowest, highest = _usual(values, counts), np.inf, -np.inf
    for j in range(WEEK):
        if counts[j] >= FEWEST_DAYS:
            middle = _middle(values[j], counts[j], usual)
            lowest, highest = min(lowest, middle), max(highest, middle)
    return bool(highest - lowest >= BEYOND_DOUBT * deviation)


@inlined
def _usual(values: Floats, counts: Integers) -> float:
    """Return the median of the values of all days of the week."""
    everything, seen = np.empty(counts.sum()), 0
    for j in range(WEEK):
        for n in range(counts[j]):
            everything[seen] = values[j, n]
            seen += 1
    everything = np.sort(everything)
    return float(0.5 * (everything[(seen - 1) // 2] + everything[seen // 2]))


@inlined
def _middle(ordered: Floats, count: int, usual: float) -> float:
    """Return the median of values in order, which is one of them: of two in the middle that which is more usual."""
    lower, upper = ordered[(count - 1) // 2], ordered[count // 2]
    return float(lower if abs(lower - usual) <= abs(upper - usual) else upper)
