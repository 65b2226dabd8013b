"""Distances of shares of groups, in compiled code. `detectors.distance` says where they come from."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.chart.legend import CHI2, EFFECT, KNOWN, P_DF, P_KIND, P_X, STATISTIC
from detectors.distance.comparison import PSEUDO_COUNT
from detectors.kernel import inlined, kernel

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@inlined
def _sizes(mass: Integers, here: Integers) -> tuple[int, int, int]:
    """How many values both sides hold, and in how many bins there are any."""
    n = 0
    m = 0
    cells = 0
    for g in range(mass.size):
        n += mass[g]
        m += here[g]
        cells += (mass[g] > 0) | (here[g] > 0)
    return n, m, cells


@inlined
def psi(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    index = 0.0
    for g in range(mass.size):
        if mass[g] > 0 or here[g] > 0:
            p = (mass[g] + PSEUDO_COUNT) / (n + PSEUDO_COUNT * cells)
            q = (here[g] + PSEUDO_COUNT) / (m + PSEUDO_COUNT * cells)
            index += (p - q) * math.log(p / q)
    numbers[STATISTIC] = index
    numbers[EFFECT] = index
    numbers[P_X] = index / (1 / n + 1 / m)
    numbers[P_DF] = cells - 1
    codes[P_KIND] = CHI2


@inlined
def jensen_shannon(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    root = min(math.sqrt(_divergence(mass, here, n, m, 0.0, cells) / math.log(2.0)), 1.0)
    numbers[STATISTIC] = root
    numbers[EFFECT] = root
    numbers[P_X] = 8 * _divergence(mass, here, n, m, PSEUDO_COUNT, cells) / (1 / n + 1 / m)
    numbers[P_DF] = cells - 1
    codes[P_KIND] = CHI2


@kernel
def _divergence(mass: Integers, here: Integers, n: int, m: int, more: float, cells: int) -> float:
    """Return the Jensen–Shannon divergence in nats, with ``more`` observations in each occupied group."""
    nats = 0.0
    for g in range(mass.size):
        if mass[g] > 0 or here[g] > 0:
            p = (mass[g] + more) / (n + more * cells)
            q = (here[g] + more) / (m + more * cells)
            middle = (p + q) / 2
            if p > 0:
                nats += p * math.log(p / middle) / 2
            if q > 0:
                nats += q * math.log(q / middle) / 2
    return max(nats, 0.0)


@inlined
def hellinger(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    root = min(math.sqrt(_square(mass, here, n, m, 0.0, cells)), 1.0)
    numbers[STATISTIC] = root
    numbers[EFFECT] = root
    numbers[P_X] = 8 * _square(mass, here, n, m, PSEUDO_COUNT, cells) / (1 / n + 1 / m)
    numbers[P_DF] = cells - 1
    codes[P_KIND] = CHI2


@kernel
def _square(mass: Integers, here: Integers, n: int, m: int, more: float, cells: int) -> float:
    """Return the squared Hellinger distance, with ``more`` observations in each occupied group."""
    square = 0.0
    for g in range(mass.size):
        if mass[g] > 0 or here[g] > 0:
            p = (mass[g] + more) / (n + more * cells)
            q = (here[g] + more) / (m + more * cells)
            square += (math.sqrt(p) - math.sqrt(q)) ** 2 / 2
    return square


@inlined
def kl(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    divergence = 0.0
    for g in range(mass.size):
        if mass[g] > 0 or here[g] > 0:
            p = (mass[g] + PSEUDO_COUNT) / (n + PSEUDO_COUNT * cells)
            q = (here[g] + PSEUDO_COUNT) / (m + PSEUDO_COUNT * cells)
            divergence += q * math.log(q / p)
    numbers[STATISTIC] = divergence
    numbers[EFFECT] = divergence
    numbers[P_X] = 2 * divergence / (1 / n + 1 / m)
    numbers[P_DF] = cells - 1
    codes[P_KIND] = CHI2


@inlined
def total_variation(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    moved = 0.0
    for g in range(mass.size):
        moved += abs(mass[g] / n - here[g] / m) / 2
    moved = min(moved, 1.0)
    numbers[STATISTIC] = moved
    numbers[EFFECT] = moved
    numbers[P_X] = 4 * moved * moved / (1 / n + 1 / m)
    numbers[P_DF] = cells - 1
    codes[P_KIND] = CHI2


@inlined
def l_infinity(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    largest = 0.0
    for g in range(mass.size):
        largest = max(largest, abs(mass[g] / n - here[g] / m))
    chance = 1.0 if cells == 1 else 0.0
    step = 1 / min(n, m)
    for g in range(mass.size):
        both = mass[g] + here[g]
        variance = both / (n + m) * ((n + m - both) / (n + m)) * (1 / n + 1 / m)
        if variance > 0:
            u = step * largest / variance
            exponent = variance / (step * step) * ((1 + u) * math.log1p(u) - u)
            chance += math.erfc(math.sqrt(max(exponent, 0.0)))
    numbers[STATISTIC] = largest
    numbers[EFFECT] = largest
    numbers[P_X] = min(chance, 1.0)
    codes[P_KIND] = KNOWN


@inlined
def chi_squared(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    against_pooled = 0.0
    against_both = 0.0
    for g in range(mass.size):
        if mass[g] > 0 or here[g] > 0:
            p = mass[g] / n
            q = here[g] / m
            square = (p - q) * (p - q)
            against_pooled += square / (mass[g] + here[g])
            against_both += square / (p + q)
    statistic = against_pooled * (n + m) / (1 / n + 1 / m)
    numbers[STATISTIC] = statistic
    numbers[EFFECT] = math.sqrt(against_both / 2)
    numbers[P_X] = statistic
    numbers[P_DF] = cells - 1
    codes[P_KIND] = CHI2


@inlined
def g_test(mass: Integers, here: Integers, numbers: Floats, codes: Integers) -> None:
    n, m, cells = _sizes(mass, here)
    nats = 0.0
    spread = 0.0
    for g in range(mass.size):
        if mass[g] > 0 or here[g] > 0:
            pooled = (mass[g] + here[g]) / (n + m)
            spread += 1 / pooled
            if mass[g] > 0:
                nats += mass[g] * math.log(mass[g] / n / pooled)
            if here[g] > 0:
                nats += here[g] * math.log(here[g] / m / pooled)
    statistic = 2 * max(nats, 0.0)
    total = n + m
    correction = 1 + (total * (1 / n + 1 / m) - 1) * (spread - 1) / (6 * total * max(cells - 1, 1))
    numbers[STATISTIC] = statistic
    numbers[EFFECT] = min(math.sqrt(_divergence(mass, here, n, m, 0.0, cells) / math.log(2.0)), 1.0)
    numbers[P_X] = statistic / correction
    numbers[P_DF] = cells - 1
    codes[P_KIND] = CHI2
