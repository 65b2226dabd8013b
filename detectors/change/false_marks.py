"""What people call false raises the threshold of their signal: so far that such alarms come at the accepted rate.

The threshold of a model is from all of its signals (:mod:`detectors.change.threshold`), and may be too low for one that
does what no model of levels expects: it jumps between two levels, or spikes at any time. Only people know that this is
nothing. Scores of a day beyond the threshold are taken for exponential, as large ones are there: of a signal of which m
of the last D days went beyond it by e on average, at most one day in 1 / r does beyond e ln(m / (D r)) more. Days count
whose alarms were said to be false, and those that were quiet by that: a threshold stays raised for as long as what
raised it comes, and for `HIGHEST_DAYS` after that.

One slip must not make a signal deaf: each day whose alarms were called false adds `PER_MARK` nats at most, and half of
that after half a year (`FORGOTTEN` a day).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change.legend import (
    ALARMED,
    FALSE_MARKS,
    FIRST_DAY,
    HIGHEST,
    HIGHEST_BY_DAY,
    MARKED,
    MARKED_BY_DAY,
    MARKED_FALSE,
    STANDING,
    STUCK,
)
from detectors.change.state import State
from detectors.change.threshold import HIGHEST_DAYS

__all__ = ["call_false", "call_real", "forgive_today", "note_passed", "raised"]

Floats = npt.NDArray[np.float64]

FEWEST_DAYS = 14
"""Days that a signal counts for at least: of how often anything comes, the first ones say little."""

PRIOR_DAYS = 1.0
"""Days that went beyond the threshold by one nat, as the bound has it, before any is known."""

PER_MARK, FORGOTTEN = 20.0, 0.5 ** (1 / 182)
"""Nats that a day of false alarms may add to a threshold, and the part of it that is left a day later."""


def note_passed(state: State, day: int, thresholds: Floats, limits: Floats) -> None:
    """Note by how much the scores of a day passed the thresholds, and whether that was an alarm which nobody forgave.

    Parameters
    ----------
    state : State
    day : int
    thresholds : float64 array [SCALES]
        Of the model.
    limits : float64 array [S, SCALES]
        Of its signals.
    """
    highest = state.series[:, [HIGHEST, HIGHEST_BY_DAY]]
    is_forgiven = (highest <= state.series[:, [MARKED, MARKED_BY_DAY]]) & (state.series[:, [MARKED_FALSE]] != 0)
    passed = np.maximum(highest - thresholds, 0.0)
    is_alarm = (highest > limits) & ~is_forgiven
    state.passed[:, :, day % HIGHEST_DAYS] = np.where(is_alarm, -passed, passed)
    state.series[:, FALSE_MARKS] *= FORGOTTEN


def call_false(state: State, s: int, days: range) -> None:
    """Take alarms that a series had on days for false."""
    state.series[s, FALSE_MARKS] += _flip(state, s, days, 1.0)


def call_real(state: State, s: int, days: range) -> None:
    """Take no alarm any more for false that a series had on days."""
    marks = state.series[s, FALSE_MARKS] - _flip(state, s, days, -1.0)
    state.series[s, FALSE_MARKS] = max(marks, 0.0)


def _flip(state: State, s: int, days: range, sign: float) -> int:
    """Let the scores of days have a sign, and return how many days had the other one."""
    of_days = np.arange(max(days.start, days.stop - HIGHEST_DAYS), days.stop) % HIGHEST_DAYS
    passed = state.passed[s][:, of_days]
    state.passed[s][:, of_days] = sign * np.abs(passed)
    return int(np.count_nonzero((sign * passed < 0).any(axis=0)))


def forgive_today(state: State, s: int, *, is_false: bool) -> None:
    """Let today teach although a series has alarmed, if no alarm of it stands any more."""
    series = state.series[s]
    if series[STUCK] != 0 or (state.rows[state.rows_of(s), STANDING] != 0).any():
        return
    series[ALARMED] = 0.0
    series[[MARKED, MARKED_BY_DAY]] = np.maximum(series[[HIGHEST, HIGHEST_BY_DAY]], 0.0)
    series[FALSE_MARKS] += is_false and series[MARKED_FALSE] == 0
    series[MARKED_FALSE] = is_false


def raised(state: State, day: int, rates: Floats, by: int) -> Floats:
    """Return how much higher the thresholds of signals are than that of their model, float64[S].

    Parameters
    ----------
    state : State
    day : int
    rates : float64 array [SCALES]
        Accepted false alarms a day of one signal.
    by : int
        The scale: ``BY_WINDOW`` or ``BY_DAY``.

    Examples
    --------
    A signal that had an alarm in each of five weeks, beyond its threshold of 8 by 2 nats; four of them were false:

    >>> from detectors.change.false_marks import call_false, raised
    >>> from detectors.change.legend import BY_DAY, RATE, RATES
    >>> from detectors.change.state import State
    >>> state = State.fresh([[(RATE, RATES)]], day=0, hours=24, lags=4)
    >>> state.passed[0, BY_DAY, 0:35:7] = -2.0
    >>> call_false(state, 0, range(7, 35))
    >>> raised(state, 60, np.array([1 / 600, 1 / 600]), BY_DAY).round(2).tolist()
    [6.64]
    """
    passed = np.maximum(state.passed[:, by], 0.0)
    count = np.count_nonzero(passed, axis=1)
    days = np.clip(day - state.series[:, FIRST_DAY], FEWEST_DAYS, HIGHEST_DAYS)
    slope = (passed.sum(axis=1) + PRIOR_DAYS) / (count + PRIOR_DAYS)
    often = np.maximum(count / (days * rates[by]), 1.0)
    return np.asarray(np.minimum(slope * np.log(often), PER_MARK * state.series[:, FALSE_MARKS]))
