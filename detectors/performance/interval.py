"""Confidence intervals of 95 %, from a value and how many independent events are behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["Interval", "Z", "around", "expit", "of_logit", "of_mean", "wilson"]

Interval = tuple[float, float]

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


def wilson(share: float, count: float) -> Interval:
    """Return the score interval of a share of ``count`` events (Wilson, JASA 22, 1927).

    Examples
    --------
    >>> [round(end, 4) for end in wilson(1.0, 100)]
    [0.963, 1.0]
    """
    squared = Z * Z / count
    middle = (share + squared / 2) / (1 + squared)
    # Shares of weights may be a rounding error above 1.
    spread = Z * math.sqrt(max(share * (1 - share), 0.0) / count + squared / (4 * count)) / (1 + squared)
    return max(middle - spread, 0.0), min(middle + spread, 1.0)


def of_mean(mean: float, mean_of_squares: float, count: float) -> Interval:
    """Return the normal interval of a mean of ``count`` events."""
    spread = Z * math.sqrt(max(mean_of_squares - mean * mean, 0.0) / count)
    return mean - spread, mean + spread


def of_logit(share: float, variance: float) -> Interval:
    """Return the interval of a share between 0 and 1 that is normal on the scale of log-odds, by the delta method."""
    middle, spread = math.log(share / (1 - share)), Z * math.sqrt(variance) / (share * (1 - share))
    return expit(middle - spread), expit(middle + spread)


def around(values: Sequence[float], intervals: Sequence[Interval], parts: int) -> Interval:
    """Return the interval of independent values, added up and divided (MOVER: Zou & Donner, Stat. Med. 27, 2008)."""
    mean = sum(values) / parts
    below = math.sqrt(sum((value - low) ** 2 for value, (low, _) in zip(values, intervals, strict=True)))
    above = math.sqrt(sum((high - value) ** 2 for value, (_, high) in zip(values, intervals, strict=True)))
    return mean - below / parts, mean + above / parts


def expit(x: float) -> float:
    """Return the share of which ``x`` is the logarithm of the odds."""
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
