"""Difference of two rates: missing values, invalid values, errors."""

from __future__ import annotations

import math

import numpy as np

from detectors.distance.comparison import Comparison, Counts, Floats, Pair
from detectors.distance.tail import normal_sf
from detectors.kernel import kernel

# What Cohen ("Statistical Power Analysis", 1988) calls a small effect. It takes 0 to 1 %, 1 % to 4 %,
# 10 % to 16.8 % or 50 % to 59.9 %.
default_min_effect = 0.2

# Cochran's rule ("Some methods for strengthening the common chi-squared tests", 1954).
SMALLEST_EXPECTED = 5.0


def distance(reference: Counts, current: Counts, positions: Floats | None = None) -> Comparison:
    """Compute the z statistic of two proportions with pooled variance; above zero, the rate of column 1 rose.

    The matrices have two columns: events without and with the property. The p-value is two-sided: normal, or Fisher's
    exact test when fewer than five events with (or without) the property are expected on a side. A rate that was 0
    needs no special treatment that way. The effect is Cohen's h, ``2 * |asin(sqrt(p)) - asin(sqrt(q))|``.

    See `detectors.distance.comparison.Distance` for the parameters.

    Raises
    ------
    ValueError
        If there are not two columns, besides the reasons given there.

    Examples
    --------
    >>> result = distance([[1000, 0]], [[95, 5]])
    >>> result.p_value.tolist()[0] < 1e-4, result.effect.round(2).tolist()
    (True, [0.45])
    """
    pair = Pair.of(reference, current)
    if pair.reference.shape[1] != 2:
        raise ValueError(f"a rate needs two columns, not {pair.reference.shape[1]}")
    p, q = (share[:, 1] for share in pair.shares())
    columns = pair.reference + pair.current
    pooled = columns / np.maximum(pair.n + pair.m, 1)[:, None]
    sd = np.sqrt(pooled[:, 0] * pooled[:, 1] * pair.sampling_variance())
    z = np.divide(q - p, sd, out=np.zeros_like(sd), where=sd > 0)
    p_value = 2 * normal_sf(np.abs(z))
    few = np.minimum(pair.n, pair.m) * pooled.min(axis=1) < SMALLEST_EXPECTED
    exact = pair.filled & few & (sd > 0)
    p_value[exact] = fisher_exact(pair.reference[exact], pair.current[exact])
    # The difference of the arcs as one arc: two close arcs would cancel.
    sine = np.sqrt(q) * np.sqrt(1 - p) - np.sqrt(p) * np.sqrt(1 - q)
    effect = 2 * np.abs(np.arcsin(np.clip(sine, -1, 1)))
    return Comparison(pair.blank(z), pair.blank(p_value), pair.blank(effect))


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
        limit = _ratio(mode, observed, size, marked, total) * (1 + 1e-7)
        weight = 1.0
        inside = 1.0
        extreme = 1.0 if limit >= 1 else 0.0
        k = mode
        while k < high and weight > 1e-320:
            weight *= (marked - k) * (size - k) / ((k + 1) * (total - marked - size + k + 1))
            k += 1
            inside += weight
            extreme += weight if weight <= limit else 0.0
        weight = 1.0
        k = mode
        while k > low and weight > 1e-320:
            weight *= k * (total - marked - size + k) / ((marked - k + 1) * (size - k + 1))
            k -= 1
            inside += weight
            extreme += weight if weight <= limit else 0.0
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
