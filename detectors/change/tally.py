"""What the windows of an alarm add up to: of shares, how many events were counted out of how many, and were usual.

Charts see residuals, each of one window. Of windows of few events the mean of residuals has no share that would be the
one of all their events: what is told of these is counted. As far back as an alarm may have begun, windows are kept
added up, the more of them in one sum the longer ago they were; those of the day also apart.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.legend import (
    BY_DAY,
    EXCEEDS,
    FIRST_ROW,
    IS_ANEW,
    KIND,
    LEADING_ROW,
    RATE,
    ROWS,
    SCALE,
    SHIFT,
    SPAN,
    STANDS,
    STATUS,
)
from detectors.kernel import inlined, kernel

__all__ = ["count_shares", "tally_windows"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

FINENESS = 16
"""The part of their age that sums span at most: a sixteenth."""

FEW = 20.0
"""Events of the rarer kind in a window from which on residuals say as well what share they are of."""


@kernel
def tally_windows(
    begin: int, values: Floats, events: Floats, places: Floats, usual: Floats, verdicts: Floats, standing: Floats,
    rows: Floats, series: Floats, windows_per_day: int, most: int, sums: Singles, slots: Integers, windows: Integers,
    of_day: Singles, longer: Floats, numbers: Integers, counted: Floats,
) -> int:  # fmt: skip
    """Add windows, and write what was counted by each; return behind which window sums have no slot left.

    Parameters
    ----------
    begin
        The window to begin with.
    values, events, places
        As in `watch_windows`.
    usual
        float64[R, H]: which shares are usual at the hours of the day; NaN where that is not known.
    verdicts, standing
        float64[S, T, VERDICT], float64[R, T, 3]: what charts say of these windows.
    rows, series
        The state of the charts.
    windows_per_day, most
        And how many windows are remembered.
    sums, slots, windows
        float32[C, R, 3]; int64[C]: the slots of the sums of windows, the newest first, and behind them those that are
        free; int64[C]: of how many windows each of these sums is.
    of_day
        float32[R, 3]: the sum of the day.
    longer
        float64[R]: windows of an alarm by which it is longer than it has stood.
    numbers
        int64[2]: how many sums there are, and of how many windows the day has been.
    counted
        float64[R, T, 2]: where to write the usual share and the one that was counted.
    """
    for t in range(begin, values.shape[1]):
        if numbers[0] == slots.size:
            return t
        _add(values[:, t], events[:, t], usual[:, min(int(places[t] * usual.shape[1]), usual.shape[1] - 1)],
             most, sums, slots, windows, of_day, numbers)  # fmt: skip
        _count(verdicts[:, t], standing[:, t], rows, series, windows_per_day, sums, slots, windows, of_day, longer,
               numbers, counted[:, t])  # fmt: skip
    return int(values.shape[1])


@kernel
def count_shares(
    verdicts: Floats, standing: Floats, rows: Floats, series: Floats, windows_per_day: int, sums: Singles,
    slots: Integers, windows: Integers, of_day: Singles, longer: Floats, numbers: Integers, counted: Floats,
) -> None:  # fmt: skip
    """Write what was counted by now, float64[R, 2], of verdicts float64[S, VERDICT]; all else as in `tally_windows`."""
    _count(
        verdicts, standing, rows, series, windows_per_day, sums, slots, windows, of_day, longer, numbers, counted
    )  # fmt: skip


@inlined
def _add(
    values: Floats, events: Floats, usual: Floats, most: int, sums: Singles, slots: Integers, windows: Integers,
    of_day: Singles, numbers: Integers,
) -> None:  # fmt: skip
    count = numbers[0]
    free = slots[count]
    for i in range(count, 0, -1):
        slots[i], windows[i] = slots[i - 1], windows[i - 1]
    slots[0], windows[0] = free, 1
    window = sums[free]
    for r in range(values.size):
        is_counted = not np.isnan(values[r]) and not np.isnan(usual[r])
        window[r, 0] = np.float32(values[r] if is_counted else 0.0)
        window[r, 1] = np.float32(events[r] if is_counted else 0.0)
        window[r, 2] = np.float32(usual[r] * events[r] if is_counted else 0.0)
        for i in range(3):
            of_day[r, i] += window[r, i]
    numbers[0], numbers[1] = _added_up(count + 1, most, sums, slots, windows), numbers[1] + 1


@inlined
def _added_up(count: int, most: int, sums: Singles, slots: Integers, windows: Integers) -> int:
    """Add up sums that are old enough, and forget those that are too old; return how many there are left."""
    i, age = 0, 0
    while i + 1 < count:
        if age > most:
            return i + 1
        if windows[i] + windows[i + 1] <= age // FINENESS:
            windows[i] += windows[i + 1]
            free = slots[i + 1]
            for r in range(sums.shape[1]):
                for n in range(3):
                    sums[slots[i], r, n] += sums[free, r, n]
            count -= 1
            for later in range(i + 1, count):
                slots[later], windows[later] = slots[later + 1], windows[later + 1]
            slots[count] = free
        age += windows[i]
        i += 1
    return count


@inlined
def _count(
    verdicts: Floats, standing: Floats, rows: Floats, series: Floats, windows_per_day: int, sums: Singles,
    slots: Integers, windows: Integers, of_day: Singles, longer: Floats, numbers: Integers, counted: Floats,
) -> None:  # fmt: skip
    """Write what was counted by a window, of rows that verdicts name, and of those whose alarms stand."""
    for s in range(series.shape[0]):
        first, stop = int(series[s, FIRST_ROW]), int(series[s, FIRST_ROW] + series[s, ROWS])
        status = verdicts[s, STATUS]
        is_of_day = verdicts[s, SCALE] == BY_DAY and windows_per_day > 1
        of_verdict = _windows_of(verdicts[s], is_of_day, windows_per_day, numbers[1])
        for r in range(first, stop):
            if standing[r, 0] != 0:
                stood = int(standing[r, 2])
                if status == EXCEEDS and stood == 0:
                    longer[r] = of_verdict
                if rows[r, KIND] == RATE:
                    of_alarm = max(int(longer[r]) + stood, 1)
                    _count_windows(r, of_alarm, standing[r, 0], sums, slots, windows, numbers[0], counted[r])
        # None, or NaN, where a verdict names no row.
        if not verdicts[s, LEADING_ROW] >= 0 or status == STANDS:
            continue
        leading, shift = int(verdicts[s, LEADING_ROW]), verdicts[s, SHIFT]
        if rows[leading, KIND] == RATE:
            counted[leading, 0] = counted[leading, 1] = np.nan
            # What has been so for days is counted since it began.
            if is_of_day and not verdicts[s, SPAN] > 1:
                day = of_day[leading]
                _take_shares(float(day[0]), float(day[1]), float(day[2]), numbers[1], shift, counted[leading])
            if np.isnan(counted[leading, 0]):
                _count_windows(leading, of_verdict, shift, sums, slots, windows, numbers[0], counted[leading])


@inlined
def _windows_of(verdict: Floats, is_of_day: bool, windows_per_day: int, windows_of_day: int) -> int:
    """Return of how many windows a verdict is: those since a change began, if it is about one."""
    span = 0 if np.isnan(verdict[SPAN]) else int(verdict[SPAN])
    if is_of_day:
        return max(span - 1, 0) * windows_per_day + windows_of_day
    # Of one that has grown since its alarm stands, what it was at first is no longer said.
    has_grown = verdict[STATUS] == EXCEEDS and np.isnan(verdict[IS_ANEW])
    return min(span, windows_per_day) if has_grown else span


@inlined
def _count_windows(
    r: int, number: int, shift: float, sums: Singles, slots: Integers, windows: Integers, count: int, counted: Floats
) -> None:
    """Write what the newest windows have of a row."""
    of_row, events, usual, missing = 0.0, 0.0, 0.0, number
    for n in range(count):
        if 2 * missing < windows[n] or missing <= 0:
            break
        of_row += sums[slots[n], r, 0]
        events += sums[slots[n], r, 1]
        usual += sums[slots[n], r, 2]
        missing -= windows[n]
    _take_shares(of_row, events, usual, number, shift, counted)


@inlined
def _take_shares(of_row: float, events: float, usual: float, number: int, shift: float, counted: Floats) -> None:
    """Write shares, unless residuals say them as well, of many events; or they lie on the other side of what is usual.

    ``shift`` is what residuals say.
    """
    if events > 0:
        share, current = usual / events, of_row / events
        rare = min(max(share, current), 1 - min(share, current)) * events / max(number, 1)
        if rare < FEW and (current - share) * shift > 0:
            counted[0], counted[1] = share, current
