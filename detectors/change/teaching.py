"""What a day counts for in expectations and variances: one that alarmed may have been wrong, or what is expected is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.expectation import age_of, hours_seen, learned_days, mean_of_hours
from detectors.change.legend import (
    ACCEPTED_DAY,
    ACCEPTED_VARIANCE,
    ALARMED,
    DAY_ALARMS,
    DAYS,
    HIGHEST,
    HIGHEST_BY_DAY,
    KIND,
    LEVEL_VARIANCE,
    MARKED,
    MARKED_BY_DAY,
    NOISE,
    RENEWED,
    STANDING,
    STEPS,
    STEPS_SEEN,
    UNKNOWN,
    VOLUME,
    WEEKDAYS,
)
from detectors.change.weekdays import WEEK
from detectors.change.windows import CALIBRATED_FROM, OUTLIER
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SETTLED = 14
"""Days after which an expectation no longer sees the newest days, and alarmed days teach nothing."""

ALARMED_WEIGHT, CLEAR_SHIFT = 0.3, 0.3
"""What a day that alarmed counts for while days are few, and the shift from which on it counts for nothing: it is more
than few days can be wrong by."""

DOUBT = 0.5
"""Part of the evidence that an alarm needs with which a day is in doubt."""

MANY_ALARMS = 2.5
"""Alarms by days, of some weeks, after which what is expected is taken for wrong: days that alarm teach again."""

UNLEARNED_DAYS = 2
"""Whole days at an accepted level that alarm, after which one that alarms too teaches: else it would alarm for ever."""

FEWEST_DAYS = 3.0
"""Days from which alone a signal of more than two weeks learns what to expect."""

DAYS_OF_KIND = np.array([5.0, 2.0])
"""Weekdays of a week, and days of a weekend."""

MOST_DAYS = 0.6
"""Part of its days from which one learns that has values on few."""

FAR_OFF = 6.0
"""Standard deviations of windows beyond which an hour is no way of a signal to vary, if it alarmed and came back."""

KINDS_KNOWN = 2.0
"""Days of a kind that teach even if they alarmed, unless the day before did so too: the first weekend differs, and must
not be strange for ever."""


@inlined
def weigh_day(
    day: int, age: int, weekend: Integers, rows: Floats, series: Floats, expected: Floats, hours_known: Floats,
    weights: Floats, by_day: float, by_window: float,
) -> None:  # fmt: skip
    """Write what a day of a series counts for in expectations, and take back what days before an alarm do.

    Parameters
    ----------
    day, age, weekend
        The day, how many there were before it, and int64[DAYS].
    rows, series, expected, hours_known, weights
        Of this series, as in `close_day`.
    by_day, by_window
        Its thresholds.
    """
    is_unseen = rows[0, WEEKDAYS] == UNKNOWN
    has_timetable = keeps_timetable(rows)
    shift = 0.0 if is_unseen else series[ALARMED]
    level_age = _age_of_level(rows, day, age)
    weight = _weight(weights, weekend, day, level_age, shift, has_timetable)
    in_doubt = CALIBRATED_FROM <= level_age < SETTLED and series[ALARMED] == 0 and not has_timetable
    if in_doubt and _is_in_doubt(series, by_day, by_window):
        weight = ALARMED_WEIGHT
    if series[DAY_ALARMS] > MANY_ALARMS or _is_unlearned(rows[0, ACCEPTED_DAY], weights, day):
        weight = max(weight, ALARMED_WEIGHT)
    weights[day % DAYS] = weight
    if series[ALARMED] != 0 and not has_timetable:
        _take_back(rows, expected, hours_known, weights, weekend, day, level_age)


@inlined
def keeps_timetable(rows: Floats) -> bool:
    """Whether a series may keep a timetable, which only days teach that alarm for not being at an hour of traffic."""
    return bool(rows[0, KIND] == VOLUME)


@inlined
def days_alike(weekend: Integers, first: int, day: int) -> int:
    """Count the days of this kind there were: with one alone, the course of such a day is not known."""
    count = 0
    for d in range(max(first, day - DAYS + 1), day):
        count += weekend[d % DAYS] == weekend[day % DAYS]
    return count


@inlined
def days_teach(
    hours_known: Floats, weights: Floats, weekend: Integers, first: int, day: int, lag: int, age: int, is_known: bool
) -> bool:  # fmt: skip
    """Whether there are days with values to learn from; of a signal that knows more than few can say, not too few.

    Of one that has values on few days, as a weekly batch does, most of these. Where it is known what to expect of such
    a day (``is_known``), a week of its kind at least: while an alarm stands, weekends are forgotten first.
    """
    total, days, of_kind, days_of_kind = 0.0, 0, 0.0, 0
    start, stop = learned_days(first, day, lag)
    for d in range(start, stop):
        if hours_seen(hours_known[d % DAYS]) > 0:
            total += weights[d % DAYS]
            days += 1
            if weekend[d % DAYS] == weekend[day % DAYS]:
                of_kind += weights[d % DAYS]
                days_of_kind += 1
    if age < SETTLED or days == 0:
        return total > 0.0
    if is_known and days_of_kind > 0:
        enough = min(DAYS_OF_KIND[weekend[day % DAYS]], MOST_DAYS * days_of_kind)
        if of_kind < enough:
            return False
    return bool(total >= min(FEWEST_DAYS, MOST_DAYS * days))


@inlined
def _weight(weights: Floats, weekend: Integers, day: int, age: int, shift: float, has_timetable: bool) -> float:
    """Return what a day that alarmed about a shift, 0 without one, counts for in expectations."""
    if shift == 0 or age < CALIBRATED_FROM:
        return 1.0
    if age >= SETTLED or (weights[(day - 1) % DAYS] == 0 and not has_timetable):
        return 0.0
    days_known = 0.0
    for d in range(max(day - SETTLED, day - age), day):
        if weekend[d % DAYS] == weekend[day % DAYS]:
            days_known += weights[d % DAYS]
    if days_known < KINDS_KNOWN:
        return 1.0
    return ALARMED_WEIGHT if shift < CLEAR_SHIFT or has_timetable else 0.0


@inlined
def _age_of_level(rows: Floats, day: int, age: int) -> int:
    """Return how old the level of a series is: one that was accepted and is far from the one before is a new one."""
    level_age = age
    for r in range(rows.shape[0]):
        row_age = age_of(rows[r], age)
        if 0 < rows[r, ACCEPTED_DAY] <= day:
            # What came later than its series, or never did, says nothing of a level.
            if rows[r, ACCEPTED_VARIANCE] > 1.0 and row_age >= day - rows[r, ACCEPTED_DAY]:
                level_age = 0
            elif rows[r, RENEWED] > 0:
                level_age = min(level_age, row_age)
    return level_age


@inlined
def _is_unlearned(accepted_day: float, weights: Floats, day: int) -> bool:
    """Whether all days at an accepted level have alarmed so far: it is another one than it looked like."""
    if accepted_day == 0 or day < accepted_day + UNLEARNED_DAYS:
        return False
    total = 0.0
    for d in range(int(accepted_day), day):
        total += weights[d % DAYS]
    return total == 0.0


@inlined
def _is_in_doubt(series: Floats, by_day: float, by_window: float) -> bool:
    """Whether there was half of the evidence that an alarm needs: what may be a change is not taken for usual.

    Of what people have said that it is none, there is no doubt.
    """
    by_window, by_day = max(DOUBT * by_window, series[MARKED]), max(DOUBT * by_day, series[MARKED_BY_DAY])
    return bool(series[HIGHEST] > by_window or series[HIGHEST_BY_DAY] > by_day)


@inlined
def _take_back(
    rows: Floats, expected: Floats, hours_known: Floats, weights: Floats, weekend: Integers, day: int, age: int
) -> None:
    """Learn nothing from the days before an alarm that were at its level already: the change began with them.

    So a change that begins on a first weekend is not taken for what weekends are like.
    """
    for r in range(rows.shape[0]):
        shift = rows[r, STANDING]
        if abs(shift) < CLEAR_SHIFT:
            continue
        usual = mean_of_hours(expected[r])
        d = day - 1
        while d > max(day - age, day - DAYS + 1):
            mean = mean_of_hours(hours_known[r, d % DAYS])
            if not (mean - usual) * shift > 0.5 * shift * shift:
                break
            if weekend[d % DAYS] != weekend[day % DAYS] and _kind_before(weights, weekend, d, day - age):
                break
            weights[d % DAYS] = 0.0
            d -= 1


@inlined
def _kind_before(weights: Floats, weekend: Integers, day: int, first: int) -> bool:
    """Whether days of the kind of ``day`` were known before it, but for the day next to it."""
    total = 0.0
    for d in range(max(first, day - DAYS + 2), day - 1):
        if weekend[d % DAYS] == weekend[day % DAYS]:
            total += weights[d % DAYS]
    return total > 0.0


@inlined
def forget_outage(
    window: Floats, sampling: float, hours_known: Floats, expected: Floats, weekend: Integers, day: int, age: int,
    sums: Floats,
) -> None:  # fmt: skip
    """Teach little of a day whose alarm was over by its end: what came back within it was no level.

    No step over night: else an outage that comes at midnight again and again would teach that anything may be so in the
    first window. Nothing of how windows vary, if an hour was far off: else one that comes every day would be usual in a
    month. And of the first two weeks, no hour that was off, unless the day of its kind before it was so too, or the one
    of a week ago.

    Parameters
    ----------
    window, sums
        float64[FILTER], float64[MOMENTS]: of a row at the scale of windows.
    sampling
        Its mean variance by sampling.
    hours_known, expected, weekend
        float64[DAYS, H], of which the day is already known; float64[H]; int64[DAYS].
    day, age
        The day, and how many the row has had before it.
    """
    sums[STEPS : STEPS_SEEN + 1] = 0.0
    variance = window[LEVEL_VARIANCE] + window[NOISE] + sampling
    today, earlier = hours_known[day % DAYS], _day_alike(weekend, day - age, day)
    week_ago: Floats = np.full(expected.size, np.nan)
    if age >= WEEK:
        week_ago = hours_known[(day - WEEK) % DAYS]
    for hour in range(expected.size):
        off = today[hour] - expected[hour]
        if off * off > FAR_OFF * FAR_OFF * variance:
            sums[:] = 0.0
        if age < SETTLED and off * off > OUTLIER * OUTLIER * variance:
            is_new = earlier == day or abs(today[hour] - hours_known[earlier % DAYS, hour]) > 0.5 * abs(off)
            # What one day of the week does each week is no outage either.
            if is_new and not abs(today[hour] - week_ago[hour]) <= 0.5 * abs(off):
                today[hour] = np.nan


@inlined
def _day_alike(weekend: Integers, first: int, day: int) -> int:
    """Return the last day before this one that was of its kind; itself if there is none."""
    for d in range(day - 1, max(first, day - DAYS + 1) - 1, -1):
        if weekend[d % DAYS] == weekend[day % DAYS]:
            return d
    return day
