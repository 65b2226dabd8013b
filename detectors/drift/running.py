"""The mean and sd of all observations so far, of detectors that need no baseline.

Kept in the fields ``n``, ``mean``, ``learned`` (the sd) and ``sd`` (the same, once it may be judged by) of a row of
state.
"""

from __future__ import annotations

import math
from typing import Any

from detectors.contract import FloatArray
from detectors.drift.scale import REACH, hold, within
from detectors.kernel import inlined, kernel

__all__ = ["merge", "run", "start"]


@inlined
def merge(s: Any, mean: float, total: float, spread: float, least: int) -> tuple[float, float, int]:
    """Merge what came since the last time into the baseline (Chan, Golub and LeVeque 1983).

    These are `least` observations at first, then an eighth of what there is, or one as long as all are equal; the sum
    of their deviations from the mean is `total`, that of the squares of these `spread`. Return mean, sd if it may be
    judged by, and how many there are to be next time.
    """
    n, sd = s["n"], s["learned"]
    new = least if n == 0 else batch(n, sd, least)
    count, gap = n + new, total / new
    share = new / count
    squares = sd * sd * (n - 1) + max(0.0, spread - total * gap) + gap * gap * n * share
    learn(s, count, mean + gap * share, squares, least)
    return s["mean"], s["sd"], batch(count, s["learned"], least)


@kernel
def start(s: Any, held: FloatArray, least: int, x: float) -> None:
    """Absorb `x` into a baseline that may not be judged by yet: all is in the row.

    The first values are held; those after them are bounded by what the first show (see :mod:`detectors.drift.scale`).
    """
    if s["learned"] == 0.0:
        mean, squares = hold(held, s["n"] + 1, s["mean"], x)
        learn(s, s["n"] + 1, mean, squares, least)
        s["left"] = batch(s["n"], s["learned"], least)
        return
    gap = within(x - s["mean"], REACH * s["learned"])
    s["total"] += gap
    s["spread"] += gap * gap
    s["left"] -= 1
    if s["left"] == 0:
        s["left"] = merge(s, s["mean"], s["total"], s["spread"], least)[2]
        s["total"], s["spread"] = 0.0, 0.0


@inlined
def learn(s: Any, n: int, mean: float, squares: float, least: int) -> None:
    """Keep the mean, and the sd that `n` observations with that sum of squared deviations have."""
    s["n"], s["mean"] = n, mean
    s["learned"] = math.sqrt(squares / (n - 1)) if n > 1 else 0.0
    s["sd"] = s["learned"] if n >= least else 0.0


@inlined
def batch(n: int, sd: float, least: int) -> int:
    """Return how many observations are merged next; the `least` are reached exactly."""
    if sd == 0.0:
        return 1
    eighth = (n + 7) // 8
    return min(eighth, least - n) if n < least else eighth


@kernel
def run(s: Any, min_instances: int, x: float) -> tuple[float, float]:
    """Absorb `x` into the running mean: return it and 1, or 0 during the warm-up."""
    s["n"] += 1
    s["mean"] += (1.0 / s["n"]) * (x - s["mean"])
    s["sd"] = 1.0 if s["n"] >= min_instances else 0.0
    return s["mean"], s["sd"]
