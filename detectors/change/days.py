"""What happens between two days: a day is taken in, and the next one gets its expectations and variances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.alarms import (
    alarm_by_day,
    end_what_is_back,
    end_what_says_nothing,
    hold,
    is_held,
    name_foremost,
    raise_grown,
    say_nothing,
    stand,
    sum_up_day,
)
from detectors.change.busy_hours import busiest_hour, busy_level
from detectors.change.charts import MOST_SQUARE, combine, let_pass, step_level, take_in
from detectors.change.components import (
    CORRELATION,
    DAY_SPREAD,
    FORGET,
    POOL,
    estimate,
    heed_tails,
    keep_level,
    note_tail,
    pool,
    remember,
)
from detectors.change.courses import days_of_course
from detectors.change.day_levels import add_up_day
from detectors.change.expectation import (
    FEWEST_HOURS,
    UNSEEN,
    age_of,
    hours_seen,
    learn_expectation,
    learned_days,
    mean_of_hours,
)
from detectors.change.lag import grow, lag_of
from detectors.change.legend import (
    ACCEPTED_DAY,
    ACCEPTED_SHIFT,
    ACCEPTED_VARIANCE,
    ALARMED,
    ALARMS,
    BEGAN,
    BEGUN_ANEW,
    BEYOND,
    BUSIEST,
    BUSY,
    BY_DAY,
    BY_WINDOW,
    CALIBRATION,
    CARRY,
    CARRY_TODAY,
    COUNTS,
    COURSE_DAYS,
    DAY_ALARMS,
    DAY_CHANCE,
    DAY_EXPECTED,
    DAY_MEANS,
    DAY_MEANS_SEEN,
    DAY_MEANS_SQUARED,
    DAY_REPEATS,
    DAY_SAMPLED,
    DAY_SAMPLING,
    DAY_STEP,
    DAY_SUM,
    DAY_VARIANCE,
    DAY_WEIGHT,
    DAY_WINDOWS,
    DAYS,
    DAYS_SEEN,
    EVIDENCE,
    EXPECTED,
    EXPECTED_WEIGHT,
    FAMILIES,
    FAMILY,
    FIRST_DAY,
    FIRST_ROW,
    FOURTHS,
    FREEDOM,
    FREEDOM_FRESH,
    FRESH,
    HIGHEST,
    HIGHEST_BY_DAY,
    IN_HOUR,
    IS_OFF,
    KIND,
    LEADING_ROW,
    LEARNING,
    LEVEL,
    LEVEL_VARIANCE,
    LOCATION,
    LOOKS,
    MARKED,
    MARKED_BY_DAY,
    MARKED_FALSE,
    MOMENTS,
    NEW_DAY,
    NOISE,
    OVERNIGHT,
    QUIET,
    RATE,
    RATES,
    RENEWED,
    ROWS,
    SCALES,
    SCORE,
    SHARES,
    SQUARES,
    SQUARES_SEEN,
    STANDING,
    STANDS,
    STATUS,
    STEP,
    STEPS,
    STEPS_SEEN,
    STRETCH,
    THRESHOLD,
    TOLD_APART,
    UNCERTAINTY,
    UNKNOWN,
    UNSURE,
    VARIANCE,
    VOLUME,
    VOLUMES,
    WAITING,
    WEEKDAYS,
    WINDOWS,
    WINDOWS_SEEN,
    ZONE,
)
from detectors.change.looks import take_in_part
from detectors.change.margins import begin_margins, note_farthest
from detectors.change.residuals import to_expectation
from detectors.change.teaching import (
    SETTLED,
    days_alike,
    days_teach,
    forget_outage,
    keeps_timetable,
    weigh_day,
)
from detectors.change.windows import CALIBRATED_FROM, OUTLIER
from detectors.kernel import inlined, kernel

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

EARLY_FREEDOM = 16.0
"""Degrees of freedom of the wide variances that stand in for learned ones in the first days."""

SKEWED_FREEDOM = 8.0
"""Degrees of freedom that rates and volumes have at most, if they vary more than sampling makes them."""

BENT = 0.1
"""How far a score may leave the course of a day that is expected of it, as a part of the shift that was accepted."""

PARTS_GAIN = 1 / 7
"""How much one day says of which part of a day's events an hour has."""

