"""Bounds of a difference that hold at all times: the margins that evidence does not exclude."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from detectors.sequential.strata import Floats, Strata

__all__ = ["Evidence", "lower_bound", "upper_bound"]

DOUBLINGS, STEPS = 60, 60
TINY = 1e-9
PRECISION = 1e-6
"""Of a bound, as a part of its distance from the estimate."""


Point = tuple[float, float]
"""A margin, and by how much the evidence against it is more than enough."""


class Evidence(Protocol):
    """What `rate_evidence` and `mean_evidence` are."""

    def __call__(self, strata: Strata, margin: float, shift: float) -> Floats:
        """Return the logarithms of the evidence after each stratum."""


def lower_bound(evidence: Evidence, strata: Strata, level: float, shift: float = 0.0) -> float:
    """Return what the difference, candidate minus champion, is not below.

    Parameters
    ----------
    evidence : callable
    strata : Strata
        One comparison; one stratum at least.
    level : float
        The probability that the difference is ever below the bound.
    shift : float
        As evidence takes it.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.sequential import Arm, rate_evidence
    >>> n = np.full(24, 1_000.0)
    >>> strata = Strata(Arm(n, 0.02 * n, 0.02 * n), Arm(n, 0.03 * n, 0.03 * n))
    >>> round(strata.difference, 4)
    -0.01
    >>> [round(bound(rate_evidence, strata, 0.05, 0.005), 4) for bound in (lower_bound, upper_bound)]
    [-0.014, -0.006]
    """
    estimate, enough = strata.difference, -math.log(level)
    if math.isnan(estimate):
        return -math.inf

    def excess(margin: float) -> float:
        """Return by how much the evidence against a margin is more than enough."""
        return float(evidence(strata, margin, shift)[-1]) - enough

    # Of strata that differ a lot from one another, the weighted mean itself may be excluded.
    if excess(estimate) >= 0:
        return estimate
    reach = shift or max(abs(estimate), TINY)
    first = estimate - reach, excess(estimate - reach)
    is_excluded, factor = first[1] >= 0, 0.5 if first[1] >= 0 else 2.0
    nearer = first
    for _ in range(DOUBLINGS):
        reach *= factor
        point = estimate - reach, excess(estimate - reach)
        if (point[1] >= 0) != is_excluded:
            return _root(excess, *((nearer, point) if is_excluded else (point, nearer)))
        nearer = point
    return nearer[0] if is_excluded else -math.inf


def upper_bound(evidence: Evidence, strata: Strata, level: float, shift: float = 0.0) -> float:
    """Return what the difference, candidate minus champion, is not above; as `lower_bound`."""
    return -lower_bound(evidence, strata.swapped, level, shift)


def _root(excess: Callable[[float], float], low: Point, high: Point) -> float:
    """Return the largest margin that is excluded, from one that is and one that is not.

    By the Illinois rule of regula falsi (Dowell and Jarratt 1971), and by halves where that does not narrow.
    """
    width, weights = high[0] - low[0], [1.0, 1.0]
    for step in range(STEPS):
        if high[0] - low[0] <= PRECISION * width:
            break
        below, above = weights[0] * low[1], -weights[1] * high[1]
        share = below / (below + above) if step % 4 < 3 and math.isfinite(below + above) else 0.5
        margin = low[0] + min(max(share, PRECISION), 1 - PRECISION) * (high[0] - low[0])
        value = excess(margin)
        if value >= 0:
            low, weights = (margin, value), [1.0, weights[1] / 2]
        else:
            high, weights = (margin, value), [weights[0] / 2, 1.0]
    return low[0]
