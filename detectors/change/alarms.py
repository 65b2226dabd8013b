"""What an alarm does: it stands for rows and is pointed out, and what it is about is left out of its day."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.charts import leading
from detectors.change.expectation import hours_seen
from detectors.change.legend import (
    ABSENT_FOR,
    ABSORBED,
    ALARMED,
    ALARMS,
    BY_DAY,
    BY_WINDOW,
    CALIBRATION,
    CARRY,
    COUNTED,
    DAY_ALARMS,
    DAY_EXPECTED,
    DAY_SUM,
    DAY_WINDOWS,
    DAYS,
    DIRECTIONS,
    ELAPSED,
    ERROR,
    EVIDENCE,
    EVIDENCE_SUM,
    EXCEEDS,
    EXPECTED,
    EXPECTED_WEIGHT,
    FAMILY,
    FIRST_ROW,
    FORMER,
    IN_HOUR,
    IS_ANEW,
    KIND,
    LEADING_ROW,
    LEVEL,
    LEVEL_VARIANCE,
    MAGNITUDES,
    RATES,
    RESIDUAL,
    RESIDUALS,
    RESIDUALS_SEEN,
    ROWS,
    SCALE,
    SCORE,
    SHIFT,
    SPAN,
    STANDING,
    STANDS,
    STATUS,
    STOOD,
    STUCK,
    THRESHOLD,
    TOTAL,
    VARIANCE,
    VOLUME,
)
from detectors.change.recovery import begin_anew, move_level, stand_off
from detectors.change.residuals import events_of, expectation_of
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]

DOUBTLESS = 4.0
"""Standard deviations from its level beyond which one residual shows by itself where a row is."""

NEAR = 0.25
"""Part of the step of a level within which it leads back to what is expected."""

MOST_ABSORBED = 0.8
"""Part of a step that a level has taken over, from which on it no longer says where it was before."""

SILENT_DAYS = 3
"""Days in which nothing is to be said of values until nothing says that their alarms go on: more than a weekend."""

GROWN = 1.5
"""How many times as far as it stood off a row must be to have moved anew, or to be told that it has moved on."""


@inlined
def alarm_by_window(
    rows: Floats, filters: Floats, charts: Floats, day_sums: Floats, series: Floats, s: int, alike: float,
    verdict: Floats,
) -> None:  # fmt: skip
    """Let an alarm of series ``s`` stand that windows have raised."""
    if _alarm(rows, filters, charts, day_sums, series[s], BY_WINDOW, alike, verdict):
        _leave_out(rows, filters, day_sums, int(series[s, FIRST_ROW]), int(series[s, ROWS]))


@inlined
def alarm_by_day(
    rows: Floats, filters: Floats, charts: Floats, day_sums: Floats, series: Floats, s: int, alike: float,
    verdict: Floats,
) -> None:  # fmt: skip
    """Let an alarm of series ``s`` stand that days have raised, for windows too."""
    series[s, DAY_ALARMS] += _alarm(rows, filters, charts, day_sums, series[s], BY_DAY, alike, verdict)
    first, count = int(series[s, FIRST_ROW]), int(series[s, ROWS])
    for r in range(first, first + count):
        if rows[r, STANDING] != 0:
            # Windows are compared with the level that days have found.
            filters[r, BY_WINDOW, LEVEL] = rows[r, STANDING]
            filters[r, BY_WINDOW, CARRY] = 1.0


@inlined
def _alarm(
    rows: Floats, filters: Floats, charts: Floats, day_sums: Floats, series: Floats, scale: int, alike: float,
    verdict: Floats,
) -> bool:  # fmt: skip
    """Let an alarm of a series stand; return whether for rows that moved, and not since it repeats its windows."""
    first, count = int(series[FIRST_ROW]), int(series[ROWS])
    verdict[STATUS] = EXCEEDS
    has_moved = not _is_stuck(charts[:, scale], first, count, alike)
    if has_moved:
        point_out(rows, filters[:, scale], charts[:, scale], first, count, verdict)
    else:
        series[STUCK] = 1
        leave_out_stuck(rows, filters, charts, day_sums, series)
    _note_alarm(series, verdict)
    charts[first : first + count, scale] = 0.0
    return has_moved


@inlined
def _is_stuck(charts: Floats, first: int, count: int, alike: float) -> bool:
    """Whether there is more evidence that windows repeat themselves than that any row has moved."""
    most = 0.0
    for r in range(first, first + count):
        most = max(most, leading(charts[r]))
    return alike > most


@inlined
def _leave_out(rows: Floats, filters: Floats, day_sums: Floats, first: int, count: int) -> None:
    """Leave what there was today out of the day of rows that alarm: a day of two levels is a day of neither."""
    for r in range(first, first + count):
        if rows[r, STANDING] != 0 or _is_back(filters[r, BY_WINDOW]):
            day_sums[r, DAY_SUM : DAY_WINDOWS + 1] = 0.0


@inlined
def is_held(series: Floats, windows_per_day: float) -> bool:
    """Whether an alarm that stands goes on in windows in which the series is not there, as at night: for a day."""
    return bool(series[ABSENT_FOR] <= windows_per_day)


@inlined
def hold(verdict: Floats, threshold: float) -> None:
    """Say of an alarm that goes on without anything new that there is no evidence of more."""
    if verdict[STATUS] == STANDS:
        verdict[EVIDENCE] = 0.0
        verdict[THRESHOLD] = threshold


@inlined
def stands_at(shift: float, level: float) -> float:
    """Return where a row is whose alarm stands for a shift: what grows has gone on, and its level with it."""
    return level if level * shift > shift * shift else shift


@inlined
def stand(rows: Floats, filters: Floats, series: Floats, s: int, verdict: Floats) -> None:
    """Say that an alarm of series ``s`` goes on, if one does, and for which row most."""
    first, count = int(series[s, FIRST_ROW]), int(series[s, ROWS])
    for r in range(first, first + count):
        shift = stands_at(rows[r, STANDING], filters[r, BY_WINDOW, LEVEL])
        if shift != 0 and (verdict[STATUS] != STANDS or abs(shift) > abs(verdict[SHIFT])):
            verdict[STATUS] = STANDS
            verdict[LEADING_ROW] = r
            verdict[SHIFT] = shift
            verdict[SPAN] = rows[r, STOOD]
            _note_alarm(series[s], verdict)
    if series[s, STUCK] != 0 and verdict[STATUS] != STANDS:
        verdict[STATUS] = STANDS
        _note_alarm(series[s], verdict)


@inlined
def raise_grown(rows: Floats, filters: Floats, series: Floats, threshold: float, verdict: Floats) -> None:
    """Raise an alarm that stands anew, once an hour at most, if its shift has grown by half, however slowly.

    Charts do not see that: they compare a row with its level, which goes along. What is weighed is how far that is
    from the shift which was told.
    """
    first, count = int(series[FIRST_ROW]), int(series[ROWS])
    most = 0.0
    for r in range(first, first + count):
        shift, window = rows[r, STANDING], filters[r, BY_WINDOW]
        level = window[LEVEL]
        if shift == 0 or rows[r, STOOD] < rows[r, IN_HOUR] or level / shift < GROWN:
            continue
        spread = (window[VARIANCE] + window[LEVEL_VARIANCE]) * window[CALIBRATION]
        evidence = 0.5 * (level - shift) * (level - shift) / spread
        if evidence <= threshold:
            continue
        if evidence > most:
            most = evidence
            verdict[STATUS] = EXCEEDS
            verdict[LEADING_ROW], verdict[SHIFT], verdict[SPAN] = r, level, rows[r, STOOD] + 1
            verdict[EVIDENCE], verdict[THRESHOLD] = evidence, threshold
        stand_off(rows[r], level)
    if most > 0:
        _note_alarm(series, verdict)


@inlined
def _note_alarm(series: Floats, verdict: Floats) -> None:
    """Note that a series has alarmed today, and by how much; a repetition is no shift, and beyond all doubt."""
    series[ALARMED] = max(series[ALARMED], 1.0 if np.isnan(verdict[SHIFT]) else abs(verdict[SHIFT]))


@inlined
def leave_out_stuck(rows: Floats, filters: Floats, charts: Floats, day_sums: Floats, series: Floats) -> None:
    """Take nothing from values that an upstream repeats: they are off as it would be at another hour."""
    first, count = int(series[FIRST_ROW]), int(series[ROWS])
    for r in range(first, first + count):
        if rows[r, KIND] == SCORE:
            day_sums[r, DAY_SUM : DAY_WINDOWS + 1] = 0.0
            begin_anew(filters[r], charts[r])


@inlined
def any_stands(rows: Floats, first: int, count: int) -> bool:
    """Whether an alarm of a series stands."""
    stands = False
    for r in range(first, first + count):
        stands |= rows[r, STANDING] != 0
    return bool(stands)


@inlined
def say_nothing(verdict: Floats, status: int, scale: int) -> None:
    """Empty a verdict but for its status and its scale."""
    verdict[:] = np.nan
    verdict[STATUS] = status
    verdict[LEADING_ROW] = -1
    verdict[SCALE] = scale


@inlined
def sum_up_day(row: Floats, expected: Floats, hours: Floats, day_sums: Floats, verdict: Floats) -> None:
    """Let a verdict on a day say what was expected of its windows so far, each weighed as its residual is.

    Of a number of events, how many there were, and how many were expected: of a mean of logarithms over hours that are
    not alike, there is no number.
    """
    if row[KIND] != VOLUME:
        if day_sums[EXPECTED_WEIGHT] > 0:
            verdict[EXPECTED] = day_sums[DAY_EXPECTED] / day_sums[EXPECTED_WEIGHT]
        return
    events, counted = 0.0, 0.0
    for hour in range(expected.size):
        if hours[hour, 2] > 0:
            events += hours[hour, 2] * max(events_of(expected[hour], row[IN_HOUR]), 0.0)
            counted += hours[hour, 0]
    verdict[EXPECTED], verdict[COUNTED] = expectation_of(events, row[IN_HOUR]), counted


@inlined
def name_foremost(filters: Floats, charts: Floats, first: int, count: int, verdict: Floats) -> None:
    """Say which row a quiet signal has most evidence of, if any."""
    most = 0.0
    for r in range(first, first + count):
        evidence = leading(charts[r])
        if evidence > most:
            most = evidence
            verdict[LEADING_ROW] = r
            verdict[SHIFT], verdict[SPAN] = _shift(filters[r], charts[r])


@inlined
def point_out(rows: Floats, filters: Floats, charts: Floats, first: int, count: int, verdict: Floats) -> None:
    """Say which row moved most, and let an alarm stand for each that moved about as much, if it is not back.

    The level of such a row is from now on the shifted one: what changes next is a change of its own.
    """
    most = 0.0
    for r in range(first, first + count):
        most = max(most, leading(charts[r]))
    for r in range(first, first + count):
        evidence = leading(charts[r])
        if evidence <= 0 or evidence < most - 3:
            continue
        window = filters[r]
        shift, span = _shift(window, charts[r])
        if evidence == most:
            verdict[LEADING_ROW] = r
            verdict[SHIFT] = shift
            verdict[SPAN] = span
            standing = rows[r, STANDING]
            verdict[IS_ANEW] = standing == 0 or shift / standing >= GROWN
            verdict[FORMER] = np.nan if standing != 0 else _former(window, charts[r], shift)
        rows[r, ALARMS] += 1
        if _is_back(window):
            window[LEVEL] = 0.0
            window[VARIANCE] = window[LEVEL_VARIANCE]
            continue
        stand_off(rows[r], shift)
        move_level(window, shift)


@inlined
def end_what_is_back(rows: Floats, filters: Floats, charts: Floats, first: int, count: int) -> None:
    """End the alarms of rows of which a day, that is one window, shows beyond doubt that they are back."""
    for r in range(first, first + count):
        of_days = filters[r, BY_DAY]
        if rows[r, STANDING] * of_days[ERROR] < 0 and _is_back(of_days):
            stand_off(rows[r], 0.0)
            begin_anew(filters[r], charts[r])


@inlined
def end_what_says_nothing(
    day: int, rows: Floats, filters: Floats, charts: Floats, hours_known: Floats, first: int, count: int
) -> None:
    """End the alarms of what values are, if there was nothing to say of it for days although events came.

    Whether values are missing goes on to be judged.
    """
    comes = False
    for r in range(first, first + count):
        for d in range(day - SILENT_DAYS + 1, day + 1):
            if hours_seen(hours_known[r, d % DAYS]) > 0:
                if rows[r, FAMILY] != RATES:
                    return
                comes = True
    if comes:
        for r in range(first, first + count):
            if rows[r, FAMILY] != RATES and rows[r, STANDING] != 0:
                stand_off(rows[r], 0.0)
                begin_anew(filters[r], charts[r])


@inlined
def _shift(window: Floats, charts: Floats) -> tuple[float, float]:
    """Return how far from its expectation a row is, and for how many windows.

    On average since its strongest chart began, as the shift most likely did (Page 1954); or beyond doubt now. Of one
    that is back, how far it was.
    """
    most = 0.0
    shift = float(window[RESIDUAL])
    span = 1.0
    if _is_back(window):
        shift -= float(window[ERROR])
        span = 2.0
    is_beyond_doubt = _is_beyond_doubt(window)
    for magnitude in range(MAGNITUDES):
        for direction in range(DIRECTIONS):
            chart = charts[magnitude, direction]
            if chart[EVIDENCE_SUM] > most and not is_beyond_doubt:
                most = chart[EVIDENCE_SUM]
                shift = float(chart[RESIDUALS] / max(chart[RESIDUALS_SEEN], 1.0))
                span = float(chart[ELAPSED])
    return shift, span


@inlined
def _former(window: Floats, charts: Floats, shift: float) -> float:
    """Return how far off a row was before it went back to what is expected, on average since; NaN if it did not."""
    if _is_back(window):
        return shift
    most, absorbed, is_upwards = 0.0, 0.0, False
    for magnitude in range(MAGNITUDES):
        for direction in range(DIRECTIONS):
            if charts[magnitude, direction, EVIDENCE_SUM] > most:
                most, absorbed = charts[magnitude, direction, EVIDENCE_SUM], charts[magnitude, direction, ABSORBED]
                is_upwards = direction == 0
    if absorbed > MOST_ABSORBED:
        return np.nan
    former = (window[LEVEL] - absorbed * shift) / (1 - absorbed)
    step = shift - former
    # A level that wandered for weeks would have been anywhere before: it must have come back, and be back by now.
    if (step > 0) != is_upwards or max(abs(shift), abs(window[RESIDUAL])) >= NEAR * abs(step):
        return np.nan
    return float(former)


@inlined
def _is_beyond_doubt(window: Floats) -> bool:
    """Whether the last residual alone shows where a row is."""
    return bool(abs(window[ERROR]) > DOUBTLESS * np.sqrt(window[TOTAL] * window[CALIBRATION]))


@inlined
def _is_back(window: Floats) -> bool:
    """Whether a row is back at what is expected beyond doubt, from a level that had raised no alarm."""
    return bool(_is_beyond_doubt(window) and abs(window[RESIDUAL]) < NEAR * abs(window[ERROR]))
