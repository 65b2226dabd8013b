"""The windows of one day, series after series: residuals, levels, charts, and what they add up to."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.alarms import (
    alarm_by_window,
    any_stands,
    hold,
    is_held,
    leave_out_stuck,
    name_foremost,
    raise_grown,
    say_nothing,
    stand,
    stands_at,
    sum_up_day,
)
from detectors.change.busy_hours import counts_for
from detectors.change.charts import (
    MOST_SQUARE,
    NO_REPEAT,
    begin_level,
    bet,
    combine,
    let_pass,
    step_level,
    take_in,
)
from detectors.change.components import note_tail, note_trail
from detectors.change.day_levels import add_squares
from detectors.change.expectation import expected_at, mean_of_hours
from detectors.change.legend import (
    ABSENT,
    ABSENT_FOR,
    ACCEPTED_DAY,
    ALARMS,
    ALWAYS,
    BEGAN,
    BUSIEST,
    BY_DAY,
    BY_WINDOW,
    CALIBRATION,
    COMPARED,
    COUNTS,
    DAY_EXPECTED,
    DAY_REPEATS,
    DAY_SAMPLED,
    DAY_SAMPLING,
    DAY_STEP,
    DAY_SUM,
    DAY_VARIANCE,
    DAY_WEIGHT,
    DAY_WINDOWS,
    DEVIATION,
    EVIDENCE,
    EXPECTED,
    EXPECTED_WEIGHT,
    FAMILY,
    FIRST_RESIDUAL,
    FIRST_ROW,
    FOURTHS,
    FRESH,
    HIGHEST,
    IN_HOUR,
    IS_OFF,
    KIND,
    LATER,
    LEADING_ROW,
    LEARNING,
    LEVEL,
    LEVEL_VARIANCE,
    MAGNITUDES,
    NEVER,
    NEW_DAY,
    NOISE,
    PRODUCTS,
    QUIET,
    RATE,
    RENEWED,
    REPEATED,
    REPEATS,
    ROWS,
    SCALE,
    SCORE,
    SPREAD,
    SQUARES,
    SQUARES_SEEN,
    STANDING,
    STANDS,
    STATUS,
    STEPS,
    STEPS_SEEN,
    STOOD,
    STOOD_SEEN,
    STOOD_SUM,
    STRETCH,
    STUCK,
    THRESHOLD,
    TOLD_APART,
    TOTAL,
    UNIT_SEEN,
    UNIT_SUM,
    UNSURE,
    VARIANCE,
    VOLUME,
    WEEKDAYS,
    WINDOWS,
    WINDOWS_SEEN,
)
from detectors.change.looks import is_looked_at, look_at_day
from detectors.change.margins import left_out_at, note_in_hour
from detectors.change.recovery import begin_anew, only_away, recover
from detectors.change.residuals import for_events, to_expectation, to_residual
from detectors.kernel import inlined, kernel
from detectors.rows import copy_row

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

ALIKE, TOO_OFTEN = -6.0, 0.01
"""Log probability from which on a window repeats the one before it, and the share of repeats that is a signal's way."""

TIMETABLE_DAYS = 28
"""Days of a signal after which it is known whether they follow a timetable, which makes them alike."""

OUTLIER = 4.0
"""Standard deviations to which a residual is limited in what is learned from it."""

MOST_STEP = 25.0
"""Limit of a squared step over night, in variances of a prediction, in what is learned from it."""

LEARNING_DAYS = 14
"""Days, but for the first `UNITS_DAYS`, in which windows of an alarm that stands teach too."""

HARDLY_ANY = -0.6
"""Logarithm of a number of events, and a half, below which that is as good as none."""

OFTEN = 3.0
"""Alarms of a row, of some weeks, after which windows of one that stands teach: else what is learned of calm ones only
would make it alarm for ever."""

CALIBRATED_FROM = 3
"""Days whose squares are not learned from: the errors of first guesses are not those of later ones."""

FIRST_GUESS = 5.0
"""Windows that the guess counts for with which windows of those days begin, until they show how far they vary."""

UNITS_DAYS = 3
"""Days in which the variance that one value contributes is learned, as it is after an acceptance; kept then, since a
constant has none of its own."""