ODD_PART = 1.5
"""Times the usual one that the root of an hour's part of a day counts for at most."""

REMAINING_DAYS = 3.0
"""Days that what is known of windows counts for once days of the week are told apart."""


@kernel
def begin_day(
    day: int, first_series: int, windows_per_day: int, early: Floats, zones: Floats, weekend: Integers,
    rows: Floats, filters: Floats, charts: Floats, moments: Floats, sampling: Floats, hours_known: Floats,
    weights: Floats, expected: Floats, totals: Floats, parts: Floats, learned_events: Floats, in_day: Integers,
    of_other_days: Floats, series: Floats, waiting: Floats, farthest: Singles, margins: Singles,
    margins_of_other_days: Singles,
) -> float:  # fmt: skip
    """Set what is expected of a day; return how far residuals of days are correlated with the next, in most series.

    Parameters
    ----------
    day, first_series, windows_per_day
        Series before ``first_series`` have begun the day already.
    early
        float64[FAMILIES]: how much a level may move from window to window while nothing is known.
    zones
        float64[FAMILIES, SCALES]: what is too small to matter.
    weekend
        int64[DAYS]
    rows … margins_of_other_days
        The state, as in `watch_windows`; ``moments`` float64[R, SCALES, MOMENTS], ``sampling`` float64[R, SCALES],
        ``hours_known`` float64[R, DAYS, H], ``weights`` float64[S, DAYS], ``farthest``
        float32[R, COURSE_DAYS, H, OF_HOUR].
    """
    families = np.empty(rows.shape[0], dtype=np.int64)
    for r in range(rows.shape[0]):
        families[r] = int(rows[r, FAMILY])
    pools = np.zeros((SCALES, FAMILIES, POOL))
    for scale in range(SCALES):
        pool(moments, families, sampling, scale, pools[scale])
    for s in range(first_series, series.shape[0]):
        turns = day > series[s, FIRST_DAY] and weekend[day % DAYS] != weekend[(day - 1) % DAYS]
        teaching = days_of_course(day, int(series[s, FIRST_DAY]), weekend, weights[s], True)
        for r in range(int(series[s, FIRST_ROW]), int(series[s, FIRST_ROW] + series[s, ROWS])):
            row = rows[r]
            own = np.full(expected.shape[1], np.nan)
            age = age_of(row, day - int(series[s, FIRST_DAY]))
            alike = days_alike(weekend, day - age, day)
            if age > 0:
                _expect_day(
                    row, hours_known[r], totals[r], weights[s], weekend, day, age, parts[r], expected[r], own,
                    learned_events[r], of_other_days[r], moments[r], waiting[r],
                )  # fmt: skip
            else:
                row[UNCERTAINTY] = UNSEEN * UNSEEN
            row[UNCERTAINTY] += row[ACCEPTED_VARIANCE]
            begin_margins(day, teaching, turns, own, farthest[r], margins[r], margins_of_other_days[r])
            row[BUSIEST] = busiest_hour(row[BUSIEST], expected[r])
            row[BUSY] = busy_level(row[BUSY], expected[r], age)
            guessed, next_day = filters[r, BY_WINDOW, CALIBRATION], 0.0
            for scale in range(SCALES):
                of_family = pools[scale, families[r]]
                next_day = estimate(
                    moments[r, scale], sampling[r, scale], scale, windows_per_day, of_family, row[ACCEPTED_DAY] == 0,
                    filters[r, scale],
                )  # fmt: skip
                filters[r, scale, ZONE] = zones[families[r], scale]
                _expect_tails(families[r], scale, moments[r, scale], sampling[r, scale], of_family, filters[r, scale])
            if windows_per_day > 1:
                of_family = pools[BY_DAY, families[r]]
                usual_windows = _usual_windows(moments[r, BY_WINDOW], windows_per_day)
                keep_level(filters[r], sampling[r], moments[r, BY_DAY], of_family, row[UNCERTAINTY], usual_windows)
            lasts = windows_per_day > 1 and filters[r, BY_WINDOW, CARRY] == 1.0
            grow(filters[r], next_day, age)
            filters[r, BY_DAY, OVERNIGHT] = 1.0
            filters[r, BY_WINDOW, OVERNIGHT] = filters[r, BY_DAY, CARRY] if lasts and age >= SETTLED else 1.0
            _by_day(filters[r, BY_DAY], row[UNCERTAINTY], moments[r, BY_DAY, DAYS_SEEN])
            _by_window(row, filters[r, BY_WINDOW], charts[r, BY_WINDOW], sampling[r, BY_WINDOW], windows_per_day)
            is_new = alike < 2 or row[WEEKDAYS] == UNKNOWN
            if age < CALIBRATED_FROM or is_new or np.isnan(mean_of_hours(expected[r])):
                _widen(filters[r, BY_WINDOW], early[families[r]], guessed)
            if row[STANDING] != 0:
                # The level of what has shifted is the shifted one, until it recovers.
                filters[r, :, CARRY] = 1.0
                filters[r, BY_WINDOW, OVERNIGHT] = 1.0
            row[FRESH] = NEW_DAY
            row[ALARMS] *= FORGET[BY_DAY]
            row[ACCEPTED_SHIFT] *= FORGET[BY_WINDOW]
            row[IN_HOUR] = windows_per_day / expected.shape[1]
            in_day[r] = 0
        _forget_yesterday(series[s])
        first, stop = int(series[s, FIRST_ROW]), int(series[s, FIRST_ROW] + series[s, ROWS])
        series[s, IS_OFF] = _is_off(hours_known[first:stop], weekend, day, day - int(series[s, FIRST_DAY]))
    return _carry_of_most(series, families, pools[BY_DAY])


