"""What a contrast should be at this hour of the week, learned from whole days.

The model is additive: a mean, an offset for weekends and holidays, a profile over the hours of the day, and one more
profile for this kind of day; where days of the week differ beyond doubt, `weekdays` has more. Each part is shrunk
towards none by how well it is known, with the factor of James and Stein (1961) in its positive part: 1 − (degrees of
freedom) · (variance of each) / (sum of squares). Of the profile, two harmonics are shrunk apart from the rest, since
most seasons are smooth: they are known long before 24 single hours are.

Days, not windows, are what is independent (Künsch 1989): all variances here are those between days.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.busy_hours import of_busy_hours, part_left, vary_by_chance
from detectors.change.legend import ALIKE, BEGAN, DAYS, REFERENCE_DAYS, TOLD_APART, WEEKDAYS
from detectors.change.weekday_hours import hours_of_weekday
from detectors.change.weekdays import WEEK, learn_weekday
from detectors.kernel import inlined, kernel

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

UNSEEN = 0.3
"""Standard deviation of a kind of day's level of which nothing is known."""

UPPER_QUARTER, OF_JUMPS = 1.15, 0.1
"""Three quarters of normal values lie within it; and how much of the mean square of steps counts as chance at least."""

HARMONICS = 4
"""Coefficients of the smooth part of a profile: two harmonics, a sine and a cosine each."""

ENOUGH_DAYS, RARE_HOUR = 3, 0.1
"""Days after which an hour that fewer than a tenth of them had is unknown: at night there may be nothing to measure."""

JUMP, SLOPE = 0.5, 0.25
"""Difference between two hours that may be a jump, as of traffic at nine o'clock: no line is drawn there, unless the
next hour on either side differs by a quarter of it too."""

UNSURE = 1.33
"""Ratio of a difference between hours to that of a jump within which it may be one, or not, by chance."""

CORNER, CORNER_WITHIN = 0.25, 0.5
"""How far a course may go beyond a line at the end of an hour, as a part of the second differences of the two hours;
and as a part of that in the middle of an hour."""

FEWEST_HOURS = 0.8
"""Share of the hours of the fullest day that a day must have to be learned from: a part of a day has another mean."""


@kernel
def learn_expectation(
    hours: Floats, weights: Floats, weekend: Integers, first: int, day: int, lag: int, are_told_apart: bool,
    in_hour: float, expected: Floats, own: Floats,
) -> tuple[float, int]:  # fmt: skip
    """Write what to expect of each hour of a day; return the variance of that, and what is known of days of the week.

    Parameters
    ----------
    hours
        float64[DAYS, H]: the contrast by day (modulo `DAYS`) and hour; NaN where there was nothing.
    weights
        float64[DAYS]: of the days, 0 for those not to learn from.
    weekend
        int64[DAYS]: whether a day was one, or a holiday; of ``day`` itself too.
    first, day, lag
        The first day there is, the day to expect something of, and how many days before it are not seen yet.
    are_told_apart
        Whether days of the week have been so far.
    in_hour
        Of numbers of events, how many windows an hour has; 0 of all else.
    expected
        float64[H]; NaN of which nothing is known.
    own
        float64[H]: the same of hours at which this day of the week is expected by itself; NaN of others.
    """
    own[:] = np.nan
    start, stop = learned_days(first, day, lag)
    uncertainty, weekdays = _learn_days(hours, weights, weekend, start, stop, day, are_told_apart, in_hour, expected)
    if weekdays != ALIKE or expected.size == 1 or stop - start <= WEEK:
        return uncertainty, weekdays
    if not hours_of_weekday(hours, weights, weekend, first, (start, stop), day, own):
        return uncertainty, weekdays
    # What the others are expected to be must not depend on them.
    others = hours.copy()
    for hour in range(expected.size):
        if not np.isnan(own[hour]):
            others[:, hour] = np.nan
    uncertainty, weekdays = _learn_days(others, weights, weekend, start, stop, day, are_told_apart, in_hour, expected)
    for hour in range(expected.size):
        if not np.isnan(own[hour]):
            expected[hour] = own[hour]
    return uncertainty, weekdays


