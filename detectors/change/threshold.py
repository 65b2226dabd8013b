"""The score from which on a window alarms, so that false alarms come at a stated rate.

The score of a signal is the logarithm of a mean of e-processes that start anew in every window: by Ville's inequality
they pass ln(windows / false alarms) at most at the stated rate. That bound is loose: charts overlap, and overshoot. So
the threshold moves from the bound to what the signals of the model have shown. Of the largest scores of days, over all
signals, the sixty largest are taken for the beginning of an exponential tail, or the largest fifth of fewer than three
hundred: the more signals a model has, the further out is what it has seen, and the less is left to guess. Its slope
is estimated by Hill (1975) with the largest values censored, and is then drawn to 1, the slope of the bound: far tails
are nearer to it than ordinary days are. Days are the blocks, so that dependence within days needs no model.

Days that are like the one before say less: the more they are, the nearer stays the threshold to the bound. Slow levels
have their largest scores when signals are old, and expectations lag; those of the first weeks alone are too small.

True drift must not raise the threshold that is to find it. In its first week it does not at all: thresholds lag as
expectations do (`detectors.change.model`), but where windows are days. What has passed its threshold by far is drift,
and not given (`detectors.change.model.FARTHEST`). Of what may be drift, a day counts with its three largest scores
only, however many signals something moved (the r largest order statistics; Weissman 1978), and the six largest of all,
or one in two hundred of many, are known to be large and not how large.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["HIGHEST_DAYS", "bound", "threshold"]

Floats = npt.NDArray[np.float64]

HIGHEST_DAYS = 60
"""Days whose largest scores are remembered."""

TAIL_DAYS, TAIL_SHARE = 60, 0.2
"""Signal-days of the tail at most, and the share of all that they are at most."""

OF_A_DAY = 3
"""Signals of a day that may be of the tail."""

CENSORED_DAYS, CENSORED_OF_FEW, CENSORED_OF_MANY = 6, 100, 200
"""Signal-days that may be drift: so many, at most one in a hundred of few, at least one in two hundred of many, and at
most half of the tail."""

TOWARDS_BOUND = 0.2
"""How far the slope of the tail is drawn to 1."""

FEWEST = 100
"""Signal-days below which the bound alone counts."""

BOUND_WEIGHT = 10.0
"""Days of the tail that the bound counts for."""

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


def threshold(highest: npt.ArrayLike, rate: float, windows_per_day: float, carry: float = 0.0) -> float:
    """Return the threshold after days of which the largest scores are known.

    Parameters
    ----------
    highest : float64 array [S, D]
        The largest score of each signal on each day; NaN where there is none.
    rate : float
        Accepted false alarms a day, of one signal.
    windows_per_day : float
    carry : float
        The part that a day has of the one before: so many fewer are independent.

    Examples
    --------
    Ten signals, whose scores have the slope of the bound:

    >>> days = -np.log(np.linspace(1, 0.001, 1000)).reshape(100, 10).T
    >>> threshold(days, 1 / 300, 24) < bound(1 / 300, 24)
    True
    """
    theory = bound(rate, windows_per_day)
    highest = np.asarray(highest, dtype=np.float64)
    count = int(np.isfinite(highest).sum())
    if count < FEWEST:
        return theory
    of_days = np.sort(np.where(np.isfinite(highest), highest, -np.inf), axis=0)[-OF_A_DAY:]
    largest = np.sort(of_days[np.isfinite(of_days)])[::-1]
    tail = min(TAIL_DAYS, int(TAIL_SHARE * count), len(largest) - 1)
    of_many = max(CENSORED_DAYS, count // CENSORED_OF_MANY)
    censored = min(of_many, math.ceil(count / CENSORED_OF_FEW), TAIL_DAYS // 2)
    if tail <= censored:
        return theory
    start, end = float(largest[tail]), float(largest[censored])
    beyond = largest[:tail][largest[:tail] > start]
    uncensored = len(beyond) - censored
    if uncensored < 3:
        return theory
    slope = float(np.sum(np.minimum(beyond, end) - start)) / uncensored
    slope += TOWARDS_BOUND * (1 - slope)
    shown = start + slope * math.log(tail / count / rate)
    heard = uncensored * (1 - carry) / (1 + carry)
    mixed = (BOUND_WEIGHT * theory + heard * shown) / (BOUND_WEIGHT + heard)
    return min(max(mixed, theory + LOWEST), theory + HIGHEST)
