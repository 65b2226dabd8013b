"""One test of one window, in compiled code: how far it is from its baseline, and what a p-value is made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.chart.cumulative import anderson_darling, cramer_von_mises, energy, ks, kuiper, pai, wasserstein
from detectors.chart.legend import (
    ANDERSON_DARLING,
    CHI_SQUARED,
    CRAMER_VON_MISES,
    EFFECT,
    ENERGY,
    FISHER,
    G_TEST,
    HELLINGER,
    INVALID,
    JENSEN_SHANNON,
    KL,
    KNOWN,
    KS,
    KUIPER,
    L_INFINITY,
    MISSING,
    MISSING_RATE,
    NEW_CATEGORY,
    NEWEST,
    NO_TEST,
    NORMAL,
    OTHER,
    OUT_OF_RANGE,
    OUT_OF_RANGE_RATE,
    P_KIND,
    P_X,
    PSI,
    STATISTIC,
    TABLE,
    TOLD_EFFECT,
    TOLD_P,
    TOLD_STATISTIC,
    TOTAL_VARIATION,
    WASSERSTEIN,
    N,
)
from detectors.chart.shares import (
    chi_squared,
    g_test,
    hellinger,
    jensen_shannon,
    kl,
    l_infinity,
    psi,
    total_variation,
)
from detectors.kernel import inlined, kernel

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


@kernel
def measure(
    test: int, counts: Integers, sums: Integers, extremes: Floats, positions: Floats, hashes: Array, known: Array,
    total: Integers, total_sums: Integers, total_extremes: Floats, before: Integers, now: Integers, mass: Integers,
    here: Integers, numbers: Floats, codes: Integers, newest: Integers,
) -> None:  # fmt: skip
    """Write statistic, effect, and what a p-value is made of."""
    numbers[:] = np.nan
    codes[:] = 0
    if test >= MISSING_RATE:
        if test == NEW_CATEGORY:
            a = 0
            n = total_sums[N]
            b = _new_names(counts, total, total_sums, hashes, known, newest)
            m = sums[N]
        elif test == OUT_OF_RANGE_RATE:
            a = total_sums[OUT_OF_RANGE]
            n = total_sums[N]
            b = sums[OUT_OF_RANGE]
            m = sums[N]
        else:
            column = MISSING if test == MISSING_RATE else INVALID
            a = total_sums[column]
            n = events_of(total_sums)
            b = sums[column]
            m = events_of(sums)
        _proportion(a, n, b, m, numbers, codes)
    elif total_sums[N] == 0 or sums[N] == 0:
        codes[P_KIND] = NO_TEST
    elif test <= G_TEST:
        _measure_shares(test, mass, here, numbers, codes)
    elif test <= ANDERSON_DARLING:
        _measure_cumulative(test, before, now, numbers, codes)
    else:
        low = min(total_extremes[0], extremes[0])
        high = max(total_extremes[1], extremes[1])
        n = total_sums[N]
        m = sums[N]
        if test == ENERGY:
            energy(total, counts, n, m, positions, low, high, numbers, codes)
        elif test == WASSERSTEIN:
            wasserstein(total, counts, n, m, positions, low, high, numbers)
        else:
            pai(total, counts, n, m, positions, low, high, numbers, codes)


@inlined
def tell(told: Floats, numbers: Floats, codes: Integers) -> None:
    """Write what was measured elsewhere."""
    numbers[:] = np.nan
    codes[:] = 0
    numbers[STATISTIC] = told[TOLD_STATISTIC]
    numbers[EFFECT] = told[TOLD_EFFECT]
    numbers[P_X] = told[TOLD_P]
    codes[P_KIND] = NO_TEST if np.isnan(told[TOLD_P]) else KNOWN


@inlined
def _measure_shares(test: int, mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    if test == PSI:
        psi(mass, here, numbers, codes)
    elif test == JENSEN_SHANNON:
        jensen_shannon(mass, here, numbers, codes)
    elif test == HELLINGER:
        hellinger(mass, here, numbers, codes)
    elif test == KL:
        kl(mass, here, numbers, codes)
    elif test == TOTAL_VARIATION:
        total_variation(mass, here, numbers, codes)
    elif test == L_INFINITY:
        l_infinity(mass, here, numbers, codes)
    elif test == CHI_SQUARED:
        chi_squared(mass, here, numbers, codes)
    else:
        g_test(mass, here, numbers, codes)


@inlined
def _measure_cumulative(test: int, before: Integers, now: Integers, numbers: Floats, codes: Integers) -> None:
    if test == KS:
        ks(before, now, numbers, codes)
    elif test == KUIPER:
        kuiper(before, now, numbers, codes)
    elif test == CRAMER_VON_MISES:
        cramer_von_mises(before, now, numbers, codes)
    else:
        anderson_darling(before, now, numbers, codes)


@inlined
def events_of(sums: Integers) -> int:
    """How many events a window or a baseline has, whatever their values."""
    events: int = sums[N] + sums[MISSING] + sums[INVALID]
    return events


@inlined
def _proportion(a: int, n: int, b: int, m: int, numbers: Floats, codes: Integers) -> None:
    if n == 0 or m == 0:
        return
    numbers[TABLE] = a
    numbers[TABLE + 1] = n - a
    numbers[TABLE + 2] = b
    numbers[TABLE + 3] = m - b
    codes[P_KIND] = NORMAL
    if a == 0 and b == 0:
        numbers[STATISTIC] = 0.0
        numbers[EFFECT] = 0.0
        numbers[P_X] = 0.0
        return
    p = (n - a) / n
    q = (m - b) / m
    with_it = (a + b) / (n + m)
    without = ((n - a) + (m - b)) / (n + m)
    sd = math.sqrt(with_it * without * (1 / n + 1 / m))
    z = (q - p) / sd if sd > 0 else 0.0
    sine = math.sqrt(q) * math.sqrt(1 - p) - math.sqrt(p) * math.sqrt(1 - q)
    numbers[STATISTIC] = z
    numbers[EFFECT] = 2 * abs(math.asin(min(max(sine, -1.0), 1.0)))
    numbers[P_X] = abs(z)
    if sd > 0 and min(n, m) * min(with_it, without) < 5.0:
        codes[P_KIND] = FISHER


@inlined
def _new_names(
    counts: Integers, total: Integers, total_sums: Integers, hashes: Array, known: Array, newest: Integers
) -> int:
    """Count names that the baseline does not hold, and note the most frequent ones.

    Where the baseline holds more names than it tells apart, only names that it would have told apart count.
    """
    limit = np.uint64(0)
    for k in range(total.size):
        if total[k] > 0 and not known[k]:
            limit = max(limit, hashes[k])
    newest[:] = -1
    new = 0
    for k in range(total.size):
        if counts[k] == 0 or total[k] > 0 or (total_sums[OTHER] > 0 and hashes[k] > limit):
            continue
        new += counts[k]
        rank = NEWEST
        while rank > 0 and counts[k] > newest[rank - 1, 1]:
            rank -= 1
        for r in range(NEWEST - 1, rank, -1):
            newest[r, 0] = newest[r - 1, 0]
            newest[r, 1] = newest[r - 1, 1]
        if rank < NEWEST:
            newest[rank, 0] = k
            newest[rank, 1] = counts[k]
    return new
