"""When a window alarms: a pure decision that says why.

Two conditions, both of them. The change is **material**: its effect size is at least ``min_effect``. And it is
**surprising**: beyond what this signal does from window to window when nothing is wrong, at a tail probability that
follows from the accepted number of false alarms. Textbook p-values assume independent observations; real traffic is
not, so they fire all the time on big data: here they are a floor, never enough by themselves.

The signal's own variation is the log effect in its quiet windows, taken as Student-t around their median: with m
quiet windows the next one lies beyond

    median + t(p; m - 1) · scale · sqrt(1 + 1/m)

with probability p (the prediction interval for a normal sample, e.g. Hahn and Meeker, *Statistical Intervals*, 1991,
§4.7). The scale is the larger of two robust ones, so that a pattern which returns every week is part of what is
usual: 1.4826 times the median absolute deviation, and the distance of the 90 % quantile in normal units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from detectors.distance.tail import normal_isf, student_t_isf

__all__ = ["MIN_LOG", "SCALE_FLOOR", "Judgement", "judge", "log_effect", "surprise_limit", "usual"]

MIN_LOG = math.log(1e-4)
"""Effects below 1e-4 are all the same nothing."""

SCALE_FLOOR = 0.1
"""A log effect varies by a tenth from sampling alone, however constant the few windows seen so far were."""

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


def log_effect(effect: float) -> float:
    """The scale on which a signal's variation is learned."""
    return max(math.log(effect), MIN_LOG) if effect > 0 else MIN_LOG


def usual(history: Sequence[float]) -> tuple[float, float]:
    """Location and scale of what a signal does when nothing is wrong.

    Examples
    --------
    >>> usual([1.0, 1.0, 1.0, 1.0])
    (1.0, 0.1)
    """
    values = np.asarray(history, dtype=np.float64)
    median, upper = (float(q) for q in np.quantile(values, (0.5, 0.9)))
    spread = 1.4826 * float(np.median(np.abs(values - median)))
    return median, max(spread, (upper - median) / _NORMAL_Q90, SCALE_FLOOR)


@lru_cache(maxsize=4096)
def surprise_limit(tail_probability: float, windows: int) -> float:
    """The surprise that one quiet window in ``1 / tail_probability`` exceeds, learned from ``windows`` of them."""
    return float(student_t_isf(tail_probability, windows - 1)) * math.sqrt(1 + 1 / windows)


def judge(
    effect: float,
    min_effect: float,
    p_value: float,
    history: Sequence[float],
    limits: tuple[float, int],
) -> Judgement:
    """Decide about one window.

    Parameters
    ----------
    effect, min_effect : float
    p_value : float
        NaN where the detector has none; then it is no floor.
    history : sequence of float
        Log effects of the signal's quiet windows.
    limits : (float, int)
        The tail probability of a false alarm per test, and how many quiet windows must have been seen.

    Returns
    -------
    Judgement

    Examples
    --------
    >>> judge(0.5, 0.1, 1e-9, [log_effect(0.01)] * 20, (1e-4, 10)).status
    'drift'
    >>> judge(0.05, 0.1, 1e-9, [log_effect(0.01)] * 20, (1e-4, 10)).reason
    'not material: effect 0.05 is below 0.1'
    """
    tail_probability, enough = limits
    if len(history) < enough:
        return Judgement("learning", math.nan, math.nan, f"learning: {len(history)} of {enough} quiet windows seen")
    location, scale = usual(history)
    surprise = (log_effect(effect) - location) / scale
    limit = surprise_limit(tail_probability, len(history))
    if not effect >= min_effect:
        return Judgement("ok", surprise, limit, f"not material: effect {effect:.3g} is below {min_effect:.3g}")
    if surprise <= limit:
        return Judgement("ok", surprise, limit, f"not surprising: {surprise:.1f} of {limit:.1f} of its usual variation")
    if p_value > tail_probability:
        return Judgement("ok", surprise, limit, f"chance explains it: p = {p_value:.2g}")
    return Judgement("drift", surprise, limit, f"effect {effect:.3g} ≥ {min_effect:.3g}, surprise {surprise:.1f}")
