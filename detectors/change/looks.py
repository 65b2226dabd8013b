"""Looks at a day before its end: after each quarter, as if it were over."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.alarms import alarm_by_day
from detectors.change.charts import (
    MOST_SQUARE,
    NO_REPEAT,
    combine,
    copy_charts,
    let_pass,
    step_level,
    take_in,
)
from detectors.change.expectation import age_of
from detectors.change.legend import (
    BY_DAY,
    BY_WINDOW,
    CALIBRATION,
    DAY_SUM,
    DAY_VARIANCE,
    DAY_WEIGHT,
    DAY_WINDOWS,
    EVIDENCE,
    FIRST_ROW,
    FREEDOM,
    HIGHEST_BY_DAY,
    LEVEL_VARIANCE,
    LOOK,
    LOOK_SQUARES,
    LOOKS,
    LOOKS_SEEN,
    NOISE,
    ROWS,
    SCALE,
    STANDING,
    THRESHOLD,
)
from detectors.kernel import inlined
from detectors.rows import copy_row

Floats = npt.NDArray[np.float64]

CHARTED_DAYS = 7
"""Days of a contrast before the scale of days may alarm about it."""


@inlined
def is_looked_at(windows_today: int, windows_per_day: float) -> bool:
    """Whether a day is judged before its end: after each quarter of it."""
    quarter = int(windows_per_day) // LOOKS
    return quarter > 1 and windows_today % quarter == 0 and windows_today < windows_per_day


@inlined
def look_at_day(
    rows: Floats, filters: Floats, charts: Floats, sums: Floats, day_sums: Floats, series: Floats, s: int, age: int,
    in_day: int, windows_per_day: float, threshold: float, verdict: Floats,
) -> None:  # fmt: skip
    """Judge what there is of a day as if it had ended, and leave no trace unless it alarms."""
    first, count = int(series[s, FIRST_ROW]), int(series[s, ROWS])
    look = int(LOOKS * in_day / windows_per_day) - 1
    looked_at = charts[first : first + count, BY_DAY].copy()
    ahead = filters[first : first + count, BY_DAY].copy()
    for i in range(count):
        today = day_sums[first + i]
        step_level(ahead[i])
        is_charted = age_of(rows[first + i], age) >= CHARTED_DAYS
        if is_charted and 2 * LOOKS * today[DAY_WINDOWS] >= windows_per_day:
            window, share = filters[first + i, BY_WINDOW], today[DAY_WINDOWS] / windows_per_day
            z = take_in_part(ahead[i], window, looked_at[i], today, share, look)
            sums[first + i, LOOK_SQUARES + look] = min(z * z, MOST_SQUARE) * max(ahead[i, LOOK + look], 1.0)
            sums[first + i, LOOKS_SEEN + look] = 1.0
        else:
            let_pass(looked_at[i])
    score = combine(looked_at, 0, count, NO_REPEAT)
    series[s, HIGHEST_BY_DAY] = max(series[s, HIGHEST_BY_DAY], score)
    if score > threshold:
        yesterday = filters[first : first + count, BY_DAY].copy()
        for i in range(count):
            copy_row(ahead[i], filters[first + i, BY_DAY])
            copy_charts(looked_at[i], charts[first + i, BY_DAY])
        alarm_by_day(rows, filters, charts, day_sums, series, s, NO_REPEAT, verdict)
        for i in range(count):
            if rows[first + i, STANDING] == 0:
                copy_row(yesterday[i], filters[first + i, BY_DAY])
        verdict[EVIDENCE] = score
        verdict[THRESHOLD] = threshold
        verdict[SCALE] = BY_DAY


@inlined
def take_in_part(day: Floats, window: Floats, charts: Floats, today: Floats, share: float, look: int) -> float:
    """Take in the mean residual of a part of a day at the scale of days, and return its standardised form.

    A part differs more from day to day than the whole where levels wander within a day, or a season is not the same on
    each; and what it has of single windows has tails as long as theirs.

    Parameters
    ----------
    day, window
        float64[FILTER]: at both scales.
    charts, today
        float64[MAGNITUDES, DIRECTIONS, CHART]; float64[DAY_SUMS].
    share, look
        Of the day's windows, and at which look it is, or would be.
    """
    of_part = window[LEVEL_VARIANCE] + window[NOISE] - day[LEVEL_VARIANCE] - day[NOISE]
    variance = today[DAY_VARIANCE] / (today[DAY_WEIGHT] * today[DAY_WEIGHT])
    variance += max(of_part, 0.0) * max(1 - share, 0.0)
    usual, freedom = day[CALIBRATION], day[FREEDOM]
    # Rows of earlier versions do not say it before their next day.
    day[CALIBRATION] *= max(day[LOOK + look], 1.0)
    day[FREEDOM] = min(freedom, window[FREEDOM])
    z = take_in(day, charts, today[DAY_SUM] / today[DAY_WEIGHT], variance, False)
    day[CALIBRATION], day[FREEDOM] = usual, freedom
    return float(z)
