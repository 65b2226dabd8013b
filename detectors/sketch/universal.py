"""Cells for numbers of which nothing is known: sign, exponent and six leading mantissa bits of the double.

A cell is 1/64 of an octave wide, so a value and its cell differ by less than 1.6 %, and an integer below
128 never shares a cell with another integer. Magnitudes below 2**-128 and above 2**128 go to the first and
the last cell of their sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.int32]

MANTISSA_BITS = 6
SLOTS = 1 << MANTISSA_BITS
LOWEST_EXPONENT = -128
OCTAVES = 256
LARGEST_ID = OCTAVES * SLOTS
SHIFT = 52 - MANTISSA_BITS
# The biased exponent and leading mantissa bits of 2**-128, which gets id 1.
FIRST = (1023 + LOWEST_EXPONENT) << MANTISSA_BITS
MAGNITUDE = 0x7FFF_FFFF_FFFF_FFFF


def universal_ids(values: npt.ArrayLike) -> Cells:
    """Return the cell of each value: 0 for zero, 1…16384 for positive values, mirrored for negative ones.

    Parameters
    ----------
    values
        float64 of any shape; infinities are counted with the largest magnitudes, NaN is not allowed.

    Returns
    -------
    int32 array of the same shape, monotone in the value.

    Raises
    ------
    ValueError
        If a value is NaN.

    Examples
    --------
    >>> universal_ids([-1.0, 0.0, 1.0, 1.5, 2.0]).tolist()
    [-8193, 0, 8193, 8225, 8257]
    """
    x = np.asarray(values, dtype=np.float64)
    if np.isnan(x).any():
        raise ValueError("NaN has no cell")
    magnitude = np.abs(x).view(np.int64)
    ids = np.clip((magnitude >> SHIFT) - (FIRST - 1), 1, LARGEST_ID)
    return np.where(x == 0, 0, np.where(x < 0, -ids, ids)).astype(np.int32)


def universal_bounds(ids: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the lower and upper bound of each cell.

    Parameters
    ----------
    ids
        Integers between -16384 and 16384.

    Returns
    -------
    Two float64 arrays. A positive cell is ``[low, high)``, a negative one its mirror image ``(low, high]``;
    the zero cell holds zero alone. The outermost cells reach to infinity.

    Raises
    ------
    ValueError
        If an id lies outside the range.

    Examples
    --------
    >>> [bound.tolist() for bound in universal_bounds([8193, -8193])]
    [[1.0, -1.015625], [1.015625, -1.0]]
    """
    cells = np.asarray(ids, dtype=np.int64)
    if (np.abs(cells) > LARGEST_ID).any():
        raise ValueError(f"universal cell ids lie between {-LARGEST_ID} and {LARGEST_ID}")
    magnitude = np.abs(cells)
    near = np.where(magnitude <= 1, np.nextafter(0.0, 1.0) * magnitude, _power(magnitude - 1))
    far = np.where(magnitude == LARGEST_ID, np.inf, np.where(magnitude == 0, 0.0, _power(magnitude)))
    negative = cells < 0
    return np.where(negative, -far, near), np.where(negative, -near, far)


def _power(steps: npt.NDArray[Any]) -> Floats:
    """Return the double that lies `steps` cells above 2**-128."""
    return ((steps + FIRST) << SHIFT).view(np.float64)
