"""How Pearson's statistic of two samples varies when nothing changed, by its exact moments.

The chi-squared limit needs some five expected observations in nearly every cell (Cochran, Biometrics 10, 1954). A
window of twenty against a baseline of a thousand has less than one in most. The statistic still has the mean of the
limit, but a single observation in a rare cell is a large step of it, and the limit's p-values are up to a hundred times
too small.

Given the size of each side and the total of each cell, the window is drawn without replacement, and the moments of the
statistic are known: its variance (R. B. Dawson, Biometrika 41, 1954) and its third moment, of which P. W. Mielke and
K. J. Berry (Educ. Psychol. Meas. 48, 1988) make a p-value, that of Pearson's type III: a gamma distribution, shifted,
with the same mean, variance and skewness. For large samples that is the limit. What holds given the totals holds on
average over them too.
"""

from __future__ import annotations

import math

from detectors.distance.contract import LIMIT_DF, LIMIT_X, P_DF, P_X, Floats
from detectors.kernel import inlined, kernel

FEWEST_OBSERVATIONS = 6
"""Of fewer observations on both sides together no table is less probable than one in ten: they are no evidence."""

LARGEST_DF = 10_000.0
"""Degrees of freedom of a statistic that is not skewed to the right: all but a normal distribution."""

ROUNDING = 1e-12
"""A variance this far below the square of the mean is none: the same statistic comes of every table."""


@inlined
def refer(statistic: float, n: float, m: float, cells: int, inverses: float, squares: float, answer: Floats) -> None:
    """Write what the p-value of the statistic is made of.

    Where rare cells make the statistic more skewed than its limit, few large steps are added to what is close to the
    limit by itself. A gamma distribution of both together has the right tail and too little above the middle: there the
    limit's p-value is larger, and the larger one counts.

    Parameters
    ----------
    statistic
        Pearson's.
    n, m
        How many observations each side has.
    cells
        How many cells are occupied.
    inverses, squares
        The sums over these of 1/t and 1/t², t being what both sides have in the cell.
    """
    total = n + m
    limit_df = cells - 1.0
    answer[P_X] = 0.0
    answer[P_DF] = limit_df
    if cells < 2 or total < FEWEST_OBSERVATIONS:
        return
    weight = (total / n) * (total / m)
    variance = _variance(total, weight, float(cells), inverses)
    mean = limit_df * (total / (total - 1))
    if variance <= ROUNDING * mean * mean:
        return
    third = _third_moment(total, weight, float(cells), inverses, squares)
    df = max(LARGEST_DF, limit_df)
    if third > 0.0:
        df = min(8 * (variance / third) * (variance / third) * variance, df)
    answer[P_X] = df + (statistic - mean) * math.sqrt(2 * df / variance)
    answer[P_DF] = df
    if df < limit_df:
        answer[LIMIT_X] = statistic
        answer[LIMIT_DF] = limit_df


@kernel
def _variance(total: float, weight: float, cells: float, inverses: float) -> float:
    """Return the variance of the statistic given all margins; `weight` is N² / (n m), 4 for sides of one size."""
    others = total - 1
    uneven_sides = (weight - 4) / (total - 2)
    uneven_cells = (total * inverses - cells * cells) / (total - 2)
    sides = (total - 2) / others - uneven_sides
    columns = (cells - 1) * (total - cells) / others - uneven_cells
    return 2 * total / (total - 3) * sides * columns + total * total / others * uneven_sides * uneven_cells


@kernel
def _third_moment(total: float, weight: float, cells: float, inverses: float, squares: float) -> float:
    """Return the third central moment of the statistic given all margins.

    It is a polynomial of degree 2 in `weight`, whose coefficients are worked out from the factorial moments of what is
    drawn without replacement: ``E[a(a-1)...(a-i+1) b(b-1)...(b-j+1)]`` of the counts of two cells is as many factors of
    their totals, times those of m, over those of N. Powers of v = 1/N keep all terms about as large as the result.
    """
    v = 1 / total
    u = 1 - v
    k1, k2, k3 = v * cells, v * cells * cells, (v * cells) * (v * cells) * cells
    s1, s2, ks = inverses, squares, v * cells * inverses
    quadratic = (
        u
        * u
        * (
            2 * u * (1 - 2 * v) * k3
            + 18 * u * v * k2
            - 3 * u * u * (1 + 4 * v) * ks
            + 4 * v * (7 + v * (15 - 4 * v)) * k1
            - 2 * v * (11 + v * (23 + v * (10 - 8 * v))) * s1
            + (1 + v) * (1 + v * (15 - 4 * v)) * s2
            - 24 * v * v
        )
    )
    linear = u * (
        -2 * u * (11 - 30 * v) * k3
        - 6 * (3 + v * (9 - v * (16 + 20 * v))) * k2
        + 6 * (8 - v * (15 + 5 * v)) * ks
        - 4 * (9 + v * (35 + 10 * v)) * k1
        + 2 * (11 + v * (79 + v * (6 - 60 * v))) * s1
        - 30 * u * (1 + 3 * v) * s2
        + 8 * v * (4 + 5 * v)
    )
    constant = (
        8 * (1 - 3 * v) * (7 - 10 * v) * k3
        + 24 * (3 - v * (4 + 5 * v)) * k2
        - 72 * u * (2 - 5 * v) * ks
        + 8 * (1 + v * (10 + 7 * v)) * cells
        - 8 * u * (14 + 13 * v) * s1
        + 120 * u * u * s2
        - 8 * (1 + 5 * v)
    )
    below = u * u * u * (1 - 2 * v) * (1 - 3 * v) * (1 - 4 * v) * (1 - 5 * v)
    return (weight * (weight * quadratic + linear) + constant) / below
