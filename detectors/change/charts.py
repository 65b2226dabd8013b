r"""Residuals in, evidence out: what a level explains, and charts that add up what it does not.

A residual of a contrast is a level that persists, plus noise, plus sampling:

    r_t = a_t + w_t + s_t,    a_t = φ a_{t-1} + u_t

Its one-step prediction has variance F, and z = (r − a)/√(cF) with a factor c that is learned (`components`). Since the
variances are estimated from few days, z is taken through Student's t to a normal score (Wallace 1959, Ann. Math. Stat.
30): with ν degrees of freedom

    z' = sign(z) (8ν + 1)/(8ν + 3) √(ν ln(1 + z²/ν))

A filter absorbs part of a lasting shift: after its onset only the rest, 1 − h, is seen. For each size δ of a shift and
each direction a CUSUM of log likelihood ratios (Page 1954; Lorden 1971) takes that into account:

    goes on:  S + μ(1 − h) x − (μ(1 − h))²/2,        starts here:  μ x − μ²/2

and the larger of the two, or 0, is the next S. Without dependence h is 0, and this is an ordinary CUSUM. From x a zone
of indifference is taken: what is smaller than that nobody needs to know, however certain it is. It is a shift too, of
which the level absorbs as much: where h is nine in ten, a tenth of it is left.

Levels may go another way than an AR(1), as those of a season that is higher on one day than on another. Then z has
something of those before, and a sum of them in a row varies V times as much as one of independent ones: its long-run
variance (Newey and West 1987, Econometrica 55). What goes on counts for 1/V of itself, and what starts for all.

A day may go further in all of its windows. If the variance of its windows is that of others times a factor with the
distribution of ν/χ²(ν), n of them with z² in the mean make it (ν + n z²)/(ν + n), by Bayes with ν windows like others:
z is divided by its root where that is above 1, and has ν + n degrees of freedom at most. A shift is part of it only
once it was seen.

A level that lasts for its day (φ = 1 in the scale of windows) is another one on the next, but for the part ρ that
days have in common with the one before: over night a and h are multiplied by ρ. So the first window of each day sees
1 − ρ of what was absorbed of a shift once more, against a variance that is learned from such windows, and a shift that
lasts adds its evidence day by day to that of its onset. That variance is cF + D with the F of windows within a day and
the mean square D of steps over night, which is learned apart; ν is that of their sum (Satterthwaite 1946).

The score of a signal is the logarithm of the mean of exp(S) over all of its charts. A mean of e-processes is one under
any dependence between them (Vovk and Wang 2021; Shin, Ramdas and Rinaldo 2022), so that rows which cannot move cost
no more than the logarithm of their number.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.legend import (
    ABSORBED,
    CALIBRATION,
    CARRY,
    COMMON,
    DAY_STEP,
    DIRECTIONS,
    ELAPSED,
    ERROR,
    EVIDENCE_SUM,
    FREEDOM,
    FREEDOM_FRESH,
    LEVEL,
    LEVEL_VARIANCE,
    LONG_TRAIL,
    MAGNITUDES,
    NOISE,
    OVERNIGHT,
    RESIDUAL,
    RESIDUALS,
    RESIDUALS_SEEN,
    SERIAL,
    STEP,
    TAIL_FREEDOM,
    TODAY,
    TODAY_SEEN,
    TOTAL,
    TRAIL,
    VARIANCE,
    ZONE,
)
from detectors.kernel import inlined, kernel
from detectors.rows import copy_row

Floats = npt.NDArray[np.float64]

NO_REPEAT = -2.3
"""Evidence of a window that is not like the one before it at all."""

CLIP = 3.0
"""Standard deviations beyond which a residual moves its level no further."""

LEAST_FRESH = 0.4
"""Part of the standard deviation of a day's first residual in which its shifts are counted at least: where levels step
far over night, eight standard deviations of a window are little."""

MOST_SQUARE = 9.0
"""Limit of a squared standardised residual in what is learned from it."""


@inlined
def step_level(row: Floats) -> None:
    """Carry a level over to the next window or day."""
    _step(row, row[CARRY], row[STEP])


@inlined
def begin_level(row: Floats, charts: Floats) -> None:
    """Carry a level over to the first window of a day, which has as much of it as days have of the one before.

    What is not carried over of a shift that the level has absorbed, charts see once more.
    """
    overnight = row[OVERNIGHT]
    row[TRAIL] = row[LONG_TRAIL] = 0.0
    row[TODAY] = row[TODAY_SEEN] = 0.0
    _step(row, overnight * row[CARRY], row[STEP] + row[DAY_STEP])
    for magnitude in range(MAGNITUDES):
        for direction in range(DIRECTIONS):
            charts[magnitude, direction, ABSORBED] *= overnight


@inlined
def _step(row: Floats, carry: float, step: float) -> None:
    row[LEVEL] *= carry
    row[VARIANCE] = carry * carry * row[VARIANCE] + step
    # A gap must not make everything possible: no level strays further than it ever does.
    row[VARIANCE] = min(row[VARIANCE], 4 * (row[LEVEL_VARIANCE] + row[DAY_STEP]) + 1e-12)


@inlined
def take_in(row: Floats, charts: Floats, residual: float, sampling: float, fresh: bool) -> float:
    """Take in a residual, and return its standardised form, z.

    Parameters
    ----------
    row
        float64[FILTER]: the contrast at this scale.
    charts
        float64[MAGNITUDES, DIRECTIONS, CHART]
    residual, sampling
        A contrast minus its expectation, and the variance that sampling gives it.
    fresh
        Whether it is the first of its day, whose level is a new one.
    """
    row[RESIDUAL] = residual
    row[TOTAL] = row[VARIANCE] + row[NOISE] + sampling
    # Steps over night are learned from first residuals as they are.
    overnight = min(row[DAY_STEP], row[VARIANCE]) if fresh else 0.0
    within = (row[TOTAL] - overnight) * row[CALIBRATION]
    spread = np.sqrt(overnight + within)
    error = residual - row[LEVEL]
    z = error / spread
    freedom = row[FREEDOM]
    if fresh:
        # Of a sum of two variances (Satterthwaite 1946).
        of_both = (overnight + within) ** 2 / (overnight**2 / row[FREEDOM_FRESH] + within**2 / freedom)
        freedom = min(of_both, freedom)
    common = 1.0
    if row[COMMON] > 0:
        # A day that goes further than others so far does so for the rest of it.
        common = max((row[COMMON] + row[TODAY]) / (row[COMMON] + row[TODAY_SEEN]), 1.0)
        freedom = min(freedom, row[COMMON] + row[TODAY_SEEN])
        row[TODAY] += min(z * z, MOST_SQUARE)
        row[TODAY_SEEN] += 1
    score = (8 * freedom + 1) / (8 * freedom + 3) * np.sqrt(freedom * math.log1p(z * z / common / freedom))
    if z < 0:
        score = -score
    gain = row[VARIANCE] / row[TOTAL]
    # A new day's level is taken as it is: clipped, it would leave evidence of its own behind, window after window.
    limited = error if fresh else _limited(error, spread, row[TAIL_FREEDOM])
    row[LEVEL] += gain * limited
    row[ERROR] = error if fresh else residual - row[LEVEL]
    row[VARIANCE] *= 1 - gain
    steady = np.sqrt((row[STEP] + row[NOISE] + sampling) * row[CALIBRATION]) / spread
    if fresh:
        steady = max(steady, LEAST_FRESH)
    zone = row[ZONE] / spread
    going_on = 1 / (1 + row[SERIAL])
    size = 0.5
    for magnitude in range(MAGNITUDES):
        onset = size * steady
        for direction in range(DIRECTIONS):
            x = score if direction == 0 else -score
            chart = charts[magnitude, direction]
            seen = 1 - chart[ABSORBED]
            remaining = onset * seen
            evidence = chart[EVIDENCE_SUM] + going_on * remaining * (x - zone * seen - 0.5 * remaining)
            anew = onset * (x - zone) - 0.5 * onset * onset
            if anew >= evidence or evidence < 0:
                chart[ABSORBED] = 0.0
                chart[RESIDUALS] = 0.0
                chart[RESIDUALS_SEEN] = 0.0
                chart[ELAPSED] = 0.0
            chart[EVIDENCE_SUM] = max(evidence, anew, 0.0)
            chart[ABSORBED] = row[CARRY] * (chart[ABSORBED] + gain * (1 - chart[ABSORBED]))
            chart[RESIDUALS] += residual
            chart[RESIDUALS_SEEN] += 1
            chart[ELAPSED] += 1
        size *= 2
    return float(z)


@inlined
def _limited(error: float, spread: float, freedom: float) -> float:
    """Return how far a level goes with a residual: of a row with long tails, as far as one of the same normal score."""
    limit = CLIP * spread
    if freedom > 0:
        root = CLIP * (8 * freedom + 3) / (8 * freedom + 1)
        limit = spread * math.sqrt(freedom * math.expm1(root * root / freedom))
    return min(max(error, -limit), limit)


@kernel
def let_pass(charts: Floats) -> None:
    """Let a window or a day pass in which there is no residual."""
    for magnitude in range(MAGNITUDES):
        for direction in range(DIRECTIONS):
            charts[magnitude, direction, ELAPSED] += 1


@kernel
def copy_charts(charts: Floats, to: Floats) -> None:
    """Write charts of one contrast and scale over others."""
    for magnitude in range(MAGNITUDES):
        for direction in range(DIRECTIONS):
            copy_row(charts[magnitude, direction], to[magnitude, direction])


@inlined
def bet(log_probability: float) -> float:
    """Return the logarithm of ε p^(ε − 1), which has mean 1 under a uniform p (Shafer 2021), here with ε = 0.1."""
    return -0.9 * log_probability + NO_REPEAT


@inlined
def combine(charts: Floats, first: int, rows: int, repeats: float) -> float:
    """Return the logarithm of the mean of exp(S) over all charts of a signal, and one for repeated values.

    Parameters
    ----------
    charts
        float64[R, MAGNITUDES, DIRECTIONS, CHART]
    first, rows
        Which of them are the signal's.
    repeats
        Evidence that windows repeat themselves (`bet`).
    """
    largest = max(repeats, 0.0)
    for r in range(first, first + rows):
        for magnitude in range(MAGNITUDES):
            for direction in range(DIRECTIONS):
                largest = max(largest, charts[r, magnitude, direction, EVIDENCE_SUM])
    total = math.exp(repeats - largest)
    for r in range(first, first + rows):
        for magnitude in range(MAGNITUDES):
            for direction in range(DIRECTIONS):
                total += math.exp(charts[r, magnitude, direction, EVIDENCE_SUM] - largest)
    return float(largest + math.log(total / (rows * MAGNITUDES * DIRECTIONS + 1)))


@inlined
def leading(charts: Floats) -> float:
    """Return the evidence of the strongest chart of a row, float64[MAGNITUDES, DIRECTIONS, CHART]."""
    most = 0.0
    for magnitude in range(MAGNITUDES):
        for direction in range(DIRECTIONS):
            most = max(most, charts[magnitude, direction, EVIDENCE_SUM])
    return most
