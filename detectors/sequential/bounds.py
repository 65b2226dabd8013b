"""Bounds of a difference that hold at all times: the margins that evidence does not exclude."""

from __future__ import annotations

import math
from typing import Protocol

from detectors.sequential.strata import Floats, Strata

__all__ = ["Evidence", "lower_bound", "upper_bound"]

DOUBLINGS, HALVINGS = 60, 40
TINY = 1e-9


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
    reach = shift or max(abs(estimate), TINY)
    for _ in range(DOUBLINGS):
        if _excludes(evidence, strata, estimate - reach, shift, enough):
            break
        reach *= 2
    else:
        return -math.inf
    low, high = estimate - reach, estimate
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _excludes(evidence, strata, middle, shift, enough):
            low = middle
        else:
            high = middle
    return low


def upper_bound(evidence: Evidence, strata: Strata, level: float, shift: float = 0.0) -> float:
    """Return what the difference, candidate minus champion, is not above; as `lower_bound`."""
    return -lower_bound(evidence, strata.swapped, level, shift)


def _excludes(evidence: Evidence, strata: Strata, margin: float, shift: float, enough: float) -> bool:
    return bool(evidence(strata, margin, shift)[-1] >= enough)