@kernel
def watch_windows(  # noqa: PLR0912 -- what happens to a window, top to bottom
    values: Floats, events: Floats, units: Floats, repeats: Floats, places: Floats, present: Floats,
    rows: Floats, filters: Floats, charts: Floats, sums: Floats, recent: Floats, in_day: Integers, expected: Floats,
    learned_events: Floats, course: Singles, in_hours: Singles, margins: Singles, hours: Floats, day_sums: Floats,
    series: Floats, ages: Integers,
    enough: Integers, thresholds: Floats, day_thresholds: Floats, single: bool, verdicts: Floats, standing: Floats,
) -> None:  # fmt: skip
    """Watch windows of one day.

    Parameters
    ----------
    values, events, units
        float64[R, T]: contrasts as `to_residual` takes them, NaN where there is nothing, and the variance that one
        value contributes; less than 0 of a spread that depends on the location, which is the row before it.
    repeats, places, present
        float64[S, T], float64[T], float64[S, T]: how alike windows are, where in the day they lie, in [0, 1), and
        whether the series has events in them.
    rows, filters, charts, sums, recent, in_day, expected, learned_events, course, in_hours, margins, hours, day_sums
        float64[R, ROW], [R, SCALES, FILTER], [R, SCALES, MAGNITUDES, DIRECTIONS, CHART], [R, SCALES, MOMENTS],
        [R, lags], int64[R], float64[R, H] twice, float32[S, 2, slots], [R, H, IN_HOUR_SUMS], [R, H, 2],
        float64[R, H, 3], [R, DAY_SUMS].
    series, ages
        float64[S, SERIES]; int64[S], days since each began.
    enough, thresholds, day_thresholds
        int64[S]: windows after which a series may alarm; float64[S], by windows and by days.
    single
        Whether a day has one window only.
    verdicts, standing
        float64[S, T, VERDICT]; float64[R, T, 3], how far each row is off by an alarm that stands, 0 without one, what
        is expected of it, and for how many windows it has been.
    """
    for s in range(series.shape[0]):
        first, count = int(series[s, FIRST_ROW]), int(series[s, ROWS])
        windows_per_day = rows[first, IN_HOUR] * hours.shape[1]
        for t in range(places.size):
            say_nothing(verdicts[s, t], ABSENT, BY_WINDOW)
            stood = any_stands(rows, first, count)
            for r in range(first, first + count):
                value = values[r, t]
                if rows[r, FAMILY] == SPREAD and rows[r, IN_HOUR] > 0:
                    add_squares(day_sums[r], value, events[r, t], values[r - 1, t])
                if units[r, t] < 0 and rows[r, ACCEPTED_DAY] == 0:
                    # Groups do not resolve it; of an accepted level, it looks as it does each time.
                    value = np.nan
                _watch_row(
                    rows[r], filters[r], charts[r], sums[r, BY_WINDOW], recent[r], in_day[r : r + 1], expected[r],
                    learned_events[r], course[s], in_hours[r], margins[r], hours[r], day_sums[r], value, events[r, t],
                    abs(units[r, t]), places[t], ages[s], single, stood,
                )  # fmt: skip
            if stood and not any_stands(rows, first, count):
                for r in range(first, first + count):
                    begin_anew(filters[r], charts[r])
            series[s, DAY_REPEATS] = NO_REPEAT
            if present[s, t] == 0:
                series[s, ABSENT_FOR] += 1.0 - series[s, IS_OFF]
                if is_held(series[s], windows_per_day):
                    stand(rows, filters, series, s, verdicts[s, t])
                    hold(verdicts[s, t], thresholds[s])
                    _expect(
                        rows, filters, expected, learned_events, course[s], hours, day_sums, places[t], events[:, t],
                        first, count, verdicts[s, t], standing[:, t],
                    )  # fmt: skip
                continue
            series[s, ABSENT_FOR] = 0
            series[s, WINDOWS_SEEN] += 1
            verdicts[s, t, WINDOWS] = series[s, WINDOWS_SEEN]
            if series[s, STUCK] != 0:
                leave_out_stuck(rows, filters, charts, day_sums, series[s])
            alike = _repeats(series[s], repeats[s, t], single)
            if single and series[s, REPEATS] > 0:
                series[s, DAY_REPEATS] = alike
            if series[s, WINDOWS_SEEN] <= enough[s]:
                # Charts that ran through it would bring the errors of first guesses along.
                charts[first : first + count, BY_WINDOW] = 0.0
                verdicts[s, t, STATUS] = LEARNING
                continue
            score = combine(charts[:, BY_WINDOW], first, count, alike)
            series[s, HIGHEST] = max(series[s, HIGHEST], score)
            verdicts[s, t, EVIDENCE] = score
            verdicts[s, t, THRESHOLD] = thresholds[s]
            if score > thresholds[s]:
                alarm_by_window(rows, filters, charts, day_sums, series, s, alike, verdicts[s, t])
            else:
                verdicts[s, t, STATUS] = QUIET
                stand(rows, filters, series, s, verdicts[s, t])
                if verdicts[s, t, STATUS] == STANDS:
                    raise_grown(rows, filters, series[s], thresholds[s], verdicts[s, t])
                if verdicts[s, t, STATUS] == QUIET and is_looked_at(in_day[first], windows_per_day):
                    look_at_day(
                        rows, filters, charts, sums[:, BY_DAY], day_sums, series, s, ages[s], in_day[first],
                        windows_per_day, day_thresholds[s], verdicts[s, t],
                    )  # fmt: skip
                if verdicts[s, t, STATUS] == QUIET:
                    name_foremost(filters[:, BY_WINDOW], charts[:, BY_WINDOW], first, count, verdicts[s, t])
            _expect(
                rows, filters, expected, learned_events, course[s], hours, day_sums, places[t], events[:, t], first,
                count, verdicts[s, t], standing[:, t],
            )  # fmt: skip


