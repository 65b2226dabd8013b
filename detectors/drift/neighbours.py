"""What neighbours in a stream have in common, learned with a baseline, and taken out of what is judged by it.

Values of which each carries on a share ``phi`` of the deviation of the one before, ``x[t] - mean = phi (x[t - 1] -
mean) + e[t]``, alarm a chart for independent values again and again. Their innovations ``e`` are independent, and have
``sqrt(1 - phi**2)`` of the sd; a change of the mean by d moves them by ``(1 - phi) d`` (Box and Jenkins 1970; as a
control chart: Alwan and Roberts 1988). ``phi`` is the correlation of neighbours; where it is not beyond two standard
errors of that of independent values, it is taken for 0, so that nothing changes for them.
"""

from __future__ import annotations

import math

from detectors.drift.scale import REACH, within
from detectors.kernel import inlined, kernel

__all__ = ["NEIGHBOURS", "correlation", "product", "whiten"]

NEIGHBOURS = ("learned", "independent")
"""What a chart may be set to: whether it learns what neighbours have in common."""
_MOST = 0.99


@kernel
def product(n: int, mean: float, squares: float, bounded: bool, previous: float, x: float) -> float:
    """Return the product of the deviations of `previous` and of `x`, the `n`-th value, from the mean of all before it.

    If `bounded`, neither counts for more than :data:`detectors.drift.scale.REACH` sd.
    """
    if n < 3:
        return 0.0
    gap, earlier = x - mean, previous - mean
    if bounded:
        reach = REACH * math.sqrt(squares / (n - 2))
        gap, earlier = within(gap, reach), within(earlier, reach)
    return gap * earlier


@kernel
def correlation(n: int, pairs: int, products: float, squares: float) -> float:
    """Return the correlation of neighbours, by `pairs` of them out of `n` values; 0 if it may as well be none."""
    if pairs < 1 or squares == 0.0:
        return 0.0
    phi = min(products / pairs / (squares / (n - 1)), _MOST)
    return phi if phi > 2.0 / math.sqrt(pairs) else 0.0


@inlined
def whiten(phi: float, z: float, previous: float) -> float:
    """Return the innovation of `z` after `previous`, in units of its own sd."""
    return (z - phi * previous) / math.sqrt(1.0 - phi * phi)
