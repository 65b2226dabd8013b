"""Exact evidence on the difference of two rates, from counts.

The e-variable of a stratum is that of Turner, Ly and Grünwald ("Generic e-variables for exact sequential k-sample tests
that allow for optional stopping", 2024), for a difference of risks (Turner and Grünwald 2023): the likelihood ratio of
an alternative ``(a', b')`` to the nearest point ``(a, b)``, ``b = a + margin``, of the null. With the alternative

    ``a' = a - c m a (1 - a)``,   ``b' = b + c n b (1 - b)``,   ``c = shift / (m a (1 - a) + n b (1 - b))``

that point is the nearest one, ``n`` being the champion's observations and ``m`` the candidate's. The expectation of the
ratio is then at most 1 for *all* rates of the stratum whose difference does not exceed the margin: rates may change
from stratum to stratum, and only power depends on the guess of ``a``, which earlier strata give. So it is exact at any
number of observations. Products over strata are mixed over several shifts.

The ratio is convex in an observation, so means of any observations within [0, 1] may be compared by it too.
"""

from __future__ import annotations

import numpy as np

from detectors.sequential.strata import Floats, Strata

__all__ = ["DEFAULT_SHIFT", "rate_evidence"]

SHIFTS = {0.25: 0.1, 0.5: 0.2, 1.0: 0.4, 2.0: 0.2, 4.0: 0.1}
"""Multiples of the shift, and what each weighs in the mixture."""

DEFAULT_SHIFT = 0.1
"""Standard deviations by which the alternative is beyond the margin where no shift is stated."""

MOST_TILT = 0.9
"""No alternative takes more than this share of a rate, or of its complement, away: one observation ends no evidence."""

EDGE = 1e-6


def rate_evidence(strata: Strata, margin: float, shift: float = 0.0) -> Floats:
    """Return the evidence that the candidate's rate exceeds the champion's by more than a margin.

    Parameters
    ----------
    strata : Strata
        Of observations that are 0 or 1, or within [0, 1].
    margin : float
        Below 1; that a difference is beyond -1 is certain.
    shift : float
        By how much the difference is expected to exceed the margin: there evidence grows fastest. 0: by
        ``DEFAULT_SHIFT`` standard deviations.

    Returns
    -------
    float64 array [..., strata]
        Logarithms, after each stratum.

    Examples
    --------
    >>> from detectors.sequential.strata import Arm
    >>> counts = np.full(6, 1000.0)
    >>> strata = Strata(Arm(counts, counts * 0.02, counts * 0.02), Arm(counts, counts * 0.02, counts * 0.02))
    >>> evidence = rate_evidence(strata, margin=-0.02, shift=0.02)
    >>> [bool(after > np.log(1 / 0.05)) for after in evidence]
    [False, True, True, True, True, True]
    """
    champion, candidate = strata.champion, strata.candidate
    if margin <= -1:
        return np.full(champion.n.shape, np.inf)
    both = (champion.n > 0) & (candidate.n > 0)
    n, m = np.where(both, champion.n, 0.0), np.where(both, candidate.n, 0.0)
    a = _guess(strata, margin)
    b = a + margin
    size = m * a * (1 - a) + n * b * (1 - b)
    step = shift or DEFAULT_SHIFT * np.sqrt(a * (1 - a))
    most = MOST_TILT / np.maximum(np.maximum(m * (1 - a), n * b), EDGE)
    mixed = np.full(n.shape, -np.inf)
    for multiple, weight in SHIFTS.items():
        c = np.minimum(multiple * step / np.maximum(size, EDGE), most)
        ratio = _log_ratio(champion.total, n, -c * m, a) + _log_ratio(candidate.total, m, c * n, b)
        mixed = np.logaddexp(mixed, np.log(weight) + np.cumsum(np.where(both, ratio, 0.0), axis=-1))
    return mixed


def _guess(strata: Strata, margin: float) -> Floats:
    """Return the champion's rate at the margin, as the strata before each have it; before the first, one half."""
    n, m = (np.cumsum(arm.n, axis=-1) - arm.n for arm in (strata.champion, strata.candidate))
    ones, others = (np.cumsum(arm.total, axis=-1) - arm.total for arm in (strata.champion, strata.candidate))
    rate = (ones + others + 0.5 - m * margin) / (n + m + 1.0)
    return np.asarray(np.clip(rate, max(0.0, -margin) + EDGE, min(1.0, 1.0 - margin) - EDGE))


def _log_ratio(ones: Floats, n: Floats, tilt: Floats, rate: Floats) -> Floats:
    """Return the logarithm of the likelihood ratio of a rate moved by ``tilt`` times its variance."""
    return ones * np.log1p(tilt * (1 - rate)) + (n - ones) * np.log1p(-tilt * rate)
