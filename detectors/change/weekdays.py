"""What a contrast should be on this day of the week, where days of the week differ beyond doubt.

Most signals have weekdays and weekends, which `expectation` knows. Some have Mondays: a batch a week, shops that are
shut on two days. What is expected of all weekdays alike is wrong there on most of them. Days of the week are told apart
by an analysis of variance (Fisher 1925): F is the variance between them over that within them, and with F the mean of a
day of the week counts for 1 − 1/F (James and Stein 1961). Below `TELLING` it counts for nothing,
or, once days of the week were told apart, below `STILL_TELLING`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.legend import ALIKE, DAYS, TOLD_APART, UNKNOWN
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

WEEK = 7

TELLING = 100.0
"""F from which days of the week are told apart: then what was learned before is about their difference. Of a signal
whose days of the week differ by less, weekdays are one kind of day: single days that are off would stand out more."""

STILL_TELLING = 10.0
"""F from which days of the week stay told apart: what is expected must not change because a few days are forgotten."""

FEWEST_ALIKE = 1.5
"""Days that a day of the week must have had to be known: two, if neither alarmed, or both."""

FEWEST_REPEATED = 0.5
"""Days beyond the first of each day of the week that there must be."""

SMALLEST_VARIANCE = 2e-4
"""Added to the variance within days of the week: no contrast repeats itself exactly."""

FEWEST_USUAL, ODD = 2, 5.0
"""Days of a day of the week that there must be for another one to be odd, and how many of their standard deviations it
is from their mean then, at least."""

UNSEEN_WEEKDAY = 0.3
"""Standard deviation of the level of a day of the week that has not been seen, where they differ."""


@inlined
def learn_weekday(
    hours: Floats, means: Floats, weights: Floats, weekend: Integers, start: int, stop: int, day: int,
    are_told_apart: bool, uncertainty: float, expected: Floats,
) -> tuple[float, int]:  # fmt: skip
    """Draw expectations to those of this day of the week; return their variance, and what is known of days of the week.

    Parameters
    ----------
    hours, weights, weekend
        As `learn_expectation` takes them.
    means
        float64[DAYS]: of the days, NaN for those not to learn from.
    start, stop, day
        The days to learn from, and the one to expect something of.
    are_told_apart
        Whether days of the week have been so far.
    uncertainty, expected
        Of what is expected by its kind of day.
    """
    if stop - start <= WEEK:
        return uncertainty, ALIKE
    size = hours.shape[1]
    if are_told_apart:
        weights = _without_odd_days(means, weights, weekend, start, stop)
    # By kind of day, day of the week and hour: a sum and its weight; and of how many days they are.
    sums, counts, days = np.zeros((2, WEEK, size)), np.zeros((2, WEEK, size)), np.zeros((2, WEEK))
    _add_up(hours, means, weights, weekend, start, stop, sums, counts, days)
    variance = _within(hours, means, weights, weekend, start, stop, sums, counts, days)
    if np.isnan(variance):
        return uncertainty, ALIKE
    today, weekday = weekend[day % DAYS], day % WEEK
    telling = STILL_TELLING if are_told_apart else TELLING
    ratio = _between(sums[today], counts[today], days[today]) / variance
    if ratio < telling:
        # Of a kind the days of which are alike, where those of the other are not, a mean is that of all of them.
        ratio = _between(sums[1 - today], counts[1 - today], days[1 - today]) / variance
        for j in range(1, WEEK):
            sums[today, 0] += sums[today, j]
            counts[today, 0] += counts[today, j]
            days[today, 0] += days[today, j]
        weekday = 0
    if ratio < telling:
        return uncertainty, ALIKE
    if days[today, weekday] < FEWEST_ALIKE:
        return uncertainty + UNSEEN_WEEKDAY * UNSEEN_WEEKDAY, UNKNOWN
    for hour in range(size):
        if counts[today, weekday, hour] > 0 and not np.isnan(expected[hour]):
            own = sums[today, weekday, hour] / counts[today, weekday, hour]
            expected[hour] += (1 - 1 / ratio) * (own - expected[hour])
    return variance / days[today, weekday] + uncertainty / ratio, TOLD_APART


@inlined
def _without_odd_days(means: Floats, weights: Floats, weekend: Integers, start: int, stop: int) -> Floats:
    """Return the weights of days, 0 of one that is unlike all others of its day of the week.

    A batch that comes a day late once does not undo what is known of Mondays, nor of Tuesdays.
    """
    usual = weights.copy()
    for first in range(start, min(start + WEEK, stop)):
        for kind in range(2):
            total, count = 0.0, 0
            for d in range(first, stop, WEEK):
                i = d % DAYS
                if weekend[i] == kind and not np.isnan(means[i]) and weights[i] > 0:
                    total += means[i]
                    count += 1
            if count < FEWEST_USUAL + 1:
                continue
            # The day that is farthest from the mean of all, and how far the others are from theirs.
            odd, farthest = 0, -1.0
            for d in range(first, stop, WEEK):
                i = d % DAYS
                if weekend[i] == kind and not np.isnan(means[i]) and weights[i] > 0:
                    distance = abs(means[i] - total / count)
                    if distance > farthest:
                        odd, farthest = i, distance
            middle, squares = (total - means[odd]) / (count - 1), SMALLEST_VARIANCE
            for d in range(first, stop, WEEK):
                i = d % DAYS
                if i != odd and weekend[i] == kind and not np.isnan(means[i]) and weights[i] > 0:
                    squares += (means[i] - middle) ** 2
            if (means[odd] - middle) ** 2 > ODD * ODD * squares / (count - 1):
                usual[odd] = 0.0
    return usual


@inlined
def _add_up(
    hours: Floats, means: Floats, weights: Floats, weekend: Integers, start: int, stop: int, sums: Floats,
    counts: Floats, days: Floats,
) -> None:  # fmt: skip
    squares = np.zeros((2, WEEK))
    for d in range(start, stop):
        i, weight = d % DAYS, weights[d % DAYS]
        if not np.isnan(means[i]) and weight > 0:
            days[weekend[i], d % WEEK] += weight
            squares[weekend[i], d % WEEK] += weight * weight
            for hour in range(hours.shape[1]):
                if not np.isnan(hours[i, hour]):
                    sums[weekend[i], d % WEEK, hour] += weight * hours[i, hour]
                    counts[weekend[i], d % WEEK, hour] += weight
    for kind in range(2):
        for j in range(WEEK):
            if days[kind, j] > 0:
                # As many days of one weight as know as much.
                days[kind, j] *= days[kind, j] / squares[kind, j]


@inlined
def _within(
    hours: Floats, means: Floats, weights: Floats, weekend: Integers, start: int, stop: int, sums: Floats,
    counts: Floats, days: Floats,
) -> float:  # fmt: skip
    """Return the variance of an hour between days that are the same of the week; NaN if there are hardly any."""
    squares, freedom = 0.0, 0.0
    for d in range(start, stop):
        i, weight = d % DAYS, weights[d % DAYS]
        if not np.isnan(means[i]) and weight > 0:
            alike = days[weekend[i], d % WEEK]
            for hour in range(hours.shape[1]):
                if not np.isnan(hours[i, hour]):
                    count = counts[weekend[i], d % WEEK, hour]
                    deviation = hours[i, hour] - sums[weekend[i], d % WEEK, hour] / count
                    squares += alike * weight / count * deviation * deviation
                    freedom += (alike - 1) * weight / count
    return squares / freedom + SMALLEST_VARIANCE if freedom > FEWEST_REPEATED * hours.shape[1] else np.nan


@inlined
def _between(sums: Floats, counts: Floats, days: Floats) -> float:
    """Return the variance of an hour between days of the week, times how many days each mean is of."""
    squares, freedom = 0.0, 0.0
    for hour in range(sums.shape[1]):
        total, seen = 0.0, 0.0
        for j in range(WEEK):
            if counts[j, hour] > 0:
                total += days[j] * sums[j, hour] / counts[j, hour]
                seen += days[j]
                freedom += 1
        if seen > 0:
            freedom -= 1
        for j in range(WEEK):
            if counts[j, hour] > 0:
                deviation = sums[j, hour] / counts[j, hour] - total / seen
                squares += days[j] * deviation * deviation
    return squares / freedom if freedom > 0 else 0.0
