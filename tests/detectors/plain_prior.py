"""What variances have in common, by the likelihood that SciPy gives: a variance over a typical one is of an F."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

WORTH = (1, 2, 4, 8, 16, 32)
"""Degrees of freedom that the typical variance may be worth."""


def log_likelihood(squares: Sequence[float], freedoms: Sequence[float], worth: float, typical: float) -> float:
    """Return how likely sums of squares are if a typical variance is worth so many degrees of freedom."""
    degrees = np.asarray(freedoms, dtype=np.float64)
    variances = np.asarray(squares, dtype=np.float64) / degrees
    return float(np.sum(stats.f.logpdf(variances / typical, degrees, worth) - np.log(typical)))


def most_likely_prior(squares: Sequence[float], freedoms: Sequence[float]) -> tuple[float, float]:
    """Return what a typical variance is worth, and what it is."""
    variances = np.asarray(squares, dtype=np.float64) / np.asarray(freedoms, dtype=np.float64)
    ends = np.log([variances.min() / 3, variances.max() * 3])
    fits = {
        worth: optimize.minimize_scalar(
            lambda logarithm, worth=worth: -log_likelihood(squares, freedoms, worth, float(np.exp(logarithm))),
            bounds=ends,
            method="bounded",
            options={"xatol": 1e-9},
        )
        for worth in WORTH
    }
    best = min(fits, key=lambda worth: float(fits[worth].fun))
    return float(best), float(np.exp(fits[best].x))