@inlined
def _expect(
    rows: Floats, filters: Floats, expected: Floats, learned_events: Floats, course: Singles, hours: Floats,
    day_sums: Floats, time_of_day: float, events: Floats, first: int, count: int, verdict: Floats, standing: Floats,
) -> None:  # fmt: skip
    """Write what is expected of the row that a verdict names, and of rows whose alarms stand, and how far they are."""
    if verdict[LEADING_ROW] >= 0:
        r = int(verdict[LEADING_ROW])
        verdict[EXPECTED] = _expected_of(rows[r], expected[r], learned_events[r], course, time_of_day, events[r])
        if verdict[SCALE] == BY_DAY:
            sum_up_day(rows[r], expected[r], hours[r], day_sums[r], verdict)
    for r in range(first, first + count):
        if rows[r, STANDING] != 0:
            standing[r, 0] = stands_at(rows[r, STANDING], filters[r, BY_WINDOW, LEVEL])
            standing[r, 1] = _expected_of(rows[r], expected[r], learned_events[r], course, time_of_day, events[r])
            standing[r, 2] = rows[r, STOOD]


@inlined
def _expected_of(
    row: Floats, expected: Floats, learned_events: Floats, course: Singles, time_of_day: float, events: float
) -> float:
    """Return what is expected of a row in a window with so many events."""
    middle = expected_at(expected, time_of_day, row[WEEKDAYS] == TOLD_APART)
    if np.isnan(middle):
        middle = mean_of_hours(expected)
    if row[KIND] == RATE:
        hour = min(int(time_of_day * expected.size), expected.size - 1)
        middle = for_events(middle, learned_events[hour], events * row[IN_HOUR])
    elif row[KIND] == VOLUME and course.shape[1] > 0:
        middle += course[0, _slot_of(time_of_day, course)]
    return float(middle)


@inlined
def _slot_of(time_of_day: float, course: Singles) -> int:
    slots: int = course.shape[1]
    return min(int(time_of_day * slots), slots - 1)