@inlined
def learned_days(first: int, day: int, lag: int) -> tuple[int, int]:
    """Return the days from which a day is expected: the first of them, and the one behind the last."""
    return max(first, day - lag - REFERENCE_DAYS), max(day - lag, first + 1)


@kernel
def _learn_days(
    hours: Floats, weights: Floats, weekend: Integers, start: int, stop: int, day: int, are_told_apart: bool,
    in_hour: float, expected: Floats,
) -> tuple[float, int]:  # fmt: skip
    size = hours.shape[1]
    means = np.full(DAYS, np.nan)
    fullest = 0
    for d in range(start, stop):
        fullest = max(fullest, hours_seen(hours[d % DAYS]))
    if fullest == 0:
        expected[:] = np.nan
        return UNSEEN * UNSEEN, ALIKE
    for d in range(start, stop):
        if hours_seen(hours[d % DAYS]) >= FEWEST_HOURS * fullest:
            means[d % DAYS] = mean_of_hours(hours[d % DAYS])
    today = weekend[day % DAYS]
    expected[:] = 0.0
    level, uncertainty, off_days = _level(means, weights, weekend, start, stop, today)
    if size > 1:
        uncertainty += _profile(hours, means, weights, weekend, start, stop, today, in_hour, expected)
    for hour in range(size):
        expected[hour] += level
    uncertainty, weekdays = learn_weekday(
        hours, means, weights, weekend, start, stop, day, are_told_apart, uncertainty, expected
    )
    if off_days < 0.5:
        uncertainty += UNSEEN * UNSEEN
    return uncertainty, weekdays


@inlined
def hour_at(time_of_day: float, hours: int) -> tuple[int, float, int]:
    """Return the hour of a time, how far it is from the middle of that, and on which side the hour beside it is."""
    own = int(time_of_day * hours) % hours
    distance = time_of_day * hours - 0.5 - own
    return own, distance, 1 if distance > 0 else -1


@inlined
def expected_at(expected: Floats, time_of_day: float, is_alone: bool) -> float:
    """Return the expectation at a time of the day, in [0, 1): by those of hours; NaN in an unknown one.

    A day that is alone, since days of the week are told apart, has none like it before and behind it: its line goes on
    beyond the middle of its first hour, and of its last one, as it comes there.
    """
    size = expected.size
    own, distance, towards = hour_at(time_of_day, size)
    goes_on = is_alone and not 0 <= own + towards < size
    inner = expected[(own - towards) % size]
    step = expected[own] - inner if goes_on else expected[(own + towards) % size] - expected[own]
    if np.isnan(step) or (abs(step) > JUMP and not _is_line(expected, own, towards, is_alone, step)):
        return float(expected[own])
    return float(expected[own] + abs(distance) * step)


@inlined
def _is_line(expected: Floats, own: int, towards: int, is_alone: bool, step: float) -> bool:
    """Whether a large step from an hour is part of a steep line, which may begin or end there: that is no jump."""
    size, least = expected.size, SLOPE * step * step
    beyond = own + 2 * towards
    if is_alone and not 0 <= own + towards < size:
        # What goes on beyond the end of a day is steep within it.
        return bool((expected[(own - towards) % size] - expected[(own - 2 * towards) % size]) * step >= least)
    is_known = not is_alone or 0 <= own - towards < size
    if is_known and not (expected[own] - expected[(own - towards) % size]) * step < least:
        return True
    if is_alone and not 0 <= beyond < size:
        return False
    return bool((expected[beyond % size] - expected[(beyond - towards) % size]) * step >= least)


