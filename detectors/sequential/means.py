"""Asymptotic evidence on the difference of two means, from sums.

With weights ``w = n m / (n + m)``, ``S = sum w (d - margin)`` of the strata's differences ``d`` has a variance ``V``,
and ``W = sum w`` is the number of observations that counts. Under a strong approximation ``S`` is a Brownian motion at
time ``V`` (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences", 2024), and the mixture of its likelihood ratios over a half-normal distance beyond the margin
(Robbins 1970) is

    ``2 sqrt(r / (W + r)) exp(z**2 / 2) Phi(z)``,   ``z = S / sqrt(V / W (W + r))``,   ``r = V / W / shift**2``.

``V`` is the largest of ``sum w**2 (s**2 / m + t**2 / n)``, ``sum w s**2`` and ``sum w t**2``, ``s**2`` and ``t**2``
being the variances within the strata: where observations are skew, a small arm whose mean is low by chance has a low
variance, too, and would seem more certain than it is.

It is asymptotic: exact for normal observations of known variance, and nothing is concluded from fewer than
``LEAST_EVENTS`` observations of each version.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.sequential.strata import Floats, Strata

__all__ = ["LEAST_EVENTS", "mean_evidence"]

LEAST_EVENTS = 500
"""Observations of each version before which nothing is concluded."""

DEFAULT_SHIFT = 0.1
"""Standard deviations by which the difference is expected beyond the margin where no shift is stated."""

LEAST_SPREAD = 0.01
"""Standard deviation of an observation at least, as a part of the shift: what does not vary at all can be compared."""

FAR = 30.0
_erfc = np.frompyfunc(math.erfc, 1, 1)


def mean_evidence(strata: Strata, margin: float, shift: float = 0.0) -> Floats:
    """Return the evidence that the candidate's mean exceeds the champion's by more than a margin.

    Parameters
    ----------
    strata : Strata
    margin : float
    shift : float
        By how much the difference is expected to exceed the margin: there evidence grows fastest. 0: by
        ``DEFAULT_SHIFT`` standard deviations.

    Returns
    -------
    float64 array [..., strata]
        Logarithms, after each stratum; minus infinity where nothing can be concluded yet.

    Examples
    --------
    >>> from detectors.sequential.strata import Arm
    >>> n = np.full(8, 200.0)
    >>> hours = Strata(Arm(n, 5.0 * n, 26.0 * n), Arm(n, 5.0 * n, 26.0 * n))
    >>> evidence = mean_evidence(hours, margin=-0.1, shift=0.1)
    >>> [round(float(after), 1) for after in evidence]
    [-inf, -inf, 1.1, 1.4, 1.8, 2.3, 2.7, 3.1]
    """
    candidate, champion = strata.candidate, strata.champion
    both = (candidate.n > 1) & (champion.n > 1)
    w = np.where(both, strata.weight, 0.0)
    weight = np.cumsum(w, axis=-1)
    moved = np.cumsum(w * (candidate.mean - champion.mean - margin), axis=-1)
    # More variance than there is takes nothing from what is certain.
    spread = np.maximum(_spread(strata, w), weight * (LEAST_SPREAD * shift) ** 2)
    least = np.minimum(*(np.cumsum(np.where(both, arm.n, 0.0), axis=-1) for arm in (candidate, champion)))
    concluded = (least >= LEAST_EVENTS) & (spread > 0)
    variance = np.where(concluded, spread, 1.0) / np.where(concluded, weight, 1.0)
    room = variance / shift**2 if shift else np.full(variance.shape, DEFAULT_SHIFT**-2)
    z = moved / np.sqrt(variance * (weight + room))
    evidence = math.log(2) + 0.5 * np.log(room / (weight + room)) + _log_mills(z)
    return np.asarray(np.where(concluded, evidence, -np.inf))


def _spread(strata: Strata, w: Floats) -> Floats:
    """Return the variance of the weighted differences after each stratum, none too small."""
    ours, theirs = strata.candidate, strata.champion
    errors = ours.variance / np.maximum(ours.n, 1.0) + theirs.variance / np.maximum(theirs.n, 1.0)
    sums = [np.cumsum(part, axis=-1) for part in (w * w * errors, w * ours.variance, w * theirs.variance)]
    return np.asarray(np.maximum.reduce(sums))


def _log_mills(z: Floats) -> Floats:
    """Return ``log(exp(z**2 / 2) Phi(z))``; far below 0 by Mills' ratio, where both factors leave the floats."""
    near = np.maximum(z, -FAR)
    below = 0.5 * np.asarray(_erfc(-near / math.sqrt(2)), dtype=np.float64)
    far = -np.log(np.maximum(-z, 1.0) * math.sqrt(2 * math.pi))
    return np.asarray(np.where(z < -FAR, far, 0.5 * near**2 + np.log(below)))
