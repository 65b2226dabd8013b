"""The newest zeros and ones of a series, 32 of them in each number of its row of memory.

A float64 holds whole numbers up to 2**53, so that the bits survive whatever floats survive. The number that is being
filled has lost its oldest bits, which is why a ring has one number more than are needed.
"""

from __future__ import annotations

import numpy as np

from detectors.contract import FloatArray
from detectors.kernel import inlined, kernel

__all__ = ["at", "ones", "push", "width"]

_BITS = 32


def width(observations: int) -> int:
    """Return how many numbers of memory hold that many observations.

    Examples
    --------
    >>> width(100)
    5
    """
    return -(-observations // _BITS) + 1


@inlined
def push(memory: FloatArray, row: int, newest: int, x: float) -> int:
    """Put an observation, 0.0 or 1.0, into the ring after the place `newest`; return its place.

    Examples
    --------
    >>> import numpy as np
    >>> memory, last = np.zeros((1, width(2))), 0
    >>> for x in (1.0, 0.0, 1.0):
    ...     last = push(memory, 0, last, x)
    >>> [at(memory, 0, last - back) for back in (0, 1, 2)]
    [1, 0, 1]
    """
    newest = newest + 1 if newest + 1 < memory.shape[1] * _BITS else 0
    # Without signs: neither division has to look after numbers below zero, and no place is counted from the end.
    index, bits = np.uint64(newest), np.uint64(_BITS)
    at_row, word, bit = np.uint64(row), index // bits, index % bits
    weight = float(1 << int(bit))
    memory[at_row, word] = x * weight + (memory[at_row, word] if bit > 0 else 0.0)
    return newest


@inlined
def at(memory: FloatArray, row: int, index: int) -> int:
    """Return the observation at a place of the ring, which may be below zero: before its first."""
    inside = index if index >= 0 else index + memory.shape[1] * _BITS
    return (int(memory[row, inside // _BITS]) >> (inside % _BITS)) & 1


@kernel
def ones(memory: FloatArray, row: int, newest: int, count: int) -> int:
    """Return how many of the `count` newest observations are ones.

    Examples
    --------
    >>> import numpy as np
    >>> memory, last = np.zeros((1, width(40))), 0
    >>> for x in [1.0, 0.0] * 30:
    ...     last = push(memory, 0, last, x)
    >>> ones(memory, 0, last, 40), ones(memory, 0, last, 5)
    (20, 2)
    """
    set_bits, remaining, index = 0, count, newest
    while remaining > 0:
        inside = index if index >= 0 else index + memory.shape[1] * _BITS
        held = min(inside % _BITS + 1, remaining)
        bits = int(memory[row, inside // _BITS]) >> (inside % _BITS + 1 - held) & ((1 << held) - 1)
        # Sums of neighbours, then of neighbouring sums, side by side in one number (Warren, Hacker's Delight, 5-1).
        bits -= bits >> 1 & 0x55555555
        bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333)
        bits = bits + (bits >> 4) & 0x0F0F0F0F
        set_bits += (bits * 0x01010101 & 0xFFFFFFFF) >> 24
        remaining -= held
        index = inside - held
    return set_bits
