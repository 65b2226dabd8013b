"""What detectors are made of that look only at the order of values: ranks in bins, their normal scores, random numbers.

A stream is first a sample, in order, that sets the edges of bins, and is then forgotten. Each later value gets its rank
among all that came after the edges, itself included, by counts in bins: as long as values are exchangeable, these ranks
are independent and uniform between 0 and 1. In a row of memory stand the edges, `most` of them at most, and then the
counts, one more than twice as many; before that the sample.
"""

from __future__ import annotations

import math
from typing import Any

from detectors.contract import FloatArray
from detectors.kernel import inlined, kernel

__all__ = ["normal_quantile", "ranked", "sort_in", "uniform", "width"]

_LOW_32_BITS = 0xFFFFFFFF
_BELOW_1 = 1.0 - 2.0**-53  # rounding must not make a rank 1, which has no normal score


def width(sample: int, most: int) -> int:
    """Return how many float64 the sample takes, and what follows it."""
    return max(sample, 3 * most + 1)


@kernel
def uniform(seed: int, counter: int) -> float:
    """Return the number of that counter, between 0 and 1, both excluded; no product exceeds 63 bits."""
    mixed = (counter + seed * 0x9E3779B1) & _LOW_32_BITS
    mixed = (((mixed >> 16) ^ mixed) * 0x45D9F3B) & _LOW_32_BITS
    mixed = (((mixed >> 16) ^ mixed) * 0x45D9F3B) & _LOW_32_BITS
    mixed = (mixed >> 16) ^ mixed
    return (mixed + 0.5) / 4294967296.0


@kernel
def normal_quantile(p: float) -> float:
    """Return the quantile of N(0, 1), to 7 digits (Wichura 1988, algorithm AS 241, PPND7)."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        over = ((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
        return q * over / (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0)
    r = math.sqrt(-math.log(min(p, 1.0 - p)))
    if r <= 5.0:
        r -= 1.6
        over = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777
        size = over / ((0.12021132975 * r + 0.73700164250) * r + 1.0)
    else:
        r -= 5.0
        over = ((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150
        size = over / ((0.012258202635 * r + 0.24197894225) * r + 1.0)
    return size if q > 0.0 else -size


@inlined
def sort_in(sample: FloatArray, n: int, x: float) -> None:
    """Put `x` among the first `n` of `sample`, which are in order."""
    position = n
    while position > 0 and sample[position - 1] > x:
        sample[position] = sample[position - 1]
        position -= 1
    sample[position] = x


@inlined
def set_edges(sample: FloatArray, n: int, most: int) -> int:
    """Put edges where the ordered sample of `n` was, closer together towards both ends; return how many there are.

    An edge is never written beyond where the next one is read.
    """
    edges = 0
    for j in range(most):
        share = j / (most - 1)
        x = sample[int((n - 1) * share * share * (3.0 - 2.0 * share))]
        if edges == 0 or x > sample[edges - 1]:
            sample[edges] = x
            edges += 1
    for j in range(edges, sample.size):
        sample[j] = 0.0
    return edges


@inlined
def find_bin(edges: FloatArray, count: int, x: float) -> int:
    """Return the bin of `x`: edge ``j`` is bin ``2 j + 1`` itself, so that values that recur have bins of their own."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if edges[middle] < x:
            low = middle + 1
        else:
            high = middle
    return 2 * low + 1 if low < count and edges[low] == x else 2 * low


@inlined
def sum_below(counts: FloatArray, bin_: int) -> float:
    """Return the sum of the first `bin_` counts; four sums at a time wait for one another a quarter as long."""
    sum_0, sum_1, sum_2, sum_3 = 0.0, 0.0, 0.0, 0.0
    for j in range(0, bin_ - 3, 4):
        sum_0 += counts[j]
        sum_1 += counts[j + 1]
        sum_2 += counts[j + 2]
        sum_3 += counts[j + 3]
    for j in range(bin_ - bin_ % 4, bin_):
        sum_0 += counts[j]
    return sum_0 + sum_1 + sum_2 + sum_3


@inlined
def ranked(s: Any, row: FloatArray, n: int, sample: int, most: int, tie: float, x: float) -> float:
    """Absorb `x`, the `n`-th value; return its rank, or 0 as long as there are no edges.

    Parameters
    ----------
    s : row of state
        With a field ``edges``, which counts them.
    row : float64 [width]
        As long as :func:`width` says.
    n, sample, most : int
        Values so far, `x` included; how many of the first set the edges; and how many edges there are at most.
    tie : float
        A random number, which says where among its equals `x` is.
    x : float
    """
    if n <= sample:
        sort_in(row, n - 1, x)
        if n == sample:
            s["edges"] = set_edges(row, n, most)
        return 0.0
    counts = row[most:]
    bin_ = find_bin(row, s["edges"], x)
    counts[bin_] += 1.0
    return min(float((sum_below(counts, bin_) + tie * counts[bin_]) / (n - sample)), _BELOW_1)
