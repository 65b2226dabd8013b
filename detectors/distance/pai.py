"""Population accuracy index: how much less sure a model is of the window than of its baseline."""

from __future__ import annotations

import math

import numpy as np

from detectors.distance.contract import EFFECT, KNOWN, LOCATED, P_X, STATISTIC, Distance, Floats, Integers
from detectors.distance.counts import sizes
from detectors.kernel import inlined, kernel

SMALLEST_SPREAD = 1e-14
"""Below it all values are equally far from the mean, up to rounding."""

FEWEST = 2.0
"""Degrees of freedom with which the ratio of two variances says something."""


@inlined
def pai(reference: Integers, current: Integers, positions: Floats, extremes: Floats, answer: Floats) -> None:
    """Compute ``(1 + mean((z - mean(x))**2) / var(x)) / 2``, x being the baseline and z the window.

    It is the mean variance of the predictions of a linear regression on this feature, fitted on the baseline, over the
    window's values as a ratio to that over the baseline's own (Taplin and Hunt, "The Population Accuracy Index: A New
    Measure of Population Stability for Model Monitoring", Risks 7, 2019, for one numeric variable): 1 if nothing
    changed, above it if values moved away from where the model was fitted. A window closer to the baseline's mean has
    less than 1, which is no reason for an alarm: the effect is what is above 1, and infinite where a constant moves.

    The p-value is that of an index at least as large. With k the kurtosis of both sides together about the baseline's
    mean, n and m values say as much about their variance as ``2 n / (k - 1)`` and ``2 m / (k - 1)`` normal ones do; the
    ratio of both variances is taken to follow the F distribution with these degrees of freedom, by Paulson's
    approximation (Ann. Math. Stat. 13, 1942). Where a side has less than two, the p-value is 1.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("pai", [[5, 5, 0]], [[0, 5, 5]], [0.0, 1.0, 3.0])
    >>> result.statistic.tolist(), result.effect.tolist()
    ([7.0], [6.0])
    """
    n, m, _ = sizes(reference, current)
    low = extremes[0]
    mean = 0.0  # from the smallest value: far from zero it would lose the digits of distances
    for k in range(reference.size):
        if reference[k] > 0:
            mean += reference[k] / n * (positions[k] - low)
    variance = 0.0
    seen = 0.0
    for k in range(reference.size):
        if reference[k] > 0 or current[k] > 0:
            away = (positions[k] - low - mean) ** 2
            variance += reference[k] / n * away
            seen += current[k] / m * away
    usual = (n * variance + m * seen) / (n + m)
    spread = 0.0
    if usual > 0:
        for k in range(reference.size):
            if reference[k] > 0 or current[k] > 0:
                away = (positions[k] - low - mean) ** 2
                spread += (reference[k] + current[k]) / (n + m) * ((away - usual) / usual) ** 2
    spread = max(spread, SMALLEST_SPREAD)
    ratio = math.inf if seen > 0 else 1.0
    if variance > 0:
        ratio = seen / variance
    answer[STATISTIC] = (1 + ratio) / 2
    answer[EFFECT] = max((1 + ratio) / 2 - 1, 0.0)
    unbiased = ratio * (n - 1) / (n + 1) if n > 1 else 0.0
    answer[P_X] = _f_sf(unbiased, 2 * m / spread, 2 * n / spread)


@kernel
def _f_sf(ratio: float, m: float, n: float) -> float:
    """Return P(F > ratio) for m and n degrees of freedom, by Paulson's approximation."""
    if m < FEWEST or n < FEWEST:
        return 1.0
    a = 2 / (9 * m)
    b = 2 / (9 * n)
    if ratio == math.inf:
        return math.erfc((1 - b) / math.sqrt(2 * b)) / 2
    root = np.cbrt(ratio)
    return math.erfc(((1 - b) * root - (1 - a)) / math.sqrt(2 * (b * root * root + a))) / 2


PAI = Distance(
    "pai",
    "Population accuracy index: spread about the old mean.",
    pai,
    reads=LOCATED,
    p_value=KNOWN,
    # The upper of the customary thresholds, 1.1 (some deterioration) and 1.5 (large): Taplin and Hunt, 2019. It takes a
    # mean that moves by a standard deviation, or a spread that grows by 1.4; heavy tails reach the lower one by chance.
    default_min_effect=0.5,
    spelling="PAI excess",
)
