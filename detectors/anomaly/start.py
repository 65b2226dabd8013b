"""The first observations of a series, of which any may be wild, and none tells what is usual by itself."""

from __future__ import annotations

import numpy as np

from detectors.contract import FloatArray
from detectors.kernel import kernel

__all__ = ["KEPT", "tame"]

KEPT = 32
"""How many a scorer keeps that has no use for them itself, to take them in together."""

_MAD = 1.4826  # of a normal distribution, the standard deviation by the median distance from the median
_Q90 = 1.645  # and the distance that nine in ten are within, in standard deviations


@kernel
def tame(values: FloatArray, most: float) -> float:
    """Bring values that lie more than `most` robust deviations from the median to that distance, which is returned.

    Where more than half are equal, the distance that nine in ten are within tells the deviation; where more than that
    are, the others are brought to them.
    """
    ordered = np.sort(values)
    middle = 0.5 * (ordered[(values.size - 1) // 2] + ordered[values.size // 2])
    distances = np.sort(np.abs(values - middle))
    spread = _MAD * distances[values.size // 2]
    if spread == 0.0:
        spread = distances[(9 * values.size) // 10] / _Q90
    for j in range(values.size):
        values[j] = min(max(values[j], middle - most * spread), middle + most * spread)
    return float(most * spread)