@inlined
def corner_at(expected: Floats, time_of_day: float, is_alone: bool) -> float:
    """Return how far the course of a day may go beyond the line that is expected, upwards or downwards.

    Lines between the middles of hours cut the corners of a course off. A wave has none: its second differences are much
    the same in the hours beside. Nor has a jump, at which they have both signs.
    """
    own, distance, _ = hour_at(time_of_day, expected.size)
    at_start, at_end = _corner(expected, own - 1, is_alone), _corner(expected, own, is_alone)
    within = 0.5 * CORNER_WITHIN * (at_start + at_end)
    return within + 2 * abs(distance) * ((at_end if distance > 0 else at_start) - within)


@inlined
def jump_at(expected: Floats, time_of_day: float, is_alone: bool, is_unsure: bool) -> float:
    """Return how far a course is from what is expected where that is a line but should not be, or should be one.

    That is 0 where the hours beside show a line, and where a difference is far from what may be a jump: but of an hour
    with a jump within (``is_unsure``) a mean is no point of any line.
    """
    size = expected.size
    own, distance, towards = hour_at(time_of_day, size)
    if is_alone and not 0 <= own + towards < size:
        return 0.0
    step = expected[(own + towards) % size] - expected[own]
    if np.isnan(step):
        return 0.0
    is_line = _is_line(expected, own, towards, is_alone, step)
    if not is_unsure and (is_line or not JUMP / UNSURE < abs(step) < UNSURE * JUMP):
        return 0.0
    return float(abs(distance) * step * (-1 if is_line or abs(step) <= JUMP else 1))


@inlined
def _corner(expected: Floats, hour: int, is_alone: bool) -> float:
    """Return how far a course may go beyond a line at the end of an hour."""
    if is_alone and not 0 <= hour < expected.size - 1:
        return 0.0
    turn = _second_difference(expected, hour, is_alone) + _second_difference(expected, hour + 1, is_alone)
    beside = abs(_second_difference(expected, hour - 1, is_alone))
    beside += abs(_second_difference(expected, hour + 2, is_alone))
    excess = abs(turn) - beside
    if not excess > 0:
        return 0.0
    return -CORNER * excess if turn > 0 else CORNER * excess


@inlined
def _second_difference(expected: Floats, hour: int, is_alone: bool) -> float:
    """Return that of what is expected, at an hour; 0 at the ends of a day that is alone."""
    size = expected.size
    if is_alone and not 0 < hour < size - 1:
        return 0.0
    return float(expected[(hour - 1) % size] - 2 * expected[hour % size] + expected[(hour + 1) % size])


@kernel
def expected_over(expected: Floats, rows: Floats, chosen: Integers, places: Floats, over: Floats) -> None:
    """Write what is expected of some rows at times of a day, float64[K, T]; NaN where nothing is.

    Parameters
    ----------
    expected, rows
        float64[R, H], float64[R, ROW]
    chosen
        int64[K]: the rows.
    places
        float64[T]: times, in [0, 1).
    over
    """
    for k in range(chosen.size):
        r = chosen[k]
        for t in range(places.size):
            over[k, t] = expected_at(expected[r], places[t], rows[r, WEEKDAYS] == TOLD_APART)
            if np.isnan(over[k, t]):
                over[k, t] = mean_of_hours(expected[r])


@inlined
def age_of(row: Floats, age: int) -> int:
    """Return the days since a row had its first value, from those since its series began; 0 before it has one."""
    return age + 1 - int(row[BEGAN]) if row[BEGAN] > 0 else 0


@inlined
def hours_seen(hours: Floats) -> int:
    """Count the hours of a day that have a value."""
    seen = 0
    for hour in range(hours.size):
        seen += not np.isnan(hours[hour])
    return seen


@inlined
def mean_of_hours(hours: Floats) -> float:
    """Return the mean of the hours of a day that have a value."""
    total = 0.0
    seen = 0
    for hour in range(hours.size):
        if not np.isnan(hours[hour]):
            total += hours[hour]
            seen += 1
    return total / seen if seen > 0 else np.nan


