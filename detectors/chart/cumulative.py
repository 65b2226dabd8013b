"""Distances of cumulative shares and of places, in compiled code. `detectors.distance` says where they come from."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.chart.legend import (
    ANDERSONS,
    CHI2,
    CRAMERS,
    EFFECT,
    KNOWN,
    KOLMOGOROV,
    KUIPERS,
    P_DF,
    P_KIND,
    P_X,
    STATISTIC,
)
from detectors.distance.anderson_darling import THIN
from detectors.distance.energy import BOUND_HOLDS_FROM
from detectors.distance.pai import FEWEST, SMALLEST_SPREAD
from detectors.kernel import inlined, kernel

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@inlined
def ks(before: Integers, now: Integers, numbers: Floats, codes: Integers) -> None:
    n = before[before.size - 1]
    m = now[now.size - 1]
    if n < 2**31 and m < 2**31:
        # Of whole numbers, and divided once.
        furthest = 0
        for k in range(before.size):
            furthest = max(furthest, abs(before[k] * m - now[k] * n))
        largest = furthest / (float(n) * float(m))
    else:
        largest = 0.0
        for k in range(before.size):
            largest = max(largest, abs(before[k] / n - now[k] / m))
    numbers[STATISTIC] = largest
    numbers[EFFECT] = largest
    numbers[P_X] = largest / math.sqrt(1 / n + 1 / m)
    codes[P_KIND] = KOLMOGOROV


@inlined
def kuiper(before: Integers, now: Integers, numbers: Floats, codes: Integers) -> None:
    n = before[before.size - 1]
    m = now[now.size - 1]
    up = 0.0
    down = 0.0
    for k in range(before.size):
        gap = before[k] / n - now[k] / m
        up = max(up, gap)
        down = max(down, -gap)
    numbers[STATISTIC] = up + down
    numbers[EFFECT] = up + down
    numbers[P_X] = (up + down) / math.sqrt(1 / n + 1 / m)
    codes[P_KIND] = KUIPERS


@inlined
def cramer_von_mises(before: Integers, now: Integers, numbers: Floats, codes: Integers) -> None:
    n = float(before[before.size - 1])
    m = float(now[now.size - 1])
    pooled = 0.0
    even = 0.0
    for k in range(before.size - 1):
        a = before[k + 1] - before[k]
        b = now[k + 1] - now[k]
        if a > 0 or b > 0:
            low = before[k] / n - now[k] / m
            high = before[k + 1] / n - now[k + 1] / m
            square = (low * low + low * high + high * high) / 3
            pooled += square * (a + b)
            even += square * (a / n + b / m) / 2
    both = n + m
    statistic = n * m / (both * both) * pooled
    variance = (both + 1) * (4 * n * m * both - 3 * (n * n + m * m) - 2 * n * m) / (180 * both * both * n * m)
    numbers[STATISTIC] = statistic
    numbers[EFFECT] = math.sqrt(even)
    numbers[P_X] = 1 / 6 + (statistic - 1 / 6) * (math.sqrt(1 / 45 / variance) if variance > 0 else 0.0)
    codes[P_KIND] = CRAMERS


@inlined
def anderson_darling(before: Integers, now: Integers, numbers: Floats, codes: Integers) -> None:
    n = before[before.size - 1]
    m = now[now.size - 1]
    both = n + m
    mid_rank = 0.0
    pooled = 0.0
    even = 0.0
    for k in range(before.size - 1):
        a = before[k + 1] - before[k]
        b = now[k + 1] - now[k]
        if a == 0 and b == 0:
            continue
        low = before[k] / n - now[k] / m
        high = before[k + 1] / n - now[k + 1] / m
        share = (a + b) / both
        below = (before[k] + now[k]) / both
        above = (both - before[k + 1] - now[k + 1]) / both
        weight = (below + share / 2) * (above + share / 2) - share / 4
        if weight > 0:
            mid_rank += share * ((low + high) / 2) ** 2 / weight
        pooled += _half(low, high, share, below) + _half(high, low, share, above)
        share = (a / n + b / m) / 2
        below = (before[k] / n + now[k] / m) / 2
        above = ((n - before[k + 1]) / n + (m - now[k + 1]) / m) / 2
        even += _half(low, high, share, below) + _half(high, low, share, above)
    weight = float(n) * float(m) / float(both)
    numbers[STATISTIC] = (both - 1) * (weight / both) * mid_rank
    numbers[EFFECT] = math.sqrt(max(even, 0.0))
    numbers[P_X] = weight * pooled
    codes[P_KIND] = ANDERSONS


@kernel
def _half(near: float, far: float, share: float, low: float) -> float:
    """Return the integral of ``g**2 / u`` for u from low to low + share, g going straight from near to far."""
    rise = far - near
    if low > 0 and low * THIN > share:
        middle = low + share / 2
        return share * (near * near / low + (near + far) ** 2 / middle + far * far / (low + share)) / 6
    away = low / share
    at_0 = near - rise * away
    log = math.log((low + share) / low) if low > 0 else 0.0
    return at_0 * at_0 * log + rise * (2 * at_0 + rise * (away + 0.5))


@inlined
def energy(
    total: Integers, counts: Integers, n: int, m: int, positions: Floats, low: float, high: float, numbers: Floats,
    codes: Integers,
) -> None:  # fmt: skip
    square = 0.0
    usual = 0.0
    between = 0.0
    before = 0
    now = 0
    previous = 0.0
    for k in range(total.size):
        if total[k] > 0 or counts[k] > 0:
            at = min(max(positions[k], low), high)
            if before > 0 or now > 0:
                step = at - previous
                f = before / n
                g = now / m
                pooled = (before + now) / (n + m)
                square += 2 * (f - g) ** 2 * step
                usual += 2 * pooled * (1 - pooled) * step
                between += 2 * (f * (1 - g) + g * (1 - f)) * step
            previous = at
            before += total[k]
            now += counts[k]
    ratio = square / (1 / n + 1 / m) / usual if usual > 0 else 0.0
    numbers[STATISTIC] = math.sqrt(square)
    numbers[EFFECT] = min(math.sqrt(square / between), 1.0) if between > 0 else 0.0
    numbers[P_X] = ratio if ratio >= BOUND_HOLDS_FROM else 0.0
    numbers[P_DF] = 1
    codes[P_KIND] = CHI2


@inlined
def wasserstein(
    total: Integers, counts: Integers, n: int, m: int, positions: Floats, low: float, high: float, numbers: Floats
) -> None:
    moved = 0.0
    gap = 0.0
    mean = 0.0
    previous = 0.0
    started = False
    for k in range(total.size):
        if total[k] > 0 or counts[k] > 0:
            at = min(max(positions[k], low), high)
            if started:
                moved += abs(gap) * (at - previous)
            started = True
            previous = at
            p = total[k] / n
            gap += p - counts[k] / m
            mean += p * at
    variance = 0.0
    for k in range(total.size):
        if total[k] > 0:
            variance += total[k] / n * (min(max(positions[k], low), high) - mean) ** 2
    numbers[STATISTIC] = moved
    if variance > 0:
        numbers[EFFECT] = moved / math.sqrt(variance)
    else:
        numbers[EFFECT] = np.inf if moved > 0 else 0.0


@inlined
def pai(
    total: Integers, counts: Integers, n: int, m: int, positions: Floats, low: float, high: float, numbers: Floats,
    codes: Integers,
) -> None:  # fmt: skip
    mean = 0.0
    for k in range(total.size):
        if total[k] > 0:
            mean += total[k] / n * (min(max(positions[k], low), high) - low)
    variance = 0.0
    seen = 0.0
    for k in range(total.size):
        if total[k] > 0 or counts[k] > 0:
            away = (min(max(positions[k], low), high) - low - mean) ** 2
            variance += total[k] / n * away
            seen += counts[k] / m * away
    usual = (n * variance + m * seen) / (n + m)
    spread = 0.0
    if usual > 0:
        for k in range(total.size):
            if total[k] > 0 or counts[k] > 0:
                away = (min(max(positions[k], low), high) - low - mean) ** 2
                spread += (total[k] + counts[k]) / (n + m) * ((away - usual) / usual) ** 2
    spread = max(spread, SMALLEST_SPREAD)
    ratio = np.inf if seen > 0 else 1.0
    if variance > 0:
        ratio = seen / variance
    numbers[STATISTIC] = (1 + ratio) / 2
    numbers[EFFECT] = max((1 + ratio) / 2 - 1, 0.0)
    unbiased = ratio * (n - 1) / (n + 1) if n > 1 else 0.0
    numbers[P_X] = _f_sf(unbiased, 2 * m / spread, 2 * n / spread)
    codes[P_KIND] = KNOWN


@kernel
def _f_sf(ratio: float, m: float, n: float) -> float:
    """Return P(F > ratio) for m and n degrees of freedom, by Paulson's approximation."""
    if m < FEWEST or n < FEWEST:
        return 1.0
    a = 2 / (9 * m)
    b = 2 / (9 * n)
    if ratio == np.inf:
        return math.erfc((1 - b) / math.sqrt(2 * b)) / 2
    root = np.cbrt(ratio)
    return math.erfc(((1 - b) * root - (1 - a)) / math.sqrt(2 * (b * root * root + a))) / 2
