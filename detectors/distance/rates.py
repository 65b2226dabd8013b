"""Difference of two rates: missing values, invalid ones, those out of range."""

from __future__ import annotations

import math

import numpy as np

from detectors.distance.contract import (
    EFFECT,
    INVALID_EVENTS,
    MISSING_EVENTS,
    OUT_OF_RANGE_VALUES,
    P_X,
    RATES,
    STATISTIC,
    TABLE,
    Distance,
    Floats,
    Integers,
)
from detectors.kernel import inlined, kernel

SMALLEST_EXPECTED = 5.0
"""Cochran's rule ("Some methods for strengthening the common chi-squared tests", 1954)."""


@inlined
def rates(reference: Integers, current: Integers, answer: Floats) -> None:
    """Compute the z statistic of two proportions with pooled variance; above zero, the rate of column 1 rose.

    Both sides have two columns: events with and without the property. The p-value is two-sided: normal, or Fisher's
    exact test when fewer than five events with (or without) the property are expected on a side; then ``P_X`` stays
    NaN. A rate that was 0 needs no special treatment that way. The effect is Cohen's h,
    ``2 * |asin(sqrt(p)) - asin(sqrt(q))|``.

    Examples
    --------
    >>> from detectors.distance.compare import compare
    >>> result = compare("missing_rate", [[0, 1000]], [[5, 95]])
    >>> result.p_value.tolist()[0] < 1e-4, result.effect.round(2).tolist()
    (True, [0.45])
    """
    proportions(reference[0], reference[0] + reference[1], current[0], current[0] + current[1], answer)


@inlined
def proportions(a: int, n: int, b: int, m: int, answer: Floats) -> None:
    """Compare a of n with b of m."""
    answer[TABLE] = a
    answer[TABLE + 1] = n - a
    answer[TABLE + 2] = b
    answer[TABLE + 3] = m - b
    if a == 0 and b == 0:
        answer[STATISTIC] = 0.0
        answer[EFFECT] = 0.0
        answer[P_X] = 0.0
        return
    p = (n - a) / n
    q = (m - b) / m
    with_it = (a + b) / (n + m)
    without = ((n - a) + (m - b)) / (n + m)
    sd = math.sqrt(with_it * without * (1 / n + 1 / m))
    z = (q - p) / sd if sd > 0 else 0.0
    # The difference of the arcs as one arc: two close arcs would cancel.
    sine = math.sqrt(q) * math.sqrt(1 - p) - math.sqrt(p) * math.sqrt(1 - q)
    answer[STATISTIC] = z
    answer[EFFECT] = 2 * abs(math.asin(min(max(sine, -1.0), 1.0)))
    if sd == 0 or min(n, m) * min(with_it, without) >= SMALLEST_EXPECTED:
        answer[P_X] = abs(z)


def fisher_exact(reference: Floats, current: Floats) -> Floats:
    """Return the two-sided p-values of Fisher's exact test.

    Parameters
    ----------
    reference, current
        float64[n, 2]: whole counts, without and with the property or the other way round.

    Examples
    --------
    >>> fisher_exact(np.array([[8.0, 2.0]]), np.array([[1.0, 5.0]])).round(4).tolist()
    [0.035]
    """
    out = np.empty(len(reference))
    _fisher_exact(np.rint(reference), np.rint(current), out)
    return out


@kernel
def _fisher_exact(reference: Floats, current: Floats, out: Floats) -> None:
    """Add up the probabilities, given all margins, of the tables that are no more probable than the observed one.

    The count of the rarer column in the smaller sample is followed outwards from its most probable value; few are
    expected there, so the terms fall off quickly.
    """
    for i in range(out.size):
        swap = reference[i].sum() < current[i].sum()
        small = reference[i] if swap else current[i]
        large = current[i] if swap else reference[i]
        rare = 1 if small[1] + large[1] <= small[0] + large[0] else 0
        size = small.sum()
        total = size + large.sum()
        marked = small[rare] + large[rare]
        observed = small[rare]
        low = max(0.0, size + marked - total)
        high = min(size, marked)
        mode = min(max(math.floor((size + 1) * (marked + 1) / (total + 2)), low), high)
        # Probabilities relative to that of the mode; equal ones may differ in the last digits.
        threshold = _ratio(mode, observed, size, marked, total) * (1 + 1e-7)
        weight = 1.0
        inside = 1.0
        extreme = 1.0 if threshold >= 1 else 0.0
        k = mode
        while k < high and weight > 1e-320:
            weight *= (marked - k) * (size - k) / ((k + 1) * (total - marked - size + k + 1))
            k += 1
            inside += weight
            extreme += weight if weight <= threshold else 0.0
        weight = 1.0
        k = mode
        while k > low and weight > 1e-320:
            weight *= k * (total - marked - size + k) / ((marked - k + 1) * (size - k + 1))
            k -= 1
            inside += weight
            extreme += weight if weight <= threshold else 0.0
        out[i] = min(extreme / inside, 1.0)


@kernel
def _ratio(start: float, stop: float, size: float, marked: float, total: float) -> float:
    """Return the hypergeometric probability of `stop` relative to that of `start`."""
    ratio = 1.0
    for k in range(int(start), int(stop)):
        ratio *= (marked - k) * (size - k) / ((k + 1) * (total - marked - size + k + 1))
    for k in range(int(start), int(stop), -1):
        ratio *= k * (total - marked - size + k) / ((marked - k + 1) * (size - k + 1))
    return ratio


def _rate(name: str, summary: str, reads: int) -> Distance:
    # What Cohen ("Statistical Power Analysis", 1988) calls a small effect. It takes 0 to 1 %, 1 % to 4 %,
    # 10 % to 16.8 % or 50 % to 59.9 %. Cohen's h ends at pi.
    return Distance(name, summary, rates, reads, RATES, default_min_effect=0.2, largest_effect=math.pi)


MISSING_RATE = _rate("missing_rate", "Share of events without the field.", MISSING_EVENTS)
INVALID_RATE = _rate("invalid_rate", "Share of events whose field cannot be read.", INVALID_EVENTS)
OUT_OF_RANGE_RATE = _rate("out_of_range_rate", "Share of values outside the declared range.", OUT_OF_RANGE_VALUES)