@inlined
def _level(
    means: Floats, weights: Floats, weekend: Integers, start: int, stop: int, today: int
) -> tuple[float, float, float]:
    """Return the level of a day, its variance, and the weight of the days of its kind."""
    sums = np.zeros(2)
    counts = np.zeros(2)
    for d in range(start, stop):
        i = d % DAYS
        if not np.isnan(means[i]):
            weight = weights[i] + 1e-9
            sums[weekend[i]] += weight * means[i]
            counts[weekend[i]] += weight
    level_of = np.array([sums[0] / max(counts[0], 1e-12), sums[1] / max(counts[1], 1e-12)])
    both = counts[0] > 0.5 and counts[1] > 0.5
    if counts[1] <= 0.5 and counts[0] > 0.5:
        level_of[1] = level_of[0]
    elif counts[0] <= 0.5 and counts[1] > 0.5:
        level_of[0] = level_of[1]
    squares = np.zeros(2)
    for d in range(start, stop):
        i = d % DAYS
        if not np.isnan(means[i]):
            deviation = means[i] - level_of[weekend[i]]
            squares[weekend[i]] += (weights[i] + 1e-9) * deviation * deviation
    days = counts[0] + counts[1]
    # Two days of a hundredth of a standard deviation: no contrast repeats itself exactly from day to day.
    variance = (squares[0] + squares[1] + 2e-4) / (max(days - 2, 0.0) + 2)
    own_variance = variance
    if counts[today] >= counts[1 - today]:
        # Few days of the other kind that disagree say nothing of this one.
        own_variance = min(variance, (squares[today] + 2e-4) / (max(counts[today] - 1, 0.0) + 2))
    of_difference = variance * (1 / max(counts[0], 0.5) + 1 / max(counts[1], 0.5))
    difference = level_of[1] - level_of[0] if both else 0.0
    shrunk = min(max(1 - of_difference / max(difference * difference, 1e-12), 0.0), 1.0)
    offset = shrunk * difference
    base = (sums[0] + sums[1] - counts[1] * offset) / days
    if counts[1] <= 0.5 or counts[0] <= 0.5:
        base = (sums[0] + sums[1]) / days
    uncertainty = own_variance / max(days, 1.0)
    if today:
        return base + offset, uncertainty + shrunk * of_difference, counts[1]
    return base, uncertainty, counts[0]


@inlined
def _profile(  # noqa: PLR0912, PLR0915 -- one pass over the days after the other
    hours: Floats, means: Floats, weights: Floats, weekend: Integers, start: int, stop: int, today: int,
    in_hour: float, expected: Floats,
) -> float:  # fmt: skip
    """Add the profile of a day's hours, and return its variance."""
    size = hours.shape[1]
    profile, counts = np.zeros(size), np.zeros(size)
    of_kind, kind_counts = np.zeros(size), np.zeros(size)
    days = 0
    days_of_kind = 0
    # Days that teach nothing show no course of their kind.
    taught = 0
    for d in range(start, stop):
        i = d % DAYS
        if np.isnan(means[i]):
            continue
        days += 1
        days_of_kind += weekend[i] == today
        taught += weekend[i] == today and weights[i] > 0
        for hour in range(size):
            if not np.isnan(hours[i, hour]):
                weight = weights[i] + 1e-9
                deviation = weight * (hours[i, hour] - means[i])
                profile[hour] += deviation
                counts[hour] += weight
                if weekend[i] == today:
                    of_kind[hour] += deviation
                    kind_counts[hour] += weight
    weight_of_all = 0.0
    of_other = np.zeros(size)
    for hour in range(size):
        other_count = counts[hour] - kind_counts[hour]
        of_other[hour] = (profile[hour] - of_kind[hour]) / max(other_count, 1e-9)
        profile[hour] /= max(counts[hour], 1e-9)
        of_other[hour] -= profile[hour]
        of_kind[hour] = of_kind[hour] / max(kind_counts[hour], 1e-9) - profile[hour]
        weight_of_all += counts[hour]
    if days == 0:
        return 0.0
    squares = 0.0
    # Of kinds of days, one of which at least is known well enough to say how days vary.
    differ = days >= 3 and taught > 0 and days_of_kind < days
    if days >= 2:
        for d in range(start, stop):
            i = d % DAYS
            if not np.isnan(means[i]):
                for hour in range(size):
                    if not np.isnan(hours[i, hour]):
                        deviation = hours[i, hour] - means[i] - profile[hour]
                        if differ:
                            deviation -= of_kind[hour] if weekend[i] == today else of_other[hour]
                        squares += (weights[i] + 1e-9) * deviation * deviation
        variance = squares / max(weight_of_all - (2 if differ else 1) * size, 1.0)
    else:
        variance = _variance_of_steps(profile)
    of_hour = variance / max(weight_of_all / size, 0.5)
    times = np.ones(size)
    if in_hour > 0:
        vary_by_chance(hours, means, weights, weekend, start, stop, today, in_hour, variance, times)
    uncertainty = _shrink(profile, of_hour, times, expected)
    if taught >= 2 or differ:
        weight_of_kind = 0.0
        squares = 0.0
        for hour in range(size):
            weight_of_kind += kind_counts[hour]
            squares += of_kind[hour] * of_kind[hour]
        of_kind_hour = variance / max(weight_of_kind / size, 0.5)
        factor = 1 - (size - 1) * of_kind_hour / max(squares, 1e-12)
        # What is hardly there is left out: it would bring more noise than season.
        if factor > (0.3 if taught >= 2 else 0.7):
            for hour in range(size):
                expected[hour] += part_left(factor, times[hour]) * of_kind[hour]
            uncertainty += factor * of_kind_hour
    if days >= ENOUGH_DAYS:
        _leave_out(counts, expected)
    return of_busy_hours(uncertainty, times) if in_hour > 0 else uncertainty


