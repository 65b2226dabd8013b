"""How far windows go within their hour, day after day: what is expected of an hour says nothing of its five minutes.

A job at five past two moves a number for twenty minutes each night, and office hours begin at twenty past nine. Windows
go from the mean of such an hour further than chance, on most days of this kind, and as far as that they are no news in
it. Days that alarmed say nothing of it, as they say nothing of hours. How far is far follows from the day itself: by
the median of hours, in standard deviations of what sampling does, so that levels that wander within all hours count for
none.

A volume has more, a course (`courses`): what does not come is news of it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.expectation import corner_at, hour_at, jump_at
from detectors.change.legend import COURSE_DAYS
from detectors.change.weekdays import WEEK
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

# The windows of an hour so far: the residual that is highest, and lowest; their sum, standard deviations, and number.
MOST, LEAST, TOTAL, DEVIATIONS, SEEN, IN_HOUR_SUMS = range(6)

# What is remembered of an hour of a day: how far up and down its windows went, and how far they do in an hour of it.
UP, DOWN, USUAL, OF_HOUR = range(4)

USUALLY = 1.63
"""Standard deviations by which the highest of twelve independent windows is above their mean on average."""

FAR, STILL_FAR = 2.5, 1.25
"""How much further than in the median of hours windows go, in the median of days, if that is no chance: so much divided
by the root of the number of days, of which each varies by 0.4; and if it was none the day before."""

NEAR = 1.4
"""Times as far as in the median of hours that windows go, at least, if it is remembered of a day."""

OF_WEEK = 1.5
"""Times as far as a week ago that windows may go where one day of the week is unlike the others."""

FEWEST_DAYS = 2
"""Days of a kind that say how far windows of an hour go."""

WIDER, WIDEST = 3.0, 2.0
"""How much further than in the median of days counts, by their distance from it that is the largest but one; and how
many times as far at most."""


@inlined
def note_in_hour(sums: Singles, residual: float, sampling: float) -> None:
    """Note how far a window is, beside others of its hour, float32[IN_HOUR_SUMS]."""
    distance = np.float32(residual)
    if sums[SEEN] == 0:
        sums[MOST] = sums[LEAST] = distance
    sums[MOST] = max(sums[MOST], distance)
    sums[LEAST] = min(sums[LEAST], distance)
    sums[TOTAL] += distance
    sums[DEVIATIONS] += np.float32(math.sqrt(sampling))
    sums[SEEN] += np.float32(1.0)


@inlined
def note_farthest(in_hours: Singles, farthest: Singles) -> None:
    """Write how far windows of a day went within their hours, and forget them.

    Parameters
    ----------
    in_hours
        float32[H, IN_HOUR_SUMS]
    farthest
        float32[H, OF_HOUR]; NaN of an hour that had no two windows.
    """
    size, seen = in_hours.shape[0], 0
    ratios = np.empty(2 * size)
    for hour in range(size):
        sums = in_hours[hour]
        farthest[hour] = np.nan
        if sums[SEEN] > 1:
            mean, deviation = sums[TOTAL] / sums[SEEN], sums[DEVIATIONS] / sums[SEEN]
            for side in range(2):
                # From their mean: a level that all of them have is none of what they do within the hour.
                farthest[hour, side] = abs(sums[side] - mean)
                ratios[seen] = farthest[hour, side] / deviation
                seen += 1
            farthest[hour, USUAL] = deviation
    usual = np.float32(max(np.sort(ratios[:seen])[seen // 2], USUALLY) if seen > 0 else USUALLY)
    for hour in range(size):
        farthest[hour, USUAL] *= usual
        if max(farthest[hour, UP], farthest[hour, DOWN]) < NEAR * farthest[hour, USUAL]:
            # Most hours: what is remembered of them takes no room in a checkpoint.
            farthest[hour, UP], farthest[hour, DOWN], farthest[hour, USUAL] = 0.0, 0.0, 1.0
    in_hours[:] = 0.0


@inlined
def begin_margins(
    day: int, days: Integers, turns: bool, own: Floats, farthest: Singles, margins: Singles, of_other_days: Singles
) -> None:  # fmt: skip
    """Write how far windows of an hour may be from what is expected without being news, if there are days to say it.

    Parameters
    ----------
    day, days, turns
        The day that begins, those to learn from, and whether it is of another kind than the one before.
    own
        float64[H]: NaN of hours at which days of the week are alike. Of others, last week says it, too.
    farthest
        float32[COURSE_DAYS, H, OF_HOUR]: of days, modulo `COURSE_DAYS`, as `note_farthest` writes it.
    margins, of_other_days
        float32[H, 2]: upwards, and downwards, which is less than 0; those of the other kind of days are NaN where that
        is not known.
    """
    farthest[day % COURSE_DAYS] = np.nan
    if turns:
        _turn(margins, of_other_days)
    of_days, ratios = np.empty((2, COURSE_DAYS)), np.empty((2, COURSE_DAYS))
    for hour in range(margins.shape[0]):
        seen = 0
        for d in days:
            of_hour = farthest[d % COURSE_DAYS, hour]
            if not np.isnan(of_hour[USUAL]):
                for side in range(2):
                    of_days[side, seen], ratios[side, seen] = of_hour[side], of_hour[side] / of_hour[USUAL]
                seen += 1
        if seen >= FEWEST_DAYS:
            far = STILL_FAR if margins[hour, UP] > 0 else FAR
            margins[hour] = 0.0
            # Of two in the middle the less.
            middle = (seen - 1) // 2
            furthest = max(np.sort(ratios[UP, :seen])[middle], np.sort(ratios[DOWN, :seen])[middle])
            if furthest > 1 + far / math.sqrt(seen):
                # What goes far upwards moves the mean, so that other windows are below what is expected.
                margins[hour, UP] = _margin(np.sort(of_days[UP, :seen]))
                margins[hour, DOWN] = -_margin(np.sort(of_days[DOWN, :seen]))
        of_week = farthest[(day - WEEK) % COURSE_DAYS, hour]
        if _is_beside(own, hour) and max(of_week[UP], of_week[DOWN]) > (1 + FAR) * of_week[USUAL]:
            margins[hour, UP] = max(margins[hour, UP], OF_WEEK * of_week[UP])
            margins[hour, DOWN] = min(margins[hour, DOWN], -OF_WEEK * of_week[DOWN])


@inlined
def _is_beside(own: Floats, hour: int) -> bool:
    """Whether days of the week differ at an hour, or at the one before or behind it: a job may end in it."""
    size = own.size
    return not (np.isnan(own[hour]) and np.isnan(own[(hour - 1) % size]) and np.isnan(own[(hour + 1) % size]))


@inlined
def _turn(margins: Singles, of_other_days: Singles) -> None:
    """Let margins of one kind of days and of the other change places; on the first such day they are the same."""
    for hour in range(margins.shape[0]):
        for side in range(2):
            own = margins[hour, side]
            if not np.isnan(of_other_days[hour, side]):
                margins[hour, side] = of_other_days[hour, side]
            of_other_days[hour, side] = own


@inlined
def _margin(ordered: Floats) -> float:
    """Return how far windows of an hour may be by how far they went on days, in ascending order.

    As far as in the median of days, and further by how far days lie apart, but for the one that is the most so.
    """
    middle = ordered[(ordered.size - 1) // 2]
    apart = np.sort(np.abs(ordered - middle))[-2 if ordered.size > FEWEST_DAYS else -1]
    return float(min(middle + WIDER * apart, WIDEST * middle))


@inlined
def left_out_at(expected: Floats, margins: Singles, time_of_day: float, is_alone: bool) -> tuple[float, float]:
    """Return how far below what is expected a window may be without being news, as a number below 0, and above it.

    Parameters
    ----------
    expected
        float64[H]
    margins
        float32[H, 2], with no hours where hours have none.
    time_of_day, is_alone
        As `expectation.expected_at` takes them.
    """
    own, _, towards = hour_at(time_of_day, expected.size)
    is_unsure = False
    if margins.shape[0] > 0:
        is_unsure = margins[own, UP] > 0 or margins[(own + towards) % expected.size, UP] > 0
    corner, jump = corner_at(expected, time_of_day, is_alone), jump_at(expected, time_of_day, is_alone, is_unsure)
    low, high = min(corner, jump, 0.0), max(corner, jump, 0.0)
    if margins.shape[0] > 0:
        low, high = min(low, float(margins[own, DOWN])), max(high, float(margins[own, UP]))
    return low, high
