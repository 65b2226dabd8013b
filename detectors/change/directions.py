"""A window of vectors as a few signed numbers: where it lies, and how far it spreads, along some directions.

The mean of ``exp(i w · x)`` over a window, its empirical characteristic function at a frequency w, says both of the
projection ``w · x``: its angle φ where that lies, and its modulus r how far it spreads, which is ``exp(-s²/2)`` of a
normal one with standard deviation s (Feuerverger and Mureika, Ann. Stat. 5, 1977). Projections of vectors with many
coordinates are close to normal, whatever these are (Diaconis and Freedman, Ann. Stat. 12, 1984). No vector weighs more
than 1 in such a mean, however far away it is.

- position: ``sin(φ - φ₀) / s₀``, φ₀ and s₀ being those of a reference: standard deviations of it, for small shifts.
- spread: ``ln(s / s₀)`` with ``s² = -ln r²``, where r² is without the part that pairs of a vector with itself have.
- spread over all directions: the same of the mean of r² over all frequencies, which is the mean kernel of two vectors
  of the window (`detectors.distance.mmd`). It varies less than one of a single direction, the less the more directions
  vectors vary in: that is taken as ``2 (Σ s₀²)² / Σ (s₀² - mean)²`` over the frequencies, as it is of normal vectors.

What one vector contributes to the variance of each is that of a normal projection: by the delta method
``(1 - r⁴) / (2 r² s₀²)`` and ``(1 - r²)² / (2 r² s⁴)``. Where that is wrong, charts learn how far windows vary.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.change.contrasts import FEWEST_SPREAD
from detectors.kernel import inlined, kernel

__all__ = ["FLOOR", "LEAST_SQUARE", "direction_contrasts", "squared_moduli"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LEAST_SQUARE = 1e-3
"""Least squared modulus: of a projection that spreads further, it is not known how far."""

FLOOR = 1e-3
"""Added to squared standard deviations, so that what is constant has a logarithm."""

FEWEST_OVERALL = 3
"""Vectors that have a spread over all directions: one for each pair of them, at hundreds of frequencies."""

OF_REFERENCE = 20.0
"""Vectors for which the reference counts in what one vector contributes: a modulus of few is too unsure."""


@kernel
def squared_moduli(sums: Integers, n: int, unit: float) -> Floats:
    """Return the squared modulus at each frequency of some vectors, float64[F], without pairs of one with itself.

    Parameters
    ----------
    sums
        int64[2 F]: cosines and sines in turn, in whole numbers of ``1 / unit``.
    n
        How many vectors, at least 2.
    unit
    """
    squares = np.empty(sums.size // 2)
    for j in range(squares.size):
        squares[j] = _square(sums[2 * j] / unit / n, sums[2 * j + 1] / unit / n, n)
    return squares


@kernel
def direction_contrasts(
    sums: Integers, n: Integers, unit: float, chosen: Integers, turns: Floats, squares: Floats, overall: float,
    weight: float, values: Floats, units: Floats,
) -> None:  # fmt: skip
    """Write the contrasts of windows: a position and a spread along each direction, and the spread over all.

    Parameters
    ----------
    sums, n
        int64[T, 2 F], int64[T]: as `squared_moduli` takes them, of any number of vectors.
    unit
    chosen, turns, squares
        int64[J], float64[J, 2], float64[J]: frequencies, and what the reference has at them: the cosine and the sine of
        its angle, and its squared modulus.
    overall, weight
        The reference's mean squared modulus over all frequencies, and how many times the logarithm of its spread is
        taken, so that it varies about as much as that along one direction.
    values, units
        float64[T, 2 J + 1]: contrasts, NaN where there are too few vectors, and the variance that one contributes.
    """
    count = chosen.size
    for t in range(n.size):
        values[t] = np.nan
        units[t] = 1.0
        if n[t] == 0:
            continue
        total = 0.0
        for j in range(sums.shape[1] // 2):
            cosine, sine = sums[t, 2 * j] / unit / n[t], sums[t, 2 * j + 1] / unit / n[t]
            total += cosine * cosine + sine * sine
        for i in range(count):
            j = chosen[i]
            cosine, sine = sums[t, 2 * j] / unit / n[t], sums[t, 2 * j + 1] / unit / n[t]
            along, across = cosine * turns[i, 0] + sine * turns[i, 1], sine * turns[i, 0] - cosine * turns[i, 1]
            spread = FLOOR - math.log(squares[i])
            values[t, 2 * i] = (
                across / max(math.sqrt(along * along + across * across), LEAST_SQUARE) / math.sqrt(spread)
            )
            square = _square(cosine, sine, n[t])
            pooled = (n[t] * square + OF_REFERENCE * squares[i]) / (n[t] + OF_REFERENCE)
            units[t, 2 * i] = (1 - pooled * pooled) / (2 * pooled * spread)
            if n[t] >= FEWEST_SPREAD:
                values[t, 2 * i + 1] = 0.5 * math.log((FLOOR - math.log(square)) / spread)
                of_both = FLOOR - math.log(pooled)
                units[t, 2 * i + 1] = ((1 - pooled) / of_both) ** 2 / (2 * pooled)
        if n[t] >= FEWEST_OVERALL:
            square = _without_itself(2 * total / sums.shape[1], n[t])
            ratio = (FLOOR - math.log(square)) / (FLOOR - math.log(overall))
            values[t, 2 * count] = weight * 0.5 * math.log(ratio)
            units[t, 2 * count] = 0.5


@inlined
def _square(cosine: float, sine: float, n: int) -> float:
    return _without_itself(cosine * cosine + sine * sine, n)


@inlined
def _without_itself(square: float, n: int) -> float:
    """Return a squared modulus without pairs of a vector with itself, between `LEAST_SQUARE` and 1."""
    pairs = (n * square - 1) / (n - 1) if n > 1 else square
    return min(max(pairs, LEAST_SQUARE), 1.0)