@inlined
def _watch_row(  # noqa: PLR0912, PLR0915 -- what happens to a value, top to bottom
    row: Floats, filters: Floats, charts: Floats, sums: Floats, recent: Floats, in_day: Integers, expected: Floats,
    learned_events: Floats, course: Singles, in_hours: Singles, margins: Singles, hours: Floats, day_sums: Floats,
    value: float, events: float, unit: float, time_of_day: float, age: int, single: bool, stood: bool,
) -> None:  # fmt: skip
    """Take in one window of one contrast."""
    window = filters[BY_WINDOW]
    if row[FRESH] == NEW_DAY:
        begin_level(window, charts[BY_WINDOW])
        row[FRESH] = FIRST_RESIDUAL
    elif row[FRESH] == LATER:
        step_level(window)
    if row[STANDING] != 0:
        row[STOOD] += 1
    lags = recent.size
    index = in_day[0]
    recent[index % lags] = np.nan
    in_day[0] += 1
    # A share of no events is nothing, whatever the count says, nor is a contrast that was added within the day.
    if np.isnan(value) or row[IN_HOUR] == 0 or (events <= 0 and row[KIND] != VOLUME):
        let_pass(charts[BY_WINDOW])
        return
    if row[BEGAN] == 0:
        row[BEGAN] = age + 1
        row[NEVER] = row[ALWAYS] = 1.0 if row[KIND] == RATE else 0.0
    age -= int(row[BEGAN]) - 1
    if row[KIND] == SCORE and (age < UNITS_DAYS or row[ACCEPTED_DAY] > 0):
        row[UNIT_SUM] += unit
        row[UNIT_SEEN] += 1
    middle = expected_at(expected, time_of_day, row[WEEKDAYS] == TOLD_APART)
    is_first = np.isnan(middle) and np.isnan(mean_of_hours(expected))
    if is_first:
        # The very first window: what comes is compared with it until a day is known.
        middle = to_expectation(row[KIND], value * events if row[KIND] == SCORE else value, events, 1.0)
        expected[:] = middle
    hour = min(int(time_of_day * hours.shape[0]), hours.shape[0] - 1)
    hours[hour, 0] += value * events if row[KIND] == SCORE else value
    hours[hour, 1] += events
    hours[hour, 2] += 1
    if np.isnan(middle):
        return
    if row[KIND] == RATE:
        middle = for_events(middle, learned_events[hour], events * row[IN_HOUR])
    has_course = row[KIND] == VOLUME and course.shape[1] > 0
    if has_course:
        middle += course[0, _slot_of(time_of_day, course)]
    fresh = row[FRESH] == FIRST_RESIDUAL
    row[FRESH] = LATER
    residual, sampling = to_residual(row, value, events, middle)
    if has_course:
        sampling += course[1, _slot_of(time_of_day, course)]
    elif row[IN_HOUR] > 1:
        if hour < in_hours.shape[0]:
            note_in_hour(in_hours[hour], residual, sampling)
        low, high = left_out_at(expected, margins, time_of_day, row[WEEKDAYS] == TOLD_APART)
        residual -= min(max(residual, low), high)
    if value > 0:
        row[NEVER] = 0.0
    if value < events:
        row[ALWAYS] = 0.0
    if (stood or row[ACCEPTED_DAY] > 0 or row[RENEWED] > 0) and row[KIND] == SCORE:
        # What has begun to vary more is less certain in all else; at an accepted level, it may at some hours only.
        sampling = max(sampling, unit / events)
    # A residual of a small share, or of a number of events, is far from that.
    row[DEVIATION] = residual if row[KIND] == SCORE else to_expectation(row[KIND], value, events, 1.0) - middle
    level = window[LEVEL]
    silent = _is_silent(row, middle)
    earlier = charts[BY_WINDOW].copy()
    z = take_in(window, charts[BY_WINDOW], residual, sampling, fresh)
    if silent and value == 0 and row[STANDING] <= 0:
        # No traffic at an hour that never has any is no sign that there is enough at others.
        for magnitude in range(MAGNITUDES):
            copy_row(earlier[magnitude, 1], charts[BY_WINDOW, magnitude, 1])
        return
    if is_first:
        # It lies where it does by chance, and so does all that is expected by it.
        window[VARIANCE] += sampling
    weight = 1 / (window[LEVEL_VARIANCE] + window[NOISE] + sampling)
    day_sums[DAY_EXPECTED] += weight * middle
    day_sums[EXPECTED_WEIGHT] += weight
    is_unsure = age < CALIBRATED_FROM or row[UNSURE] != 0
    counted = counts_for(row, sampling, is_unsure) if row[KIND] == VOLUME else 1.0
    if not silent:
        day_sums[DAY_SAMPLING] += counted * sampling
        day_sums[DAY_SAMPLED] += counted
    if row[STANDING] != 0:
        only_away(row[STANDING], charts)
        limit = OUTLIER * np.sqrt(window[LEVEL_VARIANCE] + window[NOISE] + sampling)
        is_score = row[KIND] == SCORE
        row[STOOD_SUM] += min(max(residual, level - limit), level + limit) if is_score else row[DEVIATION]
        row[STOOD_SEEN] += 1
        windows_per_day = row[IN_HOUR] * hours.shape[0]
        recover(
            row, filters, charts, value, events, middle, residual, sampling, z, windows_per_day, age < LEARNING_DAYS
        )  # fmt: skip
        # A signal that leaves its level again and again has to teach that it does, above all in its first weeks.
        if not single and not UNITS_DAYS <= age < LEARNING_DAYS and row[ALARMS] < OFTEN:
            return
    spread = window[LEVEL_VARIANCE] + window[NOISE] + sampling
    if silent:
        if single and value > 0:
            # A batch on a day that never has one: days say it.
            _add_to_day(day_sums, residual, sampling, spread, False)
        return
    _add_to_day(day_sums, residual, sampling, spread, row[STANDING] != 0 and not single)
    limit = OUTLIER * np.sqrt(spread)
    limited = min(max(residual, -limit), limit)
    recent[index % lags] = limited * math.sqrt(counted)
    sums[0] += counted * (limited * limited - sampling)
    sums[COUNTS] += counted
    for i in range(1, PRODUCTS):
        lag = i if i < PRODUCTS - 1 else lags - 1
        if index >= lag and not np.isnan(recent[(index - lag) % lags]):
            sums[i] += recent[index % lags] * recent[(index - lag) % lags]
            sums[COUNTS + i] += counted
    if fresh:
        error = residual - level
        within = (window[TOTAL] - window[DAY_STEP]) * window[CALIBRATION]
        sums[STEPS] += counted * min(max(error * error - within, 0.0), MOST_STEP * window[TOTAL])
        sums[STEPS_SEEN] += counted
    else:
        unstretched = z * window[STRETCH]
        square = min(unstretched * unstretched, MOST_SQUARE) * window[CALIBRATION] / window[STRETCH] ** 2
        sums[SQUARES] += square
        sums[FOURTHS] += square * square
        sums[SQUARES_SEEN] += 1
        note_tail(sums, unstretched)
        note_trail(window, sums, unstretched, row[IN_HOUR] * hours.shape[0])
        if age < CALIBRATED_FROM:
            guess_calibration(window, z, sums[SQUARES_SEEN])


