"""What a number of events does within its hours: a job that comes on the hour, or each night at five past two.

What is expected of an hour says nothing of its five minutes. Logarithms of numbers of events say it, of the last days
of this kind. While these are few, the others say what they do beside their own hours:

- at this minute of all hours, their mean, clipped (Huber 1964), beside that of the hour;
- at this time of the day, the median of days, beside what is expected of it then.

Either counts where it is beyond doubt, and is added to what is expected of a window. A job is not as large each day:
where windows are expected by themselves, how far days lie apart is part of their variance. A course stays as it was
where too few of the last days of its kind teach, since an alarm stood.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.expectation import expected_at, learned_days
from detectors.change.lag import lag_of
from detectors.change.legend import ACCEPTED_DAY, COURSE_DAYS, DAYS, TOLD_APART, WEEKDAYS
from detectors.change.weekday_hours import hours_of_weekday
from detectors.kernel import inlined, kernel

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

MOST_SLOTS = 288
"""Parts of a day that have a course, at most: those of five minutes."""

FEWEST_DAYS = 2
"""Days of a kind that say what one of their windows is like by itself."""

AS_BUSY = 0.7
"""Difference of logarithms between hours that are about as busy."""

FEWEST_IN_HOURS = 12
"""Hours that say what a minute of all of them is like."""

BEYOND_DOUBT = 4.0
"""Standard deviations of a window's median from which it counts."""

FARTHEST_OF_HOUR = 8.0
"""How far the sum of squares of an hour's windows is above its mean before they count, in roots of how many they are:
in standard deviations of that sum, times 1.4."""

FARTHEST_APART = 8.0
"""Standard deviations of a mean between minutes from which they count: between twelve there are three or four."""

OF_MEDIAN = 1.25
"""Standard deviation of a median of normal values divided by that of their mean."""

NORMAL = 1.4826
"""Standard deviations of normal values whose distance from their median is 1 in the median."""

CLIP = 3.0
"""Standard deviations beyond which a value moves a mean no further."""

LARGEST_BUT_ONE = 2.0
"""The variance of few days by the square of their distance from the median that is the largest but one."""


def slots_of(windows_per_day: int) -> int:
    """Return how many parts of a day have a course of their own; 0 where hours are not divided.

    Examples
    --------
    >>> [slots_of(windows) for windows in (24, 48, 288, 720, 1440)]
    [0, 48, 288, 240, 288]
    """
    possible = range(48, MOST_SLOTS + 1, 24)
    return max((slots for slots in possible if windows_per_day % slots == 0), default=0)


@kernel
def note_counts(counts: Singles, day: int, places: Floats, values: Floats) -> None:
    """Add windows of a day to what is remembered of it.

    Parameters
    ----------
    counts
        float32[COURSE_DAYS, slots]; NaN where there was no window.
    day
        Which day it is.
    places, values
        float64[T]: where in the day windows lie, and their numbers of events, NaN of those that there are not.
    """
    today = counts[day % COURSE_DAYS]
    for t in range(places.size):
        if not np.isnan(values[t]):
            slot = min(int(places[t] * today.size), today.size - 1)
            today[slot] = np.float32(values[t] + (0.0 if np.isnan(today[slot]) else today[slot]))


