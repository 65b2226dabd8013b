"""What the variances of signals of one kind say of one that has few days of its own (empirical Bayes).

Sums of squares of ν degrees of freedom are taken for scaled chi-squares whose variances are inverse chi-squares of d
degrees about a typical one: alike if d is large, each its own if it is small (Smyth 2004, Stat. Appl. Genet. Mol. Biol.
3). A variance is then known as if from d days more.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.kernel import inlined

__all__ = ["prior_of"]

Floats = npt.NDArray[np.float64]

WORTH = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
"""Days that it may be worth."""

ROUNDS, SETTLED = 20, 1e-9
"""Rounds in which the typical variance is found at most, and from which change of it on it is."""


@inlined
def prior_of(squares: Floats, freedoms: Floats) -> tuple[float, float]:
    """Return of how many days a typical variance is worth, and what it is, by what makes the squares likeliest.

    Parameters
    ----------
    squares, freedoms
        float64[N], none of them 0.
    """
    overall = squares.sum() / freedoms.sum()
    worth, typical = 0.0, overall
    best = -np.inf
    for days in WORTH:
        variance = overall
        for _ in range(ROUNDS):
            inverse = 0.0
            for n in range(squares.size):
                inverse += (days + freedoms[n]) / (days * variance + squares[n])
            change = squares.size / inverse - variance
            variance += change
            if abs(change) <= SETTLED * variance:
                break
        likelihood = 0.0
        for n in range(squares.size):
            likelihood += math.lgamma(0.5 * (days + freedoms[n])) - math.lgamma(0.5 * days)
            likelihood += 0.5 * days * math.log(days * variance)
            likelihood -= 0.5 * (days + freedoms[n]) * math.log(days * variance + squares[n])
        if likelihood > best:
            best, worth, typical = likelihood, days, variance
    return worth, typical