@inlined
def guess_calibration(window: Floats, z: float, seen: float) -> None:
    """Take how far the windows of a day so far went for how far they go, while no other day says so.

    Parameters
    ----------
    window
        float64[FILTER]
    z, seen
        The standardised residual of the newest window, and how many there were today.
    """
    square = min(z * z, MOST_SQUARE) * window[CALIBRATION]
    window[CALIBRATION] = max(window[CALIBRATION] + (square - window[CALIBRATION]) / (seen + FIRST_GUESS), 1.0)


@inlined
def _is_silent(row: Floats, expected: float) -> bool:
    """Whether no events are expected of a window, though of others they are."""
    return bool(row[KIND] == VOLUME and expected < HARDLY_ANY and row[BUSIEST] > expected + 1.0)


@inlined
def _add_to_day(day_sums: Floats, residual: float, sampling: float, spread: float, stands: bool) -> None:
    """Add a residual to its day: but if its level is known to have moved, it says nothing about days."""
    if not stands:
        weight = 1 / spread
        day_sums[DAY_SUM] += weight * residual
        day_sums[DAY_WEIGHT] += weight
        day_sums[DAY_VARIANCE] += weight * weight * sampling
        day_sums[DAY_WINDOWS] += 1


@inlined
def _repeats(series: Floats, alike: float, single: bool) -> float:
    """Return the evidence that windows repeat themselves: of all in a row that are like the one before them.

    There is none where the signal repeats itself all the time. While an alarm about it stands it is no news. A day may
    have the timetable of the one before it: it takes two in a row, and weeks in which there were none.
    """
    series[COMPARED] += 1
    if alike >= ALIKE:
        series[STUCK] = 0.0
        series[REPEATS] = 0.0
        return bet(alike)
    if series[STUCK] != 0:
        return NO_REPEAT
    is_first = series[REPEATS] <= 0
    series[REPEATS] += bet(alike)
    if single and is_first:
        return NO_REPEAT
    usual = series[REPEATED] > 1 + TOO_OFTEN * series[COMPARED]
    series[REPEATED] += 1
    return NO_REPEAT if usual or (single and series[COMPARED] <= TIMETABLE_DAYS) else series[REPEATS]