@kernel
def begin_course(
    counts: Singles, day: int, first: int, windows_per_day: int, weekend: Integers, weights: Floats,
    hours_known: Floats, row: Floats, expected: Floats, course: Singles, of_other_days: Singles,
) -> None:  # fmt: skip
    """Write what windows of a day are expected to be beside their hours, and forget the day that it takes the place of.

    Parameters
    ----------
    counts
        float32[COURSE_DAYS, slots]
    day, first, windows_per_day
        The day that begins, and the first one that there was.
    weekend, weights
        int64[DAYS], float64[DAYS]: of the days; one that has no weight teaches nothing.
    hours_known, row, expected
        float64[DAYS, H], float64[ROW], float64[H]: what hours were, and what is expected of them.
    course, of_other_days
        float32[2, slots]: what is added to that, and the variance of it from day to day; the same of the other kind of
        days, weekends or not.
    """
    slots = course.shape[1]
    counts[day % COURSE_DAYS] = np.nan
    if day > first and weekend[day % DAYS] != weekend[(day - 1) % DAYS]:
        for part in range(2):
            for slot in range(slots):
                course[part, slot], of_other_days[part, slot] = of_other_days[part, slot], course[part, slot]
    days = days_of_course(day, first, weekend, weights, row[ACCEPTED_DAY] == 0 and bool(course.any()))
    if days.size == 0:
        return
    course[:] = 0.0
    usual = np.empty(slots)
    for slot in range(slots):
        usual[slot] = expected_at(expected, (slot + 0.5) / slots, row[WEEKDAYS] == TOLD_APART)
    in_hour = slots // expected.size
    logarithms: Floats = np.full((days.size, slots), np.nan)
    for j in range(days.size):
        d = days[j]
        _take_logarithms(
            counts[d % COURSE_DAYS], slots / windows_per_day, hours_known[d % DAYS],
            weekend[d % DAYS] == weekend[day % DAYS], usual, logarithms[j],
        )  # fmt: skip
    minutes = np.zeros(in_hour)
    if _learn_minutes(logarithms, usual, minutes):
        _take_minutes(logarithms, usual, minutes, course)
        for slot in range(slots):
            usual[slot] += course[0, slot]
    if days.size < FEWEST_DAYS or row[WEEKDAYS] == TOLD_APART:
        return
    # Of an hour that is another one on this day of the week, the last days say nothing.
    own, age = np.empty(expected.size), day - first
    start, stop = learned_days(first, day, lag_of(age))
    hours_of_weekday(hours_known, weights, weekend, first, (start, stop), day, own)
    for slot in range(slots):
        if not np.isnan(own[slot // in_hour]):
            logarithms[:, slot] = np.nan
    _learn_slots(logarithms, usual, in_hour, course)


@inlined
def days_of_course(day: int, first: int, weekend: Integers, weights: Floats, is_known: bool) -> Integers:
    """Return the last days that teach: of this kind; if these are few, all, or none where a course is known."""
    days, alike = np.empty(COURSE_DAYS, dtype=np.int64), np.empty(COURSE_DAYS, dtype=np.int64)
    count, count_alike = 0, 0
    for d in range(max(first, day - COURSE_DAYS + 1), day):
        if weights[d % DAYS] > 0:
            days[count] = d
            count += 1
            if weekend[d % DAYS] == weekend[day % DAYS]:
                alike[count_alike] = d
                count_alike += 1
    if count_alike >= FEWEST_DAYS or is_known:
        return alike[: count_alike if count_alike >= FEWEST_DAYS else 0]
    return days[:count]


@inlined
def _take_logarithms(
    counts: Singles, part: float, of_hours: Floats, is_alike: bool, usual: Floats, logarithms: Floats
) -> None:
    """Write the logarithms of a day's windows, which are parts of slots.

    Of the other kind of days, those of hours that are about as busy as is expected, as far as they differ from these.
    """
    in_hour = usual.size // of_hours.size
    for slot in range(usual.size):
        beside = 0.0 if is_alike else usual[slot] - of_hours[slot // in_hour]
        if counts[slot] >= 0 and abs(beside) < AS_BUSY:
            logarithms[slot] = math.log(counts[slot] * part + 0.5) + beside


@inlined
def _learn_minutes(logarithms: Floats, usual: Floats, minutes: Floats) -> bool:
    """Write what windows at the same minute of all hours have in common; return whether that is beyond doubt."""
    in_hour, slots = minutes.size, usual.size
    relative: Floats = np.full(logarithms.shape, np.nan)
    floor = np.inf
    for j in range(relative.shape[0]):
        for begin in range(0, slots, in_hour):
            mean, line = 0.0, 0.0
            for slot in range(begin, begin + in_hour):
                mean += math.exp(logarithms[j, slot]) / in_hour
                line += math.exp(usual[slot]) / in_hour
            # Of an hour without traffic there is nothing to learn.
            if mean > 0.5 and line > 0:
                floor = min(floor, 1 / math.sqrt(mean))
                for slot in range(begin, begin + in_hour):
                    relative[j, slot] = logarithms[j, slot] - math.log(mean) - usual[slot] + math.log(line)
    of_minute = np.empty(relative.size // in_hour)
    squares, compared, fewest = 0.0, 0, relative.size
    for minute in range(in_hour):
        seen = 0
        for j in range(relative.shape[0]):
            for slot in range(minute, slots, in_hour):
                if not np.isnan(relative[j, slot]):
                    of_minute[seen] = relative[j, slot]
                    seen += 1
        fewest = min(fewest, seen)
        if fewest < FEWEST_IN_HOURS:
            return False
        middle = np.sort(of_minute[:seen])[seen // 2]
        limit = CLIP * max(NORMAL * np.sort(np.abs(of_minute[:seen] - middle))[seen // 2], floor)
        total = 0.0
        for n in range(seen):
            limited = min(max(of_minute[n] - middle, -limit), limit)
            # Of numbers of events, not of their logarithms, which are lower on average the fewer events there are.
            total += math.exp(limited)
            squares += limited * limited
        minutes[minute] = middle + math.log(total / seen)
        compared += seen
    deviation = math.sqrt(squares / compared)
    return bool((minutes.max() - minutes.min()) * math.sqrt(fewest) > FARTHEST_APART * deviation)


@inlined
def _take_minutes(logarithms: Floats, usual: Floats, minutes: Floats, course: Singles) -> None:
    """Write the course that all hours have, as far as it goes at each of them.

    What comes on the hour is a larger part of an hour at night: then the other minutes have less of it, all alike.
    """
    in_hour = minutes.size
    for begin in range(0, usual.size, in_hour):
        # Of minutes with less than their part of an hour, and of those with more.
        counts, expected = np.zeros(2), np.zeros(2)
        line = 0.0
        for slot in range(begin, begin + in_hour):
            line += math.exp(usual[slot]) / in_hour
        for j in range(logarithms.shape[0]):
            mean = 0.0
            for slot in range(begin, begin + in_hour):
                mean += math.exp(logarithms[j, slot]) / in_hour
            if mean > 0.5 and line > 0:
                for minute in range(in_hour):
                    kind = int(minutes[minute] > 0)
                    counts[kind] += math.exp(logarithms[j, begin + minute])
                    expected[kind] += math.exp(usual[begin + minute] + minutes[minute]) * mean / line
        for minute in range(in_hour):
            kind = int(minutes[minute] > 0)
            further = math.log(counts[kind] / expected[kind]) if expected[kind] > 0 else 0.0
            course[0, begin + minute] = minutes[minute] + further


@inlined
def _learn_slots(logarithms: Floats, usual: Floats, in_hour: int, course: Singles) -> None:
    """Add what windows are by themselves to their course, where that is beyond doubt, or that of their hour is.

    Of what an hour shows, all but the part that chance has counts (James and Stein 1961). Whole days that lie higher or
    lower, as all those that are remembered may, are no course of any window.
    """
    _level(logarithms, usual)
    middles, errors = np.full(usual.size, np.nan), np.full(usual.size, np.nan)
    distances, compared, slots = np.empty(logarithms.size), 0, 0
    of_days = np.empty(logarithms.shape[0])
    for slot in range(usual.size):
        middle, seen = _middle(logarithms[:, slot], usual[slot], of_days)
        if seen >= FEWEST_DAYS and not np.isnan(usual[slot]):
            middles[slot], errors[slot] = middle, OF_MEDIAN * math.exp(-0.5 * usual[slot]) / math.sqrt(seen)
            slots += 1
            for j in range(seen):
                distances[compared] = abs(of_days[j] - middle) * math.exp(0.5 * middle)
                compared += 1
    if slots == 0:
        return
    away = middles - usual
    level = _level_of_hours(logarithms, usual, in_hour)
    # How much further windows go than events that come by themselves. One of each has no distance: its median.
    errors *= max(NORMAL * np.sort(distances[:compared])[(slots + compared) // 2], 1.0)
    for begin in range(0, usual.size, in_hour):
        hour = slice(begin, begin + in_hour)
        higher, squares = _shape_of(middles[hour], usual[hour], errors[hour])
        is_shaped = squares > in_hour + FARTHEST_OF_HOUR * math.sqrt(in_hour)
        for slot in range(begin, begin + in_hour):
            if abs(away[slot] - level) > BEYOND_DOUBT * errors[slot]:
                _, seen = _middle(logarithms[:, slot], usual[slot], of_days)
                course[0, slot] += away[slot] - level
                course[1, slot] = _variance(of_days[:seen], middles[slot])
            elif is_shaped and not np.isnan(away[slot]):
                course[0, slot] += (1 - in_hour / squares) * (away[slot] - higher)


@inlined
def _level_of_hours(logarithms: Floats, usual: Floats, in_hour: int) -> float:
    """Return how much higher hours are than is expected of them, in the median of hours.

    Of windows with an event or none it would be that of either.
    """
    hours = usual.size // in_hour
    higher, seen = np.empty(hours), 0
    for hour in range(hours):
        events, of_usual = 0.0, 0.0
        for slot in range(hour * in_hour, (hour + 1) * in_hour):
            for j in range(logarithms.shape[0]):
                if not np.isnan(logarithms[j, slot]) and not np.isnan(usual[slot]):
                    events += math.exp(logarithms[j, slot]) - 0.5
                    of_usual += math.exp(usual[slot]) - 0.5
        if of_usual > 1:
            higher[seen] = math.log(max(events, 0.5) / of_usual)
            seen += 1
    return float(np.sort(higher[:seen])[seen // 2]) if seen > 0 else 0.0


@inlined
def _shape_of(middles: Floats, usual: Floats, errors: Floats) -> tuple[float, float]:
    """Return how much higher than usual an hour is, and how far its windows are beside that.

    In standard deviations, squared and added up.
    """
    total, of_usual, squares = 0.0, 0.0, 0.0
    for n in range(middles.size):
        if not np.isnan(middles[n]):
            total += math.exp(middles[n])
            of_usual += math.exp(usual[n])
    if total == 0:
        return 0.0, 0.0
    higher = math.log(total / of_usual)
    for n in range(middles.size):
        if not np.isnan(middles[n]):
            squares += ((middles[n] - usual[n] - higher) / errors[n]) ** 2
    return higher, squares


@inlined
def _level(logarithms: Floats, usual: Floats) -> None:
    """Take from each day by how much most of its windows are higher than those of other days."""
    slots, of_days = usual.size, np.empty(logarithms.shape[0])
    middles, higher = np.empty(slots), np.empty(slots)
    for slot in range(slots):
        middles[slot], _ = _middle(logarithms[:, slot], usual[slot], of_days)
    for j in range(logarithms.shape[0]):
        seen = 0
        for slot in range(slots):
            if not np.isnan(logarithms[j, slot]):
                higher[seen] = logarithms[j, slot] - middles[slot]
                seen += 1
        if seen > 0:
            logarithms[j] -= np.sort(higher[:seen])[seen // 2]


@inlined
def _middle(of_slot: Floats, usual: float, of_days: Floats) -> tuple[float, int]:
    """Write a window's days without those that lack, and return their median, and how many there are.

    Of two in the middle that which is more usual.
    """
    seen = 0
    for j in range(of_slot.size):
        if not np.isnan(of_slot[j]):
            of_days[seen] = of_slot[j]
            seen += 1
    if seen == 0:
        return np.nan, 0
    ordered = np.sort(of_days[:seen])
    lower, upper = ordered[(seen - 1) // 2], ordered[seen // 2]
    return float(lower if abs(lower - usual) <= abs(upper - usual) else upper), seen


@inlined
def _variance(of_days: Floats, middle: float) -> float:
    """Return how far a job's size differs from day to day, beyond chance: one day that is odd does not count."""
    squares = np.sort((of_days - middle) ** 2)
    square = squares[-2] if squares.size > 2 else squares[-1]
    return float(max(LARGEST_BUT_ONE * square - math.exp(-middle), 0.0))