@inlined
def _forget_yesterday(series: Floats) -> None:
    """Forget how high the scores of a series went on the day before, and what people said of it."""
    series[HIGHEST] = -np.inf
    series[HIGHEST_BY_DAY] = -np.inf
    series[MARKED] = 0.0
    series[MARKED_BY_DAY] = 0.0
    series[MARKED_FALSE] = 0.0
    series[ALARMED] = 0.0


@inlined
def _expect_day(
    row: Floats, hours_known: Floats, totals: Floats, weights: Floats, weekend: Integers, day: int, age: int,
    parts: Floats, expected: Floats, own: Floats, learned_events: Floats, of_other_days: Floats, moments: Floats,
    waiting: Floats,
) -> None:  # fmt: skip
    """Write what a row is expected to be on a day, from the days before.

    With hardly any of these to learn from, what was expected of the last one like it stays so: an alarm that lasts
    becomes no habit. What of that is of this day of the week by itself stands in ``own``, too.
    """
    if weekend[day % DAYS] != weekend[(day - 1) % DAYS]:
        _turn(expected, learned_events, of_other_days)
    first, lag = day - age, lag_of(age)
    is_known = row[WEEKDAYS] != TOLD_APART and not np.isnan(mean_of_hours(expected))
    if age > 1 and not days_teach(hours_known, weights, weekend, first, day, lag, age, is_known):
        return
    row[UNCERTAINTY], row[WEEKDAYS] = learn_expectation(
        hours_known, weights, weekend, first, day, lag, row[BEGUN_ANEW] != 0,
        row[IN_HOUR] if row[KIND] == VOLUME else 0.0, expected, own,
    )  # fmt: skip
    if row[KIND] == RATE:
        _note_events(totals, weights, first, day, lag, parts, learned_events)
    _tell_apart(row, moments, waiting)
    if row[WEEKDAYS] == TOLD_APART:
        for hour in range(own.size):
            own[hour] = expected[hour]


