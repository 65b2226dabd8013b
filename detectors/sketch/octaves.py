"""Pages of counters, of which each octave of a universal layout owns one as soon as it has a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel
from detectors.sketch.universal import MANTISSA_BITS, OCTAVES, SLOTS

__all__ = ["NO_PAGE", "Pages", "emit", "free_pages", "put_pages", "read_page"]

Integers = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

NO_PAGE = -1


class Pages:
    """Pages of 64 counters that many rows share.

    Attributes
    ----------
    counters
        int64[pages, SLOTS]; a free page holds zeros.
    free, free_count
        int32[pages] and int64[1]: a stack of the free pages, and how many lie on it.
    """

    def __init__(self) -> None:
        self.counters = np.zeros((0, SLOTS), dtype=np.int64)
        self.free = np.empty(0, dtype=np.int32)
        self.free_count = np.zeros(1, dtype=np.int64)

    def add(self) -> None:
        """Double the number of pages."""
        first = len(self.counters)
        extra = max(64, first)
        self.counters = np.concatenate((self.counters, np.zeros((extra, SLOTS), dtype=np.int64)))
        # Every page may come back, so the stack of free ones has room for all of them.
        self.free = np.concatenate((self.free, np.zeros(extra, dtype=np.int32)))
        count = int(self.free_count[0])
        self.free[count : count + extra] = np.arange(first, first + extra)
        self.free_count[0] = count + extra


@kernel
def read_page(page: int, octave: int, sign: int, pages: Integers, size: int, cells: Array, counts: Integers) -> int:
    if page != NO_PAGE:
        for k in range(SLOTS):
            slot = k if sign > 0 else SLOTS - 1 - k
            size = emit(sign * (octave * SLOTS + slot + 1), pages[page, slot], size, cells, counts)
    return size


@kernel
def emit(cell: int, count: int, size: int, cells: Array, counts: Integers) -> int:
    """Append a cell if it is occupied; return the number of occupied cells so far."""
    if count == 0:
        return size
    cells[size] = cell
    counts[size] = count
    return size + 1


@kernel
def put_pages(
    cells: Array, counts: Integers, octaves: Array, pages: Integers, free: Array, free_count: Integers
) -> None:
    """Write the counts of universal cells; there are free pages enough. Zero is counted elsewhere."""
    for i in range(cells.size):
        if cells[i] == 0:
            continue
        cell = abs(cells[i]) - 1
        octave = (cell >> MANTISSA_BITS) + OCTAVES * (cells[i] < 0)
        if octaves[octave] == NO_PAGE:
            free_count[0] -= 1
            octaves[octave] = free[free_count[0]]
        pages[octaves[octave], cell & (SLOTS - 1)] = counts[i]


@kernel
def free_pages(octaves: Array, pages: Integers, free: Array, free_count: Integers) -> None:
    """Clear and give back all pages of one row."""
    for u in range(octaves.shape[0]):
        for octave in range(octaves.shape[1]):
            page = octaves[u, octave]
            if page != NO_PAGE:
                pages[page, :] = 0
                free[free_count[0]] = page
                free_count[0] += 1
                octaves[u, octave] = NO_PAGE
