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

from detectors.change.legend import COURSE_DAYS
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

# The windows of an hour so far: the residual that is highest, and lowest; their sum, standard deviations, and number.
MOST, LEAST, TOTAL, DEVIATIONS, SEEN, IN_HOUR_SUMS = range(6)

USUALLY = 1.63
"""Standard deviations by which the highest of twelve independent windows is above their mean on average."""

FAR = 1.85
"""Times as far as in the median of hours that a window is beyond chance: of twelve, one hour in sixty has one."""

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
    """Write how far windows of a day went from the means of their hours, and forget them.

    Parameters
    ----------
    in_hours
        float32[H, IN_HOUR_SUMS]
    farthest
        float32[H, 2]: upwards and downwards; 0 within chance, NaN of an hour that had no two windows.
    """
    size, seen = in_hours.shape[0], 0
    going = np.empty(2 * size)
    for hour in range(size):
        farthest[hour] = np.nan
        sums = in_hours[hour]
        if sums[SEEN] > 1:
            mean, deviation = sums[TOTAL] / sums[SEEN], sums[DEVIATIONS] / sums[SEEN]
            for side in range(2):
                farthest[hour, side] = sums[side] - mean
                going[seen] = abs(farthest[hour, side]) / deviation
                seen += 1
    usual = max(np.sort(going[:seen])[seen // 2], USUALLY) if seen > 0 else USUALLY
    for hour in range(size):
        sums = in_hours[hour]
        for side in range(2):
            if abs(farthest[hour, side]) <= FAR * usual * sums[DEVIATIONS] / max(sums[SEEN], np.float32(1.0)):
                farthest[hour, side] = 0.0
    in_hours[:] = 0.0


@inlined
def learn_margins(days: Integers, farthest: Singles, margins: Singles) -> None:
    """Write how far windows of an hour may be from what is expected without being news.

    Parameters
    ----------
    days
        Those to learn from.
    farthest
        float32[COURSE_DAYS, H, 2]: of days, modulo `COURSE_DAYS`, as `note_farthest` writes it.
    margins
        float32[H, 2]: upwards, and downwards, which is less than 0.
    """
    of_days = np.empty(COURSE_DAYS)
    for hour in range(margins.shape[0]):
        for side in range(2):
            seen = 0
            for d in days:
                distance = abs(farthest[d % COURSE_DAYS, hour, side])
                if not np.isnan(distance):
                    of_days[seen] = distance
                    seen += 1
            margins[hour, side] = 0.0
            if seen >= FEWEST_DAYS:
                margin = _margin(np.sort(of_days[:seen]))
                margins[hour, side] = margin if side == MOST else -margin


@inlined
def _margin(ordered: Floats) -> float:
    """Return how far windows of an hour may be by how far they went on days, in ascending order.

    As far as in the median of days, and further by how far days lie apart, but for the one that is the most so.
    """
    # Of two in the middle the less.
    middle = ordered[(ordered.size - 1) // 2]
    apart = np.sort(np.abs(ordered - middle))[-2 if ordered.size > FEWEST_DAYS else -1]
    return float(min(middle + WIDER * apart, WIDEST * middle))


@inlined
def left_out_at(corner: float, margins: Singles, hour: int) -> tuple[float, float]:
    """Return how far below what is expected a window may be without being news, as a number below 0, and above it.

    Parameters
    ----------
    corner
        How far the course of the day may go beyond what is expected (`expectation.corner_at`).
    margins
        float32[H, 2], with no hours where hours have none.
    hour
    """
    low, high = min(corner, 0.0), max(corner, 0.0)
    if hour < margins.shape[0]:
        low, high = min(low, float(margins[hour, LEAST])), max(high, float(margins[hour, MOST]))
    return low, high