@inlined
def _turn(expected: Floats, learned_events: Floats, of_other: Floats) -> None:
    """Let what is known of one kind of days and of the other change places; of the first such day it is the same."""
    is_first = np.isnan(mean_of_hours(of_other[0]))
    for hour in range(expected.size):
        own, events = expected[hour], learned_events[hour]
        if not is_first:
            expected[hour], learned_events[hour] = of_other[0, hour], of_other[1, hour]
        of_other[0, hour], of_other[1, hour] = own, events


@inlined
def _is_off(hours_known: Floats, weekend: Integers, day: int, age: int) -> bool:
    """Whether the last day like this one had nothing: of the same day of the week, or of a weekend or holiday.

    A series that has had nothing for a week is gone, as a version is that another one has replaced.
    """
    is_gone = True
    for d in range(max(day - 7, day - age, day - DAYS + 1), day):
        is_gone = is_gone and bool(np.isnan(hours_known[:, d % DAYS]).all())
    if is_gone:
        return False
    like = day - 7
    if weekend[day % DAYS]:
        like = day - 1
        while like > day - DAYS and not weekend[like % DAYS]:
            like -= 1
    return bool(like >= day - age and like > day - DAYS and np.isnan(hours_known[:, like % DAYS]).all())


@inlined
def _carry_of_most(series: Floats, families: Integers, pools: Floats) -> float:
    """Return how far residuals of days are correlated with the next ones, in half of the series at least."""
    of_series = np.zeros(max(series.shape[0], 1))
    for s in range(series.shape[0]):
        for r in range(int(series[s, FIRST_ROW]), int(series[s, FIRST_ROW] + series[s, ROWS])):
            of_series[s] = max(of_series[s], pools[families[r], CORRELATION])
    return float(np.sort(of_series)[of_series.size // 2])


@inlined
def _tell_apart(row: Floats, moments: Floats, waiting: Floats) -> None:
    """Forget residuals once days of the week are told apart: they were about what these differ by.

    Of windows some remains until there are others: courses that differ by more than their levels still do.
    """
    if row[WEEKDAYS] == TOLD_APART and not row[BEGUN_ANEW]:
        row[BEGUN_ANEW] = 1.0
        moments[BY_DAY] = 0.0
        moments[BY_WINDOW] *= min(REMAINING_DAYS / max(moments[BY_WINDOW, DAYS_SEEN], 1.0), 1.0)
        waiting[:] = np.nan


@inlined
def _note_events(
    totals: Floats, weights: Floats, first: int, day: int, lag: int, parts: Floats, learned_events: Floats
) -> None:
    """Note of how many events an hour what is expected of a share was learned: of few, what they add weighs most."""
    days, roots = 0.0, 0.0
    start, stop = learned_days(first, day, lag)
    for d in range(start, stop):
        events = totals[d % DAYS, 1]
        if events > 0:
            days += weights[d % DAYS] + 1e-9
            roots += (weights[d % DAYS] + 1e-9) / np.sqrt(events)
    learned_events[:] = np.nan
    if days > 0:
        for hour in range(parts.size):
            learned_events[hour] = parts[hour] * (days / roots) ** 2


@inlined
def _note_parts(hours: Floats, parts: Floats) -> None:
    """Learn from a day which part of its events each hour has: of few, what they add to an expectation weighs most."""
    total = hours[:, 1].sum()
    for hour in range(parts.size):
        if hours[hour, 1] > 0:
            root = np.sqrt(total / hours[hour, 1])
            if not np.isnan(parts[hour]):
                usual = 1 / np.sqrt(parts[hour])
                # A day on which traffic grew by ten has hours with a hundredth of its pairs: as odd, they count little.
                root = usual + PARTS_GAIN * (min(max(root, usual / ODD_PART), usual * ODD_PART) - usual)
            parts[hour] = 1 / (root * root)


@inlined
def _expect_tails(
    family: int, scale: int, moments: Floats, sampling: float, of_family: Floats, row: Floats
) -> None:  # fmt: skip
    """Expect longer tails of rates and volumes that vary by themselves, and of windows of all else that has shown them.

    Rates and volumes vary by factors, and upwards further. What they show far out are outages: one that comes again and
    again must not pass for a tail.
    """
    if family in (RATES, VOLUMES):
        if row[LEVEL_VARIANCE] + row[NOISE] > 0.5 * sampling:
            row[FREEDOM] = min(row[FREEDOM], SKEWED_FREEDOM)
    elif scale == BY_WINDOW:
        heed_tails(moments, of_family, row)


@inlined
def _by_day(day: Floats, uncertainty: float, days: float) -> None:
    # An expectation that is wrong is so for many days: it stays in the level after the first ones.
    day[NOISE] += uncertainty * 8 / (8 + days)


@inlined
def _by_window(row: Floats, window: Floats, charts: Floats, sampling: float, windows_per_day: int) -> None:
    """Where the level of a day is hardly known it is learned within the day, and only changes are judged."""
    uncertainty = row[UNCERTAINTY]
    ordinary = window[LEVEL_VARIANCE] + window[NOISE] + sampling
    unsure = uncertainty > 0.5 * ordinary and uncertainty > 0.003
    if row[UNSURE] and row[STANDING] == 0:
        # Its expectation has just been learned: what the charts hold is about the one before.
        window[LEVEL] = 0.0
        window[VARIANCE] = window[LEVEL_VARIANCE]
        charts[:] = 0.0
    row[UNSURE] = unsure
    window[DAY_STEP] += uncertainty
    if row[KIND] == SCORE:
        bent = BENT * row[ACCEPTED_SHIFT]
        window[STEP] = max(window[STEP], bent * bent / windows_per_day)
        if row[IN_HOUR] > 1 and bent * bent > ordinary:
            # An hour that is expected wrongly is so in many windows in a row.
            window[CARRY] = 1.0
            window[CARRY_TODAY] = 1.0
    if unsure:
        window[CARRY] = 1.0
        window[CARRY_TODAY] = 1.0
        window[LEVEL_VARIANCE] += uncertainty
        window[STEP] = max(window[STEP], 0.25 * min(uncertainty, 1.0) / windows_per_day)


@inlined
def _widen(window: Floats, early: float, guessed: float) -> None:
    window[CARRY] = 1.0
    window[CARRY_TODAY] = 1.0
    window[STEP] = max(window[STEP], early * early)
    window[LEVEL_VARIANCE] = max(window[LEVEL_VARIANCE], 0.09)
    window[FREEDOM] = max(window[FREEDOM], EARLY_FREEDOM)
    window[FREEDOM_FRESH] = max(window[FREEDOM_FRESH], EARLY_FREEDOM)
    window[CALIBRATION] = max(window[CALIBRATION], guessed)


@kernel
def close_day(  # noqa: PLR0912, PLR0915 -- what a day ends with, top to bottom
    day: int, windows_per_day: int, weekend: Integers, enough: Integers, thresholds: Floats, window_thresholds: Floats,
    rows: Floats, filters: Floats, charts: Floats, moments: Floats, sums: Floats, waiting: Floats, sampling: Floats,
    recent_days: Floats, expected: Floats, hours: Floats, hours_known: Floats, totals: Floats, weights: Floats,
    day_sums: Floats, series: Floats, parts: Floats, in_hours: Singles, farthest: Singles, verdicts: Floats,
) -> None:  # fmt: skip
    """Judge a day as a whole, and learn from it.

    Parameters
    ----------
    day, windows_per_day, weekend
    enough, thresholds, window_thresholds
        int64[S]: days after which a series may alarm by days; float64[S], by days and by windows.
    rows … farthest
        The state, as in `watch_windows` and `begin_day`; ``waiting`` float64[R, LAG_DAYS + 1, SCALES, MOMENTS] holds
        the sums of days that are not learned from yet, ``recent_days`` float64[R, 3] the last residuals of days,
        ``totals`` float64[R, DAYS, 2] what was counted of shares, and what scores add up to.
    verdicts
        float64[S, VERDICT]
    """
    for s in range(series.shape[0]):
        first, count = int(series[s, FIRST_ROW]), int(series[s, ROWS])
        age = day - int(series[s, FIRST_DAY])
        say_nothing(verdicts[s], QUIET if age >= enough[s] else LEARNING, BY_DAY)
        verdicts[s, WINDOWS] = series[s, WINDOWS_SEEN]
        seen = False
        for r in range(first, first + count):
            seen |= _watch_day(
                filters[r], charts[r, BY_DAY], sums[r, BY_DAY], recent_days[r], day_sums[r], sampling[r],
                _usual_windows(moments[r, BY_WINDOW], windows_per_day), series[s, ALARMED] != 0,
            )  # fmt: skip
            if not _may_alarm(rows[r], age, enough[s]):
                charts[r, BY_DAY] = 0.0
        if age < enough[s]:
            charts[first : first + count, BY_DAY] = 0.0
        elif seen:
            if windows_per_day == 1:
                end_what_is_back(rows, filters, charts, first, count)
            alike = series[s, DAY_REPEATS]
            score = combine(charts[:, BY_DAY], first, count, alike)
            series[s, HIGHEST_BY_DAY] = max(series[s, HIGHEST_BY_DAY], score)
            verdicts[s, EVIDENCE] = score
            verdicts[s, THRESHOLD] = thresholds[s]
            if score > thresholds[s]:
                alarm_by_day(rows, filters, charts, day_sums, series, s, alike, verdicts[s])
        if verdicts[s, STATUS] == QUIET and is_held(series[s], windows_per_day):
            stand(rows, filters, series, s, verdicts[s])
            if not seen:
                hold(verdicts[s], thresholds[s])
            elif windows_per_day == 1 and verdicts[s, STATUS] == STANDS:
                raise_grown(rows, filters, series[s], thresholds[s], verdicts[s])
        if windows_per_day == 1:
            _say_what_learns(rows[first : first + count], age, enough[s], verdicts[s])
        if verdicts[s, STATUS] == QUIET:
            name_foremost(filters[:, BY_DAY], charts[:, BY_DAY], first, count, verdicts[s])
        if verdicts[s, LEADING_ROW] >= 0:
            r = int(verdicts[s, LEADING_ROW])
            verdicts[s, EXPECTED] = mean_of_hours(expected[r])
            sum_up_day(rows[r], expected[r], hours[r], day_sums[r], verdicts[s])
        day_sums[first : first + count, DAY_EXPECTED : EXPECTED_WEIGHT + 1] = 0.0
        weigh_day(
            day, age, weekend, rows[first : first + count], series[s], expected[first : first + count],
            hours_known[first : first + count], weights[s], thresholds[s], window_thresholds[s],
        )  # fmt: skip
        series[s, DAY_ALARMS] *= FORGET[BY_DAY]
        add_up_day(
            rows[first : first + count], hours[first : first + count], day_sums[first : first + count],
            totals[first : first + count, day % DAYS],
        )  # fmt: skip
        came_back = series[s, ALARMED] != 0 and not keeps_timetable(rows[first : first + count])
        for r in range(first, first + count):
            _keep_hours(rows[r, KIND], hours[r], hours_known[r, day % DAYS])
            if came_back and rows[r, STANDING] == 0:
                forget_outage(
                    filters[r, BY_WINDOW], sampling[r, BY_WINDOW], hours_known[r], expected[r], weekend, day,
                    age_of(rows[r], age), sums[r, BY_WINDOW],
                )  # fmt: skip
            if rows[r, KIND] == RATE:
                _note_parts(hours[r], parts[r])
            hours[r] = 0.0
            note_farthest(in_hours[r], farthest[r, day % COURSE_DAYS])
            age_of_row = age_of(rows[r], age)
            if age_of_row < SETTLED and not _was_expected(hours_known[r], day, age_of_row):
                sums[r] = 0.0
        end_what_says_nothing(day, rows, filters, charts, hours_known, first, count)
        _learn(day, weekend, rows, series[s], first, count, age, moments, sums, waiting)


@inlined
def _watch_day(
    filters: Floats, charts: Floats, sums: Floats, recent: Floats, day_sums: Floats, sampling: Floats,
    usual_windows: float, has_alarmed: bool,
) -> bool:  # fmt: skip
    """Take in the mean residual of a day; return whether there was one."""
    row = filters[BY_DAY]
    step_level(row)
    if day_sums[DAY_SAMPLED] > 0:
        sampling[BY_WINDOW] = day_sums[DAY_SAMPLING] / day_sums[DAY_SAMPLED]
    seen = day_sums[DAY_WINDOWS] > 0 and 4 * day_sums[DAY_WINDOWS] >= usual_windows
    if seen:
        residual = day_sums[DAY_SUM] / day_sums[DAY_WEIGHT]
        variance = day_sums[DAY_VARIANCE] / (day_sums[DAY_WEIGHT] * day_sums[DAY_WEIGHT])
        share = day_sums[DAY_WINDOWS] / usual_windows
        if has_alarmed and 2 * LOOKS * share < 2 * LOOKS - 1:
            # What alarmed was left out.
            look = max(int(LOOKS * share + 0.5), 1) - 1
            z = take_in_part(row, filters[BY_WINDOW], charts, day_sums, share, look)
        else:
            z = take_in(row, charts, residual, variance, False)
    # What comes on a day that never has anything says nothing of how days differ.
    if seen and day_sums[DAY_SAMPLED] > 0:
        sampling[BY_DAY] = variance
        limit = OUTLIER * np.sqrt(row[LEVEL_VARIANCE] + row[NOISE] + variance)
        limited = min(max(residual, -limit), limit)
        sums[0] += limited * limited - variance
        sums[COUNTS] += 1
        for lag in range(1, 4):
            if not np.isnan(recent[lag - 1]):
                sums[lag] += limited * recent[lag - 1]
                sums[COUNTS + lag] += 1
        unstretched = z * row[STRETCH]
        sums[SQUARES] += min(unstretched * unstretched, MOST_SQUARE) * row[CALIBRATION] / row[STRETCH] ** 2
        sums[SQUARES_SEEN] += 1
        note_tail(sums, unstretched)
        recent[2] = recent[1]
        recent[1] = recent[0]
        recent[0] = limited
    else:
        recent[:] = np.nan
    if not seen:
        let_pass(charts)
    day_sums[: DAY_SAMPLED + 1] = 0.0
    return bool(seen)


@inlined
def _usual_windows(moments: Floats, windows_per_day: int) -> float:
    """Return how many windows with a value a day has: where traffic is sparse, most have none."""
    if moments[DAYS_SEEN] < 1:
        return float(windows_per_day)
    return float(moments[COUNTS] / moments[DAYS_SEEN])


@inlined
def _may_alarm(row: Floats, age: int, enough: int) -> bool:
    """Whether a row of a series so old has enough days; one whose reference was the first day is as old as others."""
    return bool(age_of(row, age) >= enough - 1)


@inlined
def _say_what_learns(rows: Floats, age: int, enough: int, verdict: Floats) -> None:
    """Say of windows of a day that they learn, if the values of their series do: since a level, or a reference."""
    for r in range(rows.shape[0]):
        is_of_values = rows[r, FAMILY] in (LOCATION, SHARES) and rows[r, BEGAN] > 0
        days = age_of(rows[r], age)
        learns = days < enough if rows[r, RENEWED] > 0 else is_of_values and not _may_alarm(rows[r], age, enough)
        if learns and verdict[STATUS] == QUIET:
            verdict[STATUS] = LEARNING
            verdict[WINDOWS] = days + 1


@inlined
def _keep_hours(kind: float, hours: Floats, hours_known: Floats) -> None:
    for hour in range(hours_known.size):
        hours_known[hour] = np.nan
        if hours[hour, 2] > 0:
            # Seven digits: a checkpoint holds them in half the room, and goes on with the same numbers.
            hours_known[hour] = np.float32(to_expectation(kind, hours[hour, 0], hours[hour, 1], hours[hour, 2]))


@inlined
def _was_expected(hours_known: Floats, day: int, age: int) -> bool:
    """Whether an earlier day showed nearly all of the hours of this one: what was not expected leaves no residual."""
    fullest = 0
    today = hours_seen(hours_known[day % DAYS])
    for d in range(day - age, day):
        fullest = max(fullest, hours_seen(hours_known[d % DAYS]))
    return bool(fullest >= FEWEST_HOURS * today)


@inlined
def _note_mean_square(sums: Floats) -> None:
    """Note how far the windows of a day went, and by how much that varies if they are independent."""
    seen = sums[SQUARES_SEEN]
    if seen > 1:
        mean = sums[SQUARES] / seen
        sums[DAY_MEANS], sums[DAY_MEANS_SQUARED] = mean, mean * mean
        sums[DAY_CHANCE] = max(sums[FOURTHS] - seen * mean * mean, 0.0) / (seen - 1) / seen
        sums[DAY_MEANS_SEEN] = 1.0


@inlined
def _learn(
    day: int, weekend: Integers, rows: Floats, series: Floats, first: int, count: int, age: int, moments: Floats,
    sums: Floats, waiting: Floats,
) -> None:  # fmt: skip
    """Let a day wait its time, and learn from those that have waited."""
    waiting_days = int(series[WAITING])
    for r in range(first, first + count):
        age_of_row = age_of(rows[r], age)
        alike = days_alike(weekend, day - age_of_row, day)
        # Where nothing was expected yet, a residual is no residual: but what varies a lot is expected, if not surely.
        was_expected = age_of_row > 0 and rows[r, ACCEPTED_VARIANCE] < UNSEEN * UNSEEN
        if rows[r, UNCERTAINTY] >= UNSEEN * UNSEEN:
            was_expected &= alike > 0
        was_expected &= rows[r, WEEKDAYS] != UNKNOWN
        # A level that is learned within the day is not judged: what may be a change must not pass for variance.
        window_sums = sums[r, BY_WINDOW]
        if age_of_row >= CALIBRATED_FROM and window_sums[0] > DAY_SPREAD * DAY_SPREAD * window_sums[COUNTS]:
            was_expected &= alike > 1
        if age_of_row >= CALIBRATED_FROM and alike == 0:
            # On the first day of its kind a level steps to where it was never seen.
            window_sums[STEPS : STEPS_SEEN + 1] = 0.0
        _note_mean_square(window_sums)
        for scale in range(SCALES):
            learned = was_expected and sums[r, scale, COUNTS] > 0
            sums[r, scale, DAYS_SEEN] = 1.0
            if age_of_row < CALIBRATED_FROM:
                sums[r, scale, SQUARES] = 0.0
                sums[r, scale, SQUARES_SEEN] = 0.0
                sums[r, scale, BEYOND:] = 0.0
            for i in range(MOMENTS):
                # A day that is not to be learned from does not make others forgotten either.
                waiting[r, waiting_days, scale, i] = np.float32(sums[r, scale, i]) if learned else np.nan
                sums[r, scale, i] = 0.0
    waiting_days += 1
    ready = max(waiting_days - lag_of(age), 0)
    for r in range(first, first + count):
        # A row that learned anew is younger than its series.
        of_row = max(waiting_days - lag_of(max(age_of(rows[r], age), 0)), 0) if rows[r, RENEWED] > 0 else ready
        for scale in range(SCALES):
            for i in range(of_row):
                if not np.isnan(waiting[r, i, scale, 0]):
                    remember(moments[r, scale], waiting[r, i, scale], scale)
                    waiting[r, i, scale] = np.nan
            for i in range(ready, waiting_days):
                waiting[r, i - ready, scale] = waiting[r, i, scale]
    series[WAITING] = waiting_days - ready
