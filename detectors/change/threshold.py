"""The score from which on a window alarms, so that false alarms come at a stated rate.

The score of a signal is the logarithm of a mean of e-processes that start anew in every window: by Ville's inequality
they pass ln(windows / false alarms) at most at the stated rate. That bound is loose: charts overlap, and overshoot. So
the threshold moves from the bound to what the signals of the model have shown: of the largest scores of days, pooled
over signals, the tail beyond the 80 % point is taken for exponential. Its slope is estimated from those below the
99 % point only, so that true drift cannot move it (Hill 1975, with the largest values censored), and is then drawn to
1, the slope of the bound: far tails are nearer to it than ordinary days are. Days are the blocks, so that dependence
within days needs no model.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["HIGHEST_DAYS", "bound", "threshold"]

Floats = npt.NDArray[np.float64]

HIGHEST_DAYS = 60
"""Days whose largest scores are remembered."""

ORDINARY, CENSORED = 0.80, 0.99
TOWARDS_BOUND = 0.4
"""How far the slope of the tail is drawn to 1."""

FEWEST = 100
"""Signal-days below which the bound alone counts."""

BOUND_WEIGHT = 20.0
"""Exceedances of the 80 % point that the bound counts for."""

LOWEST, HIGHEST = -5.0, 4.0
"""How far a threshold may move from its bound, in nats."""


def bound(rate: float, windows_per_day: float) -> float:
    """Return the threshold that holds whatever the scores are like.

    Parameters
    ----------
    rate : float
        Accepted false alarms a day, of one signal.
    windows_per_day : float

    Examples
    --------
    >>> round(bound(1 / 300, 24), 2)
    8.88
    """
    return math.log(max(windows_per_day, 1e-9) / rate)


def threshold(highest: npt.ArrayLike, rate: float, windows_per_day: float) -> float:
    """Return the threshold after days of which the largest scores are known.

    Parameters
    ----------
    highest : float64 array
        The largest score of each signal on each day.
    rate : float
        Accepted false alarms a day, of one signal.
    windows_per_day : float

    Examples
    --------
    Scores that exceed 3 on one day of twenty, with the slope of the bound:

    >>> days = -np.log(np.linspace(1, 0.001, 1000))
    >>> threshold(days, 1 / 300, 24) < bound(1 / 300, 24)
    True
    """
    theory = bound(rate, windows_per_day)
    ordered = np.sort(np.asarray(highest, dtype=np.float64))
    if len(ordered) < FEWEST:
        return theory
    start = ordered[int(ORDINARY * len(ordered))]
    end = ordered[min(len(ordered) - 1, int(CENSORED * len(ordered)))]
    beyond = ordered[ordered > start]
    uncensored = int(np.count_nonzero(beyond < end))
    if uncensored < 3:
        return theory
    slope = float(np.sum(np.minimum(beyond, end) - start)) / uncensored
    slope += TOWARDS_BOUND * (1 - slope)
    shown = float(start) + slope * math.log((1 - ORDINARY) / rate)
    mixed = (BOUND_WEIGHT * theory + uncensored * shown) / (BOUND_WEIGHT + uncensored)
    return min(max(mixed, theory + LOWEST), theory + HIGHEST)
