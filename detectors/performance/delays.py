"""How long labels take: of those that came, and of those that may still come."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["hours_until", "labelled_within"]

Curve = list[tuple[int, float]]


def labelled_within(came: Mapping[int, int], waiting: Mapping[int, int]) -> Curve:
    """Return which share of events has its label within so many hours (Kaplan & Meier, JASA 53, 1958).

    Of the events that waited for ``t`` hours, a share ``d / n`` got its label in the hour that follows; those that are
    younger say nothing about it. ``1 - product of (1 - d / n)`` is the share that has one by its end.

    Parameters
    ----------
    came : mapping of int to int
        Labels by the whole hours that they took.
    waiting : mapping of int to int
        Events without a label by the whole hours that they have waited.

    Returns
    -------
    list of tuple of int and float
        Hours and shares, both ascending: one for each hour in which a label came.

    Examples
    --------
    >>> labelled_within({0: 5, 2: 1}, {1: 3, 48: 1})
    [(1, 0.5), (3, 0.75)]
    """
    remaining, at_risk = 1.0, sum(came.values()) + sum(waiting.values())
    curve = []
    times = sorted({*came, *waiting})
    for hour in times:
        # Whoever waits for just so long was not there for the whole of the hour.
        at_risk -= waiting.get(hour, 0)
        if labels := came.get(hour, 0):
            remaining *= 1 - labels / at_risk
            curve.append((hour + 1, 1 - remaining))
            at_risk -= labels
    return curve


def hours_until(curve: Curve, share: float) -> float:
    """Return within how many hours this share of events has its label; NaN if that is not known yet.

    Examples
    --------
    >>> hours_until([(1, 0.5), (3, 0.8)], 0.75), hours_until([(1, 0.5)], 0.9)
    (3, nan)
    """
    return next((hours for hours, labelled in curve if labelled >= share - 1e-12), math.nan)