@inlined
def _variance_of_steps(profile: Floats) -> float:
    """Return the variance of an hour of which one day is known: neighbours differ by chance more than by season.

    But for a few jumps, as of traffic that comes from nine o'clock on.
    """
    steps = np.sort(np.abs(profile[1:] - profile[:-1]))
    square = np.mean(steps * steps)
    usual = steps[(3 * steps.size) // 4] / UPPER_QUARTER
    return float(min(max(usual * usual, OF_JUMPS * square), square) / 2)


@inlined
def _leave_out(counts: Floats, expected: Floats) -> None:
    """Expect nothing of hours that few days had."""
    most = counts.max()
    for hour in range(counts.size):
        if counts[hour] < RARE_HOUR * most:
            expected[hour] = np.nan


@inlined
def _shrink(profile: Floats, of_hour: float, times: Floats, expected: Floats) -> float:
    """Add what is left of a profile after shrinking, and return its variance."""
    size = profile.size
    rest = profile.copy()
    uncertainty = 0.0
    free = size - 1
    if size > HARMONICS + 1:
        smooth = np.zeros(size)
        squares = 0.0
        for j in range(HARMONICS):
            coefficient = 0.0
            for hour in range(size):
                coefficient += profile[hour] * _wave(j, hour, size)
            squares += coefficient * coefficient
            for hour in range(size):
                smooth[hour] += coefficient * _wave(j, hour, size)
        factor = max(1 - HARMONICS * of_hour / max(squares, 1e-12), 0.0)
        for hour in range(size):
            rest[hour] -= smooth[hour]
            expected[hour] += factor * smooth[hour]
        uncertainty += of_hour * HARMONICS * factor / size
        free -= HARMONICS
    squares = 0.0
    for hour in range(size):
        squares += rest[hour] * rest[hour]
    factor = max(1 - free * of_hour / max(squares, 1e-12), 0.0)
    for hour in range(size):
        expected[hour] += part_left(factor, times[hour]) * rest[hour]
    return uncertainty + of_hour * free * factor / size


@inlined
def _wave(j: int, hour: int, size: int) -> float:
    """One of the first harmonics of a day, with unit length."""
    angle = 2 * np.pi * (1 + j // 2) * hour / size
    return float(np.sqrt(2.0 / size) * (math.cos(angle) if j % 2 == 0 else math.sin(angle)))
