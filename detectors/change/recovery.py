"""When an alarm that stands is over: a row shows in one of two ways that it is back.

**It is near to what is expected.** The log likelihood ratio of no shift against one of δ is summed as a CUSUM (Page
1954); x is a window's residual in the direction of the shift:

    S + δ (δ/2 − x) / σ²

- δ is `REMAINING` of the shift. The estimate of that comes from the windows which raised the alarm, and so is too high:
  with all of it, windows of a shift half as large would count for neither side, and chance would end the alarm. Where
  quiet windows before a change lowered it, the mean of scores since the alarm counts.
- σ² is the variance of a mean of windows, times their number: a level that is AR(1) with φ has (1 + φ)/(1 − φ) times
  its variance, since windows in a row err together. Long tails are left out: what counts here lies in the middle.
- The shift is over at `RECOVERED` nats plus ln(windows a day / 24), so that the risk is one of each day and not of each
  window; at `LEAST_SURE` at least, and, of short windows, after `LEAST_HOURS`, since where six of forty values are
  missing a window without any comes now and then. A window of a share says no more than its count does (binomial).
- A window that happens to have none of the few values that are off looks surer than those that have: it counts as no
  surer than windows since the alarm are on average, by what their values vary.
- σ² is no larger than what lets some days at the expected level end any alarm: three of a share, which few events say
  little of in a day, and which chance would end several times before the fault is mended; two of other levels; one
  where levels persist, which a step back shows. In the first two weeks it is a third of a day, since the
  variances that stand in for learned ones are wide.

**It has stepped back** from the level that it had while the alarm stood. Where levels persist, where a signal is on a
day says little of it, and a step within the day nearly all. The sum is the same, of δ against none in the errors of
predictions from one window to the next. It takes `STEP_COSTS` nats more: the level follows, and the sum stays.

Either may be so of a fault that has shrunk. Where windows are off on average, since there is evidence of a way back, by
`REST` nats, it stands on, for a shift of their mean; and where nothing points to a way back, but the level is less than
`SHRUNK` of the shift, for that.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.legend import (
    BY_WINDOW,
    CALIBRATION,
    CARRY,
    CARRY_TODAY,
    DEVIATION,
    KIND,
    LEVEL,
    LEVEL_VARIANCE,
    MAGNITUDES,
    NEARER_SEEN,
    NEARER_SUM,
    NOISE,
    RATE,
    RECOVERY,
    SCALES,
    SCORE,
    STANDING,
    STEP,
    STEP_BACK,
    STOOD,
    STOOD_SEEN,
    STOOD_SUM,
    STOOD_UNIT,
    STRETCH,
    TOTAL,
    UNCERTAINTY,
    VARIANCE,
)
from detectors.change.residuals import binomial_evidence, share_of
from detectors.kernel import inlined

Floats = npt.NDArray[np.float64]

REMAINING = 0.6
"""Part of the shift of an alarm that is weighed against none."""

RECOVERED, LEAST_SURE, STEP_COSTS = 4.0, 1.5, 3.0
"""Evidence, in nats, that a shift is over, of hourly windows and at least; and how much more a step back takes."""

REST = 2.0
"""Evidence, in nats, that some of a shift is left, for which its alarm stands on."""

SHRUNK = 2 / 3
"""Part of a shift below which a level is another one, for which its alarm stands on."""

ENOUGH_OF_SHARES, ENOUGH = 3.0, 2.0
"""Days at the expected level that end any alarm, of a share and of a mean; of all else, or if levels persist, one."""

YOUNG = 1 / 3
"""Part of a day that is enough of a young signal."""

LEAST_HOURS = 0.25
"""Hours at the expected level that it takes at least, where windows are shorter."""

LEVELS_OF_DAY = 4.0
"""Independent levels that a day counts as at least, however long its levels persist."""

FEWEST_WINDOWS = 7.0
"""Windows that a day counts for at least, in what ends any alarm: one of a day's length is not enough."""


@inlined
def only_away(shift: float, charts: Floats) -> None:
    """Drop the evidence of a way back: that is what recovery weighs, and no alarm."""
    for scale in range(SCALES):
        for magnitude in range(MAGNITUDES):
            charts[scale, magnitude, 1 if shift > 0 else 0] = 0.0


