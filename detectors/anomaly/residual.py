"""A residual beside the deviation of those before it: how far it is, and how much of it is learned."""

from __future__ import annotations

import math

from detectors.kernel import inlined, kernel

__all__ = ["clipped", "relative"]

_HIGHEST = 1e100


@inlined
def clipped(residual: float, sd: float, clip: float) -> float:
    """Return `residual`, or the furthest that is learned; if there was no spread so far, all of it is."""
    most = clip * sd if sd > 0.0 else math.inf
    return min(max(residual, -most), most)


@kernel
def relative(distance: float, sd: float) -> float:
    """Return `distance` in standard deviations, at most 1e100."""
    if distance == 0.0:
        return 0.0
    return distance / sd if distance < _HIGHEST * sd else _HIGHEST
