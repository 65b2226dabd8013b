"""The mean and sd of all observations so far, of detectors that need no baseline.

Kept in the fields ``n``, ``mean`` and ``sd`` of a row of state.
"""

from __future__ import annotations

import math
from typing import Any

from detectors.kernel import inlined, kernel

__all__ = ["merge", "run"]


@inlined
def merge(s: Any, mean: float, total: float, spread: float, least: int) -> tuple[float, float, int]:
    """Merge what came since the last time into the baseline (Chan, Golub and LeVeque 1983).

    These are `least` observations at first, then an eighth of what there is, or one as long as all are equal; the sum
    of their deviations from the mean is `total`, that of the squares of these `spread`. Return mean, sd, and how many
    there are to be next time.
    """
    n, sd = s["n"], s["sd"]
    new = least if n == 0 else 1 if sd == 0.0 else (n + 7) // 8
    count, gap = n + new, total / new
    share = new / count
    squares = sd * sd * (n - 1) + max(0.0, spread - total * gap) + gap * gap * n * share
    s["n"], s["mean"] = count, mean + gap * share
    s["sd"] = math.sqrt(squares / (count - 1)) if count > 1 else 0.0
    return s["mean"], s["sd"], 1 if s["sd"] == 0.0 else (count + 7) // 8


@kernel
def run(s: Any, min_instances: int, x: float) -> tuple[float, float]:
    """Absorb `x` into the running mean: return it and 1, or 0 during the warm-up."""
    s["n"] += 1
    s["mean"] += (1.0 / s["n"]) * (x - s["mean"])
    s["sd"] = 1.0 if s["n"] >= min_instances else 0.0
    return s["mean"], s["sd"]