@inlined
def recover(
    row: Floats, filters: Floats, charts: Floats, value: float, events: float, middle: float, residual: float,
    sampling: float, z: float, windows_per_day: float, young: bool,
) -> None:  # fmt: skip
    """Weigh whether the shift of a row is over, or what is left of it, and let its alarm end or stand for that.

    Parameters
    ----------
    row, filters, charts
        float64[ROW], float64[SCALES, FILTER], float64[SCALES, MAGNITUDES, DIRECTIONS, CHART].
    value, events, middle
        Of the window: a mean of scores or a number of events, out of how many, and what was expected of it.
    residual, sampling, z
        Of the window: what it is beyond its expectation, the variance of that by sampling, and how far it is from the
        level of the row in standard deviations.
    windows_per_day, young
        How many windows a day has; whether the row is in its first two weeks.
    """
    window = filters[BY_WINDOW]
    sign = 1.0 if row[STANDING] > 0 else -1.0
    stood = row[STOOD_SUM] / max(row[STOOD_SEEN], 1.0)
    shift = sign * row[STANDING]
    if row[KIND] == SCORE:
        shift = max(shift, sign * stood)
        # Windows that happen to lack what is off are as uncertain as the others.
        row[STOOD_UNIT] += sampling * events
        sampling = max(sampling, row[STOOD_UNIT] / max(row[STOOD_SEEN] - 1, 1.0) / events)
    size = REMAINING * shift
    sure = max(RECOVERED + math.log(max(windows_per_day, 1.0) / 24), LEAST_SURE)
    enough = max((YOUNG if young else _days_enough(row, window)) * windows_per_day, FEWEST_WINDOWS)
    variance = _long_run_variance(row, window, sampling, windows_per_day)
    spread = min(variance, 0.5 * size * size * enough / sure)
    for_none = size * (0.5 * size - sign * residual) / spread
    if row[KIND] == RATE and sign * stood > 0:
        other = middle + REMAINING * stood
        usual = binomial_evidence(share_of(middle, events) * events, events, middle, other)
        if usual > 0:
            by_count = binomial_evidence(value, events, middle, other)
            for_none = by_count * max(sampling / variance, sure / enough / usual)
    most = sure / max(LEAST_HOURS * windows_per_day / 24 - 0.5, 0.5)
    row[RECOVERY] = max(row[RECOVERY] + min(for_none, most), 0.0)
    if window[CARRY_TODAY] > 0:
        back = size / np.sqrt(window[TOTAL] * window[CALIBRATION])
        row[STEP_BACK] = max(row[STEP_BACK] - back * (sign * z + 0.5 * back), 0.0)
    if row[RECOVERY] > 0:
        row[NEARER_SUM] += residual
        row[NEARER_SEEN] += 1
    else:
        row[NEARER_SUM] = row[NEARER_SEEN] = 0.0
    if row[RECOVERY] > sure or row[STEP_BACK] > sure + STEP_COSTS:
        seen = row[NEARER_SEEN]
        rest = row[NEARER_SUM] / seen if seen > 0 else residual
        if sign * rest > 0 and 0.5 * rest * rest * max(seen, 1.0) / variance > REST:
            stand_off(row, rest)
            move_level(window, rest)
        else:
            stand_off(row, 0.0)
            begin_anew(filters, charts)
    elif row[RECOVERY] == 0:
        _shrink(row, window, sure)


@inlined
def _days_enough(row: Floats, window: Floats) -> float:
    """Return how many days at the expected level end any alarm of a row."""
    if row[KIND] == RATE:
        return ENOUGH_OF_SHARES
    return ENOUGH if row[KIND] == SCORE and window[CARRY_TODAY] == 0 else 1.0


@inlined
def _shrink(row: Floats, window: Floats, sure: float) -> None:
    """Let an alarm stand for the level of its row where that is no longer near to the shift that it stands for."""
    shift, level = row[STANDING], window[LEVEL]
    spread = (window[VARIANCE] + window[LEVEL_VARIANCE]) * window[CALIBRATION]
    if 0 < level / shift < SHRUNK and 0.5 * (level - shift) * (level - shift) / spread > sure:
        stand_off(row, level)


@inlined
def stand_off(row: Floats, shift: float) -> None:
    """Let an alarm of a row stand for a shift, from now on; for none, it is over."""
    row[STANDING] = shift
    row[RECOVERY] = row[NEARER_SUM] = row[NEARER_SEEN] = 0.0
    row[STEP_BACK] = 0.0
    row[STOOD] = 0.0
    row[STOOD_SUM] = shift if row[KIND] == SCORE else row[DEVIATION]
    row[STOOD_SEEN] = 1.0
    row[STOOD_UNIT] = 0.0


@inlined
def move_level(window: Floats, shift: float) -> None:
    """Let a row be at a shift, about as surely as one window shows: what changes next is a change of its own."""
    window[LEVEL] = shift
    window[CARRY] = 1.0
    window[STEP] = max(window[STEP], 0.02 * window[TOTAL])
    window[VARIANCE] = window[TOTAL]


@inlined
def _long_run_variance(row: Floats, window: Floats, sampling: float, windows_per_day: float) -> float:
    """Return the variance of a mean of windows, times their number."""
    carry = min(window[CARRY_TODAY], 0.999)
    in_a_row = min((1 + carry) / (1 - carry), max(windows_per_day / LEVELS_OF_DAY, 1.0))
    spread = window[LEVEL_VARIANCE] * in_a_row + window[NOISE] + sampling + row[UNCERTAINTY]
    return float(spread * window[CALIBRATION] / window[STRETCH] ** 2)


@inlined
def begin_anew(filters: Floats, charts: Floats) -> None:
    """Forget the level of a row, and its evidence.

    When a signal is back, so are rows that moved less, about which no alarm was: the way back is no change of theirs.
    """
    for scale in range(SCALES):
        filters[scale, CARRY] = filters[scale, CARRY_TODAY]
        filters[scale, LEVEL] = 0.0
        filters[scale, VARIANCE] = filters[scale, LEVEL_VARIANCE]
    charts[:] = 0.0
