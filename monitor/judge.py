"""When a window alarms: a pure decision that says why.

Two conditions, both of them. The change is **material**: its effect size is at least ``min_effect``. And it is
**surprising**: beyond what this signal does from window to window when nothing is wrong, at a tail probability that
follows from the accepted number of false alarms. Textbook p-values assume independent observations; real traffic is
not, so they fire all the time on big data: here they are a floor, never enough by themselves.

The signal's own variation is learned from its log effects, in quiet windows and at the onset of each alarm. With m of
them the next one lies beyond

    median + t(p; m - 1) · scale · sqrt(1 + 1/m)

with probability p (the prediction interval for a normal sample, e.g. Hahn and Meeker, *Statistical Intervals*, 1991,
§4.7). Three things make that hold for real signals:

- Effects below a third of ``min_effect`` are all the same quiet: how they vary among themselves says nothing about
  changes that matter.
- The scale is the larger of two robust ones, so that a pattern which returns every week is part of what is usual:
  1.4826 times the median absolute deviation, and the distance of the 90 % quantile in normal units.
- What this signal alone has shown as often as the whole model may alarm falsely is its way (rain on one day in
  eight, say), however strange the normal law finds it. The onset of an alarm is learned for this reason; the rest of
  the alarm is not, so that a lasting change does not become usual by lasting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detectors.distance.tail import normal_isf, student_t_isf

__all__ = ["SCALE_FLOOR", "Judgement", "Limits", "judge", "log_effect", "surprise_limit", "usual"]

QUIET = 1 / 3
"""Effects below this share of ``min_effect`` are not told apart."""

SCALE_FLOOR = 0.25
"""A log effect varies that much from sampling alone (a χ² with 19 degrees of freedom: 0.32), whatever was seen."""

_NORMAL_Q90 = float(normal_isf(0.1))

Status = Literal["ok", "drift", "learning", "no_data"]


@dataclass(frozen=True)
class Judgement:
    """What was decided.

    Attributes
    ----------
    status : str
        ``ok``, ``drift`` or ``learning``.
    surprise : float
        How far the window lies beyond the signal's usual, in its own scale.
    limit : float
        The surprise from which on it alarms; NaN while learning.
    reason : str
    """

    status: Status
    surprise: float
    limit: float
    reason: str


@dataclass(frozen=True)
class Limits:
    """What follows from the false-alarm budget.

    Attributes
    ----------
    tail_probability : float
        Accepted probability of a false alarm per test.
    enough : int
        Windows that must have been seen before anything alarms.
    per_window : float
        False alarms that the whole model may raise per window.
    """

    tail_probability: float
    enough: int
    per_window: float

    def usual_count(self, windows: int) -> float:
        """How often in ``windows`` an effect may have been reached before it counts as the signal's way."""
        return max(1.0, self.per_window * windows)


def log_effect(effect: float, min_effect: float) -> float:
    """The scale on which a signal's variation is learned."""
    return math.log(max(effect, QUIET * min_effect))


def usual(history: Sequence[float]) -> tuple[float, float]:
    """Location and scale of what a signal does when nothing is wrong.

    Examples
    --------
    >>> usual([1.0, 1.0, 1.0, 1.0])
    (1.0, 0.25)
    """
    values = np.sort(np.asarray(history, dtype=np.float64))
    median = _quantile(values, 0.5)
    spread = 1.4826 * _quantile(np.sort(np.abs(values - median)), 0.5)
    return median, max(spread, (_quantile(values, 0.9) - median) / _NORMAL_Q90, SCALE_FLOOR)


def _quantile(ordered: NDArray[np.float64], q: float) -> float:
    """The linearly interpolated quantile of ordered values (`np.quantile` takes fifty times as long for so few)."""
    place = q * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    low, high = float(ordered[below]), float(ordered[above])
    return low + (high - low) * (place - below)


@lru_cache(maxsize=4096)
def surprise_limit(tail_probability: float, windows: int) -> float:
    """The surprise that one quiet window in ``1 / tail_probability`` exceeds, learned from ``windows`` of them."""
    return float(student_t_isf(tail_probability, windows - 1)) * math.sqrt(1 + 1 / windows)


def judge(effect: float, min_effect: float, p_value: float, history: Sequence[float], limits: Limits) -> Judgement:
    """Decide about one window.

    Parameters
    ----------
    effect, min_effect : float
    p_value : float
        NaN where the detector has none; then it is no floor.
    history : sequence of float
        Log effects of the signal's quiet windows, and of the onsets of its alarms.
    limits : Limits

    Returns
    -------
    Judgement

    Examples
    --------
    >>> limits, quiet = Limits(1e-4, 10, 0.001), [log_effect(0.01, 0.1)] * 20
    >>> judge(0.5, 0.1, 1e-9, quiet, limits).status
    'drift'
    >>> judge(0.05, 0.1, 1e-9, quiet, limits).reason
    'not material: effect 0.05 is below 0.1'
    """
    if len(history) < limits.enough:
        reason = f"learning: {len(history)} of {limits.enough} windows seen"
        return Judgement("learning", math.nan, math.nan, reason)
    location, scale = usual(history)
    here = log_effect(effect, min_effect)
    surprise = (here - location) / scale
    limit = surprise_limit(limits.tail_probability, len(history))
    if not effect >= min_effect:
        return Judgement("ok", surprise, limit, f"not material: effect {effect:.3g} is below {min_effect:.3g}")
    if surprise <= limit:
        return Judgement("ok", surprise, limit, f"not surprising: {surprise:.1f} of {limit:.1f} of its usual variation")
    reached = sum(past >= here for past in history)
    if reached > limits.usual_count(len(history)):
        return Judgement("ok", surprise, limit, f"not unusual: reached {reached} times in {len(history)} windows")
    if p_value > limits.tail_probability:
        return Judgement("ok", surprise, limit, f"chance explains it: p = {p_value:.2g}")
    return Judgement("drift", surprise, limit, "")
