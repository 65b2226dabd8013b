"""What kernels of distances take from the counts of both sides."""

from __future__ import annotations

from detectors.distance.contract import Integers
from detectors.kernel import inlined

PSEUDO_COUNT = 0.5
"""What is added to each occupied cell by distances that an empty one would make infinite: Jeffreys' prior."""


@inlined
def sizes(reference: Integers, current: Integers) -> tuple[int, int, int]:
    """Return how many values both sides hold, and in how many cells there are any."""
    n = 0
    m = 0
    cells = 0
    for k in range(reference.size):
        n += reference[k]
        m += current[k]
        cells += (reference[k] > 0) | (current[k] > 0)
    return n, m, cells


@inlined
def add_up(counts: Integers, so_far: Integers) -> None:
    """Write the sum of the counts before each cell, and after the last one."""
    mass = 0
    for k in range(counts.size):
        so_far[k] = mass
        mass += counts[k]
    so_far[counts.size] = mass
