"""Mean and scale of the first values of a stream, of which no single one counts for much.

Charts measure deviations in standard deviations that they learn, so that one wild value among those, a sentinel such as
-999999, would leave them deaf for as long as it is remembered. Therefore the first :data:`HELD` values are held until
they show a scale: the deviation from their median that three quarters of them do not exceed, or, where as many are
equal, the smallest one beyond, but never the largest of all. Values count with at most :data:`REACH` such deviations.
From then on, what is learned takes no value to be further than :data:`REACH` sd from the mean so far; so one value in
n raises the sd by a factor of ``sqrt(1 + REACH**2 / n)`` at most. A change that lasts is followed, because the sd grows
with it. What makes up less than one in ``REACH**2`` of the values is not, however far out it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from detectors.contract import FloatArray
from detectors.kernel import inlined, kernel

__all__ = ["HELD", "REACH", "absorb", "hold", "median_and_deviation", "room", "within"]

HELD = 32
"""How many values are held, or the whole warm-up, if that is shorter."""
REACH = 6.0
"""How many deviations, or sd, from what is usual a value counts for at most while the scale is learned."""
_TOO_FEW = 8  # of which no odd one can be told


def room(warm_up: str, values: Mapping[str, Any]) -> int:
    """Return how many values are held by a detector whose warm-up is the parameter `warm_up`.

    None where the scale is given, or where every value counts as it is.
    """
    bounded = values["sd"] is None and values["scores"] == "clipped"
    return min(HELD, max(2, int(values[warm_up]))) if bounded else 0


@inlined
def within(gap: float, reach: float) -> float:
    """Return `gap`, or what is as far from 0 as `reach` if that is nearer: by branches, which are hardly ever taken."""
    if gap > reach:
        return reach
    if gap < -reach:
        return -reach
    return gap


@inlined
def at_rank(values: FloatArray, centre: float, folded: bool, rank: int) -> float:
    """Return which of ``x - centre``, or of their sizes if `folded`, has `rank` smaller ones, by counting them."""
    for x in values:
        gap = abs(x - centre) if folded else x - centre
        smaller, equal = 0, 0
        for y in values:
            other = abs(y - centre) if folded else y - centre
            smaller += int(other < gap)
            equal += int(other == gap)
        if smaller <= rank < smaller + equal:
            return float(gap)
    return 0.0


@kernel
def median_and_deviation(values: FloatArray) -> tuple[float, float]:
    """Return the median, and how far from it three quarters are at most; 0 where all but one are equal.

    Where three quarters are equal it is the smallest deviation of the others, but for the largest of all.
    """
    n = values.size
    median = at_rank(values, 0.0, False, n // 2)
    for rank in range(3 * n // 4, n - 1 if n >= _TOO_FEW else n):
        deviation = at_rank(values, median, True, rank)
        if deviation > 0.0:
            return median, deviation
    return median, 0.0


@kernel
def hold(held: FloatArray, n: int, median: float, x: float) -> tuple[float, float]:
    """Hold `x`, the `n`-th value; return the mean and the sum of squared deviations of all `n`.

    The sum is 0 until there is a scale. All but one are then equal to the `median`, which is what was last returned as
    the mean; whatever differs takes the place of one of them.
    """
    size = held.size
    if n <= size:
        held[n - 1] = x
        if n < size:
            return 0.0, 0.0
    elif x == median:
        return median, 0.0
    else:
        equal_index = 0
        for j in range(size):
            if held[j] == median:
                equal_index = j
        held[equal_index] = x
    median, deviation = median_and_deviation(held)
    total, squares = 0.0, 0.0
    for y in held:
        total += within(y - median, REACH * deviation)
    gap = total / n
    for y in held:
        other = within(y - median, REACH * deviation) - gap
        squares += other * other
    squares += (n - size) * gap * gap
    return (median + gap, squares) if squares > 0.0 else (median, 0.0)


@kernel
def absorb(n: int, mean: float, squares: float, bounded: bool, x: float) -> tuple[float, float]:
    """Return the mean and the sum of squared deviations (Welford 1962) of `n` values, of which `x` is the newest.

    If `bounded`, it counts as what is :data:`REACH` sd from the others' mean at most.
    """
    gap = x - mean
    if bounded and gap * gap * (n - 2) > REACH * REACH * squares:
        gap = within(gap, REACH * math.sqrt(squares / (n - 2)))
    return mean + gap / n, squares + gap * (gap - gap / n)
