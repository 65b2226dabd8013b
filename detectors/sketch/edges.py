"""Between which edges values lie."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.kernel import kernel

__all__ = ["BLOCK", "search"]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BLOCK = 16
"""Values whose binary searches are interleaved."""


@kernel
def search(edges: Floats, first: int, count: int, x: Floats, start: int, cells: Integers) -> None:
    """Write how many edges are at most x[start], x[start + 1], …, into `cells`.

    The binary searches of a whole block take each step together: one alone would wait for memory at each step, and
    with branches would mispredict half of them.
    """
    last_row = x.size - 1
    for j in range(BLOCK):
        cells[j] = 0
    remaining = count
    while remaining > 1:
        half = remaining >> 1
        for j in range(BLOCK):
            base = cells[j]
            cells[j] = base + half * (edges[first + base + half - 1] <= x[min(start + j, last_row)])
        remaining -= half
    for j in range(BLOCK):
        cells[j] += edges[first + cells[j]] <= x[min(start + j, last_row)]
