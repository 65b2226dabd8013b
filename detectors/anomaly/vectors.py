"""What scorers of observations of several numbers share: limits, order statistics, and a generator without state.

Scorers that are made of random parts draw them by :func:`mixed` from their seed and what the part is for, so that
nothing depends on when it was drawn.
"""

from __future__ import annotations

from detectors.contract import FloatArray
from detectors.kernel import MAX_ABS, inlined, kernel

__all__ = ["is_usable", "measure", "mixed", "outlying", "scaled", "selected", "widen"]

_MASK = 0xFFFFFFFF


@kernel
def mixed(key: int, word: int) -> int:
    """Return 32 bits that look random, of the bits of `key` and `word`; no product leaves 63 bits."""
    x = (key ^ (word * 0x1E3779B9)) & _MASK
    x ^= x >> 16
    x = (x * 0x7FEB352D) & _MASK
    x ^= x >> 15
    x = (x * (0x846CA68B - (1 << 32))) & _MASK
    return x ^ (x >> 16)


@inlined
def is_usable(x: FloatArray) -> bool:
    """Whether every number of an observation can be absorbed."""
    usable = True
    for q in range(x.size):
        usable &= abs(x[q]) <= MAX_ABS
    return usable


@inlined
def widen(low: FloatArray, high: FloatArray, x: FloatArray, is_first: bool) -> None:
    """Take `x` into the limits."""
    for q in range(x.size):
        low[q] = x[q] if is_first else min(low[q], x[q])
        high[q] = x[q] if is_first else max(high[q], x[q])


@inlined
def outlying(low: FloatArray, high: FloatArray, x: FloatArray) -> float:
    """Return how far `x` is beyond the limits: 0 within, 1 as far as they are from each other, 8 at most."""
    farthest = 0.0
    for q in range(x.size):
        beyond = max(low[q] - x[q], x[q] - high[q])
        if beyond > 0.0:
            farthest = max(farthest, beyond / (beyond + (high[q] - low[q])))
    return 8.0 * farthest * farthest * farthest


@kernel
def selected(values: FloatArray, rank: int) -> float:
    """Return the value that would be at place `rank` if they were sorted; they are reordered (Hoare 1961)."""
    low, high = 0, values.size - 1
    while low < high:
        pivot, i, j = values[rank], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < rank:
            low = i
        if rank < i:
            high = j
    return float(values[rank])


@kernel
def measure(rows: FloatArray, column: FloatArray, centre: FloatArray, unit: FloatArray) -> None:
    """Find the median of each feature and its unit, from rows laid end to end; `column` has room for one of each.

    The unit is five interquartile ranges or, if that is less or they are zero, the distance from the lowest to the
    highest value; 1 if all values are equal.
    """
    window, d = column.size, centre.size
    for q in range(d):
        for j in range(window):
            column[j] = rows[j * d + q]
        centre[q] = selected(column, window // 2)
        within = 5.0 * (selected(column, 3 * window // 4) - selected(column, window // 4))
        unit[q] = selected(column, window - 1) - selected(column, 0)
        if 0.0 < within < unit[q]:
            unit[q] = within
        if unit[q] == 0.0:
            unit[q] = 1.0


@inlined
def scaled(x: FloatArray, centre: FloatArray, unit: FloatArray, farthest: float, z: FloatArray) -> None:
    """Measure the features of `x` from their centres in their units, up to `farthest` of these, into `z`."""
    for q in range(x.size):
        most = farthest * unit[q]
        z[q] = min(max(x[q] - centre[q], -most), most) / unit[q]
